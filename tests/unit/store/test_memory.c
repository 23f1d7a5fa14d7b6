/* SPDX-License-Identifier: MIT */
/* What is remembered, how long, and what survives damage and older files: ids by a clock that takes no steps,
 * the audit trail, messages between their acknowledgement and their being handed over. */
#include "command_test.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/schema.h"

/* ---- how long ids are kept ---- */

static void ids_are_kept_24_hours_and_then_forgotten(void **state)
{
    struct bench *bench = *state;
    int64_t wall_ms = WALL;
    bench_open(bench);
    pass(bench, &wall_ms, 1);
    assert_int_equal(begin_at(bench, "a", wall_ms), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "x"), 0);
    for (int i = 0; i < 24; i++) {
        expect_done(bench, "a", "x");
        pass(bench, &wall_ms, HOUR - (i == 23));
    }
    expect_done(bench, "a", "x");
    pass(bench, &wall_ms, 1);
    assert_int_equal(begin_at(bench, "a", wall_ms), RH_SEEN_NEW);
}

static void ids_are_kept_24_hours_across_restarts(void **state)
{
    struct bench *bench = *state;
    int64_t wall_ms = WALL;
    bench_open(bench);
    tick(bench, SECOND);
    assert_int_equal(begin_at(bench, "a", wall_ms), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "x"), 0);
    bench_reopen(bench);
    wall_ms += 23 * HOUR; /* the box was off */
    pass(bench, &wall_ms, 1);
    expect_done(bench, "a", "x");
    bench_reopen(bench);
    wall_ms -= 20 * HOUR; /* no clock of its own: it boots in the past */
    pass(bench, &wall_ms, 1);
    assert_int_equal(begin_at(bench, "b", wall_ms), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "b", "y"), 0);
    wall_ms += 20 * HOUR; /* synchronised */
    pass(bench, &wall_ms, 60000);
    expect_done(bench, "a", "x");
    pass(bench, &wall_ms, 23 * HOUR);
    assert_int_equal(begin_at(bench, "b", wall_ms), RH_SEEN_DONE);
    bench_reopen(bench);
    wall_ms += 2 * HOUR;
    pass(bench, &wall_ms, 1);
    assert_int_equal(begin_at(bench, "b", wall_ms), RH_SEEN_NEW);
}

static void a_clock_that_jumps_ages_nothing(void **state)
{
    struct bench *bench = *state;
    int64_t wall_ms = 1600000000000;
    bench_open(bench);
    pass(bench, &wall_ms, 1);
    assert_int_equal(begin_at(bench, "early", wall_ms), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "early", "x"), 0);
    wall_ms = WALL; /* years later */
    pass(bench, &wall_ms, 60000);
    expect_done(bench, "early", "x");
    bench_reopen(bench); /* the step was stored */
    pass(bench, &wall_ms, 60000);
    expect_done(bench, "early", "x");
    wall_ms += 300 * 24 * HOUR; /* a wrong clock … */
    pass(bench, &wall_ms, 60000);
    assert_int_equal(begin_at(bench, "wrong", wall_ms), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "wrong", "x"), 0);
    wall_ms -= 300 * 24 * HOUR; /* … put right: ids of that time do not stay for ever */
    pass(bench, &wall_ms, 60000);
    expect_done(bench, "wrong", "x");
    for (int i = 0; i < 24; i++) {
        pass(bench, &wall_ms, HOUR);
    }
    assert_int_equal(begin_at(bench, "early", wall_ms), RH_SEEN_NEW);
    assert_int_equal(begin_at(bench, "wrong", wall_ms), RH_SEEN_NEW);
}

static void half_done_commands_wait_for_their_reply(void **state)
{
    struct bench *bench = *state;
    int64_t wall_ms = WALL;
    bench_open(bench);
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_int_equal(begin(bench, "b"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "x"), 0);
    bench_reopen(bench);
    wall_ms += 50 * HOUR;
    pass(bench, &wall_ms, 1);
    expect_half_done(bench, "b");
    assert_int_equal(finish(bench, "b", "unconfirmed"), 0);
    pass(bench, &wall_ms, 1);
    assert_int_equal(begin_at(bench, "b", wall_ms), RH_SEEN_NEW);
}

