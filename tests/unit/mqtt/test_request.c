/* SPDX-License-Identifier: MIT */
/* Command payloads: what is understood, and what is refused with which code and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mqtt/request.h"

static struct rh_request request;
static char why[256];

static enum rh_command_code parse(const char *payload)
{
    return rh_request_parse(payload, strlen(payload), &request, why, sizeof(why));
}

static void test_whole_request(void **state)
{
    (void)state;
    assert_int_equal(parse(" {\"id\":\"a1\",\"value\":42.5,\"expires\":1795163955698,\"by\":\"scada\","
                           "\"dry_run\":true}\n"),
                     RH_CODE_NONE);
    assert_true(request.json && request.has_id && request.has_expires && request.has_value &&
                request.dry_run);
    assert_false(request.bare);
    assert_string_equal(request.id, "a1");
    assert_string_equal(request.by, "scada");
    assert_int_equal(request.expires_wall_ms, 1795163955698);
    assert_int_equal(request.value.kind, RH_VALUE_F64);
    assert_true(request.value.f64 == 42.5);
    assert_int_equal(request.n_values, 0);
    assert_string_equal(why, "");

    assert_int_equal(parse("{}"), RH_CODE_NONE);
    assert_true(request.json);
    assert_false(request.has_value || request.has_id || request.has_expires || request.dry_run);
}

static void test_values_in_order(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"values\":{\"z\":1,\"a\":true,\"m\":\"auto\",\"b\":1.5},\"id\":\"x\"}"),
                     RH_CODE_NONE);
    static const char *const names[] = {"z", "a", "m", "b"};
    static const int kinds[] = {RH_VALUE_I64, RH_VALUE_BOOL, RH_VALUE_TEXT, RH_VALUE_F64};
    assert_int_equal(request.n_values, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(request.values[i].point, names[i]);
        assert_int_equal(request.values[i].value.kind, kinds[i]);
    }
    assert_string_equal(request.values[2].value.text, "auto");
    assert_false(request.has_value);
}

static void test_64_bits(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        int kind; /* NONE: refused */
        uint64_t bits;
    } rows[] = {
        {"9223372036854775807", RH_VALUE_I64, INT64_MAX},
        {"-9223372036854775808", RH_VALUE_I64, (uint64_t)INT64_MIN},
        {"9223372036854775808", RH_VALUE_U64, 9223372036854775808U},
        {"18446744073709551615", RH_VALUE_U64, UINT64_MAX},
        {"18446744073709551616", RH_VALUE_NONE, 0},
        {"-9223372036854775809", RH_VALUE_NONE, 0},
        {"99999999999999999999999999", RH_VALUE_NONE, 0},
        {"9007199254740993", RH_VALUE_I64, 9007199254740993},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        for (int in_values = 0; in_values < 2; in_values++) {
            char text[128];
            snprintf(text, sizeof(text), in_values ? "{\"values\":{\"p\":%s}}" : "{\"value\":%s}",
                     rows[i].number);
            enum rh_command_code code = parse(text);
            const struct rh_value *value = in_values ? &request.values[0].value : &request.value;
            if (rows[i].kind == RH_VALUE_NONE) {
                assert_int_equal(code, RH_CODE_TYPE);
                assert_string_equal(why, "a number has more than 64 bits");
                continue;
            }
            assert_int_equal(code, RH_CODE_NONE);
            assert_int_equal(value->kind, rows[i].kind);
            assert_true(value->u64 == rows[i].bits);
        }
    }
    /* Inside a string it is text. */
    assert_int_equal(parse("{\"value\":\"18446744073709551615 \\\" 18446744073709551615\"}"), RH_CODE_NONE);
    assert_string_equal(request.value.text, "18446744073709551615 \" 18446744073709551615");
}

