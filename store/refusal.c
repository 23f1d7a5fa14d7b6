/* SPDX-License-Identifier: MIT */
/*
 * refusal.c - rows that the broker did not take: they wait in `refused` and block no other.
 *
 * Any number may wait, so they live in the database: a record per row, found by its due time through an
 * index. A row that is being tried again keeps its record, with a due time that says "on its way"
 * (RH_DUE_FLYING), so that the keeper does not drop it; a process that dies then leaves it to the next one,
 * which takes up all records of earlier sessions one retry period after its start.
 *
 * With each record the watermark is written: data rows up to it are gone, refused or in `flight`, so a
 * restart need not walk over them.
 */
#include <errno.h>

#include "core/clock.h"
#include "store/uplink.h"

static int64_t session_base(const struct rh_flights *flights)
{
    return flights->session << RH_DUE_SHIFT;
}

static int64_t due_at(const struct rh_flights *flights, int64_t mono_us)
{
    int64_t since_us = flights->opened_us < 0 ? 0 : mono_us - flights->opened_us;
    return session_base(flights) | since_us / 1000;
}

static void lower_to(int64_t *watermark, int64_t row)
{
    if (!(row & RH_ROW_NOTICE) && row <= *watermark) {
        *watermark = row - 1;
    }
}

/* Rows that only memory knows to be unfinished stay above it. */
static int64_t watermark(const struct rh_flights *flights, int64_t refused_row)
{
    int64_t mark = flights->cursor;
    for (size_t i = 0; i < flights->window.n; i++) {
        const struct rh_slot *slot = &flights->window.slots[i];
        if (slot->qos < 2 && !slot->retried && slot->row != refused_row) {
            lower_to(&mark, slot->row);
        }
    }
    for (size_t i = 0; i < flights->again.n; i++) {
        lower_to(&mark, flights->again.at[i]);
    }
    for (size_t i = 0; i < flights->acked.n; i++) {
        lower_to(&mark, flights->acked.at[i]);
    }
    return mark;
}

struct refusal {
    struct rh_flights *flights;
    int64_t row;
    int64_t mid;
    int64_t reason;
    bool outdated; /* a state that a newer one has replaced: it goes */
};

static int drop_outdated(struct refusal *job)
{
    struct rh_flights *flights = job->flights;
    int r = rh_db_run(&flights->db, flights->sql[RH_SQL_NOTICE_FLYING], "ii", job->row, INT64_C(0));
    r = r < 0 ? r : rh_db_run(&flights->db, flights->sql[RH_SQL_NOTICE_OUTDATED], "i", job->row);
    job->outdated = r == 0 && rh_db_changes(&flights->db) > 0;
    return r;
}

static int refuse_work(void *context)
{
    struct refusal *job = context;
    struct rh_flights *flights = job->flights;
    struct rh_db *db = &flights->db;
    int64_t due = due_at(flights, flights->now_us + flights->retry_us);
    job->outdated = false;
    int r = job->mid ? rh_db_run(db, flights->sql[RH_SQL_FLIGHT_DELETE], "i", job->mid) : 0;
    if (r == 0 && job->row & RH_ROW_NOTICE) {
        r = drop_outdated(job);
    }
    if (r == 0 && job->outdated) {
        return rh_db_run(db, flights->sql[RH_SQL_REFUSED_DELETE], "ii", job->row, job->row);
    }
    r = r < 0 ? r : rh_db_run(db, flights->sql[RH_SQL_REFUSED_PUT], "iii", job->row, due, job->reason);
    return r < 0 ? r : rh_db_run(db, flights->sql[RH_SQL_WATERMARK], "i", watermark(flights, job->row));
}

/* The store is full: a refused row is the first to be dropped, so it is. */
static int drop_work(void *context)
{
    const struct refusal *job = context;
    struct rh_flights *flights = job->flights;
    int r = job->mid ? rh_db_run(&flights->db, flights->sql[RH_SQL_FLIGHT_DELETE], "i", job->mid) : 0;
    r = r < 0 ? r : rh_flights_delete(flights, job->row, job->row);
    return r < 0 ? r : rh_db_run(&flights->db, flights->sql[RH_SQL_REFUSED_DELETE], "ii", job->row, job->row);
}

int rh_refusal_put(struct rh_flights *flights, int64_t row, uint16_t mid, int reason)
{
    struct refusal job = {.flights = flights, .row = row, .mid = mid, .reason = reason};
    /* Data makes room for the record of a notice: replies are not dropped for want of it. */
    int r = row & RH_ROW_NOTICE ? rh_room_transact(flights, RH_DB_LAZY, refuse_work, &job)
                                : rh_db_transact(&flights->db, RH_DB_LAZY, refuse_work, &job);
    if (r == -ENOSPC && flights->db.tap.full == RH_FULL_PAGES) {
        r = rh_db_transact(&flights->db, RH_DB_LAZY, drop_work, &job);
        job.outdated = r == 0;
        rh_count(&flights->shared->dropped_batches, r == 0);
    }
    if (r == 0 && job.outdated) {
        atomic_fetch_sub_explicit(&flights->shared->backlog, 1, memory_order_relaxed);
    }
    return r < 0 ? r : rh_refusal_schedule(flights);
}

int rh_refusal_claim(struct rh_flights *flights)
{
    sqlite3_stmt *due = flights->sql[RH_SQL_REFUSED_DUE];
    while (flights->claimed == 0 && flights->now_us >= flights->retry_due_us) {
        int r = rh_db_step(&flights->db, due, "i", due_at(flights, flights->now_us));
        if (r < 0) {
            return r;
        }
        int64_t row = r == 1 ? sqlite3_column_int64(due, 0) : 0;
        rh_db_end(due);
        if (r == 1) {
            r = rh_flights_write(flights, RH_DB_LAZY, RH_SQL_REFUSED_CLAIM, row,
                                 session_base(flights) | RH_DUE_FLYING);
            /* No change: the keeper dropped it in between. */
            flights->claimed = r == 0 && rh_db_changes(&flights->db) > 0 ? row : 0;
        }
        r = r < 0 ? r : rh_refusal_schedule(flights);
        if (r < 0) {
            return r;
        }
    }
    return flights->claimed != 0;
}

int rh_refusal_release(struct rh_flights *flights, int64_t row)
{
    int r = rh_flights_write(flights, RH_DB_LAZY, RH_SQL_REFUSED_CLAIM, row, session_base(flights));
    return r < 0 ? r : rh_refusal_schedule(flights);
}

int rh_refusal_schedule(struct rh_flights *flights)
{
    sqlite3_stmt *first = flights->sql[RH_SQL_REFUSED_FIRST];
    flights->retry_due_us = RH_NEVER;
    int r = rh_db_step(&flights->db, first, "");
    if (r != 1) {
        return r;
    }
    int64_t due = sqlite3_column_int64(first, 0);
    rh_db_end(first);
    int64_t opened = flights->opened_us < 0 ? 0 : flights->opened_us;
    if (due < session_base(flights)) {
        flights->retry_due_us = opened + flights->retry_us;
    } else if ((due & RH_DUE_FLYING) != RH_DUE_FLYING) {
        flights->retry_due_us = opened + (due & RH_DUE_FLYING) * 1000;
    }
    return 0;
}
