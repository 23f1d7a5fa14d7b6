/* SPDX-License-Identifier: MIT */
/* Appending: order, seq without gaps, what replaces what, whose store it is. */
#include "store_test.h"

static void rows_come_out_in_order_with_their_bytes(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    assert_true(bench->opened.created);
    struct rh_batch batches[] = {data_batch("rh/data/m1", 1, "a"), data_batch("rh/data/m2", 2, "b"),
                                 data_batch("rh/data/m1", 1, "c")};
    assert_int_equal(rh_store_append(bench->store, batches, 3), 0);
    assert_int_equal(rh_store_next_seq(bench->store), 4);
    struct rh_outgoing message;
    assert_int_equal(bench_next(bench, &message), 1);
    assert_string_equal(message.topic, "rh/data/m1");
    assert_int_equal(message.qos, 1);
    fly(bench, 1, 1, "a");
    assert_int_equal(bench_next(bench, &message), 1);
    assert_string_equal(message.topic, "rh/data/m2");
    assert_int_equal(message.qos, 2);
    fly(bench, 2, 2, "b");
    fly(bench, 3, 1, "c");
    expect_nothing(bench);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 3);
}

static void next_is_the_same_until_it_is_put(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 2);
    assert_int_equal(expect_next(bench, "x0"), expect_next(bench, "x0"));
    fly(bench, 1, 1, "x0");
    expect_next(bench, "x1");
}

static void seq_and_rows_survive_a_restart(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 5);
    char epoch[9];
    snprintf(epoch, sizeof(epoch), "%s", rh_store_epoch(bench->store));
    assert_int_equal(strspn(epoch, "0123456789abcdef"), 8);
    fly(bench, 1, 1, "x0");
    bench_reopen(bench);
    assert_false(bench->opened.created);
    assert_false(bench->opened.new_epoch);
    assert_string_equal(rh_store_epoch(bench->store), epoch);
    assert_int_equal(rh_store_next_seq(bench->store), 6);
    assert_int_equal(bench->opened.backlog, 5);
    expect_next(bench, "x0");
}

static void rows_are_never_used_twice(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append(bench, 1, "x");
    int64_t row = fly(bench, 1, 1, "x");
    done(bench, 1);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 0);
    bench_append(bench, 1, "y");
    assert_true(expect_next(bench, "y") > row);
}

static void a_failed_append_leaves_no_gap(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = 1024 * 1024;
    bench_open(bench);
    bench_append(bench, 1, "x");
    static char large[1024 * 1024];
    struct rh_batch batches[] = {data_batch("rh/data/m1", 1, "y"), data_batch("rh/data/m1", 1, "z")};
    batches[1].payload = large;
    batches[1].len = sizeof(large);
    assert_int_equal(rh_store_append(bench->store, batches, 2), -EFBIG);
    assert_int_equal(rh_store_next_seq(bench->store), 2);
    bench_append(bench, 1, "y");
    assert_int_equal(rh_store_next_seq(bench->store), 3);
    fly(bench, 1, 1, "x");
    fly(bench, 2, 1, "y");
    expect_nothing(bench);
}

static void a_new_state_replaces_the_old_one(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append(bench, 1, "data");
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "old");
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m2", "other");
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "new");
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 3);
    assert_int_equal(rh_store_next_seq(bench->store), 2);
    fly(bench, 1, 1, "other");
    fly(bench, 2, 1, "new");
    fly(bench, 3, 1, "data");
    expect_nothing(bench);
}

static void a_state_on_its_way_is_followed_not_replaced(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "old");
    fly(bench, 1, 1, "old");
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "new");
    assert_int_equal(rh_flight_ops.again(bench->flights, 1), 0);
    fly(bench, 2, 1, "old");
    done(bench, 2);
    fly(bench, 3, 1, "new");
    done(bench, 3);
    expect_nothing(bench);
    tick(bench, 2 * SECOND);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 0);
}

static void a_refused_state_gives_way_to_a_newer_one(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "old");
    fly(bench, 1, 1, "old");
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "new");
    assert_int_equal(rh_flight_ops.refused(bench->flights, 1, 0x87), 0);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 1);
    fly(bench, 2, 1, "new");
    assert_int_equal(rh_flight_ops.refused(bench->flights, 2, 0x87), 0);
    bench_append_kind(bench, RH_BATCH_STATE, "rh/state/m1", "newest");
    fly(bench, 3, 1, "newest");
    done(bench, 3);
    tick(bench, 100 * SECOND);
    expect_nothing(bench);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 0);
}

static void replies_are_all_kept_and_go_first(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append(bench, 1, "data");
    bench_append_kind(bench, RH_BATCH_REPLY, "rh/reply/m1", "r1");
    bench_append_kind(bench, RH_BATCH_REPLY, "rh/reply/m1", "r2");
    bench_reopen(bench);
    fly(bench, 1, 1, "r1");
    fly(bench, 2, 1, "r2");
    fly(bench, 3, 1, "data");
}

/* What changes beside the gateway's name; each begins a new epoch at seq 1. */
static void check_new_epoch(struct bench *bench, bool expected)
{
    char epoch[9];
    snprintf(epoch, sizeof(epoch), "%s", rh_store_epoch(bench->store));
    uint64_t seq = rh_store_next_seq(bench->store);
    bench_reopen(bench);
    assert_int_equal(bench->opened.new_epoch, expected);
    assert_int_equal(strcmp(rh_store_epoch(bench->store), epoch) != 0, expected);
    assert_int_equal(rh_store_next_seq(bench->store), expected ? 1 : seq);
    bench_append(bench, 1, "x");
}

static void another_gateway_machine_or_file_is_another_epoch(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    assert_true(bench->opened.new_epoch);
    bench_append(bench, 1, "x");
    check_new_epoch(bench, false);
    bench->gateway = "other";
    check_new_epoch(bench, true);
    bench_file(bench->machine, "fedcba9876543210\n");
    check_new_epoch(bench, true);
    bench_close(bench);
    char copy[512];
    snprintf(copy, sizeof(copy), "%s/copy", bench->directory);
    copy_bytes(bench->path, copy);
    assert_int_equal(rename(copy, bench->path), 0);
    bench_open(bench);
    assert_true(bench->opened.new_epoch);
    assert_int_equal(bench->opened.backlog, 4);
    expect_next(bench, "x");
}

static void topics_and_empty_payloads(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    static char topic[RH_TOPIC_MAX + 1];
    memset(topic, 't', RH_TOPIC_MAX);
    struct rh_batch batch = data_batch(topic, 1, "");
    assert_int_equal(rh_store_append(bench->store, &batch, 1), -EINVAL);
    topic[RH_TOPIC_MAX - 1] = '\0';
    batch.payload = NULL;
    assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
    expect_next(bench, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(rows_come_out_in_order_with_their_bytes),
        TEST(next_is_the_same_until_it_is_put),
        TEST(seq_and_rows_survive_a_restart),
        TEST(rows_are_never_used_twice),
        TEST(a_failed_append_leaves_no_gap),
        TEST(a_new_state_replaces_the_old_one),
        TEST(a_state_on_its_way_is_followed_not_replaced),
        TEST(a_refused_state_gives_way_to_a_newer_one),
        TEST(replies_are_all_kept_and_go_first),
        TEST(another_gateway_machine_or_file_is_another_epoch),
        TEST(topics_and_empty_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
