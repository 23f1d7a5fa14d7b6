/* SPDX-License-Identifier: MIT */
/*
 * poller.h - one thread per line: it owns the line's driver link and schedule, polls what is due, filters
 * the readings and pushes them into the line's ring for the keeper.
 *
 * The thread is a shell around rh_poller_step. Created, started, stopped and freed by the main thread.
 */
#ifndef RH_GATEWAY_POLLER_H
#define RH_GATEWAY_POLLER_H

#include <stdint.h>

#include "config/config.h"
#include "core/command.h"
#include "core/counter.h"
#include "core/ring.h"
#include "drivers/driver.h"
#include "gateway/device_stats.h"

struct rh_poller;

/* What others may read of a poller while it runs. */
struct rh_poller_view {
    struct rh_line_counters line;
    rh_counter polls, readings, missed, commands;
    rh_gauge beat_us;   /* when the thread last came round */
    rh_gauge connected; /* the port or session is open */
    rh_gauge devices_online;
    struct rh_device_stats *devices; /* one per device of the line */
};

struct rh_poller_options {
    const struct rh_line_conf *line;
    struct rh_ring *ring;                     /* readings and device states, to the keeper */
    struct rh_ring *answers[RH_ORIGIN_COUNT]; /* to those who command; NULL: nobody */
};

/* What the options point to is borrowed until rh_poller_free. 0, -ENOMEM, or what the driver's plan failed
 * with. */
RH_MUST_USE int rh_poller_new(const struct rh_poller_options *options, struct rh_poller **ret_poller);
void rh_poller_free(struct rh_poller *poller); /* stops it first */

RH_MUST_USE int rh_poller_start(struct rh_poller *poller);
/* Asks the thread to end after its present transaction; rh_poller_free waits for it. */
void rh_poller_stop(struct rh_poller *poller);

/* Any thread: queues a command for the line; false when its queue is full. */
RH_MUST_USE bool rh_poller_command(struct rh_poller *poller, const struct rh_command *command);

const struct rh_poller_view *rh_poller_view(const struct rh_poller *poller);
const struct rh_line_conf *rh_poller_line(const struct rh_poller *poller);

#endif
