/* SPDX-License-Identifier: MIT */
/* What the schedule makes of answers that are damaged, busy, owed, or refuse points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/gateway/virtual_line.h"
#include "tests/unit/random.h"

#define TEN_MINUTES (600 * SECOND)

/* --- damaged answers --- */

static void damaged_once_again(void **state)
{
    struct virtual_line *line = virtual_new(1);

    (void)state;
    virtual_block(line, 0, 1, 1000, 10 * MS);
    virtual_start(line, 0);
    virtual_run(line, 500 * MS);
    line->devices[0].garbage = true;
    for (int failure = 1; failure <= 3; failure++) {
        virtual_forget(line);
        virtual_run(line, failure * SECOND + 500 * MS);
        assert_int_equal(line->reads, 2); /* one retry, in the same period */
        assert_int_equal(line->events[RH_EVENT_AGAIN], 1);
        assert_int_equal(virtual_state(line, 0)->failures, failure == 3 ? 0 : failure);
    }
    assert_true(virtual_state(line, 0)->offline);
    virtual_forget(line);
    virtual_run(line, line->now_us + 1100 * MS);
    assert_int_equal(line->events[RH_EVENT_AGAIN], 0); /* a probe is not repeated */
    line->devices[0].garbage = false;
    virtual_run(line, line->now_us + 3 * SECOND);
    assert_false(virtual_state(line, 0)->offline);
    virtual_free(line);

    line = virtual_new(1); /* no time left in the period: no retry */
    virtual_block(line, 0, 1, 100, 60 * MS);
    virtual_start(line, 0);
    virtual_run(line, 500 * MS);
    line->devices[0].garbage = true;
    virtual_forget(line);
    virtual_run(line, 750 * MS);
    assert_int_equal(line->events[RH_EVENT_AGAIN], 0);
    virtual_free(line);
}

/* --- busy devices --- */

static void busy_devices_are_asked_again(void **state)
{
    static const int64_t pauses_ms[] = {100, 200, 400, 800};
    struct virtual_line *line = virtual_new(2);

    (void)state;
    virtual_block(line, 0, 1, 5000, 10 * MS);
    virtual_block(line, 1, 1, 50, MS);
    virtual_start(line, 0);
    virtual_run(line, 4 * SECOND);
    line->devices[0].exception = 6;
    virtual_next(line, 0, 6 * SECOND);
    for (size_t i = 0; i < RH_COUNT(pauses_ms); i++) {
        int64_t ended_us = line->now_us;
        assert_int_equal(virtual_last(line)->event, RH_EVENT_AGAIN);
        const struct virtual_step *step = virtual_next(line, 0, line->now_us + SECOND);
        assert_in_range(step->start_us - ended_us, pauses_ms[i] * MS, pauses_ms[i] * MS + 2 * MS);
    }
    assert_int_equal(virtual_last(line)->event, RH_EVENT_NONE); /* given up for this period */
    assert_true(virtual_next(line, 0, 11 * SECOND)->start_us >= 10 * SECOND);
    virtual_run(line, 100 * SECOND);
    assert_false(virtual_state(line, 0)->offline); /* it answers */
    assert_int_equal(virtual_state(line, 0)->failures, 0);
    virtual_free(line);

    line = virtual_new(1); /* 100 + 200 ms fit into the period of 500 ms, 400 more do not */
    virtual_block(line, 0, 1, 500, 10 * MS);
    virtual_start(line, 0);
    virtual_run(line, 400 * MS);
    line->devices[0].exception = 6;
    virtual_forget(line);
    virtual_run(line, 990 * MS);
    assert_int_equal(line->reads, 3);
    assert_int_equal(line->events[RH_EVENT_AGAIN], 2);
    virtual_free(line);
}

static void other_exceptions_are_not_repeated(void **state)
{
    struct virtual_line *line = virtual_new(1);

    (void)state;
    virtual_block(line, 0, 5, 1000, 10 * MS);
    virtual_start(line, 0);
    line->devices[0].exception = 4;
    virtual_run(line, 9500 * MS);
    assert_int_equal(line->reads, 10);
    assert_int_equal(line->events[RH_EVENT_ONLINE], 1);
    assert_int_equal(line->events[RH_EVENT_NONE], 9);
    virtual_free(line);
}

/* --- a device that owes an answer --- */

static void closed_units_wait(void **state)
{
    struct virtual_line *line = virtual_new(2);

    (void)state;
    virtual_block(line, 0, 1, 200, 10 * MS);
    virtual_block(line, 0, 1, RH_PERIOD_FASTEST, 10 * MS);
    virtual_block(line, 1, 1, 100, 10 * MS);
    virtual_start(line, 0);
    virtual_run(line, SECOND);
    line->devices[0].closed_until_us = 3 * SECOND;
    virtual_forget(line);
    virtual_run(line, 3 * SECOND);
    assert_int_equal(line->points[0].good + line->points[1].good, 0);
    assert_in_range(line->reads, 21, 23);                  /* each of its blocks found it closed once */
    assert_int_equal(virtual_state(line, 0)->failures, 0); /* which says nothing about the device */
    assert_true(line->points[2].good >= 19);
    virtual_run(line, 3300 * MS);
    assert_true(line->points[0].good >= 1 && line->points[1].good >= 10);
    line->devices[0].closed_until_us = line->now_us; /* a time that is over: no busy loop */
    virtual_free(line);

    line = virtual_new(1); /* closed while it is offline: probed afterwards */
    virtual_block(line, 0, 1, 200, 10 * MS);
    line->devices[0].dead = true;
    virtual_start(line, 0);
    virtual_run(line, 510 * MS);
    line->devices[0].closed_until_us = 4 * SECOND;
    line->devices[0].dead = false;
    virtual_run(line, 4 * SECOND);
    assert_true(virtual_state(line, 0)->offline);
    virtual_run(line, 4100 * MS);
    assert_false(virtual_state(line, 0)->offline);
    virtual_free(line);
}

