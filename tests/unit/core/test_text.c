/* SPDX-License-Identifier: MIT */
/* The bounded builder, the shortest numbers, and UTF-8 against a decoder that computes code points. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/text.h"
#include "tests/unit/random.h"

#define BUDGET_US 1500000 /* of each random search */

/* --- the builder --- */

/* Puts the pieces of one message, each by another function. */
static void put_pieces(struct rh_text *text, uint64_t seed)
{
    for (int i = 0; i < 12; i++) {
        uint64_t kind = random_below(&seed, 6), value = random_next(&seed);

        if (kind == 0)
            rh_text_put(text, "abc");
        else if (kind == 1)
            rh_text_bytes(text, "0123456789", (size_t)(value % 11));
        else if (kind == 2)
            rh_text_char(text, '-');
        else if (kind == 3)
            rh_text_printf(text, "%s=%d", "key", (int)(value % 1000));
        else if (kind == 4)
            rh_text_int(text, (int64_t)value);
        else
            rh_text_json(text, "a\n\"\xFF", 4);
    }
}

/* Whatever the size of the buffer: a prefix of the whole text, and never a byte behind the end. */
static void cut_at_every_length(void **state)
{
    char whole[1024], buffer[1024];
    struct rh_text all, part;
    uint64_t seed = random_seed("cut_at_every_length");

    (void)state;
    for (int round = 0; round < 200; round++) {
        uint64_t message = random_next(&seed);

        rh_text_init(&all, whole, sizeof(whole));
        put_pieces(&all, message);
        assert_false(all.cut);
        assert_int_equal(strlen(whole), all.len);
        for (size_t cap = 1; cap <= all.len + 2; cap++) {
            memset(buffer, 0x5A, sizeof(buffer));
            rh_text_init(&part, buffer, cap);
            put_pieces(&part, message);
            size_t expected = all.len < cap ? all.len : cap - 1;
            assert_int_equal(part.len, expected);
            assert_int_equal(part.cut, all.len >= cap);
            assert_memory_equal(buffer, whole, expected);
            assert_int_equal(buffer[expected], '\0');
            assert_int_equal(buffer[cap], 0x5A);
        }
    }
}

