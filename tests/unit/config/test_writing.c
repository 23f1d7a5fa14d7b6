/* SPDX-License-Identifier: MIT */
/* What goes down to devices: [commands], the control socket, `writes`, and the rules of writable points. */
#include "tests/unit/config/check.h"

#define NO_LINE "/x.ini: warning: there is no line: nothing is read\n"
#define SITE "[line a]\nport = /dev/a\n[devices]\nx = a 1 - writes=allow\ny = a 2 -\n[points y]\nq = coil 1\n"

static const struct rh_point *named(const struct rh_config *config, const char *name)
{
    const struct rh_line_conf *line = &config->lines[0];

    for (size_t i = 0; i < line->n_points; i++)
        if (strcmp(line->points[i].name, name) == 0)
            return &line->points[i];
    fail_msg("no point %s", name);
    return NULL;
}

/* Every rule arrives; without rules there are none. */
static void rules_of_a_point(void **state)
{
    struct rh_config *config = load_text(
        SITE "[points x]\nall = input 1 f32 writable verify tolerance=0.5 step=0.1 min_interval=5s "
             "max_delta=2.5 critical momentary min=5 max=30\n"
             "bare = input 3 u16 writable=yes\nread = input 4 u16 writable=no verify=no critical=off\n");
    const struct rh_point *all = named(config, "all"), *bare = named(config, "bare"),
                          *read = named(config, "read");

    (void)state;
    assert_true(all->writable && all->verify && all->critical && all->momentary && all->has_step);
    assert_true(all->tolerance == 0.5 && all->step == 0.1 && all->max_delta == 2.5);
    assert_int_equal(all->min_interval_ms, 5000);
    assert_true(all->has_min && all->has_max && all->min == 5 && all->max == 30);
    assert_true(bare->writable);
    assert_false(bare->verify || bare->critical || bare->momentary || bare->has_step);
    assert_true(bare->tolerance == 0 && bare->max_delta == 0 && bare->min_interval_ms == 0);
    assert_false(read->writable);
    char *text = dumped(config, false);
    assert_non_null(strstr(text, "all = input 1 f32 "));
    struct rh_config *again = load_text(text);
    assert_true(config->lines[0].fingerprint == again->lines[0].fingerprint);
    assert_true(named(again, "all")->step == 0.1 && named(again, "all")->writable);
    free(text);
    rh_config_free(again);
    rh_config_free(config);
}

/* A point offers, its device decides; deny is the default, and a profile cannot change that. */
static void who_decides(void **state)
{
    static const struct {
        const char *row, *section;
        bool writable;
    } rows[] = {
        {"", "", false},
        {"writes=deny", "", false},
        {"writes=allow", "", true},
        {"", "writes = allow\n", true},
        {"writes=allow", "writes = deny\n", false},
        {"", "[defaults device]\nwrites = allow\n", true},
        {"writes=deny", "[defaults device]\nwrites = allow\n", false},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        char text[500];
        snprintf(text, sizeof(text), "[line a]\nport = /dev/a\n[devices]\nx = a 1 meter %s\n[device x]\n%s",
                 rows[i].row, rows[i].section);
        const struct fake_file files[] = {
            {.path = "/profiles/meter.ini", .text = "[profile]\n[points]\np = coil 1 writable\n"},
            {.path = "/x.ini", .text = text}};
        struct rh_config *config = load_good(files, RH_COUNT(files));
        if (named(config, "p")->writable != rows[i].writable)
            fail_msg("row %zu", i);
        rh_config_free(config);
    }
    const struct fake_file files[] = {
        {.path = "/profiles/meter.ini", .text = "[profile]\nwrites = allow\n[points]\np = coil 1 writable\n"},
        {.path = "/x.ini", .text = "[line a]\nport = /dev/a\n[devices]\nx = a 1 meter\n"}};
    expect_messages(files, RH_COUNT(files),
                    "/profiles/meter.ini:2:1: error: \"writes\" does not belong into a profile\n");
}

