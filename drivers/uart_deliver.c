/* SPDX-License-Identifier: MIT */
/*
 * Frames to those whom they concern. A frame concerns a device that listens, if one of its groups without a
 * request takes it, and the device that has been asked. What nobody takes is counted, and is no error.
 */
#include "core/clock.h"
#include "drivers/uart_link.h"

#define OFFLINE_AFTER 3 /* times what makes its values stale */

/* `every` of a point: at most one reading in a period, on a grid that forgives an eighth of jitter. What is
 * asked for as often as that is due whenever it is asked for. */
static bool due(struct rh_link *link, const struct rh_point *point, int64_t now_us)
{
    int64_t period_us = point->period_ms * 1000, *due_us = &link->due_us[point->index];
    if (period_us == 0 || point->period_ms == link->exchange.period_ms)
        return true;
    if (now_us < *due_us - period_us / 8)
        return false;
    bool afresh = *due_us == 0 || now_us > *due_us + period_us;
    *due_us = (afresh ? now_us : *due_us) + period_us;
    return true;
}

static void hand_over(struct rh_link *link, const struct rh_device_conf *device, uint32_t group,
                      const struct rh_uart_frame *frame)
{
    int64_t wall_ms = rh_wall_of(frame->time_us);
    for (uint32_t i = 0; i < device->n_points; i++) {
        const struct rh_point *point = &link->conf->points[device->first_point + i];
        const struct rh_uart_field *field = point->address;
        struct rh_reading reading;
        if (field->group != group || !rh_uart_decode_point(&link->decoder, point, frame, &reading) ||
            !due(link, point, frame->time_us))
            continue;
        reading.wall_ms = wall_ms;
        reading.mono_us = frame->time_us;
        link->sink->reading(link->sink->context, &reading);
    }
}

/* The last frame of the answer: the one that is asked for, or the first. */
static bool ends_answer(struct rh_link *link, const struct rh_device_conf *device,
                        const struct rh_uart_frame *frame)
{
    const struct rh_uart_device *options = device->options;
    return !options->until ||
           rh_uart_matches(link->decoder.own, options->until, frame->bytes, frame->text_len);
}

static void heard(struct rh_link *link, uint32_t d, uint32_t group, int64_t time_us)
{
    link->units[d].told_silent = false;
    rh_uart_silence_heard(&link->units[d].silences[group], time_us);
    link->sink->heard(link->sink->context, d);
}

/* What a frame of a group means to its device; false if the device does not wait for it. */
static bool accept(struct rh_link *link, uint32_t d, uint32_t group, bool asked, bool last, int64_t time_us)
{
    const struct rh_device_conf *device = &link->conf->devices[d];
    if (rh_uart_unasked(device, group)) {
        heard(link, d, group, time_us);
        return true;
    }
    if (asked && last && rh_uart_request_number(device, group) == link->exchange.request)
        link->exchange.answered = true;
    return asked;
}

/* True if the device takes the frame. */
static bool offer(struct rh_link *link, uint32_t d, const struct rh_uart_frame *frame)
{
    const struct rh_device_conf *device = &link->conf->devices[d];
    const struct rh_uart_device *options = device->options;
    bool asked = link->exchange.device == d && !link->exchange.answered;
    if (!asked && !link->units[d].listens)
        return false;
    bool last = asked && ends_answer(link, device, frame);
    int group = rh_uart_decode_group(&link->decoder, device, frame);
    if (group < 0) {
        if (last && options->until) /* the line that ends an answer need hold no value */
            link->exchange.answered = true;
        return false;
    }
    if (!accept(link, d, (uint32_t)group, asked, last, frame->time_us))
        return false;
    hand_over(link, device, (uint32_t)group, frame);
    return true;
}

static void take_frames(struct rh_link *link, uint32_t s)
{
    struct rh_uart_stream *stream = &link->streams[s];
    struct rh_uart_frame frame;
    while (rh_uart_framer_next(stream->framer, &frame)) {
        bool taken = false;
        for (uint32_t d = 0; d < link->conf->n_devices; d++)
            if (link->units[d].stream == s && offer(link, d, &frame))
                taken = true;
        link->exchange.frames++;
        link->exchange.taken += taken;
        rh_count(taken ? &link->counters->answers : &link->counters->foreign, 1);
    }
    const struct rh_uart_stats *stats = rh_uart_framer_stats(stream->framer);
    rh_count(&link->counters->crc, stats->bad - stream->counted.bad);
    rh_count(&link->counters->truncated, stats->overruns - stream->counted.overruns);
    stream->counted = *stats;
}

