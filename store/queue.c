/* SPDX-License-Identifier: MIT */
/*
 * queue.c - which row goes next, found by primary-key seeks only.
 *
 * Two cursors (data, notices) stand on the highest row that was put on its way; behind them a row comes again
 * only through the set `again` or a refusal. A row that is handed out stays the next one until it is put, so
 * a publish that fails before anything was recorded costs nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/uplink.h"

/* ---- loading a row ---- */

/* Columns of LOAD_BATCH and LOAD_NOTICE. */
enum { COL_SEQ, COL_N, COL_T0, COL_SUM, COL_PAYLOAD, COL_TOPIC, COL_QOS, COL_RETAIN, COL_KIND };

int rh_queue_copy(struct rh_message_copy *copy, const void *bytes, size_t len)
{
    if (copy->cap < len) {
        void *larger = realloc(copy->at, len);
        if (!larger) {
            return -ENOMEM;
        }
        copy->at = larger;
        copy->cap = len;
    }
    if (len) {
        memcpy(copy->at, bytes, len);
    }
    return 0;
}

/* -EILSEQ: not what was stored. */
static int read_row(sqlite3_stmt *statement, int64_t row, struct rh_message_copy *copy,
                    struct rh_outgoing *ret_message)
{
    struct rh_batch batch = {
        .kind = (enum rh_batch_kind)sqlite3_column_int(statement, COL_KIND),
        .topic = (const char *)sqlite3_column_text(statement, COL_TOPIC),
        .qos = sqlite3_column_int(statement, COL_QOS),
        .retain = sqlite3_column_int(statement, COL_RETAIN),
        .readings = (uint32_t)sqlite3_column_int64(statement, COL_N),
        .wall_ms = sqlite3_column_int64(statement, COL_T0),
        .payload = sqlite3_column_blob(statement, COL_PAYLOAD),
        .len = (size_t)sqlite3_column_bytes(statement, COL_PAYLOAD),
    };
    uint64_t seq = (uint64_t)sqlite3_column_int64(statement, COL_SEQ);
    if (!batch.topic || strlen(batch.topic) >= sizeof(ret_message->topic) ||
        rh_row_sum(&batch, row, seq) != sqlite3_column_int64(statement, COL_SUM)) {
        return -EILSEQ;
    }
    int r = rh_queue_copy(copy, batch.payload, batch.len);
    if (r < 0) {
        return r;
    }
    ret_message->row = row;
    ret_message->kind = batch.kind;
    ret_message->qos = batch.qos;
    ret_message->retain = batch.retain;
    snprintf(ret_message->topic, sizeof(ret_message->topic), "%s", batch.topic);
    ret_message->payload = copy->at;
    ret_message->len = batch.len;
    return 0;
}

struct removal {
    struct rh_flights *flights;
    int64_t row;
};

static int remove_work(void *context)
{
    const struct removal *job = context;
    struct rh_flights *flights = job->flights;
    int r = rh_flights_delete(flights, job->row, job->row);
    return r < 0 ? r : rh_db_run(&flights->db, flights->sql[RH_SQL_REFUSED_DELETE], "ii", job->row, job->row);
}

static int take_out(struct rh_flights *flights, int64_t row)
{
    struct removal job = {flights, row};
    int r = rh_db_transact(&flights->db, RH_DB_LAZY, remove_work, &job);
    if (r == 0) {
        rh_count(&flights->shared->damaged_batches, 1);
        atomic_fetch_sub_explicit(&flights->shared->backlog, 1, memory_order_relaxed);
    }
    return r < 0 ? r : -ENOENT;
}

int rh_queue_load(struct rh_flights *flights, int64_t row, struct rh_message_copy *copy,
                  struct rh_outgoing *ret_message)
{
    sqlite3_stmt *load = flights->sql[row & RH_ROW_NOTICE ? RH_SQL_LOAD_NOTICE : RH_SQL_LOAD_BATCH];
    int r = rh_db_step(&flights->db, load, "i", row);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    r = read_row(load, row, copy, ret_message);
    rh_db_end(load);
    return r == -EILSEQ ? take_out(flights, row) : r;
}

/* ---- candidates, first come first: 1 and the row, 0 for none, negative errno ---- */

static int find_again(struct rh_flights *flights, int64_t *ret_row)
{
    if (flights->again.n == 0) {
        return 0;
    }
    *ret_row = flights->again.at[0];
    return 1;
}

static int seek(struct rh_flights *flights, enum rh_flights_sql sql, int64_t after, int64_t *ret_row)
{
    sqlite3_stmt *statement = flights->sql[sql];
    int r = rh_db_step(&flights->db, statement, "i", after);
    if (r == 1) {
        *ret_row = sqlite3_column_int64(statement, 0);
        rh_db_end(statement);
    }
    return r;
}

