/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - which block of a line is polled next. Pure: time is an argument, nothing is read or sent.
 *
 * Every periodic block has a release grid r = phase + k * period and a deadline one period later; the
 * released block with the earliest deadline goes first. Blocks at `interval = fastest` fill the line,
 * round robin, whenever nothing else is due, and have 5 % of it when something always is. A device that does
 * not answer is backed off: one probe (its cheapest block) after 1, 2, 4, 8, 10, 10 … s, and probes together
 * take at most 3 % of the line's time. A block that the device refuses is halved until only the refused
 * points stand alone.
 */
#ifndef RH_GATEWAY_SCHEDULE_H
#define RH_GATEWAY_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/driver.h"

/* A point that is refused for good is asked again after this. */
#define RH_UNSUPPORTED_RETRY_US (INT64_C(600) * 1000000)

struct rh_schedule;

enum rh_pick_kind { RH_PICK_WAIT, RH_PICK_POLL, RH_PICK_PROBE };

struct rh_pick {
    enum rh_pick_kind kind;
    uint32_t slot;    /* of the block to poll */
    int64_t until_us; /* WAIT: when to ask again */
};

/* What a finished poll changed; the poller logs it and tells the points. */
enum rh_poll_event {
    RH_EVENT_NONE,
    RH_EVENT_ONLINE,      /* the device answers (again), be it with an exception: that is acted on when it
                           * comes again, at once */
    RH_EVENT_OFFLINE,     /* the device is backed off from now on */
    RH_EVENT_SPLIT,       /* the block is refused as a whole and has been halved: both come at once */
    RH_EVENT_UNSUPPORTED, /* the block's only point is refused for good */
    RH_EVENT_AGAIN,       /* damaged or busy: the same block comes again within its period */
};

/* Takes over the blocks of `plan` (copied, with room for every split). `split` is the driver's. */
RH_MUST_USE int rh_schedule_new(const struct rh_driver *driver, const struct rh_line_conf *line,
                                const struct rh_plan *plan, int64_t now_us,
                                struct rh_schedule **ret_schedule);
void rh_schedule_free(struct rh_schedule *schedule);

/* All blocks due at once, all devices unknown: after the start and whenever the port is back. */
void rh_schedule_restart(struct rh_schedule *schedule, int64_t now_us);

struct rh_pick rh_schedule_next(struct rh_schedule *schedule, int64_t now_us);
const struct rh_block *rh_schedule_block(const struct rh_schedule *schedule, uint32_t slot);

/* The outcome of what rh_schedule_next said. RH_POLL_LOST is the poller's own affair and not reported. */
enum rh_poll_event rh_schedule_done(struct rh_schedule *schedule, uint32_t slot, enum rh_poll_outcome outcome,
                                    const struct rh_poll_result *result, int64_t now_us);

/* A valid answer of this device came outside of its poll (late). ONLINE or NONE. */
enum rh_poll_event rh_schedule_answered(struct rh_schedule *schedule, uint32_t device, int64_t now_us);

/* This device, which speaks unasked, has been silent for too long. OFFLINE or NONE; what listens to it goes
 * on. */
enum rh_poll_event rh_schedule_silent(struct rh_schedule *schedule, uint32_t device, int64_t now_us);

struct rh_device_state {
    bool seen; /* has ever answered */
    bool offline;
    unsigned failures; /* in a row */
    int64_t since_us;  /* of the present state */
    uint64_t missed;   /* polls not made or failed since it went offline */
};
const struct rh_device_state *rh_schedule_device(const struct rh_schedule *schedule, uint32_t device);

/* Releases that passed unserved since the start; those of offline devices do not count. */
uint64_t rh_schedule_missed(const struct rh_schedule *schedule);

#endif
