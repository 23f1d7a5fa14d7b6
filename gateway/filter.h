/* SPDX-License-Identifier: MIT */
/*
 * filter.h - which readings are worth a message: limits, deadband, heartbeat. Pure.
 *
 * A value outside min..max is not believed: it becomes `invalid` and loses its value; one that is no number
 * (NaN, infinity) becomes `na`. Without deadband or
 * report=change every good poll is a reading. A bad quality is a reading when it begins or changes, and at
 * each heartbeat.
 */
#ifndef RH_GATEWAY_FILTER_H
#define RH_GATEWAY_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/point.h"
#include "core/reading.h"

/* What the filter remembers of a point; zero-initialised knows nothing. */
struct rh_filter_state {
    bool any;
    uint8_t quality, detail;
    bool numeric;
    uint8_t kind;    /* of its value */
    int64_t sent_us; /* monotonic time of the last reading let through */
    double number;   /* its value */
    uint64_t image;  /* its bits, or a hash of its text */
};

/* True if `reading` is to travel on; may turn it into RH_INVALID or RH_NA. */
bool rh_filter_pass(const struct rh_point *point, struct rh_filter_state *state, struct rh_reading *reading);

#endif
