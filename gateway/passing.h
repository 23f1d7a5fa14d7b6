/* SPDX-License-Identifier: MIT */
/*
 * passing.h - messages that are state and not history (`value`, `health`): QoS 0, retained, from memory. They
 * go through a ring to the uplink, which drops them while the broker is away: after each connect all of them
 * are said again.
 */
#ifndef RH_GATEWAY_PASSING_H
#define RH_GATEWAY_PASSING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/ring.h"

#define RH_PASSING_BYTES ((size_t)64 * 1024) /* of one record: topic and payload */

/* Any thread. False if there is no room: try again later. */
RH_MUST_USE bool rh_passing_offer(struct rh_ring *ring, const char *topic, const void *payload, size_t len);

/* Takes one message out into `buffer` of RH_PASSING_BYTES; false if there is none. */
bool rh_passing_take(struct rh_ring *ring, char *buffer, const char **ret_topic, const void **ret_payload,
                     size_t *ret_len);

#endif
