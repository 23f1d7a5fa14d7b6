/* SPDX-License-Identifier: MIT */
/* Values to registers: known bytes, what is refused and how, and that everything encoded decodes again. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/modbus.h"
#include "drivers/scale.h"

#define DATA (2 * RH_MODBUS_MAX_WRITE)

static uint64_t seed;
static struct rh_modbus_address address;
static struct rh_point point;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void set_point(enum rh_type type, const char *order, const char *scale, double offset)
{
    const struct rh_modbus_type *traits = &rh_modbus_types[type];
    bool bit = traits->kind == RH_MODBUS_BIT;
    address = (struct rh_modbus_address){.function = bit ? RH_MODBUS_READ_COILS : RH_MODBUS_READ_HOLDING,
                                         .type = type,
                                         .address = 40,
                                         .length = traits->registers ? traits->registers : 3,
                                         .swap_words = strcmp(order, "CDAB") == 0 || order[0] == 'D',
                                         .swap_bytes = strcmp(order, "BADC") == 0 || order[0] == 'D'};
    point = (struct rh_point){.name = "p", .type = type, .offset = offset, .address = &address};
    assert_int_equal(rh_parse_decimal(scale, &point.scale), 0);
}

static struct rh_value integer(int64_t value)
{
    return (struct rh_value){.kind = RH_VALUE_I64, .i64 = value};
}

static struct rh_value real(double value)
{
    return (struct rh_value){.kind = RH_VALUE_F64, .f64 = value};
}

static struct rh_value text(const char *value)
{
    struct rh_value made = {.kind = RH_VALUE_TEXT, .text_len = (uint8_t)strlen(value)};
    memcpy(made.text, value, strlen(value) + 1);
    return made;
}

static void expect(struct rh_value value, const char *hex)
{
    uint8_t data[DATA];
    char got[2 * DATA + 1] = "";
    int error = rh_modbus_encode(&point, &value, data);
    if (error)
        fail_msg("%s: refused (%s) instead of %s", rh_type_name(point.type), strerror(-error), hex);
    size_t n = point.type == RH_TYPE_BIT ? 1 : 2 * (size_t)address.length;
    for (size_t i = 0; i < n; i++)
        snprintf(got + 2 * i, 3, "%02x", data[i]);
    assert_string_equal(got, hex);
    assert_int_equal(rh_modbus_check(&point, &value), 0);
}

static void refuse(struct rh_value value, int error)
{
    int got = rh_modbus_check(&point, &value);
    if (got != error)
        fail_msg("%s: %d instead of %d", rh_type_name(point.type), got, error);
}

/* ---- rows ---- */

