/* SPDX-License-Identifier: MIT */
#include "tests/unit/gateway/execute_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/clock.h"

struct rh_link {
    struct bench bench;
};

static struct act next_act(struct bench *bench, bool write)
{
    size_t n = write ? bench->n_writes++ : bench->n_reads++;
    struct act none = {0};

    if (bench->act)
        return bench->act(bench, write);
    if (n >= RH_COUNT(bench->writes))
        return none;
    return write ? bench->writes[n] : bench->reads[n];
}

static enum rh_poll_outcome told(const struct act *act, struct rh_poll_result *result)
{
    *result = (struct rh_poll_result){
        .exception = act->exception, .error = -5, .closed_until_us = act->closed_us, .turnaround_us = -1};
    return act->outcome;
}

static void say(const struct rh_sink *sink, uint32_t point, int64_t value, uint8_t quality)
{
    struct rh_reading reading = {.point = point, .quality = quality, .mono_us = rh_mono_us(), .wall_ms = 1};

    if (quality == RH_GOOD)
        reading.value = (struct rh_value){.kind = RH_VALUE_I64, .i64 = value};
    sink->reading(sink->context, &reading);
}

static enum rh_poll_outcome do_write(struct rh_link *link, const struct rh_command_value *values, size_t n,
                                     const struct rh_sink *sink, size_t *ret_taken,
                                     struct rh_poll_result *ret_result)
{
    struct bench *bench = &link->bench;
    struct act act = next_act(bench, true);

    *ret_taken = n < bench->take ? n : bench->take;
    if (act.late)
        say(sink, values[0].point, *act.late, RH_GOOD);
    for (size_t i = 0; i < *ret_taken && (act.outcome == RH_POLL_OK || act.done); i++)
        bench->value[values[i].point] = values[i].value.i64;
    return told(&act, ret_result);
}

static enum rh_poll_outcome do_poll(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                    const struct rh_sink *sink, struct rh_poll_result *ret_result)
{
    struct act act = next_act(&link->bench, false);
    uint32_t point = order[block->first];

    if (act.late)
        say(sink, point, *act.late, RH_GOOD);
    if (act.outcome == RH_POLL_OK)
        say(sink, point, link->bench.value[point], act.quality);
    return told(&act, ret_result);
}

static void single(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                   struct rh_block *ret_block)
{
    *ret_block = (struct rh_block){.device = line->points[order[at]].device, .first = at, .count = 1};
}

static const struct rh_driver driver = {.poll = do_poll, .single = single, .write = do_write};

static void sink_reading(void *context, const struct rh_reading *reading)
{
    struct bench *bench = context;

    rh_outlet_reading(&bench->outlet, reading);
}

static void sink_late(void *context, const struct rh_block *block)
{
    (void)context;
    (void)block;
}

static void sink_heard(void *context, uint32_t device)
{
    (void)context;
    (void)device;
}

struct bench *bench_new(void)
{
    struct rh_link *link = calloc(1, sizeof(*link));
    struct bench *bench = &link->bench;

    assert_non_null(link);
    bench->line = home_line(2, BENCH_POINTS / 2);
    bench->take = 1;
    /* The plan's order is not that of the points. */
    bench->plan.n_points = BENCH_POINTS;
    bench->plan.order = calloc(BENCH_POINTS, sizeof(uint32_t));
    for (uint32_t i = 0; i < BENCH_POINTS; i++) {
        bench->plan.order[i] = BENCH_POINTS - 1 - i;
        home_point(bench->line, i)->scale = (struct rh_decimal){1, 0};
        home_point(bench->line, i)->writable = true;
    }
    bench->sink = (struct rh_sink){
        .context = bench, .wake = -1, .heard = sink_heard, .reading = sink_reading, .late = sink_late};
    assert_int_equal(rh_ring_new(1 << 20, -1, &bench->commands), 0);
    assert_int_equal(rh_ring_new(1 << 20, -1, &bench->readings), 0);
    for (size_t i = 0; i < RH_ORIGIN_COUNT; i++)
        assert_int_equal(rh_ring_new(1 << 20, -1, &bench->answers[i]), 0);
    assert_int_equal(rh_outlet_init(&bench->outlet, bench->line, bench->readings, &bench->counted), 0);
    struct rh_execute_options options = {.driver = &driver,
                                         .line = bench->line,
                                         .link = link,
                                         .plan = &bench->plan,
                                         .commands = bench->commands,
                                         .answers = {bench->answers[0], bench->answers[1]},
                                         .outlet = &bench->outlet,
                                         .sink = &bench->sink};
    assert_int_equal(rh_execute_new(&options, &bench->execute), 0);
    return bench;
}

void bench_free(struct bench *bench)
{
    rh_execute_free(bench->execute);
    rh_outlet_fini(&bench->outlet);
    rh_ring_free(bench->commands);
    rh_ring_free(bench->readings);
    for (size_t i = 0; i < RH_ORIGIN_COUNT; i++)
        rh_ring_free(bench->answers[i]);
    home_line_free(bench->line);
    free(bench->plan.order);
    free(bench); /* the link's only member */
}

uint64_t bench_command(struct bench *bench, const struct rh_command *command)
{
    struct rh_command copy = *command;

    copy.serial = ++bench->serial;
    assert_true(rh_ring_offer(bench->commands, &copy, rh_command_size(&copy)));
    return copy.serial;
}

uint64_t bench_set(struct bench *bench, int64_t (*pairs)[2], uint16_t n)
{
    struct rh_command command = {.kind = RH_COMMAND_SET, .n = n, .expires_us = RH_NEVER};

    for (uint16_t i = 0; i < n; i++) {
        command.values[i].point = (uint32_t)pairs[i][0];
        command.values[i].value = (struct rh_value){.kind = RH_VALUE_I64, .i64 = pairs[i][1]};
    }
    return bench_command(bench, &command);
}

uint64_t bench_get(struct bench *bench, const uint32_t *points, uint16_t n)
{
    struct rh_command command = {.kind = RH_COMMAND_GET, .n = n, .expires_us = RH_NEVER};

    for (uint16_t i = 0; i < n; i++)
        command.values[i].point = points[i];
    return bench_command(bench, &command);
}

void bench_known(struct bench *bench, uint32_t point, int64_t value)
{
    bench->value[point] = value;
    say(&bench->sink, point, value, RH_GOOD);
}

void bench_take(struct bench *bench)
{
    for (size_t i = 0; i < RH_ORIGIN_COUNT; i++) {
        while (bench->n_got < BENCH_ANSWERS &&
               rh_ring_pop(bench->answers[i], &bench->got[bench->n_got], sizeof(bench->got[0])) > 0)
            bench->n_got++;
    }
}

bool bench_run(struct bench *bench)
{
    struct rh_poll_result result;
    bool lost = false;

    while (!lost && rh_execute_due(bench->execute, rh_mono_us()))
        lost = rh_execute_step(bench->execute, &result) == RH_POLL_LOST;
    bench_take(bench);
    return !lost;
}

void bench_expect(struct bench *bench, size_t at, uint32_t point, enum rh_command_status status,
                  enum rh_command_code code)
{
    const struct rh_answer *answer = &bench->got[at];

    assert_true(at < bench->n_got);
    if (answer->point != point || answer->status != (uint8_t)status || answer->code != (uint8_t)code)
        fail_msg("answer %zu: point %u status %u code %u, expected %u %u %u", at, answer->point,
                 answer->status, answer->code, point, status, code);
}