static const struct {
    const char *text, *messages; /* from line 8 on */
} rows[] = {
    /* --- rules without writing --- */
    {"[points x]\np = coil 1 verify tolerance=1 step=2 max_delta=3 min_interval=4s critical momentary\n",
     "/x.ini:9:12: error: point \"p\" of [points x]: \"verify\" needs \"writable\"\n"
     "/x.ini:9:29: error: point \"p\" of [points x]: \"tolerance\" needs \"writable\"\n"
     "/x.ini:9:36: error: point \"p\" of [points x]: \"step\" needs \"writable\"\n"
     "/x.ini:9:48: error: point \"p\" of [points x]: \"max_delta\" needs \"writable\"\n"
     "/x.ini:9:63: error: point \"p\" of [points x]: \"min_interval\" needs \"writable\"\n"
     "/x.ini:9:66: error: point \"p\" of [points x]: \"critical\" needs \"writable\"\n"
     "/x.ini:9:75: error: point \"p\" of [points x]: \"momentary\" needs \"writable\"\n"},
    {"[points x]\np = coil 1 writable=no critical\n",
     "/x.ini:9:24: error: point \"p\" of [points x]: \"critical\" needs \"writable\"\n"},
    {"[points x]\np = coil 1 writable=maybe critical step=1\n",
     "/x.ini:9:21: error: writable = \"maybe\": must be yes or no\n"},
    {"[points x]\np = coil 1 writable tolerance=1\n",
     "/x.ini:9:31: warning: point \"p\" of [points x]: tolerance= has no effect without verify\n"},
    {"[points x]\np = coil 1 writable verify tolerance=-1 step=0 max_delta=-2 min_interval=5\n",
     "/x.ini:9:38: error: tolerance = \"-1\": must be from 0 to 1e+300\n"
     "/x.ini:9:46: error: step = \"0\": must be greater than 0\n"
     "/x.ini:9:58: error: max_delta = \"-2\": must be greater than 0\n"
     "/x.ini:9:74: error: min_interval = \"5\": the unit is missing (ms, s, min, h, d); did you mean "
     "\"5s\"?\n"},
    {"[points x]\np = coil 1 writable step=x max_delta min_interval=0s\n",
     "/x.ini:9:26: error: step = \"x\": must be a number\n"
     "/x.ini:9:28: error: \"max_delta\" needs a value: max_delta=NUMBER\n"
     "/x.ini:9:51: error: min_interval = \"0s\": must be from 1ms to 30d\n"},
    {"[points x]\np = coil 1 writeable\n", "/x.ini:9:12: error: wrong type\n"},
    /* --- overlapping writes --- */
    {"[points x]\na = coil 1 writable\nb = coil 2 writable\nc = coil 1\nd = coil 1 writable\n"
     "e = coil 5\nf = coil 5 writable\n",
     "/x.ini:12:1: error: overlapping writes: point \"d\" lies where \"a\" does (/x.ini:9)\n"},
    {"[points x]\na = coil 1 writable\nr{1..3} = coil {1..3} writable\n",
     "/x.ini:10:1: error: overlapping writes: point \"r1\" lies where \"a\" does (/x.ini:9)\n"},
    {"[points x]\na = coil 1 writable\n[points y]\nr = coil 1 writable\ns = coil 1 writable\n", ""},
    {"[points x]\na = coil 70000 writable\nb = coil 70000 writable\n",
     "/x.ini:9:10: error: no address\n/x.ini:10:10: error: no address\n"},
    {"[points x]\np = coil 1\n[devices]\nz = a 3 - enabled=no writes=allow\n[points z]\na = coil 1 writable\n"
     "b = coil 1 writable\n",
     "/x.ini:14:1: error: overlapping writes: point \"b\" lies where \"a\" does (/x.ini:13)\n"},
};

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        char text[1000];
        snprintf(text, sizeof(text), SITE "%s", rows[i].text);
        expect(text, rows[i].messages);
    }
}

/* A profile of many devices is blamed once. */
static void overlaps_in_a_profile(void **state)
{
    const struct fake_file files[] = {
        {.path = "/profiles/m.ini",
         .text = "[profile]\n[points]\na = coil 1 writable\nb = coil 1 writable\n"},
        {.path = "/x.ini",
         .text = "[line a]\nport = /dev/a\n[devices]\nm{1..9} = a {1..9} m writes=allow\nn = a 10 m\n"}};

    (void)state;
    expect_messages(files, RH_COUNT(files),
                    "/profiles/m.ini:4:1: error: overlapping writes: point \"b\" lies where \"a\" does "
                    "(/profiles/m.ini:3)\n");
}

