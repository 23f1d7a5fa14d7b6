/* SPDX-License-Identifier: MIT */
/* What the schedule makes of devices that do not answer, and of those that do again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/gateway/virtual_line.h"
#include "tests/unit/random.h"

#define TEN_MINUTES (600 * SECOND)

static void backoff_doubles(void **state)
{
    static const int64_t pauses_s[] = {1, 2, 4, 8, 10, 10, 10};
    struct virtual_line *line = virtual_new(2);

    (void)state;
    virtual_block(line, 0, 1, 250, 5 * MS);
    virtual_block(line, 1, 4, 1000, 9 * MS);
    virtual_block(line, 1, 1, 1000, 7 * MS); /* the cheapest: the probe */
    line->devices[1].dead = true;
    line->devices[1].timeout_us = 20 * MS;
    virtual_start(line, 0);
    for (int round = 0; round < 3; round++) {
        int failures = 0;
        do
            failures++;
        while (virtual_next(line, 1, line->now_us + 5 * SECOND)->event != RH_EVENT_OFFLINE);
        assert_int_equal(failures, round == 0 ? 1 : 3); /* one timeout is enough for one never seen */
        assert_true(virtual_state(line, 1)->offline);
        assert_int_equal(virtual_state(line, 1)->since_us, line->now_us);
        for (size_t i = 0; i < RH_COUNT(pauses_s); i++) {
            int64_t ended_us = line->now_us;
            const struct virtual_step *step = virtual_next(line, 1, line->now_us + 20 * SECOND);
            assert_int_equal(step->kind, RH_PICK_PROBE);
            assert_int_equal(step->count, 1);
            assert_in_range(step->start_us - ended_us, pauses_s[i] * SECOND, pauses_s[i] * SECOND + 20 * MS);
            assert_int_equal(virtual_state(line, 1)->missed, i + 2);
        }
        line->devices[1].dead = false;
        assert_int_equal(virtual_next(line, 1, line->now_us + 11 * SECOND)->event, RH_EVENT_ONLINE);
        assert_false(virtual_state(line, 1)->offline);
        assert_int_equal(virtual_state(line, 1)->since_us, line->now_us);
        virtual_run(line, line->now_us + 1050 * MS); /* all its blocks within a period */
        assert_true(line->points[1].last_us > line->now_us - 1050 * MS);
        assert_true(line->points[5].last_us > line->now_us - 1050 * MS);
        line->devices[1].dead = true;
    }
    assert_int_equal(rh_schedule_missed(line->schedule), 0); /* what is not asked for is not missed */
    virtual_free(line);
}

/* P6: with their first timeouts over, dead devices take 3 % of the line together; the others keep their
 * rates. */
static void dead_devices_cost_little(void **state)
{
    uint64_t seed = random_seed("dead_devices_cost_little");

    (void)state;
    for (int round = 0; round < 20; round++) {
        uint32_t dead = 1 + (uint32_t)random_below(&seed, 30);
        struct virtual_line *line = virtual_new(10 + dead);

        for (uint32_t d = 0; d < 10 + dead; d++) {
            virtual_block(line, d, 2, 2000, 30 * MS);
            line->devices[d].dead = d >= 10;
            line->devices[d].timeout_us = (int64_t)(20 + random_below(&seed, 980)) * MS;
        }
        bool seen_before = round % 2;
        if (seen_before)
            for (uint32_t d = 10; d < 10 + dead; d++)
                line->devices[d].dead = false;
        virtual_start(line, 0);
        if (seen_before) {
            virtual_run(line, 10 * SECOND);
            for (uint32_t d = 10; d < 10 + dead; d++)
                line->devices[d].dead = true;
        }
        while (line->events[RH_EVENT_OFFLINE] < dead)
            assert_true(virtual_step(line, 200 * SECOND));
        virtual_forget(line);
        int64_t from_us = line->now_us;
        virtual_run(line, from_us + TEN_MINUTES);
        double share = (double)(line->dead_us - SECOND) / (double)TEN_MINUTES;
        if (share > 0.03)
            fail_msg("%u dead devices took %.4f of the line", dead, share);
        for (uint32_t d = 0; d < 10; d++) {
            assert_true(line->points[2 * d].good >= 298);
            assert_true(line->points[2 * d].gap_us <= 2 * 2000 * MS);
        }
        assert_true(line->dead_us > 0);
        virtual_free(line);
    }
}

/* P7: all D come back within max(10 s, D * T / 3 %), and each is asked in its turn. */
static void all_dead_devices_recover(void **state)
{
    struct virtual_line *line = virtual_new(40);

    (void)state;
    for (uint32_t d = 0; d < 40; d++) {
        virtual_block(line, d, 1, 1000, 10 * MS);
        line->devices[d].dead = d > 0;
        line->devices[d].timeout_us = 100 * MS;
    }
    virtual_start(line, 0);
    virtual_run(line, 300 * SECOND);
    for (uint32_t d = 1; d < 40; d++)
        assert_true(virtual_state(line, d)->offline);
    uint64_t asked[40];
    for (uint32_t d = 1; d < 40; d++)
        asked[d] = virtual_state(line, d)->missed;
    virtual_run(line, 600 * SECOND);
    for (uint32_t d = 1; d < 40; d++)
        assert_in_range(virtual_state(line, d)->missed - asked[d], 2,
                        3); /* 3 % of 300 s, 100 ms each, by 39 */
    for (uint32_t d = 1; d < 40; d++)
        line->devices[d].dead = false;
    virtual_run(line, 600 * SECOND + (int64_t)(39 * 0.1 / 0.03 * 1e6) + SECOND);
    for (uint32_t d = 0; d < 40; d++)
        assert_false(virtual_state(line, d)->offline);
    virtual_free(line);
}

