/* SPDX-License-Identifier: MIT */
/*
 * drop.h - rows that go so that others fit: the oldest that are not on their way. Either connection may do
 * it, within a transaction of its own; see bounds.c for what the two must tell each other.
 */
#ifndef RH_STORE_DROP_H
#define RH_STORE_DROP_H

#include "store/db.h"

enum rh_drop_sql {
    RH_SQL_DROP_REFUSED,
    RH_SQL_DROP_LATER,
    RH_SQL_DROP_BATCH,
    RH_SQL_DROP_NOTICE,
    RH_SQL_DROP_RECORD,
    RH_SQL_DROP_NEXT_ROW,
    RH_SQL_DROP_COUNT
};

#define RH_DROP_PHASES 4

/* Belongs to one connection. */
struct rh_dropper {
    struct rh_db *db;
    sqlite3_stmt *sql[RH_SQL_DROP_COUNT];
    int64_t from[RH_DROP_PHASES]; /* rows up to there are gone or not of that phase's kind */
};

/* What a transaction dropped; counted after its commit. */
struct rh_drop {
    int64_t batches, readings, pages;
    bool exhausted;               /* fewer than asked for: nothing else may go */
    int64_t from[RH_DROP_PHASES]; /* the new places, once committed */
};

RH_MUST_USE int rh_drop_prepare(struct rh_dropper *dropper, struct rh_db *db);
void rh_drop_finalize(struct rh_dropper *dropper);

/* Within a transaction: drops until about `goal_pages` are free. Refused rows, then those not yet handed out;
 * rows of drop_last streams after all others; replies never. */
RH_MUST_USE int rh_drop_rows(struct rh_dropper *dropper, int64_t goal_pages, struct rh_drop *drop);

/* After its commit. */
void rh_drop_committed(struct rh_dropper *dropper, const struct rh_drop *drop);

#endif
