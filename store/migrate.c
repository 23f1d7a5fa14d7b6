/* SPDX-License-Identifier: MIT */
/*
 * migrate.c - the schema ladder: a step is never edited once released; a change is a new step below.
 */
#include <errno.h>
#include <stdio.h>

#include "store/schema.h"

static const char step_1[] =
    "CREATE TABLE store(id INTEGER PRIMARY KEY CHECK(id = 1), epoch TEXT NOT NULL, gateway TEXT NOT NULL,"
    " machine TEXT NOT NULL, inode INTEGER NOT NULL);"
    "CREATE TABLE mark(uplink INTEGER PRIMARY KEY, seq INTEGER NOT NULL, row INTEGER NOT NULL,"
    " session INTEGER NOT NULL DEFAULT 0, connects INTEGER NOT NULL DEFAULT 0,"
    " watermark INTEGER NOT NULL DEFAULT 0);"
    "INSERT INTO mark(uplink, seq, row) VALUES(1, 1, 1);"
    "CREATE TABLE stream(id INTEGER PRIMARY KEY, uplink INTEGER NOT NULL, topic TEXT NOT NULL,"
    " qos INTEGER NOT NULL, retain INTEGER NOT NULL, drop_last INTEGER NOT NULL,"
    " UNIQUE(uplink, topic, qos, retain, drop_last));"
    "CREATE TABLE batch(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " n INTEGER NOT NULL, t0 INTEGER NOT NULL, sum INTEGER NOT NULL, payload BLOB NOT NULL);"
    "CREATE TABLE notice(id INTEGER PRIMARY KEY, uplink INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " topic TEXT NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, flying INTEGER NOT NULL DEFAULT 0,"
    " n INTEGER NOT NULL, t0 INTEGER NOT NULL, sum INTEGER NOT NULL, payload BLOB NOT NULL);"
    "CREATE INDEX notice_topic ON notice(uplink, topic);"
    "CREATE TABLE flight(uplink INTEGER NOT NULL, mid INTEGER NOT NULL, row INTEGER NOT NULL,"
    " state INTEGER NOT NULL, PRIMARY KEY(uplink, mid)) WITHOUT ROWID;"
    "CREATE TABLE refused(row INTEGER PRIMARY KEY, uplink INTEGER NOT NULL, due INTEGER NOT NULL,"
    " tries INTEGER NOT NULL, reason INTEGER NOT NULL);"
    "CREATE INDEX refused_due ON refused(uplink, due, row);";

static const char step_2[] =
    "CREATE TABLE seen(n INTEGER PRIMARY KEY, uplink INTEGER NOT NULL, topic TEXT NOT NULL, id TEXT NOT NULL,"
    " since INTEGER NOT NULL, session INTEGER NOT NULL, reply BLOB, UNIQUE(uplink, topic, id));"
    "CREATE INDEX seen_open ON seen(n) WHERE reply IS NULL;"
    "CREATE TABLE audit(n INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, topic TEXT NOT NULL,"
    " id TEXT NOT NULL, claimed_by TEXT NOT NULL, point TEXT NOT NULL, old_value TEXT NOT NULL,"
    " new_value TEXT NOT NULL, outcome TEXT NOT NULL);"
    "CREATE TABLE inbound(n INTEGER PRIMARY KEY, uplink INTEGER NOT NULL, key TEXT NOT NULL,"
    " data BLOB NOT NULL, UNIQUE(uplink, key));"
    "CREATE INDEX notice_reply ON notice(uplink, id) WHERE kind = 2;"
    "ALTER TABLE mark ADD COLUMN clock_offset INTEGER NOT NULL DEFAULT 0;";

/* steps[v] leads from version v to v + 1. */
static const char *const steps[] = {step_1, step_2};
_Static_assert(RH_COUNT(steps) == RH_SCHEMA_VERSION, "a version needs its step");

struct climb {
    struct rh_db *db;
    int version;
};

static int climb_step(void *context)
{
    const struct climb *climb = context;
    int r = rh_db_exec(climb->db, steps[climb->version]);
    if (r < 0) {
        return r;
    }
    char sql[96];
    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d", RH_SCHEMA_APPLICATION,
             climb->version + 1);
    return rh_db_exec(climb->db, sql);
}

int rh_schema_layout(struct rh_db *db)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL", RH_DB_PAGE_BYTES);
    return rh_db_exec(db, sql);
}

int rh_schema_migrate(struct rh_db *db, int version)
{
    int r = 0;
    for (struct climb climb = {db, version}; r == 0 && climb.version < RH_SCHEMA_VERSION; climb.version++) {
        r = rh_db_transact(db, RH_DB_DURABLE, climb_step, &climb);
    }
    return r;
}

int rh_schema_inspect(struct rh_db *db, int *ret_version)
{
    int64_t application = 0, version = 0, tables = 0, ours = 0;
    *ret_version = 0;
    int r = rh_db_number(db, "PRAGMA application_id", &application);
    r = r < 0 ? r : rh_db_number(db, "PRAGMA user_version", &version);
    r = r < 0 ? r : rh_db_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    r = r < 0 ? r : rh_db_number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'batch'", &ours);
    if (r < 0) {
        return r;
    }
    if (application != RH_SCHEMA_APPLICATION) {
        /* With our table in it, the header is damaged; with other tables, it belongs to somebody else. */
        return tables == 0 ? 0 : ours ? -EBADMSG : -EPROTO;
    }
    *ret_version = (int)version;
    if (version > RH_SCHEMA_VERSION) {
        return -EPROTO;
    }
    return version < 1 ? -EBADMSG : 0;
}
