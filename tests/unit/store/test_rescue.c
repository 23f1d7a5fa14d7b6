/* SPDX-License-Identifier: MIT */
/* Damage of every kind at the start: never a refusal, what can be read is saved, nothing is invented. */
#include "store_test.h"

#include <dirent.h>
#include <sqlite3.h>

#define ROWS 300

static char filler[900];

/* Rows "1 xxx…", "2 xxx…", …; the log is written back when the store closes. */
static void fill(struct bench *bench, int n)
{
    bench_open(bench);
    memset(filler, 'x', sizeof(filler));
    for (int i = 1; i <= n; i++) {
        struct rh_batch batch = data_batch("rh/data/m1", 1, "");
        int len = snprintf(filler, sizeof(filler), "%d", i);
        filler[len] = ' ';
        batch.payload = filler;
        batch.len = sizeof(filler);
        assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
    }
}

static void overwrite(const char *path, long offset, size_t len)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    for (size_t i = 0; i < len; i++) {
        fputc((int)(i * 37 + 11) & 0xff, file);
    }
    fclose(file);
}

/* Reads everything: rows in ascending order, each whole, new ones after all others. Returns their number. */
static int64_t drain(struct bench *bench)
{
    struct rh_outgoing message;
    long last = 0;
    int64_t n = 0;
    for (; bench_next(bench, &message) == 1; n++) {
        assert_int_equal(message.len, sizeof(filler));
        long number = strtol(message.payload, NULL, 10);
        assert_true(number > last);
        last = number;
        struct rh_flight flight = {.mid = 1, .row = message.row, .qos = 1};
        assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
        done(bench, 1);
    }
    return n;
}

static void expect_rescued(struct bench *bench, int64_t at_least)
{
    bench_open(bench);
    assert_true(bench->opened.damaged);
    assert_true(bench->opened.new_epoch);
    assert_int_equal(access(bench->opened.quarantine, F_OK), 0);
    print_message("saved %lld, lost %lld of %d\n", (long long)bench->opened.salvaged_batches,
                  (long long)bench->opened.lost_batches, ROWS);
    assert_true(bench->opened.salvaged_batches >= at_least);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), bench->opened.salvaged_batches);
    int n = snprintf(filler, sizeof(filler), "%d", ROWS + 1);
    filler[n] = ' ';
    struct rh_batch batch = data_batch("rh/data/m1", 1, "");
    batch.payload = filler;
    batch.len = sizeof(filler);
    assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
    assert_int_equal(drain(bench), bench->opened.salvaged_batches + 1);
    bench_reopen(bench);
    assert_false(bench->opened.damaged);
}

/* The n-th page of the batch table: its first byte tells leaf (13) from inner page (5). */
static long find_page(struct bench *bench, int type, int n)
{
    unsigned char page[1024];
    FILE *file = fopen(bench->path, "r");
    assert_non_null(file);
    long offset = 0;
    while (fread(page, sizeof(page), 1, file) == 1) {
        bool ours = type == 5 || memmem(page, sizeof(page), "xxxxxxxx", 8);
        if (page[0] == type && ours && n-- == 0) {
            fclose(file);
            return offset;
        }
        offset += (long)sizeof(page);
    }
    fclose(file);
    fail_msg("no such page");
    return 0;
}

static void a_damaged_page_costs_only_its_rows(void **state)
{
    struct bench *bench = *state;
    fill(bench, ROWS);
    bench_close(bench);
    overwrite(bench->path, find_page(bench, 13, ROWS / 2), 1024);
    expect_rescued(bench, ROWS - 1);
    assert_int_equal(bench->opened.lost_batches, 0); /* of the reopened store */
}

static void several_damaged_pages(void **state)
{
    struct bench *bench = *state;
    fill(bench, ROWS);
    bench_close(bench);
    for (int part = 1; part < 6; part++) {
        overwrite(bench->path, find_page(bench, 13, ROWS * part / 6), 700);
    }
    expect_rescued(bench, ROWS - 5);
}

static void a_damaged_inner_page_costs_what_is_below_it(void **state)
{
    struct bench *bench = *state;
    fill(bench, ROWS);
    bench_close(bench);
    overwrite(bench->path, find_page(bench, 5, 2), 1024);
    expect_rescued(bench, ROWS / 2);
}