static void integers(void **state)
{
    static const int64_t edges[] = {0, 1, -1, 9, 10, -10, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    uint64_t seed = random_seed("integers");
    char buffer[64], expected[64];
    struct rh_text text;

    (void)state;
    for (size_t i = 0; i < 200000; i++) {
        int64_t value =
            i < RH_COUNT(edges) ? edges[i] : (int64_t)(random_next(&seed) >> random_below(&seed, 64));
        rh_text_init(&text, buffer, sizeof(buffer));
        rh_text_int(&text, value);
        rh_text_char(&text, ' ');
        rh_text_uint(&text, (uint64_t)value);
        snprintf(expected, sizeof(expected), "%lld %llu", (long long)value, (unsigned long long)value);
        assert_string_equal(buffer, expected);
    }
}

/* --- shortest floating-point numbers --- */

static const char *double_text(double value)
{
    static char buffer[64];
    struct rh_text text;

    rh_text_init(&text, buffer, sizeof(buffer));
    rh_text_double(&text, value);
    assert_false(text.cut);
    return buffer;
}

static const char *float_text(float value)
{
    static char buffer[64];
    struct rh_text text;

    rh_text_init(&text, buffer, sizeof(buffer));
    rh_text_float(&text, value);
    assert_false(text.cut);
    return buffer;
}

/* Digits that count: without sign, point, exponent, leading and trailing zeros. */
static int digits_of(const char *text)
{
    int n = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

/* A number of JSON that no consumer takes for an integer. */
static bool is_json_real(const char *text)
{
    text += *text == '-';
    if (*text == '0' ? text[1] >= '0' && text[1] <= '9' : *text < '1' || *text > '9')
        return false;
    text += strspn(text, "0123456789");
    bool real = false;
    if (*text == '.') {
        size_t n = strspn(++text, "0123456789");
        if (n == 0)
            return false;
        text += n;
        real = true;
    }
    if (*text == 'e') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        size_t n = strspn(text, "0123456789");
        if (n == 0)
            return false;
        text += n;
        real = true;
    }
    return real && *text == '\0';
}

static void check_double(double value)
{
    const char *text = double_text(value);
    double back = strtod(text, NULL);
    char shorter[64];
    int exponent;

    if (memcmp(&back, &value, sizeof(value)) != 0 || !is_json_real(text))
        fail_msg("%a became %s", value, text);
    int n = digits_of(text);
    if (n < 2 || fabs(frexp(value, &exponent)) == 0.5)
        return; /* at a power of two the neighbours are not equally far: one digit more is allowed */
    snprintf(shorter, sizeof(shorter), "%.*e", n - 2, value);
    if (strtod(shorter, NULL) == value)
        fail_msg("%s is longer than %s", text, shorter);
}

static void check_float(float value)
{
    const char *text = float_text(value);
    float back = strtof(text, NULL);
    char shorter[64];
    int exponent;

    if (memcmp(&back, &value, sizeof(value)) != 0 || !is_json_real(text))
        fail_msg("%a became %s", (double)value, text);
    int n = digits_of(text);
    if (n < 2 || fabs(frexp((double)value, &exponent)) == 0.5)
        return;
    snprintf(shorter, sizeof(shorter), "%.*e", n - 2, (double)value);
    if (strtof(shorter, NULL) == value)
        fail_msg("%s is longer than %s", text, shorter);
}

static void known_numbers(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {230, "230.0"},
        {-5, "-5.0"},
        {231.4, "231.4"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1201.25, "1201.25"},
        {1e15, "1e+15"},
        {123456789012345, "123456789012345.0"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1e-7, "1e-07"},
        {9007199254740992, "9007199254740992.0"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_TRUE_MIN, "5e-324"},
        {-DBL_TRUE_MIN, "-5e-324"},
        {3 * DBL_TRUE_MIN, "1.5e-323"},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        assert_string_equal(double_text(rows[i].value), rows[i].text);
        check_double(rows[i].value);
    }
    assert_string_equal(float_text(0.1F), "0.1");
    assert_string_equal(float_text(231.4F), "231.4");
    assert_string_equal(float_text(16777216.0F), "16777216.0");
    assert_string_equal(float_text(FLT_TRUE_MIN), "1e-45");
    assert_string_equal(float_text(FLT_MAX), "3.4028235e+38");
    assert_string_equal(float_text(-0.0F), "-0.0");
}

/* Random bit patterns, half of them numbers that a sensor could say. */
static void random_doubles(void **state)
{
    uint64_t seed = random_seed("random_doubles"), n = 0;
    int64_t end_us = rh_mono_us() + BUDGET_US;

    (void)state;
    for (; n < 20000 || rh_mono_us() < end_us; n++) {
        uint64_t bits = random_next(&seed);
        double value;

        if (n % 4 == 0)
            bits &= UINT64_C(0x800FFFFFFFFFFFFF); /* below the normal numbers */
        memcpy(&value, &bits, sizeof(value));
        if (n % 4 == 1)
            value = (double)(int64_t)(bits % 2000000000) / 1000 - 1000000;
        if (isfinite(value))
            check_double(value);
    }
    for (int e = -1074; e < 1024; e++) {
        check_double(ldexp(1, e));
        check_double(nextafter(ldexp(1, e), 0));
        check_double(-nextafter(ldexp(1, e), INFINITY));
    }
    printf("%llu doubles\n", (unsigned long long)n);
}

static void random_floats(void **state)
{
    uint64_t seed = random_seed("random_floats"), n = 0;
    int64_t end_us = rh_mono_us() + BUDGET_US;

    (void)state;
    for (; n < 20000 || rh_mono_us() < end_us; n++) {
        uint32_t bits = (uint32_t)random_next(&seed);
        float value;

        if (n % 4 == 0)
            bits &= UINT32_C(0x807FFFFF);
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value))
            check_float(value);
    }
    for (int e = -149; e < 128; e++) {
        check_float(ldexpf(1, e));
        check_float(nextafterf(ldexpf(1, e), 0));
    }
    printf("%llu floats\n", (unsigned long long)n);
}

/* --- UTF-8 --- */

