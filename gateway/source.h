/* SPDX-License-Identifier: MIT */
/*
 * source.h - what the keeper holds of one line: its ring, the batches that are gathering, the state of its
 * devices. Used by the keeper's thread only, but for creation and freeing.
 *
 * Every device has one stream per (QoS, urgency, drop class) that its points need; a stream gathers readings
 * until it is closed into one message.
 */
#ifndef RH_GATEWAY_SOURCE_H
#define RH_GATEWAY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/reading.h"
#include "core/ring.h"
#include "gateway/board.h"
#include "gateway/device_stats.h"
#include "gateway/record.h"

struct rh_stream {
    const struct rh_device_conf *device;
    int qos;
    bool urgent, drop_last;
    bool full;            /* the next reading does not fit: close before taking it */
    size_t payload_bytes; /* upper bound of the message so far */
    int64_t first_wall_ms;
    struct rh_packed packed;
};

struct rh_source_device {
    enum rh_device_known known;
    bool state_due, meta_due; /* their retained messages are to be written */
    bool gone;                /* set before the removal: no longer configured, its retained messages go too */
};

struct rh_source {
    const struct rh_line_conf *line;
    struct rh_ring *ring;
    struct rh_stream *streams;
    size_t n_streams;
    uint32_t *stream_of; /* per point */
    struct rh_source_device *devices;
    struct rh_board *board; /* newest values; NULL without format `value` */
    bool held;              /* `record` came off the ring but did not fit its stream yet */
    struct rh_record record;
    struct rh_source *next;
};

/* Makes the ring (bell borrowed), the streams, and with `values` the board. 0 or -ENOMEM. */
RH_MUST_USE int rh_source_new(const struct rh_line_conf *line, int bell, bool values,
                              struct rh_source **ret_source);
void rh_source_free(struct rh_source *source);

struct rh_source_limits {
    size_t payload_bytes;  /* of one message */
    size_t overhead_bytes; /* of the message around its readings, at most */
    bool no_data;          /* no format of history is configured: readings only reach the board */
};

enum rh_take { RH_TAKE_EMPTY, RH_TAKE_READING, RH_TAKE_URGENT, RH_TAKE_FULL, RH_TAKE_STATE };

/* Moves one record from the ring into its stream. FULL: the stream must be closed first; nothing is lost,
 * the record is held. */
enum rh_take rh_source_take(struct rh_source *source, const struct rh_source_limits *limits);

/* Has the stream something to close: anything (all), or something urgent, or no room for more? */
bool rh_stream_due(const struct rh_stream *stream, bool all);

/* Empties a stream whose message has been stored. */
void rh_stream_reset(struct rh_stream *stream);

/* All states and metas are to be written again. */
void rh_source_refresh(struct rh_source *source);

#endif
