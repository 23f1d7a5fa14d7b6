/* SPDX-License-Identifier: MIT */
/*
 * db.h - one SQLite connection of the store: opening, statements, transactions, errors as errno.
 *
 * One thread per connection. No statement stays open across a call: each is reset as soon as its row has
 * been read, so that no read transaction keeps a checkpoint from finishing.
 */
#ifndef RH_STORE_DB_H
#define RH_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store/vfs.h"

#define RH_DB_PAGE_BYTES 1024
#define RH_DB_RESERVE_PAGES 32 /* of the page limit: for records of flights, so that a full store empties */
#define RH_DB_UPLINK 1         /* flights, marks and streams are keyed by uplink; there is one for now */

/* Rows of the table `notice` (state, replies) carry this bit, so that one number names any row. */
#define RH_ROW_NOTICE ((int64_t)1 << 60)

struct rh_db {
    sqlite3 *handle;
    struct rh_tap tap;
    bool synced; /* PRAGMA synchronous is FULL */
};

enum rh_db_sync {
    RH_DB_LAZY,   /* the commit is ordered but reaches the disk with a later one */
    RH_DB_DURABLE /* on disk on return */
};

/* Opens the file, which must exist. `shared` may be NULL. Touches nothing yet. */
RH_MUST_USE int rh_db_open(struct rh_db *db, const char *path, struct rh_store_shared *shared);
void rh_db_close(struct rh_db *db);

/* The pragmas of a connection at work (WAL, cache, busy timeout). */
RH_MUST_USE int rh_db_configure(struct rh_db *db);

/* Applies the page limit; `reserve` pages are left for the other connection. */
RH_MUST_USE int rh_db_limit(struct rh_db *db, int64_t reserve_pages);

RH_MUST_USE int rh_db_exec(struct rh_db *db, const char *sql);

/* The one integer that `sql` yields, 0 when it yields no row. */
RH_MUST_USE int rh_db_number(struct rh_db *db, const char *sql, int64_t *ret_number);

/* Statements from a table of texts. A text that does not compile is a damaged schema: -EBADMSG. */
RH_MUST_USE int rh_db_prepare(struct rh_db *db, const char *const texts[], size_t n, sqlite3_stmt **ret);
void rh_db_finalize(sqlite3_stmt **statements, size_t n);

/* Binds and makes one step. `types` has a letter per parameter: i int64_t, t const char *, b const void *
 * and size_t. 1: a row stands, read it and call rh_db_end; 0: done; negative errno. After 0 and errors the
 * statement is reset. Text and blobs are borrowed until then. */
RH_MUST_USE int rh_db_step(struct rh_db *db, sqlite3_stmt *statement, const char *types, ...);
void rh_db_end(sqlite3_stmt *statement);

/* The same for statements that yield nothing. 0 or negative errno. */
RH_MUST_USE int rh_db_run(struct rh_db *db, sqlite3_stmt *statement, const char *types, ...);

/* Rows that the last statement changed. */
int64_t rh_db_changes(struct rh_db *db);

/* BEGIN IMMEDIATE, work, COMMIT; everything or nothing. When the log is at its limit, a checkpoint empties
 * it and the work runs again, so `work` may run more than once; -EFBIG if it does not fit into an empty log.
 * -ENOSPC: db->tap.full says whose limit it was. */
RH_MUST_USE int rh_db_transact(struct rh_db *db, enum rh_db_sync sync, int (*work)(void *), void *context);

/* Waits until no writer is at work. */
RH_MUST_USE int rh_db_barrier(struct rh_db *db);

/* What SQLite's result code means: 0 or a negative errno. */
int rh_db_error(struct rh_db *db, int rc);

#endif
