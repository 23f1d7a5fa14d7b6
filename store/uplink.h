/* SPDX-License-Identifier: MIT */
/*
 * uplink.h - the uplink's connection, as the files of this folder see it.
 */
#ifndef RH_STORE_UPLINK_H
#define RH_STORE_UPLINK_H

#include "store/db.h"
#include "store/drop.h"
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

enum rh_commands_sql {
    RH_SQL_SEEN_FIND,
    RH_SQL_SEEN_COUNT,
    RH_SQL_SEEN_ADD,
    RH_SQL_SEEN_REPLY,
    RH_SQL_SEEN_HALF_DONE,
    RH_SQL_SEEN_FORGET,
    RH_SQL_CLOCK_OFFSET,
    RH_SQL_REPLY_ROW,
    RH_SQL_REPLY_ADD,
    RH_SQL_REPLY_MARK,
    RH_SQL_REPLY_COUNT,
    RH_SQL_REPLY_REFUSED,
    RH_SQL_AUDIT_ADD,
    RH_SQL_AUDIT_TRIM,
    RH_SQL_COMMANDS_COUNT
};

enum rh_inbound_sql {
    RH_SQL_INBOUND_COUNT_ALL,
    RH_SQL_INBOUND_PUT,
    RH_SQL_INBOUND_DELETE,
    RH_SQL_INBOUND_LIST,
    RH_SQL_INBOUND_LOAD,
    RH_SQL_INBOUND_COUNT
};

/* commands.c: the clock by which ids are forgotten. */
struct rh_memory_clock {
    int64_t offset_ms; /* to the wall clock */
    int64_t time_ms;   /* the latest it showed */
    int64_t heard_us;  /* and when that was, by the monotonic clock; -1: not in this process */
    bool moved;        /* the offset is not yet on disk */
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

    struct rh_message_copy next, loaded, kept;

    struct rh_dropper dropper;
    sqlite3_stmt *commands_sql[RH_SQL_COMMANDS_COUNT];
    struct rh_memory_clock clock;
    sqlite3_stmt *inbound_sql[RH_SQL_INBOUND_COUNT];
};

/* queue.c: rh_flights_next, rh_flights_sent, and */

/* Reads and verifies a row. 0, or -ENOENT: gone, or damaged and now taken out. */
RH_MUST_USE int rh_queue_load(struct rh_flights *flights, int64_t row, struct rh_message_copy *copy,
                              struct rh_outgoing *ret_message);
/* Copies bytes into the store's buffer, which grows. 0 or -ENOMEM. */
RH_MUST_USE int rh_queue_copy(struct rh_message_copy *copy, const void *bytes, size_t len);
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

/* room.c: a transaction that adds rows. Leaves the reserve of the flight records alone; when the page limit
 * is met, the same transaction first drops the oldest data. `work` may run more than once. */
RH_MUST_USE int rh_room_transact(struct rh_flights *flights, enum rh_db_sync sync, int (*work)(void *),
                                 void *context);

/* commands.c */
RH_MUST_USE int rh_commands_open(struct rh_flights *flights);
void rh_commands_close(struct rh_flights *flights);

/* inbound.c: messages kept between their acknowledgement and their being handed over. */
RH_MUST_USE int rh_inbound_open(struct rh_flights *flights);
void rh_inbound_close(struct rh_flights *flights);
int rh_inbound_keep(void *store, const char *key, const void *bytes, size_t len);
int rh_inbound_release(void *store, const char *key);
int rh_inbound_list(void *store, char (*ret_keys)[RH_KEPT_KEY_BYTES], size_t cap);
int rh_inbound_load(void *store, const char *key, const void **ret_bytes, size_t *ret_len);

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
