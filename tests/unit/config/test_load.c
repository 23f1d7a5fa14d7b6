/* SPDX-License-Identifier: MIT */
/* What a right configuration comes to: layers, ranges, profiles, dump and fingerprints. */
#include "tests/unit/config/check.h"

#define PROFILE                                                                                              \
    "[profile]\nvendor = Acme\nmodel = M1\ntitle = Acme meter\nturnaround = 9ms\n"                           \
    "[parameters]\nct = 1 1..10000 \"current transformer ratio\"\n"                                          \
    "[points]\nvoltage = input 0 f32 unit=V\ncurrent = input 6 f32 unit=A scale={ct}\n"
#define SITE                                                                                                 \
    "[gateway]\nname = hamburg-02\ntag.site = hamburg\n"                                                     \
    "[defaults line]\nbaud = 9600\n[defaults device]\ninterval = 30s\n"                                      \
    "[line a]\nport = /dev/a\n[line b]\nport = /dev/b\nbaud = 38400\n[line plc]\ndriver = modbus-tcp\n"      \
    "host = 10.0.0.7:502\n"                                                                                  \
    "[devices]\nm{01..03} = a {1..3} meter  ct=40 tag.area=hall1\n"                                          \
    "n{8..9} = b {8..9} meter ct=20\npress = plc 1 - interval=fastest\n"                                     \
    "[device m02]\ntitle = Chiller 2\nct = 100\nturnaround = 8ms\n"                                          \
    "[device m{02..03}]\nmax_read = 60\n"                                                                    \
    "[points m{01..03}]\nextra = coil 3\n"                                                                   \
    "[points press]\nr{1..3} = coil {7..9} urgent\nmode = input 3 u16 enum=0:off,1:\"a, b\",7:x "            \
    "deadband=0.5\n"                                                                                         \
    "energy = input 9 u32 kind=counter every=60s qos=2 min=-5 max=1e6 heartbeat=5min unit=kWh\n"

static struct rh_config *load_site(void)
{
    const struct fake_file files[] = {{.path = "/profiles/meter.ini", .text = PROFILE},
                                      {.path = "/x.ini", .text = SITE}};

    return load_good(files, 2);
}

static const struct rh_device_conf *device(const struct rh_config *config, const char *name)
{
    for (size_t l = 0; l < config->n_lines; l++)
        for (size_t d = 0; d < config->lines[l].n_devices; d++)
            if (strcmp(config->lines[l].devices[d].name, name) == 0)
                return &config->lines[l].devices[d];
    return NULL;
}

static const struct rh_point *point(const struct rh_config *config, const char *device_name, const char *name)
{
    const struct rh_device_conf *conf = device(config, device_name);

    for (uint32_t p = 0; conf && p < conf->n_points; p++)
        if (strcmp(conf->line->points[conf->first_point + p].name, name) == 0)
            return &conf->line->points[conf->first_point + p];
    return NULL;
}

static void layers_and_ranges(void **state)
{
    struct rh_config *config = load_site();
    const struct rh_device_conf *m2 = device(config, "m02");
    const struct fake_device *options = m2->options;
    const struct fake_line *line = m2->line->options;

    (void)state;
    assert_int_equal(config->n_lines, 3);
    assert_int_equal(config->lines[0].n_devices, 3);
    assert_int_equal(config->lines[0].n_points, 9);
    assert_string_equal(m2->title, "Chiller 2");
    assert_string_equal(device(config, "m01")->title, "Acme meter");
    assert_string_equal(m2->address, "2");
    assert_string_equal(m2->profile, "meter");
    assert_int_equal(m2->interval_ms, 30000);
    assert_int_equal(options->turnaround_ms, 8);
    assert_int_equal(options->max_read, 60);
    assert_int_equal(options->unit, 2);
    options = device(config, "m01")->options;
    assert_int_equal(options->turnaround_ms, 9);
    assert_int_equal(options->max_read, 125);
    assert_int_equal(line->baud, 9600);
    assert_int_equal(((const struct fake_line *)config->lines[1].options)->baud, 38400);
    assert_int_equal(m2->tags.n, 2);
    assert_string_equal(m2->tags.at[0].name, "area");
    assert_string_equal(m2->data_topic, "railhead/hamburg-02/data/m02");
    assert_int_equal(m2->place.line, 17);
    assert_ptr_equal(m2->line, &config->lines[0]);
    rh_config_free(config);
}

