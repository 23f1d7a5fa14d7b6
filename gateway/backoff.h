/* SPDX-License-Identifier: MIT */
/*
 * backoff.h - how long to wait before the next attempt: doubled each time, with jitter of 20 % so that a
 * thousand gateways do not come back in step. Pure.
 */
#ifndef RH_GATEWAY_BACKOFF_H
#define RH_GATEWAY_BACKOFF_H

#include <stdint.h>

struct rh_backoff {
    int64_t min_us, max_us;
    int64_t next_us; /* 0: start at min */
    uint64_t random; /* state of the jitter's generator; any seed */
};

void rh_backoff_reset(struct rh_backoff *backoff);
/* The pause before the next attempt; `factor` stretches it (4 where trying again soon cannot help). */
int64_t rh_backoff_next(struct rh_backoff *backoff, int64_t factor);

/* How long to wait before a lost port is looked for again: 250 ms four times, then 1, 2, 5 s. */
int64_t rh_backoff_port_us(unsigned attempts);

#endif