static const struct {
    enum rh_type type;
    const char *order, *scale;
    double offset, value;
    const char *hex; /* NULL: out of range */
} integer_rows[] = {
    {RH_TYPE_U16, "ABCD", "1", 0, 65535, "ffff"},
    {RH_TYPE_U16, "ABCD", "1", 0, 65536, NULL},
    {RH_TYPE_U16, "ABCD", "1", 0, -1, NULL},
    {RH_TYPE_U16, "ABCD", "1", 0, -0.5, NULL},
    {RH_TYPE_U16, "ABCD", "1", 0, -0.49, "0000"},
    {RH_TYPE_U16, "ABCD", "1", 0, 65535.4, "ffff"},
    {RH_TYPE_U16, "ABCD", "1", 0, 65535.5, NULL},
    {RH_TYPE_U16, "BADC", "1", 0, 0x1234, "3412"},
    {RH_TYPE_U16, "ABCD", "0.1", 0, 23.1, "00e7"}, /* 23.1 / 0.1 is 231.00000000000003 */
    {RH_TYPE_U16, "ABCD", "0.1", 0, 0.3, "0003"},  /* and 0.3 / 0.1 is 2.9999999999999996 */
    {RH_TYPE_U16, "ABCD", "0.1", 0, 0.25, "0003"}, /* a half, away from zero */
    {RH_TYPE_S16, "ABCD", "0.1", 0, -0.25, "fffd"},
    {RH_TYPE_U16, "ABCD", "0.1", -40, 25.1, "028b"},
    {RH_TYPE_U16, "ABCD", "0.1", -40, -40, "0000"},
    {RH_TYPE_U16, "ABCD", "0.1", -40, -40.1, NULL},
    {RH_TYPE_U16, "ABCD", "0.01", -273.15, 23.4, "73d7"},
    {RH_TYPE_U16, "ABCD", "25", 0, 100, "0004"},
    {RH_TYPE_S16, "ABCD", "-0.5", 1, 2, "fffe"},
    {RH_TYPE_U16, "ABCD", "1e-30", 0, 5e-30, "0005"},
    {RH_TYPE_U16, "ABCD", "1e20", 0, 3e20, "0003"},
    {RH_TYPE_U16, "ABCD", "1e-3", 1e20, 1e20, "0000"},
    {RH_TYPE_U16, "ABCD", "1", 0, 1e300, NULL},
    {RH_TYPE_U16, "ABCD", "1", 0, 1e-300, "0000"},
    {RH_TYPE_S16, "ABCD", "1", 0, -32768, "8000"},
    {RH_TYPE_S16, "ABCD", "1", 0, -32769, NULL},
    {RH_TYPE_S16, "ABCD", "1", 0, 32768, NULL},
    {RH_TYPE_U24, "ABCD", "1", 0, 0x123456, "00123456"},
    {RH_TYPE_U24, "CDAB", "1", 0, 0x1000000, NULL},
    {RH_TYPE_S24, "ABCD", "1", 0, -2, "fffffffe"},
    {RH_TYPE_S24, "ABCD", "1", 0, -8388609, NULL},
    {RH_TYPE_U32, "ABCD", "1", 0, 0x12345678, "12345678"},
    {RH_TYPE_U32, "CDAB", "1", 0, 0x12345678, "56781234"},
    {RH_TYPE_U32, "BADC", "1", 0, 0x12345678, "34127856"},
    {RH_TYPE_U32, "DCBA", "1", 0, 0x12345678, "78563412"},
    {RH_TYPE_U32, "ABCD", "1", 0, 4294967296.0, NULL},
    {RH_TYPE_S32, "CDAB", "1", 0, -2147483648.0, "00008000"},
    {RH_TYPE_U48, "CDAB", "1", 0, 0x123456789ABC, "9abc56781234"},
    {RH_TYPE_U48, "ABCD", "1", 0, 0x1p48, NULL},
    {RH_TYPE_S64, "DCBA", "1", 0, -2, "feffffffffffffff"},
    {RH_TYPE_S64, "ABCD", "1", 0, 0x1p63, NULL},
    {RH_TYPE_U64, "ABCD", "1", 0, 0x1p64, NULL},
    {RH_TYPE_BCD16, "ABCD", "0.1", 0, 123.4, "1234"},
    {RH_TYPE_BCD16, "ABCD", "1", 0, 10000, NULL},
    {RH_TYPE_BCD16, "ABCD", "1", 0, -1, NULL},
    {RH_TYPE_BCD32, "CDAB", "1", 0, 12345678, "56781234"},
    {RH_TYPE_BCD64, "ABCD", "1", 0, 1234567890123456, "1234567890123456"},
    {RH_TYPE_BCD64, "ABCD", "1", 0, 1e16, NULL},
};

static void integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(integer_rows); i++) {
        set_point(integer_rows[i].type, integer_rows[i].order, integer_rows[i].scale, integer_rows[i].offset);
        if (integer_rows[i].hex)
            expect(real(integer_rows[i].value), integer_rows[i].hex);
        else
            refuse(real(integer_rows[i].value), -ERANGE);
    }
}

static void sixty_four_bits(void **state)
{
    (void)state;
    set_point(RH_TYPE_U64, "ABCD", "1", 0);
    expect((struct rh_value){.kind = RH_VALUE_U64, .u64 = UINT64_MAX}, "ffffffffffffffff");
    expect((struct rh_value){.kind = RH_VALUE_U64, .u64 = UINT64_MAX - 2}, "fffffffffffffffd");
    refuse(integer(-1), -ERANGE);
    set_point(RH_TYPE_S64, "ABCD", "1", 0);
    expect(integer(INT64_MIN), "8000000000000000");
    expect(integer(INT64_MAX), "7fffffffffffffff");
    refuse((struct rh_value){.kind = RH_VALUE_U64, .u64 = (uint64_t)INT64_MAX + 1}, -ERANGE);
    set_point(RH_TYPE_U64, "ABCD", "2", 1);
    expect((struct rh_value){.kind = RH_VALUE_U64, .u64 = UINT64_MAX}, "7fffffffffffffff");
}