static void test_bare(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *text;
    } rows[] = {
        {"42.5", "42.5"},
        {" ON\r\n", "ON"},
        {"true", "true"},
        {"\"text\"", "text"},
        {"\"a \\\"b\\\"\"", "a \"b\""},
        {"[1,2]", "[1,2]"},
        {"two words", "two words"},
        {"null", "null"},
        {"18446744073709551615", "18446744073709551615"},
        {"\"\"", ""},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        assert_int_equal(parse(rows[i].payload), RH_CODE_NONE);
        assert_true(request.bare && request.has_value && !request.json && !request.has_id);
        assert_int_equal(request.value.kind, RH_VALUE_TEXT);
        assert_string_equal(request.value.text, rows[i].text);
        assert_int_equal(request.value.text_len, strlen(rows[i].text));
    }
    for (int blank = 0; blank < 2; blank++) {
        assert_int_equal(parse(blank ? " \n" : ""), RH_CODE_NONE);
        assert_false(request.has_value || request.json);
    }
    assert_int_equal(rh_request_parse(NULL, 0, &request, why, sizeof(why)), RH_CODE_NONE);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        enum rh_command_code code;
        const char *why; /* its beginning */
    } rows[] = {
        {"{", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":1", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":1}}", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":1} x", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{'value':1}", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":01}", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":NaN}", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":1,\"value\":2}", RH_CODE_SYNTAX, "not valid JSON: duplicate object key"},
        {"{\"value\":\"a\\u0000b\"}", RH_CODE_SYNTAX, "not valid JSON: "},
        {"{\"value\":1e999}", RH_CODE_TYPE, "a number has more than 64 bits"},
        {"{\"value\":[1]}", RH_CODE_TYPE, "a list has no place in a command"},
        {"{\"value\":null}", RH_CODE_TYPE, "\"value\" is not a number, true, false or a text"},
        {"{\"value\":{\"a\":1}}", RH_CODE_TYPE, "\"value\" is not a number"},
        {"{\"value\":{\"a\":{\"b\":1}}}", RH_CODE_SYNTAX, "the objects are nested too deeply"},
        {"{\"expire\":5,\"value\":1}", RH_CODE_SYNTAX, "unknown key \"expire\"; did you mean \"expires\"?"},
        {"{\"frobnicate\":5,\"value\":1}", RH_CODE_SYNTAX, "unknown key \"frobnicate\""},
        {"{\"id\":7}", RH_CODE_TYPE, "\"id\" is not a text of 1 to 128 bytes"},
        {"{\"id\":\"\"}", RH_CODE_TYPE, "\"id\" is not a text of 1 to 128 bytes"},
        {"{\"id\":18446744073709551615}", RH_CODE_TYPE, "\"id\" is not a text"},
        {"{\"by\":true}", RH_CODE_TYPE, "\"by\" is not a text of 1 to 64 bytes"},
        {"{\"expires\":1.5}", RH_CODE_TYPE, "\"expires\" is not a whole number"},
        {"{\"expires\":-1}", RH_CODE_TYPE, "\"expires\" is not a whole number"},
        {"{\"expires\":\"soon\"}", RH_CODE_TYPE, "\"expires\" is not a whole number"},
        {"{\"expires\":18446744073709551615}", RH_CODE_TYPE, "\"expires\" is not a whole number"},
        {"{\"dry_run\":1}", RH_CODE_TYPE, "\"dry_run\" is not true or false"},
        {"{\"values\":{}}", RH_CODE_TYPE, "\"values\" is not an object of 1 to 64 points"},
        {"{\"values\":5}", RH_CODE_TYPE, "\"values\" is not an object of 1 to 64 points"},
        {"{\"values\":{\"a b\":5}}", RH_CODE_UNKNOWN, "\"a b\" is not the name of a point"},
        {"{\"values\":{\"a\":null}}", RH_CODE_TYPE, "\"a\" is not a number, true, false or a text"},
        {"{\"value\":1,\"values\":{\"a\":1}}", RH_CODE_SYNTAX, "\"value\" and \"values\" exclude each other"},
        {"\"open", RH_CODE_SYNTAX, "not valid JSON: "},
        {"\"a\" b", RH_CODE_SYNTAX, "not valid JSON: "},
        {"caf\xe9", RH_CODE_SYNTAX, "the payload is not valid UTF-8 without NUL"},
        {"{\"value\":\"\xc0\xaf\"}", RH_CODE_SYNTAX, "the payload is not valid UTF-8 without NUL"},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        enum rh_command_code code = parse(rows[i].payload);
        if (code != rows[i].code || strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%s: code %d, \"%s\"", rows[i].payload, (int)code, why);
    }
    assert_int_equal(rh_request_parse("1\0002", 3, &request, why, sizeof(why)), RH_CODE_SYNTAX);
}

