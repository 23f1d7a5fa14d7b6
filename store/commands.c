/* SPDX-License-Identifier: MIT */
/*
 * commands.c - ids that were seen, their replies, the audit trail.
 *
 *   begin (synced) --> open: reply NULL, `session` of this process --finish (synced)--> reply stored
 *                            |
 *                            +-- process ends --> half-done: reply NULL, an earlier session
 *
 * A row of `seen` is written before the bus is touched and its reply goes with the message that publishes it,
 * so a kill at any moment leaves: no row (the command was not begun), a half-done row, or row, reply and
 * message. `mark.session` rises with every opening and is on disk no later than the first row that bears it.
 *
 * Ids are forgotten by a clock that runs with the wall clock but takes no steps: boxes without a clock of
 * their own boot in the past, and an id that came a minute before the first synchronisation must not be
 * decades old a minute after it. Where wall and monotonic time part by more than STEP_MS, the difference goes
 * into an offset, which is stored. Across a restart, which monotonic time does not cover, the clock follows
 * the wall forward and never goes back.
 */
#include "store/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/notice.h"
#include "store/uplink.h"

#define RETENTION_MS (INT64_C(24) * 3600 * 1000)
#define STEP_MS INT64_C(600000)
#define SEEN_MAX 100000
#define AUDIT_MAX 10000
#define REPLIES_MAX 1000 /* not yet taken by the broker */
#define TRIM_ROWS INT64_C(64)
#define AUDIT_TEXT_BYTES 1024

static const char *const texts[RH_SQL_COMMANDS_COUNT] = {
    [RH_SQL_SEEN_FIND] = "SELECT session, reply FROM seen WHERE uplink = 1 AND topic = ?1 AND id = ?2",
    /* Rows come at the end and go from the front. */
    [RH_SQL_SEEN_COUNT] = "SELECT coalesce((SELECT max(n) FROM seen) - (SELECT min(n) FROM seen) + 1, 0)",
    [RH_SQL_SEEN_ADD] = "INSERT INTO seen(uplink, topic, id, since, session) VALUES(1, ?1, ?2, ?3, ?4)",
    [RH_SQL_SEEN_REPLY] = "UPDATE seen SET reply = ?3 WHERE uplink = 1 AND topic = ?1 AND id = ?2"
                          " AND reply IS NULL",
    [RH_SQL_SEEN_HALF_DONE] = "SELECT topic, id FROM seen WHERE uplink = 1 AND reply IS NULL"
                              " AND session != ?1 ORDER BY n LIMIT 1",
    /* From the front, at most ?2, up to the first that is half-done. */
    [RH_SQL_SEEN_FORGET] =
        "DELETE FROM seen WHERE n < (SELECT min(n) FROM seen) + ?2 AND since <= ?1 AND n <"
        " coalesce((SELECT min(n) FROM seen WHERE reply IS NULL AND session != ?3), 9223372036854775807)",
    [RH_SQL_CLOCK_OFFSET] = "UPDATE mark SET clock_offset = ?1 WHERE uplink = 1",
    [RH_SQL_REPLY_ROW] = rh_notice_sql_next_row,
    [RH_SQL_REPLY_ADD] = rh_notice_sql_add,
    [RH_SQL_REPLY_MARK] = "UPDATE mark SET row = ?1 WHERE uplink = 1",
    [RH_SQL_REPLY_COUNT] =
        "SELECT count(*) FROM (SELECT 1 FROM notice WHERE uplink = 1 AND kind = 2 LIMIT ?1)",
    /* The oldest that the broker refused and that is not being tried again just now. */
    [RH_SQL_REPLY_REFUSED] = "SELECT n.id FROM notice n CROSS JOIN refused r ON r.row = n.id"
                             " WHERE n.uplink = 1 AND n.kind = 2"
                             " AND r.due & 17592186044415 != 17592186044415"
                             " AND n.id NOT IN (SELECT row FROM flight WHERE uplink = 1)"
                             " ORDER BY n.id LIMIT 1",
    [RH_SQL_AUDIT_ADD] = "INSERT INTO audit(wall_ms, topic, id, claimed_by, point, old_value, new_value,"
                         " outcome) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [RH_SQL_AUDIT_TRIM] = "DELETE FROM audit WHERE n <= (SELECT max(n) FROM audit) - ?1"
                          " AND n < (SELECT min(n) FROM audit) + ?2",
};

