/* SPDX-License-Identifier: MIT */
/*
 * The bytes that wait lie in one block, each with the time it came and its place in the stream:
 *
 *   |.. taken ..|<- framing: looked at ->|<- strip: may still be cut out ->|.. free ..|
 *   0           head                     clear                             tail
 *
 * Without `strip`, clear is tail. The candidate begins at head; it grows until it is judged, and then goes
 * whole (a frame) or by one byte (anything else).
 */
#include "drivers/uart_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "drivers/uart_judge.h"

#define FEED_ROOM 4096
#define KEPT (RH_UART_END_MAX + 4) /* bytes before head that are still looked at: an end mark, *hh and CR */

struct rh_uart_framer {
    const struct rh_uart_framing *framing;
    struct rh_uart_matcher *matcher; /* of strip */
    uint8_t *bytes;
    int64_t *times;
    uint64_t *offsets; /* in the stream, strip and all */
    uint8_t *decoded;
    size_t cap, head, clear, tail;
    size_t searched; /* of the candidate: no end mark begins before */
    size_t garbage;  /* bytes dropped in a row */
    uint64_t offset; /* of the next byte that comes */
    bool failed;     /* the bytes dropped in a row have been counted as a bad frame */
    bool skip_line;  /* an overlong line without a start mark: its end is awaited */
    bool gap;        /* no byte will follow those that are there */
    struct rh_uart_stats stats;
};

int rh_uart_framer_new(const struct rh_uart_framing *framing, struct rh_uart_framer **ret_framer)
{
    struct rh_uart_framer *framer = calloc(1, sizeof *framer);
    if (!framer)
        return -ENOMEM;
    framer->framing = framing;
    framer->cap = 2 * (size_t)framing->max + FEED_ROOM + KEPT;
    framer->bytes = malloc(framer->cap);
    framer->times = malloc(framer->cap * sizeof *framer->times);
    framer->offsets = malloc(framer->cap * sizeof *framer->offsets);
    framer->decoded = malloc((size_t)framing->max);
    framer->matcher = framing->strip ? rh_uart_matcher_new() : NULL;
    if (!framer->bytes || !framer->times || !framer->offsets || !framer->decoded ||
        (framing->strip && !framer->matcher)) {
        rh_uart_framer_free(framer);
        return -ENOMEM;
    }
    *ret_framer = framer;
    return 0;
}

void rh_uart_framer_free(struct rh_uart_framer *framer)
{
    if (!framer)
        return;
    rh_uart_matcher_free(framer->matcher);
    free(framer->bytes);
    free(framer->times);
    free(framer->offsets);
    free(framer->decoded);
    free(framer);
}

void rh_uart_framer_reset(struct rh_uart_framer *framer)
{
    framer->head = framer->clear = framer->tail = 0;
    framer->searched = framer->garbage = 0;
    framer->failed = framer->skip_line = framer->gap = false;
}

const struct rh_uart_stats *rh_uart_framer_stats(const struct rh_uart_framer *framer)
{
    return &framer->stats;
}

/* ---- bytes in ---- */

static void compact(struct rh_uart_framer *framer)
{
    size_t from = framer->head > KEPT ? framer->head - KEPT : 0, n = framer->tail - from;
    memmove(framer->bytes, framer->bytes + from, n);
    memmove(framer->times, framer->times + from, n * sizeof *framer->times);
    memmove(framer->offsets, framer->offsets + from, n * sizeof *framer->offsets);
    framer->head -= from;
    framer->clear -= from;
    framer->tail -= from;
}

/* Takes [start, end) out, counted from clear. */
static void cut_out(struct rh_uart_framer *framer, size_t start, size_t end)
{
    size_t to = framer->clear + start, from = framer->clear + end, n = framer->tail - from;
    memmove(framer->bytes + to, framer->bytes + from, n);
    memmove(framer->times + to, framer->times + from, n * sizeof *framer->times);
    memmove(framer->offsets + to, framer->offsets + from, n * sizeof *framer->offsets);
    framer->tail = to + n;
    framer->clear = to;
}

/* Moves clear on, past what strip does not want; what may be the beginning of it waits, `max` bytes at most.
 */