static void a_truncated_file(void **state)
{
    struct bench *bench = *state;
    fill(bench, ROWS);
    bench_close(bench);
    assert_int_equal(truncate(bench->path, file_size(bench->path, "") / 2 + 100), 0);
    expect_rescued(bench, 0);
}

static void a_garbage_file(void **state)
{
    struct bench *bench = *state;
    bench_file(bench->path, "this is no database, however long one looks at it: 0123456789");
    expect_rescued(bench, 0);
    assert_int_equal(bench->opened.salvaged_batches, 0);
}

static void an_empty_file_is_a_new_store(void **state)
{
    struct bench *bench = *state;
    bench_file(bench->path, "");
    bench_open(bench);
    assert_true(bench->opened.created);
    assert_false(bench->opened.damaged);
    bench_append(bench, 1, "x");
    expect_next(bench, "x");
}

/* The files as a process that was killed leaves them: copied while it is at work. */
static void crash_copy(struct bench *bench)
{
    char log[512], database_copy[512], log_copy[512];
    snprintf(log, sizeof(log), "%s-wal", bench->path);
    snprintf(database_copy, sizeof(database_copy), "%s/c", bench->directory);
    snprintf(log_copy, sizeof(log_copy), "%s/c-wal", bench->directory);
    copy_bytes(bench->path, database_copy);
    copy_bytes(log, log_copy);
    bench_close(bench);
    copy_bytes(database_copy, bench->path);
    copy_bytes(log_copy, log);
    assert_int_equal(remove(database_copy) + remove(log_copy), 0);
}

static void an_emptied_file_beside_its_log(void **state)
{
    struct bench *bench = *state;
    fill(bench, 20);
    crash_copy(bench);
    assert_int_equal(truncate(bench->path, 0), 0);
    int64_t log = file_size(bench->path, "-wal");
    assert_true(log > 0);
    expect_rescued(bench, 0);
}

static void a_log_is_recovered(void **state)
{
    struct bench *bench = *state;
    fill(bench, 20);
    crash_copy(bench);
    bench_open(bench);
    assert_false(bench->opened.damaged);
    assert_false(bench->opened.new_epoch);
    assert_int_equal(rh_store_next_seq(bench->store), 21);
    assert_int_equal(bench->opened.backlog, 20);
    assert_int_equal(drain(bench), 20);
}

static void garbage_in_the_log_ends_it(void **state)
{
    struct bench *bench = *state;
    char log[160];
    fill(bench, 50);
    crash_copy(bench);
    snprintf(log, sizeof(log), "%s-wal", bench->path);
    long size = (long)file_size(bench->path, "-wal");
    overwrite(log, size / 2, 200);
    bench_open(bench);
    int64_t n = drain(bench);
    print_message("%lld of 50 rows before the damage in the log\n", (long long)n);
    assert_true(n < 50);
    /* Their seq was used: it must not name new batches. */
    assert_true(bench->opened.new_epoch);
}

static void garbage_as_log(void **state)
{
    struct bench *bench = *state;
    char log[160];
    fill(bench, 20);
    bench_close(bench);
    snprintf(log, sizeof(log), "%s-wal", bench->path);
    bench_file(log, "no log at all");
    bench_open(bench);
    assert_false(bench->opened.damaged);
    assert_int_equal(drain(bench), 20);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        print_message("%s: %s\n", sql, sqlite3_errmsg(db));
    }
    assert_int_equal(rc, SQLITE_OK);
    sqlite3_close(db);
}

static void a_row_that_fails_its_checksum_is_never_sent(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 4);
    bench_close(bench);
    execute(bench->path, "UPDATE batch SET payload = 'y1' WHERE id = 2; UPDATE batch SET n = 7 WHERE id = 3");
    bench_open(bench);
    assert_false(bench->opened.damaged);
    fly(bench, 1, 1, "x0");
    fly(bench, 2, 1, "x3");
    expect_nothing(bench);
    assert_int_equal(rh_counted(&bench->shared.damaged_batches), 2);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 2);
}

static void a_damaged_stream_stops_its_rows(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 1, "x", 2);
    bench_close(bench);
    execute(bench->path, "UPDATE stream SET topic = 'rh/data/m2'");
    bench_open(bench);
    expect_nothing(bench);
    assert_int_equal(rh_counted(&bench->shared.damaged_batches), 2);
}

