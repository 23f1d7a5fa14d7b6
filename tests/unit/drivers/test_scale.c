/* SPDX-License-Identifier: MIT */
/* raw * factor + offset: the double nearest to the true decimal, as strtod reads what a person would write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "drivers/scale.h"

static uint64_t seed;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct rh_whole whole(int64_t value)
{
    return (struct rh_whole){value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0};
}

static void expect(double value, double expected, const char *what)
{
    if (value != expected)
        fail_msg("%.17g instead of %.17g: %s", value, expected, what);
}

static void decimals(void **state)
{
    static const struct {
        int64_t raw;
        struct rh_decimal factor;
        double offset, expected;
    } rows[] = {
        {2314, {1, -1}, 0, 231.4},
        {3, {1, -1}, 0, 0.3}, /* 3 * 0.1 is 0.30000000000000004 */
        {-1, {1, -1}, 0, -0.1},
        {651, {1, -1}, -40, 25.1}, /* 65.1 - 40 is 25.099999999999994 */
        {400, {1, -1}, -40, 0},
        {29655, {1, -2}, -273.15, 23.4},
        {10, {1, 0}, 0.5, 10.5},
        {7, {25, -3}, 0, 0.175},
        {7, {-25, -3}, 1, 0.825},
        {5, {1, -30}, 0, 5e-30},
        {5, {1, 30}, 0.5, 5e30},
        {1, {1, -30}, 1e15, 1e15},
        {9007199254740993, {1, -1}, 0, 900719925474099.3},
        {INT64_MIN, {1, -2}, 0, -92233720368547758.08},
        {INT64_MAX, {2, 0}, 0, 18446744073709551614.0},
        {65535, {999999999999999999, 30}, 0, 6.5534999999999999934465e52},
        {9007199254740992, {1, 0}, 1e-15, 9007199254740992},
        {9007199254740991, {1, 1}, 1e-15, 90071992547409910.0},
        {9007199254740991, {1, -1}, 0.4, 900719925474099.5},
        {-9007199254740991, {1, -1}, -0.4, -900719925474099.5},
        {1, {1, 0}, 0.12345, 1.12345},
        {1, {1, -1}, 1e300, 1e300},
        {1, {1, -1}, 1e-300, 0.1},
    };
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_scale scale = {rows[i].factor, rows[i].offset};
        expect(rh_scale_real(&scale, whole(rows[i].raw), 0), rows[i].expected, "row");
    }
}

static void numbers_of_64_bits(void **state)
{
    struct rh_scale scale = {{1, -3}, 0};
    struct rh_whole most = {UINT64_MAX, false};
    (void)state;
    expect(rh_scale_real(&scale, most, 0), 18446744073709551.615, "2^64-1, thousandths");
    scale = (struct rh_scale){{123456789012345678, -17}, -0.25};
    expect(rh_scale_real(&scale, most, 0), strtod("22773757910726981234.75090624763169970", NULL),
           "long factor");
}

static void floats(void **state)
{
    static const struct {
        double value;
        bool single;
        struct rh_decimal factor;
        double offset, expected;
    } rows[] = {
        {23.5, true, {1, -1}, 0, 2.35},
        {(double)230.2f, true, {1, -1}, 0, 23.02},
        {(double)-230.2f, true, {1, 0}, 0.8, -229.4},
        {(double)0.1f, true, {1, 1}, 0, 1},
        {1.2345e10, true, {1, -3}, 0, 12345000},
        {(double)3.4028234663852886e38f, true, {1, 0}, 1, 3.4028234663852886e38},
        {0, true, {1, -1}, 0, 0},
        {0.1, false, {1, -1}, 0, 0.01},
        {0.1, false, {3, 0}, 0, 0.3},
        {1.7976931348623157e308, false, {1, -1}, 0, 1.7976931348623157e307},
    };
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_scale scale = {rows[i].factor, rows[i].offset};
        expect(rh_scale_number(&scale, rows[i].value, rows[i].single), rows[i].expected, "row");
    }
}

static void expect_whole(struct rh_scale scale, struct rh_whole raw, bool fits, struct rh_whole expected)
{
    struct rh_whole value = {0, false};
    assert_int_equal(rh_scale_whole(&scale, raw, &value), fits);
    if (!fits)
        return;
    assert_true(value.magnitude == expected.magnitude);
    assert_int_equal(value.negative, expected.negative);
}

