/* SPDX-License-Identifier: MIT */
/* The cap: never exceeded by database and log together, dropping the right rows, counting each. */
#include "store_test.h"

#include <pthread.h>
#include <sched.h>

#define MIB (1024 * 1024)

static char payload[1300];

static struct rh_batch large_batch(const char *topic, uint64_t seq)
{
    memset(payload, 'x', sizeof(payload));
    snprintf(payload, sizeof(payload), "%llu", (unsigned long long)seq);
    struct rh_batch batch = data_batch(topic, 1, "");
    batch.payload = payload;
    batch.len = sizeof(payload);
    batch.readings = 10;
    return batch;
}

static void append_large(struct bench *bench, const char *topic, bool drop_last)
{
    struct rh_batch batch = large_batch(topic, rh_store_next_seq(bench->store));
    batch.drop_last = drop_last;
    assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
    assert_true(file_size(bench->path, "") + file_size(bench->path, "-wal") <= bench->max_bytes);
}

static uint64_t number_of(const struct rh_outgoing *message)
{
    return strtoull(message->payload, NULL, 10);
}

static void put(struct bench *bench, const struct rh_outgoing *message, uint16_t mid, int qos)
{
    struct rh_flight flight = {.mid = mid, .row = message->row, .qos = qos};
    assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
}

static void the_oldest_go_and_the_cap_holds(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    struct rh_outgoing message;
    for (uint16_t mid = 1; mid <= 10; mid++) {
        append_large(bench, "a", false);
        assert_int_equal(bench_next(bench, &message), 1);
        put(bench, &message, mid, mid % 2 ? 2 : 1);
    }
    for (int i = 0; i < 3000; i++) {
        append_large(bench, "a", false);
    }
    uint64_t dropped = rh_counted(&bench->shared.dropped_batches);
    int64_t backlog = rh_gauge_get(&bench->shared.backlog);
    assert_int_equal(rh_counted(&bench->shared.dropped_readings), dropped * 10);
    assert_int_equal(dropped + (uint64_t)backlog, 3010);
    assert_true(backlog > 250);
    for (int64_t row = 1; row <= 10; row++) { /* on their way: still here */
        assert_int_equal(rh_flight_ops.load(bench->flights, row, &message), 0);
    }
    assert_int_equal(bench_next(bench, &message), 1);
    assert_int_equal(number_of(&message), dropped + 11);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, backlog);
}

static void drop_last_goes_last(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    for (int i = 0; i < 50; i++) {
        append_large(bench, "precious", true);
    }
    for (int i = 0; i < 1000; i++) {
        append_large(bench, "a", false);
    }
    struct rh_outgoing message;
    for (uint16_t mid = 1; mid <= 50; mid++) {
        assert_int_equal(bench_next(bench, &message), 1);
        assert_string_equal(message.topic, "precious");
        put(bench, &message, mid, 1);
        done(bench, mid);
    }
    for (int i = 0; i < 2000; i++) {
        append_large(bench, "precious", true);
    }
    assert_int_equal(bench_next(bench, &message), 1);
    assert_string_equal(message.topic, "precious"); /* nothing else is left: the oldest of them went */
}

static void refused_rows_go_before_later_ones(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    struct rh_outgoing message;
    for (uint16_t mid = 1; mid <= 20; mid++) {
        append_large(bench, "a", false);
        assert_int_equal(bench_next(bench, &message), 1);
        put(bench, &message, mid, 2);
        assert_int_equal(rh_flight_ops.refused(bench->flights, mid, 0x87), 0);
    }
    bench->now_us += 60 * SECOND;
    assert_int_equal(bench_next(bench, &message), 1); /* being tried: not dropped */
    assert_int_equal(number_of(&message), 1);
    while (rh_counted(&bench->shared.dropped_batches) == 0) {
        append_large(bench, "a", false);
    }
    assert_int_equal(rh_flight_ops.load(bench->flights, 1, &message), 0);
    assert_int_equal(rh_flight_ops.load(bench->flights, 2, &message), -ENOENT);
    assert_int_equal(rh_flight_ops.load(bench->flights, 20, &message), 0);
    assert_int_equal(rh_flight_ops.load(bench->flights, 21, &message), 0);
}

static void a_full_store_can_be_emptied(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    struct rh_outgoing message;
    for (int i = 0; i < 1500; i++) {
        append_large(bench, "a", false);
    }
    int64_t backlog = rh_gauge_get(&bench->shared.backlog);
    for (uint16_t mid = 1; bench_next(bench, &message) == 1; mid++) {
        put(bench, &message, mid, 2);
        assert_int_equal(rh_flight_ops.received(bench->flights, mid), 0);
        if (mid > 20) {
            done(bench, (uint16_t)(mid - 20));
        }
        assert_true(file_size(bench->path, "") + file_size(bench->path, "-wal") <= MIB);
        backlog--;
    }
    assert_int_equal(backlog, 0);
}