void rh_uart_deliver(struct rh_link *link, const uint8_t *bytes, size_t n, int64_t time_us)
{
    link->exchange.bytes += n;
    for (uint32_t s = 0; s < link->n_streams; s++) {
        for (size_t at = 0; at < n;) {
            at += rh_uart_framer_feed(link->streams[s].framer, bytes + at, n - at, time_us);
            take_frames(link, s);
        }
    }
}

void rh_uart_deliver_gaps(struct rh_link *link, int64_t now_us)
{
    for (uint32_t s = 0; s < link->n_streams; s++) {
        if (rh_uart_framer_idle_us(link->streams[s].framer) > now_us)
            continue;
        rh_uart_framer_idle(link->streams[s].framer);
        take_frames(link, s);
    }
}

int64_t rh_uart_next_gap_us(const struct rh_link *link)
{
    int64_t next_us = RH_NEVER;
    for (uint32_t s = 0; s < link->n_streams; s++) {
        int64_t gap_us = rh_uart_framer_idle_us(link->streams[s].framer);
        next_us = gap_us < next_us ? gap_us : next_us;
    }
    return next_us;
}

/* ---- silence ---- */

static void tell_stale(struct rh_link *link, const struct rh_device_conf *device, uint32_t group,
                       int64_t now_us)
{
    for (uint32_t i = 0; i < device->n_points; i++) {
        const struct rh_point *point = &link->conf->points[device->first_point + i];
        const struct rh_uart_field *field = point->address;
        struct rh_reading reading = {.point = point->index, .quality = RH_STALE};
        if (field->group != group)
            continue;
        reading.mono_us = now_us;
        reading.wall_ms = rh_wall_of(now_us);
        reading.urgent = point->class_ == RH_CLASS_URGENT;
        link->due_us[point->index] = 0; /* the next one is news */
        link->sink->reading(link->sink->context, &reading);
    }
}

/* Returns when the silence of this group will mean more than it does. */
static int64_t look_at(struct rh_link *link, const struct rh_device_conf *device, uint32_t group,
                       int64_t now_us)
{
    struct rh_uart_silence *silence = &link->units[device->index].silences[group];
    int64_t stale_us = rh_uart_silence_due_us(silence);
    if (!silence->heard || silence->stale)
        return silence->heard ? silence->last_us + OFFLINE_AFTER * (stale_us - silence->last_us) : stale_us;
    if (now_us < stale_us)
        return stale_us;
    silence->stale = true;
    tell_stale(link, device, group, now_us);
    return silence->last_us + OFFLINE_AFTER * (stale_us - silence->last_us);
}

/* A device is silent when all of its groups are: never heard, or stale for long. */
static int64_t look_at_unit(struct rh_link *link, uint32_t d, int64_t now_us)
{
    const struct rh_device_conf *device = &link->conf->devices[d];
    struct rh_uart_unit *unit = &link->units[d];
    int64_t next_us = RH_NEVER, silent_us = 0;
    for (uint32_t group = 0; group <= device->n_groups; group++) {
        if (!rh_uart_unasked(device, group))
            continue;
        int64_t at_us = look_at(link, device, group, now_us);
        next_us = at_us > now_us && at_us < next_us ? at_us : next_us;
        silent_us = at_us > silent_us ? at_us : silent_us;
    }
    if (!unit->told_silent && silent_us <= now_us) {
        unit->told_silent = true;
        link->sink->silent(link->sink->context, d);
    }
    return next_us;
}

int64_t rh_uart_tell_silent(struct rh_link *link, int64_t now_us)
{
    int64_t next_us = RH_NEVER;
    for (uint32_t d = 0; d < link->conf->n_devices; d++) {
        int64_t at_us = link->units[d].listens ? look_at_unit(link, d, now_us) : RH_NEVER;
        next_us = at_us < next_us ? at_us : next_us;
    }
    return next_us;
}
