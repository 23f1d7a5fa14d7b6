/* SPDX-License-Identifier: MIT */
/*
 * rescue.c - a damaged database: noticed at the start, and moved aside.
 *
 * The check reads the file from its beginning for at most CHECK_US; a store too large for that is checked as
 * far as the time goes. What it does not reach is still safe: every row is verified by its own checksum when
 * it is loaded, and SQLite itself reports broken pages, which leads here again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/inside.h"

#define CHECK_US 1500000
#define QUARANTINE_TRIES 100

int rh_rescue_check(struct rh_db *db)
{
    sqlite3_stmt *check = NULL;
    int r = rh_db_exec(db, "PRAGMA cache_size=-256"); /* a pass over the whole file would fill a larger one */
    if (r < 0) {
        return r;
    }
    db->tap.read_until_us = rh_mono_us() + CHECK_US;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &check, NULL);
    bool sound = true;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(check);
        const unsigned char *text = rc == SQLITE_ROW ? sqlite3_column_text(check, 0) : NULL;
        sound = text && strcmp((const char *)text, "ok") == 0;
    }
    sqlite3_finalize(check);
    db->tap.read_until_us = RH_NEVER;
    if (db->tap.read_cut) {
        return 0; /* the time was up, not the file broken */
    }
    r = rh_db_error(db, rc);
    return r < 0 ? r : sound ? 0 : -EBADMSG;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* "store.db" -> "store.db.damaged-20240131T120000Z", with a number behind it when that is taken. */
static int choose_name(const char *path, char *name, size_t cap)
{
    time_t now = (time_t)(rh_wall_ms() / 1000);
    struct tm tm;
    char stamp[32];
    if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0) {
        return -EOVERFLOW;
    }
    for (int i = 0; i < QUARANTINE_TRIES; i++) {
        int n = snprintf(name, cap, i ? "%s.damaged-%s-%d" : "%s.damaged-%s", path, stamp, i);
        if (n < 0 || (size_t)n >= cap) {
            return -ENAMETOOLONG;
        }
        if (!exists(name)) {
            return 0;
        }
    }
    return -EEXIST;
}

int rh_rescue_quarantine(const char *path, struct rh_store_opened *opened)
{
    char from[PATH_MAX + 8], to[sizeof(opened->quarantine) + 8];
    int r = choose_name(path, opened->quarantine, sizeof(opened->quarantine));
    if (r < 0) {
        return r;
    }
    /* The log first: should the power go in between, the database alone is still known to be damaged, while
     * a new database must never meet the old log. */
    snprintf(from, sizeof(from), "%s-wal", path);
    snprintf(to, sizeof(to), "%s-wal", opened->quarantine);
    if (rename(from, to) < 0 && errno != ENOENT) {
        return -errno;
    }
    snprintf(from, sizeof(from), "%s-shm", path);
    if (unlink(from) < 0 && errno != ENOENT) {
        return -errno;
    }
    return rename(path, opened->quarantine) < 0 ? -errno : 0;
}
