/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/routes.h"
#include "tests/unit/gateway/home.h"

/* Two lines of devices, added in the order of the file: found by name, each with points of its own. */
static void found_by_name(void **state)
{
    struct rh_line_conf *a = home_line(12, 3), *b = home_line(1, 2);
    char poller_a, poller_b, name[16];
    struct rh_routes *routes = rh_routes_new(13);
    bool taken[12 * 3 + 2] = {false};

    (void)state;
    free((void *)(uintptr_t)b->devices[0].name);
    ((struct rh_device_conf *)(uintptr_t)b->devices)[0].name = strdup("d1a");
    for (size_t d = 0; d < 12; d++)
        rh_routes_add(routes, &a->devices[11 - d], (struct rh_poller *)&poller_a);
    rh_routes_add(routes, &b->devices[0], (struct rh_poller *)&poller_b);
    rh_routes_sort(routes);
    assert_int_equal(routes->n_points, 38);
    for (uint32_t d = 0; d < 12; d++) {
        snprintf(name, sizeof(name), "d%u", d);
        const struct rh_route *route = rh_routes_find(routes, name);
        assert_non_null(route);
        assert_ptr_equal(route->device, &a->devices[d]);
        assert_ptr_equal(route->poller, &poller_a);
        assert_ptr_equal(rh_route_point(route, "p2"), &a->points[d * 3 + 2]);
        assert_null(rh_route_point(route, "p3"));
        assert_null(rh_route_point(route, ""));
        for (uint32_t p = 0; p < 3; p++) {
            assert_false(taken[route->first + p]);
            taken[route->first + p] = true;
        }
    }
    const struct rh_route *other = rh_routes_find(routes, "d1a");
    assert_ptr_equal(other->poller, &poller_b);
    assert_false(taken[other->first] || taken[other->first + 1]);
    assert_null(rh_routes_find(routes, "d12"));
    assert_null(rh_routes_find(routes, ""));
    rh_routes_free(routes);
    home_line_free(a);
    home_line_free(b);
}

static void none(void **state)
{
    struct rh_routes *routes = rh_routes_new(0);

    (void)state;
    assert_null(rh_routes_find(NULL, "d0"));
    assert_null(rh_routes_find(routes, "d0"));
    rh_routes_sort(routes);
    rh_routes_free(routes);
    rh_routes_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(found_by_name), cmocka_unit_test(none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