static void strip(struct rh_uart_framer *framer)
{
    size_t start, end;
    while (framer->framing->strip && framer->clear < framer->tail && !framer->gap) {
        size_t n = framer->tail - framer->clear;
        enum rh_uart_found found = rh_uart_search(framer->matcher, framer->framing->strip,
                                                  framer->bytes + framer->clear, n, &start, &end);
        if (found == RH_UART_NO_MATCH)
            break;
        if (found == RH_UART_MATCHED) {
            cut_out(framer, start, end);
            continue;
        }
        framer->clear += start;
        if (n - start <= (size_t)framer->framing->max)
            return;
        framer->clear++;
    }
    framer->clear = framer->tail;
}

int64_t rh_uart_framer_idle_us(const struct rh_uart_framer *framer)
{
    if (framer->framing->idle_ms == 0 || framer->tail == framer->head)
        return RH_NEVER;
    return framer->times[framer->tail - 1] + framer->framing->idle_ms * 1000;
}

void rh_uart_framer_idle(struct rh_uart_framer *framer)
{
    framer->gap = framer->tail > framer->head;
    if (framer->gap)
        framer->clear = framer->tail;
}

size_t rh_uart_framer_feed(struct rh_uart_framer *framer, const uint8_t *bytes, size_t len, int64_t time_us)
{
    if (!framer->gap && len > 0 && time_us > rh_uart_framer_idle_us(framer))
        rh_uart_framer_idle(framer);
    if (framer->gap)
        return 0;
    if (framer->cap - framer->tail < FEED_ROOM)
        compact(framer);
    size_t room = framer->cap - framer->tail, n = len < room ? len : room;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = framer->framing->decode == RH_UART_DECODE_IEC ? bytes[i] & 0x7F : bytes[i];
        framer->bytes[framer->tail] = byte;
        framer->times[framer->tail] = time_us;
        framer->offsets[framer->tail++] = framer->offset++;
    }
    strip(framer);
    return n;
}

