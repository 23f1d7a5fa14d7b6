/* SPDX-License-Identifier: MIT */
/* Every driver that can be commanded, held to the promises of check, single and write in drivers/driver.h. */
#include "driver_rig.h"

#include <errno.h>
#include <malloc.h>

/* A value for every point that takes one. */
struct wishes {
    struct rh_command_value values[POINTS];
    size_t n;
};

static const struct rh_value candidates[] = {
    {.kind = RH_VALUE_BOOL, .boolean = true},
    {.kind = RH_VALUE_I64, .i64 = 1},
    {.kind = RH_VALUE_F64, .f64 = 1},
    {.kind = RH_VALUE_TEXT, .text_len = 1, .text = "1"},
};

static struct wishes wishes_of(const struct rig *rig)
{
    struct wishes wishes = {.n = 0};
    for (uint32_t p = 0; p < POINTS; p++)
        for (size_t i = 0; i < RH_COUNT(candidates); i++) {
            if (rig->driver->check(&rig->points[p], &candidates[i]) != 0)
                continue;
            wishes.values[wishes.n].point = p;
            wishes.values[wishes.n++].value = candidates[i];
            break;
        }
    assert_true(wishes.n > 0);
    return wishes;
}

static enum rh_poll_outcome write_values(struct rig *rig, const struct rh_command_value *values, size_t n,
                                         struct rh_poll_result *ret_result)
{
    const struct rh_sink sink = {
        .context = rig, .wake = -1, .heard = on_heard, .reading = on_reading, .late = on_late};
    size_t taken = 0;
    enum rh_poll_outcome outcome = rig->driver->write(rig->link, values, n, &sink, &taken, ret_result);
    assert_in_range(taken, 1, n);
    return outcome;
}

/* ---- the promises ---- */

static void can_all_or_nothing(const struct rh_driver *driver)
{
    assert_non_null(driver->check);
    assert_non_null(driver->single);
}

/* Always the same answer, one of those that are named; nothing is no value of any point. */
static void checks_by_the_point_alone(const struct rh_driver *driver)
{
    struct rig rig;
    connected(&rig, driver);
    for (uint32_t p = 0; p < POINTS; p++) {
        const struct rh_value none = {.kind = RH_VALUE_NONE};
        int first = driver->check(&rig.points[p], &none);
        assert_true(first == -EINVAL || first == -EROFS);
        for (size_t i = 0; i < RH_COUNT(candidates); i++) {
            int error = driver->check(&rig.points[p], &candidates[i]);
            assert_true(error == 0 || error == -ERANGE || error == -EINVAL || error == -EROFS);
            assert_int_equal(error == -EROFS, first == -EROFS);
            assert_int_equal(driver->check(&rig.points[p], &candidates[i]), error);
        }
    }
    assert_int_equal(rh_counted(&rig.counters.bytes_sent), 0);
    fini(&rig);
}

static void reads_one_point_alone(const struct rh_driver *driver)
{
    struct rig rig;
    connected(&rig, driver);
    for (uint32_t i = 0; i < rig.plan.n_points; i++) {
        struct rh_block block;
        driver->single(&rig.line, rig.plan.order, i, &block);
        assert_int_equal(block.first, i);
        assert_int_equal(block.count, 1);
        assert_int_equal(block.device, rig.points[rig.plan.order[i]].device);
        assert_true(block.cost_us > 0);
    }
    fini(&rig);
}

static void is_lost_without_a_port(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    init(&rig, driver);
    configure(&rig, rig.socket ? "127.0.0.1:1" : "/dev/ttyRailheadNone");
    assert_int_equal(driver->plan(&rig.line, &rig.plan), 0);
    assert_int_equal(driver->open(&rig.line, &rig.counters, &rig.link), 0);
    struct wishes wishes = wishes_of(&rig);
    assert_int_equal(write_values(&rig, wishes.values, wishes.n, &result), RH_POLL_LOST);
    assert_true(result.error < 0);
    fini(&rig);
}