/* Length of a well-formed sequence at the start, by the number it stands for; 0 if there is none. */
static size_t decode(const unsigned char *s, size_t len)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : (s[0] >> 5) == 6 ? 2 : (s[0] >> 4) == 14 ? 3 : (s[0] >> 3) == 30 ? 4 : 0;

    if (n == 0 || n > len)
        return 0;
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7FU >> n);
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        code = code << 6 | (s[i] & 0x3F);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < least[n] || code > 0x10FFFF || surrogate ? 0 : n;
}

static size_t valid_prefix(const unsigned char *s, size_t len)
{
    size_t at = 0, n;

    while (at < len && (n = decode(s + at, len - at)) > 0)
        at += n;
    return at;
}

static void check_utf8(const unsigned char *s, size_t len)
{
    size_t got = rh_utf8_valid((const char *)s, len), expected = valid_prefix(s, len);

    if (got != expected)
        fail_msg("%02x %02x %02x %02x: %zu valid instead of %zu", s[0], s[1], s[2], s[3], got, expected);
}

/* Every sequence of up to three bytes, and every beginning of one of four. */
static void utf8_all_short_sequences(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x1000000; code += code < 0xC00000 ? 7 : 1) {
        const unsigned char s[4] = {(unsigned char)(code >> 16), (unsigned char)(code >> 8),
                                    (unsigned char)code, 0xBF};
        for (size_t len = 1; len <= (code >= 0xF00000 ? 4 : 3); len++)
            check_utf8(s, len);
    }
}

static void utf8_random_text(void **state)
{
    static const unsigned char often[] = {0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
                                          0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4,
                                          0xF5, 0xFF, 0x00, 'a',  0xE2, 0x82, 0xAC};
    uint64_t seed = random_seed("utf8_random_text");

    (void)state;
    for (int i = 0; i < 300000; i++) {
        unsigned char s[16];
        size_t len = 4 + (size_t)random_below(&seed, 13);

        for (size_t k = 0; k < sizeof(s); k++)
            s[k] = random_below(&seed, 5) ? often[random_below(&seed, sizeof(often))]
                                          : (unsigned char)random_next(&seed);
        check_utf8(s, len);
    }
    assert_int_equal(rh_utf8_valid("", 0), 0);
    assert_int_equal(rh_utf8_valid("a\0b", 3), 1);
}

static void json_strings(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } rows[] = {
        {"", 0, "\"\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1F\x7F!#", 5, "\"\\u0001\\u001f\\u007f!#\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC2\xB0"
         "C",
         3,
         "\"\xC2\xB0"
         "C\""},
        {"x\xFFy", 3, "\"x\xEF\xBF\xBDy\""},
        {"\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    char buffer[128];
    struct rh_text text;

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        rh_text_init(&text, buffer, sizeof(buffer));
        rh_text_json(&text, rows[i].bytes, rows[i].len);
        assert_string_equal(buffer, rows[i].text);
    }
}

static void names(void **state)
{
    char name[80];

    (void)state;
    assert_true(rh_name_valid("a"));
    assert_true(rh_name_valid("Boiler_2-north"));
    assert_false(rh_name_valid(""));
    assert_false(rh_name_valid("a b"));
    assert_false(rh_name_valid("a/b"));
    assert_false(rh_name_valid("a.b"));
    assert_false(rh_name_valid("k\xC3\xBChler"));
    for (int c = 1; c < 256; c++) {
        const char one[2] = {(char)c, '\0'};
        bool expected = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        c == '_' || c == '-';
        assert_int_equal(rh_name_valid(one), expected);
    }
    memset(name, 'n', sizeof(name));
    name[RH_NAME_MAX] = '\0';
    assert_true(rh_name_valid(name));
    name[RH_NAME_MAX] = 'n';
    name[RH_NAME_MAX + 1] = '\0';
    assert_false(rh_name_valid(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_length),
        cmocka_unit_test(integers),
        cmocka_unit_test(known_numbers),
        cmocka_unit_test(random_doubles),
        cmocka_unit_test(random_floats),
        cmocka_unit_test(utf8_all_short_sequences),
        cmocka_unit_test(utf8_random_text),
        cmocka_unit_test(json_strings),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
