/* SPDX-License-Identifier: MIT */
#include "drivers/uart_replay.h"

#include <errno.h>
#include <stdlib.h>

#include "drivers/uart_decode.h"

struct rh_uart_replay {
    const struct rh_device_conf *device;
    void (*on_frame)(void *context, const struct rh_uart_replayed *frame);
    void *context;
    struct rh_uart_framer *framer;
    struct rh_uart_decoder decoder;
    struct rh_reading *readings;
    uint64_t frames, unmatched;
};

int rh_uart_replay_new(const struct rh_device_conf *device,
                       void (*on_frame)(void *context, const struct rh_uart_replayed *frame), void *context,
                       struct rh_uart_replay **ret_replay)
{
    const struct rh_uart_device *options = device->options;
    struct rh_uart_replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return -ENOMEM;
    replay->device = device;
    replay->on_frame = on_frame;
    replay->context = context;
    replay->readings = calloc(device->n_points + 1, sizeof *replay->readings);
    int error = replay->readings ? rh_uart_decoder_init(&replay->decoder) : -ENOMEM;
    if (!error)
        error = rh_uart_framer_new(&options->framing, &replay->framer);
    if (error) {
        rh_uart_replay_free(replay);
        return error;
    }
    *ret_replay = replay;
    return 0;
}

void rh_uart_replay_free(struct rh_uart_replay *replay)
{
    if (!replay)
        return;
    rh_uart_framer_free(replay->framer);
    rh_uart_decoder_fini(&replay->decoder);
    free(replay->readings);
    free(replay);
}

static size_t decode(struct rh_uart_replay *replay, const struct rh_uart_frame *frame, int group)
{
    size_t n = 0;
    for (uint32_t i = 0; i < replay->device->n_points && group >= 0; i++) {
        const struct rh_point *point = &replay->device->line->points[replay->device->first_point + i];
        const struct rh_uart_field *field = point->address;
        struct rh_reading *reading = &replay->readings[n];
        if (field->group != (uint32_t)group || !rh_uart_decode_point(&replay->decoder, point, frame, reading))
            continue;
        reading->mono_us = frame->time_us;
        n++;
    }
    return n;
}

static void take_frames(struct rh_uart_replay *replay)
{
    struct rh_uart_frame frame;
    while (rh_uart_framer_next(replay->framer, &frame)) {
        int group = rh_uart_decode_group(&replay->decoder, replay->device, &frame);
        const struct rh_uart_replayed replayed = {.frame = replay->frames++,
                                                  .offset = frame.offset,
                                                  .time_us = frame.time_us,
                                                  .group = group,
                                                  .readings = replay->readings,
                                                  .n = decode(replay, &frame, group)};
        replay->unmatched += group < 0;
        replay->on_frame(replay->context, &replayed);
    }
}

void rh_uart_replay_feed(struct rh_uart_replay *replay, const uint8_t *bytes, size_t n, int64_t time_us)
{
    for (size_t at = 0; at < n;) {
        at += rh_uart_framer_feed(replay->framer, bytes + at, n - at, time_us);
        take_frames(replay);
    }
}

struct rh_uart_replay_counts rh_uart_replay_end(struct rh_uart_replay *replay)
{
    rh_uart_framer_idle(replay->framer);
    take_frames(replay);
    return (struct rh_uart_replay_counts){replay->frames, rh_uart_framer_stats(replay->framer)->bad,
                                          replay->unmatched};
}