static void points(void **state)
{
    struct rh_config *config = load_site();
    const struct rh_point *mode = point(config, "press", "mode"), *energy = point(config, "press", "energy");
    const struct rh_point *relay = point(config, "press", "r2"), *current = point(config, "m02", "current");

    (void)state;
    assert_int_equal(current->scale.mantissa, 1);
    assert_int_equal(current->scale.exponent, 2);
    assert_int_equal(point(config, "m01", "current")->scale.mantissa, 4);
    assert_int_equal(point(config, "n9", "current")->scale.mantissa, 2);
    assert_non_null(point(config, "m03", "extra"));
    assert_null(point(config, "n8", "extra"));
    assert_int_equal(((const struct fake_address *)relay->address)->at, 8);
    assert_int_equal(relay->class_, RH_CLASS_URGENT);
    assert_int_equal(relay->period_ms, RH_PERIOD_FASTEST);
    assert_int_equal(mode->n_labels, 3);
    assert_string_equal(mode->labels[1].label, "a, b");
    assert_int_equal(mode->report, RH_REPORT_CHANGE);
    assert_int_equal(mode->class_, RH_CLASS_NORMAL);
    assert_int_equal(mode->qos, 1);
    assert_true(energy->counter && energy->drop_last && energy->has_min && energy->has_max);
    assert_int_equal(energy->period_ms, 60000);
    assert_int_equal(energy->heartbeat_ms, 300000);
    assert_int_equal(energy->report, RH_REPORT_ALL);
    assert_int_equal(energy->qos, 2);
    assert_false(relay->drop_last);
    for (uint32_t i = 0; i < config->lines[0].n_points; i++)
        assert_int_equal(config->lines[0].points[i].index, i);
    rh_config_free(config);
}

static void same_fingerprints(const struct rh_config *a, const struct rh_config *b)
{
    assert_true(a->gateway.fingerprint == b->gateway.fingerprint);
    assert_true(a->mqtt.fingerprint == b->mqtt.fingerprint);
    assert_true(a->store.fingerprint == b->store.fingerprint);
    assert_true(a->commands.fingerprint == b->commands.fingerprint);
    assert_int_equal(a->n_lines, b->n_lines);
    for (size_t i = 0; i < a->n_lines; i++)
        assert_true(a->lines[i].fingerprint == b->lines[i].fingerprint);
}

/* The dump, with and without origins, loads to the same fingerprints and the same dump. */
static void dump_loads_again(void **state)
{
    struct rh_config *config = load_site();

    (void)state;
    for (int origin = 0; origin < 2; origin++) {
        char *text = dumped(config, origin);
        const struct fake_file files[] = {{.path = "/profiles/meter.ini", .text = PROFILE},
                                          {.path = "/x.ini", .text = text}};
        struct rh_config *again = load_good(files, 2);
        same_fingerprints(config, again);
        char *first = dumped(config, false), *second = dumped(again, false);
        assert_string_equal(first, second);
        free(first);
        free(second);
        free(text);
        rh_config_free(again);
    }
    rh_config_free(config);
}

static void origins(void **state)
{
    struct rh_config *config = load_site();
    char *text = dumped(config, true);

    (void)state;
    assert_non_null(strstr(text, "name = hamburg-02 ; /x.ini:2\n"));
    assert_non_null(strstr(text, "baud = 9600 ; /x.ini:5\n"));
    assert_non_null(strstr(text, "qos = 1 ; default\n"));
    assert_non_null(strstr(text, "root = railhead/hamburg-02 ; default\n"));
    assert_non_null(strstr(text, "data_topic = {root}/data/{device} ; default\n"));
    assert_non_null(strstr(text, "turnaround = 9ms ; /profiles/meter.ini:5\n"));
    assert_non_null(strstr(text, "ct = 40 ; /x.ini:17\n"));
    assert_non_null(strstr(text, "voltage = input 0 f32 unit=V "));
    assert_non_null(strstr(text, " every=30s "));
    free(text);
    rh_config_free(config);
}

static void values_that_need_quotes(void **state)
{
    struct rh_config *config = load_text("[gateway]\nname=g\ntag.a = \" lead # ; = , \\\"q\\\" \\x7bb\\x7d "
                                         "\\\\ \"\ntag.b = \"\"\ntag.c = a b  c#d\n"
                                         "tag.d = x \\\n   y ; comment \\\ntag.e = \"k\"l\n");

    (void)state;
    assert_int_equal(config->gateway.tags.n, 5);
    assert_string_equal(config->gateway.tags.at[0].value, " lead # ; = , \"q\" {b} \\ ");
    assert_string_equal(config->gateway.tags.at[1].value, "");
    assert_string_equal(config->gateway.tags.at[2].value, "a b  c#d");
    assert_string_equal(config->gateway.tags.at[3].value, "x y");
    assert_string_equal(config->gateway.tags.at[4].value, "kl");
    char *text = dumped(config, true);
    struct rh_config *again = load_text(text);
    same_fingerprints(config, again);
    free(text);
    rh_config_free(again);
    rh_config_free(config);
}