/* A refusal names the request: id and by are there whatever comes before them and whatever is wrong. */
static void test_refused_with_id(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "{\"value\":null,\"id\":\"a1\",\"by\":\"me\"}",
        "{\"expires\":\"x\",\"by\":\"me\",\"id\":\"a1\"}",
        "{\"typo\":1,\"by\":\"me\",\"id\":\"a1\"}",
        "{\"values\":{\"a\":1,\"b\":null},\"by\":\"me\",\"id\":\"a1\"}",
    };
    for (size_t i = 0; i < RH_COUNT(payloads); i++) {
        assert_int_not_equal(parse(payloads[i]), RH_CODE_NONE);
        assert_true(request.has_id);
        assert_string_equal(request.id, "a1");
        assert_string_equal(request.by, "me");
    }
}

static void test_bounds(void **state)
{
    (void)state;
    static char large[RH_REQUEST_BYTES_MAX + 2];
    memset(large, ' ', sizeof(large));
    large[0] = '1';
    assert_int_equal(rh_request_parse(large, RH_REQUEST_BYTES_MAX, &request, why, sizeof(why)), RH_CODE_NONE);
    assert_int_equal(rh_request_parse(large, RH_REQUEST_BYTES_MAX + 1, &request, why, sizeof(why)),
                     RH_CODE_SYNTAX);
    assert_string_equal(why, "the payload is too large: more than 8192 bytes");

    memset(large, '{', sizeof(large));
    assert_int_equal(rh_request_parse(large, RH_REQUEST_BYTES_MAX, &request, why, sizeof(why)),
                     RH_CODE_SYNTAX);
    /* As many large integers as fit: each grows in the making. */
    size_t len = (size_t)snprintf(large, sizeof(large), "{\"values\":{");
    for (int i = 0; i < RH_COMMAND_POINTS; i++)
        len += (size_t)snprintf(large + len, sizeof(large) - len, "%s\"p%d\":9223372036854775808",
                                i ? "," : "", i);
    len += (size_t)snprintf(large + len, sizeof(large) - len, "}}");
    assert_int_equal(rh_request_parse(large, len, &request, why, sizeof(why)), RH_CODE_NONE);
    assert_int_equal(request.n_values, RH_COMMAND_POINTS);
    len -= 2;
    len += (size_t)snprintf(large + len, sizeof(large) - len, ",\"more\":1}}");
    assert_int_equal(rh_request_parse(large, len, &request, why, sizeof(why)), RH_CODE_TYPE);
    /* Numbers without anything between them fill the largest buffer. */
    large[0] = '{';
    for (len = 1; len + 20 <= RH_REQUEST_BYTES_MAX; len += 20)
        memcpy(large + len, "9223372036854775808 ", 20);
    assert_int_equal(rh_request_parse(large, len, &request, why, sizeof(why)), RH_CODE_SYNTAX);

    char text[400];
    char fill[RH_TEXT_MAX + 2];
    memset(fill, 'x', sizeof(fill));
    for (int over = 0; over < 2; over++) {
        fill[RH_TEXT_MAX + over] = 0;
        snprintf(text, sizeof(text), "{\"value\":\"%s\"}", fill);
        assert_int_equal(parse(text), over ? RH_CODE_TYPE : RH_CODE_NONE);
        assert_int_equal(parse(fill), over ? RH_CODE_TYPE : RH_CODE_NONE);
        fill[RH_TEXT_MAX + over] = 'x';
        fill[RH_COMMAND_ID_MAX + over] = 0;
        snprintf(text, sizeof(text), "{\"id\":\"%s\"}", fill);
        assert_int_equal(parse(text), over ? RH_CODE_TYPE : RH_CODE_NONE);
        fill[RH_COMMAND_ID_MAX + over] = 'x';
    }
    char small[4];
    assert_int_equal(rh_request_parse("{", 1, &request, small, sizeof(small)), RH_CODE_SYNTAX);
    assert_string_equal(small, "not");
}

