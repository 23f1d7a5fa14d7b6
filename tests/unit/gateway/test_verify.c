/* SPDX-License-Identifier: MIT */
/* Is what reads back what was written? */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/verify.h"

#define I(x)                                                                                                 \
    {                                                                                                        \
        .kind = RH_VALUE_I64, .i64 = (x)                                                                     \
    }
#define U(x)                                                                                                 \
    {                                                                                                        \
        .kind = RH_VALUE_U64, .u64 = (x)                                                                     \
    }
#define D(x)                                                                                                 \
    {                                                                                                        \
        .kind = RH_VALUE_F64, .f64 = (x)                                                                     \
    }
#define F(x)                                                                                                 \
    {                                                                                                        \
        .kind = RH_VALUE_F32, .f64 = (x)                                                                     \
    }
#define B(x)                                                                                                 \
    {                                                                                                        \
        .kind = RH_VALUE_BOOL, .boolean = (x)                                                                \
    }
#define T(x)                                                                                                 \
    {                                                                                                        \
        .kind = RH_VALUE_TEXT, .text_len = sizeof(x) - 1, .text = x                                          \
    }

static void distances(void **state)
{
    static const struct {
        struct rh_value a, b;
        double apart;
    } rows[] = {
        {I(5), I(5), 0},
        {I(-5), I(5), 10},
        {I(-5), I(-7), 2},
        {U(UINT64_MAX), U(UINT64_MAX - 1), 1},
        {I(INT64_MAX), U((uint64_t)INT64_MAX + 1), 1},
        {I(INT64_MIN), I(INT64_MIN + 1), 1},
        {I(-1), U(UINT64_MAX), 18446744073709551616.0},
        {D(1.5), I(1), 0.5},
        {B(true), I(0), 1},
    };
    const struct rh_value text = T("1"), number = I(1);
    double apart;

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        assert_true(rh_verify_distance(&rows[i].a, &rows[i].b, &apart));
        assert_true(apart == rows[i].apart);
        assert_true(rh_verify_distance(&rows[i].b, &rows[i].a, &apart));
        assert_true(apart == rows[i].apart);
    }
    assert_false(rh_verify_distance(&text, &number, &apart));
}

static void same(void **state)
{
    static const struct {
        enum rh_type type;
        struct rh_decimal scale;
        double offset, tolerance;
        struct rh_value wanted, found;
        bool same;
    } rows[] = {
        {RH_TYPE_U16, {1, 0}, 0, 0, U(5), U(5), true},
        {RH_TYPE_U16, {1, 0}, 0, 0, U(5), U(6), false},
        {RH_TYPE_U16, {1, 0}, 0, 1, U(5), U(6), true},
        {RH_TYPE_U64, {1, 0}, 0, 0, U(1ULL << 60), U((1ULL << 60) + 1), false},
        {RH_TYPE_S64, {1, 0}, 0, 0, I(INT64_MIN), I(INT64_MIN + 1), false},
        {RH_TYPE_U16, {1, 0}, 0, 0, I(5), U(5), true}, /* an enum's code */
        {RH_TYPE_S16, {1, -1}, 0, 0, D(21.5), D(21.5), true},
        {RH_TYPE_S16, {1, -1}, 0, 0, D(0.25), D(0.2), true}, /* as near as the register comes */
        {RH_TYPE_S16, {1, -1}, 0, 0, D(0.25), D(0.3), true},
        {RH_TYPE_S16, {1, -1}, 0, 0, D(21.5), D(21.4), false},
        {RH_TYPE_S16, {1, 1}, 0, 0, I(42), I(40), true},
        {RH_TYPE_S16, {1, 1}, 0, 0, I(42), I(50), false},
        {RH_TYPE_F32, {1, 0}, 0, 0, D(0.1), F((double)0.1F), true},
        {RH_TYPE_F32, {1, 0}, 0, 0, D(0.1), F(0.1001), false},
        {RH_TYPE_F32, {1, 0}, 0, 0, D(0), F(0), true},
        {RH_TYPE_F32, {1, 0}, -273.15, 0, D(0), D((double)273.15F - 273.15), true},
        {RH_TYPE_F32, {1, 0}, -273.15, 0, D(0), D(0.001), false},
        {RH_TYPE_F16, {1, 0}, 0, 0, D(3.3), D(3.30078125), true},
        {RH_TYPE_F16, {1, 0}, 0, 0, D(3.3), D(3.32), false},
        {RH_TYPE_F64, {1, 0}, 0, 0.5, D(10), D(10.5), true},
        {RH_TYPE_F64, {1, 0}, 0, 0, D(1), D(NAN), false},
        {RH_TYPE_BIT, {1, 0}, 0, 0, B(true), B(true), true},
        {RH_TYPE_BIT, {1, 0}, 0, 0, B(true), B(false), false},
        {RH_TYPE_STR, {1, 0}, 0, 0, T("ab"), T("ab"), true},
        {RH_TYPE_STR, {1, 0}, 0, 0, T("ab"), T("abc"), false},
        {RH_TYPE_STR, {1, 0}, 0, 9, T("1"), T("2"), false},
        {RH_TYPE_U16, {1, 0}, 0, 0, U(1), {.kind = RH_VALUE_NONE}, false},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        const struct rh_point point = {.type = rows[i].type,
                                       .scale = rows[i].scale,
                                       .offset = rows[i].offset,
                                       .tolerance = rows[i].tolerance};
        if (rh_verify_same(&point, &rows[i].wanted, &rows[i].found) != rows[i].same)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(distances), cmocka_unit_test(same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
