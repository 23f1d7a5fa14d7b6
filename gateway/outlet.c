/* SPDX-License-Identifier: MIT */
#include "gateway/outlet.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "gateway/record.h"

int rh_outlet_init(struct rh_outlet *outlet, const struct rh_line_conf *line, struct rh_ring *ring,
                   rh_counter *readings)
{
    *outlet = (struct rh_outlet){.line = line, .ring = ring, .readings = readings};
    outlet->filters = calloc(line->n_points + 1, sizeof(*outlet->filters));
    return outlet->filters ? 0 : -ENOMEM;
}

void rh_outlet_fini(struct rh_outlet *outlet)
{
    free(outlet->filters);
}

static void push(struct rh_outlet *outlet, const struct rh_record *record, size_t body)
{
    if (rh_ring_push(outlet->ring, record, offsetof(struct rh_record, reading) + body) > 0)
        outlet->dropped = true;
}

void rh_outlet_state(struct rh_outlet *outlet, uint32_t device, bool online)
{
    struct rh_record record = {.kind = RH_RECORD_DEVICE, .device = {.device = device, .online = online}};

    push(outlet, &record, sizeof(record.device));
}

void rh_outlet_reading(struct rh_outlet *outlet, const struct rh_reading *reading)
{
    struct rh_record record = {.kind = RH_RECORD_READING};

    record.reading = *reading;
    if (!rh_filter_pass(&outlet->line->points[reading->point], &outlet->filters[reading->point],
                        &record.reading))
        return;
    rh_count(outlet->readings, 1);
    push(outlet, &record, rh_reading_size(&record.reading));
}

static struct rh_reading bad_now(enum rh_quality quality, uint8_t detail)
{
    struct rh_reading reading = {.quality = (uint8_t)quality, .detail = detail, .mono_us = rh_mono_us()};

    reading.wall_ms = rh_wall_of(reading.mono_us);
    return reading;
}

void rh_outlet_quality(struct rh_outlet *outlet, const uint32_t *points, uint32_t n, enum rh_quality quality,
                       uint8_t detail)
{
    struct rh_reading reading = bad_now(quality, detail);

    for (uint32_t i = 0; i < n; i++) {
        reading.point = points[i];
        reading.urgent = outlet->line->points[points[i]].class_ == RH_CLASS_URGENT;
        rh_outlet_reading(outlet, &reading);
    }
}

void rh_outlet_still_offline(struct rh_outlet *outlet, uint32_t d)
{
    const struct rh_device_conf *device = &outlet->line->devices[d];
    struct rh_reading reading = bad_now(RH_OFFLINE, 0);

    for (uint32_t i = 0; i < device->n_points; i++) {
        reading.point = device->first_point + i;
        rh_outlet_reading(outlet, &reading);
    }
}

void rh_outlet_offline(struct rh_outlet *outlet, uint32_t device)
{
    rh_outlet_still_offline(outlet, device);
    rh_outlet_state(outlet, device, false);
}

bool rh_outlet_is(const struct rh_outlet *outlet, uint32_t point, enum rh_quality quality)
{
    return outlet->filters[point].any && outlet->filters[point].quality == quality;
}

bool rh_outlet_number(const struct rh_outlet *outlet, uint32_t point, struct rh_value *ret_value)
{
    const struct rh_filter_state *state = &outlet->filters[point];

    if (!state->any || state->quality != RH_GOOD || !state->numeric)
        return false;
    *ret_value = (struct rh_value){.kind = state->kind};
    if (state->kind == RH_VALUE_BOOL)
        ret_value->boolean = state->image != 0;
    else
        ret_value->u64 = state->image;
    return true;
}
