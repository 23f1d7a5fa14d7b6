/* SPDX-License-Identifier: MIT */
/*
 * flights.h - the uplink's side of the store: which batch goes next, which are on their way, which are done.
 *
 * Owned by the uplink's thread, with a connection of its own. The sync policy is the lean one of
 * store.md: at QoS 2 "row -> packet id" and "PUBREC seen" are synced, removals never; QoS 1 keeps its
 * flights in memory and deletes acknowledged rows in groups.
 */
#ifndef RH_STORE_FLIGHTS_H
#define RH_STORE_FLIGHTS_H

#include <stdint.h>

#include "core/base.h"
#include "core/flight.h"
#include "store/store.h"

struct rh_flights;

/* After rh_store_open succeeded on the same path. 0 or a negative errno with `why`. */
RH_MUST_USE int rh_flights_open(const char *path, struct rh_store_shared *shared,
                                struct rh_flights **ret_flights, char *why, size_t why_cap);
/* Writes what is still held in memory (acknowledged QoS 1 rows), then closes. */
void rh_flights_close(struct rh_flights *flights);

/* For mqtt/: the context is the struct rh_flights. */
extern const struct rh_flight_ops rh_flight_ops;

/* The next batch to publish: first those that are to fly `again`, then newest-only and reply rows, then
 * refused ones whose time has come, then data in the order of rows. A batch on its way is not handed out;
 * one that was handed out is on its way from `put` (or rh_flights_sent) on, until then it comes again.
 * 1: *ret_next is set; 0: nothing to send; negative errno (-EBADMSG: the database is damaged). */
RH_MUST_USE int rh_flights_next(struct rh_flights *flights, int64_t now_us, struct rh_outgoing *ret_next);

/* The number of the next MQTT session: rises with every call, across restarts and power cuts. A negative
 * errno if it could not be stored. */
RH_MUST_USE int64_t rh_flights_new_session(struct rh_flights *flights);

/* A QoS 0 message has been written out: its row goes. */
RH_MUST_USE int rh_flights_sent(struct rh_flights *flights, int64_t row);

/* A message that cannot be sent to this broker at all (larger than its Maximum Packet Size): it counts as
 * refused with this reason, blocks no other, and is tried again later. */
RH_MUST_USE int rh_flights_put_aside(struct rh_flights *flights, int64_t row, int reason);

/* Housekeeping: group deletion of acknowledged rows when 32 have gathered or a second has passed. Call often.
 */
RH_MUST_USE int rh_flights_tick(struct rh_flights *flights, int64_t now_us);

/* When tick or a refused row wants attention next; RH_NEVER if nothing waits. */
int64_t rh_flights_due(const struct rh_flights *flights);

/* How long refused rows wait; 60 s unless a test says otherwise. */
void rh_flights_set_retry(struct rh_flights *flights, int64_t retry_us);

#endif
