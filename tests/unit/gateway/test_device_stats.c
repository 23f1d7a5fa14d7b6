/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/device_stats.h"

static void add(struct rh_device_stats *stats, enum rh_poll_outcome outcome, int64_t turnaround_us)
{
    struct rh_poll_result result = {.turnaround_us = turnaround_us};

    rh_device_stats_add(stats, outcome, &result, 1234);
}

static void counts(void **state)
{
    struct rh_device_stats stats = {0};

    (void)state;
    add(&stats, RH_POLL_TIMEOUT, 0); /* no answer has no turnaround, whatever stands there */
    add(&stats, RH_POLL_GARBAGE, 0);
    add(&stats, RH_POLL_LOST, 0);
    add(&stats, RH_POLL_CLOSED, 0);
    add(&stats, RH_POLL_NOTHING, 0);
    assert_int_equal(rh_gauge_get(&stats.last_ok_us), 0);
    assert_true(rh_device_stats_turnaround_ms(&stats, 0.5) < 0);
    add(&stats, RH_POLL_EXCEPTION, -1);
    assert_true(rh_device_stats_turnaround_ms(&stats, 0.5) < 0);
    assert_int_equal(rh_gauge_get(&stats.last_ok_us), 0);
    add(&stats, RH_POLL_OK, 1000);
    assert_int_equal(rh_gauge_get(&stats.last_ok_us), 1234);
    assert_int_equal(rh_counted(&stats.ok), 1);
    assert_int_equal(rh_counted(&stats.timeouts), 1);
    assert_int_equal(rh_counted(&stats.crc), 1);
    assert_int_equal(rh_counted(&stats.exceptions), 1);
}

static void within_a_quarter(double found_ms, double right_ms)
{
    if (found_ms < right_ms * 0.999 || found_ms > right_ms * 1.2501)
        fail_msg("%f instead of %f", found_ms, right_ms);
}

static void shares(void **state)
{
    struct rh_device_stats stats = {0};

    (void)state;
    for (int64_t us = 100; us < 3000000; us = us * 3 / 2 + 7) {
        struct rh_device_stats one = {0};
        add(&one, RH_POLL_OK, us);
        within_a_quarter(rh_device_stats_turnaround_ms(&one, 0.5), (double)us / 1000);
        within_a_quarter(rh_device_stats_turnaround_ms(&one, 1), (double)us / 1000);
    }
    for (int i = 0; i < 98; i++)
        add(&stats, i % 7 ? RH_POLL_OK : RH_POLL_EXCEPTION, 4000);
    add(&stats, RH_POLL_OK, 50000);
    add(&stats, RH_POLL_OK, 900000);
    within_a_quarter(rh_device_stats_turnaround_ms(&stats, 0.5), 4);
    within_a_quarter(rh_device_stats_turnaround_ms(&stats, 0.98), 4);
    within_a_quarter(rh_device_stats_turnaround_ms(&stats, 0.99), 50);
    within_a_quarter(rh_device_stats_turnaround_ms(&stats, 1), 900);
    struct rh_device_stats ends = {0};
    add(&ends, RH_POLL_OK, 0);
    assert_true(rh_device_stats_turnaround_ms(&ends, 1) == 0.1);
    add(&ends, RH_POLL_OK, INT64_MAX); /* into the last bucket */
    assert_true(rh_device_stats_turnaround_ms(&ends, 1) > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