static void a_missing_table_is_damage(void **state)
{
    struct bench *bench = *state;
    fill(bench, ROWS);
    bench_close(bench);
    execute(bench->path, "DROP TABLE mark");
    expect_rescued(bench, ROWS);
}

static void flights_and_refusals_are_saved(void **state)
{
    struct bench *bench = *state;
    bench_open(bench);
    bench_append_many(bench, 2, "x", 3);
    bench_append_kind(bench, RH_BATCH_REPLY, "rh/reply/m1", "r");
    fly(bench, 9, 1, "r");
    fly(bench, 1, 2, "x0");
    fly(bench, 2, 2, "x1");
    assert_int_equal(rh_flight_ops.received(bench->flights, 1), 0);
    assert_int_equal(rh_flight_ops.refused(bench->flights, 2, 0x87), 0);
    bench_close(bench);
    execute(bench->path, "DROP TABLE store");
    bench_open(bench);
    assert_true(bench->opened.damaged);
    struct rh_flight found[4];
    assert_int_equal(rh_flight_ops.list(bench->flights, found, 4), 1);
    assert_int_equal(found[0].mid, 1);
    assert_true(found[0].received);
    fly(bench, 9, 1, "r");
    fly(bench, 2, 2, "x2");
    expect_nothing(bench);
    bench->now_us += 60 * SECOND;
    fly(bench, 3, 2, "x1");
    bench_append(bench, 2, "x3");
    fly(bench, 4, 2, "x3");
}

static void refused_with(struct bench *bench, int error, const char *part)
{
    int r = bench_try_open(bench);
    print_message("%s\n", bench->why);
    assert_int_equal(r, error);
    assert_non_null(strstr(bench->why, part));
    assert_null(bench->store);
}

static void a_newer_schema_is_left_alone(void **state)
{
    struct bench *bench = *state;
    fill(bench, 5);
    bench_close(bench);
    execute(bench->path, "PRAGMA user_version = 7");
    char before[512];
    snprintf(before, sizeof(before), "%s/before", bench->directory);
    copy_bytes(bench->path, before);
    refused_with(bench, -EPROTO, "newer railhead");
    assert_int_equal(bench->opened.newer_schema, 7);
    assert_true(same_content(bench->path, before));
}

static void another_programs_database_is_left_alone(void **state)
{
    struct bench *bench = *state;
    execute(bench->path, "CREATE TABLE addresses(name)");
    refused_with(bench, -EPROTO, "another program");
}

static void a_missing_directory_and_a_directory_are_named(void **state)
{
    struct bench *bench = *state;
    char path[128];
    memcpy(path, bench->path, sizeof(path));
    snprintf(bench->path, sizeof(bench->path), "/nowhere/store.db");
    refused_with(bench, -ENOENT, "no such directory");
    snprintf(bench->path, sizeof(bench->path), "%s", bench->directory);
    refused_with(bench, -EISDIR, "is a directory");
    memcpy(bench->path, path, sizeof(path));
}

static void a_read_only_file_system_is_named(void **state)
{
    struct bench *bench = *state;
    char path[128];
    memcpy(path, bench->path, sizeof(path));
    snprintf(bench->path, sizeof(bench->path), "/sys/store.db");
    int fd = open(bench->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 || errno != EROFS) {
        print_message("not run: no read-only file system here (%s)\n", strerror(errno));
        refused_with(bench, -errno, "/sys/store.db: ");
    } else {
        refused_with(bench, -EROFS, "read-only file system; put [store] path on a writable one");
    }
    memcpy(bench->path, path, sizeof(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
        TEST(a_damaged_page_costs_only_its_rows),
        TEST(several_damaged_pages),
        TEST(a_damaged_inner_page_costs_what_is_below_it),
        TEST(a_truncated_file),
        TEST(a_garbage_file),
        TEST(an_empty_file_is_a_new_store),
        TEST(an_emptied_file_beside_its_log),
        TEST(a_log_is_recovered),
        TEST(garbage_in_the_log_ends_it),
        TEST(garbage_as_log),
        TEST(a_row_that_fails_its_checksum_is_never_sent),
        TEST(a_damaged_stream_stops_its_rows),
        TEST(a_missing_table_is_damage),
        TEST(flights_and_refusals_are_saved),
        TEST(a_newer_schema_is_left_alone),
        TEST(another_programs_database_is_left_alone),
        TEST(a_missing_directory_and_a_directory_are_named),
        TEST(a_read_only_file_system_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
