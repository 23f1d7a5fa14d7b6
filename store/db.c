/* SPDX-License-Identifier: MIT */
/*
 * db.c - see db.h. The limits: max_page_count bounds the database, the VFS layer bounds the log.
 */
#include "store/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"

#define BUSY_TIMEOUT_MS 5000
#define LOG_TRIES 3

/* By primary result code. Extended codes that mean "these bytes cannot be read" are damage, see below. */
static const struct {
    int rc;
    int error;
} errors[] = {
    {SQLITE_FULL, ENOSPC},      {SQLITE_READONLY, EROFS},    {SQLITE_IOERR, EIO},
    {SQLITE_CORRUPT, EBADMSG},  {SQLITE_NOTADB, EBADMSG},    {SQLITE_BUSY, EBUSY},
    {SQLITE_LOCKED, EBUSY},     {SQLITE_NOMEM, ENOMEM},      {SQLITE_PERM, EACCES},
    {SQLITE_CANTOPEN, ENOENT},  {SQLITE_AUTH, EACCES},       {SQLITE_TOOBIG, EFBIG},
    {SQLITE_PROTOCOL, EBUSY},   {SQLITE_CONSTRAINT, EEXIST}, {SQLITE_ERROR, EBADMSG},
    {SQLITE_MISMATCH, EBADMSG},
};

static int io_error(struct rh_db *db, int rc)
{
    switch (rc) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
        return -EBADMSG;
    default:
        break;
    }
    int error = sqlite3_system_errno(db->handle);
    if (error == ENOSPC || error == EDQUOT) {
        db->tap.full = RH_FULL_DISK;
        return -ENOSPC;
    }
    return error == EROFS || error == EACCES ? -error : -EIO;
}

int rh_db_error(struct rh_db *db, int rc)
{
    int primary = rc & 0xff;
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return 0;
    }
    if (primary == SQLITE_IOERR) {
        return io_error(db, rc);
    }
    if (primary == SQLITE_CANTOPEN && sqlite3_system_errno(db->handle)) {
        return -sqlite3_system_errno(db->handle);
    }
    for (size_t i = 0; i < RH_COUNT(errors); i++) {
        if (errors[i].rc == primary) {
            return -errors[i].error;
        }
    }
    return -EIO;
}

int rh_db_open(struct rh_db *db, const char *path, struct rh_store_shared *shared)
{
    *db = (struct rh_db){.tap = {.shared = shared, .read_until_us = RH_NEVER}};
    int r = rh_vfs_register();
    if (r < 0) {
        return r;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &db->handle, flags, RH_VFS_NAME);
    if (rc == SQLITE_OK) {
        rc = sqlite3_file_control(db->handle, "main", RH_VFS_TAP, &db->tap);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    }
    r = db->handle ? rh_db_error(db, rc) : -ENOMEM;
    if (r < 0) {
        rh_db_close(db);
    }
    return r;
}

void rh_db_close(struct rh_db *db)
{
    sqlite3_close(db->handle);
    db->handle = NULL;
}

int rh_db_exec(struct rh_db *db, const char *sql)
{
    return rh_db_error(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

int rh_db_configure(struct rh_db *db)
{
    int r = rh_db_exec(db, "PRAGMA journal_mode=WAL;"
                           "PRAGMA synchronous=FULL;"
                           "PRAGMA secure_delete=OFF;"
                           "PRAGMA temp_store=MEMORY;"
                           "PRAGMA mmap_size=0;"
                           "PRAGMA cache_size=-256");
    db->synced = r == 0;
    return r;
}

int rh_db_limit(struct rh_db *db, int64_t reserve_pages)
{
    const struct rh_store_shared *shared = db->tap.shared;
    int64_t wal_bytes = rh_gauge_get(&shared->wal_limit_bytes);
    char sql[160];
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld; PRAGMA journal_size_limit=%lld",
             (long long)(rh_gauge_get(&shared->page_limit) - reserve_pages), (long long)wal_bytes);
    /* Half of the log is for transactions that come while a checkpoint cannot finish. */
    sqlite3_wal_autocheckpoint(db->handle, (int)(wal_bytes / 2 / RH_DB_PAGE_BYTES));
    return rh_db_exec(db, sql);
}

int rh_db_number(struct rh_db *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    *ret_number = 0;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            *ret_number = sqlite3_column_int64(statement, 0);
        }
    }
    sqlite3_finalize(statement);
    return rh_db_error(db, rc);
}