static void floats(void **state)
{
    (void)state;
    set_point(RH_TYPE_F32, "ABCD", "1", 0);
    expect(real(42.1), "42286666");
    expect(integer(16777217), "4b800000"); /* ties to even */
    expect(real(-0.0), "80000000");
    refuse(real(3.5e38), -ERANGE);
    refuse(real((double)NAN), -EINVAL);
    refuse(real((double)INFINITY), -EINVAL);
    set_point(RH_TYPE_F32, "CDAB", "0.1", 0);
    expect(real(2.35), "000041bc"); /* 23.5 */
    set_point(RH_TYPE_F64, "ABCD", "0.1", 0);
    expect(real(0.3), "4008000000000000"); /* 3 */
    set_point(RH_TYPE_F64, "ABCD", "1", 0);
    expect(real(0.1), "3fb999999999999a");
    expect(real(1e-320), "00000000000007e8");
    expect(integer(-3), "c008000000000000");
    set_point(RH_TYPE_F16, "ABCD", "1", 0);
    expect(real(1), "3c00");
    expect(real(-2), "c000");
    expect(real(65504), "7bff");
    expect(real(65519.9), "7bff");
    refuse(real(65520), -ERANGE);
    refuse(real(1e9), -ERANGE);
    expect(real(0x1p-24), "0001");
    expect(real(0x1p-25), "0000");
    expect(real(0x1.8p-25), "0001");
    expect(real(0x1.ff8p-15), "03ff");
    expect(real(0x1.ffcp-15), "0400"); /* up to the smallest normal one */
    expect(real(1 + 0x1p-11), "3c00");
    expect(real(1 + 0x3p-11), "3c02");
    expect(real(0x1.fffp0), "4000");
}

static void bits(void **state)
{
    (void)state;
    set_point(RH_TYPE_BIT, "ABCD", "1", 0);
    expect((struct rh_value){.kind = RH_VALUE_BOOL, .boolean = true}, "01");
    expect((struct rh_value){.kind = RH_VALUE_BOOL, .boolean = false}, "00");
    expect(integer(1), "01");
    expect(real(0), "00");
    refuse(integer(2), -ERANGE);
    refuse(integer(-1), -ERANGE);
    refuse(text("on"), -EINVAL);
    refuse((struct rh_value){0}, -EINVAL);
    set_point(RH_TYPE_U16, "ABCD", "1", 0);
    refuse((struct rh_value){.kind = RH_VALUE_BOOL, .boolean = true}, -EINVAL);
    refuse(text("1"), -EINVAL);
    refuse((struct rh_value){0}, -EINVAL);
}

static void texts(void **state)
{
    (void)state;
    set_point(RH_TYPE_STR, "ABCD", "1", 0);
    expect(text("abcdef"), "616263646566");
    expect(text("abc"), "616263000000");
    expect(text(""), "000000000000");
    refuse(text("abcdefg"), -ERANGE);
    refuse(integer(1), -EINVAL);
    struct rh_value cut = text("abc");
    cut.text[1] = '\0';
    refuse(cut, -ERANGE);
    set_point(RH_TYPE_STR, "BADC", "1", 0);
    expect(text("abc"), "626100630000");
    set_point(RH_TYPE_STR, "CDAB", "1", 0);
    expect(text("abcdef"), "656663646162");
    set_point(RH_TYPE_HEX, "ABCD", "1", 0);
    expect(text("0123456789Ab"), "0123456789ab");
    refuse(text("0123456789a"), -ERANGE);
    refuse(text("0123456789abcd"), -ERANGE);
    refuse(text("0123456789ag"), -EINVAL);
}

/* What would read back as "no value" is not written. */
static void sentinels(void **state)
{
    static const uint64_t invalid[] = {0x7FFF};
    (void)state;
    set_point(RH_TYPE_S16, "ABCD", "0.1", 0);
    address.invalid = invalid;
    address.n_invalid = 1;
    refuse(real(3276.7), -ERANGE);
    expect(real(3276.6), "7ffe");
    set_point(RH_TYPE_U32, "ABCD", "1", 0);
    address.invalid_sunspec = true;
    refuse(integer(UINT32_MAX), -ERANGE);
}

