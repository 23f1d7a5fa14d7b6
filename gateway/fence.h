/* SPDX-License-Identifier: MIT */
/*
 * fence.h - which commands were queued while the gateway was away? After every connect it publishes a nonce
 * to its own cmd/gateway/fence; what arrives before the echo may be days old. Uplink's thread.
 */
#ifndef RH_GATEWAY_FENCE_H
#define RH_GATEWAY_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mqtt/session.h"

struct rh_fence {
    char nonce[40]; /* "" while none is under way: no echo of an earlier one counts */
    bool passed;    /* the echo has come: what arrives now was not queued */
    bool due, told;
    int64_t since_us;
};

/* A connect begins: what the broker has queued arrives before the session is READY. */
void rh_fence_close(struct rh_fence *fence);
/* The session is READY, and subscribed to its own fence. */
void rh_fence_begin(struct rh_fence *fence, int64_t now_us);
/* A message on cmd/gateway/fence. */
void rh_fence_arrived(struct rh_fence *fence, const void *payload, size_t len);
/* Publishes the nonce as soon as there is room, and says once that its echo does not come. */
void rh_fence_step(struct rh_fence *fence, struct rh_session *session, const char *root, int64_t now_us);

#endif
