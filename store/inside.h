/* SPDX-License-Identifier: MIT */
/*
 * inside.h - the keeper's connection, as the files of this folder see it.
 */
#ifndef RH_STORE_INSIDE_H
#define RH_STORE_INSIDE_H

#include <limits.h>

#include "store/db.h"
#include "store/drop.h"
#include "store/schema.h"
#include "store/store.h"

enum rh_store_sql {
    RH_SQL_STREAM_FIND,
    RH_SQL_STREAM_ADD,
    RH_SQL_BATCH_ADD,
    RH_SQL_NOTICE_ADD,
    RH_SQL_NOTICE_REPLACE,
    RH_SQL_REFUSED_ORPHANS,
    RH_SQL_ROW,
    RH_SQL_MARK,
    RH_SQL_PAGES,
    RH_SQL_OLDEST,
    RH_SQL_STORE_COUNT
};

struct rh_store {
    struct rh_db db;
    struct rh_store_shared *shared;
    sqlite3_stmt *sql[RH_SQL_STORE_COUNT];
    char path[PATH_MAX];
    char epoch[9];
    uint64_t next_seq;
    int64_t cap_bytes;
    bool lost_commits; /* the log was damaged: some seq were used that the store no longer knows */
    int lock;          /* rh_store_claim */
    bool shrinking;    /* the file is larger than a cap that was lowered */
    struct rh_dropper dropper;
};

/* lock.c: keeps other daemons away until the descriptor is closed. 0; -EBUSY: one is here; or why the lock
 * file cannot be made. */
RH_MUST_USE int rh_store_claim(const char *path, int *ret_fd);

/* bounds.c */

/* The cap in force for an option: auto (0) by the file system, and at least 1 MiB. */
int64_t rh_bounds_cap(const char *path, int64_t option_bytes);

/* Divides the cap between database and log and applies it to the keeper's connection. */
RH_MUST_USE int rh_bounds_apply(struct rh_store *store);

/* Within a transaction: drops the oldest rows that are not on their way until `goal_pages` are free. */
RH_MUST_USE int rh_bounds_drop(struct rh_store *store, int64_t goal_pages, struct rh_drop *drop);

/* One step of giving pages back after the cap was lowered. */
RH_MUST_USE int rh_bounds_shrink(struct rh_store *store);

/* Sets the gauge of the backlog: counted, or estimated from the row numbers where that takes too long. */
RH_MUST_USE int rh_bounds_count(struct rh_store *store);

/* identity.c: loads epoch, seq and row numbers, and begins a new epoch when the store finds itself another's.
 */
RH_MUST_USE int rh_identity_load(struct rh_store *store, const struct rh_store_options *options,
                                 struct rh_store_opened *opened);

/* Loads the next seq and row number from the tables; -EBADMSG if they contradict each other. */
RH_MUST_USE int rh_identity_marks(struct rh_store *store);

/* wal.c: true if the log holds commits that SQLite will not recover. */
bool rh_wal_lost_commits(const char *database);

/* rescue.c */

/* Looks through the file for at most the time that a start may take. 0, -EBADMSG, or another errno. */
RH_MUST_USE int rh_rescue_check(struct rh_db *db);

/* Renames database and log aside; `opened->quarantine` says where to. */
RH_MUST_USE int rh_rescue_quarantine(const char *path, struct rh_store_opened *opened);

/* salvage.c: copies what can be read and verified from the quarantined file. Counts into `opened`. */
RH_MUST_USE int rh_salvage(struct rh_store *store, const char *damaged, struct rh_store_opened *opened);

#endif