/* --- refused points --- */

static uint64_t log2_up(uint64_t n)
{
    uint64_t bits = 0;

    while ((UINT64_C(1) << bits) < n)
        bits++;
    return bits;
}

static void refused_points_are_found(void **state)
{
    uint64_t seed = random_seed("refused_points_are_found");

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint32_t n = 1 + (uint32_t)random_below(&seed, 125), bad = (uint32_t)random_below(&seed, 6);
        struct virtual_line *line = virtual_new(1);
        int64_t period_ms = round % 3 == 0 ? RH_PERIOD_FASTEST : 60000;
        uint64_t k = 0;

        virtual_block(line, 0, n, period_ms, 10 * MS);
        for (uint32_t i = 0; i < bad; i++)
            line->points[random_below(&seed, n)].refused = true;
        for (uint32_t p = 0; p < n; p++)
            k += line->points[p].refused;
        virtual_start(line, 0);
        if (period_ms == RH_PERIOD_FASTEST) /* good ones come again while others are still being halved */
            virtual_run(line, 20 * SECOND);
        for (uint64_t i = 0; i < 2 * k * log2_up(n) + k + 1; i++)
            virtual_step(line, 59 * SECOND);
        assert_true(line->events[RH_EVENT_SPLIT] + line->events[RH_EVENT_UNSUPPORTED] <= k * log2_up(n) + k);
        for (uint32_t p = 0; p < n; p++) {
            const struct virtual_point *point = &line->points[p];
            if (point->unsupported != (point->refused ? 1 : 0) || (point->good == 0) != point->refused)
                fail_msg("point %u of %u, %llu bad: %d refused, %llu good, %llu unsupported", p, n,
                         (unsigned long long)k, point->refused, (unsigned long long)point->good,
                         (unsigned long long)point->unsupported);
        }
        assert_int_equal(line->events[RH_EVENT_ONLINE], 1);
        assert_int_equal(line->events[RH_EVENT_UNSUPPORTED], k);
        virtual_free(line);
    }
}

static void refused_points_are_asked_again(void **state)
{
    struct virtual_line *line = virtual_new(1);

    (void)state;
    virtual_block(line, 0, 8, 1000, 10 * MS);
    line->points[3].refused = true;
    line->points[6].refused = true;
    virtual_start(line, 0);
    virtual_run(line, SECOND);
    assert_int_equal(line->events[RH_EVENT_UNSUPPORTED], 2);
    virtual_run(line, TEN_MINUTES - SECOND);
    assert_int_equal(line->events[RH_EVENT_UNSUPPORTED], 2);
    assert_true(line->points[4].good >= 598);
    assert_int_equal(rh_schedule_missed(line->schedule), 0);
    line->points[6].refused = false; /* new firmware */
    virtual_run(line, TEN_MINUTES + 2 * SECOND);
    assert_int_equal(line->points[3].unsupported, 2);
    assert_true(line->points[6].good >= 1);
    virtual_run(line, TEN_MINUTES + 60 * SECOND);
    assert_int_equal(line->points[3].unsupported, 2);
    assert_true(line->points[6].good >= 58);
    assert_int_equal(rh_schedule_missed(line->schedule), 0);
    virtual_free(line);
}

/* A device whose first words are exceptions has come online, and whoever listens is told so once. */
static void signs_of_life(void **state)
{
    static const uint8_t codes[] = {1, 2, 3, 4, 5, 6};

    (void)state;
    for (size_t i = 0; i < RH_COUNT(codes) * 2; i++) {
        struct virtual_line *line = virtual_new(1);

        virtual_block(line, 0, 1 + (uint32_t)(i % 2) * 7, 1000, 10 * MS);
        line->devices[0].dead = true;
        virtual_start(line, 0);
        virtual_run(line, 600 * MS);
        assert_true(virtual_state(line, 0)->offline);
        line->devices[0].dead = false;
        line->devices[0].exception = codes[i / 2];
        virtual_run(line, 30 * SECOND);
        assert_int_equal(line->events[RH_EVENT_ONLINE], 1);
        assert_false(virtual_state(line, 0)->offline);
        assert_int_equal(line->events[RH_EVENT_UNSUPPORTED], codes[i / 2] <= 3 ? 1 + i % 2 * 7 : 0);
        virtual_free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_once_again),
        cmocka_unit_test(busy_devices_are_asked_again),
        cmocka_unit_test(other_exceptions_are_not_repeated),
        cmocka_unit_test(closed_units_wait),
        cmocka_unit_test(refused_points_are_found),
        cmocka_unit_test(refused_points_are_asked_again),
        cmocka_unit_test(signs_of_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
