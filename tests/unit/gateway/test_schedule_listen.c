/* SPDX-License-Identifier: MIT */
/* A block that listens: always ready, never backed off, and no thief of the line's time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/schedule.h"

#define SECOND INT64_C(1000000)
#define SLICE INT64_C(20000)

/* Device 0 speaks unasked, device 1 is asked every 100 ms. */
struct fixture {
    struct rh_device_conf devices[2];
    struct rh_line_conf line;
    struct rh_block blocks[2];
    uint32_t order[2];
    struct rh_plan plan;
    struct rh_driver driver;
    struct rh_schedule *schedule;
    int64_t now_us;
};

static void init(struct fixture *f)
{
    *f = (struct fixture){.now_us = SECOND, .order = {0, 1}};
    f->line = (struct rh_line_conf){.devices = f->devices, .n_devices = 2, .n_points = 2};
    f->blocks[0] = (struct rh_block){
        .device = 0, .count = 1, .period_ms = RH_PERIOD_FASTEST, .cost_us = SLICE, .listens = true};
    f->blocks[1] = (struct rh_block){.device = 1, .first = 1, .count = 1, .period_ms = 100, .cost_us = 10000};
    f->plan = (struct rh_plan){.blocks = f->blocks, .n_blocks = 2, .order = f->order, .n_points = 2};
    assert_int_equal(rh_schedule_new(&f->driver, &f->line, &f->plan, f->now_us, &f->schedule), 0);
}

/* One poll; the device it was for. */
static uint32_t step(struct fixture *f)
{
    struct rh_pick pick = rh_schedule_next(f->schedule, f->now_us);
    struct rh_poll_result result = {.start_us = f->now_us};
    assert_int_not_equal(pick.kind, RH_PICK_WAIT);
    const struct rh_block *block = rh_schedule_block(f->schedule, pick.slot);
    uint32_t device = block->device;
    f->now_us += block->cost_us;
    rh_schedule_done(f->schedule, pick.slot, block->listens ? RH_POLL_NOTHING : RH_POLL_OK, &result,
                     f->now_us);
    return device;
}

static void others_are_asked_in_time(void **state)
{
    struct fixture f;
    unsigned asked = 0, listened = 0;
    (void)state;
    init(&f);
    while (f.now_us < 11 * SECOND) {
        bool other = step(&f) == 1;
        asked += other;
        listened += !other;
    }
    assert_in_range(asked, 98, 101);
    assert_true(listened > 300);
    rh_schedule_free(f.schedule);
}

static void silence_stops_no_listening(void **state)
{
    struct fixture f;
    (void)state;
    init(&f);
    assert_int_equal(rh_schedule_answered(f.schedule, 0, f.now_us), RH_EVENT_ONLINE);
    assert_int_equal(rh_schedule_silent(f.schedule, 0, f.now_us), RH_EVENT_OFFLINE);
    assert_int_equal(rh_schedule_silent(f.schedule, 0, f.now_us), RH_EVENT_NONE);
    assert_true(rh_schedule_device(f.schedule, 0)->offline);
    for (int i = 0; i < 20; i++) {
        unsigned listened = 0;
        for (int k = 0; k < 5; k++)
            listened += step(&f) == 0;
        assert_true(listened > 0);
    }
    assert_int_equal(rh_schedule_answered(f.schedule, 0, f.now_us), RH_EVENT_ONLINE);
    assert_false(rh_schedule_device(f.schedule, 0)->offline);
    rh_schedule_free(f.schedule);
}

/* Polls that only listened say nothing of the device they stand for. */
static void nothing_heard_is_no_failure(void **state)
{
    struct fixture f;
    (void)state;
    init(&f);
    for (int i = 0; i < 50; i++)
        step(&f);
    assert_false(rh_schedule_device(f.schedule, 0)->seen);
    assert_false(rh_schedule_device(f.schedule, 0)->offline);
    rh_schedule_free(f.schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(others_are_asked_in_time),
                                       cmocka_unit_test(silence_stops_no_listening),
                                       cmocka_unit_test(nothing_heard_is_no_failure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