_Static_assert(RH_BATCH_REPLY == 2, "as written in the statements above");
_Static_assert(RH_DUE_FLYING == INT64_C(17592186044415), "as written in the statement above");

int rh_commands_open(struct rh_flights *flights)
{
    struct rh_memory_clock *clock = &flights->clock;
    clock->heard_us = -1;
    int r = rh_db_number(&flights->db, "SELECT clock_offset FROM mark WHERE uplink = 1", &clock->offset_ms);
    r = r < 0 ? r
              : rh_db_number(&flights->db, "SELECT since FROM seen ORDER BY n DESC LIMIT 1", &clock->time_ms);
    return r < 0 ? r : rh_db_prepare(&flights->db, texts, RH_SQL_COMMANDS_COUNT, flights->commands_sql);
}

void rh_commands_close(struct rh_flights *flights)
{
    rh_db_finalize(flights->commands_sql, RH_SQL_COMMANDS_COUNT);
}

/* ---- the clock that takes no steps ---- */

static int64_t clock_now(struct rh_flights *flights, int64_t wall_ms)
{
    struct rh_memory_clock *clock = &flights->clock;
    int64_t time_ms = wall_ms + clock->offset_ms;
    int64_t expected_ms = clock->time_ms;
    bool stepped = time_ms < expected_ms;
    if (clock->heard_us >= 0) {
        expected_ms += (flights->now_us - clock->heard_us) / 1000;
        stepped = time_ms > expected_ms + STEP_MS || time_ms < expected_ms - STEP_MS;
    }
    if (stepped) {
        clock->offset_ms += expected_ms - time_ms;
        clock->moved = true;
        time_ms = expected_ms;
    }
    clock->time_ms = time_ms > clock->time_ms ? time_ms : clock->time_ms;
    clock->heard_us = flights->opened_us < 0 ? -1 : flights->now_us;
    return clock->time_ms;
}

/* Within a transaction. `moved` is reset after the commit. */
static int store_clock(struct rh_flights *flights)
{
    return flights->clock.moved ? rh_db_run(&flights->db, flights->commands_sql[RH_SQL_CLOCK_OFFSET], "i",
                                            flights->clock.offset_ms)
                                : 0;
}

/* ---- ids ---- */

/* A small store remembers fewer: two ids, or one audit row of four pages, is what a page is counted for. */
static int64_t at_most(const struct rh_flights *flights, int64_t most, int64_t pages_share)
{
    int64_t share = rh_gauge_get(&flights->shared->page_limit) * pages_share / 4;
    return share < most ? share : most;
}

static bool bounded(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    return len > 0 && len <= max;
}

/* The one number of a statement. */
static int number(struct rh_flights *flights, enum rh_commands_sql sql, const char *types, int64_t argument,
                  int64_t *ret_number)
{
    sqlite3_stmt *statement = flights->commands_sql[sql];
    int r = rh_db_step(&flights->db, statement, types, argument);
    if (r == 1) {
        *ret_number = sqlite3_column_int64(statement, 0);
        rh_db_end(statement);
    }
    return r;
}

/* 1: known; 0: not. */
static int look_up(struct rh_flights *flights, const char *topic, const char *id,
                   enum rh_command_seen *ret_seen, struct rh_text *ret_reply)
{
    sqlite3_stmt *find = flights->commands_sql[RH_SQL_SEEN_FIND];
    int r = rh_db_step(&flights->db, find, "tt", topic, id);
    if (r != 1) {
        return r;
    }
    if (sqlite3_column_type(find, 1) != SQLITE_NULL) {
        *ret_seen = RH_SEEN_DONE;
        rh_text_bytes(ret_reply, sqlite3_column_blob(find, 1), (size_t)sqlite3_column_bytes(find, 1));
    } else {
        bool ours = sqlite3_column_int64(find, 0) == flights->session;
        *ret_seen = ours ? RH_SEEN_RUNNING : RH_SEEN_HALF_DONE;
    }
    rh_db_end(find);
    return 1;
}

static int forget(struct rh_flights *flights, int64_t time_ms)
{
    return rh_db_run(&flights->db, flights->commands_sql[RH_SQL_SEEN_FORGET], "iii", time_ms - RETENTION_MS,
                     TRIM_ROWS, flights->session);
}

struct begin {
    struct rh_flights *flights;
    const char *topic, *id;
    int64_t time_ms;
};

