/* SPDX-License-Identifier: MIT */
/* Every driver in rh_drivers[] held to the promises of drivers/driver.h: the other end is mute, babbles, or
 * goes away. What drivers promise of commands is in test_driver_commands.c. */
#include "driver_rig.h"

#include <malloc.h>

/* ---- the promises ---- */

static void is_complete(const struct rh_driver *driver)
{
    const struct rh_driver_schema *schema = driver->schema;
    const bool parts[] = {schema->name && *schema->name,
                          schema->help && *schema->help,
                          schema->line,
                          schema->device,
                          schema->point,
                          schema->line_size,
                          schema->device_size,
                          schema->address_size,
                          schema->parse_point,
                          schema->check_point,
                          schema->check_line,
                          schema->line_identity,
                          driver->plan,
                          driver->split,
                          driver->open,
                          driver->close,
                          driver->connect,
                          driver->disconnect,
                          driver->watch,
                          driver->poll};
    for (size_t i = 0; i < RH_COUNT(parts); i++)
        assert_true(parts[i]);
    assert_ptr_equal(rh_driver_of(schema), driver);
}

/* Each point in exactly one block; halves of a block are its points, in order. */
static void plans_every_point_once(const struct rh_driver *driver)
{
    struct rig rig;
    unsigned seen[POINTS] = {0};
    connected(&rig, driver);
    assert_int_equal(rig.plan.n_points, POINTS);
    assert_in_range(rig.plan.n_blocks, 1, POINTS);
    for (size_t i = 0; i < rig.plan.n_blocks; i++) {
        const struct rh_block *block = &rig.plan.blocks[i];
        assert_true(block->count > 0 && block->first + block->count <= POINTS && block->cost_us > 0);
        for (uint32_t k = 0; k < block->count; k++)
            seen[rig.plan.order[block->first + k]]++;
        if (block->count < 2)
            continue;
        struct rh_block halves[2];
        driver->split(&rig.line, rig.plan.order, block, halves);
        assert_int_equal(halves[0].first, block->first);
        assert_int_equal(halves[1].first, block->first + halves[0].count);
        assert_int_equal(halves[0].count + halves[1].count, block->count);
        assert_true(halves[0].count > 0 && halves[1].count > 0);
    }
    for (size_t i = 0; i < POINTS; i++)
        assert_int_equal(seen[i], 1);
    fini(&rig);
}

/* Open touches no port; connect says in time what is wrong; without a port a poll is LOST and no crash. */
static void lives_without_a_port(const struct rh_driver *driver)
{
    struct rig rig;
    char why[256] = "";
    init(&rig, driver);
    const char *place = rig.socket ? "127.0.0.1:1" : "/dev/ttyRailheadNone";
    configure(&rig, place);
    assert_int_equal(driver->plan(&rig.line, &rig.plan), 0);
    driver->close(NULL);
    assert_int_equal(driver->open(&rig.line, &rig.counters, &rig.link), 0);
    int64_t before_us = rh_mono_us();
    for (int i = 0; i < 2; i++) {
        assert_true(driver->connect(rig.link, why, sizeof why) < 0);
        assert_non_null(strstr(why, rig.socket ? "127.0.0.1" : place));
    }
    (void)driver->watch(rig.link);
    assert_true(driver->watch(rig.link) >= -1);
    driver->disconnect(rig.link);
    driver->disconnect(rig.link);
    struct rh_poll_result result;
    assert_int_equal(poll_block(&rig, 0, &result), RH_POLL_LOST);
    assert_true(result.error < 0);
    assert_true(rh_mono_us() - before_us < 2 * (TIMEOUT_MS + SLACK_MS) * ms);
    assert_int_equal(rig.readings, 0);
    fini(&rig);
}

