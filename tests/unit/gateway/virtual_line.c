/* SPDX-License-Identifier: MIT */
#include "tests/unit/gateway/virtual_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/clock.h"

/* Half of the points, half of the cost: a driver would measure. */
static void split(const struct rh_line_conf *line, const uint32_t *order, const struct rh_block *block,
                  struct rh_block ret_halves[2])
{
    (void)line;
    (void)order;
    ret_halves[0] = ret_halves[1] = *block;
    ret_halves[0].count = block->count / 2;
    ret_halves[1].first += ret_halves[0].count;
    ret_halves[1].count -= ret_halves[0].count;
    ret_halves[0].cost_us = block->cost_us / 2 + 1;
    ret_halves[1].cost_us = block->cost_us / 2 + 2;
}

static const struct rh_driver driver = {.split = split};

struct virtual_line *virtual_new(uint32_t n_devices)
{
    struct virtual_line *line = calloc(1, sizeof(*line));

    assert_non_null(line);
    line->points = calloc(VIRTUAL_POINTS, sizeof(*line->points));
    line->plan.blocks = calloc(VIRTUAL_POINTS, sizeof(*line->plan.blocks));
    line->plan.order = calloc(VIRTUAL_POINTS, sizeof(*line->plan.order));
    assert_true(line->points && line->plan.blocks && line->plan.order && n_devices <= VIRTUAL_DEVICES);
    line->conf.devices = line->confs;
    line->conf.n_devices = n_devices;
    for (uint32_t d = 0; d < n_devices; d++)
        line->devices[d].timeout_us = 500 * MS;
    return line;
}

void virtual_free(struct virtual_line *line)
{
    rh_schedule_free(line->schedule);
    rh_plan_fini(&line->plan);
    free(line->points);
    free(line);
}

uint32_t virtual_block(struct virtual_line *line, uint32_t device, uint32_t count, int64_t period_ms,
                       int64_t cost_us)
{
    struct rh_plan *plan = &line->plan;
    uint32_t first = (uint32_t)plan->n_points;

    assert_true(first + count <= VIRTUAL_POINTS);
    for (uint32_t i = 0; i < count; i++)
        plan->order[first + i] = first + i;
    plan->n_points += count;
    plan->blocks[plan->n_blocks++] = (struct rh_block){.device = device,
                                                       .first = first,
                                                       .count = count,
                                                       .period_ms = period_ms,
                                                       .class_ = RH_CLASS_NORMAL,
                                                       .cost_us = cost_us};
    return first;
}

void virtual_start(struct virtual_line *line, int64_t now_us)
{
    line->now_us = line->origin_us = now_us;
    assert_int_equal(rh_schedule_new(&driver, &line->conf, &line->plan, now_us, &line->schedule), 0);
}

double virtual_load(const struct virtual_line *line)
{
    double load = 0;

    for (size_t b = 0; b < line->plan.n_blocks; b++) {
        const struct rh_block *block = &line->plan.blocks[b];
        if (block->period_ms != RH_PERIOD_FASTEST)
            load += (double)block->cost_us / 1000 / (double)block->period_ms;
    }
    return load;
}

static bool any_refused(const struct virtual_line *line, const struct rh_block *block)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (line->points[block->first + i].refused)
            return true;
    return false;
}

static void note_good(struct virtual_line *line, const struct rh_block *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        struct virtual_point *point = &line->points[block->first + i];

        if (point->good++ == 0)
            point->first_us = line->now_us;
        else if (line->now_us - point->last_us > point->gap_us)
            point->gap_us = line->now_us - point->last_us;
        point->last_us = line->now_us;
    }
}

/* What the device makes of the request, and how long that takes. */
static enum rh_poll_outcome ask(struct virtual_line *line, const struct rh_block *block,
                                struct rh_poll_result *result)
{
    const struct virtual_device *device = &line->devices[block->device];

    if (device->closed_until_us > line->now_us) {
        result->closed_until_us = device->closed_until_us;
        return RH_POLL_CLOSED;
    }
    int64_t took_us = device->dead ? device->timeout_us : block->cost_us;
    line->now_us += took_us;
    line->busy_us += took_us;
    if (device->dead) {
        line->dead_us += took_us;
        return RH_POLL_TIMEOUT;
    }
    if (device->garbage)
        return RH_POLL_GARBAGE;
    result->exception = device->exception ? device->exception : any_refused(line, block) ? 2 : 0;
    return result->exception ? RH_POLL_EXCEPTION : RH_POLL_OK;
}

static void note(struct virtual_line *line, const struct virtual_step *step, uint64_t outcome)
{
    const uint64_t words[] = {(uint64_t)(step->start_us - line->origin_us),
                              step->device,
                              step->first,
                              step->count,
                              outcome,
                              (uint64_t)step->event};

    for (size_t i = 0; i < RH_COUNT(words); i++)
        line->trace = (line->trace ^ words[i]) * UINT64_C(1099511628211) + i;
    line->steps[line->reads++ % VIRTUAL_STEPS] = *step;
    line->events[step->event]++;
}

bool virtual_step(struct virtual_line *line, int64_t until_us)
{
    if (line->now_us >= until_us)
        return false;
    struct rh_pick pick = rh_schedule_next(line->schedule, line->now_us);
    if (pick.kind == RH_PICK_WAIT) {
        assert_true(pick.until_us > line->now_us); /* else the poller would spin */
        line->now_us = pick.until_us < until_us ? pick.until_us : until_us;
        return true;
    }
    struct rh_block block = *rh_schedule_block(line->schedule, pick.slot);
    struct rh_poll_result result = {.start_us = line->now_us};
    struct virtual_step step = {.start_us = line->now_us,
                                .device = block.device,
                                .first = block.first,
                                .count = block.count,
                                .kind = pick.kind};
    enum rh_poll_outcome outcome = ask(line, &block, &result);
    result.end_us = line->now_us;
    step.event = rh_schedule_done(line->schedule, pick.slot, outcome, &result, line->now_us);
    if (outcome == RH_POLL_OK)
        note_good(line, &block);
    if (step.event == RH_EVENT_UNSUPPORTED)
        line->points[block.first].unsupported++;
    note(line, &step, outcome);
    return true;
}

void virtual_run(struct virtual_line *line, int64_t until_us)
{
    while (virtual_step(line, until_us))
        continue;
}

const struct virtual_step *virtual_last(const struct virtual_line *line)
{
    assert_true(line->reads > 0);
    return &line->steps[(line->reads - 1) % VIRTUAL_STEPS];
}

void virtual_forget(struct virtual_line *line)
{
    line->busy_us = line->dead_us = 0;
    line->reads = 0;
    for (size_t i = 0; i < RH_COUNT(line->events); i++)
        line->events[i] = 0;
    for (size_t p = 0; p < line->plan.n_points; p++) {
        bool refused = line->points[p].refused;
        line->points[p] = (struct virtual_point){.refused = refused};
    }
}

const struct rh_device_state *virtual_state(const struct virtual_line *line, uint32_t device)
{
    return rh_schedule_device(line->schedule, device);
}

const struct virtual_step *virtual_next(struct virtual_line *line, uint32_t device, int64_t until_us)
{
    uint64_t reads = line->reads;

    while (virtual_step(line, until_us))
        if (line->reads > reads) {
            reads = line->reads;
            if (virtual_last(line)->device == device)
                return virtual_last(line);
        }
    fail_msg("device %u was not asked until %lld us", device, (long long)until_us);
    return NULL;
}