/* A driver without the hook has no such places. */
static void no_hook_no_overlap(void **state)
{
    struct rh_driver_schema driver = fake_rtu;
    const struct rh_driver_schema *const drivers[] = {&driver};
    const struct rh_schema schema = {drivers, 1, fake_formats, 2};
    const struct fake_file file = {.path = "/x.ini",
                                   .text = SITE "[points x]\na = coil 1 writable\nb = coil 1 writable\n"};
    struct fake_disk disk = {&file, 1};
    struct rh_source source = {&disk, fake_read, fake_list, "box7", fake_profile_folders, 2, NULL};
    struct rh_report report;
    struct rh_config *config = NULL;

    (void)state;
    driver.overlaps = NULL;
    rh_report_init(&report);
    assert_int_equal(rh_config_load_from(&source, "/x.ini", &schema, &report, &config), 0);
    rh_report_fini(&report);
    rh_config_free(config);
}

static bool seen_by_driver;

static bool see_writable(const struct rh_point *point, const struct rh_device_conf *device,
                         struct rh_place place, const struct rh_parse_context *context)
{
    (void)device;
    (void)place;
    (void)context;
    seen_by_driver = seen_by_driver || point->writable;
    return true;
}

/* The driver judges the offer, so that a profile's mistake is found before somebody allows writes. */
static void the_driver_sees_the_offer(void **state)
{
    struct rh_driver_schema driver = fake_rtu;
    const struct rh_driver_schema *const drivers[] = {&driver};
    const struct rh_schema schema = {drivers, 1, fake_formats, 2};
    const struct fake_file file = {
        .path = "/x.ini",
        .text = "[line a]\nport = /dev/a\n[devices]\nx = a 1 -\n[points x]\np = coil 1 writable\n"};
    struct fake_disk disk = {&file, 1};
    struct rh_source source = {&disk, fake_read, fake_list, "box7", fake_profile_folders, 2, NULL};
    struct rh_report report;
    struct rh_config *config = NULL;

    (void)state;
    driver.check_point = see_writable;
    rh_report_init(&report);
    assert_int_equal(rh_config_load_from(&source, "/x.ini", &schema, &report, &config), 0);
    assert_true(seen_by_driver);
    assert_false(named(config, "p")->writable);
    rh_report_fini(&report);
    rh_config_free(config);
}

/* --- [commands] and the socket --- */

static uint32_t bit(enum rh_verb verb)
{
    return 1u << verb;
}

static void verbs_and_prefix(void **state)
{
    static const struct {
        const char *text;
        uint32_t verbs;
        const char *prefix;
    } good[] = {
        {"", 1u << RH_VERB_PING | 1u << RH_VERB_RESEND_META, ""},
        {"[commands]\nverbs = none\n", 0, ""},
        {"[commands]\nverbs = store-stat,reload , log-level\nresponse_prefix = {root}/to/\n",
         1u << RH_VERB_STORE_STAT | 1u << RH_VERB_RELOAD | 1u << RH_VERB_LOG_LEVEL, "r/box7/to/"},
        {"[commands]\nresponse_prefix = answers/{gateway}\n", 3, "answers/box7"},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(good); i++) {
        char text[300];
        snprintf(text, sizeof(text), "[mqtt]\nroot = r/{gateway}\n%s", good[i].text);
        struct rh_config *config = load_text(text);
        assert_int_equal(config->commands.verbs, good[i].verbs);
        assert_string_equal(config->commands.response_prefix, good[i].prefix);
        char *dump = dumped(config, true);
        struct rh_config *again = load_text(dump);
        assert_int_equal(again->commands.verbs, good[i].verbs);
        assert_true(config->commands.fingerprint == again->commands.fingerprint);
        free(dump);
        rh_config_free(again);
        rh_config_free(config);
    }
    assert_string_equal(rh_verb_name(RH_VERB_PING), "ping");
    assert_string_equal(rh_verb_name(RH_VERB_STORE_STAT), "store-stat");
    assert_int_equal(bit(RH_VERB_RESEND_META), 2);
}

