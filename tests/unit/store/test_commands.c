/* SPDX-License-Identifier: MIT */
/* A command is carried out at most once and answered with the same words ever after: duplicates, restarts,
 * kills, a full store, clocks that jump. */
#include "command_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static void an_id_is_new_once(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_int_equal(begin(bench, "a"), RH_SEEN_RUNNING);
    assert_int_equal(begin(bench, "b"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "{\"status\":\"ok\"}"), 0);
    expect_done(bench, "a", "{\"status\":\"ok\"}");
    expect_done(bench, "a", "{\"status\":\"ok\"}");
    assert_int_equal(begin(bench, "b"), RH_SEEN_RUNNING);
    enum rh_command_seen seen;
    struct rh_text reply;
    rh_text_init(&reply, reply_buffer, sizeof(reply_buffer));
    assert_int_equal(rh_commands_begin(bench->flights, TOPIC "/other", "a", WALL, &seen, &reply), 0);
    assert_int_equal(seen, RH_SEEN_NEW);
    expect_half_done(bench, "");
}

static void outside_bytes_are_bounded(void **state)
{
    struct bench *bench = *state;
    char id[RH_COMMAND_ID_MAX + 2], topic[RH_TOPIC_MAX + 1];
    enum rh_command_seen seen;
    struct rh_text reply;
    bench_open(bench);
    memset(id, 'i', sizeof(id));
    memset(topic, 't', sizeof(topic));
    id[RH_COMMAND_ID_MAX + 1] = topic[RH_TOPIC_MAX] = '\0';
    assert_int_equal(begin(bench, id), -EINVAL);
    assert_int_equal(begin(bench, ""), -EINVAL);
    id[RH_COMMAND_ID_MAX] = '\0';
    assert_int_equal(begin(bench, id), RH_SEEN_NEW);
    rh_text_init(&reply, reply_buffer, sizeof(reply_buffer));
    assert_int_equal(rh_commands_begin(bench->flights, topic, "a", WALL, &seen, &reply), -EINVAL);
    topic[RH_TOPIC_MAX - 1] = '\0';
    assert_int_equal(rh_commands_begin(bench->flights, topic, "a", WALL, &seen, &reply), 0);
    bench_reopen(bench);
    struct rh_half_done found;
    expect_half_done(bench, id);
    assert_int_equal(finish(bench, id, "x"), 0);
    assert_int_equal(rh_commands_half_done(bench->flights, &found), 1);
    assert_string_equal(found.topic, topic);
    struct rh_finish what = finish_of("", "x");
    topic[RH_TOPIC_MAX - 1] = 't';
    what.reply_topic = topic;
    assert_int_equal(rh_commands_finish(bench->flights, &what), -EINVAL);
    what = finish_of("", reply_buffer);
    what.reply_len = RH_REPLY_MAX + 1;
    assert_int_equal(rh_commands_finish(bench->flights, &what), -EMSGSIZE);
}

static void what_is_promised_is_synced_and_a_repeat_writes_nothing(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    uint64_t syncs = rh_counted(&bench->shared.syncs);
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_true(rh_counted(&bench->shared.syncs) > syncs);
    syncs = rh_counted(&bench->shared.syncs);
    assert_int_equal(finish(bench, "a", "x"), 0);
    assert_true(rh_counted(&bench->shared.syncs) > syncs);
    uint64_t written = rh_counted(&bench->shared.written_bytes);
    for (int i = 0; i < 100; i++) {
        expect_done(bench, "a", "x");
    }
    assert_true(rh_counted(&bench->shared.written_bytes) == written);
}

static void a_restart_knows_what_was_done_and_what_was_not(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    assert_int_equal(begin(bench, "done"), RH_SEEN_NEW);
    assert_int_equal(begin(bench, "first"), RH_SEEN_NEW);
    assert_int_equal(begin(bench, "second"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "done", "yes"), 0);
    bench_reopen(bench);
    bench_reopen(bench);
    expect_done(bench, "done", "yes");
    assert_int_equal(begin(bench, "new"), RH_SEEN_NEW);
    assert_int_equal(begin(bench, "new"), RH_SEEN_RUNNING);
    assert_int_equal(begin(bench, "second"), RH_SEEN_HALF_DONE);
    expect_half_done(bench, "first");
    expect_half_done(bench, "first");
    assert_int_equal(finish(bench, "first", "unconfirmed 1"), 0);
    expect_half_done(bench, "second");
    assert_int_equal(finish(bench, "second", "unconfirmed 2"), 0);
    expect_half_done(bench, "");
    expect_done(bench, "first", "unconfirmed 1");
    fly(bench, 1, 1, "yes");
    fly(bench, 2, 1, "unconfirmed 1");
    fly(bench, 3, 1, "unconfirmed 2");
    expect_nothing(bench);
}