/* Every part of the configuration that changes, changes its fingerprint and no other. */
static void fingerprints(void **state)
{
    static const char base[] =
        "[line a]\nport = /dev/a\n[line b]\nport = /dev/b\n[devices]\nx = a 1 -\ny = b 1 -\n"
        "[points x]\np = coil 1\n[points y]\np = coil 1\n";
    static const struct {
        const char *more;
        const char *changed; /* g, m, s, a, b, c */
    } rows[] = {
        {"", ""},
        {"[gateway]\nname = other\n", "gmab"},
        {"[mqtt]\ninflight = 3\n", "m"},
        {"[store]\ncommit_interval = 2s\n", "s"},
        {"[device x]\ninterval = 3s\n", "a"},
        {"[points y]\nq = coil 2\n", "b"},
        {"[defaults line]\nbaud = 300\n", "ab"},
        {"[mqtt]\nqos = 2\n", "mab"},
        {"[mqtt]\nqos = 1\n", ""},
        {"[gateway]\nsocket = none\n", "g"},
        {"[commands]\nverbs = ping\n", "c"},
        {"[mqtt]\ntls = no\n", "m"},
        {"[device x]\nwrites = allow\n", "a"},
        {"[points y]\nq = coil 2 writable\n", "b"},
    };
    struct rh_config *config = load_text(base);

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        char text[1000];
        snprintf(text, sizeof(text), "%s%s", base, rows[i].more);
        struct rh_config *other = load_text(text);
        const uint64_t before[] = {config->gateway.fingerprint,  config->mqtt.fingerprint,
                                   config->store.fingerprint,    config->lines[0].fingerprint,
                                   config->lines[1].fingerprint, config->commands.fingerprint};
        const uint64_t after[] = {other->gateway.fingerprint,  other->mqtt.fingerprint,
                                  other->store.fingerprint,    other->lines[0].fingerprint,
                                  other->lines[1].fingerprint, other->commands.fingerprint};
        for (size_t f = 0; f < RH_COUNT(before); f++)
            if ((before[f] != after[f]) != (strchr(rows[i].changed, "gmsabc"[f]) != NULL))
                fail_msg("row %zu: fingerprint %c", i, "gmsabc"[f]);
        rh_config_free(other);
    }
    rh_config_free(config);
}

static void drop_ins(void **state)
{
    const struct fake_file files[] = {
        {.path = "/x.d/10-a.ini", .text = "[line a]\nbaud = 300\n[devices]\nx = a 7 -\n[mqtt]\nqos=0\n"},
        {.path = "/x.d/20-b.ini", .text = "[line a]\nbaud = 600\n[points x]\np = coil 9\n"},
        {.path = "/x.ini",
         .text = "[line a]\nport = /dev/a\nbaud = 1200\n[devices]\nx = a 1 - interval=1s\n"
                 "[points x]\np = coil 1\nq = coil 2\n"}};
    struct rh_config *config = load_good(files, 3);

    (void)state;
    assert_int_equal(((const struct fake_line *)config->lines[0].options)->baud, 600);
    assert_string_equal(device(config, "x")->address, "7");
    assert_int_equal(device(config, "x")->interval_ms, 10000); /* the whole row is replaced */
    assert_int_equal(config->mqtt.qos, 0);
    assert_int_equal(((const struct fake_address *)point(config, "x", "p")->address)->at, 9);
    assert_string_equal(config->lines[0].points[0].name, "p");
    assert_int_equal(config->lines[0].n_points, 2);
    rh_config_free(config);
}

static void implied_lines_and_disabled_ones(void **state)
{
    struct rh_config *config = load_text(
        "[defaults line]\ndriver = modbus-rtu\ntimeout = 1s\n[line off]\nport = /dev/a\nenabled = no\n"
        "[line a]\nport = /dev/a\n[devices]\nx = off 1 -\ny = a 2 - enabled=no\nz = a 3 -\nw = - 9 - "
        "host=h2\n"
        "[device plc]\nhost = 10.0.0.7\naddress = 5\ntimeout = 2s\n"
        "[points x]\np = coil 1\n[points y]\np = coil 1\n[points z]\np = coil 1\n[points w]\np = coil 1\n"
        "[points plc]\np = coil 1\n");

    (void)state;
    assert_int_equal(config->n_lines, 3);
    assert_string_equal(config->lines[0].name, "a");
    assert_int_equal(config->lines[0].n_devices, 1);
    assert_string_equal(config->lines[0].devices[0].name, "z");
    assert_string_equal(config->lines[1].name, "w");
    assert_string_equal(config->lines[2].name, "plc");
    const struct fake_line *options = config->lines[2].options;
    assert_string_equal(options->host, "10.0.0.7");
    assert_int_equal(options->timeout_ms, 2000);
    assert_int_equal(((const struct fake_line *)config->lines[1].options)->timeout_ms, 1000);
    char *text = dumped(config, false);
    struct rh_config *again = load_text(text);
    same_fingerprints(config, again);
    free(text);
    rh_config_free(again);
    rh_config_free(config);
}

