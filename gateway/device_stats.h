/* SPDX-License-Identifier: MIT */
/*
 * device_stats.h - what a poller counts of each device: outcomes, the time of the last good answer, and how
 * long the device takes to answer. Written by the poller's thread, read by anyone (relaxed atomics).
 */
#ifndef RH_GATEWAY_DEVICE_STATS_H
#define RH_GATEWAY_DEVICE_STATS_H

#include <stdint.h>

#include "core/counter.h"
#include "drivers/driver.h"

#define RH_TURNAROUND_BUCKETS 48

enum rh_device_known { RH_DEVICE_UNKNOWN, RH_DEVICE_OFFLINE, RH_DEVICE_ONLINE };

struct rh_device_stats {
    rh_counter ok, timeouts, crc, exceptions;
    rh_gauge known;                               /* enum rh_device_known */
    rh_gauge last_ok_us;                          /* monotonic; 0: never */
    rh_counter turnaround[RH_TURNAROUND_BUCKETS]; /* bucket i: up to 0.1 ms * 1.25^i */
};

/* Why a device counts as offline, for people. */
const char *rh_poll_failure_text(enum rh_poll_outcome outcome);

/* Counts one finished transaction. */
void rh_device_stats_add(struct rh_device_stats *stats, enum rh_poll_outcome outcome,
                         const struct rh_poll_result *result, int64_t now_us);

/* The turnaround, in milliseconds, that `share` (0..1) of the answers did not exceed; negative: none
 * measured. Right to a quarter. */
double rh_device_stats_turnaround_ms(const struct rh_device_stats *stats, double share);

#endif
