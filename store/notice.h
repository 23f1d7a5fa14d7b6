/* SPDX-License-Identifier: MIT */
/*
 * notice.h - writing rows of the table `notice` (state, replies) and numbering rows. Both connections do it:
 * a number is taken from `mark` and given back to it within one write transaction, so numbers rise in the
 * order of commits, and a cursor that stands on one has seen all lower ones.
 */
#ifndef RH_STORE_NOTICE_H
#define RH_STORE_NOTICE_H

#include "core/batch.h"
#include "store/db.h"

extern const char rh_notice_sql_add[];
extern const char rh_notice_sql_next_row[];

/* With rh_notice_sql_next_row, within a transaction. */
RH_MUST_USE int rh_notice_next_row(struct rh_db *db, sqlite3_stmt *next_row, int64_t *ret_row);

/* With rh_notice_sql_add; `row` carries RH_ROW_NOTICE. */
RH_MUST_USE int rh_notice_add(struct rh_db *db, sqlite3_stmt *add, const struct rh_batch *batch, int64_t row);

#endif
