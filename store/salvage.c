/* SPDX-License-Identifier: MIT */
/*
 * salvage.c - moves what can be read from a damaged database into a new one.
 *
 * Small tables are copied until the first error. Batches are read forward from the lowest id until an error,
 * backward from the highest down to it, and id by id in between; each must pass its checksum. Rows keep their
 * numbers, so their order stays, and new rows come after the highest. The new file has a new epoch: part of
 * the old one's seq may be lost, and a number used twice would make receivers drop new data as repeats.
 *
 * The damaged file itself is left as it is: its log is read, but not written back on closing.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "store/inside.h"

#define SALVAGE_US 2500000 /* with the check before it, a start stays below 5 s */
#define PROBES_MAX 100000

#define BATCH_COLUMNS                                                                                        \
    "SELECT b.id, b.stream, b.seq, b.n, b.t0, b.sum, b.payload, s.topic, s.qos, s.retain FROM batch b"       \
    " LEFT JOIN main.stream s ON s.id = b.stream "

/* Tables that are copied row by row, as far as they can be read. */
static const struct {
    const char *from, *to;
} tables[] = {
    {"SELECT id, uplink, topic, qos, retain, drop_last FROM stream ORDER BY id",
     "INSERT OR IGNORE INTO stream VALUES(?1, ?2, ?3, ?4, ?5, ?6)"},
    {"SELECT id, uplink, kind, topic, qos, retain, 0, n, t0, sum, payload FROM notice ORDER BY id",
     "INSERT OR IGNORE INTO notice VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
    {"SELECT uplink, mid, row, state FROM flight WHERE mid BETWEEN 1 AND 65535",
     "INSERT OR IGNORE INTO flight VALUES(?1, ?2, ?3, ?4)"},
    {"SELECT row, uplink, due, tries, reason FROM refused ORDER BY row",
     "INSERT OR IGNORE INTO refused VALUES(?1, ?2, ?3, ?4, ?5)"},
    {"SELECT uplink, row, session, connects FROM mark",
     "UPDATE mark SET row = max(row, ?2), session = ?3, connects = ?4 WHERE uplink = ?1"},
    {"SELECT uplink, clock_offset FROM mark", "UPDATE mark SET clock_offset = ?2 WHERE uplink = ?1"},
    {"SELECT n, uplink, key, data FROM inbound ORDER BY n",
     "INSERT OR IGNORE INTO inbound VALUES(?1, ?2, ?3, ?4)"},
    /* A session that never was: what has no reply is half-done. The newest first, should the time run out. */
    {"SELECT n, uplink, topic, id, since, 0, reply FROM seen ORDER BY n DESC",
     "INSERT OR IGNORE INTO seen VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
    {"SELECT n, wall_ms, topic, id, claimed_by, point, old_value, new_value, outcome FROM audit"
     " ORDER BY n DESC",
     "INSERT OR IGNORE INTO audit VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
};

enum { FORWARD, BACKWARD, PROBE, INSERT, STATEMENTS };

struct salvage {
    struct rh_store *store;
    struct rh_db damaged;
    sqlite3_stmt *sql[STATEMENTS]; /* INSERT belongs to the new database, the others to the damaged one */
    int64_t deadline_us;
    int64_t saved, lost;
    int error; /* of the new database: ends the salvage */
};

static void copy_columns(sqlite3_stmt *to, sqlite3_stmt *from, int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
    }
}

static int insert(struct salvage *salvage, sqlite3_stmt *to)
{
    int r = rh_db_run(&salvage->store->db, to, "");
    if (r < 0) {
        salvage->error = r;
    }
    return r;
}

static void copy_table(struct salvage *salvage, const char *from_text, const char *to_text)
{
    sqlite3_stmt *from = NULL, *to = NULL;
    if (rh_db_prepare(&salvage->store->db, &to_text, 1, &to) == 0 &&
        rh_db_prepare(&salvage->damaged, &from_text, 1, &from) == 0) {
        while (rh_mono_us() < salvage->deadline_us && sqlite3_step(from) == SQLITE_ROW) {
            copy_columns(to, from, sqlite3_column_count(from));
            if (insert(salvage, to) < 0) {
                break;
            }
        }
    }
    sqlite3_finalize(from);
    sqlite3_finalize(to);
}

static bool verified(sqlite3_stmt *row)
{
    struct rh_batch batch = {
        .kind = RH_BATCH_DATA,
        .readings = (uint32_t)sqlite3_column_int64(row, 3),
        .wall_ms = sqlite3_column_int64(row, 4),
        .payload = sqlite3_column_blob(row, 6),
        .len = (size_t)sqlite3_column_bytes(row, 6),
        .topic = (const char *)sqlite3_column_text(row, 7),
        .qos = sqlite3_column_int(row, 8),
        .retain = sqlite3_column_int(row, 9),
    };
    return batch.topic && rh_row_sum(&batch, sqlite3_column_int64(row, 0),
                                     (uint64_t)sqlite3_column_int64(row, 2)) == sqlite3_column_int64(row, 5);
}

static void take(struct salvage *salvage, sqlite3_stmt *row)
{
    if (!verified(row)) {
        salvage->lost++;
        return;
    }
    copy_columns(salvage->sql[INSERT], row, 7);
    if (insert(salvage, salvage->sql[INSERT]) == 0) {
        salvage->saved++;
    }
}

/* Takes rows while they can be read; `*last` is the id of the last one. True at the end of the range. */
static bool scan(struct salvage *salvage, sqlite3_stmt *statement, int64_t bound, int64_t *last)
{
    int rc = SQLITE_OK;
    sqlite3_bind_int64(statement, 1, bound);
    while (salvage->error == 0 && rh_mono_us() < salvage->deadline_us) {
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW) {
            break;
        }
        *last = sqlite3_column_int64(statement, 0);
        take(salvage, statement);
    }
    sqlite3_reset(statement);
    return rc == SQLITE_DONE;
}

/* Ids between `from` and `to`, both excluded, one by one. Those that cannot be read are counted. */
static void probe(struct salvage *salvage, int64_t from, int64_t to)
{
    sqlite3_stmt *statement = salvage->sql[PROBE];
    int64_t id = from + 1;
    for (int n = 0; id < to && n < PROBES_MAX && salvage->error == 0; n++, id++) {
        if (rh_mono_us() >= salvage->deadline_us) {
            break;
        }
        sqlite3_bind_int64(statement, 1, id);
        int rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            take(salvage, statement);
        } else if (rc != SQLITE_DONE) {
            salvage->lost++;
        }
        sqlite3_reset(statement);
    }
    salvage->lost += id < to ? to - id : 0;
}

