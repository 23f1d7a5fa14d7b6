/* SPDX-License-Identifier: MIT */
/*
 * execute.h - carries out the commands of one line, one transaction at a time, on the poller's thread.
 *
 * A write is followed by a read of the same point; what was read back goes into the answer, and into the
 * ordinary readings. A write whose answer was lost is judged by what reads back. After the first point of a
 * command that failed the rest is not tried. Every point is answered exactly once.
 */
#ifndef RH_GATEWAY_EXECUTE_H
#define RH_GATEWAY_EXECUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/command.h"
#include "core/ring.h"
#include "drivers/driver.h"
#include "gateway/outlet.h"

struct rh_execute;

struct rh_execute_options {
    const struct rh_driver *driver;
    const struct rh_line_conf *line;
    struct rh_link *link;
    const struct rh_plan *plan;
    struct rh_ring *commands;                 /* borrowed: who asks, pushes here */
    struct rh_ring *answers[RH_ORIGIN_COUNT]; /* borrowed; NULL: nobody listens */
    const struct rh_outlet *outlet;           /* what is known of the points */
    const struct rh_sink *sink;               /* the poller's own: readings go on to it */
};

RH_MUST_USE int rh_execute_new(const struct rh_execute_options *options, struct rh_execute **ret_execute);
void rh_execute_free(struct rh_execute *execute);

/* Is there something to do now? Takes the next command off the ring when the last is done. */
bool rh_execute_due(struct rh_execute *execute, int64_t now_us);
/* When something will be due that is not yet (a closed unit, a busy device); RH_NEVER if nothing waits. */
int64_t rh_execute_wake_us(const struct rh_execute *execute);

/* One transaction. RH_POLL_LOST when the port went; everything else is the command's own affair. */
enum rh_poll_outcome rh_execute_step(struct rh_execute *execute, struct rh_poll_result *ret_result);

/* The port is not there: everything queued is answered `failed`, code `offline`. */
void rh_execute_refuse_all(struct rh_execute *execute);

#endif
