/* SPDX-License-Identifier: MIT */
/*
 * flight.h - the messages on their way. Internal to mqtt/, on the uplink's thread.
 *
 * Each connection begins with a new client of the library, which reads this table (persistence.h): the table,
 * not the library, is what survives a connection, and the store is what survives the process.
 */
#ifndef RH_MQTT_FLIGHT_H
#define RH_MQTT_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/flight.h"
#include "mqtt/kept.h"
#include "mqtt/session.h"

struct rh_flight_entry {
    struct rh_flight flight; /* row 0: a status message, in no store */
    size_t bytes;            /* of its PUBLISH */
    bool restored;           /* began before this connection */
    bool released;           /* its PUBREC was seen before this connection: the verdict decides about it */
    bool held;               /* acknowledged, applied when the verdict is there */
    bool orphan;             /* handed back to the store; the library still waits for its PUBCOMP */
    struct rh_publish_extra extra; /* its own copy */
    int reason;                    /* what the broker said; >= 0x80: refused */
};

struct rh_persistence;

struct rh_flight_table {
    const struct rh_flight_ops *ops;
    void *store;
    struct rh_session_counters *counters;
    struct rh_persistence *persistence;
    struct rh_flight_entry *at;
    size_t n, cap;
    size_t bytes;        /* of all entries */
    struct rh_kept kept; /* what arrived */

    int fd;        /* the connection that is stopped when a record cannot be written; -1: none */
    bool v5;       /* protocol of this connection: names of keys, layout of packets */
    bool retain;   /* the broker takes retained messages */
    bool unsure;   /* no verdict yet */
    bool recorded; /* the message in hand has been put */
    int qos;       /* of the message in hand */
    const struct rh_publish_extra *extra; /* of the message in hand, or NULL */
    const struct rh_outgoing *in_hand;    /* between begin and end; NULL else */

    uint16_t status_mid; /* of the last status message; 0: none */
    bool status_done;    /* answered */
    int status_reason;   /* refused with; 0 else */

    int error;        /* negative errno of the record that failed, 0 if none did */
    const char *deed; /* and what was tried: "a message could not be …" */
};

/* Reads the flights and the arrivals of a former process. `inflight`: most at once from now on. 0, -ENOMEM,
 * or list's errno.
 */
RH_MUST_USE int rh_flight_open(struct rh_flight_table *table, const struct rh_flight_ops *ops, void *store,
                               struct rh_session_counters *counters, size_t inflight);
void rh_flight_close(struct rh_flight_table *table);

/* Before a new client is made: forgets status messages and orphans, and waits for a verdict. */
void rh_flight_restart(struct rh_flight_table *table, bool v5);

/* Around the library's publish: names the row that the next new record belongs to, and the QoS it goes out
 * with. `end`: true if the record was put. */
void rh_flight_begin(struct rh_flight_table *table, const struct rh_outgoing *message,
                     const struct rh_publish_extra *extra, int qos);
bool rh_flight_end(struct rh_flight_table *table);

/* What the broker said to a packet id, before the library removes its record. `comp`: in a PUBCOMP. */
void rh_flight_reason(struct rh_flight_table *table, uint16_t mid, int reason, bool comp);

/* The verdict: applies what was held, or hands back what a lost session may have taken with it. */
void rh_flight_settle(struct rh_flight_table *table, bool kept);

/* Entries with a row; those among them that began before this connection; packets the broker has not
 * answered for good (status messages too). */
size_t rh_flight_rows(const struct rh_flight_table *table);
size_t rh_flight_restored(const struct rh_flight_table *table);
size_t rh_flight_unanswered(const struct rh_flight_table *table);

/* For persistence.c: a PUBLISH, a PUBREL is about to leave; the library removes its record, or all of them.
 */
int rh_flight_put(struct rh_flight_table *table, uint16_t mid, size_t bytes);
int rh_flight_received(struct rh_flight_table *table, uint16_t mid);
void rh_flight_removed(struct rh_flight_table *table, uint16_t mid);
void rh_flight_cleared(struct rh_flight_table *table);

/* NULL if there is none. */
struct rh_flight_entry *rh_flight_find(const struct rh_flight_table *table, uint16_t mid);

/* The message of a flight, to send it again. 0 or a negative errno. */
int rh_flight_load(struct rh_flight_table *table, const struct rh_flight *flight,
                   struct rh_outgoing *ret_message);

/* Drops flights whose message is gone; a negative errno if the store cannot say. */
int rh_flight_check(struct rh_flight_table *table);

#endif
