/* SPDX-License-Identifier: MIT */
/* From a request to a command, or to the reason why not. The registry is the fake below. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/dispatch.h"
#include "tests/unit/gateway/home.h"

static int answer; /* of check() */

static int check(const struct rh_point *point, const struct rh_value *value)
{
    (void)point;
    (void)value;
    return answer;
}

static void single(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                   struct rh_block *ret_block)
{
    (void)line;
    *ret_block = (struct rh_block){.first = order[at]};
}

static const struct rh_driver_schema schema = {.name = "fake"}, deaf_schema = {.name = "deaf"};
static const struct rh_driver fake = {.schema = &schema, .check = check, .single = single};
static const struct rh_driver deaf = {.schema = &deaf_schema}; /* listens only */
const struct rh_driver *const rh_drivers[] = {&fake, &deaf};
const size_t rh_n_drivers = 2;

const struct rh_driver *rh_driver_of(const struct rh_driver_schema *of)
{
    return of == &deaf_schema ? &deaf : &fake;
}

void rh_plan_fini(struct rh_plan *of)
{
    (void)of;
}

static struct rh_request request;
static struct rh_command command;
static struct rh_refusal refusal;

static void parse(const char *text)
{
    char why[128];

    if (rh_request_parse(text, strlen(text), &request, why, sizeof(why)) != RH_CODE_NONE)
        fail_msg("%s: %s", text, why);
}

static void fresh(void **state)
{
    static const struct {
        const char *text;
        bool fenced, synced, good;
        enum rh_command_status status;
        enum rh_command_code code;
    } rows[] = {
        {"1", true, true, true, 0, 0},
        {"1", true, false, true, 0, 0},
        {"1", false, true, false, RH_STATUS_EXPIRED, RH_CODE_NONE}, /* queued while we were away */
        {"{\"value\":1,\"expires\":1001}", false, true, true, 0, 0},
        {"{\"value\":1,\"expires\":1001}", true, true, true, 0, 0},
        {"{\"value\":1,\"expires\":1000}", true, true, false, RH_STATUS_EXPIRED, RH_CODE_NONE},
        {"{\"value\":1,\"expires\":0}", true, true, false, RH_STATUS_EXPIRED, RH_CODE_NONE},
        {"{\"value\":1,\"expires\":1001}", true, false, false, RH_STATUS_REJECTED, RH_CODE_CLOCK},
        {"{\"value\":1,\"expires\":1001}", false, false, false, RH_STATUS_REJECTED, RH_CODE_CLOCK},
        {"{\"value\":1,\"expires\":9223372036854775807}", false, true, true, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        parse(rows[i].text);
        refusal = (struct rh_refusal){0};
        assert_int_equal(rh_dispatch_fresh(&request, rows[i].fenced, rows[i].synced, 1000, &refusal),
                         rows[i].good);
        assert_int_equal(refusal.status, rows[i].good ? 0 : rows[i].status);
        assert_int_equal(refusal.code, rows[i].good ? 0 : rows[i].code);
        assert_int_equal(refusal.message[0] != '\0', !rows[i].good);
    }
}

/* Points p0…p3 of d1: writable; critical; momentary; read-only. */
static struct rh_line_conf *new_line(void)
{
    struct rh_line_conf *line = home_line(2, 4);

    line->schema = &schema;
    for (uint32_t p = 4; p < 7; p++) {
        home_point(line, p)->writable = true;
        home_point(line, p)->scale = (struct rh_decimal){1, 0};
    }
    home_point(line, 4)->has_max = true;
    home_point(line, 4)->max = 30;
    home_point(line, 5)->critical = true;
    home_point(line, 6)->momentary = true;
    return line;
}

static void set_is_checked_as_a_whole(void **state)
{
    static const struct {
        const char *point, *text;
        int check;
        enum rh_command_code code;
        const char *says;
    } rows[] = {
        {"p0", "42", 0, RH_CODE_RANGE, "p0"},
        {"p0", "on", 0, RH_CODE_TYPE, "p0"},
        {"p0", "", 0, RH_CODE_SYNTAX, "value"},
        {"p0", "{\"values\":{\"p0\":1}}", 0, RH_CODE_SYNTAX, "value"},
        {"p0", "30", -ERANGE, RH_CODE_RANGE, "s64"},
        {"p0", "30", -EINVAL, RH_CODE_TYPE, "d1.p0"},
        {"p0", "30", -EROFS, RH_CODE_READ_ONLY, "d1.p0"},
        {"p3", "1", 0, RH_CODE_READ_ONLY, "writes = allow"},
        {"p9", "1", 0, RH_CODE_UNKNOWN, "p9"},
        {"p1", "1", 0, RH_CODE_SYNTAX, "critical"},
        {"p1", "{\"id\":\"a\",\"value\":1}", 0, RH_CODE_SYNTAX, "expires"},
        {"p1", "{\"expires\":1,\"value\":1}", 0, RH_CODE_SYNTAX, "id"},
        {"p1", "{\"id\":\"a\",\"expires\":1,\"value\":1}", 0, RH_CODE_NONE, NULL},
        {"p2", "1", 0, RH_CODE_SYNTAX, "momentary"},
        {"p2", "{\"id\":\"a\",\"value\":1}", 0, RH_CODE_NONE, NULL},
        {"", "1", 0, RH_CODE_SYNTAX, "values"},
        {"", "{\"value\":1}", 0, RH_CODE_SYNTAX, "values"},
        {"", "{\"values\":{\"p0\":1,\"p3\":2}}", 0, RH_CODE_READ_ONLY, "p3"},
        {"", "{\"values\":{\"p0\":1,\"p9\":2}}", 0, RH_CODE_UNKNOWN, "p9"},
        {"", "{\"values\":{\"p0\":99,\"p2\":2}}", 0, RH_CODE_RANGE, "p0"},
        {"", "{\"id\":\"a\",\"values\":{\"p2\":2,\"p0\":1}}", 0, RH_CODE_NONE, NULL},
    };
    struct rh_line_conf *line = new_line();
    const struct rh_route route = {.device = &line->devices[1], .first = 4};

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        parse(rows[i].text);
        answer = rows[i].check;
        refusal = (struct rh_refusal){0};
        bool good = rh_dispatch_set(&route, rows[i].point, &request, NULL, 0, &command, &refusal);
        if (refusal.code != rows[i].code || good != (rows[i].code == RH_CODE_NONE))
            fail_msg("row %zu: code %d: %s", i, refusal.code, refusal.message);
        assert_true(good || strstr(refusal.message, rows[i].says));
    }
    assert_int_equal(command.kind, RH_COMMAND_SET);
    assert_int_equal(command.n, 2); /* in the order given */
    assert_int_equal(command.values[0].point, 6);
    assert_int_equal(command.values[1].point, 4);
    assert_int_equal(command.values[0].value.i64, 2);
    answer = 0;
    home_line_free(line);
}

