/* SPDX-License-Identifier: MIT */
/*
 * notice.c - see notice.h.
 */
#include "store/notice.h"

#include <errno.h>

#include "store/schema.h"

const char rh_notice_sql_add[] =
    "INSERT INTO notice(id, uplink, kind, topic, qos, retain, n, t0, sum, payload)"
    " VALUES(?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const char rh_notice_sql_next_row[] = "SELECT row FROM mark WHERE uplink = 1";

int rh_notice_next_row(struct rh_db *db, sqlite3_stmt *next_row, int64_t *ret_row)
{
    int r = rh_db_step(db, next_row, "");
    if (r != 1) {
        return r < 0 ? r : -EBADMSG;
    }
    *ret_row = sqlite3_column_int64(next_row, 0);
    rh_db_end(next_row);
    return 0;
}

int rh_notice_add(struct rh_db *db, sqlite3_stmt *add, const struct rh_batch *batch, int64_t row)
{
    return rh_db_run(db, add, "iitiiiiib", row, (int64_t)batch->kind, batch->topic, (int64_t)batch->qos,
                     (int64_t)batch->retain, (int64_t)batch->readings, batch->wall_ms,
                     rh_row_sum(batch, row, 0), batch->payload, batch->len);
}
