/* SPDX-License-Identifier: MIT */
/* Flights: what is on its way, refused, taken back, acknowledged; across restarts. */
#include "store_test.h"

static void refuse(struct bench *bench, uint16_t mid)
{
    assert_int_equal(rh_flight_ops.refused(bench->flights, mid, 0x87), 0);
}

static void again(struct bench *bench, uint16_t mid)
{
    assert_int_equal(rh_flight_ops.again(bench->flights, mid), 0);
}

static size_t list(struct bench *bench, struct rh_flight *flights, size_t cap)
{
    int n = rh_flight_ops.list(bench->flights, flights, cap);
    assert_true(n >= 0);
    return (size_t)n;
}

static void qos_2_survives_a_restart_at_each_step(void **state)
{
    struct bench *bench = *state;
    struct rh_flight found[8];
    struct rh_outgoing message;
    bench_open(bench);
    bench_append_many(bench, 2, "x", 3);
    int64_t first = fly(bench, 7, 2, "x0");
    int64_t second = fly(bench, 5, 2, "x1");
    assert_int_equal(rh_flight_ops.received(bench->flights, 7), 0);
    bench_reopen(bench);
    assert_int_equal(list(bench, found, 8), 2);
    assert_int_equal(found[0].mid, 5);
    assert_int_equal(found[0].row, second);
    assert_false(found[0].received);
    assert_int_equal(found[1].mid, 7);
    assert_int_equal(found[1].row, first);
    assert_int_equal(found[1].qos, 2);
    assert_true(found[1].received);
    assert_int_equal(rh_flight_ops.load(bench->flights, second, &message), 0);
    assert_memory_equal(message.payload, "x1", 2);
    expect_next(bench, "x2");
    done(bench, 7);
    bench_reopen(bench);
    assert_int_equal(list(bench, found, 8), 1);
    assert_int_equal(found[0].mid, 5);
    assert_int_equal(bench->opened.backlog, 2);
    done(bench, 5);
    assert_int_equal(rh_flight_ops.load(bench->flights, second, &message), -ENOENT);
}

static void qos_1_rows_go_in_groups(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 40);
    uint64_t syncs = rh_counted(&bench->shared.syncs);
    for (uint16_t i = 0; i < 40; i++) {
        char text[16];
        snprintf(text, sizeof(text), "x%d", i);
        fly(bench, (uint16_t)(i + 1), 1, text);
        done(bench, (uint16_t)(i + 1));
    }
    assert_int_equal(rh_counted(&bench->shared.syncs), syncs);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 0);
    assert_int_equal(rh_flights_due(bench->flights), bench->now_us + SECOND);
    struct rh_outgoing message;
    assert_int_equal(rh_flight_ops.load(bench->flights, 32, &message), -ENOENT);
    assert_int_equal(rh_flight_ops.load(bench->flights, 33, &message), 0);
    tick(bench, SECOND - 1);
    assert_int_equal(rh_flight_ops.load(bench->flights, 33, &message), 0);
    tick(bench, 1);
    assert_int_equal(rh_flight_ops.load(bench->flights, 33, &message), -ENOENT);
    assert_int_equal(rh_flights_due(bench->flights), RH_NEVER);
    bench_append(bench, 1, "last");
    fly(bench, 1, 1, "last");
    done(bench, 1);
    bench_reopen(bench); /* closing writes what is held */
    assert_int_equal(bench->opened.backlog, 0);
}

static void qos_1_in_flight_at_a_restart_flies_again(void **state)
{
    struct bench *bench = *state;
    struct rh_flight found[8];
    bench_open(bench);
    bench_append_many(bench, 1, "x", 3);
    fly(bench, 1, 1, "x0");
    fly(bench, 2, 1, "x1");
    done(bench, 2);
    bench_reopen(bench);
    assert_int_equal(list(bench, found, 8), 0);
    fly(bench, 1, 1, "x0");
    fly(bench, 2, 1, "x2");
    expect_nothing(bench);
}

static void a_new_session_in_the_same_process_resends_qos_1(void **state)
{
    struct bench *bench = *state;
    struct rh_flight found[8];
    bench_open(bench);
    bench_append_many(bench, 1, "x", 3);
    fly(bench, 1, 1, "x0");
    fly(bench, 2, 1, "x1");
    assert_int_equal(list(bench, found, 8), 0);
    fly(bench, 1, 1, "x0");
    fly(bench, 2, 1, "x1");
    fly(bench, 3, 1, "x2");
}

