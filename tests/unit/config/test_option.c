/* SPDX-License-Identifier: MIT */
/* Option tables by themselves, the report, and host names. */
#include "config/units.h"
#include "tests/unit/config/check.h"

struct all {
    const char *text;
    bool flag;
    int64_t number, duration, size;
    double real;
    struct rh_decimal decimal;
    int choice;
};

static const struct rh_option all_rows[] = {
    {.name = "text", .kind = RH_OPTION_TEXT, .offset = offsetof(struct all, text), .fallback = "t"},
    {.name = "flag", .kind = RH_OPTION_BOOL, .offset = offsetof(struct all, flag), .fallback = "yes"},
    {.name = "int", .kind = RH_OPTION_INT, .offset = offsetof(struct all, number), .min = -5, .max = 5},
    {.name = "real", .kind = RH_OPTION_NUMBER, .offset = offsetof(struct all, real)},
    {.name = "dec", .kind = RH_OPTION_DECIMAL, .offset = offsetof(struct all, decimal), .fallback = "0.1"},
    {.name = "dur",
     .kind = RH_OPTION_DURATION,
     .offset = offsetof(struct all, duration),
     .fallback = "500ms",
     .min = 1,
     .max = 60000},
    {.name = "size", .kind = RH_OPTION_SIZE, .offset = offsetof(struct all, size), .fallback = "1MiB"},
    {.name = "choice",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(struct all, choice),
     .choices = "one|two"},
};
static const struct rh_option_table all_table = {all_rows, RH_COUNT(all_rows)};

static const struct {
    const char *key, *text;
    bool ok;
    const char *suggestion;
} rows[] = {
    {"text", "", true, NULL},
    {"text", "\xff", false, NULL},
    {"flag", "ON", true, NULL},
    {"flag", "treu", false, "true"},
    {"flag", "", false, NULL},
    {"int", "5", true, NULL},
    {"int", "-5", true, NULL},
    {"int", "6", false, NULL},
    {"int", "5 ", false, NULL},
    {"int", "99999999999999999999", false, NULL},
    {"real", "1e3", true, NULL},
    {"real", "nan", false, NULL},
    {"real", "1,5", false, NULL},
    {"dec", "-2.50", true, NULL},
    {"dec", "0.0", false, NULL},
    {"dec", "x", false, NULL},
    {"dur", "1min", true, NULL},
    {"dur", "2min", false, NULL},
    {"dur", "0ms", false, NULL},
    {"dur", "500", false, "500ms"},
    {"dur", "1", false, "1s"},
    {"dur", "10 s", false, "10s"},
    {"dur", "3 seconds", false, "3s"},
    {"dur", "2S", false, "2s"},
    {"dur", "2parsec", false, NULL},
    {"dur", "", false, NULL},
    {"dur", "-1s", false, NULL},
    {"size", "64KiB", true, NULL},
    {"size", "64k", false, "64KiB"},
    {"size", "512", false, "512KiB"},
    {"size", "5GB", false, "5GiB"},
    {"choice", "two", true, NULL},
    {"choice", "tow", false, "two"},
    {"choice", "three", false, NULL},
    {"choice", "one|two", false, "one"},
};

static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_arena *arena = rh_arena_new();
        struct rh_report report;
        struct all all;
        rh_report_init(&report);
        rh_option_defaults(&all_table, &all, arena);
        assert_true(all.flag && all.duration == 500 && all.size == 1 << 20 && all.decimal.exponent == -1);
        struct rh_option_value value = {.key = rows[i].key,
                                        .text = rows[i].text,
                                        .len = strlen(rows[i].text),
                                        .place = {"f", 3, 7},
                                        .arena = arena,
                                        .report = &report};
        bool ok = rh_option_set(rh_option_find(&all_table, rows[i].key), &all, &value);
        if (ok != rows[i].ok || report.n_errors != !ok)
            fail_msg("%s = %s", rows[i].key, rows[i].text);
        const char *suggestion = ok ? NULL : report.messages[0].suggestion;
        if ((suggestion != NULL) != (rows[i].suggestion != NULL) ||
            (suggestion && strcmp(suggestion, rows[i].suggestion) != 0))
            fail_msg("%s = %s: %s", rows[i].key, rows[i].text, suggestion ? suggestion : "none");
        rh_report_fini(&report);
        rh_arena_free(arena);
    }
}

