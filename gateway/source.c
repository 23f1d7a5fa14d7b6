/* SPDX-License-Identifier: MIT */
#include "gateway/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/codec.h"

#define RING_BYTES ((size_t)256 * 1024)
/* A packed reading is smaller than its bound in a message, so the message is full first. */
#define PACKED_BYTES ((size_t)16 * 1024)

static bool same_stream(const struct rh_stream *stream, const struct rh_device_conf *device,
                        const struct rh_point *point)
{
    return stream->device == device && stream->qos == point->qos && stream->drop_last == point->drop_last &&
           stream->urgent == (point->class_ == RH_CLASS_URGENT);
}

static int add_stream(struct rh_source *source, const struct rh_device_conf *device,
                      const struct rh_point *point)
{
    struct rh_stream *stream = &source->streams[source->n_streams];

    *stream = (struct rh_stream){.device = device,
                                 .qos = point->qos,
                                 .urgent = point->class_ == RH_CLASS_URGENT,
                                 .drop_last = point->drop_last};
    stream->packed.at = malloc(PACKED_BYTES);
    stream->packed.cap = PACKED_BYTES;
    if (!stream->packed.at)
        return -ENOMEM;
    source->n_streams++;
    return 0;
}

/* At most 3 QoS x 2 urgencies x 2 drop classes for a device; most need one. */
static int add_device(struct rh_source *source, const struct rh_device_conf *device)
{
    size_t first = source->n_streams;

    for (uint32_t i = 0; i < device->n_points; i++) {
        uint32_t p = device->first_point + i;
        size_t s = first;

        while (s < source->n_streams && !same_stream(&source->streams[s], device, &source->line->points[p]))
            s++;
        if (s == source->n_streams && add_stream(source, device, &source->line->points[p]) < 0)
            return -ENOMEM;
        source->stream_of[p] = (uint32_t)s;
    }
    return 0;
}

static size_t streams_at_most(const struct rh_line_conf *line)
{
    size_t per_device = line->n_devices * 12;

    return per_device < line->n_points ? per_device : line->n_points;
}

int rh_source_new(const struct rh_line_conf *line, int bell, bool values, struct rh_source **ret_source)
{
    struct rh_source *source = calloc(1, sizeof(*source));

    if (!source)
        return -ENOMEM;
    source->line = line;
    source->streams = calloc(streams_at_most(line) + 1, sizeof(*source->streams));
    source->stream_of = calloc(line->n_points + 1, sizeof(*source->stream_of));
    source->devices = calloc(line->n_devices + 1, sizeof(*source->devices));
    int r = source->streams && source->stream_of && source->devices ? 0 : -ENOMEM;
    if (r == 0)
        r = rh_ring_new(RING_BYTES, bell, &source->ring);
    if (r == 0 && values)
        r = rh_board_new(line, &source->board);
    for (size_t d = 0; r == 0 && d < line->n_devices; d++)
        r = add_device(source, &line->devices[d]);
    if (r < 0) {
        rh_source_free(source);
        return r;
    }
    rh_source_refresh(source);
    *ret_source = source;
    return 0;
}

void rh_source_free(struct rh_source *source)
{
    if (!source)
        return;
    for (size_t s = 0; s < source->n_streams; s++)
        free(source->streams[s].packed.at);
    rh_ring_free(source->ring);
    rh_board_free(source->board);
    free(source->streams);
    free(source->stream_of);
    free(source->devices);
    free(source);
}

void rh_source_refresh(struct rh_source *source)
{
    for (size_t d = 0; d < source->line->n_devices; d++) {
        source->devices[d].meta_due = true;
        source->devices[d].state_due = source->devices[d].known != RH_DEVICE_UNKNOWN;
    }
}

bool rh_stream_due(const struct rh_stream *stream, bool all)
{
    return stream->packed.n > 0 && (all || stream->urgent || stream->full);
}

void rh_stream_reset(struct rh_stream *stream)
{
    stream->packed.bytes = 0;
    stream->packed.n = 0;
    stream->payload_bytes = 0;
    stream->full = false;
}

static bool add_reading(struct rh_source *source, struct rh_stream *stream, const struct rh_reading *reading,
                        const struct rh_source_limits *limits)
{
    size_t more = rh_codecs[0]->bound(&source->line->points[reading->point], reading);
    size_t before = stream->packed.n ? stream->payload_bytes : limits->overhead_bytes;

    if (stream->packed.n && before + more > limits->payload_bytes)
        return false;
    if (!rh_packed_add(&stream->packed, reading))
        return false;
    if (stream->packed.n == 1)
        stream->first_wall_ms = reading->wall_ms;
    stream->payload_bytes = before + more;
    return true;
}

static enum rh_take take_reading(struct rh_source *source, const struct rh_source_limits *limits)
{
    struct rh_stream *stream = &source->streams[source->stream_of[source->record.reading.point]];

    if (!source->held && source->board)
        rh_board_note(source->board, &source->record.reading);
    if (limits->no_data)
        return RH_TAKE_READING;
    if (!add_reading(source, stream, &source->record.reading, limits)) {
        stream->full = true;
        source->held = true;
        return RH_TAKE_FULL;
    }
    source->held = false;
    return stream->urgent ? RH_TAKE_URGENT : RH_TAKE_READING;
}

static enum rh_take take_state(struct rh_source *source)
{
    struct rh_source_device *device = &source->devices[source->record.device.device];
    enum rh_device_known known = source->record.device.online ? RH_DEVICE_ONLINE : RH_DEVICE_OFFLINE;

    if (device->known != known)
        device->state_due = true;
    device->known = known;
    return RH_TAKE_STATE;
}

enum rh_take rh_source_take(struct rh_source *source, const struct rh_source_limits *limits)
{
    if (!source->held && rh_ring_pop(source->ring, &source->record, sizeof(source->record)) == 0)
        return RH_TAKE_EMPTY;
    if (source->record.kind == RH_RECORD_DEVICE)
        return take_state(source);
    return take_reading(source, limits);
}
