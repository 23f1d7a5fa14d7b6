/* SPDX-License-Identifier: MIT */
/*
 * store_test.h - a store in a directory of its own, both connections, and short words for batches.
 */
#ifndef RH_TESTS_STORE_TEST_H
#define RH_TESTS_STORE_TEST_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/flights.h"
#include "store/store.h"

#define SECOND INT64_C(1000000)

struct bench {
    char directory[64], path[128], machine[128];
    struct rh_store_shared shared;
    struct rh_store_opened opened;
    struct rh_store *store;
    struct rh_flights *flights;
    const char *gateway;
    int64_t max_bytes;
    int64_t now_us;
    char why[256];
};

static inline void bench_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline int bench_try_open(struct bench *bench)
{
    struct rh_store_options options = {.path = bench->path,
                                       .gateway = bench->gateway,
                                       .max_size_bytes = bench->max_bytes,
                                       .machine_id = bench->machine};
    memset(&bench->shared, 0, sizeof(bench->shared));
    bench->why[0] = '\0';
    return rh_store_open(&options, &bench->shared, &bench->store, &bench->opened, bench->why,
                         sizeof(bench->why));
}

static inline void bench_open(struct bench *bench)
{
    int r = bench_try_open(bench);
    if (r < 0) {
        print_message("open: %d %s\n", r, bench->why);
    }
    assert_int_equal(r, 0);
    r = rh_flights_open(bench->path, &bench->shared, &bench->flights, bench->why, sizeof(bench->why));
    if (r < 0) {
        print_message("flights: %d %s\n", r, bench->why);
    }
    assert_int_equal(r, 0);
}

static inline void bench_close(struct bench *bench)
{
    rh_flights_close(bench->flights);
    rh_store_close(bench->store);
    bench->flights = NULL;
    bench->store = NULL;
}

static inline void bench_reopen(struct bench *bench)
{
    bench_close(bench);
    bench_open(bench);
}

/* Reads `from` whole into `to`, which keeps its inode if it is there. */
__attribute__((unused)) static void copy_bytes(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char bytes[65536];
    size_t n;

    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

__attribute__((unused)) static bool same_content(const char *left, const char *right)
{
    FILE *a = fopen(left, "rb"), *b = fopen(right, "rb");
    int x, y;

    assert_non_null(a);
    assert_non_null(b);
    do {
        x = fgetc(a);
        y = fgetc(b);
    } while (x == y && x != EOF);
    fclose(a);
    fclose(b);
    return x == y;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

__attribute__((unused)) static int remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* cmocka setup and teardown; the bench is not open yet. */
static inline int bench_setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    snprintf(bench->directory, sizeof(bench->directory), "/tmp/railhead-store-XXXXXX");
    assert_non_null(mkdtemp(bench->directory));
    snprintf(bench->path, sizeof(bench->path), "%s/store.db", bench->directory);
    snprintf(bench->machine, sizeof(bench->machine), "%s/machine-id", bench->directory);
    bench_file(bench->machine, "0123456789abcdef\n");
    bench->gateway = "gw";
    bench->max_bytes = 64 * 1024 * 1024;
    bench->now_us = 1000 * SECOND;
    *state = bench;
    return 0;
}

static inline int bench_teardown(void **state)
{
    struct bench *bench = *state;
    bench_close(bench);
    int r = remove_tree(bench->directory);
    free(bench);
    return r;
}

static inline struct rh_batch data_batch(const char *topic, int qos, const char *text)
{
    return (struct rh_batch){.kind = RH_BATCH_DATA,
                             .topic = topic,
                             .qos = qos,
                             .readings = 1,
                             .wall_ms = 1795163955698,
                             .payload = text,
                             .len = strlen(text)};
}

static inline void bench_append(struct bench *bench, int qos, const char *text)
{
    struct rh_batch batch = data_batch("rh/data/m1", qos, text);
    assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
}

static inline void bench_append_kind(struct bench *bench, enum rh_batch_kind kind, const char *topic,
                                     const char *text)
{
    struct rh_batch batch = data_batch(topic, 1, text);
    batch.kind = kind;
    batch.retain = kind == RH_BATCH_STATE;
    assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
}

/* Appends "PREFIX0", "PREFIX1", … in one commit each. */
static inline void bench_append_many(struct bench *bench, int qos, const char *prefix, int n)
{
    for (int i = 0; i < n; i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s%d", prefix, i);
        bench_append(bench, qos, text);
    }
}

/* 1 and the message, or 0. */
static inline int bench_next(struct bench *bench, struct rh_outgoing *ret_message)
{
    int r = rh_flights_next(bench->flights, bench->now_us, ret_message);
    assert_true(r >= 0);
    return r;
}

static inline int64_t expect_next(struct bench *bench, const char *text)
{
    struct rh_outgoing message;
    assert_int_equal(bench_next(bench, &message), 1);
    assert_int_equal(message.len, strlen(text));
    assert_memory_equal(message.payload, text, message.len);
    return message.row;
}

static inline void expect_nothing(struct bench *bench)
{
    struct rh_outgoing message;
    assert_int_equal(bench_next(bench, &message), 0);
}

static inline int64_t fly(struct bench *bench, uint16_t mid, int qos, const char *text)
{
    struct rh_flight flight = {.mid = mid, .row = expect_next(bench, text), .qos = qos};
    assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
    return flight.row;
}

static inline void done(struct bench *bench, uint16_t mid)
{
    assert_int_equal(rh_flight_ops.done(bench->flights, mid), 0);
}

static inline void tick(struct bench *bench, int64_t step_us)
{
    bench->now_us += step_us;
    assert_int_equal(rh_flights_tick(bench->flights, bench->now_us), 0);
}

/* By a connection of its own, opened and closed. */
static inline int64_t count_rows(const char *path, const char *table)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char sql[64];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return n;
}

static inline int64_t file_size(const char *path, const char *suffix)
{
    char name[160];
    struct stat st;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

#endif
