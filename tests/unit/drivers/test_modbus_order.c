/* SPDX-License-Identifier: MIT */
/* Every integer and float type in every order: encoded as the drawing in modbus_value.c says, decoded,
 * the same. Random, with a printed seed; a seed as argument repeats a run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/modbus.h"

static uint64_t seed;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Value bytes, most significant first, then bytes swapped, then words reversed. */
static void encode(const struct rh_modbus_address *address, uint64_t raw, uint8_t *bytes)
{
    for (size_t i = 0; i < address->length; i++) {
        uint16_t word = (uint16_t)(raw >> 16 * (address->length - 1U - i));
        size_t at = address->swap_words ? address->length - 1U - i : i;
        bytes[2 * at + (address->swap_bytes ? 1 : 0)] = (uint8_t)(word >> 8);
        bytes[2 * at + (address->swap_bytes ? 0 : 1)] = (uint8_t)word;
    }
}

/* Puts the value at a random place of an answer full of other bytes, and decodes it. */
static void there_and_back(enum rh_type type, unsigned order, uint64_t raw, struct rh_reading *ret_reading)
{
    uint8_t answer[40];
    uint16_t first = (uint16_t)(draw() % 60000), gap = (uint16_t)(draw() % 16);
    struct rh_modbus_address address = {.function = RH_MODBUS_READ_INPUT,
                                        .type = type,
                                        .address = (uint16_t)(first + gap),
                                        .length = rh_modbus_types[type].registers,
                                        .swap_words = (order & 1) != 0,
                                        .swap_bytes = (order & 2) != 0,
                                        .low_byte = true};
    struct rh_point point = {.type = type, .scale = {1, 0}, .address = &address};
    for (size_t i = 0; i < sizeof answer; i++)
        answer[i] = (uint8_t)draw();
    encode(&address, raw, answer + (size_t)2 * gap);
    rh_modbus_decode(&point, answer, first, sizeof answer / 2, ret_reading);
}

static void check_integer(enum rh_type type, unsigned order)
{
    const struct rh_modbus_type *info = &rh_modbus_types[type];
    uint64_t raw = draw() >> (64 - info->bits);
    struct rh_reading reading;
    there_and_back(type, order, raw, &reading);
    bool is_signed = info->kind == RH_MODBUS_SIGNED;
    uint64_t expected =
        is_signed && raw >> (info->bits - 1) ? raw - (UINT64_C(1) << (info->bits - 1)) * 2 : raw;
    assert_int_equal(reading.quality, RH_GOOD);
    assert_int_equal(reading.value.kind, is_signed ? RH_VALUE_I64 : RH_VALUE_U64);
    assert_true(reading.value.u64 == expected);
}

static void integers(void **state)
{
    (void)state;
    for (int type = RH_TYPE_U8; type <= RH_TYPE_S64; type++)
        for (unsigned order = 0; order < 4; order++)
            for (int i = 0; i < 1000; i++)
                check_integer((enum rh_type)type, order);
}

static double number_of(enum rh_type type, uint64_t raw)
{
    uint32_t low = (uint32_t)raw;
    float single;
    double number;
    memcpy(&single, &low, sizeof single);
    memcpy(&number, &raw, sizeof number);
    return type == RH_TYPE_F32 ? (double)single : number;
}

static void check_float(enum rh_type type, unsigned order)
{
    uint64_t raw = draw();
    double expected = number_of(type, raw);
    struct rh_reading reading;
    there_and_back(type, order, raw, &reading);
    assert_int_equal(reading.quality, isfinite(expected) ? RH_GOOD : RH_NA);
    if (!isfinite(expected))
        return;
    assert_int_equal(reading.value.kind, type == RH_TYPE_F32 ? RH_VALUE_F32 : RH_VALUE_F64);
    assert_memory_equal(&reading.value.f64, &expected, sizeof expected);
}

static void floats(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 4; order++)
        for (int i = 0; i < 4000; i++)
            check_float(i % 2 ? RH_TYPE_F32 : RH_TYPE_F64, order);
}

static void half_floats(void **state)
{
    static const struct {
        uint64_t bits;
        double expected;
    } halves[] = {{0x3C00, 1},       {0xC000, -2},      {0x3555, 0x1.554p-2}, {0x7BFF, 65504},
                  {0x0001, 0x1p-24}, {0x0400, 0x1p-14}, {0x8000, -0.0},       {0x03FF, 0x3FFp-24}};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(halves); i++) {
        struct rh_reading reading;
        there_and_back(RH_TYPE_F16, (unsigned)i % 4, halves[i].bits, &reading);
        assert_int_equal(reading.value.kind, RH_VALUE_F32);
        assert_memory_equal(&reading.value.f64, &halves[i].expected, sizeof(double));
    }
}

static void no_number_is_no_value(void **state)
{
    static const struct {
        enum rh_type type;
        uint64_t bits;
    } none[] = {{RH_TYPE_F16, 0x7C00},
                {RH_TYPE_F16, 0xFE00},
                {RH_TYPE_F32, 0x7FC00000},
                {RH_TYPE_F32, 0xFF800000},
                {RH_TYPE_F32, 0x7F800001},
                {RH_TYPE_F64, 0x7FF0000000000000},
                {RH_TYPE_F64, 0xFFF8000000000000}};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(none); i++) {
        struct rh_reading reading;
        there_and_back(none[i].type, (unsigned)i % 4, none[i].bits, &reading);
        assert_int_equal(reading.quality, RH_NA);
        assert_int_equal(reading.value.kind, RH_VALUE_NONE);
    }
}

static uint64_t to_bcd(uint64_t number)
{
    uint64_t bcd = 0;
    for (unsigned shift = 0; number > 0; shift += 4, number /= 10)
        bcd |= number % 10 << shift;
    return bcd;
}

static void binary_coded_decimals(void **state)
{
    static const uint64_t limits[] = {10000, 100000000, 10000000000000000};
    (void)state;
    for (int i = 0; i < 12000; i++) {
        struct rh_reading reading;
        uint64_t number = draw() % limits[i % 3];
        there_and_back((enum rh_type)(RH_TYPE_BCD16 + i % 3), (unsigned)draw() & 3, to_bcd(number), &reading);
        assert_int_equal(reading.value.kind, RH_VALUE_U64);
        assert_true(reading.value.u64 == number);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(floats),
        cmocka_unit_test(half_floats),
        cmocka_unit_test(no_number_is_no_value),
        cmocka_unit_test(binary_coded_decimals),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