/* By its deadline; and what is closed was not sent again. */
static void returns_in_time_from_the_mute(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    connected(&rig, driver);
    struct wishes wishes = wishes_of(&rig);
    int64_t before_us = rh_mono_us();
    assert_int_equal(write_values(&rig, wishes.values, 1, &result), RH_POLL_TIMEOUT);
    int64_t after_us = rh_mono_us();
    assert_true(after_us - before_us <= (TIMEOUT_MS + SLACK_MS) * ms);
    assert_true(before_us <= result.start_us && result.start_us <= result.end_us &&
                result.end_us <= after_us);
    assert_int_equal(result.turnaround_us, -1);
    assert_int_equal(rh_counted(&rig.counters.transactions), 1);
    assert_int_equal(rh_counted(&rig.counters.timeouts), 1);
    uint64_t sent = rh_counted(&rig.counters.bytes_sent);
    assert_true(sent > 0);
    if (write_values(&rig, wishes.values, 1, &result) == RH_POLL_CLOSED) {
        assert_true(result.closed_until_us > after_us && result.closed_until_us < after_us + 10000 * ms);
        assert_int_equal(rh_counted(&rig.counters.bytes_sent), sent);
    }
    assert_int_equal(rig.readings, 0);
    fini(&rig);
}

static void takes_no_noise_for_an_answer(const struct rh_driver *driver)
{
    struct rig rig;
    int stop[2];
    pthread_t thread;
    connected(&rig, driver);
    struct wishes wishes = wishes_of(&rig);
    assert_int_equal(pipe(stop), 0);
    struct babbler babbler = {rig.far, stop[0], (unsigned)rh_mono_us()};
    print_message("seed %u\n", babbler.seed);
    assert_int_equal(pthread_create(&thread, NULL, babble, &babbler), 0);
    for (int i = 0; i < 3; i++) {
        struct rh_poll_result result;
        int64_t before_us = rh_mono_us();
        enum rh_poll_outcome outcome = write_values(&rig, wishes.values, wishes.n, &result);
        assert_int_not_equal(outcome, RH_POLL_OK);
        assert_true(rh_mono_us() - before_us < (500 + 2 * TIMEOUT_MS + SLACK_MS) * ms);
        if (outcome == RH_POLL_LOST)
            break;
    }
    assert_int_equal(rig.readings, 0);
    assert_int_equal(write(stop[1], "", 1), 1);
    pthread_join(thread, NULL);
    close(stop[0]);
    close(stop[1]);
    fini(&rig);
}

static void notices_the_end(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    size_t before = open_files();
    connected(&rig, driver);
    struct wishes wishes = wishes_of(&rig);
    close(rig.far);
    rig.far = -1;
    enum rh_poll_outcome outcome = RH_POLL_TIMEOUT;
    for (size_t i = 0; outcome != RH_POLL_LOST && i < 3; i++)
        outcome = write_values(&rig, wishes.values, wishes.n, &result);
    assert_int_equal(outcome, RH_POLL_LOST);
    assert_true(result.error < 0);
    driver->disconnect(rig.link);
    fini(&rig);
    assert_int_equal(open_files(), before);
}

static void writes_without_allocating(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    connected(&rig, driver);
    struct wishes wishes = wishes_of(&rig);
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < wishes.n; i++)
        write_values(&rig, &wishes.values[i], 1, &result);
    assert_int_equal(mallinfo2().uordblks, before);
    fini(&rig);
}

static void for_each(void (*promise)(const struct rh_driver *driver))
{
    for (size_t i = 0; i < rh_n_drivers; i++) {
        if (!rh_drivers[i]->write)
            continue;
        print_message("%s\n", rh_drivers[i]->schema->name);
        promise(rh_drivers[i]);
    }
}

#define PROMISE(name)                                                                                        \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        for_each(name);                                                                                      \
    }
PROMISE(can_all_or_nothing)
PROMISE(checks_by_the_point_alone)
PROMISE(reads_one_point_alone)
PROMISE(is_lost_without_a_port)
PROMISE(returns_in_time_from_the_mute)
PROMISE(takes_no_noise_for_an_answer)
PROMISE(notices_the_end)
PROMISE(writes_without_allocating)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_all_or_nothing),
        cmocka_unit_test(test_checks_by_the_point_alone),
        cmocka_unit_test(test_reads_one_point_alone),
        cmocka_unit_test(test_is_lost_without_a_port),
        cmocka_unit_test(test_returns_in_time_from_the_mute),
        cmocka_unit_test(test_takes_no_noise_for_an_answer),
        cmocka_unit_test(test_notices_the_end),
        cmocka_unit_test(test_writes_without_allocating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
