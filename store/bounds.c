/* SPDX-License-Identifier: MIT */
/*
 * bounds.c - the cap, and what goes when it is met.
 *
 *   cap = log (a quarter; 384 KiB .. 4 MiB) + database; of the database's pages 32 are left for the uplink's
 *   records, so that a full store can still be emptied.
 *
 * Dropping takes the oldest rows that are not on their way, ordinary ones before those of drop_last streams:
 * refused rows (they are older than any row not yet handed out), then rows later than `flown_row`.
 * The uplink may be handing out a row at that moment. Both sides write their word first and then read the
 * other's (sequentially consistent): the keeper sets `dropping` and reads `flown_row`, the uplink sets
 * `flown_row` and reads `dropping`. So either the keeper spares the row, or the uplink sees that a drop is
 * under way, waits for its end and looks whether the row is still there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "core/clock.h"
#include "store/inside.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define CAP_MIN_BYTES (1 * MIB)
#define AUTO_MIN_BYTES (256 * MIB)
#define AUTO_MAX_BYTES (4096 * MIB)
#define WAL_MIN_BYTES (384 * KIB)
#define WAL_MAX_BYTES (4 * MIB)
#define SHRINK_PAGES 128
#define COUNT_US 500000

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

int64_t rh_bounds_cap(const char *path, int64_t option_bytes)
{
    if (option_bytes > 0) {
        return option_bytes < CAP_MIN_BYTES ? CAP_MIN_BYTES : option_bytes;
    }
    char directory[PATH_MAX];
    struct statvfs fs;
    const char *slash = strrchr(path, '/');
    snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    if (statvfs(directory, &fs) < 0) {
        return AUTO_MIN_BYTES;
    }
    return clamp((int64_t)(fs.f_blocks * fs.f_frsize / 10), AUTO_MIN_BYTES, AUTO_MAX_BYTES);
}

static int64_t wal_bytes(int64_t cap_bytes)
{
    return clamp(cap_bytes / 4, WAL_MIN_BYTES, WAL_MAX_BYTES);
}

size_t rh_store_commit_max(const struct rh_store *store)
{
    /* A third of the log: a commit that must also drop as much as it adds still fits. */
    return (size_t)(wal_bytes(store->cap_bytes) / 3);
}

int rh_bounds_apply(struct rh_store *store)
{
    int64_t log_bytes = wal_bytes(store->cap_bytes);
    int64_t pages = (store->cap_bytes - log_bytes) / RH_DB_PAGE_BYTES;
    int64_t used;
    rh_gauge_set(&store->shared->wal_limit_bytes, log_bytes);
    rh_gauge_set(&store->shared->page_limit, pages);
    int r = rh_db_number(&store->db, "PRAGMA page_count", &used);
    store->shrinking = used > pages;
    return r < 0 ? r : rh_db_limit(&store->db, RH_DB_RESERVE_PAGES);
}

void rh_store_set_max_size(struct rh_store *store, int64_t max_size_bytes)
{
    store->cap_bytes = rh_bounds_cap(store->path, max_size_bytes);
    if (rh_bounds_apply(store) < 0) {
        store->shrinking = true; /* the next append applies it again, and says what is wrong */
    }
}

/* ---- dropping ---- */

int rh_bounds_drop(struct rh_store *store, int64_t goal_pages, struct rh_drop *drop)
{
    atomic_store(&store->shared->dropping, 1); /* before flown_row is read */
    return rh_drop_rows(&store->dropper, goal_pages, drop);
}

/* ---- a lowered cap ---- */

struct shrink {
    struct rh_store *store;
    int64_t goal_pages;
    struct rh_drop drop;
};

static int shrink_work(void *context)
{
    struct shrink *job = context;
    job->drop = (struct rh_drop){0};
    return rh_bounds_drop(job->store, job->goal_pages, &job->drop);
}

static int count_pages(struct rh_store *store, int64_t *ret_pages)
{
    sqlite3_stmt *count = store->sql[RH_SQL_PAGES];
    int r = rh_db_step(&store->db, count, "");
    *ret_pages = r == 1 ? sqlite3_column_int64(count, 0) : 0;
    rh_db_end(count);
    return r < 0 ? r : 0;
}

int rh_bounds_shrink(struct rh_store *store)
{
    struct shrink job = {.store = store, .goal_pages = SHRINK_PAGES};
    int64_t pages = 0, free_pages = 0;
    int r = rh_db_number(&store->db, "PRAGMA freelist_count", &free_pages);
    if (r == 0 && free_pages < SHRINK_PAGES) {
        r = rh_db_transact(&store->db, RH_DB_LAZY, shrink_work, &job);
        atomic_store(&store->shared->dropping, 0);
        if (r == 0) {
            rh_drop_committed(&store->dropper, &job.drop);
        }
    }
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
    r = r < 0 ? r : rh_db_exec(&store->db, sql);
    r = r < 0 ? r : count_pages(store, &pages);
    if (r == -ENOSPC && store->db.tap.full == RH_FULL_WAL) {
        r = 0; /* the log is at its limit: the append that follows empties it, the next one shrinks on */
    }
    return r < 0 ? r : rh_bounds_apply(store);
}

/* ---- measuring ---- */

static int64_t file_bytes(const char *path, const char *suffix)
{
    char name[PATH_MAX + 8];
    struct stat st;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 ? st.st_size : 0;
}

int rh_bounds_count(struct rh_store *store)
{
    struct rh_tap *tap = &store->db.tap;
    int64_t batches, notices = 0;
    tap->read_cut = false;
    tap->read_until_us = rh_mono_us() + COUNT_US;
    int r = rh_db_number(&store->db, "SELECT count(*) FROM batch", &batches);
    tap->read_until_us = RH_NEVER;
    if (tap->read_cut) {
        r = rh_db_number(&store->db, "SELECT max(id) - min(id) + 1 FROM batch", &batches);
    }
    r = r < 0 ? r : rh_db_number(&store->db, "SELECT count(*) FROM notice", &notices);
    rh_gauge_set(&store->shared->backlog, batches + notices);
    return r;
}

void rh_store_measure(struct rh_store *store)
{
    sqlite3_stmt *oldest = store->sql[RH_SQL_OLDEST];
    rh_gauge_set(&store->shared->bytes, file_bytes(store->path, "") + file_bytes(store->path, "-wal"));
    int r = rh_db_step(&store->db, oldest, "");
    if (r >= 0) {
        rh_gauge_set(&store->shared->oldest_wall_ms, r == 1 ? sqlite3_column_int64(oldest, 0) : 0);
    }
    rh_db_end(oldest);
}