static void what_commands_refuse(void **state)
{
    (void)state;
    expect("[commands]\nverbs = ping, resend, pong, scan, none\nresponse_prefix = a/#\nverb = ping\n",
           NO_LINE "/x.ini:2:15: error: verbs = \"resend\": not built yet\n"
                   "/x.ini:2:23: error: verbs = \"pong\": must be one of ping, resend-meta, reload, "
                   "log-level, store-stat; did you mean \"ping\"?\n"
                   "/x.ini:2:29: error: verbs = \"scan\": not built yet\n"
                   "/x.ini:2:35: error: verbs = \"none\": must be one of ping, resend-meta, reload, "
                   "log-level, store-stat\n"
                   "/x.ini:3:19: error: response_prefix = \"a/#\": a topic to publish to has no wildcards + "
                   "and #\n"
                   "/x.ini:4:1: error: unknown key \"verb\" in [commands]; did you mean \"verbs\"?\n");
    expect("[commands]\nverbs =\nresponse_prefix = {rot}/a\n",
           NO_LINE "/x.ini:2:8: error: verbs = \"\": must be one of ping, resend-meta, reload, log-level, "
                   "store-stat\n"
                   "/x.ini:3:19: error: {rot}: nothing of this name can be put in here; did you mean "
                   "\"root\"?\n");
    expect("[commands x]\n", NO_LINE "/x.ini:1:11: error: [commands] takes no name\n");
}

static void control_socket(void **state)
{
    struct rh_config *config = load_text("");
    char text[400], expected[600], name[110];

    (void)state;
    assert_string_equal(config->gateway.socket, "/run/railhead/ctl.sock");
    rh_config_free(config);
    config = load_text("[gateway]\nsocket = none\n");
    assert_string_equal(config->gateway.socket, "");
    char *dump = dumped(config, false);
    assert_non_null(strstr(dump, "socket = none\n"));
    free(dump);
    rh_config_free(config);
    memset(name, 'n', sizeof(name));
    name[0] = '/';
    name[107] = '\0';
    snprintf(text, sizeof(text), "[gateway]\nsocket = %s\n", name);
    config = load_text(text);
    assert_string_equal(config->gateway.socket, name);
    rh_config_free(config);
    name[107] = 'n';
    name[108] = '\0';
    snprintf(text, sizeof(text), "[gateway]\nsocket = %s\n", name);
    snprintf(expected, sizeof(expected),
             NO_LINE "/x.ini:2:10: error: socket = \"%s\": the path of a socket has at most 107 bytes\n",
             name);
    expect(text, expected);
    expect("[gateway]\nsocket = nnoe\n[gateway]\nsokcet = /x\n",
           NO_LINE "/x.ini:2:10: error: socket = \"nnoe\": must be a path, or none; did you mean \"none\"?\n"
                   "/x.ini:4:1: error: unknown key \"sokcet\" in [gateway]; did you mean \"socket\"?\n");
    expect("[gateway]\nsocket = \"/a\\x00b\"\n",
           NO_LINE "/x.ini:2:10: error: socket = \"/a\": must be a path, or none\n");
}

/* Bit i of the formats is format i of the schema. */
static void formats(void **state)
{
    static const char *const names[] = {"json", "value"};
    const struct rh_schema schema = {fake_drivers, 2, names, 2};
    const struct fake_file file = {.path = "/x.ini", .text = "[mqtt]\nformat = value\n"};
    struct fake_disk disk = {&file, 1};
    struct rh_source source = {&disk, fake_read, fake_list, "box7", fake_profile_folders, 2, NULL};
    struct rh_report report;
    struct rh_config *config = NULL;

    (void)state;
    rh_report_init(&report);
    assert_int_equal(rh_config_load_from(&source, "/x.ini", &schema, &report, &config), 0);
    assert_int_equal(config->mqtt.formats, 2);
    rh_report_fini(&report);
    rh_config_free(config);
    expect("[mqtt]\nformat = value\n", NO_LINE "/x.ini:2:10: error: format = \"value\": not built yet\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_a_point),   cmocka_unit_test(who_decides),
        cmocka_unit_test(what_is_refused),    cmocka_unit_test(overlaps_in_a_profile),
        cmocka_unit_test(no_hook_no_overlap), cmocka_unit_test(the_driver_sees_the_offer),
        cmocka_unit_test(verbs_and_prefix),   cmocka_unit_test(what_commands_refuse),
        cmocka_unit_test(control_socket),     cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
