/* SPDX-License-Identifier: MIT */
/*
 * flights.c - the uplink's connection: what is on its way, and what becomes of it.
 *
 * What is synced, and why that is enough:
 *   QoS 2  `put` and `received` are durable on return. `done` removes row and record in one commit that is
 *          not synced: after a power cut both are back, the broker answers a repeated PUBREL, and they go.
 *   QoS 1  has no records. Acknowledged rows are deleted in groups, not synced: what a crash brings back is
 *          sent once more, which QoS 1 allows.
 * A flight that is taken back because the broker lost its session goes durably: its record must not come
 * back and be answered with a PUBREL for a message the broker never had.
 */
#include "store/flights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/uplink.h"

#define GROUP_ROWS 32
#define GROUP_US 1000000
#define RETRY_US 60000000

static const char *const texts[RH_SQL_FLIGHTS_COUNT] = {
    [RH_SQL_NEXT_BATCH] = "SELECT id FROM batch WHERE id > ?1 ORDER BY id LIMIT 1",
    [RH_SQL_NEXT_NOTICE] = "SELECT id FROM notice WHERE id > ?1 ORDER BY id LIMIT 1",
    [RH_SQL_LOAD_BATCH] =
        "SELECT b.seq, b.n, b.t0, b.sum, b.payload, s.topic, s.qos, s.retain, 0 FROM batch b"
        " LEFT JOIN stream s ON s.id = b.stream WHERE b.id = ?1",
    [RH_SQL_LOAD_NOTICE] =
        "SELECT 0, n, t0, sum, payload, topic, qos, retain, kind FROM notice WHERE id = ?1",
    [RH_SQL_DELETE_BATCHES] = "DELETE FROM batch WHERE id BETWEEN ?1 AND ?2",
    [RH_SQL_DELETE_NOTICES] = "DELETE FROM notice WHERE id BETWEEN ?1 AND ?2",
    [RH_SQL_FLIGHT_PUT] = "INSERT OR REPLACE INTO flight(uplink, mid, row, state) VALUES(1, ?1, ?2, 1)",
    [RH_SQL_FLIGHT_RECEIVED] = "UPDATE flight SET state = ?2 WHERE uplink = 1 AND mid = ?1",
    [RH_SQL_FLIGHT_DELETE] = "DELETE FROM flight WHERE uplink = 1 AND mid = ?1",
    [RH_SQL_NOTICE_FLYING] = "UPDATE notice SET flying = ?2 WHERE id = ?1",
    [RH_SQL_NOTICE_OUTDATED] =
        "DELETE FROM notice WHERE id = ?1 AND kind = 1 AND EXISTS(SELECT 1 FROM notice n"
        " WHERE n.uplink = notice.uplink AND n.topic = notice.topic AND n.kind = 1"
        " AND n.id > notice.id)",
    [RH_SQL_REFUSED_HAS] = "SELECT row FROM refused WHERE row = ?1",
    /* The oldest row among the 64 that have waited longest: bounded, and exact for that many. */
    [RH_SQL_REFUSED_DUE] = "SELECT row FROM (SELECT row FROM refused WHERE uplink = 1 AND due <= ?1"
                           " ORDER BY due LIMIT 64) ORDER BY row LIMIT 1",
    [RH_SQL_REFUSED_CLAIM] = "UPDATE refused SET due = ?2 WHERE row = ?1",
    [RH_SQL_REFUSED_PUT] = "INSERT INTO refused(row, uplink, due, tries, reason) VALUES(?1, 1, ?2, 1, ?3)"
                           " ON CONFLICT(row) DO UPDATE SET due = ?2, tries = tries + 1, reason = ?3",
    [RH_SQL_REFUSED_DELETE] = "DELETE FROM refused WHERE row BETWEEN ?1 AND ?2",
    [RH_SQL_REFUSED_FIRST] = "SELECT due FROM refused WHERE uplink = 1 ORDER BY due LIMIT 1",
    [RH_SQL_WATERMARK] = "UPDATE mark SET watermark = ?1 WHERE uplink = 1",
    [RH_SQL_WATERMARK_BELOW] = "UPDATE mark SET watermark = min(watermark, ?1 - 1) WHERE uplink = 1",
};

/* ---- transactions of one statement, deletion ---- */

struct write {
    struct rh_flights *flights;
    enum rh_flights_sql sql;
    int64_t a, b;
};

static int write_work(void *context)
{
    const struct write *job = context;
    return rh_db_run(&job->flights->db, job->flights->sql[job->sql], "ii", job->a, job->b);
}

