/* SPDX-License-Identifier: MIT */
/* Strict numbers: the whole string or nothing; and the spelling help. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/text.h"
#include "tests/unit/random.h"

#define UNTOUCHED 4242

static void signed_integers(void **state)
{
    static const struct {
        const char *text;
        int r;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775808", 0, INT64_MIN},
        {"-9223372036854775809", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0},
        {"0x7fffffffffffffff", 0, INT64_MAX},
        {"-0x8000000000000000", 0, INT64_MIN},
        {"0X1f", 0, 31},
        {"0x", -EINVAL, 0},
        {"x1", -EINVAL, 0},
        {"0xg", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"--1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1\n", -EINVAL, 0},
        {"1.0", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {"1a", -EINVAL, 0},
        {"\xD9\xA3", -EINVAL, 0}, /* the digit three, in Arabic */
        {"1,000", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        int64_t value = UNTOUCHED;
        int r = rh_parse_int(rows[i].text, &value);
        if (r != rows[i].r || value != (r == 0 ? rows[i].value : UNTOUCHED))
            fail_msg("\"%s\": %d, %lld", rows[i].text, r, (long long)value);
    }
}

static void unsigned_integers(void **state)
{
    uint64_t seed = random_seed("unsigned_integers"), value;
    char text[40];

    (void)state;
    assert_int_equal(rh_parse_uint("18446744073709551615", &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(rh_parse_uint("18446744073709551616", &value), -ERANGE);
    assert_int_equal(rh_parse_uint("0xffffffffffffffff", &value), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(rh_parse_uint("0x10000000000000000", &value), -ERANGE);
    assert_int_equal(rh_parse_uint("-1", &value), -EINVAL);
    assert_int_equal(rh_parse_uint("-0", &value), -EINVAL);
    for (int i = 0; i < 100000; i++) {
        uint64_t number = random_next(&seed) >> random_below(&seed, 64);
        int64_t back;

        snprintf(text, sizeof(text), i % 2 ? "%llu" : "0x%llx", (unsigned long long)number);
        assert_int_equal(rh_parse_uint(text, &value), 0);
        assert_true(value == number);
        snprintf(text, sizeof(text), "%lld", (long long)number);
        assert_int_equal(rh_parse_int(text, &back), 0);
        assert_true(back == (int64_t)number);
    }
}

static void doubles(void **state)
{
    static const struct {
        const char *text;
        int r;
        double value;
    } rows[] = {
        {"0", 0, 0},
        {"1.5", 0, 1.5},
        {"-1.5", 0, -1.5},
        {"+2", 0, 2},
        {".5", 0, 0.5},
        {"1e3", 0, 1000},
        {"1E-3", 0, 0.001},
        {"0.1", 0, 0.1},
        {"1e309", -ERANGE, 0},
        {"-1e309", -ERANGE, 0},
        {"", -EINVAL, 0},
        {".", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"-.", -EINVAL, 0},
        {"e3", -EINVAL, 0},
        {"1e", -EINVAL, 0},
        {"1e+", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1.5.2", -EINVAL, 0},
        {"1,5", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"0x1p3", -EINVAL, 0},
        {"inf", -EINVAL, 0},
        {"-infinity", -EINVAL, 0},
        {"nan", -EINVAL, 0},
        {"--1", -EINVAL, 0},
        {"\xD9\xA3", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        double value = UNTOUCHED;
        int r = rh_parse_double(rows[i].text, &value);
        if (r != rows[i].r || value != (r == 0 ? rows[i].value : UNTOUCHED))
            fail_msg("\"%s\": %d, %g", rows[i].text, r, value);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int r;
        int64_t ms;
    } rows[] = {
        {"500ms", 0, 500},
        {"1.5s", 0, 1500},
        {"0.001s", 0, 1},
        {"10s", 0, 10000},
        {"5min", 0, 300000},
        {"1h", 0, 3600000},
        {"30d", 0, INT64_C(2592000000)},
        {"0.1d", 0, 8640000},
        {"0s", 0, 0},
        {"10", -ENOMSG, 0},
        {"1.5", -ENOMSG, 0},
        {"10 s", -EBADR, 0},
        {"10sec", -EBADR, 0},
        {"10S", -EBADR, 0},
        {"10s ", -EBADR, 0},
        {"10m", -EBADR, 0},
        {"1e3s", -EBADR, 0},
        {"s", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
        {" 1s", -EINVAL, 0},
        {".s", -EINVAL, 0},
        {"1.5.2s", -EINVAL, 0},
        {"1..5s", -EINVAL, 0},
        {"999999999999d", -ERANGE, 0},
        {"999999999999999999999999999999999999999s", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        int64_t ms = UNTOUCHED;
        int r = rh_parse_duration(rows[i].text, &ms);
        if (r != rows[i].r || ms != (r == 0 ? rows[i].ms : UNTOUCHED))
            fail_msg("\"%s\": %d, %lld", rows[i].text, r, (long long)ms);
    }
}

static void sizes(void **state)
{
    int64_t bytes = UNTOUCHED;

    (void)state;
    assert_int_equal(rh_parse_size("10B", &bytes), 0);
    assert_int_equal(bytes, 10);
    assert_int_equal(rh_parse_size("64KiB", &bytes), 0);
    assert_int_equal(bytes, 65536);
    assert_int_equal(rh_parse_size("1.5MiB", &bytes), 0);
    assert_int_equal(bytes, 1572864);
    assert_int_equal(rh_parse_size("4GiB", &bytes), 0);
    assert_int_equal(bytes, INT64_C(4294967296));
    assert_int_equal(rh_parse_size("4", &bytes), -ENOMSG);
    assert_int_equal(rh_parse_size("4GB", &bytes), -EBADR);
    assert_int_equal(rh_parse_size("4K", &bytes), -EBADR);
    assert_int_equal(rh_parse_size("4gib", &bytes), -EBADR);
    assert_int_equal(rh_parse_size("9000000000GiB", &bytes), -ERANGE);
    assert_int_equal(bytes, INT64_C(4294967296));
}

static void decimals(void **state)
{
    static const struct {
        const char *text;
        int r;
        struct rh_decimal value;
    } rows[] = {
        {"0.1", 0, {1, -1}},
        {"25", 0, {25, 0}},
        {"1e-3", 0, {1, -3}},
        {"1e+3", 0, {1, 3}},
        {"1E3", 0, {1, 3}},
        {"-0.25", 0, {-25, -2}},
        {"100", 0, {1, 2}},
        {"1.500", 0, {15, -1}},
        {"0", 0, {0, 0}},
        {"-0.00", 0, {0, 0}},
        {"0e30", 0, {0, 0}},
        {".5", 0, {5, -1}},
        {"5.", 0, {5, 0}},
        {"000000000000000000000000000012", 0, {12, 0}},
        {"123456789012345678", 0, {123456789012345678, 0}},
        {"-999999999999999999", 0, {-999999999999999999, 0}},
        {"0.123456789012345678", 0, {123456789012345678, -18}},
        {"1234567890123456789", -ERANGE, {0, 0}},
        {"1e30", 0, {1, 30}},
        {"1e31", -ERANGE, {0, 0}},
        {"1e-31", -ERANGE, {0, 0}},
        {"1e99999999999999999999", -ERANGE, {0, 0}},
        {"1e+-5", -EINVAL, {0, 0}},
        {"1e--5", -EINVAL, {0, 0}},
        {"1e0x5", -EINVAL, {0, 0}},
        {"1e5x", -EINVAL, {0, 0}},
        {"1e1.5", -EINVAL, {0, 0}},
        {"1e", -EINVAL, {0, 0}},
        {"1e+", -EINVAL, {0, 0}},
        {"1e-", -EINVAL, {0, 0}},
        {"e5", -EINVAL, {0, 0}},
        {"", -EINVAL, {0, 0}},
        {"-", -EINVAL, {0, 0}},
        {".", -EINVAL, {0, 0}},
        {"--1", -EINVAL, {0, 0}},
        {"+1", -EINVAL, {0, 0}},
        {" 1", -EINVAL, {0, 0}},
        {"1 ", -EINVAL, {0, 0}},
        {"1.5.2", -EINVAL, {0, 0}},
        {"1,5", -EINVAL, {0, 0}},
        {"0x10", -EINVAL, {0, 0}},
        {"\xD9\xA3", -EINVAL, {0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_decimal value = {UNTOUCHED, 0};
        int r = rh_parse_decimal(rows[i].text, &value);
        bool right =
            r < 0 ? value.mantissa == UNTOUCHED
                  : value.mantissa == rows[i].value.mantissa && value.exponent == rows[i].value.exponent;
        if (r != rows[i].r || !right)
            fail_msg("\"%s\": %d, %lld e %d", rows[i].text, r, (long long)value.mantissa, value.exponent);
    }
}

/* Whatever the bytes are: a parser takes a string, or leaves its result alone. */
static void noise(void **state)
{
    static const char letters[] = "0123456789.-+eExX smhd\xD9\xA3";
    uint64_t seed = random_seed("noise");

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct rh_decimal decimal = {UNTOUCHED, 0};
        int64_t whole = UNTOUCHED, ms = UNTOUCHED;
        double real = UNTOUCHED;
        char text[12];
        size_t len = (size_t)random_below(&seed, sizeof(text));

        for (size_t k = 0; k < len; k++)
            text[k] = letters[random_below(&seed, sizeof(letters) - 1)];
        text[len] = '\0';
        int r = rh_parse_decimal(text, &decimal), d = rh_parse_double(text, &real);
        if (r < 0)
            assert_int_equal(decimal.mantissa, UNTOUCHED);
        else if (fabs((double)decimal.mantissa * pow(10, decimal.exponent) - strtod(text, NULL)) >
                 fabs(strtod(text, NULL)) * 1e-9)
            fail_msg("\"%s\" became %lld e %d", text, (long long)decimal.mantissa, decimal.exponent);
        if (r == 0)
            assert_int_equal(d, 0); /* every decimal is a double */
        if (rh_parse_int(text, &whole) == 0)
            assert_int_equal(text[strspn(text, "-0123456789xXeEd")], '\0');
        else
            assert_int_equal(whole, UNTOUCHED);
        if (rh_parse_duration(text, &ms) == 0)
            assert_true(ms >= 0 && len > 0 && strchr("shdn", text[len - 1]));
    }
}

/* --- nearest --- */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* By definition, not by table: delete, insert, replace, swap of neighbours. */
static unsigned distance(const char *a, const char *b)
{
    if (!*a || !*b)
        return (unsigned)(strlen(a) + strlen(b));
    if (*a == *b)
        return distance(a + 1, b + 1);
    unsigned best = least(distance(a + 1, b + 1), least(distance(a + 1, b), distance(a, b + 1)));
    if (a[1] && b[1] && a[0] == b[1] && a[1] == b[0])
        best = least(best, distance(a + 2, b + 2));
    return best + 1;
}

static void nearest_of_one(void **state)
{
    uint64_t seed = random_seed("nearest_of_one");

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char a[8], b[8];
        const char *candidates[] = {b};
        size_t la = 1 + (size_t)random_below(&seed, 7), lb = (size_t)random_below(&seed, 8);

        for (size_t k = 0; k < 8; k++) {
            a[k] = k < la ? (char)('a' + random_below(&seed, 3)) : '\0';
            b[k] = k < lb ? (char)('a' + random_below(&seed, 3)) : '\0';
        }
        unsigned limit = la < 6 ? 1 : 2;
        const char *near = rh_text_nearest(a, candidates, 1);
        if ((near != NULL) != (distance(a, b) <= limit))
            fail_msg("%s and %s", a, b);
    }
}

static void nearest_of_many(void **state)
{
    static const char *const keys[] = {"interval", "timeout", "turnaround", "unit",
                                       "baud",     "parity",  "device"};
    char word[200];

    (void)state;
    assert_string_equal(rh_text_nearest("intervall", keys, RH_COUNT(keys)), "interval");
    assert_string_equal(rh_text_nearest("intreval", keys, RH_COUNT(keys)), "interval");
    assert_string_equal(rh_text_nearest("buad", keys, RH_COUNT(keys)), "baud");
    assert_string_equal(rh_text_nearest("turn_around", keys, RH_COUNT(keys)), "turnaround");
    assert_string_equal(rh_text_nearest("unit", keys, RH_COUNT(keys)), "unit");
    assert_null(rh_text_nearest("colour", keys, RH_COUNT(keys)));
    assert_null(rh_text_nearest("interval", keys, 0));
    assert_string_equal(rh_text_nearest("ab", (const char *const[]){"abc", "aab"}, 2), "abc");
    memset(word, 'w', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_null(rh_text_nearest(word, keys, RH_COUNT(keys)));
    assert_null(rh_text_nearest("interval", (const char *const[]){word}, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_integers), cmocka_unit_test(unsigned_integers),
        cmocka_unit_test(doubles),         cmocka_unit_test(durations),
        cmocka_unit_test(sizes),           cmocka_unit_test(decimals),
        cmocka_unit_test(noise),           cmocka_unit_test(nearest_of_one),
        cmocka_unit_test(nearest_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