/* By its deadline, without a reading; and what is closed was not sent again. */
static void returns_in_time_from_the_mute(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    connected(&rig, driver);
    int64_t before_us = rh_mono_us();
    enum rh_poll_outcome outcome = poll_block(&rig, 0, &result);
    int64_t after_us = rh_mono_us();
    assert_true(outcome == RH_POLL_TIMEOUT || outcome == RH_POLL_NOTHING);
    assert_true(after_us - before_us <= (TIMEOUT_MS + SLACK_MS) * ms);
    assert_true(before_us <= result.start_us && result.start_us <= result.end_us &&
                result.end_us <= after_us);
    if (outcome == RH_POLL_TIMEOUT) {
        assert_true(after_us - before_us >= TIMEOUT_MS * ms);
        assert_int_equal(rh_counted(&rig.counters.transactions), 1);
        assert_int_equal(rh_counted(&rig.counters.timeouts), 1);
    }
    uint64_t sent = rh_counted(&rig.counters.bytes_sent);
    outcome = poll_block(&rig, 0, &result);
    if (outcome == RH_POLL_CLOSED) {
        assert_true(result.closed_until_us > after_us && result.closed_until_us < after_us + 10000 * ms);
        assert_int_equal(rh_counted(&rig.counters.bytes_sent), sent);
    }
    assert_int_equal(rig.readings, 0);
    fini(&rig);
}

/* Noise without end is no reading, and no poll without end. */
static void makes_nothing_of_noise(const struct rh_driver *driver)
{
    struct rig rig;
    int stop[2];
    pthread_t thread;
    connected(&rig, driver);
    assert_int_equal(pipe(stop), 0);
    struct babbler babbler = {rig.far, stop[0], (unsigned)rh_mono_us()};
    print_message("seed %u\n", babbler.seed);
    assert_int_equal(pthread_create(&thread, NULL, babble, &babbler), 0);
    for (int i = 0; i < 3; i++) {
        struct rh_poll_result result;
        int64_t before_us = rh_mono_us();
        enum rh_poll_outcome outcome = poll_block(&rig, 0, &result);
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

/* The far end goes: LOST, in time, and nothing stays open but what was. */
static void notices_the_end(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    size_t before = open_files();
    connected(&rig, driver);
    close(rig.far);
    rig.far = -1;
    int64_t before_us = rh_mono_us();
    enum rh_poll_outcome outcome = poll_block(&rig, 0, &result);
    for (size_t i = 1; outcome != RH_POLL_LOST && i < rig.plan.n_blocks; i++)
        outcome = poll_block(&rig, i, &result);
    assert_int_equal(outcome, RH_POLL_LOST);
    assert_true(result.error < 0);
    assert_true(rh_mono_us() - before_us < (TIMEOUT_MS + SLACK_MS) * ms);
    assert_int_equal(rh_counted(&rig.counters.lost), 1);
    driver->disconnect(rig.link);
    assert_int_equal(rig.readings, 0);
    fini(&rig);
    assert_int_equal(open_files(), before);
}

/* After open the polling path allocates nothing. (Under sanitizers mallinfo2 tells nothing.) */
static void polls_without_allocating(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    connected(&rig, driver);
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < rig.plan.n_blocks; i++)
        poll_block(&rig, i, &result);
    assert_int_equal(mallinfo2().uordblks, before);
    fini(&rig);
}

static void for_each(void (*promise)(const struct rh_driver *driver))
{
    assert_true(rh_n_drivers > 0);
    for (size_t i = 0; i < rh_n_drivers; i++) {
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
PROMISE(is_complete)
PROMISE(plans_every_point_once)
PROMISE(lives_without_a_port)
PROMISE(returns_in_time_from_the_mute)
PROMISE(makes_nothing_of_noise)
PROMISE(notices_the_end)
PROMISE(polls_without_allocating)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_complete),
        cmocka_unit_test(test_plans_every_point_once),
        cmocka_unit_test(test_lives_without_a_port),
        cmocka_unit_test(test_returns_in_time_from_the_mute),
        cmocka_unit_test(test_makes_nothing_of_noise),
        cmocka_unit_test(test_notices_the_end),
        cmocka_unit_test(test_polls_without_allocating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
