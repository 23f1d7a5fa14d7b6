/* SPDX-License-Identifier: MIT */
/*
 * command_test.h - short words for commands on the bench of store_test.h.
 */
#ifndef RH_TESTS_COMMAND_TEST_H
#define RH_TESTS_COMMAND_TEST_H

#include "store_test.h"

#include <sqlite3.h>
#include <stdbool.h>

#include "store/commands.h"

#define TOPIC "rh/cmd/m1/limit/set"
#define REPLY_TOPIC "rh/reply/m1/limit"
#define WALL INT64_C(1795163955698)
#define HOUR (INT64_C(3600) * 1000)

static char reply_buffer[RH_REPLY_MAX + 1];

static inline int try_begin(struct bench *bench, const char *id, int64_t wall_ms,
                            enum rh_command_seen *ret_seen)
{
    struct rh_text reply;
    rh_text_init(&reply, reply_buffer, sizeof(reply_buffer));
    return rh_commands_begin(bench->flights, TOPIC, id, wall_ms, ret_seen, &reply);
}

/* enum rh_command_seen, or a negative errno. */
static inline int begin_at(struct bench *bench, const char *id, int64_t wall_ms)
{
    enum rh_command_seen seen = RH_SEEN_NEW;
    int r = try_begin(bench, id, wall_ms, &seen);
    return r < 0 ? r : (int)seen;
}

static inline int begin(struct bench *bench, const char *id)
{
    return begin_at(bench, id, WALL);
}

static inline struct rh_finish finish_of(const char *id, const char *reply)
{
    return (struct rh_finish){.topic = TOPIC,
                              .id = id,
                              .reply_topic = REPLY_TOPIC,
                              .reply = reply,
                              .reply_len = strlen(reply),
                              .wall_ms = WALL};
}

static inline int finish(struct bench *bench, const char *id, const char *reply)
{
    struct rh_finish what = finish_of(id, reply);
    return rh_commands_finish(bench->flights, &what);
}

static inline void expect_done(struct bench *bench, const char *id, const char *reply)
{
    assert_int_equal(begin(bench, id), RH_SEEN_DONE);
    assert_string_equal(reply_buffer, reply);
}

/* "" for none. */
static inline void expect_half_done(struct bench *bench, const char *id)
{
    struct rh_half_done found = {.id = ""};
    assert_int_equal(rh_commands_half_done(bench->flights, &found), id[0] != '\0');
    assert_string_equal(found.id, id);
    if (id[0]) {
        assert_string_equal(found.topic, TOPIC);
    }
}

/* Both clocks move, as they do when nobody sets one. */
static inline void pass(struct bench *bench, int64_t *wall_ms, int64_t ms)
{
    *wall_ms += ms;
    tick(bench, ms * 1000);
    assert_int_equal(rh_commands_tick(bench->flights, *wall_ms), 0);
}

static inline void execute(const char *path, const char *sql)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    char *error = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &error) != SQLITE_OK) {
        print_message("%s: %s\n", sql, error);
        fail();
    }
    sqlite3_close(database);
}

/* The one number, or text, that `sql` yields; beside the store's own connections. */
static inline int64_t ask(const char *path, const char *sql, char *text, size_t cap)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    if (text) {
        snprintf(text, cap, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

#endif