static void forgetting_takes_small_steps(void **state)
{
    struct bench *bench = *state;
    int64_t wall_ms = WALL;
    char id[16];
    bench_open(bench);
    pass(bench, &wall_ms, 1);
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(begin_at(bench, id, wall_ms), RH_SEEN_NEW);
        assert_int_equal(finish(bench, id, "x"), 0);
    }
    pass(bench, &wall_ms, 24 * HOUR);
    for (int64_t left = 200 - 64; left > 0; left -= 64) {
        assert_int_equal(ask(bench->path, "SELECT count(*) FROM seen", NULL, 0), left);
        pass(bench, &wall_ms, 1);
    }
    assert_int_equal(ask(bench->path, "SELECT count(*) FROM seen", NULL, 0), 0);
    uint64_t written = rh_counted(&bench->shared.written_bytes);
    pass(bench, &wall_ms, 1);
    assert_true(rh_counted(&bench->shared.written_bytes) == written);
}

/* ---- the audit trail ---- */

static struct rh_audit audit_of(const char *id, const char *by)
{
    return (struct rh_audit){.wall_ms = WALL,
                             .topic = TOPIC,
                             .id = id,
                             .by = by,
                             .point = "m1.limit",
                             .old_value = "41",
                             .new_value = "42",
                             .outcome = "ok"};
}

static void audit_rows_are_kept_and_cut(void **state)
{
    struct bench *bench = *state;
    char text[2048], long_by[2000];
    bench_open(bench);
    for (size_t i = 0; i + 2 < sizeof(long_by); i += 2) {
        memcpy(&long_by[i], "\xc3\xa4", 2);
    }
    long_by[0] = 'x'; /* moves the characters off the cut */
    memmove(&long_by[1], &long_by[2], sizeof(long_by) - 2);
    long_by[sizeof(long_by) - 3] = '\0';
    struct rh_audit rows[2] = {audit_of("a", "anna"), audit_of("a", long_by)};
    struct rh_finish what = finish_of("a", "x");
    what.audit = rows;
    what.n_audit = 2;
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_int_equal(rh_commands_finish(bench->flights, &what), 0);
    uint64_t syncs = rh_counted(&bench->shared.syncs);
    struct rh_audit local = audit_of("", "root");
    local.topic = "control";
    assert_int_equal(rh_commands_audit(bench->flights, &local), 0);
    assert_true(rh_counted(&bench->shared.syncs) > syncs);
    bench_reopen(bench);
    ask(bench->path,
        "SELECT group_concat(topic || ' ' || id || ' ' || claimed_by || ' ' || point || ' ' || old_value || "
        "' '"
        " || new_value || ' ' || outcome, ';') FROM audit WHERE n != 2",
        text, sizeof(text));
    assert_string_equal(text, TOPIC " a anna m1.limit 41 42 ok;control  root m1.limit 41 42 ok");
    ask(bench->path, "SELECT claimed_by FROM audit WHERE n = 2", text, sizeof(text));
    assert_int_equal(strlen(text), 1023); /* between two characters */
    assert_int_equal(rh_utf8_valid(text, strlen(text)), 1023);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 1); /* the reply alone */
}

static void the_audit_trail_is_bounded(void **state)
{
    struct bench *bench = *state;
    char by[16];
    bench->max_bytes = 1024 * 1024; /* 640 pages: 160 rows */
    bench_open(bench);
    for (int i = 0; i < 400; i++) {
        snprintf(by, sizeof(by), "%d", i);
        struct rh_audit row = audit_of("", by);
        assert_int_equal(rh_commands_audit(bench->flights, &row), 0);
    }
    assert_int_equal(ask(bench->path, "SELECT count(*) FROM audit", NULL, 0), 160);
    assert_int_equal(ask(bench->path, "SELECT min(CAST(claimed_by AS INTEGER)) FROM audit", NULL, 0), 240);
}

/* ---- messages that were acknowledged and not yet handed over ---- */

static void keep(struct bench *bench, const char *key, const char *text)
{
    assert_int_equal(rh_flight_ops.keep(bench->flights, key, text, strlen(text)), 0);
}