int rh_flights_write(struct rh_flights *flights, enum rh_db_sync sync, enum rh_flights_sql sql, int64_t a,
                     int64_t b)
{
    struct write job = {flights, sql, a, b};
    return rh_db_transact(&flights->db, sync, write_work, &job);
}

int rh_flights_delete(struct rh_flights *flights, int64_t from, int64_t to)
{
    enum rh_flights_sql sql = from & RH_ROW_NOTICE ? RH_SQL_DELETE_NOTICES : RH_SQL_DELETE_BATCHES;
    return rh_db_run(&flights->db, flights->sql[sql], "ii", from, to);
}

/* ---- acknowledged rows, deleted in groups ---- */

static int settle_work(void *context)
{
    struct rh_flights *flights = context;
    const struct rh_rows *acked = &flights->acked;
    for (size_t i = 0, end; i < acked->n; i = end) {
        for (end = i + 1; end < acked->n && acked->at[end] == acked->at[end - 1] + 1; end++) {
        }
        int r = rh_flights_delete(flights, acked->at[i], acked->at[end - 1]);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int rh_flights_settle(struct rh_flights *flights, bool all)
{
    bool late = flights->now_us >= flights->acked_since_us + GROUP_US;
    if (flights->acked.n == 0 || !(all || late || flights->acked.n >= GROUP_ROWS)) {
        return 0;
    }
    int r = rh_db_transact(&flights->db, RH_DB_LAZY, settle_work, flights);
    if (r == 0) {
        flights->acked.n = 0;
    } else {
        flights->acked_since_us = flights->now_us; /* not at every step again */
    }
    return r;
}

int rh_flights_acked(struct rh_flights *flights, int64_t row)
{
    if (flights->acked.n == 0) {
        flights->acked_since_us = flights->now_us;
    }
    if (!rh_rows_add(&flights->acked, row)) {
        return rh_flights_settle(flights, true) < 0 ? -ENOBUFS : rh_flights_acked(flights, row);
    }
    atomic_fetch_sub_explicit(&flights->shared->backlog, 1, memory_order_relaxed);
    return rh_flights_settle(flights, false);
}

int64_t rh_flights_due(const struct rh_flights *flights)
{
    int64_t group = flights->acked.n ? flights->acked_since_us + GROUP_US : RH_NEVER;
    return group < flights->retry_due_us ? group : flights->retry_due_us;
}

void rh_flights_set_retry(struct rh_flights *flights, int64_t retry_us)
{
    flights->retry_us = retry_us;
}

/* ---- the operations of core/flight.h ---- */

struct flight_job {
    struct rh_flights *flights;
    struct rh_slot slot;
};

static int put_work(void *context)
{
    const struct flight_job *job = context;
    struct rh_flights *flights = job->flights;
    struct rh_db *db = &flights->db;
    int r = 0;
    if (job->slot.row & RH_ROW_NOTICE) {
        r = rh_db_run(db, flights->sql[RH_SQL_NOTICE_FLYING], "ii", job->slot.row, flights->session);
    }
    if (r == 0 && job->slot.qos == 2) {
        r = rh_db_run(db, flights->sql[RH_SQL_FLIGHT_PUT], "ii", (int64_t)job->slot.mid, job->slot.row);
    }
    return r;
}

static int flight_put(void *store, const struct rh_flight *flight)
{
    struct rh_flights *flights = store;
    struct flight_job job = {flights,
                             {.row = flight->row,
                              .mid = flight->mid,
                              .qos = (uint8_t)flight->qos,
                              .retried = flight->row == flights->claimed}};
    if (rh_window_by_mid(&flights->window, flight->mid)) {
        return -EEXIST;
    }
    if (flights->window.n == RH_WINDOW_MAX) {
        return -ENOBUFS;
    }
    int r = 0;
    if (flight->qos == 2 || flight->row & RH_ROW_NOTICE) {
        r = rh_db_transact(&flights->db, flight->qos == 2 ? RH_DB_DURABLE : RH_DB_LAZY, put_work, &job);
    }
    if (r < 0) {
        return r;
    }
    rh_queue_taken(flights, flight->row);
    return rh_window_add(&flights->window, &job.slot) ? 0 : -ENOBUFS;
}

static int flight_received(void *store, uint16_t mid)
{
    struct rh_flights *flights = store;
    struct rh_slot *slot = rh_window_by_mid(&flights->window, mid);
    if (!slot || slot->qos != 2 || slot->received) {
        return 0;
    }
    int r = rh_flights_write(flights, RH_DB_DURABLE, RH_SQL_FLIGHT_RECEIVED, mid, RH_FLIGHT_RECEIVED);
    slot->received = r == 0;
    return r;
}

static int done_work(void *context)
{
    const struct flight_job *job = context;
    struct rh_flights *flights = job->flights;
    struct rh_db *db = &flights->db;
    int r = rh_flights_delete(flights, job->slot.row, job->slot.row);
    r = r < 0 ? r : rh_db_run(db, flights->sql[RH_SQL_FLIGHT_DELETE], "i", (int64_t)job->slot.mid);
    if (r == 0 && job->slot.retried) {
        r = rh_db_run(db, flights->sql[RH_SQL_REFUSED_DELETE], "ii", job->slot.row, job->slot.row);
    }
    return r;
}

static int flight_done(void *store, uint16_t mid)
{
    struct rh_flights *flights = store;
    struct rh_slot *slot = rh_window_by_mid(&flights->window, mid);
    if (!slot) {
        return 0;
    }
    struct flight_job job = {flights, *slot};
    if (slot->qos < 2 && !slot->retried) {
        rh_window_remove(&flights->window, slot);
        return rh_flights_acked(flights, job.slot.row);
    }
    int r = rh_db_transact(&flights->db, RH_DB_LAZY, done_work, &job);
    if (r == 0) {
        rh_window_remove(&flights->window, slot);
        atomic_fetch_sub_explicit(&flights->shared->backlog, 1, memory_order_relaxed);
    }
    return r;
}

static int flight_refused(void *store, uint16_t mid, int reason)
{
    struct rh_flights *flights = store;
    struct rh_slot *slot = rh_window_by_mid(&flights->window, mid);
    if (!slot) {
        return 0;
    }
    int r = rh_refusal_put(flights, slot->row, slot->qos == 2 ? mid : 0, reason);
    if (r == 0) {
        rh_window_remove(&flights->window, slot);
    }
    return r;
}

/* The row lies behind the watermark only because its flight was on disk. */
static int again_work(void *context)
{
    const struct flight_job *job = context;
    struct rh_flights *flights = job->flights;
    struct rh_db *db = &flights->db;
    int r = rh_db_run(db, flights->sql[RH_SQL_FLIGHT_DELETE], "i", (int64_t)job->slot.mid);
    if (r == 0 && !(job->slot.row & RH_ROW_NOTICE)) {
        r = rh_db_run(db, flights->sql[RH_SQL_WATERMARK_BELOW], "i", job->slot.row);
    }
    return r;
}

static int flight_again(void *store, uint16_t mid)
{
    struct rh_flights *flights = store;
    struct rh_slot *slot = rh_window_by_mid(&flights->window, mid);
    if (!slot) {
        return 0;
    }
    struct flight_job job = {flights, *slot};
    int r = slot->qos == 2 ? rh_db_transact(&flights->db, RH_DB_DURABLE, again_work, &job) : 0;
    if (r == 0 && slot->retried) {
        r = rh_refusal_release(flights, slot->row);
    } else if (r == 0 && !rh_rows_add(&flights->again, slot->row)) {
        r = -ENOBUFS;
    }
    if (r == 0) {
        rh_window_remove(&flights->window, slot);
    }
    return r;
}

static int by_mid(const void *left, const void *right)
{
    const struct rh_flight *a = left, *b = right;
    return (a->mid > b->mid) - (a->mid < b->mid);
}

/* A new session begins with this call. It knows the flights on disk; those in memory only fly again. */
static int flight_list(void *store, struct rh_flight *ret_flights, size_t cap)
{
    struct rh_flights *flights = store;
    size_t n = 0;
    for (size_t i = 0; i < flights->window.n;) {
        struct rh_slot *slot = &flights->window.slots[i];
        if (slot->qos < 2) {
            int r = flight_again(flights, slot->mid); /* moves another slot to this place */
            if (r < 0) {
                return r;
            }
            continue;
        }
        if (n < cap) {
            ret_flights[n++] = (struct rh_flight){slot->mid, slot->row, slot->qos, slot->received};
        }
        i++;
    }
    qsort(ret_flights, n, sizeof(*ret_flights), by_mid);
    return (int)n;
}

static int flight_load(void *store, int64_t row, struct rh_outgoing *ret_message)
{
    struct rh_flights *flights = store;
    return rh_queue_load(flights, row, &flights->loaded, ret_message);
}

const struct rh_flight_ops rh_flight_ops = {
    .put = flight_put,
    .received = flight_received,
    .done = flight_done,
    .refused = flight_refused,
    .again = flight_again,
    .list = flight_list,
    .load = flight_load,
    .keep = rh_inbound_keep,
    .release = rh_inbound_release,
    .kept_list = rh_inbound_list,
    .kept_load = rh_inbound_load,
};

static int count_connect(void *context)
{
    return rh_db_exec(context, "UPDATE mark SET connects = connects + 1 WHERE uplink = 1");
}

int64_t rh_flights_new_session(struct rh_flights *flights)
{
    int64_t number;
    int r = rh_db_transact(&flights->db, RH_DB_DURABLE, count_connect, &flights->db);
    r = r < 0 ? r : rh_db_number(&flights->db, "SELECT connects FROM mark WHERE uplink = 1", &number);
    return r < 0 ? r : number;
}

/* ---- opening ---- */

static int restore_flights(struct rh_flights *flights)
{
    static const char *const text[] = {
        "SELECT f.mid, f.row, f.state, r.row IS NOT NULL FROM flight f LEFT JOIN refused r ON r.row = f.row"
        " WHERE f.uplink = 1 ORDER BY f.mid LIMIT 1024"};
    sqlite3_stmt *statement;
    int r = rh_db_prepare(&flights->db, text, 1, &statement);
    if (r < 0) {
        return r;
    }
    while ((r = rh_db_step(&flights->db, statement, "")) == 1) {
        struct rh_slot slot = {.mid = (uint16_t)sqlite3_column_int(statement, 0),
                               .row = sqlite3_column_int64(statement, 1),
                               .qos = 2,
                               .received = sqlite3_column_int(statement, 2) == RH_FLIGHT_RECEIVED,
                               .retried = sqlite3_column_int(statement, 3) != 0};
        if (!rh_window_add(&flights->window, &slot)) {
            break;
        }
    }
    rh_db_finalize(&statement, 1);
    return r < 0 ? r : 0;
}

static int begin_session(void *context)
{
    return rh_db_exec(context, "UPDATE mark SET session = session + 1 WHERE uplink = 1");
}

static int restore(struct rh_flights *flights)
{
    struct rh_db *db = &flights->db;
    int64_t refused, flown;
    int r = rh_db_transact(db, RH_DB_LAZY, begin_session, db);
    r = r < 0 ? r : rh_db_number(db, "SELECT session FROM mark WHERE uplink = 1", &flights->session);
    r = r < 0 ? r : rh_db_number(db, "SELECT watermark FROM mark WHERE uplink = 1", &flights->cursor);
    r = r < 0 ? r
              : rh_db_number(db, "SELECT max(row) FROM refused WHERE row < 1152921504606846976", &refused);
    r = r < 0 ? r : rh_db_number(db, "SELECT max(row) FROM flight WHERE row < 1152921504606846976", &flown);
    if (r < 0) {
        return r;
    }
    flights->restored_to = refused > flown ? refused : flown;
    r = restore_flights(flights);
    return r < 0 ? r : rh_refusal_schedule(flights);
}

int rh_flights_open(const char *path, struct rh_store_shared *shared, struct rh_flights **ret_flights,
                    char *why, size_t why_cap)
{
    struct rh_flights *flights = calloc(1, sizeof(*flights));
    int r = flights ? rh_db_open(&flights->db, path, shared) : -ENOMEM;
    if (r == 0) {
        flights->shared = shared;
        flights->opened_us = -1;
        flights->retry_us = RETRY_US;
        r = rh_db_configure(&flights->db);
        r = r < 0 ? r : rh_db_limit(&flights->db, 0);
        r = r < 0 ? r : rh_db_prepare(&flights->db, texts, RH_SQL_FLIGHTS_COUNT, flights->sql);
        r = r < 0 ? r : rh_drop_prepare(&flights->dropper, &flights->db);
        r = r < 0 ? r : rh_commands_open(flights);
        r = r < 0 ? r : rh_inbound_open(flights);
        r = r < 0 ? r : restore(flights);
    }
    if (r < 0) {
        snprintf(why, why_cap, "%s: %s", path, strerror(-r));
        rh_flights_close(flights);
        return r;
    }
    *ret_flights = flights;
    return 0;
}

void rh_flights_close(struct rh_flights *flights)
{
    if (!flights) {
        return;
    }
    if (flights->acked.n && rh_flights_settle(flights, true) < 0) {
        flights->acked.n = 0; /* they will be sent once more, which QoS 1 allows */
    }
    rh_inbound_close(flights);
    rh_commands_close(flights);
    rh_drop_finalize(&flights->dropper);
    rh_db_finalize(flights->sql, RH_SQL_FLIGHTS_COUNT);
    rh_db_close(&flights->db);
    free(flights->next.at);
    free(flights->loaded.at);
    free(flights->kept.at);
    free(flights);
}