int rh_db_prepare(struct rh_db *db, const char *const texts[], size_t n, sqlite3_stmt **ret)
{
    for (size_t i = 0; i < n; i++) {
        int rc = sqlite3_prepare_v3(db->handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i], NULL);
        if (rc != SQLITE_OK) {
            rh_db_finalize(ret, i);
            return rh_db_error(db, rc);
        }
    }
    return 0;
}

void rh_db_finalize(sqlite3_stmt **statements, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sqlite3_finalize(statements[i]);
        statements[i] = NULL;
    }
}

static int bind(sqlite3_stmt *statement, const char *types, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 1; rc == SQLITE_OK && types[i - 1]; i++) {
        const void *bytes = NULL;
        switch (types[i - 1]) {
        case 'i':
            rc = sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
            break;
        case 't':
            rc = sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
            break;
        default:
            rh_assert(types[i - 1] == 'b');
            bytes = va_arg(args, const void *);
            rc = sqlite3_bind_blob64(statement, i, bytes ? bytes : "", va_arg(args, size_t), SQLITE_STATIC);
            break;
        }
    }
    return rc;
}

static int step(struct rh_db *db, sqlite3_stmt *statement, const char *types, va_list args)
{
    int rc = bind(statement, types, args);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        return 1;
    }
    int r = rh_db_error(db, rc);
    sqlite3_reset(statement);
    return r;
}

int rh_db_step(struct rh_db *db, sqlite3_stmt *statement, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int r = step(db, statement, types, args);
    va_end(args);
    return r;
}

void rh_db_end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
}

int rh_db_run(struct rh_db *db, sqlite3_stmt *statement, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int r = step(db, statement, types, args);
    va_end(args);
    rh_db_end(statement);
    return r < 0 ? r : 0;
}

int64_t rh_db_changes(struct rh_db *db)
{
    return sqlite3_changes64(db->handle);
}

static int set_sync(struct rh_db *db, bool synced)
{
    if (db->synced == synced) {
        return 0;
    }
    int r = rh_db_exec(db, synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    db->synced = r < 0 ? db->synced : synced;
    return r;
}

static int transact_once(struct rh_db *db, int (*work)(void *), void *context)
{
    db->tap.full = RH_FULL_PAGES;
    int r = rh_db_exec(db, "BEGIN IMMEDIATE");
    if (r == 0) {
        r = work(context);
    }
    if (r == 0) {
        r = rh_db_exec(db, "COMMIT");
    }
    if (r < 0 && !sqlite3_get_autocommit(db->handle)) {
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* nothing better than the first error */
    }
    return r;
}

static bool log_is_full(const struct rh_db *db, int r)
{
    return r == -ENOSPC && db->tap.full == RH_FULL_WAL;
}

/* Waits for readers, which are short; on return the log is empty. While the other connection is in a
 * checkpoint of its own, SQLite refuses without asking its busy handler: what that would do is done here. */
static int empty_log(struct rh_db *db)
{
    int64_t deadline_us = rh_mono_us() + BUSY_TIMEOUT_MS * 500; /* a try that waited itself is the last */
    int rc;
    while ((rc = sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL)) ==
               SQLITE_BUSY &&
           rh_mono_us() < deadline_us) {
        sqlite3_sleep(1);
    }
    return rh_db_error(db, rc);
}

int rh_db_transact(struct rh_db *db, enum rh_db_sync sync, int (*work)(void *), void *context)
{
    int r = set_sync(db, sync == RH_DB_DURABLE);
    if (r == 0) {
        r = transact_once(db, work, context);
    }
    for (int i = 0; i < LOG_TRIES && log_is_full(db, r); i++) { /* the other one may fill it meanwhile */
        r = empty_log(db);
        r = r < 0 ? r : transact_once(db, work, context);
    }
    return log_is_full(db, r) ? -EFBIG : r;
}

static int nothing(void *context)
{
    (void)context;
    return 0;
}

int rh_db_barrier(struct rh_db *db)
{
    return rh_db_transact(db, RH_DB_LAZY, nothing, NULL);
}