static void a_reply_is_given_once_and_goes_before_data(void **state)
{
    struct bench *bench = *state;
    struct rh_outgoing message;
    bench_open(bench);
    bench_append(bench, 1, "data");
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "first"), 0);
    assert_int_equal(finish(bench, "a", "second"), -EEXIST);
    expect_done(bench, "a", "first");
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 2);
    assert_int_equal(bench_next(bench, &message), 1);
    assert_int_equal(message.kind, RH_BATCH_REPLY);
    assert_int_equal(message.qos, 1);
    assert_false(message.retain);
    assert_string_equal(message.topic, REPLY_TOPIC);
    fly(bench, 1, 1, "first");
    done(bench, 1);
    assert_int_equal(finish(bench, "never begun", "third"), 0); /* published, not remembered */
    assert_int_equal(finish(bench, "", "fourth"), 0);
    struct rh_finish what = finish_of("b", "fifth");
    what.reply_topic = "";
    assert_int_equal(begin(bench, "b"), RH_SEEN_NEW);
    assert_int_equal(rh_commands_finish(bench->flights, &what), 0);
    expect_done(bench, "b", "fifth");
    fly(bench, 2, 1, "third");
    fly(bench, 3, 1, "fourth");
    fly(bench, 4, 1, "data");
    expect_nothing(bench);
    assert_int_equal(begin(bench, "never begun"), RH_SEEN_NEW);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 3);
    bench_append(bench, 1, "more");
    fly(bench, 1, 1, "third");
    fly(bench, 2, 1, "fourth");
    fly(bench, 3, 1, "data");
    fly(bench, 4, 1, "more");
}

/* The keeper and the uplink number rows from one count; none may be skipped by a cursor or used twice. */
static void both_connections_number_rows_in_turn(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    for (uint16_t i = 1; i <= 100; i++) {
        char topic[32], reply[32];
        snprintf(topic, sizeof(topic), "rh/state/%d", i);
        snprintf(reply, sizeof(reply), "reply %d", i);
        assert_int_equal(finish(bench, "", reply), 0);
        bench_append_kind(bench, RH_BATCH_STATE, topic, topic);
        bench_append(bench, 2, reply);
        if (i % 3) {
            fly(bench, (uint16_t)(i * 3), 1, reply);
            fly(bench, (uint16_t)(i * 3 + 1), 1, topic);
            fly(bench, (uint16_t)(i * 3 + 2), 2, reply);
        } else {
            fly(bench, (uint16_t)(i * 3), 1, reply);
            done(bench, (uint16_t)(i * 3));
            assert_int_equal(finish(bench, "", "and another"), 0);
            fly(bench, (uint16_t)(i * 3), 1, topic);
            fly(bench, (uint16_t)(i * 3 + 1), 1, "and another");
            fly(bench, (uint16_t)(i * 3 + 2), 2, reply);
        }
    }
    expect_nothing(bench);
    assert_int_equal(rh_counted(&bench->shared.damaged_batches), 0);
}

#define TURNS 300

static void *keep_appending(void *argument)
{
    struct bench *bench = argument;
    struct rh_batch batches[2] = {data_batch("rh/data/m1", 1, "data"), data_batch("rh/state/m1", 1, "state")};
    batches[1].kind = RH_BATCH_STATE;
    long failed = 0;
    for (int i = 0; i < TURNS; i++) {
        failed += rh_store_append(bench->store, batches, 2) < 0;
    }
    return (void *)failed;
}

static void commands_and_readings_at_the_same_time(void **state)
{
    struct bench *bench = *state;
    struct rh_outgoing message;
    pthread_t keeper;
    void *failed;
    char id[16];
    int replies = 0, data = 0;
    bench_open(bench);
    assert_int_equal(pthread_create(&keeper, NULL, keep_appending, bench), 0);
    for (uint16_t i = 0; i < TURNS; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(begin(bench, id), RH_SEEN_NEW);
        assert_int_equal(finish(bench, id, id), 0);
    }
    assert_int_equal(pthread_join(keeper, &failed), 0);
    assert_null(failed);
    for (uint16_t mid = 1; bench_next(bench, &message) == 1; mid++) {
        replies += message.kind == RH_BATCH_REPLY;
        data += message.kind == RH_BATCH_DATA;
        struct rh_flight flight = {.mid = mid, .row = message.row, .qos = 1};
        assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
    }
    assert_int_equal(replies, TURNS);
    assert_int_equal(data, TURNS);
}