static void again_comes_before_later_rows_and_in_order(void **state)
{
    struct bench *bench = *state;
    struct rh_flight found[8];
    bench_open(bench);
    bench_append_many(bench, 2, "x", 4);
    for (uint16_t mid = 1; mid <= 3; mid++) {
        char text[16];
        snprintf(text, sizeof(text), "x%d", mid - 1);
        fly(bench, mid, 2, text);
    }
    assert_int_equal(rh_flight_ops.received(bench->flights, 2), 0);
    again(bench, 3);
    again(bench, 1);
    again(bench, 2);
    fly(bench, 11, 2, "x0");
    bench_reopen(bench);
    assert_int_equal(list(bench, found, 8), 1);
    assert_int_equal(found[0].mid, 11);
    fly(bench, 12, 2, "x1");
    fly(bench, 13, 2, "x2");
    fly(bench, 14, 2, "x3");
    expect_nothing(bench);
}

static void a_refused_row_waits_and_blocks_nothing(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 3);
    fly(bench, 1, 1, "x0");
    fly(bench, 2, 1, "x1");
    refuse(bench, 1);
    fly(bench, 3, 1, "x2");
    refuse(bench, 3);
    done(bench, 2);
    expect_nothing(bench);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 2);
    tick(bench, SECOND);
    assert_int_equal(rh_flights_due(bench->flights), bench->now_us + 59 * SECOND);
    bench->now_us += 59 * SECOND - 1000;
    expect_nothing(bench);
    bench->now_us += 1000;
    fly(bench, 4, 1, "x0");
    fly(bench, 5, 1, "x2");
    refuse(bench, 4);
    done(bench, 5);
    expect_nothing(bench);
    bench->now_us += 60 * SECOND;
    fly(bench, 6, 1, "x0");
    done(bench, 6);
    expect_nothing(bench);
    assert_int_equal(rh_flights_due(bench->flights), RH_NEVER);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 0);
    bench_close(bench);
    assert_int_equal(count_rows(bench->path, "refused"), 0);
}

static void retries_take_the_oldest_row_first(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 2, "x", 3);
    fly(bench, 1, 2, "x0");
    fly(bench, 2, 2, "x1");
    fly(bench, 3, 2, "x2");
    refuse(bench, 3);
    tick(bench, SECOND);
    refuse(bench, 1);
    tick(bench, SECOND);
    refuse(bench, 2);
    bench->now_us += 60 * SECOND;
    fly(bench, 4, 2, "x0");
    fly(bench, 5, 2, "x1");
    fly(bench, 6, 2, "x2");
}

static void refusals_survive_a_restart(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 2, "x", 4);
    fly(bench, 1, 2, "x0");
    fly(bench, 2, 2, "x1");
    refuse(bench, 1);
    again(bench, 2); /* x1 lies behind the watermark of the refusal */
    bench_reopen(bench);
    fly(bench, 1, 2, "x1");
    fly(bench, 2, 2, "x2");
    bench->now_us += 60 * SECOND;
    fly(bench, 3, 2, "x0"); /* on its way again when the process ends */
    bench_reopen(bench);
    struct rh_flight found[8];
    assert_int_equal(list(bench, found, 8), 3);
    done(bench, 3);
    fly(bench, 4, 2, "x3");
    bench->now_us += 200 * SECOND;
    expect_nothing(bench);
    done(bench, 1);
    done(bench, 2);
    done(bench, 4);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 0);
    bench->now_us += 200 * SECOND;
    expect_nothing(bench);
}

static void a_refused_qos_1_row_tried_when_the_process_ends_comes_back(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append(bench, 1, "x");
    fly(bench, 1, 1, "x");
    refuse(bench, 1);
    bench->now_us += 60 * SECOND;
    fly(bench, 2, 1, "x");
    bench_reopen(bench);
    expect_nothing(bench);
    bench->now_us += 60 * SECOND;
    fly(bench, 3, 1, "x");
    again(bench, 3);
    fly(bench, 4, 1, "x");
    done(bench, 4);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 0);
}

static void a_row_put_aside_blocks_nothing(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 2);
    rh_flights_set_retry(bench->flights, SECOND);
    int64_t row = expect_next(bench, "x0");
    assert_int_equal(rh_flights_put_aside(bench->flights, row, 0x95), 0);
    fly(bench, 1, 1, "x1");
    expect_nothing(bench);
    bench->now_us += SECOND;
    expect_next(bench, "x0");
}