static void never_written(void **state)
{
    (void)state;
    set_point(RH_TYPE_U16, "ABCD", "1", 0);
    address.function = RH_MODBUS_READ_INPUT;
    refuse(integer(1), -EROFS);
    set_point(RH_TYPE_BIT, "ABCD", "1", 0);
    address.function = RH_MODBUS_READ_DISCRETE;
    refuse(integer(1), -EROFS);
    set_point(RH_TYPE_U16, "ABCD", "1", 0);
    address.width = 3;
    refuse(integer(1), -EROFS);
    set_point(RH_TYPE_U16, "ABCD", "1", 0);
    address.has_scale_reg = true;
    refuse(integer(1), -EROFS);
    static const enum rh_type types[] = {RH_TYPE_U8, RH_TYPE_S8, RH_TYPE_TIME32, RH_TYPE_DATETIME};
    for (size_t i = 0; i < RH_COUNT(types); i++) {
        set_point(types[i], "ABCD", "1", 0);
        refuse(integer(1), -EROFS);
    }
    set_point(RH_TYPE_STR, "ABCD", "1", 0);
    address.length = RH_MODBUS_MAX_WRITE + 1;
    refuse(text("a"), -EROFS);
}

static void points_that_overlap(void **state)
{
    static const struct {
        uint8_t function_a, function_b;
        uint16_t a, length_a, b, length_b;
        bool overlap;
    } rows[] = {
        {3, 3, 3, 1, 3, 1, true},  {3, 3, 3, 1, 4, 1, false},        {3, 3, 3, 2, 4, 1, true},
        {3, 3, 3, 2, 5, 1, false}, {3, 1, 3, 1, 3, 1, false},        {1, 1, 3, 1, 3, 1, true},
        {1, 1, 3, 1, 4, 1, false}, {3, 3, 65534, 2, 65535, 1, true}, {3, 3, 7, 4, 5, 3, true},
    };
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        const struct rh_modbus_address left = {
            .function = rows[i].function_a, .address = rows[i].a, .length = rows[i].length_a};
        const struct rh_modbus_address right = {
            .function = rows[i].function_b, .address = rows[i].b, .length = rows[i].length_b};
        const struct rh_point a = {.address = &left}, b = {.address = &right};
        assert_int_equal(rh_modbus_overlaps(&a, &b), rows[i].overlap);
        assert_int_equal(rh_modbus_overlaps(&b, &a), rows[i].overlap);
    }
}

/* ---- properties ---- */

static const char *const orders[] = {"ABCD", "CDAB", "BADC", "DCBA"};
static const struct {
    const char *scale;
    double offset;
} scales[] = {{"1", 0},     {"0.1", 0},  {"0.01", -273.15}, {"25", 0},   {"0.001", 1.5},
              {"-0.1", 40}, {"1e3", -7}, {"0.3", 0},        {"1e-9", 0}, {"7e-3", -0.125}};

/* Any raw bytes, most significant first; with a scale at most 44 bits of them, whose values a double tells
 * apart. */
static void draw_raw(const struct rh_modbus_type *traits, bool plain, uint8_t *ret_raw)
{
    unsigned used = plain || traits->bits < 48 ? traits->bits : 44;
    uint64_t drawn = draw() >> draw() % 64 & (UINT64_MAX >> (64 - used));
    if (traits->kind == RH_MODBUS_SIGNED && drawn >> (traits->bits - 1))
        drawn |= UINT64_MAX << (traits->bits - 1);
    for (size_t i = 2 * (size_t)traits->registers; i-- > 0; drawn >>= 8)
        ret_raw[i] =
            traits->kind == RH_MODBUS_BCD ? (uint8_t)(drawn % 10 << 4 | drawn / 16 % 10) : (uint8_t)drawn;
}

/* As the device has them. */
static void to_wire(const uint8_t *raw, size_t n, uint8_t *ret_wire)
{
    for (size_t i = 0; i < n; i++) {
        size_t word = i / 2 * 2;
        ret_wire[(address.swap_words ? n - 2 - word : word) + (i % 2 ^ address.swap_bytes)] = raw[i];
    }
}

