/* SPDX-License-Identifier: MIT */
/* Registers to readings: examples of the Modbus specification and of devices' documents, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/modbus.h"

struct subject {
    struct rh_point point;
    struct rh_modbus_address address;
    struct rh_reading reading;
};

static struct subject subject(enum rh_type type)
{
    struct subject s = {.point = {.name = "p", .type = type, .scale = {1, 0}}};
    s.address.function = type == RH_TYPE_BIT ? RH_MODBUS_READ_COILS : RH_MODBUS_READ_HOLDING;
    s.address.type = type;
    s.address.length = rh_modbus_types[type].registers;
    return s;
}

static const struct rh_value *decode(struct subject *s, const void *bytes, size_t len)
{
    memset(&s->reading, 0xAA, sizeof s->reading);
    s->point.address = &s->address;
    size_t length = s->point.type == RH_TYPE_BIT ? len * 8 : len / 2;
    rh_modbus_decode(&s->point, bytes, 0, (uint16_t)length, &s->reading);
    return &s->reading.value;
}

#define DECODE(s, bytes) decode(s, bytes, sizeof(bytes) - 1)

static void expect_u64(struct subject *s, uint64_t expected)
{
    assert_int_equal(s->reading.quality, RH_GOOD);
    assert_int_equal(s->reading.value.kind, RH_VALUE_U64);
    assert_true(s->reading.value.u64 == expected);
}

static void expect_i64(struct subject *s, int64_t expected)
{
    assert_int_equal(s->reading.quality, RH_GOOD);
    assert_int_equal(s->reading.value.kind, RH_VALUE_I64);
    assert_true(s->reading.value.i64 == expected);
}

static void expect_real(struct subject *s, enum rh_value_kind kind, double expected)
{
    assert_int_equal(s->reading.quality, RH_GOOD);
    assert_int_equal(s->reading.value.kind, kind);
    if (s->reading.value.f64 != expected)
        fail_msg("%.17g instead of %.17g", s->reading.value.f64, expected);
}

static void expect_none(struct subject *s, enum rh_quality quality)
{
    assert_int_equal(s->reading.quality, quality);
    assert_int_equal(s->reading.value.kind, RH_VALUE_NONE);
}

static void expect_text(struct subject *s, const char *expected)
{
    assert_int_equal(s->reading.quality, RH_GOOD);
    assert_int_equal(s->reading.value.kind, RH_VALUE_TEXT);
    assert_int_equal(s->reading.value.text_len, strlen(expected));
    assert_string_equal(s->reading.value.text, expected);
}

/* MODBUS Application Protocol V1.1b3, 6.1: coils 20-38 are CD 6B 05; 27-20 ON-ON-OFF-OFF-ON-ON-OFF-ON. */
static void specification_coils(void **state)
{
    static const char coils[] = "\xCD\x6B\x05";
    static const int expected[] = {1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1};
    struct subject s = subject(RH_TYPE_BIT);
    (void)state;
    for (uint16_t i = 0; i < RH_COUNT(expected); i++) {
        s.address.address = (uint16_t)(19 + i);
        s.point.address = &s.address;
        rh_modbus_decode(&s.point, (const uint8_t *)coils, 19, 19, &s.reading);
        assert_int_equal(s.reading.quality, RH_GOOD);
        assert_int_equal(s.reading.value.kind, RH_VALUE_BOOL);
        assert_int_equal(s.reading.value.boolean, expected[i]);
    }
    s.address.address = 38;
    rh_modbus_decode(&s.point, (const uint8_t *)coils, 19, 19, &s.reading);
    expect_none(&s, RH_INVALID);
    s.address.address = 18;
    rh_modbus_decode(&s.point, (const uint8_t *)coils, 19, 19, &s.reading);
    expect_none(&s, RH_INVALID);
}

/* The same, 6.3: registers 108-110 are 02 2B 00 00 00 64, which is 555, 0 and 100. */
static void specification_registers(void **state)
{
    static const uint8_t registers[] = {0x02, 0x2B, 0x00, 0x00, 0x00, 0x64};
    static const uint64_t expected[] = {555, 0, 100};
    struct subject s = subject(RH_TYPE_U16);
    (void)state;
    s.point.address = &s.address;
    for (uint16_t i = 0; i < 3; i++) {
        s.address.address = (uint16_t)(107 + i);
        rh_modbus_decode(&s.point, registers, 107, 3, &s.reading);
        expect_u64(&s, expected[i]);
    }
}