static void qos_0_leaves_when_it_is_written_out(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 0, "x", 2);
    assert_int_equal(rh_flights_sent(bench->flights, expect_next(bench, "x0")), 0);
    expect_next(bench, "x1");
    tick(bench, SECOND);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 1);
    expect_next(bench, "x1");
}

static void unknown_and_doubled_identifiers(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 2, "x", 2);
    done(bench, 99);
    again(bench, 99);
    refuse(bench, 99);
    assert_int_equal(rh_flight_ops.received(bench->flights, 99), 0);
    int64_t row = fly(bench, 1, 2, "x0");
    struct rh_flight flight = {.mid = 1, .row = row, .qos = 2};
    assert_int_equal(rh_flight_ops.put(bench->flights, &flight), -EEXIST);
    done(bench, 1);
    done(bench, 1);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 1);
}

static void session_numbers_rise_across_restarts(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    assert_int_equal(rh_flights_new_session(bench->flights), 1);
    uint64_t syncs = rh_counted(&bench->shared.syncs);
    assert_int_equal(rh_flights_new_session(bench->flights), 2);
    assert_true(rh_counted(&bench->shared.syncs) > syncs);
    bench_reopen(bench);
    assert_int_equal(rh_flights_new_session(bench->flights), 3);
}

static int64_t longest_next_us(struct bench *bench, uint16_t first_mid, int n)
{
    int64_t longest = 0;
    struct rh_outgoing message;
    for (int i = 0; i < n; i++) {
        int64_t before = rh_mono_us();
        assert_int_equal(bench_next(bench, &message), 1);
        int64_t took = rh_mono_us() - before;
        longest = took > longest ? took : longest;
        struct rh_flight flight = {.mid = (uint16_t)(first_mid + i), .row = message.row, .qos = 1};
        assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
    }
    return longest;
}

#define MANY 20000

static void next_does_not_slow_down_with_rows_or_refusals(void **state)
{
    struct bench *bench = *state;
    struct rh_batch batches[100];
    for (size_t i = 0; i < RH_COUNT(batches); i++) {
        batches[i] = data_batch("rh/data/m1", 1, "payload");
    }
    bench_open(bench);
    for (size_t i = 0; i < MANY / RH_COUNT(batches); i++) {
        assert_int_equal(rh_store_append(bench->store, batches, RH_COUNT(batches)), 0);
    }
    struct rh_outgoing message;
    for (int i = 0; i < MANY / 2; i++) {
        assert_int_equal(bench_next(bench, &message), 1);
        assert_int_equal(rh_flights_put_aside(bench->flights, message.row, 0x87), 0);
    }
    int64_t longest = longest_next_us(bench, 1, 100);
    bench_reopen(bench); /* behind the refused ones at once */
    int64_t after = longest_next_us(bench, 1, 100);
    bench->now_us += 100 * SECOND;
    assert_int_equal(rh_flights_next(bench->flights, bench->now_us, &message), 1);
    assert_memory_equal(message.payload, "payload", 7);
    assert_int_equal(message.row, 1); /* the oldest of the refused */
    int64_t retried = longest_next_us(bench, 101, 100);
    print_message("longest next: %lld us, after a restart %lld us, retry %lld us\n", (long long)longest,
                  (long long)after, (long long)retried);
    assert_true(longest < 100000);
    assert_true(after < 100000);
    assert_true(retried < 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(qos_2_survives_a_restart_at_each_step),
        TEST(qos_1_rows_go_in_groups),
        TEST(qos_1_in_flight_at_a_restart_flies_again),
        TEST(a_new_session_in_the_same_process_resends_qos_1),
        TEST(again_comes_before_later_rows_and_in_order),
        TEST(a_refused_row_waits_and_blocks_nothing),
        TEST(retries_take_the_oldest_row_first),
        TEST(refusals_survive_a_restart),
        TEST(a_refused_qos_1_row_tried_when_the_process_ends_comes_back),
        TEST(a_row_put_aside_blocks_nothing),
        TEST(qos_0_leaves_when_it_is_written_out),
        TEST(unknown_and_doubled_identifiers),
        TEST(session_numbers_rise_across_restarts),
        TEST(next_does_not_slow_down_with_rows_or_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