/* A gateway that answers for the device (0x0A, 0x0B) is no sign of life of the device. */
static void answers_of_a_gateway(void **state)
{
    static const uint8_t codes[] = {0x0A, 0x0B};

    (void)state;
    for (size_t i = 0; i < RH_COUNT(codes); i++) {
        struct virtual_line *line = virtual_new(1);

        virtual_block(line, 0, 1, 1000, 10 * MS);
        virtual_start(line, 0);
        virtual_run(line, 2500 * MS);
        assert_false(virtual_state(line, 0)->offline);
        line->devices[0].exception = codes[i];
        virtual_run(line, 4500 * MS);
        assert_int_equal(virtual_state(line, 0)->failures, 2);
        virtual_run(line, 5500 * MS);
        assert_true(virtual_state(line, 0)->offline);
        virtual_free(line);
    }
}

static void late_answers_count(void **state)
{
    struct virtual_line *line = virtual_new(1);

    (void)state;
    virtual_block(line, 0, 1, 1000, 10 * MS);
    line->devices[0].dead = true;
    virtual_start(line, 0);
    virtual_run(line, 600 * MS);
    assert_true(virtual_state(line, 0)->offline);
    assert_int_equal(rh_schedule_answered(line->schedule, 0, line->now_us), RH_EVENT_ONLINE);
    assert_true(virtual_state(line, 0)->seen && !virtual_state(line, 0)->offline);
    assert_int_equal(rh_schedule_answered(line->schedule, 0, line->now_us), RH_EVENT_NONE);
    for (int i = 0; i < 10; i++) { /* always late, but it answers: never offline */
        virtual_run(line, line->now_us + SECOND);
        assert_int_equal(rh_schedule_answered(line->schedule, 0, line->now_us), RH_EVENT_NONE);
        assert_false(virtual_state(line, 0)->offline);
    }
    virtual_free(line);
}

static void restart_after_a_lost_port(void **state)
{
    struct virtual_line *line = virtual_new(30);

    (void)state;
    for (uint32_t d = 0; d < 30; d++) {
        virtual_block(line, d, 4, 1000, 10 * MS);
        line->devices[d].dead = d >= 10;
    }
    line->points[4 * 5].refused = true;
    virtual_start(line, 0);
    virtual_run(line, 100 * SECOND);
    assert_int_equal(line->points[4 * 5].unsupported, 1);
    line->devices[1].exception = 6;
    virtual_run(line, 101 * SECOND);
    line->devices[1].exception = 0;
    for (uint32_t d = 0; d < 30; d++)
        line->devices[d].dead = d == 29;
    rh_schedule_restart(line->schedule, line->now_us);
    for (uint32_t d = 0; d < 30; d++)
        assert_true(!virtual_state(line, d)->seen && !virtual_state(line, d)->offline);
    virtual_forget(line);
    virtual_run(line, line->now_us + 2 * SECOND);
    for (uint32_t d = 0; d < 29; d++) { /* also those that had been offline: their answers wait for nobody */
        assert_true(virtual_state(line, d)->seen);
        assert_true(line->points[4 * d + 1].first_us <= line->now_us - SECOND);
    }
    assert_int_equal(line->events[RH_EVENT_ONLINE], 29);
    assert_int_equal(line->events[RH_EVENT_OFFLINE], 1);
    assert_int_equal(line->points[4 * 5].unsupported + line->points[4 * 5].good, 0); /* still set aside */
    virtual_free(line);
}

/* Whatever happens: no busy loop, no forgotten block, and after the storm all rates come back. */
static void storms_pass(void **state)
{
    uint64_t seed = random_seed("storms_pass");

    (void)state;
    for (int round = 0; round < 40; round++) {
        struct virtual_line *line = virtual_new(8);

        for (uint32_t b = 0; b < 16; b++)
            virtual_block(line, b % 8, 1 + (uint32_t)random_below(&seed, 10), b < 13 ? 1000 : 0, 15 * MS);
        virtual_start(line, 0);
        for (int phase = 0; phase < 60; phase++) {
            struct virtual_device *device = &line->devices[random_below(&seed, 8)];

            device->dead = random_below(&seed, 3) == 0;
            device->garbage = random_below(&seed, 3) == 0;
            device->exception = (uint8_t)(random_below(&seed, 3) ? 0 : 4 + random_below(&seed, 8));
            device->closed_until_us = line->now_us + (int64_t)random_below(&seed, 5000) * MS;
            if (random_below(&seed, 10) == 0)
                rh_schedule_restart(line->schedule, line->now_us);
            virtual_run(line, line->now_us + (int64_t)random_below(&seed, 4000) * MS);
        }
        for (uint32_t d = 0; d < 8; d++)
            line->devices[d] = (struct virtual_device){.timeout_us = 500 * MS};
        virtual_run(line, line->now_us + 100 * SECOND);
        virtual_forget(line);
        virtual_run(line, line->now_us + 60 * SECOND);
        for (size_t p = 0; p < line->plan.n_points; p++)
            assert_true(line->points[p].good >= 59 && line->points[p].gap_us <= 2 * SECOND);
        virtual_free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_doubles),
        cmocka_unit_test(dead_devices_cost_little),
        cmocka_unit_test(all_dead_devices_recover),
        cmocka_unit_test(answers_of_a_gateway),
        cmocka_unit_test(late_answers_count),
        cmocka_unit_test(restart_after_a_lost_port),
        cmocka_unit_test(storms_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
