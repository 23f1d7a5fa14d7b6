/* SPDX-License-Identifier: MIT */
/* Readings cut to the bytes in use, packed one behind the other, and compared. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/reading.h"
#include "tests/unit/random.h"

static struct rh_value text_value(const char *bytes, size_t len)
{
    struct rh_value value = {.kind = RH_VALUE_TEXT, .text_len = (uint8_t)len};

    memcpy(value.text, bytes, len);
    value.text[len] = '\0';
    return value;
}

static struct rh_reading random_reading(uint64_t *seed)
{
    struct rh_reading reading = {.point = (uint32_t)random_next(seed),
                                 .quality = (uint8_t)random_below(seed, RH_UNSUPPORTED + 1),
                                 .detail = (uint8_t)random_next(seed),
                                 .wall_ms = (int64_t)random_next(seed),
                                 .mono_us = (int64_t)random_next(seed)};
    char bytes[RH_TEXT_MAX];

    reading.value.kind = (uint8_t)random_below(seed, RH_VALUE_TEXT + 1);
    if (reading.value.kind == RH_VALUE_TEXT) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)('a' + random_below(seed, 26));
        reading.value = text_value(bytes, (size_t)random_below(seed, sizeof(bytes) + 1));
    } else if (reading.value.kind == RH_VALUE_BOOL) {
        reading.value.boolean = random_below(seed, 2);
    } else {
        reading.value.u64 = random_next(seed) >> 12 | UINT64_C(0x4000000000000000);
    }
    return reading;
}

static void same(const struct rh_reading *a, const struct rh_reading *b)
{
    assert_int_equal(a->point, b->point);
    assert_int_equal(a->quality, b->quality);
    assert_int_equal(a->detail, b->detail);
    assert_int_equal(a->urgent, b->urgent);
    assert_int_equal(a->wall_ms, b->wall_ms);
    assert_int_equal(a->mono_us, b->mono_us);
    assert_true(rh_value_equal(&a->value, &b->value));
    if (a->value.kind == RH_VALUE_TEXT)
        assert_string_equal(a->value.text, b->value.text);
}

static void sizes(void **state)
{
    struct rh_reading reading = {.value = {.kind = RH_VALUE_F64}};
    size_t number = rh_reading_size(&reading);

    (void)state;
    assert_true(number <= 40);
    for (size_t len = 0; len <= RH_TEXT_MAX; len++) {
        reading.value = (struct rh_value){.kind = RH_VALUE_TEXT, .text_len = (uint8_t)len};
        size_t size = rh_reading_size(&reading);
        assert_int_equal(size % 8, 0);
        assert_true(size >= offsetof(struct rh_reading, value.text) + len + 1 && size <= sizeof(reading));
    }
}

static void packed_and_back(void **state)
{
    static uint64_t block[512];
    static struct rh_reading kept[200];
    uint64_t seed = random_seed("packed_and_back");

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct rh_packed packed = {.at = (unsigned char *)block,
                                   .cap = 8 + 8 * (size_t)random_below(&seed, 511)};
        struct rh_reading reading;
        size_t n = 0, offset = 0;

        memset(block, 0xA5, sizeof(block));
        for (int tries = 0; tries < 150; tries++) {
            reading = random_reading(&seed);
            size_t room = packed.cap - packed.bytes;
            bool taken = rh_packed_add(&packed, &reading);
            assert_int_equal(taken, rh_reading_size(&reading) <= room);
            if (taken)
                kept[n++] = reading;
            assert_int_equal(packed.n, n);
        }
        if (packed.cap < sizeof(block))
            assert_true(block[packed.cap / 8] == UINT64_C(0xA5A5A5A5A5A5A5A5));
        for (size_t i = 0; i < n; i++) {
            memset(&reading, 0xFF, sizeof(reading));
            assert_true(rh_packed_next(&packed, &offset, &reading));
            same(&reading, &kept[i]);
        }
        assert_false(rh_packed_next(&packed, &offset, &reading));
        assert_int_equal(offset, packed.bytes);
    }
}

static void quality_names(void **state)
{
    static const char *const names[] = {"good", "uncertain",   "stale",   "na",      "timeout",
                                        "crc",  "exception-2", "invalid", "offline", "unsupported"};
    char buffer[16];

    (void)state;
    for (size_t q = 0; q < RH_COUNT(names); q++) {
        const struct rh_reading reading = {.quality = (uint8_t)q, .detail = 2};
        assert_string_equal(rh_quality_name(&reading, buffer), names[q]);
    }
    assert_string_equal(rh_quality_name(&(struct rh_reading){.quality = RH_EXCEPTION, .detail = 255}, buffer),
                        "exception-255");
}

static void values_compared(void **state)
{
    const struct rh_value big = {.kind = RH_VALUE_U64, .u64 = UINT64_C(9007199254740993)};
    const struct rh_value near = {.kind = RH_VALUE_U64, .u64 = UINT64_C(9007199254740992)};
    const struct rh_value same_bits = {.kind = RH_VALUE_I64, .u64 = UINT64_C(9007199254740993)};
    const struct rh_value nan = {.kind = RH_VALUE_F64, .f64 = (double)NAN};
    const struct rh_value yes = {.kind = RH_VALUE_BOOL, .boolean = true}, none = {0};
    const struct rh_value ab = text_value("ab", 2), ac = text_value("ac", 2), abc = text_value("abc", 3);
    double number;

    (void)state;
    assert_true(rh_value_equal(&big, &big));
    assert_false(rh_value_equal(&big, &near));
    assert_false(rh_value_equal(&big, &same_bits));
    assert_true(rh_value_equal(&nan, &nan));
    assert_true(rh_value_equal(&none, &none));
    assert_true(rh_value_equal(&ab, &ab));
    assert_false(rh_value_equal(&ab, &ac));
    assert_false(rh_value_equal(&ab, &abc));
    assert_true(rh_value_number(&yes, &number));
    assert_true(number == 1);
    assert_true(rh_value_number(&(struct rh_value){.kind = RH_VALUE_I64, .i64 = -5}, &number));
    assert_true(number == -5);
    assert_true(rh_value_number(&(struct rh_value){.kind = RH_VALUE_U64, .u64 = UINT64_MAX}, &number));
    assert_true(number == 0x1p64);
    assert_false(rh_value_number(&ab, &number));
    assert_false(rh_value_number(&none, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(packed_and_back),
        cmocka_unit_test(quality_names),
        cmocka_unit_test(values_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