/* ---- values of a point ---- */

static const struct rh_label labels[] = {{0, "off"}, {1, "auto"}, {7, "boost"}};

static struct rh_point point_of(enum rh_type type)
{
    return (struct rh_point){.name = "p", .unit = "", .type = type, .scale = {1, 0}};
}

static void expect(const struct rh_point *point, const char *payload, enum rh_command_code code,
                   const struct rh_value *expected)
{
    char object[300];
    struct rh_value value = {.kind = RH_VALUE_NONE};
    snprintf(object, sizeof(object), "{\"value\":%s}", payload + 1);
    assert_int_equal(parse(*payload == 'j' ? object : payload + 1), RH_CODE_NONE);
    enum rh_command_code got = rh_request_convert(point, &request.value, request.bare, &value);
    if (got != code || (expected && !rh_value_equal(&value, expected)))
        fail_msg("%s for %s: code %d, kind %d, %lld, %g", payload, rh_type_name(point->type), (int)got,
                 value.kind, (long long)value.i64, value.f64);
    if (code != RH_CODE_NONE)
        assert_int_equal(value.kind, RH_VALUE_NONE); /* untouched */
}

#define U(n) (&(struct rh_value){.kind = RH_VALUE_U64, .u64 = (n)})
#define I(n) (&(struct rh_value){.kind = RH_VALUE_I64, .i64 = (n)})
#define F(n) (&(struct rh_value){.kind = RH_VALUE_F64, .f64 = (n)})
#define B(n) (&(struct rh_value){.kind = RH_VALUE_BOOL, .boolean = (n)})

/* The first letter of a payload: j is JSON, b is bare. */
static void test_integers(void **state)
{
    (void)state;
    struct rh_point u16 = point_of(RH_TYPE_U16), s64 = point_of(RH_TYPE_S64), u64 = point_of(RH_TYPE_U64);
    expect(&u16, "j42", RH_CODE_NONE, U(42));
    expect(&u16, "b42", RH_CODE_NONE, U(42));
    expect(&u16, "b0x2A", RH_CODE_NONE, U(42));
    expect(&u16, "j42.0", RH_CODE_NONE, U(42));
    expect(&u16, "b42.0", RH_CODE_NONE, U(42));
    expect(&u16, "j42.5", RH_CODE_TYPE, NULL);
    expect(&u16, "j\"42\"", RH_CODE_TYPE, NULL);
    expect(&u16, "jtrue", RH_CODE_TYPE, NULL);
    expect(&u16, "bON", RH_CODE_TYPE, NULL);
    expect(&u16, "bnan", RH_CODE_TYPE, NULL);
    expect(&u16, "binf", RH_CODE_TYPE, NULL);
    expect(&u16, "b4 2", RH_CODE_TYPE, NULL);
    expect(&u16, "j-1", RH_CODE_RANGE, NULL);
    expect(&u16, "j1e300", RH_CODE_RANGE, NULL);
    expect(&s64, "j-9223372036854775808", RH_CODE_NONE, I(INT64_MIN));
    expect(&s64, "b-9223372036854775808", RH_CODE_NONE, I(INT64_MIN));
    expect(&s64, "b-9223372036854775809", RH_CODE_RANGE, NULL);
    expect(&s64, "j18446744073709551615", RH_CODE_RANGE, NULL);
    expect(&u64, "j18446744073709551615", RH_CODE_NONE, U(UINT64_MAX));
    expect(&u64, "b18446744073709551615", RH_CODE_NONE, U(UINT64_MAX));
    expect(&u64, "b18446744073709551616", RH_CODE_RANGE, NULL);
    u16.offset = -40; /* its readings may be negative */
    expect(&u16, "j-10", RH_CODE_NONE, I(-10));
}