static void min_interval(void **state)
{
    struct rh_line_conf *line = new_line();
    const struct rh_route route = {.device = &line->devices[1], .first = 100};
    struct rh_point_history history[104] = {[100] = {.written_us = 1000000}};

    (void)state;
    home_point(line, 4)->min_interval_ms = 500;
    parse("1");
    assert_false(rh_dispatch_set(&route, "p0", &request, history, 1499999, &command, &refusal));
    assert_int_equal(refusal.code, RH_CODE_RATE);
    assert_true(rh_dispatch_set(&route, "p0", &request, history, 1500000, &command, &refusal));
    assert_true(rh_dispatch_set(&route, "p0", &request, NULL, 1, &command, &refusal));
    home_line_free(line);
}

static void get(void **state)
{
    struct rh_line_conf *line = home_line(2, 150);
    struct rh_route route = {.device = &line->devices[1]};
    uint32_t first = 0;

    (void)state;
    line->schema = &schema;
    assert_true(rh_dispatch_get(&route, "p7", &first, &command, &refusal));
    assert_true(command.kind == RH_COMMAND_GET && command.n == 1 && !command.more);
    assert_int_equal(command.values[0].point, 157);
    assert_false(rh_dispatch_get(&route, "nope", &first, &command, &refusal));
    assert_int_equal(refusal.code, RH_CODE_UNKNOWN);
    for (uint32_t taken = 0; taken < 150; taken += command.n) {
        assert_true(rh_dispatch_get(&route, "", &first, &command, &refusal));
        assert_int_equal(command.n, taken < 128 ? 64 : 22);
        assert_int_equal(command.more, taken < 128);
        for (uint32_t i = 0; i < command.n; i++)
            assert_int_equal(command.values[i].point, 150 + taken + i);
    }
    line->schema = &deaf_schema; /* not "busy": it will never work */
    first = 0;
    assert_false(rh_dispatch_get(&route, "p7", &first, &command, &refusal));
    assert_int_equal(refusal.code, RH_CODE_TYPE);
    home_point(line, 157)->writable = true;
    home_point(line, 157)->scale = (struct rh_decimal){1, 0};
    parse("1");
    assert_false(rh_dispatch_set(&route, "p7", &request, NULL, 0, &command, &refusal));
    assert_int_equal(refusal.code, RH_CODE_READ_ONLY);
    home_line_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh),
        cmocka_unit_test(set_is_checked_as_a_whole),
        cmocka_unit_test(min_interval),
        cmocka_unit_test(get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
