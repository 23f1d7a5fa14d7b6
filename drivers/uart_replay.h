/* SPDX-License-Identifier: MIT */
/*
 * uart_replay.h - recorded bytes of one device decoded as they would be on the line: no port, no clock.
 *
 * Groups that are asked for count like those that speak unasked: a recording holds answers as well.
 */
#ifndef RH_DRIVERS_UART_REPLAY_H
#define RH_DRIVERS_UART_REPLAY_H

#include "config/config.h"
#include "core/reading.h"

struct rh_uart_replay;

/* One accepted frame; group -1: no group of the device takes it, and it has no readings. */
struct rh_uart_replayed {
    uint64_t frame;  /* from 0 */
    uint64_t offset; /* of its first byte in the recording */
    int64_t time_us;
    int group;
    const struct rh_reading *readings;
    size_t n;
};

struct rh_uart_replay_counts {
    uint64_t frames, bad, unmatched;
};

/* The device is borrowed, and must be one of the driver uart. 0 or -ENOMEM. */
RH_MUST_USE int rh_uart_replay_new(const struct rh_device_conf *device,
                                   void (*on_frame)(void *context, const struct rh_uart_replayed *frame),
                                   void *context, struct rh_uart_replay **ret_replay);
void rh_uart_replay_free(struct rh_uart_replay *replay);

/* Bytes that came at a time; all times may be 0 where they are not known. */
void rh_uart_replay_feed(struct rh_uart_replay *replay, const uint8_t *bytes, size_t n, int64_t time_us);
/* The recording ends here. */
struct rh_uart_replay_counts rh_uart_replay_end(struct rh_uart_replay *replay);

#endif