static void test_others(void **state)
{
    (void)state;
    struct rh_point f32 = point_of(RH_TYPE_F32), bit = point_of(RH_TYPE_BIT), str = point_of(RH_TYPE_STR);
    struct rh_point mode = point_of(RH_TYPE_U16);
    mode.labels = labels;
    mode.n_labels = RH_COUNT(labels);
    expect(&f32, "j42", RH_CODE_NONE, F(42));
    expect(&f32, "b42.5", RH_CODE_NONE, F(42.5));
    expect(&f32, "b-1e3", RH_CODE_NONE, F(-1000));
    expect(&f32, "b1e999", RH_CODE_TYPE, NULL);
    expect(&f32, "bnan", RH_CODE_TYPE, NULL);
    expect(&f32, "jtrue", RH_CODE_TYPE, NULL);
    expect(&f32, "j\"1\"", RH_CODE_TYPE, NULL);
    static const char *const yes[] = {"jtrue", "j1", "bON", "bon", "bYes", "bTRUE", "b1"};
    static const char *const no[] = {"jfalse", "j0", "bOFF", "bno", "bFalse", "b0"};
    static const char *const neither[] = {"j2", "j-1", "j1.0", "j\"ON\"", "b2", "bmaybe", "b"};
    for (size_t i = 0; i < RH_COUNT(yes); i++)
        expect(&bit, yes[i], RH_CODE_NONE, B(true));
    for (size_t i = 0; i < RH_COUNT(no); i++)
        expect(&bit, no[i], RH_CODE_NONE, B(false));
    for (size_t i = 0; i < RH_COUNT(neither); i++)
        expect(&bit, neither[i], RH_CODE_TYPE, NULL);
    expect(&mode, "j\"auto\"", RH_CODE_NONE, I(1));
    expect(&mode, "bboost", RH_CODE_NONE, I(7));
    expect(&mode, "j7", RH_CODE_NONE, I(7));
    expect(&mode, "b7", RH_CODE_NONE, I(7));
    expect(&mode, "j2", RH_CODE_RANGE, NULL);
    expect(&mode, "j\"7\"", RH_CODE_TYPE, NULL);
    expect(&mode, "bturbo", RH_CODE_TYPE, NULL);
    expect(&mode, "jtrue", RH_CODE_TYPE, NULL);
    struct rh_value text = {.kind = RH_VALUE_TEXT, .text_len = 2, .text = "42"};
    expect(&str, "b42", RH_CODE_NONE, &text);
    expect(&str, "j\"42\"", RH_CODE_NONE, &text);
    expect(&str, "j42", RH_CODE_TYPE, NULL);
}

static void test_limits(void **state)
{
    (void)state;
    struct rh_point setpoint = point_of(RH_TYPE_S16);
    setpoint.scale = (struct rh_decimal){1, -1};
    setpoint.has_min = setpoint.has_max = setpoint.has_step = true;
    setpoint.min = 5;
    setpoint.max = 30;
    setpoint.step = 0.1;
    for (int tenths = 50; tenths <= 300; tenths++) {
        char text[16];
        snprintf(text, sizeof(text), "j%d.%d", tenths / 10, tenths % 10);
        expect(&setpoint, text, RH_CODE_NONE, NULL);
    }
    expect(&setpoint, "j4.9", RH_CODE_RANGE, NULL);
    expect(&setpoint, "j30.1", RH_CODE_RANGE, NULL);
    expect(&setpoint, "j20.05", RH_CODE_STEP, NULL);
    expect(&setpoint, "j20.01", RH_CODE_STEP, NULL);
    struct rh_point even = point_of(RH_TYPE_U64);
    even.has_step = true;
    even.step = 2;
    expect(&even, "j1152921504606846976", RH_CODE_NONE, NULL);
    if (sizeof(long double) > sizeof(double))
        expect(&even, "j1152921504606846977", RH_CODE_STEP, NULL);
    even.has_min = true;
    even.min = 1;
    expect(&even, "j3", RH_CODE_NONE, U(3));
    expect(&even, "j4", RH_CODE_STEP, NULL);
    struct rh_point large = point_of(RH_TYPE_F64);
    large.has_step = true;
    large.step = 0.1;
    expect(&large, "j123456.7", RH_CODE_NONE, NULL);
    expect(&large, "j123456.75", RH_CODE_STEP, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_request), cmocka_unit_test(test_values_in_order),
        cmocka_unit_test(test_64_bits),       cmocka_unit_test(test_bare),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_refused_with_id),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_others),        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
