/* SPDX-License-Identifier: MIT */
/*
 * outlet.h - the poller's way out: readings through the filter, qualities of whole blocks or devices, and
 * devices coming and going, into the ring that the keeper empties. Poller's thread only.
 */
#ifndef RH_GATEWAY_OUTLET_H
#define RH_GATEWAY_OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/counter.h"
#include "core/reading.h"
#include "core/ring.h"
#include "gateway/filter.h"

struct rh_outlet {
    const struct rh_line_conf *line;
    struct rh_ring *ring;
    rh_counter *readings;            /* let through */
    struct rh_filter_state *filters; /* one per point */
    bool dropped;                    /* the ring dropped records: say the states of all devices again */
};

/* `line`, `ring` and `readings` are borrowed. 0 or -ENOMEM. */
RH_MUST_USE int rh_outlet_init(struct rh_outlet *outlet, const struct rh_line_conf *line,
                               struct rh_ring *ring, rh_counter *readings);
void rh_outlet_fini(struct rh_outlet *outlet);

void rh_outlet_reading(struct rh_outlet *outlet, const struct rh_reading *reading);
/* The same bad quality, now, for the n points whose indexes stand in `points`. */
void rh_outlet_quality(struct rh_outlet *outlet, const uint32_t *points, uint32_t n, enum rh_quality quality,
                       uint8_t detail);
/* All points of a device are offline, and so is the device. */
void rh_outlet_offline(struct rh_outlet *outlet, uint32_t device);
/* The same again: only heartbeats are due. */
void rh_outlet_still_offline(struct rh_outlet *outlet, uint32_t device);
/* Was this the quality that was last said of the point? */
bool rh_outlet_is(const struct rh_outlet *outlet, uint32_t point, enum rh_quality quality);
/* The number that was last said of it; false if none is known or it is not a number. */
bool rh_outlet_number(const struct rh_outlet *outlet, uint32_t point, struct rh_value *ret_value);
void rh_outlet_state(struct rh_outlet *outlet, uint32_t device, bool online);

#endif