static void expect_kept(struct bench *bench, const char *key, const char *text)
{
    const void *bytes;
    size_t len;
    assert_int_equal(rh_flight_ops.kept_load(bench->flights, key, &bytes, &len), 0);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(bytes, text, len);
}

static void kept_messages_survive_a_kill_in_their_order(void **state)
{
    struct bench *bench = *state;
    char keys[8][RH_KEPT_KEY_BYTES];
    const void *bytes;
    size_t len;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bench_open(bench);
        keep(bench, "r5-7", "first");
        keep(bench, "q5-1", "second");
        keep(bench, "r5-2", "gone");
        keep(bench, "q5-0", "");
        keep(bench, "r5-7", "first, again");
        assert_int_equal(rh_flight_ops.release(bench->flights, "r5-2"), 0);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    bench_open(bench);
    assert_int_equal(rh_flight_ops.kept_list(bench->flights, keys, 8), 3);
    assert_string_equal(keys[0], "q5-1");
    assert_string_equal(keys[1], "q5-0");
    assert_string_equal(keys[2], "r5-7");
    assert_int_equal(rh_flight_ops.kept_list(bench->flights, keys, 2), 2);
    expect_kept(bench, "r5-7", "first, again");
    expect_kept(bench, "q5-1", "second");
    expect_kept(bench, "q5-0", "");
    assert_int_equal(rh_flight_ops.kept_load(bench->flights, "r5-2", &bytes, &len), -ENOENT);
    assert_int_equal(rh_flight_ops.release(bench->flights, "never"), 0);
    assert_int_equal(rh_flight_ops.release(bench->flights, "q5-1"), 0);
    bench_reopen(bench);
    assert_int_equal(rh_flight_ops.kept_list(bench->flights, keys, 8), 2);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 0);
}

static void kept_messages_are_bounded(void **state)
{
    struct bench *bench = *state;
    static char large[400 * 1024];
    char key[RH_KEPT_KEY_BYTES];
    bench_open(bench);
    assert_int_equal(rh_flight_ops.keep(bench->flights, "a-key-too-long-16", "x", 1), -EINVAL);
    assert_int_equal(rh_flight_ops.keep(bench->flights, "a", large, sizeof(large)), 0);
    assert_int_equal(rh_flight_ops.keep(bench->flights, "b", large, sizeof(large)), 0);
    assert_int_equal(rh_flight_ops.keep(bench->flights, "c", large, sizeof(large)), -ENOBUFS);
    assert_int_equal(rh_flight_ops.keep(bench->flights, "b", large, sizeof(large)), 0); /* replaced */
    assert_int_equal(rh_flight_ops.release(bench->flights, "a"), 0);
    assert_int_equal(rh_flight_ops.release(bench->flights, "b"), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "r5-%d", i);
        keep(bench, key, "x");
    }
    assert_int_equal(rh_flight_ops.keep(bench->flights, "one", "x", 1), -ENOBUFS);
    keep(bench, "r5-0", "y");
}

/* ---- older and damaged files ---- */

static const char version_1[] =
    "PRAGMA page_size=1024; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
    "CREATE TABLE store(id INTEGER PRIMARY KEY CHECK(id = 1), epoch TEXT NOT NULL, gateway TEXT NOT NULL,"
    " machine TEXT NOT NULL, inode INTEGER NOT NULL);"
    "CREATE TABLE mark(uplink INTEGER PRIMARY KEY, seq INTEGER NOT NULL, row INTEGER NOT NULL,"
    " session INTEGER NOT NULL DEFAULT 0, connects INTEGER NOT NULL DEFAULT 0,"
    " watermark INTEGER NOT NULL DEFAULT 0);"
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
    "CREATE INDEX refused_due ON refused(uplink, due, row);"
    "PRAGMA application_id=1380469809; PRAGMA user_version=1;"
    "ATTACH '%s' AS now;"
    "INSERT INTO store SELECT id, 'cafe0001', gateway, machine, %lld FROM now.store;"
    "INSERT INTO mark SELECT uplink, seq, row, session, connects, watermark FROM now.mark;"
    "INSERT INTO stream SELECT * FROM now.stream; INSERT INTO batch SELECT * FROM now.batch;"
    "INSERT INTO notice SELECT * FROM now.notice; INSERT INTO flight SELECT * FROM now.flight;";