/* ---- kill -9, power cut ---- */

/* Begins a, b, c in a child that is killed after `steps` steps: begin a, finish a, begin b, finish b, … */
static void killed_after(struct bench *bench, int steps)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bench_open(bench);
        for (int i = 0; i < steps; i++) {
            char id[2] = {(char)('a' + i / 2), '\0'};
            if (i % 2 ? finish(bench, id, id) != 0 : begin(bench, id) != RH_SEEN_NEW) {
                _exit(1);
            }
        }
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_kill_between_begin_and_finish_leaves_it_half_done(void **state)
{
    struct bench *bench = *state;
    killed_after(bench, 5); /* a and b finished, c begun */
    bench_open(bench);
    expect_done(bench, "a", "a");
    expect_done(bench, "b", "b");
    assert_int_equal(begin(bench, "c"), RH_SEEN_HALF_DONE);
    expect_half_done(bench, "c");
    assert_int_equal(finish(bench, "c", "unconfirmed"), 0);
    expect_half_done(bench, "");
    expect_done(bench, "c", "unconfirmed");
    fly(bench, 1, 1, "a");
    fly(bench, 2, 1, "b");
    fly(bench, 3, 1, "unconfirmed");
    expect_nothing(bench);
}

static void copy_file(const char *from, const char *to, const char *suffix)
{
    char names[2][160], block[4096];
    snprintf(names[0], sizeof(names[0]), "%s%s", from, suffix);
    snprintf(names[1], sizeof(names[1]), "%s%s", to, suffix);
    FILE *in = fopen(names[0], "r"), *out = fopen(names[1], "w");
    assert_non_null(in);
    assert_non_null(out);
    size_t n;
    while ((n = fread(block, 1, sizeof(block), in)) > 0) {
        assert_int_equal(fwrite(block, 1, n, out), n);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* What is in the files while both connections are open, on another disk. */
static void a_copy_taken_at_any_step_answers_the_same(void **state)
{
    struct bench *bench = *state, copy = *bench;
    for (int steps = 1; steps <= 4; steps++) {
        bench_open(bench);
        char id[8];
        snprintf(id, sizeof(id), "id%d", steps);
        assert_int_equal(begin(bench, id), RH_SEEN_NEW);
        if (steps % 2 == 0) {
            assert_int_equal(finish(bench, id, id), 0);
        }
        snprintf(copy.path, sizeof(copy.path), "%s/copy%d.db", bench->directory, steps);
        copy_file(bench->path, copy.path, "");
        copy_file(bench->path, copy.path, "-wal");
        bench_open(&copy);
        assert_false(copy.opened.damaged);
        assert_int_equal(begin(&copy, id), steps % 2 ? RH_SEEN_HALF_DONE : RH_SEEN_DONE);
        bench_close(&copy);
        if (steps % 2) {
            assert_int_equal(finish(bench, id, id), 0);
        }
        bench_close(bench);
    }
}

/* ---- bounds ---- */

static void fill_with_data(struct bench *bench, int n)
{
    static char payload[900];
    memset(payload, 'x', sizeof(payload));
    struct rh_batch batch = data_batch("rh/data/m1", 1, "");
    batch.payload = payload;
    batch.len = sizeof(payload);
    for (int i = 0; i < n; i++) {
        assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
    }
}

static void commands_get_into_a_full_store(void **state)
{
    struct bench *bench = *state;
    struct rh_outgoing message;
    char id[16], reply[2000];
    bench->max_bytes = 1024 * 1024;
    bench_open(bench);
    fill_with_data(bench, 1000);
    assert_true(rh_counted(&bench->shared.dropped_batches) > 0);
    assert_int_equal(bench_next(bench, &message), 1); /* handed out: it may not go */
    int64_t handed_out = message.row;
    uint64_t dropped = rh_counted(&bench->shared.dropped_batches);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "%d", i);
        snprintf(reply, sizeof(reply), "%-1900d", i);
        assert_int_equal(begin(bench, id), RH_SEEN_NEW);
        assert_int_equal(finish(bench, id, reply), 0);
        if (i == 49) { /* so far it was this connection that dropped */
            assert_true(rh_counted(&bench->shared.dropped_batches) > dropped + 100);
        }
        fill_with_data(bench, i < 50 ? 0 : 5);
        assert_true(file_size(bench->path, "") + file_size(bench->path, "-wal") <= bench->max_bytes);
    }
    assert_int_equal(rh_flight_ops.load(bench->flights, handed_out, &message), 0);
    int64_t backlog = rh_gauge_get(&bench->shared.backlog);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, backlog);
    for (uint16_t i = 0; i < 100; i++) { /* all of them are here, and flights find room */
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(begin(bench, id), RH_SEEN_DONE);
        assert_int_equal(bench_next(bench, &message), 1);
        assert_int_equal(message.kind, RH_BATCH_REPLY);
        assert_int_equal(strtol(message.payload, NULL, 10), i);
        struct rh_flight flight = {.mid = (uint16_t)(i + 1), .row = message.row, .qos = 2};
        assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
    }
}

