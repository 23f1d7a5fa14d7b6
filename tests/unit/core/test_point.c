/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base.h"
#include "core/point.h"

static void type_names(void **state)
{
    (void)state;
    for (int type = 0; type < RH_TYPE_COUNT; type++)
        assert_int_equal(rh_type_of(rh_type_name((enum rh_type)type)), type);
    assert_int_equal(rh_type_of("u16"), RH_TYPE_U16);
    assert_int_equal(rh_type_of("datetime"), RH_TYPE_DATETIME);
    assert_int_equal(rh_type_of("U16"), RH_TYPE_COUNT);
    assert_int_equal(rh_type_of("u1"), RH_TYPE_COUNT);
    assert_int_equal(rh_type_of(""), RH_TYPE_COUNT);
}

static void fractional(void **state)
{
    static const struct {
        struct rh_point point;
        bool expected;
    } rows[] = {
        {{.type = RH_TYPE_U16, .scale = {1, 0}}, false},
        {{.type = RH_TYPE_U16, .scale = {1, -1}}, true},
        {{.type = RH_TYPE_U16, .scale = {1, 2}}, false},
        {{.type = RH_TYPE_U16, .scale = {1, 0}, .offset = -40}, false},
        {{.type = RH_TYPE_U16, .scale = {1, 0}, .offset = -273.15}, true},
        {{.type = RH_TYPE_F16, .scale = {1, 0}}, true},
        {{.type = RH_TYPE_F32, .scale = {1, 0}}, true},
        {{.type = RH_TYPE_F64, .scale = {1, 3}}, true},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++)
        assert_int_equal(rh_point_fractional(&rows[i].point), rows[i].expected);
}

static void labels(void **state)
{
    static const struct rh_label of[] = {{0, "off"}, {-1, "fault"}, {INT64_MAX, "far"}};
    const struct rh_point point = {.labels = of, .n_labels = RH_COUNT(of)}, plain = {0};

    (void)state;
    assert_string_equal(rh_point_label(&point, 0), "off");
    assert_string_equal(rh_point_label(&point, -1), "fault");
    assert_string_equal(rh_point_label(&point, INT64_MAX), "far");
    assert_null(rh_point_label(&point, 1));
    assert_null(rh_point_label(&plain, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_names),
        cmocka_unit_test(fractional),
        cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