/* Turns the store, which is closed, into one that the first version wrote. */
static void make_version_1(struct bench *bench)
{
    char sql[4096], old[160];
    struct stat st;
    snprintf(old, sizeof(old), "%s/old.db", bench->directory);
    bench_file(old, "");
    assert_int_equal(stat(old, &st), 0);
    int n = snprintf(sql, sizeof(sql), version_1, bench->path, (long long)st.st_ino);
    assert_in_range(n, 1, sizeof(sql) - 1);
    execute(old, sql);
    assert_int_equal(rename(old, bench->path), 0);
}

static void a_store_of_version_1_is_brought_up(void **state)
{
    struct bench *bench = *state;
    struct rh_flight found[8];
    bench_open(bench);
    bench_append_many(bench, 2, "x", 3);
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "online");
    bench_append_kind(bench, RH_BATCH_REPLY, REPLY_TOPIC, "reply");
    fly(bench, 1, 1, "online");
    done(bench, 1);
    fly(bench, 2, 1, "reply");
    fly(bench, 3, 2, "x0");
    bench_close(bench);
    make_version_1(bench);
    assert_int_equal(ask(bench->path, "PRAGMA user_version", NULL, 0), 1);
    bench_open(bench);
    assert_false(bench->opened.damaged);
    assert_false(bench->opened.new_epoch);
    assert_string_equal(rh_store_epoch(bench->store), "cafe0001");
    assert_int_equal(bench->opened.backlog, 4);
    assert_int_equal(rh_store_next_seq(bench->store), 4);
    assert_int_equal(ask(bench->path, "PRAGMA user_version", NULL, 0), RH_SCHEMA_VERSION);
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "new reply"), 0);
    assert_int_equal(rh_flight_ops.list(bench->flights, found, 8), 1);
    assert_int_equal(found[0].mid, 3);
    fly(bench, 4, 1, "reply");
    fly(bench, 5, 1, "new reply");
    fly(bench, 6, 2, "x1");
    fly(bench, 7, 2, "x2");
    expect_nothing(bench);
    bench_reopen(bench);
    expect_done(bench, "a", "new reply");
}

static void ids_are_saved_out_of_a_damaged_store(void **state)
{
    struct bench *bench = *state;
    char sql[128];
    bench_open(bench);
    bench_append_many(bench, 1, "x", 3);
    assert_int_equal(begin(bench, "done"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "done", "yes"), 0);
    assert_int_equal(begin(bench, "open"), RH_SEEN_NEW);
    keep(bench, "q5-1", "kept");
    struct rh_audit row = audit_of("", "root");
    assert_int_equal(rh_commands_audit(bench->flights, &row), 0);
    bench_close(bench);
    /* An index that is not the table's: quick_check counts its entries. */
    snprintf(sql, sizeof(sql),
             "PRAGMA writable_schema=ON;"
             "UPDATE sqlite_schema SET rootpage = %d WHERE name = 'batch'",
             0x7fff);
    execute(bench->path, sql);
    bench_open(bench);
    assert_true(bench->opened.damaged);
    expect_done(bench, "done", "yes");
    expect_half_done(bench, "open");
    assert_int_equal(begin(bench, "open"), RH_SEEN_HALF_DONE);
    expect_kept(bench, "q5-1", "kept");
    assert_int_equal(ask(bench->path, "SELECT count(*) FROM audit", NULL, 0), 1);
    expect_next(bench, "yes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(ids_are_kept_24_hours_and_then_forgotten),
        TEST(ids_are_kept_24_hours_across_restarts),
        TEST(a_clock_that_jumps_ages_nothing),
        TEST(half_done_commands_wait_for_their_reply),
        TEST(forgetting_takes_small_steps),
        TEST(audit_rows_are_kept_and_cut),
        TEST(the_audit_trail_is_bounded),
        TEST(kept_messages_survive_a_kill_in_their_order),
        TEST(kept_messages_are_bounded),
        TEST(a_store_of_version_1_is_brought_up),
        TEST(ids_are_saved_out_of_a_damaged_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
