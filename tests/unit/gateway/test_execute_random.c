/* SPDX-License-Identifier: MIT */
/* Whatever the line does: every point of every command is answered exactly once, in order, to the one who
 * asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/clock.h"
#include "tests/unit/gateway/execute_bench.h"
#include "tests/unit/random.h"

#define COMMANDS 600

static struct act any(struct bench *bench, bool write)
{
    static const enum rh_poll_outcome outcomes[] = {RH_POLL_OK,     RH_POLL_OK,        RH_POLL_OK,
                                                    RH_POLL_OK,     RH_POLL_TIMEOUT,   RH_POLL_GARBAGE,
                                                    RH_POLL_CLOSED, RH_POLL_EXCEPTION, RH_POLL_LOST};
    static const uint8_t exceptions[] = {2, 4, 5, 6, 10, 11};
    static const int64_t stale = -77;
    struct act act = {.outcome = outcomes[random_below(&bench->random, RH_COUNT(outcomes))]};

    if (act.outcome == RH_POLL_EXCEPTION)
        act.exception = exceptions[random_below(&bench->random, RH_COUNT(exceptions))];
    if (act.outcome == RH_POLL_LOST && random_below(&bench->random, 4) > 0)
        act.outcome = RH_POLL_OK;
    bool may_be_done = act.outcome != RH_POLL_CLOSED && act.outcome != RH_POLL_EXCEPTION;
    act.done = write && may_be_done && random_below(&bench->random, 2) == 0;
    act.quality = random_below(&bench->random, 10) ? RH_GOOD : RH_INVALID;
    act.closed_us = rh_mono_us();
    act.late = random_below(&bench->random, 6) ? NULL : &stale;
    bench->take = 1 + (size_t)random_below(&bench->random, 4);
    return act;
}

static struct rh_command any_command(struct bench *bench)
{
    struct rh_command command = {.kind = random_below(&bench->random, 3) ? RH_COMMAND_SET : RH_COMMAND_GET,
                                 .origin = (uint8_t)random_below(&bench->random, RH_ORIGIN_COUNT),
                                 .n = (uint16_t)random_below(&bench->random, BENCH_POINTS + 1),
                                 .more = random_below(&bench->random, 10) == 0,
                                 .expires_us =
                                     random_below(&bench->random, 8) ? RH_NEVER : rh_mono_us() + 50};
    uint32_t first = (uint32_t)random_below(&bench->random, BENCH_POINTS);

    for (uint32_t i = 0; i < command.n; i++) {
        command.values[i].point = (first + i) % BENCH_POINTS;
        command.values[i].value =
            (struct rh_value){.kind = RH_VALUE_I64, .i64 = (int64_t)random_below(&bench->random, 100)};
    }
    return command;
}

/* The next answer of this origin must be this one. */
static void expect_next(struct bench *bench, const struct rh_command *command, uint64_t serial, uint16_t i)
{
    struct rh_answer answer;

    assert_true(rh_ring_pop(bench->answers[command->origin], &answer, sizeof(answer)) > 0);
    assert_int_equal(answer.serial, serial);
    assert_int_equal(answer.point, command->values[i].point);
    assert_int_equal(answer.last, i + 1 == command->n && !command->more);
    assert_int_equal(answer.reading.point, answer.point);
    if (answer.reading.quality == RH_GOOD)
        assert_int_not_equal(answer.reading.value.i64, -77);
    if (command->kind == RH_COMMAND_SET && answer.status == RH_STATUS_OK && answer.code == RH_CODE_NONE &&
        bench->line->points[answer.point].verify)
        assert_int_equal(answer.reading.value.i64, command->values[i].value.i64);
}

static void expect_answers(struct bench *bench, const struct rh_command *command, uint64_t serial)
{
    for (uint16_t i = 0; i < command->n; i++)
        expect_next(bench, command, serial, i);
}

static void each_once(void **state)
{
    struct bench *bench = bench_new();
    static struct rh_command asked[COMMANDS];
    size_t checked = 0, n = 0;

    (void)state;
    bench->random = random_seed("each_once");
    bench->act = any;
    for (uint32_t p = 0; p < BENCH_POINTS; p++)
        home_point(bench->line, p)->verify = p % 2;
    while (checked < COMMANDS) {
        for (uint64_t more = random_below(&bench->random, 4); more > 0 && n < COMMANDS; more--) {
            asked[n] = any_command(bench);
            assert_int_equal(bench_command(bench, &asked[n]), n + 1);
            n++;
        }
        struct rh_poll_result result;
        for (uint64_t steps = random_below(&bench->random, 30); steps > 0; steps--)
            if (rh_execute_due(bench->execute, rh_mono_us() + 10000000))
                rh_execute_step(bench->execute, &result);
        if (random_below(&bench->random, 8) == 0)
            rh_execute_refuse_all(bench->execute);
        if (n < COMMANDS || rh_execute_wake_us(bench->execute) != RH_NEVER ||
            rh_execute_due(bench->execute, rh_mono_us()))
            continue;
        for (; checked < n; checked++)
            expect_answers(bench, &asked[checked], checked + 1);
    }
    bench_take(bench);
    assert_int_equal(bench->n_got, 0); /* nothing is left over */
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