static int begin_work(void *context)
{
    const struct begin *job = context;
    struct rh_flights *flights = job->flights;
    int64_t most = at_most(flights, SEEN_MAX, 2), count = 0;
    int r = number(flights, RH_SQL_SEEN_COUNT, "", 0, &count);
    if (r >= 0 && count >= most) {
        r = forget(flights, job->time_ms);
        r = r < 0 ? r : number(flights, RH_SQL_SEEN_COUNT, "", 0, &count);
    }
    if (r < 0 || count >= most) {
        return r < 0 ? r : -ENOBUFS;
    }
    r = rh_db_run(&flights->db, flights->commands_sql[RH_SQL_SEEN_ADD], "ttii", job->topic, job->id,
                  job->time_ms, flights->session);
    return r < 0 ? r : store_clock(flights);
}

int rh_commands_begin(struct rh_flights *flights, const char *topic, const char *id, int64_t wall_ms,
                      enum rh_command_seen *ret_seen, struct rh_text *ret_reply)
{
    if (!bounded(topic, RH_TOPIC_MAX - 1) || !bounded(id, RH_COMMAND_ID_MAX)) {
        return -EINVAL;
    }
    int r = look_up(flights, topic, id, ret_seen, ret_reply);
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    struct begin job = {flights, topic, id, clock_now(flights, wall_ms)};
    r = rh_room_transact(flights, RH_DB_DURABLE, begin_work, &job);
    if (r == 0) {
        flights->clock.moved = false;
        *ret_seen = RH_SEEN_NEW;
    }
    return r;
}

int rh_commands_half_done(struct rh_flights *flights, struct rh_half_done *ret_command)
{
    sqlite3_stmt *find = flights->commands_sql[RH_SQL_SEEN_HALF_DONE];
    int r = rh_db_step(&flights->db, find, "i", flights->session);
    if (r != 1) {
        return r;
    }
    const char *topic = (const char *)sqlite3_column_text(find, 0);
    const char *id = (const char *)sqlite3_column_text(find, 1);
    bool sound = topic && id && bounded(topic, RH_TOPIC_MAX - 1) && bounded(id, RH_COMMAND_ID_MAX);
    if (sound) {
        snprintf(ret_command->topic, sizeof(ret_command->topic), "%s", topic);
        snprintf(ret_command->id, sizeof(ret_command->id), "%s", id);
    }
    rh_db_end(find);
    return sound ? 1 : -EBADMSG;
}

/* ---- the audit trail ---- */

/* Cut between characters. */
static const char *cut(const char *text, char buffer[AUDIT_TEXT_BYTES + 1])
{
    size_t len = strnlen(text, AUDIT_TEXT_BYTES + 1);
    if (len <= AUDIT_TEXT_BYTES) {
        return text;
    }
    len = AUDIT_TEXT_BYTES;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    memcpy(buffer, text, len);
    buffer[len] = '\0';
    return buffer;
}

static int trim_audit(struct rh_flights *flights)
{
    return rh_db_run(&flights->db, flights->commands_sql[RH_SQL_AUDIT_TRIM], "ii",
                     at_most(flights, AUDIT_MAX, 1), TRIM_ROWS);
}

static int add_audit(struct rh_flights *flights, const struct rh_audit *audit)
{
    char room[7][AUDIT_TEXT_BYTES + 1];
    int r = rh_db_run(&flights->db, flights->commands_sql[RH_SQL_AUDIT_ADD], "ittttttt", audit->wall_ms,
                      cut(audit->topic, room[0]), cut(audit->id, room[1]), cut(audit->by, room[2]),
                      cut(audit->point, room[3]), cut(audit->old_value, room[4]),
                      cut(audit->new_value, room[5]), cut(audit->outcome, room[6]));
    return r < 0 ? r : trim_audit(flights);
}

/* ---- finishing ---- */

struct finish {
    struct rh_flights *flights;
    const struct rh_finish *what;
    int64_t dropped; /* refused replies that made room */
};

static int remember_reply(struct rh_flights *flights, const struct rh_finish *what)
{
    int r = rh_db_run(&flights->db, flights->commands_sql[RH_SQL_SEEN_REPLY], "ttb", what->topic, what->id,
                      what->reply, what->reply_len);
    if (r < 0 || rh_db_changes(&flights->db) > 0) {
        return r;
    }
    sqlite3_stmt *find = flights->commands_sql[RH_SQL_SEEN_FIND];
    r = rh_db_step(&flights->db, find, "tt", what->topic, what->id);
    rh_db_end(find);
    return r < 0 ? r : r == 1 ? -EEXIST : 0;
}