static void a_full_store_still_records_flights(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    struct rh_outgoing message;
    struct rh_batch small = data_batch("a", 2, "x");
    for (int i = 0; i < 700; i++) {
        append_large(bench, "a", false);
    }
    for (uint16_t mid = 1; mid <= 1000; mid++) {
        if (mid % 3 == 0) {
            append_large(bench, "a", false);
        }
        assert_int_equal(rh_store_append(bench->store, &small, 1), 0);
        if (bench_next(bench, &message) == 1) {
            put(bench, &message, mid, 2);
            assert_int_equal(rh_flight_ops.received(bench->flights, mid), 0);
        }
        if (mid > 300) {
            done(bench, (uint16_t)(mid - 300));
        }
    }
}

static void a_reader_that_stays_cannot_make_the_log_grow(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    append_large(bench, "a", false);
    sqlite3 *reader;
    assert_int_equal(sqlite3_open(bench->path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM mark", NULL, NULL, NULL), SQLITE_OK);
    int r = 0;
    for (int i = 0; r == 0 && i < 1000; i++) {
        struct rh_batch batch = large_batch("a", rh_store_next_seq(bench->store));
        r = rh_store_append(bench->store, &batch, 1);
        assert_true(file_size(bench->path, "") + file_size(bench->path, "-wal") <= MIB);
    }
    assert_int_equal(r, -EBUSY);
    uint64_t seq = rh_store_next_seq(bench->store);
    sqlite3_close(reader);
    append_large(bench, "a", false);
    assert_int_equal(rh_store_next_seq(bench->store), seq + 1);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), seq);
}

static void *next_in_thread(void *context)
{
    struct bench *bench = context;
    static struct rh_outgoing message;
    int r = rh_flights_next(bench->flights, bench->now_us, &message);
    return r == 1 ? &message : NULL;
}

/* The keeper read `flown_row` just before the uplink announced row 1, and is deleting it: played here by a
 * connection of the test. */
static void a_row_that_is_being_dropped_is_not_handed_out(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 2);
    sqlite3 *keeper;
    assert_int_equal(sqlite3_open(bench->path, &keeper), SQLITE_OK);
    atomic_store(&bench->shared.dropping, 1);
    assert_int_equal(
        sqlite3_exec(keeper, "BEGIN IMMEDIATE; DELETE FROM batch WHERE id = 1", NULL, NULL, NULL), SQLITE_OK);
    pthread_t uplink;
    void *result;
    assert_int_equal(pthread_create(&uplink, NULL, next_in_thread, bench), 0);
    int64_t deadline_us = rh_mono_us() + 10 * SECOND;
    while (atomic_load(&bench->shared.flown_row) != 1 && rh_mono_us() < deadline_us) {
        sched_yield();
    }
    assert_int_equal(sqlite3_exec(keeper, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    atomic_store(&bench->shared.dropping, 0);
    pthread_join(uplink, &result);
    sqlite3_close(keeper);
    assert_non_null(result);
    assert_memory_equal(((struct rh_outgoing *)result)->payload, "x1", 2);
}

static void a_lowered_cap_is_reached(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = 8 * MIB;
    bench_open(bench);
    for (int i = 0; i < 4000; i++) {
        append_large(bench, "a", false);
    }
    assert_true(file_size(bench->path, "") > 4 * MIB);
    rh_store_set_max_size(bench->store, 2 * MIB);
    for (int i = 0; i < 200; i++) {
        append_large(bench, "a", false);
    }
    bench->max_bytes = 2 * MIB;
    append_large(bench, "a", false);
    struct rh_outgoing message;
    tick(bench, SECOND);
    assert_int_equal(bench_next(bench, &message), 1);
    assert_int_equal(number_of(&message), rh_counted(&bench->shared.dropped_batches) + 1);
    rh_store_measure(bench->store);
    assert_true(rh_gauge_get(&bench->shared.bytes) <= 2 * MIB);
    assert_int_equal(rh_gauge_get(&bench->shared.oldest_wall_ms), 1795163955698);
}

static void the_file_is_laid_out_as_promised(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append(bench, 1, "x");
    bench_close(bench);
    unsigned char head[100];
    FILE *file = fopen(bench->path, "r");
    assert_non_null(file);
    assert_int_equal(fread(head, 1, sizeof(head), file), sizeof(head));
    fclose(file);
    assert_int_equal(head[16] << 8 | head[17], 1024);
    assert_int_equal(head[18], 2); /* write-ahead log */
    assert_true(head[55] != 0);    /* auto vacuum */
    assert_int_equal(head[67], 1); /* incremental */
    assert_int_equal(head[63], 2); /* user_version */
    assert_memory_equal(&head[68], "RHL1", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(the_oldest_go_and_the_cap_holds),
        TEST(drop_last_goes_last),
        TEST(refused_rows_go_before_later_ones),
        TEST(a_full_store_can_be_emptied),
        TEST(a_full_store_still_records_flights),
        TEST(a_reader_that_stays_cannot_make_the_log_grow),
        TEST(a_row_that_is_being_dropped_is_not_handed_out),
        TEST(a_lowered_cap_is_reached),
        TEST(the_file_is_laid_out_as_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
