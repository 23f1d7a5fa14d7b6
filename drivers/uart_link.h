/* SPDX-License-Identifier: MIT */
/*
 * uart_link.h - one open UART line: its streams of frames and the devices that take them.
 *
 *   bytes -> every stream -> frames -> every device of the stream that listens, and the one that was asked
 *
 * Devices whose framing is the same share a stream.
 */
#ifndef RH_DRIVERS_UART_LINK_H
#define RH_DRIVERS_UART_LINK_H

#include "drivers/driver.h"
#include "drivers/line.h"
#include "drivers/uart_decode.h"
#include "drivers/uart_frame.h"
#include "drivers/uart_silence.h"

#define RH_UART_NOBODY UINT32_MAX

struct rh_uart_stream {
    struct rh_uart_framer *framer;
    struct rh_uart_stats counted; /* what of its statistics is in the line's counters */
};

struct rh_uart_unit {
    uint32_t stream;
    struct rh_uart_silence *silences; /* one for each group, own last */
    bool listens;                     /* some group of it speaks unasked */
    bool told_silent;
};

/* The transaction under way. */
struct rh_uart_exchange {
    uint32_t device;   /* that was asked; RH_UART_NOBODY while listening */
    uint8_t request;   /* rh_block.function */
    int64_t period_ms; /* of what is asked for; -1 while listening */
    bool answered;
    size_t bytes, frames, taken; /* since it began */
};

struct rh_link {
    const struct rh_line_conf *conf;
    const struct rh_uart_line *options;
    struct rh_line_counters *counters;
    struct rh_line line;
    struct rh_uart_decoder decoder;
    struct rh_uart_stream *streams;
    size_t n_streams;
    struct rh_uart_unit *units; /* one for each device */
    int64_t *due_us;            /* one for each point: no reading of it before */
    const struct rh_sink *sink;
    struct rh_uart_exchange exchange;
    double char_us;
};

/* rh_block.function: 0 for the device's own request, 1 + g for that of group g. */
uint8_t rh_uart_request_number(const struct rh_device_conf *device, uint32_t group);
/* True if nothing is sent for the points of this group. */
bool rh_uart_unasked(const struct rh_device_conf *device, uint32_t group);
/* Bits of a character on the line by their time. */
double rh_uart_char_us(const struct rh_uart_line *line);
/* How long a listening poll waits at most. */
int64_t rh_uart_slice_us(const struct rh_line_conf *line);

/* uart_plan.c */
int rh_uart_plan(const struct rh_line_conf *line, struct rh_plan *ret_plan);
void rh_uart_split(const struct rh_line_conf *line, const uint32_t *order, const struct rh_block *block,
                   struct rh_block ret_halves[2]);

/* uart_link.c */
int rh_uart_open(const struct rh_line_conf *line, struct rh_line_counters *counters,
                 struct rh_link **ret_link);
void rh_uart_close(struct rh_link *link);
int rh_uart_connect(struct rh_link *link, char *why, size_t cap);
void rh_uart_disconnect(struct rh_link *link);
int rh_uart_watch(struct rh_link *link);

/* uart_deliver.c: takes the frames out of all streams and hands their readings to the sink. */
void rh_uart_deliver(struct rh_link *link, const uint8_t *bytes, size_t n, int64_t time_us);
/* No byte came: what gaps end is complete. */
void rh_uart_deliver_gaps(struct rh_link *link, int64_t now_us);
/* When the next gap will be one; RH_NEVER. */
int64_t rh_uart_next_gap_us(const struct rh_link *link);
/* Tells of groups that have been silent too long; returns when the next may have been. */
int64_t rh_uart_tell_silent(struct rh_link *link, int64_t now_us);

/* uart.c */
enum rh_poll_outcome rh_uart_poll(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                  const struct rh_sink *sink, struct rh_poll_result *ret_result);

#endif
