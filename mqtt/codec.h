/* SPDX-License-Identifier: MIT */
/*
 * codec.h - a payload format: readings in, topic and bytes out. Pure, no allocation.
 */
#ifndef RH_MQTT_CODEC_H
#define RH_MQTT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/point.h"
#include "core/reading.h"
#include "core/text.h"

enum rh_clock_state { RH_CLOCK_SYNCED, RH_CLOCK_UNSYNCED, RH_CLOCK_ESTIMATED };

struct rh_codec_batch {
    const char *gateway;
    const char *device;
    const char *epoch;
    uint64_t seq;
    enum rh_clock_state clock;
    const struct rh_point *points;    /* the line's table: readings index it */
    const struct rh_packed *readings; /* of one device, oldest first */
};

struct rh_codec {
    const char *name; /* as in `format =` */
    /* The whole message. False if it did not fit into `payload` (its `cut` is set). */
    bool (*encode)(const struct rh_codec_batch *batch, struct rh_text *payload);
    /* An upper bound of what one more reading adds to the message, in bytes. */
    size_t (*bound)(const struct rh_point *point, const struct rh_reading *reading);
    /* An upper bound of the message around the readings. */
    size_t (*overhead)(const struct rh_codec_batch *batch);
};

/* From codecs.def. */
extern const struct rh_codec *const rh_codecs[];
extern const size_t rh_n_codecs;

#endif
