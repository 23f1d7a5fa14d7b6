/* SPDX-License-Identifier: MIT */
/*
 * kept.h - messages taken from the library that nobody has been told of yet. Internal to mqtt/.
 *
 * The library acknowledges a message when it reads it. What it hands out is kept here, and at QoS 1 in the
 * store too, until the session's owner has been told: so a kill or a lost link in between does not swallow an
 * acknowledged command. A message of a former process is told of after the next connect, before new ones.
 *
 * (The library's own persistence of its queue is no help: release 1.3.12 never calls it on MQTT 5. What it
 * acknowledges in the middle of waiting for a SUBACK is therefore lost if the link ends during that wait.)
 */
#ifndef RH_MQTT_KEPT_H
#define RH_MQTT_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/flight.h"
#include "mqtt/session.h"

struct rh_kept_entry {
    char key[RH_KEPT_KEY_BYTES]; /* "" if it is not in the store */
    void *bytes;
    size_t len;
};

struct rh_kept {
    const struct rh_flight_ops *ops;
    void *store;
    struct rh_kept_entry *at; /* oldest first */
    size_t n;
    size_t bytes;  /* of all entries */
    uint64_t last; /* number in the newest key */
};

/* Reads what a former process left. 0, -ENOMEM, or the store's errno. */
RH_MUST_USE int rh_kept_open(struct rh_kept *kept, const struct rh_flight_ops *ops, void *store);
void rh_kept_close(struct rh_kept *kept);

/* Copies the message, into the store too if it is `durable`. False beyond the bounds of the table; a store
 * that cannot take it changes nothing. */
RH_MUST_USE bool rh_kept_add(struct rh_kept *kept, const struct rh_arrival *arrival, bool durable);

/* The oldest, valid until it is dropped; false if there is none. */
RH_MUST_USE bool rh_kept_first(struct rh_kept *kept, struct rh_arrival *ret_arrival);

/* Its owner has been told. */
void rh_kept_drop_first(struct rh_kept *kept);

#endif
