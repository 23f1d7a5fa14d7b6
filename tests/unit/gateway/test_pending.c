/* SPDX-License-Identifier: MIT */
/*
 * A command between its arrival and its reply. The registry and the line's queue are the fakes below; most
 * lines and configurations are gone by the time the reply is written.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "gateway/pending.h"
#include "tests/unit/gateway/home.h"

static int check(const struct rh_point *point, const struct rh_value *value)
{
    (void)point;
    (void)value;
    return 0;
}

static void single(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                   struct rh_block *ret_block)
{
    (void)line;
    *ret_block = (struct rh_block){.first = order[at]};
}

static const struct rh_driver_schema schema = {.name = "fake"};
static const struct rh_driver fake = {.schema = &schema, .check = check, .single = single};
const struct rh_driver *const rh_drivers[] = {&fake};
const size_t rh_n_drivers = 1;

const struct rh_driver *rh_driver_of(const struct rh_driver_schema *of)
{
    (void)of;
    return &fake;
}

void rh_plan_fini(struct rh_plan *of)
{
    (void)of;
}

/* ---- the line ---- */

static struct rh_command queued[8];
static size_t n_queued, room;

bool rh_poller_command(struct rh_poller *poller, const struct rh_command *command)
{
    (void)poller;
    if (n_queued == room)
        return false;
    queued[n_queued++] = *command;
    return true;
}

static struct rh_line_conf *line;
static struct rh_route route;
static struct rh_request request;
static struct rh_refusal refusal;
static struct rh_pending pending;

static void new_line(uint32_t n_points)
{
    static const struct rh_label labels[] = {{0, "off"}, {1, "auto"}};

    line = home_line(1, n_points);
    line->schema = &schema;
    for (uint32_t p = 0; p < n_points; p++) {
        home_point(line, p)->scale = (struct rh_decimal){1, 0};
        home_point(line, p)->writable = true;
    }
    struct rh_label *own = malloc(sizeof(labels)); /* goes with the line */
    memcpy(own, labels, sizeof(labels));
    home_point(line, 1)->labels = own;
    home_point(line, 1)->n_labels = 2;
    home_point(line, 2)->type = RH_TYPE_F32;
    route = (struct rh_route){.device = &line->devices[0]};
    n_queued = 0;
    room = RH_COUNT(queued);
}

/* The line and its configuration end; the command does not. */
static void line_ends(void)
{
    free((void *)(uintptr_t)line->points[1].labels);
    home_line_free(line);
    line = NULL;
}

static bool begin(const char *point, bool set, const char *text)
{
    char why[128];

    if (rh_request_parse(text, strlen(text), &request, why, sizeof(why)) != RH_CODE_NONE)
        fail_msg("%s: %s", text, why);
    return rh_pending_begin(&pending, &route, point, set, &request, RH_ORIGIN_CONTROL, 77, NULL, 5000000,
                            &refusal);
}

static struct rh_answer answer_to(uint32_t point, enum rh_command_status status, enum rh_command_code code)
{
    return (struct rh_answer){.serial = 77,
                              .point = point,
                              .status = (uint8_t)status,
                              .code = (uint8_t)code,
                              .reading = {.point = point, .quality = RH_NA, .mono_us = 1, .wall_ms = 900}};
}

static struct rh_answer good(uint32_t point, struct rh_value value)
{
    struct rh_answer answer = answer_to(point, RH_STATUS_OK, RH_CODE_NONE);

    answer.reading.quality = RH_GOOD;
    answer.reading.value = value;
    return answer;
}

static char reply[8192];

