/* SPDX-License-Identifier: MIT */
/*
 * uart_frame.h - a stream of bytes in, whole frames with a right checksum out. Pure.
 *
 *   garbage | start …………………… end trailer | start …
 *             |<- text ->|                    without end mark and trailer
 *             |<------- frame, at most max ------->|
 *
 * Invariant: what comes out depends on the bytes alone, not on how they are cut into feeds. Whenever a
 * frame fails (checksum, length, end mark), one byte of it is dropped and the search goes on behind
 * that, so that a valid frame is found within `max` bytes of any garbage.
 */
#ifndef RH_DRIVERS_UART_FRAME_H
#define RH_DRIVERS_UART_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "drivers/uart_checksum.h"
#include "drivers/uart_regex.h"

#define RH_UART_START_MAX 8
#define RH_UART_STARTS_MAX 4
#define RH_UART_END_MAX 15
#define RH_UART_FRAME_MAX 65536

struct rh_uart_mark {
    uint8_t len;
    uint8_t bytes[RH_UART_END_MAX];
};

/* What the frame itself says of its length. */
struct rh_uart_length {
    uint8_t size; /* bytes of the field; 0: the length is `plus` */
    bool little;
    uint32_t at;
    int64_t plus;
};

enum rh_uart_decode {
    RH_UART_DECODE_NONE,
    RH_UART_DECODE_HEX, /* between the marks stand hexadecimal digits: the frame is their bytes */
    RH_UART_DECODE_SML, /* SML transport 1.0: 1b1b1b1b escapes, the end stands at a multiple of four */
    RH_UART_DECODE_IEC, /* seven bits: the top bit of each byte is parity and is cleared */
};

struct rh_uart_framing {
    struct rh_uart_mark starts[RH_UART_STARTS_MAX]; /* one of these; none: a frame begins behind the last */
    size_t n_starts;
    struct rh_uart_mark end; /* len 0: none */
    bool has_length;
    struct rh_uart_length length;
    size_t trailer;    /* bytes behind the end mark */
    bool trailer_line; /* the rest of the line behind the end mark */
    int64_t idle_ms;   /* a gap that ends a frame; 0: none */
    int64_t max;
    int decode;                        /* enum rh_uart_decode */
    const struct rh_uart_regex *strip; /* taken out of the stream before; NULL: nothing */
    struct rh_uart_checksum checksum;
};

/* One frame; its bytes belong to the framer until the next call. */
struct rh_uart_frame {
    const uint8_t *bytes;
    size_t len;
    size_t text_len;  /* without end mark and trailer, the carriage return before a line feed, NMEA's *hh */
    size_t start_len; /* of the start mark */
    int64_t time_us;  /* of its first byte */
    uint64_t offset;  /* of its first byte in the stream */
};

struct rh_uart_stats {
    uint64_t frames;
    uint64_t bad;      /* frames that failed: a run of failures counts once */
    uint64_t overruns; /* of them, longer than `max` */
};

struct rh_uart_framer;

/* The framing is borrowed. 0 or -ENOMEM. */
RH_MUST_USE int rh_uart_framer_new(const struct rh_uart_framing *framing, struct rh_uart_framer **ret_framer);
void rh_uart_framer_free(struct rh_uart_framer *framer);
/* Forgets all bytes that are no frame yet. */
void rh_uart_framer_reset(struct rh_uart_framer *framer);

/* Takes bytes that were received at `time_us` and returns how many it had room for, at least one once
 * rh_uart_framer_next has said false, except behind a gap: then 0, once, to let what stands before it out. */
size_t rh_uart_framer_feed(struct rh_uart_framer *framer, const uint8_t *bytes, size_t len, int64_t time_us);
/* No byte came for the framing's `idle`, or none will ever come: what is there is complete or garbage. */
void rh_uart_framer_idle(struct rh_uart_framer *framer);
/* The next frame; false: more bytes are needed. */
bool rh_uart_framer_next(struct rh_uart_framer *framer, struct rh_uart_frame *ret_frame);
/* When the gap that rh_uart_framer_idle tells of will have come; RH_NEVER if no byte waits for it. */
int64_t rh_uart_framer_idle_us(const struct rh_uart_framer *framer);

const struct rh_uart_stats *rh_uart_framer_stats(const struct rh_uart_framer *framer);

/* True if the same bytes give the same frames. */
bool rh_uart_framing_equal(const struct rh_uart_framing *a, const struct rh_uart_framing *b);

#endif