/* Eastron SDM630: 43 66 33 34 is 230.2 V. */
static void eastron_float(void **state)
{
    struct subject s = subject(RH_TYPE_F32);
    (void)state;
    DECODE(&s, "\x43\x66\x33\x34");
    expect_real(&s, RH_VALUE_F32, 230.20001220703125);
}

/* PZEM-004T V3.0, its example answer: 220.0 V, 1.000 A, 220.0 W, 0 Wh, 50.0 Hz, 1.00; lower words first. */
static void pzem_low_words_first(void **state)
{
    static const char answer[] =
        "\x08\x98\x03\xE8\x00\x00\x08\x98\x00\x00\x00\x00\x00\x00\x01\xF4\x00\x64\x00\x00";
    static const struct {
        uint16_t address;
        enum rh_type type;
        int exponent;
        double expected;
    } points[] = {{0, RH_TYPE_U16, -1, 220.0}, {1, RH_TYPE_U32, -3, 1.0},  {3, RH_TYPE_U32, -1, 220.0},
                  {5, RH_TYPE_U32, -3, 0},     {7, RH_TYPE_U16, -1, 50.0}, {8, RH_TYPE_U16, -2, 1.0}};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(points); i++) {
        struct subject s = subject(points[i].type);
        s.address.address = points[i].address;
        s.address.swap_words = points[i].type == RH_TYPE_U32;
        s.point.scale.exponent = points[i].exponent;
        DECODE(&s, answer);
        expect_real(&s, RH_VALUE_F64, points[i].expected);
    }
}

static void orders_of_four_bytes(void **state)
{
    static const struct {
        const char *bytes;
        bool words, swapped;
    } orders[] = {{"\x12\x34\x56\x78", false, false},
                  {"\x56\x78\x12\x34", true, false},
                  {"\x34\x12\x78\x56", false, true},
                  {"\x78\x56\x34\x12", true, true}};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(orders); i++) {
        struct subject s = subject(RH_TYPE_U32);
        s.address.swap_words = orders[i].words;
        s.address.swap_bytes = orders[i].swapped;
        decode(&s, orders[i].bytes, 4);
        expect_u64(&s, 0x12345678);
    }
}

static void halves_of_a_register(void **state)
{
    struct subject s = subject(RH_TYPE_U8);
    (void)state;
    DECODE(&s, "\x81\x42");
    expect_u64(&s, 0x81);
    s.address.low_byte = true;
    DECODE(&s, "\x81\x42");
    expect_u64(&s, 0x42);
    s = subject(RH_TYPE_S8);
    DECODE(&s, "\x81\x42");
    expect_i64(&s, -127);
}

