/* SPDX-License-Identifier: MIT */
/*
 * A file system that is full, or read-only: a small tmpfs in a mount namespace of this process. Where that is
 * not allowed, the tests say so and do not run.
 */
#include "store_test.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

static const char *not_run;

static int mount_small(const char *directory)
{
    return mount("tmpfs", directory, "tmpfs", 0, "size=768k") < 0 ? -errno : 0;
}

static int setup(void **state)
{
    bench_setup(state);
    struct bench *bench = *state;
    if (!not_run && mount_small(bench->directory) < 0) {
        not_run = strerror(errno);
    }
    if (!not_run) {
        bench_file(bench->machine, "0123456789abcdef\n");
    }
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    bench_close(bench);
    if (!not_run) {
        umount(bench->directory);
    }
    return bench_teardown(state);
}

static bool skipped(void)
{
    if (not_run) {
        print_message("not run: no mount of our own: %s\n", not_run);
    }
    return not_run != NULL;
}

static void fill_disk(const char *path)
{
    static const char block[4096];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0) {
    }
    close(fd);
}

static void a_full_disk_stores_nothing_and_loses_nothing(void **state)
{
    struct bench *bench = *state;
    char path[128];
    if (skipped()) {
        return;
    }
    bench_open(bench);
    bench_append_many(bench, 2, "x", 5);
    fly(bench, 1, 2, "x0");
    snprintf(path, sizeof(path), "%s/filler", bench->directory);
    fill_disk(path);
    int r = 0;
    uint64_t seq = 0;
    static char payload[3000];
    struct rh_batch batch = data_batch("rh/data/m1", 2, "");
    batch.payload = payload;
    batch.len = sizeof(payload);
    for (int i = 0; r == 0 && i < 1000; i++) {
        seq = rh_store_next_seq(bench->store);
        r = rh_store_append(bench->store, &batch, 1);
    }
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(rh_store_append(bench->store, &batch, 1), -ENOSPC);
    assert_int_equal(rh_store_next_seq(bench->store), seq);
    assert_int_equal(rh_counted(&bench->shared.dropped_batches), 0);
    expect_next(bench, "x1");
    unlink(path);
    assert_int_equal(rh_store_append(bench->store, &batch, 1), 0);
    bench_reopen(bench);
    assert_false(bench->opened.damaged);
    assert_int_equal(rh_store_next_seq(bench->store), seq + 1);
    assert_int_equal(bench->opened.backlog, seq);
    fly(bench, 2, 2, "x1");
}

static void a_full_disk_at_the_start_is_named(void **state)
{
    struct bench *bench = *state;
    char path[128];
    if (skipped()) {
        return;
    }
    snprintf(path, sizeof(path), "%s/filler", bench->directory);
    fill_disk(path);
    assert_int_equal(bench_try_open(bench), -ENOSPC);
    assert_non_null(strstr(bench->why, "no space left"));
    unlink(path);
    bench_open(bench);
    bench_append(bench, 1, "x");
}

static void a_read_only_disk_is_named(void **state)
{
    struct bench *bench = *state;
    if (skipped()) {
        return;
    }
    bench_open(bench);
    bench_append(bench, 1, "x");
    bench_close(bench);
    for (int exists = 1; exists >= 0; exists--) {
        assert_int_equal(mount(NULL, bench->directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(bench_try_open(bench), -EROFS);
        print_message("%s\n", bench->why);
        assert_non_null(strstr(bench->why, "read-only file system; put [store] path on a writable one"));
        assert_int_equal(mount(NULL, bench->directory, NULL, MS_REMOUNT, NULL), 0);
        unlink(bench->path);
    }
}

int main(void)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWNS | CLONE_NEWUSER) < 0) {
        not_run = strerror(errno);
    } else if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        not_run = strerror(errno);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_stores_nothing_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_at_the_start_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_only_disk_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