static void units(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } durations[] = {{0, "0s"},       {1, "1ms"},     {1500, "1500ms"},
                     {60000, "1min"}, {90000, "90s"}, {86400000, "1d"}};

    (void)state;
    for (size_t i = 0; i < RH_COUNT(durations); i++) {
        char text[RH_UNIT_TEXT];
        int64_t again;
        rh_units_print(&rh_units_duration, durations[i].ms, text);
        assert_string_equal(text, durations[i].text);
        assert_int_equal(rh_parse_duration(text, &again), 0);
        assert_true(again == durations[i].ms);
    }
}

static void report_is_sorted_and_says_things_once(void **state)
{
    struct rh_report report;

    (void)state;
    rh_report_init(&report);
    rh_report_file(&report, "z");
    rh_report_file(&report, "a");
    for (int i = 0; i < 2; i++) {
        rh_report_error(&report, (struct rh_place){"a", 1, 1}, NULL, "first of a");
        rh_report_warning(&report, (struct rh_place){"z", 10, 2}, NULL, "last \"of\" z\n");
        rh_report_error(&report, (struct rh_place){"z", 9, 3}, "baud", "first of z");
    }
    rh_report_sort(&report);
    assert_int_equal(report.n, 3);
    assert_int_equal(report.n_errors, 2);
    char *text = printed(&report);
    assert_string_equal(text, "z:9:3: error: first of z; did you mean \"baud\"?\n"
                              "z:10:2: warning: last \"of\" z?\na:1:1: error: first of a\n");
    free(text);
    size_t len;
    FILE *out = open_memstream(&text, &len);
    rh_report_print_json(&report, out);
    fclose(out);
    assert_string_equal(text, "{\"errors\":[\n"
                              "{\"file\":\"z\",\"line\":9,\"column\":3,\"severity\":\"error\",\"message\":"
                              "\"first of z\",\"suggestion\":\"baud\"},\n"
                              "{\"file\":\"z\",\"line\":10,\"column\":2,\"severity\":\"warning\",\"message\":"
                              "\"last \\\"of\\\" z?\",\"suggestion\":null},\n"
                              "{\"file\":\"a\",\"line\":1,\"column\":1,\"severity\":\"error\",\"message\":"
                              "\"first of a\",\"suggestion\":null}]}\n");
    free(text);
    rh_report_fini(&report);
}

static void report_is_bounded(void **state)
{
    struct rh_report report;

    (void)state;
    rh_report_init(&report);
    for (unsigned i = 0; i < 1500; i++)
        rh_report_error(&report, (struct rh_place){"f", i, 1}, NULL, "message");
    assert_int_equal(report.n, 1000);
    assert_int_equal(report.n_errors, 1500);
    assert_int_equal(report.n_left_out, 500);
    rh_report_fini(&report);
}

static void host_names(void **state)
{
    static const struct {
        const char *host, *text, *name; /* name NULL: refused */
    } hosts[] = {
        {"box7.example.org", "", "box7"},
        {"raspberrypi", "", "raspberrypi"},
        {"raspberrypi", "[mqtt]\nbroker = mqtt://127.0.0.9, mqtt://[::1]:1, mqtt://localhost\n",
         "raspberrypi"},
        {"raspberrypi", "[mqtt]\nbroker = mqtt://localhost,mqtts://b\n", NULL},
        {"raspberrypi", "[mqtt]\nbroker = mqtts://b\n[gateway]\nname = raspberrypi\n", "raspberrypi"},
        {"Debian", "[mqtt]\nbroker = mqtts://10.0.0.1\n", NULL},
        {"hamburg", "[mqtt]\nbroker = mqtts://10.0.0.1\n", "hamburg"},
        {"", "", NULL},
        {"a b", "", NULL},
        {"a b", "[gateway]\nname = x\n", "x"},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(hosts); i++) {
        struct fake_file file = {.path = "/x.ini", .text = hosts[i].text};
        struct rh_report report;
        struct rh_config *config = NULL;
        rh_report_init(&report);
        int r = fake_load(&file, 1, hosts[i].host, &report, &config);
        if ((r == 0) != (hosts[i].name != NULL) ||
            (r == 0 && strcmp(config->gateway.name, hosts[i].name) != 0))
            fail_msg("host %s: %s", hosts[i].host, report.n > 0 ? report.messages[0].message : "accepted");
        rh_report_fini(&report);
        rh_config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(units),
        cmocka_unit_test(report_is_sorted_and_says_things_once),
        cmocka_unit_test(report_is_bounded),
        cmocka_unit_test(host_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