/* Too many replies wait: the oldest that the broker refused goes. */
static int bound_replies(struct finish *job)
{
    struct rh_flights *flights = job->flights;
    int64_t most = at_most(flights, REPLIES_MAX, 1), count = 0, row = 0;
    int r = number(flights, RH_SQL_REPLY_COUNT, "i", most, &count);
    if (r < 0 || count < most) {
        return r < 0 ? r : 0;
    }
    r = number(flights, RH_SQL_REPLY_REFUSED, "", 0, &row);
    if (r == 0) {
        return job->what->id[0] ? 0 : -ENOBUFS;
    }
    r = r < 0 ? r : rh_flights_delete(flights, row, row);
    r = r < 0 ? r : rh_db_run(&flights->db, flights->sql[RH_SQL_REFUSED_DELETE], "i", row);
    job->dropped = r == 0;
    return r;
}

static int add_reply(struct finish *job)
{
    struct rh_flights *flights = job->flights;
    const struct rh_finish *what = job->what;
    struct rh_batch batch = {.kind = RH_BATCH_REPLY,
                             .topic = what->reply_topic,
                             .qos = 1,
                             .wall_ms = what->wall_ms,
                             .payload = what->reply,
                             .len = what->reply_len};
    int64_t row;
    int r = bound_replies(job);
    r = r < 0 ? r : rh_notice_next_row(&flights->db, flights->commands_sql[RH_SQL_REPLY_ROW], &row);
    if (r < 0) {
        return r;
    }
    r = rh_notice_add(&flights->db, flights->commands_sql[RH_SQL_REPLY_ADD], &batch, RH_ROW_NOTICE | row);
    return r < 0 ? r : rh_db_run(&flights->db, flights->commands_sql[RH_SQL_REPLY_MARK], "i", row + 1);
}

static int finish_work(void *context)
{
    struct finish *job = context;
    const struct rh_finish *what = job->what;
    job->dropped = 0;
    int r = what->id[0] ? remember_reply(job->flights, what) : 0;
    if (r == 0 && what->reply_topic[0]) {
        r = add_reply(job);
    }
    for (size_t i = 0; r == 0 && i < what->n_audit; i++) {
        r = add_audit(job->flights, &what->audit[i]);
    }
    return r;
}

int rh_commands_finish(struct rh_flights *flights, const struct rh_finish *finish)
{
    struct finish job = {.flights = flights, .what = finish};
    if (strlen(finish->reply_topic) >= RH_TOPIC_MAX) {
        return -EINVAL;
    }
    if (finish->reply_len > RH_REPLY_MAX) {
        return -EMSGSIZE;
    }
    int r = rh_room_transact(flights, RH_DB_DURABLE, finish_work, &job);
    if (r == 0) {
        int64_t added = (finish->reply_topic[0] != '\0') - job.dropped;
        rh_count(&flights->shared->dropped_batches, (uint64_t)job.dropped);
        atomic_fetch_add_explicit(&flights->shared->backlog, added, memory_order_relaxed);
    }
    return r;
}

int rh_commands_audit(struct rh_flights *flights, const struct rh_audit *audit)
{
    struct rh_finish what = {
        .topic = "", .id = "", .reply_topic = "", .reply = "", .audit = audit, .n_audit = 1};
    return rh_commands_finish(flights, &what);
}

/* ---- forgetting ---- */

struct tick {
    struct rh_flights *flights;
    int64_t time_ms;
};

static int tick_work(void *context)
{
    const struct tick *job = context;
    int r = forget(job->flights, job->time_ms);
    r = r < 0 ? r : trim_audit(job->flights);
    return r < 0 ? r : store_clock(job->flights);
}

int rh_commands_tick(struct rh_flights *flights, int64_t wall_ms)
{
    struct tick job = {flights, clock_now(flights, wall_ms)};
    /* A step of the clock must not be lost: without it all ids would look as old as the step is long. */
    enum rh_db_sync sync = flights->clock.moved ? RH_DB_DURABLE : RH_DB_LAZY;
    int r = rh_db_transact(&flights->db, sync, tick_work, &job);
    if (r == 0) {
        flights->clock.moved = false;
    }
    return r;
}