/* A row that a former process left on its way or refused. */
static int is_elsewhere(struct rh_flights *flights, int64_t row)
{
    int64_t found;
    if (rh_window_by_row(&flights->window, row) || rh_rows_has(&flights->again, row)) {
        return 1;
    }
    return seek(flights, RH_SQL_REFUSED_HAS, row, &found);
}

static int find_notice(struct rh_flights *flights, int64_t *ret_row)
{
    int r;
    while ((r = seek(flights, RH_SQL_NEXT_NOTICE, flights->notice_cursor, ret_row)) == 1) {
        r = is_elsewhere(flights, *ret_row);
        if (r <= 0) {
            return r < 0 ? r : 1;
        }
        flights->notice_cursor = *ret_row;
    }
    return r;
}

static int find_refused(struct rh_flights *flights, int64_t *ret_row)
{
    int r = rh_refusal_claim(flights);
    *ret_row = flights->claimed;
    return r;
}

/* The row is announced before it is read, so that the keeper spares it (bounds.c). */
static int announce(struct rh_flights *flights, int64_t row)
{
    if (row > atomic_load(&flights->shared->flown_row)) {
        atomic_store(&flights->shared->flown_row, row);
    }
    return atomic_load(&flights->shared->dropping) ? rh_db_barrier(&flights->db) : 0;
}

static int find_data(struct rh_flights *flights, int64_t *ret_row)
{
    int r;
    while ((r = seek(flights, RH_SQL_NEXT_BATCH, flights->cursor, ret_row)) == 1) {
        r = *ret_row <= flights->restored_to ? is_elsewhere(flights, *ret_row) : 0;
        if (r == 0) {
            r = announce(flights, *ret_row);
            return r < 0 ? r : 1;
        }
        if (r < 0) {
            return r;
        }
        flights->cursor = *ret_row;
    }
    return r;
}

static int (*const finders[])(struct rh_flights *, int64_t *) = {find_again, find_notice, find_refused,
                                                                 find_data};

void rh_queue_taken(struct rh_flights *flights, int64_t row)
{
    rh_rows_remove(&flights->again, row);
    if (row == flights->claimed) {
        flights->claimed = 0;
    }
    int64_t *cursor = row & RH_ROW_NOTICE ? &flights->notice_cursor : &flights->cursor;
    if (row > *cursor) {
        *cursor = row;
    }
}

static int find(struct rh_flights *flights, int64_t *ret_row)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < RH_COUNT(finders); i++) {
        r = finders[i](flights, ret_row);
    }
    return r;
}

static int hear(struct rh_flights *flights, int64_t now_us)
{
    flights->now_us = now_us;
    if (flights->opened_us >= 0) {
        return 0;
    }
    flights->opened_us = now_us;
    return rh_refusal_schedule(flights);
}

static int forget(struct rh_flights *flights, int64_t row)
{
    bool refused = row == flights->claimed;
    rh_queue_taken(flights, row);
    return refused ? rh_flights_write(flights, RH_DB_LAZY, RH_SQL_REFUSED_DELETE, row, row) : 0;
}

int rh_flights_next(struct rh_flights *flights, int64_t now_us, struct rh_outgoing *ret_next)
{
    int64_t row = 0;
    int r = hear(flights, now_us);
    while (r == 0) {
        r = find(flights, &row);
        if (r <= 0) {
            return r;
        }
        r = rh_queue_load(flights, row, &flights->next, ret_next);
        if (r == 0) {
            return 1;
        }
        if (r == -ENOENT) { /* dropped meanwhile, or damaged */
            r = forget(flights, row);
        }
    }
    return r;
}

int rh_flights_sent(struct rh_flights *flights, int64_t row)
{
    rh_queue_taken(flights, row);
    return rh_flights_acked(flights, row);
}

int rh_flights_put_aside(struct rh_flights *flights, int64_t row, int reason)
{
    rh_queue_taken(flights, row);
    return rh_refusal_put(flights, row, 0, reason);
}

/* The keeper's cap may have changed. */
static int follow_limit(struct rh_flights *flights)
{
    int64_t limit = rh_gauge_get(&flights->shared->page_limit);
    if (limit == flights->page_limit) {
        return 0;
    }
    flights->page_limit = limit;
    return rh_db_limit(&flights->db, 0);
}

int rh_flights_tick(struct rh_flights *flights, int64_t now_us)
{
    int r = hear(flights, now_us);
    r = r < 0 ? r : follow_limit(flights);
    return r < 0 ? r : rh_flights_settle(flights, false);
}