static json_t *reply_of(void)
{
    struct rh_text text;
    json_error_t error;

    rh_text_init(&text, reply, sizeof(reply));
    rh_pending_reply(&pending, 5031000, 1000, &text);
    json_t *json = json_loads(reply, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s: %s", reply, error.text);
    return json;
}

static void expect_reply(const char *text)
{
    json_decref(reply_of());
    assert_string_equal(reply, text);
    rh_pending_end(&pending);
    assert_int_equal(pending.serial, 0);
}

static void set_one(void **state)
{
    (void)state;
    new_line(3);
    assert_true(begin("p0", true, "{\"id\":\"x\",\"by\":\"anna\",\"value\":42}"));
    assert_int_equal(n_queued, 1);
    assert_true(queued[0].serial == 77 && queued[0].origin == RH_ORIGIN_CONTROL && queued[0].n == 1);
    assert_int_equal(queued[0].values[0].value.i64, 42);
    assert_int_equal(queued[0].expires_us, 5000000 + 30000000);
    assert_string_equal(pending.by, "anna");
    line_ends();
    struct rh_answer answer = good(0, (struct rh_value){.kind = RH_VALUE_I64, .i64 = 42});
    answer.has_old = true;
    answer.old.kind = RH_VALUE_BOOL;
    answer.old.bits = 1;
    assert_true(rh_pending_take(&pending, &answer));
    assert_true(pending.points[0].has_old && pending.points[0].old.boolean);
    expect_reply("{\"id\":\"x\",\"status\":\"ok\",\"value\":42,\"readback\":42,\"t\":900,\"took_ms\":31}");
}

static void labels_and_floats_outlive_the_line(void **state)
{
    (void)state;
    new_line(3);
    assert_true(begin("", true, "{\"values\":{\"p1\":\"auto\",\"p2\":20}}"));
    line_ends();
    struct rh_answer first = good(1, (struct rh_value){.kind = RH_VALUE_U64, .u64 = 0});
    struct rh_answer second = good(2, (struct rh_value){.kind = RH_VALUE_F32, .f64 = 20.5});
    first.status = RH_STATUS_FAILED;
    first.code = RH_CODE_VERIFY;
    assert_false(rh_pending_take(&pending, &first));
    assert_false(rh_pending_take(&pending, &first)); /* once */
    assert_true(rh_pending_take(&pending, &second));
    json_t *json = reply_of();
    const char *status = NULL, *value = NULL, *readback = NULL;
    double f32 = 0;
    assert_int_equal(json_unpack(json, "{s:s,s:{s:{s:s,s:s},s:{s:f}}}", "status", &status, "values", "p1",
                                 "value", &value, "readback", &readback, "p2", "readback", &f32),
                     0);
    assert_string_equal(status, "failed");
    assert_string_equal(value, "auto");
    assert_string_equal(readback, "off");
    assert_true(f32 == 20.5 && strstr(reply, "\"value\":20.0"));
    json_decref(json);
    rh_pending_end(&pending);
}

static void what_fails_says_why(void **state)
{
    static const struct {
        enum rh_command_status status;
        enum rh_command_code code;
        const char *outcome, *says;
    } rows[] = {
        {RH_STATUS_FAILED, RH_CODE_TIMEOUT, "failed timeout", "did not answer"},
        {RH_STATUS_FAILED, RH_CODE_EXCEPTION, "failed exception-4", "refused"},
        {RH_STATUS_FAILED, RH_CODE_OFFLINE, "failed offline", "not connected"},
        {RH_STATUS_EXPIRED, RH_CODE_NONE, "expired", "too long"},
        {RH_STATUS_REJECTED, RH_CODE_NONE, "rejected", "not tried"},
        {RH_STATUS_REJECTED, RH_CODE_RATE, "rejected rate", "min_interval"},
        {RH_STATUS_REJECTED, RH_CODE_RANGE, "rejected range", "max_delta"},
        {RH_STATUS_UNCONFIRMED, RH_CODE_OFFLINE, "unconfirmed offline", "may have been"},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        char outcome[40];
        struct rh_text text;

        new_line(3);
        assert_true(begin("p0", true, "1"));
        line_ends();
        struct rh_answer answer = answer_to(0, rows[i].status, rows[i].code);
        answer.detail = 4;
        assert_true(rh_pending_take(&pending, &answer));
        rh_text_init(&text, outcome, sizeof(outcome));
        rh_pending_outcome(&pending.points[0], &text);
        assert_string_equal(outcome, rows[i].outcome);
        json_t *json = reply_of();
        const char *message = json_string_value(json_object_get(json, "message"));
        assert_non_null(message);
        assert_non_null(strstr(message, rows[i].says));
        assert_null(json_object_get(json, "readback"));
        assert_null(json_object_get(json, "id"));
        json_decref(json);
        rh_pending_end(&pending);
    }
}

/* It waits for the line no longer than its own time, whatever the numbers are. */
static void expiry(void **state)
{
    char text[128];

    (void)state;
    new_line(3);
    snprintf(text, sizeof(text), "{\"value\":1,\"expires\":%lld}", (long long)rh_wall_ms() + 5000);
    assert_true(begin("p0", true, text));
    assert_in_range(queued[0].expires_us, 5000000 + 4000000, 5000000 + 5000000);
    rh_pending_end(&pending);
    assert_true(begin("p0", true, "{\"value\":1,\"expires\":9223372036854775807}"));
    assert_int_equal(queued[1].expires_us, 5000000 + 30000000);
    rh_pending_end(&pending);
    line_ends();
}

static void dry_run_touches_nothing(void **state)
{
    (void)state;
    new_line(3);
    assert_true(begin("p0", true, "{\"value\":5,\"dry_run\":true}"));
    assert_true(pending.answered == pending.n && pending.dry_run);
    expect_reply("{\"status\":\"ok\",\"message\":\"dry run: nothing was "
                 "written\",\"value\":5,\"t\":1000,\"took_ms\":31}");
    assert_false(begin("p1", true, "{\"value\":9,\"dry_run\":true}"));
    assert_int_equal(refusal.code, RH_CODE_RANGE);
    assert_int_equal(pending.serial, 0);
    assert_true(begin("", false, "{\"dry_run\":true}"));
    assert_int_equal(pending.answered, 3);
    rh_pending_end(&pending);
    assert_int_equal(n_queued, 0);
    line_ends();
}

static void full_queue(void **state)
{
    (void)state;
    new_line(200);
    room = 0;
    assert_false(begin("p0", true, "1"));
    assert_true(refusal.code == RH_CODE_BUSY && refusal.status == RH_STATUS_REJECTED);
    assert_false(begin("", false, ""));
    assert_int_equal(pending.serial, 0);
    /* A part is queued: the rest is answered now, and no point is left out. */
    room = 1;
    assert_true(begin("", false, ""));
    assert_int_equal(pending.n, 200);
    assert_int_equal(pending.answered, 136);
    for (uint32_t p = 0; p < 64; p++) {
        struct rh_answer answer = good(p, (struct rh_value){.kind = RH_VALUE_I64, .i64 = p});
        assert_int_equal(rh_pending_take(&pending, &answer), p == 63);
    }
    assert_int_equal(pending.points[63].status, RH_STATUS_OK);
    for (uint32_t p = 64; p < 200; p++) {
        assert_int_equal(pending.points[p].status, RH_STATUS_REJECTED);
        assert_int_equal(pending.points[p].code, RH_CODE_BUSY);
        assert_int_equal(pending.points[p].point->index, p);
    }
    rh_pending_end(&pending);
    line_ends();
}

/* Answers that do not come: what was answered stands. */
static void given_up(void **state)
{
    (void)state;
    new_line(3);
    assert_true(begin("", true, "{\"id\":\"i\",\"values\":{\"p0\":1,\"p2\":2}}"));
    struct rh_answer answer = good(0, (struct rh_value){.kind = RH_VALUE_I64, .i64 = 1});
    assert_false(rh_pending_take(&pending, &answer));
    line_ends();
    rh_pending_give_up(&pending);
    json_t *json = reply_of();
    const char *all = NULL, *first = NULL, *second = NULL;
    assert_int_equal(json_unpack(json, "{s:s,s:{s:{s:s},s:{s:s}}}", "status", &all, "values", "p0", "status",
                                 &first, "p2", "status", &second),
                     0);
    assert_string_equal(all, "unconfirmed");
    assert_string_equal(first, "ok");
    assert_string_equal(second, "unconfirmed");
    json_decref(json);
    rh_pending_end(&pending);
    new_line(3);
    assert_true(begin("p0", false, ""));
    rh_pending_give_up(&pending);
    assert_int_equal(pending.points[0].status, RH_STATUS_FAILED);
    rh_pending_end(&pending);
    line_ends();
}

static void refusal_as_a_reply(void **state)
{
    struct rh_refusal no = {.status = RH_STATUS_REJECTED, .code = RH_CODE_RANGE, .message = "too \"much\""};
    struct rh_text text;

    (void)state;
    rh_text_init(&text, reply, sizeof(reply));
    rh_refusal_reply(&no, "i", 7, &text);
    assert_string_equal(reply, "{\"id\":\"i\",\"status\":\"rejected\",\"code\":\"range\","
                               "\"message\":\"too \\\"much\\\"\",\"t\":7,\"took_ms\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_one),
        cmocka_unit_test(labels_and_floats_outlive_the_line),
        cmocka_unit_test(what_fails_says_why),
        cmocka_unit_test(expiry),
        cmocka_unit_test(dry_run_touches_nothing),
        cmocka_unit_test(full_queue),
        cmocka_unit_test(given_up),
        cmocka_unit_test(refusal_as_a_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