/* Raw bytes of a value, decoded and encoded, are the same bytes. */
static void round_trip(enum rh_type type, const char *order, const char *scale, double offset)
{
    const struct rh_modbus_type *traits = &rh_modbus_types[type];
    bool plain = strcmp(scale, "1") == 0 && offset == 0;
    uint8_t raw[8] = {0}, wire[8] = {0}, data[DATA];
    struct rh_reading reading = {0};
    size_t n = 2 * (size_t)traits->registers;
    set_point(type, order, scale, offset);
    draw_raw(traits, plain, raw);
    if (type == RH_TYPE_F16 && !plain && raw[0] == 0x80 && raw[1] == 0)
        return; /* -0 scaled is 0 */
    to_wire(raw, n, wire);
    rh_modbus_decode(&point, wire, 40, address.length, &reading);
    if (reading.quality != RH_GOOD)
        return; /* NaN and infinity */
    int error = rh_modbus_encode(&point, &reading.value, data);
    if (error || memcmp(data, wire, n) != 0)
        fail_msg("%s %s scale %s offset %g: %d", rh_type_name(type), order, scale, offset, error);
}

static void raw_round_trips(void **state)
{
    static const enum rh_type types[] = {
        RH_TYPE_U16, RH_TYPE_S16,   RH_TYPE_U24,   RH_TYPE_S24,   RH_TYPE_U32, RH_TYPE_S32, RH_TYPE_U48,
        RH_TYPE_U64, RH_TYPE_BCD16, RH_TYPE_BCD32, RH_TYPE_BCD64, RH_TYPE_S64, RH_TYPE_F16,
    };
    (void)state;
    for (size_t t = 0; t < RH_COUNT(types); t++)
        for (size_t o = 0; o < RH_COUNT(orders); o++)
            for (size_t s = 0; s < RH_COUNT(scales); s++)
                for (int i = 0; i < 200; i++)
                    round_trip(types[t], orders[o], scales[s].scale, scales[s].offset);
    for (size_t o = 0; o < RH_COUNT(orders); o++)
        for (int i = 0; i < 1000; i++) {
            round_trip(RH_TYPE_F32, orders[o], "1", 0);
            round_trip(RH_TYPE_F64, orders[o], "1", 0);
        }
}

/* A decimal of few digits, written and read, is the same decimal. */
static void value_round_trips(void **state)
{
    static const enum rh_type types[] = {RH_TYPE_S32, RH_TYPE_S64, RH_TYPE_F32, RH_TYPE_F64};
    (void)state;
    for (size_t t = 0; t < RH_COUNT(types); t++)
        for (int i = 0; i < 5000; i++) {
            int places = (int)(draw() % 4);
            char number[32], factor[8];
            snprintf(number, sizeof number, "%lde-%d", (long)(draw() % 1999999) - 999999, places);
            snprintf(factor, sizeof factor, "1e-%d", places);
            set_point(types[t], orders[draw() % 4], factor, 0);
            struct rh_value value = real(strtod(number, NULL));
            struct rh_reading reading = {0};
            uint8_t data[DATA];
            double found;
            assert_int_equal(rh_modbus_encode(&point, &value, data), 0);
            rh_modbus_decode(&point, data, 40, address.length, &reading);
            assert_true(rh_value_number(&reading.value, &found));
            if (found != value.f64)
                fail_msg("%s %s: %s is read as %.17g", rh_type_name(types[t]), factor, number, found);
        }
}

static void text_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        static const char letters[] = "abc XYZ089.-";
        char string[8] = "";
        size_t len = draw() % 7;
        for (size_t k = 0; k < len; k++)
            string[k] = letters[draw() % (k + 1 == len ? 3 : 12)];
        struct rh_value value = text(string);
        struct rh_reading reading = {0};
        uint8_t data[DATA];
        set_point(RH_TYPE_STR, orders[draw() % 4], "1", 0);
        assert_int_equal(rh_modbus_encode(&point, &value, data), 0);
        rh_modbus_decode(&point, data, 40, 3, &reading);
        assert_string_equal(reading.value.text, string);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(sixty_four_bits),
        cmocka_unit_test(floats),
        cmocka_unit_test(bits),
        cmocka_unit_test(texts),
        cmocka_unit_test(sentinels),
        cmocka_unit_test(never_written),
        cmocka_unit_test(points_that_overlap),
        cmocka_unit_test(raw_round_trips),
        cmocka_unit_test(value_round_trips),
        cmocka_unit_test(text_round_trips),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
