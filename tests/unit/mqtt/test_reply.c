/* SPDX-License-Identifier: MIT */
/* Replies, and values as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "mqtt/reply.h"
#include "mqtt/value.h"

static const struct rh_label labels[] = {{0, "off"}, {1, "\"auto\""}};
static const struct rh_point points[] = {
    {.name = "limit", .type = RH_TYPE_F32, .scale = {1, 0}},
    {.name = "enable", .type = RH_TYPE_BIT, .scale = {1, 0}},
    {.name = "mode", .type = RH_TYPE_U16, .scale = {1, 0}, .labels = labels, .n_labels = 2},
    {.name = "name", .type = RH_TYPE_STR, .scale = {1, 0}},
};

static char buffer[1024];

static const char *written(const struct rh_reply *reply)
{
    struct rh_text text;
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_true(rh_reply_write(&text, reply));
    return buffer;
}

static struct rh_reading reading_of(struct rh_value value)
{
    return (struct rh_reading){.quality = RH_GOOD, .value = value};
}

static void test_point(void **state)
{
    (void)state;
    struct rh_value value = {.kind = RH_VALUE_F64, .f64 = 42};
    struct rh_reading readback = reading_of((struct rh_value){.kind = RH_VALUE_F32, .f64 = 42});
    struct rh_reply reply = {.id = "a1",
                             .outcome = {.point = &points[0], .value = &value, .readback = &readback},
                             .wall_ms = 1795163955698,
                             .took_ms = 31};
    assert_string_equal(written(&reply), "{\"id\":\"a1\",\"status\":\"ok\",\"value\":42.0,\"readback\":42.0,"
                                         "\"t\":1795163955698,\"took_ms\":31}");
    reply.id = NULL;
    reply.outcome.value = NULL; /* a get */
    assert_string_equal(written(&reply),
                        "{\"status\":\"ok\",\"readback\":42.0,\"t\":1795163955698,\"took_ms\":31}");
    readback.quality = RH_TIMEOUT;
    reply.outcome.status = RH_STATUS_FAILED;
    reply.outcome.code = RH_CODE_EXCEPTION;
    reply.outcome.detail = 2;
    reply.outcome.message = "the device says \"no\"";
    reply.outcome.value = &value;
    assert_string_equal(written(&reply),
                        "{\"status\":\"failed\",\"code\":\"exception-2\",\"message\":\"the device says "
                        "\\\"no\\\"\",\"value\":42.0,\"t\":1795163955698,\"took_ms\":31}");
    struct rh_reply refused = {.id = "x\"\\\n",
                               .outcome = {.status = RH_STATUS_REJECTED, .code = RH_CODE_READ_ONLY}};
    assert_string_equal(written(&refused), "{\"id\":\"x\\\"\\\\\\n\",\"status\":\"rejected\",\"code\":"
                                           "\"read-only\",\"t\":0,\"took_ms\":0}");
}

static void test_device(void **state)
{
    (void)state;
    struct rh_value values[] = {{.kind = RH_VALUE_F64, .f64 = 40},
                                {.kind = RH_VALUE_BOOL, .boolean = true},
                                {.kind = RH_VALUE_I64, .i64 = 1},
                                {.kind = RH_VALUE_TEXT, .text_len = 1, .text = "a"}};
    struct rh_reading readbacks[4];
    struct rh_reply_point outcomes[4];
    for (size_t i = 0; i < 4; i++) {
        readbacks[i] = reading_of(values[i]);
        outcomes[i] =
            (struct rh_reply_point){.point = &points[i], .value = &values[i], .readback = &readbacks[i]};
    }
    readbacks[3].value.kind = RH_VALUE_F64;
    readbacks[3].value.f64 = NAN;
    outcomes[3].status = RH_STATUS_FAILED;
    outcomes[3].code = RH_CODE_TIMEOUT;
    struct rh_reply reply = {.id = "a2",
                             .outcome = {.status = RH_STATUS_FAILED},
                             .points = outcomes,
                             .n_points = 4,
                             .wall_ms = 5,
                             .took_ms = 6};
    assert_string_equal(
        written(&reply),
        "{\"id\":\"a2\",\"status\":\"failed\",\"values\":{"
        "\"limit\":{\"status\":\"ok\",\"value\":40.0,\"readback\":40.0},"
        "\"enable\":{\"status\":\"ok\",\"value\":true,\"readback\":true},"
        "\"mode\":{\"status\":\"ok\",\"value\":\"\\\"auto\\\"\",\"readback\":\"\\\"auto\\\"\"},"
        "\"name\":{\"status\":\"failed\",\"code\":\"timeout\",\"value\":\"a\"}},\"t\":5,\"took_ms\":6}");
    struct rh_text text;
    for (size_t cap = 1; cap < strlen(buffer) + 1; cap++) {
        char small[1024];
        rh_text_init(&text, small, cap);
        assert_false(rh_reply_write(&text, &reply));
    }
}

static void test_duplicate(void **state)
{
    (void)state;
    static const char stored[] = "{\"id\":\"a\",\"status\":\"ok\"}";
    struct rh_text text;
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_true(rh_reply_duplicate(&text, stored, strlen(stored)));
    assert_string_equal(buffer, "{\"id\":\"a\",\"status\":\"ok\",\"duplicate\":true}");
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_true(rh_reply_duplicate(&text, "{}", 2));
    assert_string_equal(buffer, "{\"duplicate\":true}");
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_false(rh_reply_duplicate(&text, "", 0));
    assert_false(rh_reply_duplicate(&text, "{", 1));
    assert_false(rh_reply_duplicate(&text, "[]", 2));
    rh_text_init(&text, buffer, 10);
    assert_false(rh_reply_duplicate(&text, stored, strlen(stored)));
}

static void test_value_text(void **state)
{
    (void)state;
    static const struct {
        size_t point;
        struct rh_value value;
        const char *text; /* NULL: nothing is published */
    } rows[] = {
        {0, {.kind = RH_VALUE_F32, .f64 = 230}, "230.0"},
        {0, {.kind = RH_VALUE_F64, .f64 = 0.1}, "0.1"},
        {0, {.kind = RH_VALUE_F64, .f64 = NAN}, NULL},
        {0, {.kind = RH_VALUE_NONE}, NULL},
        {1, {.kind = RH_VALUE_BOOL, .boolean = true}, "true"},
        {2, {.kind = RH_VALUE_I64, .i64 = 1}, "\"auto\""},
        {2, {.kind = RH_VALUE_I64, .i64 = 9}, "9"},
        {3, {.kind = RH_VALUE_TEXT, .text_len = 3, .text = "a\"b"}, "a\"b"},
        {3, {.kind = RH_VALUE_TEXT}, ""},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_reading reading = reading_of(rows[i].value);
        struct rh_text text;
        rh_text_init(&text, buffer, sizeof(buffer));
        assert_int_equal(rh_value_text(&text, &points[rows[i].point], &reading), rows[i].text != NULL);
        if (rows[i].text)
            assert_string_equal(buffer, rows[i].text);
        reading.quality = RH_STALE;
        assert_false(rh_value_text(&text, &points[rows[i].point], &reading));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_point),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_value_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