static void brokers_and_topics(void **state)
{
    struct rh_config *config = load_text(
        "[gateway]\nname = g1\ntag.site = hh\n[mqtt]\ntls = no\nbroker = mqtt://a , "
        "mqtt://[::1]:99/,mqtt://c.d:1\n"
        "root = x/{gateway}\nclient_id = c-{gateway}\ndata_topic = {root}/{tag.site}/{gateway}/{device}\n"
        "version = 3.1.1\nformat = json, other\n"
        "[line a]\nport=/dev/a\n[devices]\nd = a 1 - tag.site=b\n[points d]\np = coil 1\n");

    (void)state;
    assert_int_equal(config->mqtt.n_brokers, 3);
    assert_string_equal(config->mqtt.brokers[0].host, "a");
    assert_int_equal(config->mqtt.brokers[0].port, 1883);
    assert_string_equal(config->mqtt.brokers[1].host, "::1");
    assert_int_equal(config->mqtt.brokers[1].port, 99);
    assert_string_equal(config->mqtt.brokers[2].url, "mqtt://c.d:1");
    assert_string_equal(config->mqtt.root, "x/g1");
    assert_string_equal(config->mqtt.client_id, "c-g1");
    assert_string_equal(config->lines[0].devices[0].data_topic, "x/g1/b/g1/d");
    assert_int_equal(config->mqtt.version, RH_MQTT_311);
    assert_int_equal(config->mqtt.formats, 3);
    rh_config_free(config);
}

static void defaults(void **state)
{
    struct rh_config *config = load_text("");

    (void)state;
    assert_string_equal(config->gateway.name, "box7");
    assert_string_equal(config->mqtt.root, "railhead/box7");
    assert_string_equal(config->mqtt.client_id, "railhead-box7");
    assert_string_equal(config->mqtt.username, "");
    assert_string_equal(config->mqtt.brokers[0].host, "localhost");
    assert_int_equal(config->mqtt.session_expiry_ms, 7 * 86400000);
    assert_int_equal(config->store.max_size_bytes, 0);
    assert_int_equal(config->store.commit_interval_ms, 1000);
    assert_string_equal(config->store.path, "/var/lib/railhead/store.db");
    assert_int_equal(config->n_lines, 0);
    rh_config_free(config);
}

/* The sample says nothing, and every option in it is one: uncommented, the tables' own defaults load. */
static void sample_loads(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    rh_config_sample(&fake_schema, out);
    fclose(out);
    struct rh_config *config = load_text(text), *empty = load_text("");
    same_fingerprints(config, empty);
    assert_non_null(strstr(text, ";commit_interval = 1s\n"));
    assert_non_null(strstr(text, "[commands]\n"));
    assert_non_null(strstr(text, ";verbs = ping, resend-meta\n"));
    assert_non_null(strstr(text, ";socket = /run/railhead/ctl.sock\n"));
    assert_non_null(strstr(text, ";writes = deny\n"));
    assert_non_null(strstr(text, "--- points of driver modbus-tcp"));
    free(text);
    rh_config_free(config);
    rh_config_free(empty);
}

static void a_thousand_devices(void **state)
{
    char text[600];
    snprintf(text, sizeof(text),
             "[line a]\nport=/dev/a\n[devices]\nd{0001..1000} = a 5 -\n[points d{0001..1000}]\nr{1..9} = "
             "coil {1..9}\n");
    struct rh_config *config = load_text(text);

    (void)state;
    assert_int_equal(config->lines[0].n_devices, 1000);
    assert_int_equal(config->lines[0].n_points, 9000);
    assert_string_equal(config->lines[0].devices[999].name, "d1000");
    rh_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_and_ranges),
        cmocka_unit_test(points),
        cmocka_unit_test(dump_loads_again),
        cmocka_unit_test(origins),
        cmocka_unit_test(values_that_need_quotes),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(drop_ins),
        cmocka_unit_test(implied_lines_and_disabled_ones),
        cmocka_unit_test(brokers_and_topics),
        cmocka_unit_test(defaults),
        cmocka_unit_test(sample_loads),
        cmocka_unit_test(a_thousand_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
