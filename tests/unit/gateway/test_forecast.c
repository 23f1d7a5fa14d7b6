/* SPDX-License-Identifier: MIT */
/* The figures of a configuration, worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/forecast.h"

static void near(double value, double expected, double part)
{
    if (fabs(value - expected) > expected * part)
        fail_msg("%g instead of %g", value, expected);
}

static struct rh_block blocks[3];
static uint32_t order[12];
static struct rh_point points[12];
static struct rh_device_conf devices[2];
static struct rh_line_conf line;
static struct rh_config config;

/* Two devices: one of 10 points every second in one block, one of 2 points at `fastest`. */
static struct rh_plan plan_of_two(void)
{
    struct rh_plan plan = {.blocks = blocks, .n_blocks = 2, .order = order, .n_points = 12};

    for (uint32_t i = 0; i < 12; i++) {
        order[i] = i;
        points[i] = (struct rh_point){.name = "temp", .device = i >= 10, .qos = 1, .period_ms = 1000};
    }
    blocks[0] = (struct rh_block){.device = 0, .first = 0, .count = 10, .period_ms = 1000, .cost_us = 100000};
    blocks[1] = (struct rh_block){
        .device = 1, .first = 10, .count = 2, .period_ms = RH_PERIOD_FASTEST, .cost_us = 30000};
    line = (struct rh_line_conf){.devices = devices, .n_devices = 2, .points = points, .n_points = 12};
    config = (struct rh_config){.lines = &line, .n_lines = 1};
    config.store.commit_interval_ms = 1000;
    return plan;
}

static void load_and_cycle(void **state)
{
    struct rh_plan plan = plan_of_two();
    struct rh_line_forecast forecast;

    (void)state;
    rh_forecast_line(&plan, &forecast);
    near(forecast.load, 0.1, 1e-9);
    near(forecast.cycle_ms, 130, 1e-9);
    plan.n_blocks = 0;
    rh_forecast_line(&plan, &forecast);
    assert_true(forecast.load == 0 && forecast.cycle_ms == 0);
}

static void readings_and_messages(void **state)
{
    struct rh_plan plan = plan_of_two();
    struct rh_forecast forecast;

    (void)state;
    rh_forecast(&config, &plan, &forecast);
    /* 10 per second, and 2 of every 30 ms of the 90 % that are left */
    near(forecast.readings_per_s, 10 + 2 * 0.9 / 0.03, 1e-9);
    near(forecast.messages_per_s, 2, 1e-9); /* a batch closes once per commit */
    config.store.commit_interval_ms = 10;
    rh_forecast(&config, &plan, &forecast);
    near(forecast.messages_per_s, 1 + 30, 1e-9); /* never more messages than scans */
    assert_int_equal(forecast.held_bytes, INT64_C(256) << 20);
    near(forecast.hours_held, 0.8 * 268435456 / forecast.payload_bytes_per_s / 3600, 1e-9);
}

static void bytes_are_plausible(void **state)
{
    struct rh_plan plan = plan_of_two();
    struct rh_forecast one, two;

    (void)state;
    plan.n_blocks = 1; /* {"t":1795163955698,"v":{"temp":231.4,...ten of them}} once per second */
    rh_forecast(&config, &plan, &one);
    near(one.payload_bytes_per_s, 90 + 26 + 10 * 14, 0.3);
    near(one.card_bytes_per_day, 86400 * (8300 + 256 * 1.7), 0.1);
    points[0].qos = 2;
    rh_forecast(&config, &plan, &two);
    assert_true(two.card_bytes_per_day > one.card_bytes_per_day * 1.5);
    config.store.max_size_bytes = INT64_C(512) << 20;
    rh_forecast(&config, &plan, &two);
    near(two.hours_held, one.hours_held * 2, 1e-9);
    plan.n_blocks = 0; /* nothing configured: nothing divides by nothing */
    rh_forecast(&config, &plan, &one);
    assert_true(one.hours_held == 0 && one.messages_per_s == 0 && isfinite(one.card_bytes_per_day));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_and_cycle),
        cmocka_unit_test(readings_and_messages),
        cmocka_unit_test(bytes_are_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