static void whole_numbers(void **state)
{
    struct rh_whole most = {UINT64_MAX, false}, least = {UINT64_C(1) << 63, true};
    (void)state;
    expect_whole((struct rh_scale){{1, 0}, 0}, most, true, most);
    expect_whole((struct rh_scale){{1, 0}, -1}, most, true, (struct rh_whole){UINT64_MAX - 1, false});
    expect_whole((struct rh_scale){{1, 0}, 1}, most, false, most);
    expect_whole((struct rh_scale){{1, 1}, 0}, most, false, most);
    expect_whole((struct rh_scale){{1, 1}, 5}, whole(1844674407370955161), true, most);
    expect_whole((struct rh_scale){{-1, 0}, 0}, least, true, (struct rh_whole){UINT64_C(1) << 63, false});
    expect_whole((struct rh_scale){{1, 0}, -40}, whole(39), true, whole(-1));
    expect_whole((struct rh_scale){{1, 0}, -40}, whole(40), true, whole(0));
    expect_whole((struct rh_scale){{-25, 0}, -40}, whole(2), true, whole(-90));
    expect_whole((struct rh_scale){{-25, 3}, 0}, whole(0), true, whole(0));
    expect_whole((struct rh_scale){{1, 30}, 0}, whole(0), true, whole(0));
    expect_whole((struct rh_scale){{1, 0}, 0.5}, whole(1), false, whole(1));
    expect_whole((struct rh_scale){{1, -1}, 0}, whole(10), false, whole(1));
    expect_whole((struct rh_scale){{1, 0}, 1e300}, whole(10), false, whole(1));
}

static void scales_as_written(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct rh_whole raw = {draw() >> draw() % 64, false};
        int places = (int)(draw() % 40);
        struct rh_scale scale = {{1, -places / 2}, 0};
        char text[64];
        snprintf(text, sizeof text, "%llue-%d", (unsigned long long)raw.magnitude, places);
        expect(rh_scale_real(&scale, raw, places / 2 - places), strtod(text, NULL), text);
    }
}

/* raw hundredths and an offset in hundredths: the sum in hundredths, small and beyond 2^53. */
static void offsets_as_written(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t raw = (int64_t)(draw() >> (2 + draw() % 60)) * (draw() & 1 ? 1 : -1);
        int64_t offset = (int64_t)(draw() % 2000001) - 1000000;
        struct rh_scale scale = {{1, -2}, (double)offset / 100};
        char text[64];
        snprintf(text, sizeof text, "%llde-2", (long long)(raw + offset));
        expect(rh_scale_real(&scale, whole(raw), 0), strtod(text, NULL), text);
    }
}

/* Whole numbers or tenths, and an offset in thousandths: the sum in thousandths. */
static void finer_offsets_as_written(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int tenths = (int)(draw() % 2);
        int64_t raw = (int64_t)(draw() >> (11 + draw() % 50)), offset = (int64_t)(draw() % 2000001) - 1000000;
        struct rh_scale scale = {{1, -tenths}, (double)offset / 1000};
        char text[64];
        snprintf(text, sizeof text, "%llde-3", (long long)(raw * (tenths ? 100 : 1000) + offset));
        expect(rh_scale_real(&scale, whole(raw), 0), strtod(text, NULL), text);
    }
}

/* A factor of many digits, checked by the long way: (a * b) in two halves of nine digits. */
static void products_as_written(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t raw = draw() % 1000000000, high = draw() % 1000000000, low = draw() % 1000000000;
        struct rh_scale scale = {{(int64_t)(high * 1000000000 + low), -12}, 0};
        uint64_t below = raw * low, above = raw * high + below / 1000000000;
        char text[64];
        snprintf(text, sizeof text, "%llu%09llue-12", (unsigned long long)above,
                 (unsigned long long)(below % 1000000000));
        expect(rh_scale_real(&scale, (struct rh_whole){raw, false}, 0), strtod(text, NULL), text);
    }
}

