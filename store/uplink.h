/* SPDX-License-Identifier: MIT */
/*
 * uplink.h - the uplink's connection, as the files of this folder see it.
 */
#ifndef RH_STORE_UPLINK_H
#define RH_STORE_UPLINK_H

#include "store/db.h"
#include "store/flights.h"
#include "store/schema.h"
#include "store/window.h"

enum rh_flights_sql {
    RH_SQL_NEXT_BATCH,
    RH_SQL_NEXT_NOTICE,
    RH_SQL_LOAD_BATCH,
    RH_SQL_LOAD_NOTICE,
    RH_SQL_DELETE_BATCHES,
    RH_SQL_DELETE_NOTICES,
    RH_SQL_FLIGHT_PUT,
    RH_SQL_FLIGHT_RECEIVED,
    RH_SQL_FLIGHT_DELETE,
    RH_SQL_NOTICE_FLYING,
    RH_SQL_NOTICE_OUTDATED,
    RH_SQL_REFUSED_HAS,
    RH_SQL_REFUSED_DUE,
    RH_SQL_REFUSED_CLAIM,
    RH_SQL_REFUSED_PUT,
    RH_SQL_REFUSED_DELETE,
    RH_SQL_REFUSED_FIRST,
    RH_SQL_WATERMARK,
    RH_SQL_WATERMARK_BELOW,
    RH_SQL_FLIGHTS_COUNT
};

/* The copy of a message that a caller holds. */
struct rh_message_copy {
    void *at;
    size_t cap;
};

struct rh_flights {
    struct rh_db db;
    struct rh_store_shared *shared;
    sqlite3_stmt *sql[RH_SQL_FLIGHTS_COUNT];
    int64_t session;
    int64_t now_us, opened_us; /* the first `now` that was heard; -1 before */
    int64_t page_limit;        /* in force here */

    struct rh_window window; /* on their way */
    struct rh_rows again;    /* to fly again */
    struct rh_rows acked;    /* acknowledged, not yet deleted */
    int64_t acked_since_us;

    int64_t cursor, notice_cursor; /* highest that were put */
    int64_t restored_to;           /* rows up to here may be refused or restored: looked up */
    int64_t claimed;               /* the refused row that is to be tried now, 0 for none */
    int64_t retry_us, retry_due_us;

    struct rh_message_copy next, loaded;
};

/* queue.c: rh_flights_next, rh_flights_sent, and */

/* Reads and verifies a row. 0, or -ENOENT: gone, or damaged and now taken out. */
RH_MUST_USE int rh_queue_load(struct rh_flights *flights, int64_t row, struct rh_message_copy *copy,
                              struct rh_outgoing *ret_message);
/* The row is on its way or done: it is not handed out again. */
void rh_queue_taken(struct rh_flights *flights, int64_t row);

/* refusal.c */

/* Writes the record (and removes the flight of `mid`, 0 for none) in one transaction. */
RH_MUST_USE int rh_refusal_put(struct rh_flights *flights, int64_t row, uint16_t mid, int reason);
/* Claims the oldest refused row whose time has come. 1: flights->claimed; 0: none. */
RH_MUST_USE int rh_refusal_claim(struct rh_flights *flights);
/* Makes a claimed row due at once. */
RH_MUST_USE int rh_refusal_release(struct rh_flights *flights, int64_t row);
/* When the next one is due, into flights->retry_due_us. */
RH_MUST_USE int rh_refusal_schedule(struct rh_flights *flights);

/* One statement of two numbers as a transaction. */
RH_MUST_USE int rh_flights_write(struct rh_flights *flights, enum rh_db_sync sync, enum rh_flights_sql sql,
                                 int64_t a, int64_t b);
/* Deletes rows from..to (of one table). For use within a transaction. */
RH_MUST_USE int rh_flights_delete(struct rh_flights *flights, int64_t from, int64_t to);
/* Remembers an acknowledged row for the next group deletion. */
RH_MUST_USE int rh_flights_acked(struct rh_flights *flights, int64_t row);

/* Deletes acknowledged rows when enough have gathered, or waited long enough, or `all`. */
RH_MUST_USE int rh_flights_settle(struct rh_flights *flights, bool all);

#endif