static void integers_of_odd_sizes(void **state)
{
    struct subject s = subject(RH_TYPE_U24);
    (void)state;
    DECODE(&s, "\x99\xFF\xFF\xFE");
    expect_u64(&s, 0xFFFFFE);
    s = subject(RH_TYPE_S24);
    DECODE(&s, "\x99\xFF\xFF\xFE");
    expect_i64(&s, -2);
    s = subject(RH_TYPE_U48);
    DECODE(&s, "\x01\x02\x03\x04\x05\x06");
    expect_u64(&s, 0x010203040506);
    s = subject(RH_TYPE_U64);
    DECODE(&s, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE");
    expect_u64(&s, UINT64_MAX - 1);
    s = subject(RH_TYPE_S64);
    DECODE(&s, "\x80\x00\x00\x00\x00\x00\x00\x00");
    expect_i64(&s, INT64_MIN);
}

static void binary_coded_decimals(void **state)
{
    struct subject s = subject(RH_TYPE_BCD16);
    (void)state;
    DECODE(&s, "\x12\x34");
    expect_u64(&s, 1234);
    DECODE(&s, "\x1A\x34");
    expect_none(&s, RH_INVALID);
    DECODE(&s, "\x12\xA4");
    expect_none(&s, RH_INVALID);
    s = subject(RH_TYPE_BCD32);
    s.address.swap_words = true;
    DECODE(&s, "\x56\x78\x12\x34");
    expect_u64(&s, 12345678);
    s.point.scale.exponent = -2;
    DECODE(&s, "\x56\x78\x12\x34");
    expect_real(&s, RH_VALUE_F64, 123456.78);
}

static void text_ends_and_trims(void **state)
{
    struct subject s = subject(RH_TYPE_STR);
    (void)state;
    s.address.length = 4;
    DECODE(&s, "SunSpec ");
    expect_text(&s, "SunSpec");
    DECODE(&s, "ab\0cdefg");
    expect_text(&s, "ab");
    DECODE(&s, "ab \xFF\xFF\xFF\xFF\xFF");
    expect_text(&s, "ab");
    DECODE(&s, " \xC2\xB0"
               "C    ");
    expect_text(&s, " \xC2\xB0"
                    "C");
    DECODE(&s, "23 \xB0"
               "C   "); /* Latin-1 */
    expect_none(&s, RH_INVALID);
    DECODE(&s, "\0\0\0\0\0\0\0\0");
    expect_text(&s, "");
    s.address.swap_bytes = true;
    DECODE(&s, "eWttre\0\0");
    expect_text(&s, "Wetter");
}

static void longest_texts_fit(void **state)
{
    char bytes[250];
    struct subject s = subject(RH_TYPE_STR);
    (void)state;
    memset(bytes, 'x', sizeof bytes);
    s.address.length = 125;
    decode(&s, bytes, sizeof bytes);
    assert_int_equal(s.reading.value.text_len, 250);
    s.point.type = RH_TYPE_HEX;
    s.address.length = 64;
    decode(&s, bytes, sizeof bytes);
    expect_none(&s, RH_INVALID);
    s.address.length = 63;
    decode(&s, bytes, sizeof bytes);
    assert_int_equal(s.reading.value.text_len, 252);
    s.address.length = 2;
    DECODE(&s, "\x00\xAB\xCD\xEF");
    expect_text(&s, "00abcdef");
}

static void sentinels_are_raw(void **state)
{
    static const uint64_t invalid[] = {0x8000, (uint64_t)-2};
    struct subject s = subject(RH_TYPE_S16);
    (void)state;
    s.address.invalid = invalid;
    s.address.n_invalid = RH_COUNT(invalid);
    s.point.scale.exponent = -1;
    DECODE(&s, "\x80\x00");
    expect_none(&s, RH_NA);
    DECODE(&s, "\xFF\xFE");
    expect_none(&s, RH_NA);
    DECODE(&s, "\x80\x01");
    expect_real(&s, RH_VALUE_F64, -3276.7);
    s.address.width = 4; /* the field alone would be 0 */
    DECODE(&s, "\x80\x00");
    expect_none(&s, RH_NA);
}

static void sentinels_of_sunspec(void **state)
{
    static const struct {
        enum rh_type type;
        const char *bytes;
    } none[] = {{RH_TYPE_S16, "\x80\x00"},
                {RH_TYPE_U16, "\xFF\xFF"},
                {RH_TYPE_S32, "\x80\x00\x00\x00"},
                {RH_TYPE_U32, "\xFF\xFF\xFF\xFF"},
                {RH_TYPE_S64, "\x80\x00\x00\x00\x00\x00\x00\x00"},
                {RH_TYPE_U64, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"},
                {RH_TYPE_F32, "\x7F\xC0\x00\x00"}};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(none); i++) {
        struct subject s = subject(none[i].type);
        s.address.invalid_sunspec = true;
        decode(&s, none[i].bytes, (size_t)2 * s.address.length);
        expect_none(&s, RH_NA);
        decode(&s, "\0\0\0\0\0\0\0\0", (size_t)2 * s.address.length);
        assert_int_equal(s.reading.quality, RH_GOOD);
    }
    struct subject s = subject(RH_TYPE_STR);
    s.address.invalid_sunspec = true;
    s.address.length = 2;
    DECODE(&s, "\0\0\0\0");
    expect_none(&s, RH_NA);
    DECODE(&s, "\0\0\0x");
    expect_text(&s, "");
}

static void fields_of_bits(void **state)
{
    struct subject s = subject(RH_TYPE_U16);
    (void)state;
    s.address.shift = 4;
    s.address.width = 8;
    DECODE(&s, "\xFA\xB5");
    expect_u64(&s, 0xAB);
    s = subject(RH_TYPE_S16);
    s.address.shift = 4;
    s.address.width = 8;
    DECODE(&s, "\xFA\xB5");
    expect_i64(&s, 0xAB - 256);
    s.address.shift = 15;
    s.address.width = 1;
    DECODE(&s, "\x80\x00");
    assert_int_equal(s.reading.value.kind, RH_VALUE_BOOL);
    assert_true(s.reading.value.boolean);
    DECODE(&s, "\x7F\xFF");
    assert_false(s.reading.value.boolean);
}

static void labelled_values_are_codes(void **state)
{
    static const struct rh_label labels[] = {{0, "off"}, {1, "on"}};
    struct subject s = subject(RH_TYPE_BIT);
    (void)state;
    s.point.labels = labels;
    s.point.n_labels = 2;
    DECODE(&s, "\x01");
    expect_i64(&s, 1);
    s = subject(RH_TYPE_S16);
    s.point.labels = labels;
    s.point.n_labels = 2;
    s.address.width = 1;
    DECODE(&s, "\x00\x01");
    expect_i64(&s, 1);
    s.address.width = 0;
    s.point.type = RH_TYPE_U16;
    DECODE(&s, "\x00\x02");
    expect_i64(&s, 2);
}

static void scale_registers(void **state)
{
    struct subject s = subject(RH_TYPE_S16);
    (void)state;
    s.address.has_scale_reg = true;
    s.address.scale_reg = 2;
    DECODE(&s, "\x09\x0A\x00\x00\xFF\xFF");
    expect_real(&s, RH_VALUE_F64, 231.4);
    DECODE(&s, "\x09\x0A\x00\x00\x00\x02");
    expect_i64(&s, 231400);
    DECODE(&s, "\x09\x0A\x00\x00\x80\x00");
    expect_none(&s, RH_NA);
    DECODE(&s, "\x09\x0A\x00\x00\x00\x0B");
    expect_none(&s, RH_INVALID);
    DECODE(&s, "\x09\x0A\x00\x00\xFF\xF5");
    expect_none(&s, RH_INVALID);
    DECODE(&s, "\x09\x0A\x00\x00\xFF\xF6");
    expect_real(&s, RH_VALUE_F64, 2314e-10);
    DECODE(&s, "\x09\x0A\x00\x00"); /* not in the answer */
    expect_none(&s, RH_INVALID);
}

static void short_answers_are_invalid(void **state)
{
    (void)state;
    for (int type = RH_TYPE_U8; type < RH_TYPE_STR; type++) {
        struct subject s = subject((enum rh_type)type);
        decode(&s, "\0\0\0\0\0\0", (size_t)2 * (s.address.length - 1U));
        expect_none(&s, RH_INVALID);
        s.address.address = 65535;
        decode(&s, "\0\0\0\0\0\0\0\0", 8);
        expect_none(&s, RH_INVALID);
    }
}

static void scaled_values_keep_their_kind(void **state)
{
    struct subject s = subject(RH_TYPE_U16);
    (void)state;
    s.point.scale = (struct rh_decimal){1, -1};
    DECODE(&s, "\x09\x06");
    expect_real(&s, RH_VALUE_F64, 231.0);
    s.point.scale = (struct rh_decimal){100, 0};
    DECODE(&s, "\x09\x06");
    expect_u64(&s, 231000);
    s.point.offset = -40;
    s.point.scale = (struct rh_decimal){1, 0};
    DECODE(&s, "\x00\x27");
    expect_i64(&s, -1);
    s = subject(RH_TYPE_U64);
    s.point.scale.exponent = 1;
    DECODE(&s, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    expect_real(&s, RH_VALUE_F64, 184467440737095516150.0);
    s = subject(RH_TYPE_S64);
    s.point.scale.mantissa = -1;
    DECODE(&s, "\x80\0\0\0\0\0\0\0"); /* 2^63 does not fit */
    expect_real(&s, RH_VALUE_F64, 0x1p63);
    s = subject(RH_TYPE_F32);
    s.point.scale.exponent = -1;
    DECODE(&s, "\x41\xBC\0\0"); /* 23.5 */
    expect_real(&s, RH_VALUE_F64, 2.35);
}

static void beyond_every_number_is_invalid(void **state)
{
    struct subject s = subject(RH_TYPE_F64);
    (void)state;
    s.point.scale.exponent = 1;
    DECODE(&s, "\x7F\xEF\xFF\xFF\xFF\xFF\xFF\xFF");
    expect_none(&s, RH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specification_coils),
        cmocka_unit_test(specification_registers),
        cmocka_unit_test(eastron_float),
        cmocka_unit_test(pzem_low_words_first),
        cmocka_unit_test(orders_of_four_bytes),
        cmocka_unit_test(halves_of_a_register),
        cmocka_unit_test(integers_of_odd_sizes),
        cmocka_unit_test(binary_coded_decimals),
        cmocka_unit_test(text_ends_and_trims),
        cmocka_unit_test(longest_texts_fit),
        cmocka_unit_test(sentinels_are_raw),
        cmocka_unit_test(sentinels_of_sunspec),
        cmocka_unit_test(fields_of_bits),
        cmocka_unit_test(labelled_values_are_codes),
        cmocka_unit_test(scale_registers),
        cmocka_unit_test(short_answers_are_invalid),
        cmocka_unit_test(scaled_values_keep_their_kind),
        cmocka_unit_test(beyond_every_number_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