static void expect_raw(struct rh_scale scale, struct rh_whole number, int exponent, bool fits,
                       struct rh_whole expected)
{
    struct rh_whole raw = {0, false};
    assert_int_equal(rh_scale_raw_whole(&scale, number, exponent, &raw), fits);
    if (fits && (raw.magnitude != expected.magnitude || raw.negative != expected.negative))
        fail_msg("%s%llu instead of %s%llu", raw.negative ? "-" : "", (unsigned long long)raw.magnitude,
                 expected.negative ? "-" : "", (unsigned long long)expected.magnitude);
}

static void back_to_raw(void **state)
{
    const struct rh_whole most = {UINT64_MAX, false};
    (void)state;
    expect_raw((struct rh_scale){{1, 0}, 0}, most, 0, true, most);
    expect_raw((struct rh_scale){{1, 0}, -1}, most, 0, false, most);
    expect_raw((struct rh_scale){{1, -1}, 0}, whole(1844674407370955161), 0, true,
               (struct rh_whole){UINT64_MAX - 5, false});
    expect_raw((struct rh_scale){{1, -1}, 0}, whole(1844674407370955162), 0, false, most);
    expect_raw((struct rh_scale){{2, -1}, 0}, most, -1, true, (struct rh_whole){UINT64_MAX / 2 + 1, false});
    expect_raw((struct rh_scale){{999999999999999999, 0}, 0}, most, 0, true, whole(18));
    expect_raw((struct rh_scale){{999999999999999999, -48}, 0}, most, 30, false, most);
    expect_raw((struct rh_scale){{999999999999999999, 30}, 0}, most, -48, true, whole(0));
    expect_raw((struct rh_scale){{1, 30}, 0}, whole(4), 30, true, whole(4));
    expect_raw((struct rh_scale){{1, -30}, 0}, whole(0), 30, true, whole(0));
    expect_raw((struct rh_scale){{-1, 0}, 5}, whole(0), 0, true, whole(5));
    expect_raw((struct rh_scale){{1, -1}, 1e30}, whole(1), -30, false, whole(0));
    expect_raw((struct rh_scale){{1, 30}, 1e30}, whole(3), 30, true, whole(2));
    expect_raw((struct rh_scale){{1, 30}, 1e30}, whole(1), -30, true, whole(-1));
}

/* (raw * factor + rest) / factor is raw, or the next where rest is half of the factor or more. */
static void nearest_raw(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint64_t raw = draw() % 1000000000, factor = draw() % 1000000000 + 1, rest = draw() % factor;
        int places = (int)(draw() % 30), more = (int)(draw() % 8);
        bool negative = draw() & 1;
        struct rh_scale scale = {{(int64_t)factor, -places}, 0};
        struct rh_whole number = {raw * factor + rest, negative};
        uint64_t nearest = raw + (rest >= factor - rest);
        number.negative = negative && number.magnitude > 0;
        expect_raw(scale, number, -places, true, (struct rh_whole){nearest, negative && nearest > 0});
        expect_raw(scale, number, -places - 45 - more, true, whole(0));
    }
}

static void back_to_real(void **state)
{
    struct rh_scale scale = {{3, -1}, 0};
    (void)state;
    expect(rh_scale_raw_real(&scale, whole(1), 0, false), 10.0 / 3, "1 / 0.3");
    expect(rh_scale_raw_real(&scale, whole(1), 0, true), (double)(10.0f / 3), "as a float");
    expect(rh_scale_raw_real(&scale, whole(-6), 0, false), -20, "-6 / 0.3");
    expect(rh_scale_raw_real(&scale, whole(0), 0, false), 0, "nothing");
    scale = (struct rh_scale){{-999999999999999999, -30}, -273.15};
    expect(rh_scale_raw_real(&scale, (struct rh_whole){UINT64_MAX, false}, 30, false),
           -18446744073709551615e30 / 999999999999.999999e-24, "large");
    scale = (struct rh_scale){{1, -2}, 0.1};
    expect(rh_scale_raw_real(&scale, whole(3), -1, false), 20, "(0.3 - 0.1) / 0.01");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals),
        cmocka_unit_test(numbers_of_64_bits),
        cmocka_unit_test(floats),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(scales_as_written),
        cmocka_unit_test(offsets_as_written),
        cmocka_unit_test(finer_offsets_as_written),
        cmocka_unit_test(products_as_written),
        cmocka_unit_test(back_to_raw),
        cmocka_unit_test(nearest_raw),
        cmocka_unit_test(back_to_real),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
