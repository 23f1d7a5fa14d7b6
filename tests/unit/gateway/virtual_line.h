/* SPDX-License-Identifier: MIT */
/*
 * virtual_line.h - a line of simulated devices on virtual time, driven by the schedule under test.
 *
 * Every block costs what its plan says; a device that does not answer costs its timeout. What happened is
 * told per point (first, last, count, longest gap between good answers) and as a hash of the whole trace.
 */
#ifndef RH_TESTS_UNIT_GATEWAY_VIRTUAL_LINE_H
#define RH_TESTS_UNIT_GATEWAY_VIRTUAL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/schedule.h"

#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define VIRTUAL_POINTS 20000
#define VIRTUAL_DEVICES 1024
#define VIRTUAL_STEPS 64

/* What a device does instead of answering; zero-initialised: it answers. */
struct virtual_device {
    bool dead;
    int64_t timeout_us;
    uint8_t exception; /* to every request */
    bool garbage;
    int64_t closed_until_us; /* it owes an answer until then */
};

struct virtual_point {
    bool refused; /* exception 2 to every block that holds it */
    uint64_t good, unsupported;
    int64_t first_us, last_us, gap_us; /* of good answers, at their end */
};

struct virtual_step {
    int64_t start_us;
    uint32_t device;
    uint32_t first, count;
    enum rh_pick_kind kind;
    enum rh_poll_event event;
};

struct virtual_line {
    struct rh_line_conf conf;
    struct rh_plan plan;
    struct rh_schedule *schedule;
    struct rh_device_conf confs[VIRTUAL_DEVICES];
    struct virtual_device devices[VIRTUAL_DEVICES];
    struct virtual_point *points;
    int64_t origin_us, now_us;
    int64_t busy_us, dead_us;                   /* in transactions; of these with devices that are dead */
    uint64_t reads, events[RH_EVENT_AGAIN + 1]; /* how many of each */
    uint64_t trace; /* hash of what was asked when, counted from the start, and what came of it */
    struct virtual_step steps[VIRTUAL_STEPS]; /* the last ones, the newest at (reads - 1) % VIRTUAL_STEPS */
};

struct virtual_line *virtual_new(uint32_t n_devices);
void virtual_free(struct virtual_line *line);

/* Adds a block of `count` points; returns the index of its first point. Before virtual_start. */
uint32_t virtual_block(struct virtual_line *line, uint32_t device, uint32_t count, int64_t period_ms,
                       int64_t cost_us);
void virtual_start(struct virtual_line *line, int64_t now_us);
/* One transaction, or the wait for the next; false if the time is over. */
bool virtual_step(struct virtual_line *line, int64_t until_us);
void virtual_run(struct virtual_line *line, int64_t until_us);
const struct virtual_step *virtual_last(const struct virtual_line *line);
/* Runs up to the next transaction with this device; the test fails if none comes until then. */
const struct virtual_step *virtual_next(struct virtual_line *line, uint32_t device, int64_t until_us);
const struct rh_device_state *virtual_state(const struct virtual_line *line, uint32_t device);
/* Forgets the counts and gaps, not the state. */
void virtual_forget(struct virtual_line *line);

/* Share of the line that the periodic blocks ask for. */
double virtual_load(const struct virtual_line *line);

#endif