static void refused_replies_are_not_dropped_for_data(void **state)
{
    struct bench *bench = *state;
    struct rh_outgoing message;
    bench->max_bytes = 1024 * 1024;
    bench_open(bench);
    assert_int_equal(finish(bench, "", "kept"), 0);
    fly(bench, 1, 1, "kept");
    fill_with_data(bench, 1000);
    assert_int_equal(rh_flight_ops.refused(bench->flights, 1, 0x87), 0);
    fill_with_data(bench, 1000);
    tick(bench, SECOND);
    bench->now_us += 100 * SECOND;
    assert_int_equal(bench_next(bench, &message), 1);
    assert_memory_equal(message.payload, "kept", 4);
}

static void too_many_refused_replies_make_room_for_new_ones(void **state)
{
    struct bench *bench = *state;
    struct rh_outgoing message;
    char text[16];
    int n = 0, r = 0;
    bench->max_bytes = 1024 * 1024;
    bench_open(bench);
    for (; n < 1000 && r == 0; n++) {
        snprintf(text, sizeof(text), "%d", n);
        r = finish(bench, "", text);
    }
    assert_int_equal(r, -ENOBUFS); /* none was refused: none may go */
    assert_int_equal(--n, 160);    /* a quarter of the pages */
    assert_int_equal(begin(bench, "a"), RH_SEEN_NEW);
    assert_int_equal(finish(bench, "a", "begun, so it gets in"), 0);
    fly(bench, 1, 1, "0");
    fly(bench, 2, 1, "1");
    assert_int_equal(rh_flight_ops.refused(bench->flights, 2, 0x87), 0);
    int64_t backlog = rh_gauge_get(&bench->shared.backlog);
    assert_int_equal(finish(bench, "", "after a refusal"), 0);
    assert_int_equal(finish(bench, "", "no more"), -ENOBUFS);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), backlog);
    bench_reopen(bench);
    for (int i = 0; i < n + 1; i++) {
        assert_int_equal(bench_next(bench, &message), 1);
        struct rh_flight flight = {.mid = (uint16_t)(i + 1), .row = message.row, .qos = 1};
        assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
        assert_false(message.len == 1 && memcmp(message.payload, "1", 1) == 0);
    }
    expect_nothing(bench);
}

static void too_many_ids_are_refused_not_forgotten(void **state)
{
    struct bench *bench = *state;
    char id[16];
    int n = 0, r = RH_SEEN_NEW;
    int64_t wall_ms = WALL;
    bench->max_bytes = 1024 * 1024;
    bench_open(bench);
    tick(bench, SECOND);
    for (; n < 1000 && r == RH_SEEN_NEW; n++) {
        snprintf(id, sizeof(id), "%d", n);
        r = begin(bench, id);
        if (r == RH_SEEN_NEW) {
            assert_int_equal(finish(bench, id, id), 0);
        }
    }
    assert_int_equal(r, -ENOBUFS);
    assert_int_equal(--n, 320); /* two per page */
    expect_done(bench, "0", "0");
    wall_ms += 24 * HOUR;
    tick(bench, 24 * HOUR * 1000);
    assert_int_equal(begin_at(bench, "late", wall_ms), RH_SEEN_NEW); /* forgets by itself */
    assert_int_equal(begin_at(bench, "319", wall_ms), RH_SEEN_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(an_id_is_new_once),
        TEST(outside_bytes_are_bounded),
        TEST(what_is_promised_is_synced_and_a_repeat_writes_nothing),
        TEST(a_restart_knows_what_was_done_and_what_was_not),
        TEST(a_reply_is_given_once_and_goes_before_data),
        TEST(both_connections_number_rows_in_turn),
        TEST(commands_and_readings_at_the_same_time),
        TEST(a_kill_between_begin_and_finish_leaves_it_half_done),
        TEST(a_copy_taken_at_any_step_answers_the_same),
        TEST(commands_get_into_a_full_store),
        TEST(refused_replies_are_not_dropped_for_data),
        TEST(too_many_refused_replies_make_room_for_new_ones),
        TEST(too_many_ids_are_refused_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
