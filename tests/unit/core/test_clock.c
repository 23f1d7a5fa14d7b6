/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "core/base.h"
#include "core/clock.h"

static void timeouts_for_poll(void **state)
{
    static const struct {
        int64_t now_us, then_us;
        int expected;
    } rows[] = {
        {0, RH_NEVER, -1},
        {1000, 1000, 0},
        {2000, 1000, 0},
        {0, 1, 1}, /* rounded up: waking early would spin */
        {0, 1000, 1},
        {0, 1001, 2},
        {5, 10005, 10},
        {0, INT64_C(86400) * 365 * 1000000, INT_MAX},
        {0, RH_NEVER - 1, INT_MAX},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++)
        assert_int_equal(rh_poll_timeout_ms(rows[i].now_us, rows[i].then_us), rows[i].expected);
}

static void never_backwards(void **state)
{
    int64_t last_us = rh_mono_us();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now_us = rh_mono_us();
        assert_true(now_us >= last_us);
        last_us = now_us;
    }
}

static void wall_of_a_moment(void **state)
{
    int64_t mono_us = rh_mono_us(), wall_ms = rh_wall_ms();

    (void)state;
    assert_in_range(rh_wall_of(mono_us) - wall_ms + 1000, 0, 2000);
    assert_in_range(rh_wall_of(mono_us - 3600000000) - wall_ms + 3601000, 0, 2000);
    assert_true(rh_wall_plausible(wall_ms));
    assert_false(rh_wall_plausible(0));
    assert_false(rh_wall_plausible(wall_ms - INT64_C(86400000) * 365 * 30));
}

static void ignore(int signal)
{
    (void)signal;
}

static void *disturb(void *context)
{
    const pthread_t *sleeper = context;

    for (int i = 0; i < 20; i++) {
        pthread_kill(*sleeper, SIGUSR1);
        rh_sleep_until(rh_mono_us() + 1000);
    }
    return NULL;
}

static void sleeps_through_signals(void **state)
{
    struct sigaction action = {.sa_handler = ignore};
    pthread_t self = pthread_self(), other;

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    int64_t until_us = rh_mono_us() + 40000;
    assert_int_equal(pthread_create(&other, NULL, disturb, &self), 0);
    rh_sleep_until(until_us);
    assert_true(rh_mono_us() >= until_us);
    pthread_join(other, NULL);
    rh_sleep_until(0);  /* long past */
    rh_sleep_until(-5); /* before the clock's start: no wait either */
}

static void precise(void **state)
{
    (void)state;
    rh_clock_precise();
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeouts_for_poll), cmocka_unit_test(never_backwards),
        cmocka_unit_test(wall_of_a_moment),  cmocka_unit_test(sleeps_through_signals),
        cmocka_unit_test(precise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
