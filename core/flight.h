/* SPDX-License-Identifier: MIT */
/*
 * flight.h - what mqtt/ asks of the store while a batch is on its way: the joint between the two.
 *
 * mqtt/ implements paho's persistence and turns its keys into these calls; store/ implements them;
 * gateway/ joins them. All run on the uplink's thread. A negative errno from `put` or `received` means
 * that the record is not on disk: the packet must not leave, so mqtt/ drops the connection.
 *
 * Arrivals: the library acknowledges a message when it reads it. Until the gateway was told of it, it is
 * kept, so that a kill or a lost link does not swallow an acknowledged command.
 *
 *   acknowledged --keep(key)--> kept --told--> release(key)
 *
 *   row --put(mid)--> flying --received(mid)--> PUBREC seen (QoS 2) --done(mid)--> gone
 */
#ifndef RH_CORE_FLIGHT_H
#define RH_CORE_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "core/batch.h"

#define RH_KEPT_KEY_BYTES 16

struct rh_flight {
    uint16_t mid; /* packet identifier */
    int64_t row;  /* the batch */
    int qos;
    bool received; /* PUBREC seen: only PUBREL is to be sent again */
};

struct rh_flight_ops {
    /* Before a PUBLISH leaves. QoS 2: durable on return; QoS 1: remembered in memory. */
    int (*put)(void *store, const struct rh_flight *flight);
    /* PUBREC came; before PUBREL leaves. Durable on return. */
    int (*received)(void *store, uint16_t mid);
    /* Acknowledged for good: row and record go, in one transaction. */
    int (*done)(void *store, uint16_t mid);
    /* The broker refused it (reason >= 0x80): the record goes, the row stays and is tried again later. */
    int (*refused)(void *store, uint16_t mid, int reason);
    /* The broker lost its session: the record goes, the row is to fly again, before all later rows. */
    int (*again)(void *store, uint16_t mid);
    /* Flights that a former process left on disk, by mid, at most `cap`; their number or a negative errno. */
    int (*list)(void *store, struct rh_flight *ret_flights, size_t cap);
    /* The stored message of a row, to rebuild its packet; -ENOENT if it is gone. */
    int (*load)(void *store, int64_t row, struct rh_outgoing *ret_message);

    /* The four below may be NULL, all together: then arrivals are kept in memory only. `key` has at most
     * RH_KEPT_KEY_BYTES with its NUL; the bytes mean something to mqtt/ alone. */

    /* A message has been acknowledged. It survives a kill on return; a power cut it need not survive (no
     * sync). A key that is there already is replaced. */
    int (*keep)(void *store, const char *key, const void *bytes, size_t len);
    /* The gateway was told. 0 also if there is no such key. */
    int (*release)(void *store, const char *key);
    /* Keys that a former process left, in the order they were kept, at most `cap`; their number or a negative
     * errno. */
    int (*kept_list)(void *store, char (*ret_keys)[RH_KEPT_KEY_BYTES], size_t cap);
    /* The bytes of a key, the store's until its next call; -ENOENT if there are none. */
    int (*kept_load)(void *store, const char *key, const void **ret_bytes, size_t *ret_len);
};

#endif