static int digit(uint8_t c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

/* What stands between the marks as bytes; false if it is not pairs of digits. */
static bool decode_hex(struct rh_uart_framer *framer, struct rh_uart_frame *frame)
{
    const uint8_t *at = frame->bytes + frame->start_len;
    size_t digits = frame->text_len - frame->start_len;
    if (frame->text_len < frame->start_len || digits == 0 || digits % 2 != 0)
        return false;
    for (size_t i = 0; i < digits / 2; i++) {
        int high = digit(at[2 * i]), low = digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        framer->decoded[i] = (uint8_t)(high << 4 | low);
    }
    frame->bytes = framer->decoded;
    frame->len = frame->text_len = digits / 2;
    frame->start_len = 0;
    return true;
}

/* Takes doubled escapes out: groups of four, behind the start mark's eight bytes and before the last eight.
 */
static void decode_sml(struct rh_uart_framer *framer, struct rh_uart_frame *frame)
{
    static const uint8_t escape[4] = {0x1B, 0x1B, 0x1B, 0x1B};
    size_t n = 0;
    for (size_t i = 0; i < frame->len; i += 4) {
        size_t group = frame->len - i < 4 ? frame->len - i : 4;
        memcpy(framer->decoded + n, frame->bytes + i, group);
        n += group;
        if (i >= 8 && i + 16 <= frame->len && memcmp(frame->bytes + i, escape, 4) == 0)
            i += 4;
    }
    frame->bytes = framer->decoded;
    frame->len = frame->text_len = n;
}

/* The rest of what makes a frame: its checksum. */
static bool accept(struct rh_uart_framer *framer, struct rh_uart_frame *frame)
{
    const struct rh_uart_framing *framing = framer->framing;
    bool line = framing->end.len == 1 && framing->end.bytes[0] == '\n';
    if (line && frame->text_len > 0 && frame->bytes[frame->text_len - 1] == '\r')
        frame->text_len--;
    if (framing->decode == RH_UART_DECODE_HEX && !decode_hex(framer, frame))
        return false;
    if (!rh_uart_checksum_right(&framing->checksum, frame->bytes, frame->len, frame->text_len))
        return false;
    if (framing->checksum.sum == RH_UART_SUM_NMEA)
        frame->text_len -= strlen("*hh");
    if (framing->decode == RH_UART_DECODE_SML)
        decode_sml(framer, frame);
    return true;
}

/* ---- going on ---- */

static void advance(struct rh_uart_framer *framer, size_t n)
{
    framer->head += n;
    framer->searched = 0;
    if (framer->head == framer->tail)
        framer->gap = false;
}

/* A frame whose beginning was lost shows by its end mark: true if the dropped bytes end with one. Other
 * lines, between those of NMEA, are no frames. */
static bool lost_frame_ended(const struct rh_uart_framer *framer)
{
    const struct rh_uart_framing *framing = framer->framing;
    const uint8_t *head = framer->bytes + framer->head, *text = head - framing->end.len;
    size_t len = framing->end.len;
    if (len == 0 || framing->has_length || framer->garbage < len ||
        memcmp(text, framing->end.bytes, len) != 0)
        return false;
    if (framing->checksum.sum != RH_UART_SUM_NMEA)
        return true;
    text -= framer->garbage > len && text[-1] == '\r';
    return framer->garbage >= (size_t)(head - text) + strlen("*hh") && text[-3] == '*';
}

/* Drops one byte and counts what it was part of, once. */
static void drop(struct rh_uart_framer *framer, bool failed)
{
    if (failed && !framer->failed)
        framer->stats.bad++;
    framer->failed = framer->failed || failed;
    framer->garbage++;
    advance(framer, 1);
    if (!lost_frame_ended(framer))
        return;
    framer->stats.bad += !framer->failed;
    framer->failed = false;
}

/* Longer than max. With a start mark or a checksum a frame may begin at any byte; without, the rest of the
 * line is no line either. */
static void overrun(struct rh_uart_framer *framer)
{
    const struct rh_uart_framing *framing = framer->framing;
    if (!framer->failed)
        framer->stats.overruns++;
    framer->skip_line = framing->n_starts == 0 && framing->checksum.sum == RH_UART_SUM_NONE;
    drop(framer, true);
}

/* Drops up to and with the end of an overlong line; false: it has not come yet. */
static bool skip_line(struct rh_uart_framer *framer)
{
    const struct rh_uart_mark *end = &framer->framing->end;
    size_t n = framer->clear - framer->head, skipped = n;
    const uint8_t *at = framer->bytes + framer->head;
    const uint8_t *found = end->len > 0 ? memmem(at, n, end->bytes, end->len) : NULL;
    bool ended = found || framer->gap;
    if (found)
        skipped = (size_t)(found - at) + end->len;
    else if (!ended && end->len > 1)
        skipped = n >= end->len ? n - end->len + 1 : 0;
    if (ended)
        framer->skip_line = framer->failed = false;
    advance(framer, skipped);
    return ended;
}

static void take(struct rh_uart_framer *framer, size_t n)
{
    framer->garbage = 0;
    framer->failed = false;
    advance(framer, n);
}

/* One step at the candidate: true if it is a frame. *ret_more: more bytes are needed. */
static bool step(struct rh_uart_framer *framer, struct rh_uart_frame *frame, bool *ret_more)
{
    const struct rh_uart_candidate candidate = {.framing = framer->framing,
                                                .at = framer->bytes + framer->head,
                                                .n = framer->clear - framer->head,
                                                .gap = framer->gap,
                                                .searched = &framer->searched};
    *frame = (struct rh_uart_frame){.bytes = candidate.at,
                                    .time_us = framer->times[framer->head],
                                    .offset = framer->offsets[framer->head]};
    enum rh_uart_verdict verdict = rh_uart_judge(&candidate, frame);
    size_t total = frame->len;
    bool whole = verdict == RH_UART_WHOLE && accept(framer, frame);
    *ret_more = verdict == RH_UART_MORE;
    if (whole || verdict == RH_UART_EMPTY)
        take(framer, total);
    else if (verdict == RH_UART_OVERRUN)
        overrun(framer);
    else if (verdict != RH_UART_MORE)
        drop(framer, frame->start_len > 0 || framer->framing->n_starts == 0);
    return whole;
}

bool rh_uart_framer_next(struct rh_uart_framer *framer, struct rh_uart_frame *ret_frame)
{
    while (framer->head < framer->clear) {
        bool more = framer->skip_line && !skip_line(framer), whole = false;
        if (!more && framer->head < framer->clear && !framer->skip_line)
            whole = step(framer, ret_frame, &more);
        framer->stats.frames += whole;
        if (whole || more)
            return whole;
    }
    return false;
}