static void save_batches(struct salvage *salvage)
{
    int64_t first_bad = 0, top = 0, end = 0;
    if (scan(salvage, salvage->sql[FORWARD], 0, &first_bad)) {
        return;
    }
    if (rh_db_number(&salvage->damaged, "SELECT row FROM mark WHERE uplink = 1", &end) < 0 ||
        end <= first_bad) {
        end = first_bad + 1;
    }
    top = end;
    scan(salvage, salvage->sql[BACKWARD], first_bad, &top);
    probe(salvage, first_bad, top);
}

/* Rows get their final numbers: the next one comes after everything that was saved or once existed. */
static int set_marks(void *context)
{
    const struct salvage *salvage = context;
    return rh_db_exec(&salvage->store->db,
                      "UPDATE mark SET row = max(row, coalesce((SELECT max(id) FROM batch), 0) + 1,"
                      " coalesce((SELECT max(id) FROM notice), 0) - 1152921504606846976 + 1);"
                      "DELETE FROM flight WHERE state != 2 AND row NOT IN (SELECT id FROM batch)"
                      " AND row NOT IN (SELECT id FROM notice);"
                      "DELETE FROM refused WHERE row NOT IN (SELECT id FROM batch)"
                      " AND row NOT IN (SELECT id FROM notice)");
}

static int open_damaged(struct salvage *salvage, const char *path)
{
    static const char *const read[] = {
        [FORWARD] = BATCH_COLUMNS "WHERE b.id > ?1 ORDER BY b.id",
        [BACKWARD] = BATCH_COLUMNS "WHERE b.id > ?1 ORDER BY b.id DESC",
        [PROBE] = BATCH_COLUMNS "WHERE b.id = ?1",
    };
    static const char *const write[] = {"INSERT OR IGNORE INTO batch VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"};
    struct stat st;
    if (stat(path, &st) < 0 || st.st_size == 0) {
        return -ENODATA; /* opening it would throw its log away */
    }
    int r = rh_db_open(&salvage->damaged, path, NULL);
    if (r < 0) {
        return r;
    }
    sqlite3_db_config(salvage->damaged.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    /* A schema with a broken entry is used as far as it goes. */
    sqlite3_db_config(salvage->damaged.handle, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
    r = rh_db_prepare(&salvage->damaged, read, RH_COUNT(read), salvage->sql);
    return r < 0 ? r : rh_db_prepare(&salvage->store->db, write, 1, &salvage->sql[INSERT]);
}

int rh_salvage(struct rh_store *store, const char *damaged, struct rh_store_opened *opened)
{
    struct salvage salvage = {.store = store, .deadline_us = rh_mono_us() + SALVAGE_US};
    int r = rh_db_barrier(&store->db); /* commits need not be synced one by one from here on */
    if (r < 0) {
        return r;
    }
    if (open_damaged(&salvage, damaged) == 0) {
        for (size_t i = 0; i < RH_COUNT(tables) && salvage.error == 0; i++) {
            copy_table(&salvage, tables[i].from, tables[i].to);
        }
        save_batches(&salvage);
    }
    rh_db_finalize(salvage.sql, STATEMENTS);
    rh_db_close(&salvage.damaged);
    opened->salvaged_batches = salvage.saved;
    opened->lost_batches = salvage.lost;
    r = rh_db_transact(&store->db, RH_DB_DURABLE, set_marks, &salvage);
    return r < 0 ? r : rh_identity_marks(store);
}
