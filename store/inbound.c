/* SPDX-License-Identifier: MIT */
/*
 * inbound.c - messages that the broker has been told we have, until they are handed over. A record survives a
 * kill, which needs no sync; what a power cut takes may be taken.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/uplink.h"

#define KEPT_MAX 1000
#define KEPT_BYTES_MAX INT64_C(1048576)

static const char *const texts[RH_SQL_INBOUND_COUNT] = {
    [RH_SQL_INBOUND_COUNT_ALL] =
        "SELECT count(*), coalesce(sum(length(data)), 0) FROM inbound WHERE uplink = 1 AND key != ?1",
    [RH_SQL_INBOUND_PUT] = "INSERT OR REPLACE INTO inbound(uplink, key, data) VALUES(1, ?1, ?2)",
    [RH_SQL_INBOUND_DELETE] = "DELETE FROM inbound WHERE uplink = 1 AND key = ?1",
    [RH_SQL_INBOUND_LIST] = "SELECT key FROM inbound WHERE uplink = 1 ORDER BY n",
    [RH_SQL_INBOUND_LOAD] = "SELECT data FROM inbound WHERE uplink = 1 AND key = ?1",
};

struct kept {
    struct rh_flights *flights;
    const char *key;
    const void *bytes;
    size_t len;
};

int rh_inbound_open(struct rh_flights *flights)
{
    return rh_db_prepare(&flights->db, texts, RH_SQL_INBOUND_COUNT, flights->inbound_sql);
}

void rh_inbound_close(struct rh_flights *flights)
{
    rh_db_finalize(flights->inbound_sql, RH_SQL_INBOUND_COUNT);
}

/* -ENOBUFS beyond the bounds. */
static int admit(const struct kept *job)
{
    sqlite3_stmt *count = job->flights->inbound_sql[RH_SQL_INBOUND_COUNT_ALL];
    int r = rh_db_step(&job->flights->db, count, "t", job->key);
    if (r != 1) {
        return r < 0 ? r : -EBADMSG;
    }
    bool fits = sqlite3_column_int64(count, 0) < KEPT_MAX &&
                sqlite3_column_int64(count, 1) + (int64_t)job->len <= KEPT_BYTES_MAX;
    rh_db_end(count);
    return fits ? 0 : -ENOBUFS;
}

static int keep_work(void *context)
{
    const struct kept *job = context;
    int r = admit(job);
    return r < 0 ? r
                 : rh_db_run(&job->flights->db, job->flights->inbound_sql[RH_SQL_INBOUND_PUT], "tb", job->key,
                             job->bytes, job->len);
}

int rh_inbound_keep(void *store, const char *key, const void *bytes, size_t len)
{
    struct kept job = {store, key, bytes, len};
    if (strlen(key) >= RH_KEPT_KEY_BYTES) {
        return -EINVAL;
    }
    return len > KEPT_BYTES_MAX ? -ENOBUFS : rh_room_transact(store, RH_DB_LAZY, keep_work, &job);
}

static int release_work(void *context)
{
    const struct kept *job = context;
    return rh_db_run(&job->flights->db, job->flights->inbound_sql[RH_SQL_INBOUND_DELETE], "t", job->key);
}

int rh_inbound_release(void *store, const char *key)
{
    struct kept job = {.flights = store, .key = key};
    return rh_db_transact(&job.flights->db, RH_DB_LAZY, release_work, &job);
}

int rh_inbound_list(void *store, char (*ret_keys)[RH_KEPT_KEY_BYTES], size_t cap)
{
    struct rh_flights *flights = store;
    sqlite3_stmt *list = flights->inbound_sql[RH_SQL_INBOUND_LIST];
    size_t n = 0;
    int r = 0;
    while (n < cap && (r = rh_db_step(&flights->db, list, "")) == 1) {
        const char *key = (const char *)sqlite3_column_text(list, 0);
        if (key && strlen(key) < RH_KEPT_KEY_BYTES) {
            snprintf(ret_keys[n++], RH_KEPT_KEY_BYTES, "%s", key);
        }
    }
    rh_db_end(list);
    return r < 0 ? r : (int)n;
}

int rh_inbound_load(void *store, const char *key, const void **ret_bytes, size_t *ret_len)
{
    struct rh_flights *flights = store;
    sqlite3_stmt *load = flights->inbound_sql[RH_SQL_INBOUND_LOAD];
    int r = rh_db_step(&flights->db, load, "t", key);
    if (r != 1) {
        return r < 0 ? r : -ENOENT;
    }
    *ret_len = (size_t)sqlite3_column_bytes(load, 0);
    r = rh_queue_copy(&flights->kept, sqlite3_column_blob(load, 0), *ret_len);
    *ret_bytes = flights->kept.at;
    rh_db_end(load);
    return r;
}
