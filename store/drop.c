/* SPDX-License-Identifier: MIT */
/*
 * drop.c - see drop.h. Four searches in turn, each by ascending row from where the last one ended.
 */
#include "store/drop.h"

#include <string.h>

#include "store/notice.h"
#include "store/schema.h"

static const char *const texts[RH_SQL_DROP_COUNT] = {
    [RH_SQL_DROP_REFUSED] =
        "SELECT r.row, coalesce(b.n, 0), coalesce(length(b.payload), 0) FROM refused r"
        " LEFT JOIN batch b ON b.id = r.row LEFT JOIN stream s ON s.id = b.stream"
        " WHERE r.row > ?1 AND r.due & 17592186044415 != 17592186044415 AND coalesce(s.drop_last, 0) = ?2"
        " AND r.row NOT IN (SELECT row FROM flight WHERE uplink = 1)"
        " AND r.row NOT IN (SELECT id FROM notice WHERE kind = 2)"
        " ORDER BY r.row LIMIT 1",
    [RH_SQL_DROP_LATER] =
        "SELECT b.id, b.n, length(b.payload) FROM batch b CROSS JOIN stream s ON s.id = b.stream"
        " WHERE b.id > ?1 AND s.drop_last = ?2 ORDER BY b.id LIMIT 1",
    [RH_SQL_DROP_BATCH] = "DELETE FROM batch WHERE id = ?1",
    [RH_SQL_DROP_NOTICE] = "DELETE FROM notice WHERE id = ?1",
    [RH_SQL_DROP_RECORD] = "DELETE FROM refused WHERE row = ?1",
    [RH_SQL_DROP_NEXT_ROW] = rh_notice_sql_next_row,
};

_Static_assert(RH_DUE_FLYING == INT64_C(17592186044415), "as written in the statement above");
_Static_assert(RH_BATCH_REPLY == 2, "as written in the statement above");

static const struct {
    enum rh_drop_sql find;
    int64_t drop_last;
} phases[RH_DROP_PHASES] = {
    {RH_SQL_DROP_REFUSED, 0},
    {RH_SQL_DROP_LATER, 0},
    {RH_SQL_DROP_REFUSED, 1},
    {RH_SQL_DROP_LATER, 1},
};

struct victim {
    int64_t row, readings, bytes;
};

int rh_drop_prepare(struct rh_dropper *dropper, struct rh_db *db)
{
    dropper->db = db;
    return rh_db_prepare(db, texts, RH_SQL_DROP_COUNT, dropper->sql);
}

void rh_drop_finalize(struct rh_dropper *dropper)
{
    rh_db_finalize(dropper->sql, RH_SQL_DROP_COUNT);
}

/* 1: found; 0: no more in this phase. */
static int find_victim(struct rh_dropper *dropper, size_t phase, int64_t from, struct victim *ret_victim)
{
    sqlite3_stmt *find = dropper->sql[phases[phase].find];
    int r = rh_db_step(dropper->db, find, "ii", from, phases[phase].drop_last);
    if (r == 1) {
        *ret_victim = (struct victim){.row = sqlite3_column_int64(find, 0),
                                      .readings = sqlite3_column_int64(find, 1),
                                      .bytes = sqlite3_column_int64(find, 2)};
        rh_db_end(find);
    }
    return r;
}

static int drop_victim(struct rh_dropper *dropper, bool refused, const struct victim *victim)
{
    bool notice = victim->row & RH_ROW_NOTICE;
    sqlite3_stmt *delete = dropper->sql[notice ? RH_SQL_DROP_NOTICE : RH_SQL_DROP_BATCH];
    int r = rh_db_run(dropper->db, delete, "i", victim->row);
    return r < 0 || !refused ? r : rh_db_run(dropper->db, dropper->sql[RH_SQL_DROP_RECORD], "i", victim->row);
}

/* The next search begins with rows that are not there yet. */
static int skip_to_end(struct rh_dropper *dropper, int64_t *from)
{
    int64_t row;
    int r = rh_notice_next_row(dropper->db, dropper->sql[RH_SQL_DROP_NEXT_ROW], &row);
    *from = r < 0 ? *from : row - 1;
    return r;
}

static int drop_phase(struct rh_dropper *dropper, size_t phase, int64_t goal_pages, struct rh_drop *drop)
{
    bool refused = phases[phase].find == RH_SQL_DROP_REFUSED;
    int64_t flown = refused ? 0 : atomic_load(&dropper->db->tap.shared->flown_row);
    int64_t *from = &drop->from[phase];
    *from = refused || *from < flown ? flown : *from;
    while (drop->pages < goal_pages) {
        struct victim victim = {0};
        int r = find_victim(dropper, phase, *from, &victim);
        if (r == 0) {
            return skip_to_end(dropper, from);
        }
        r = r < 0 ? r : drop_victim(dropper, refused, &victim);
        if (r < 0) {
            return r;
        }
        *from = victim.row;
        drop->batches++;
        drop->readings += victim.readings;
        drop->pages += victim.bytes / RH_DB_PAGE_BYTES + 1;
    }
    return 0;
}

int rh_drop_rows(struct rh_dropper *dropper, int64_t goal_pages, struct rh_drop *drop)
{
    memcpy(drop->from, dropper->from, sizeof(drop->from));
    for (size_t phase = 0; phase < RH_DROP_PHASES; phase++) {
        int r = drop->pages < goal_pages ? drop_phase(dropper, phase, goal_pages, drop) : 0;
        if (r < 0) {
            return r;
        }
    }
    drop->exhausted = drop->pages < goal_pages;
    return 0;
}

void rh_drop_committed(struct rh_dropper *dropper, const struct rh_drop *drop)
{
    struct rh_store_shared *shared = dropper->db->tap.shared;
    memcpy(dropper->from, drop->from, sizeof(dropper->from));
    rh_count(&shared->dropped_batches, (uint64_t)drop->batches);
    rh_count(&shared->dropped_readings, (uint64_t)drop->readings);
    atomic_fetch_sub_explicit(&shared->backlog, drop->batches, memory_order_relaxed);
}
