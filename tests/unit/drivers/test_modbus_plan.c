/* SPDX-License-Identifier: MIT */
/* Wire time by hand, and the properties of every plan: each point in one block, whole, with its scale
 * register; no block beyond the cap; nothing read that no point covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"
#include "drivers/modbus.h"

#define POINTS_MAX 10000
#define DEVICES 4

static uint64_t seed;
static struct rh_point points[POINTS_MAX];
static struct rh_modbus_address addresses[POINTS_MAX];
static struct rh_device_conf devices[DEVICES];
static struct rh_modbus_device device_options[DEVICES];
static struct rh_modbus_line line_options;
static const struct rh_driver_schema rtu = {.name = "modbus-rtu"}, tcp = {.name = "modbus-tcp"},
                                     rtu_tcp = {.name = "modbus-rtu-tcp"};
static struct rh_line_conf line;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static void set_line(int64_t baud, const char *mode)
{
    line_options = (struct rh_modbus_line){
        .baud = baud, .data_bits = mode[0] - '0', .parity = mode[1], .stop_bits = mode[2] - '0'};
    for (size_t i = 0; i < DEVICES; i++) {
        device_options[i] = (struct rh_modbus_device){(uint8_t)(i + 1), 5, RH_MODBUS_MAX_REGISTERS, 0, 0};
        devices[i] =
            (struct rh_device_conf){.name = "d", .options = &device_options[i], .index = (uint32_t)i};
    }
    line = (struct rh_line_conf){.name = "a",
                                 .schema = &rtu,
                                 .options = &line_options,
                                 .devices = devices,
                                 .n_devices = DEVICES,
                                 .points = points};
}

static struct rh_modbus_address *add(uint32_t device, uint8_t function, uint16_t address, uint16_t length)
{
    size_t i = line.n_points++;
    addresses[i] = (struct rh_modbus_address){.function = function, .address = address, .length = length};
    points[i] = (struct rh_point){.name = "p",
                                  .index = (uint32_t)i,
                                  .device = device,
                                  .period_ms = 1000,
                                  .class_ = RH_CLASS_NORMAL,
                                  .address = &addresses[i]};
    return &addresses[i];
}

static struct rh_plan plan_of(void)
{
    struct rh_plan plan;
    assert_int_equal(rh_modbus_plan(&line, &plan), 0);
    return plan;
}

static void expect_block(const struct rh_block *block, uint8_t unit, uint8_t function, uint16_t address,
                         uint16_t length, uint32_t count)
{
    assert_int_equal(block->unit, unit);
    assert_int_equal(block->function, function);
    assert_int_equal(block->address, address);
    assert_int_equal(block->length, length);
    assert_int_equal(block->count, count);
}

static void characters(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    assert_int_equal(rh_modbus_char_bits(&line_options), 10);
    assert_float_equal(rh_modbus_char_us(&line_options), 1041.6667, 0.001);
    assert_float_equal(rh_modbus_silence_us(&line_options, RH_MODBUS_WIRE_RTU), 3645.8333, 0.001);
    set_line(19200, "8E1");
    assert_int_equal(rh_modbus_char_bits(&line_options), 11);
    assert_float_equal(rh_modbus_silence_us(&line_options, RH_MODBUS_WIRE_RTU), 2005.2083, 0.001);
    set_line(38400, "8N2");
    assert_int_equal(rh_modbus_char_bits(&line_options), 11);
    assert_float_equal(rh_modbus_silence_us(&line_options, RH_MODBUS_WIRE_RTU), 1750, 0);
    assert_float_equal(rh_modbus_silence_us(&line_options, RH_MODBUS_WIRE_TCP), 0, 0);
    assert_int_equal(rh_modbus_answer_chars(RH_MODBUS_READ_COILS, 1), 6);
    assert_int_equal(rh_modbus_answer_chars(RH_MODBUS_READ_DISCRETE, 2000), 255);
    assert_int_equal(rh_modbus_answer_chars(RH_MODBUS_READ_HOLDING, 1), 7);
    assert_int_equal(rh_modbus_answer_chars(RH_MODBUS_READ_INPUT, 125), 255);
}

/* (8 + 5 + 2n) tc + turnaround + t3.5 + 50 us, worked out by hand. */
static void costs_by_hand(void **state)
{
    static const struct {
        int64_t baud;
        const char *mode;
        uint8_t function;
        uint16_t length;
        int64_t cost_us;
    } rows[] = {
        {9600, "8N1", RH_MODBUS_READ_HOLDING, 10, 43071},   /* 33 * 1041.667 + 5000 + 3645.833 + 50 */
        {9600, "8N1", RH_MODBUS_READ_HOLDING, 125, 282654}, /* 263 * 1041.667 + 8695.833 */
        {19200, "8E1", RH_MODBUS_READ_INPUT, 2, 16795},     /* 17 * 572.917 + 5000 + 2005.208 + 50 */
        {115200, "8N1", RH_MODBUS_READ_INPUT, 100, 25290},  /* 213 * 86.806 + 5000 + 1750 + 50 */
        {9600, "8E1", RH_MODBUS_READ_COILS, 2000, 310415},  /* 263 * 1145.833 + 5000 + 4010.417 + 50 */
        {9600, "8N1", RH_MODBUS_READ_DISCRETE, 9, 24321},   /* (8 + 7) * 1041.667 + 8695.833 */
    };
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        set_line(rows[i].baud, rows[i].mode);
        assert_int_equal(rh_modbus_cost_us(&line_options, RH_MODBUS_WIRE_RTU, &device_options[0],
                                           rows[i].function, rows[i].length),
                         rows[i].cost_us);
        assert_int_equal(rh_modbus_cost_us(&line_options, RH_MODBUS_WIRE_TCP, &device_options[0],
                                           rows[i].function, rows[i].length),
                         5050);
    }
}

static void wires_of_drivers(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    assert_int_equal(rh_modbus_wire_of(&line), RH_MODBUS_WIRE_RTU);
    line.schema = &rtu_tcp;
    assert_int_equal(rh_modbus_wire_of(&line), RH_MODBUS_WIRE_RTU);
    line.schema = &tcp;
    assert_int_equal(rh_modbus_wire_of(&line), RH_MODBUS_WIRE_TCP);
}

static void nothing_to_plan(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    struct rh_plan plan = plan_of();
    assert_int_equal(plan.n_blocks, 0);
    assert_int_equal(plan.n_points, 0);
    rh_plan_fini(&plan);
}

static void touching_points_join(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    add(0, RH_MODBUS_READ_HOLDING, 12, 1); /* out of order, overlapping, a gap before 20 */
    add(0, RH_MODBUS_READ_HOLDING, 10, 2);
    add(0, RH_MODBUS_READ_HOLDING, 11, 2);
    add(0, RH_MODBUS_READ_HOLDING, 20, 2);
    struct rh_plan plan = plan_of();
    assert_int_equal(plan.n_blocks, 2);
    expect_block(&plan.blocks[0], 1, RH_MODBUS_READ_HOLDING, 10, 3, 3);
    expect_block(&plan.blocks[1], 1, RH_MODBUS_READ_HOLDING, 20, 2, 1);
    assert_int_equal(plan.order[plan.blocks[1].first], 3);
    assert_int_equal(plan.blocks[0].cost_us, 28488); /* 19 * 1041.667 + 8695.833 = 28487.5 */
    rh_plan_fini(&plan);
}

static void unlike_points_stay_apart(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    add(1, RH_MODBUS_READ_HOLDING, 1, 1);
    add(0, RH_MODBUS_READ_INPUT, 1, 1);
    add(0, RH_MODBUS_READ_HOLDING, 3, 1);
    points[2].period_ms = 5000;
    add(0, RH_MODBUS_READ_HOLDING, 2, 1);
    points[3].class_ = RH_CLASS_URGENT;
    add(0, RH_MODBUS_READ_HOLDING, 1, 1);
    add(0, RH_MODBUS_READ_COILS, 9, 1);
    points[5].period_ms = RH_PERIOD_FASTEST;
    struct rh_plan plan = plan_of();
    assert_int_equal(plan.n_blocks, 6);
    expect_block(&plan.blocks[0], 1, RH_MODBUS_READ_COILS, 9, 1, 1);
    expect_block(&plan.blocks[1], 1, RH_MODBUS_READ_HOLDING, 1, 1, 1);
    expect_block(&plan.blocks[2], 1, RH_MODBUS_READ_HOLDING, 2, 1, 1);
    expect_block(&plan.blocks[3], 1, RH_MODBUS_READ_HOLDING, 3, 1, 1);
    expect_block(&plan.blocks[4], 1, RH_MODBUS_READ_INPUT, 1, 1, 1);
    expect_block(&plan.blocks[5], 2, RH_MODBUS_READ_HOLDING, 1, 1, 1);
    assert_int_equal(plan.blocks[0].period_ms, RH_PERIOD_FASTEST);
    assert_int_equal(plan.blocks[2].class_, RH_CLASS_URGENT);
    assert_int_equal(plan.blocks[3].period_ms, 5000);
    rh_plan_fini(&plan);
}

static void caps_hold(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    for (uint16_t i = 0; i < 63; i++)
        add(0, RH_MODBUS_READ_HOLDING, (uint16_t)(2 * i), 2); /* 126 registers: the last point must wait */
    for (uint16_t i = 0; i < 2001; i++)
        add(0, RH_MODBUS_READ_COILS, i, 1);
    device_options[1].max_read = 1;
    for (uint16_t i = 0; i < 3; i++)
        add(1, RH_MODBUS_READ_INPUT, i, 1);
    struct rh_plan plan = plan_of();
    assert_int_equal(plan.n_blocks, 7);
    expect_block(&plan.blocks[0], 1, RH_MODBUS_READ_COILS, 0, 2000, 2000);
    expect_block(&plan.blocks[1], 1, RH_MODBUS_READ_COILS, 2000, 1, 1);
    expect_block(&plan.blocks[2], 1, RH_MODBUS_READ_HOLDING, 0, 124, 62);
    expect_block(&plan.blocks[3], 1, RH_MODBUS_READ_HOLDING, 124, 2, 1);
    expect_block(&plan.blocks[6], 2, RH_MODBUS_READ_INPUT, 2, 1, 1);
    rh_plan_fini(&plan);
}

static void scale_registers_stay(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    struct rh_modbus_address *after = add(0, RH_MODBUS_READ_HOLDING, 10, 1);
    after->has_scale_reg = true;
    after->scale_reg = 20;
    struct rh_modbus_address *before = add(0, RH_MODBUS_READ_HOLDING, 40, 2);
    before->has_scale_reg = true;
    before->scale_reg = 35;
    add(0, RH_MODBUS_READ_HOLDING, 65535, 1);
    struct rh_plan plan = plan_of();
    assert_int_equal(plan.n_blocks, 3);
    expect_block(&plan.blocks[0], 1, RH_MODBUS_READ_HOLDING, 10, 11, 1);
    expect_block(&plan.blocks[1], 1, RH_MODBUS_READ_HOLDING, 35, 7, 1);
    expect_block(&plan.blocks[2], 1, RH_MODBUS_READ_HOLDING, 65535, 1, 1);
    rh_plan_fini(&plan);
}

static void halves_of_a_block(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    add(0, RH_MODBUS_READ_HOLDING, 10, 8); /* overlaps all others */
    add(0, RH_MODBUS_READ_HOLDING, 11, 1);
    add(0, RH_MODBUS_READ_HOLDING, 12, 1);
    struct rh_plan plan = plan_of();
    struct rh_block halves[2];
    assert_int_equal(plan.n_blocks, 1);
    rh_modbus_split(&line, plan.order, &plan.blocks[0], halves);
    expect_block(&halves[0], 1, RH_MODBUS_READ_HOLDING, 10, 8, 1);
    expect_block(&halves[1], 1, RH_MODBUS_READ_HOLDING, 11, 2, 2);
    assert_int_equal(halves[1].first, 1);
    assert_int_equal(halves[1].cost_us, 26404); /* 17 * 1041.667 + 8695.833 */
    rh_plan_fini(&plan);
}

/* The block of one point alone: with its scale register, and without its neighbours. */
static void single_points(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    add(0, RH_MODBUS_READ_HOLDING, 11, 1);
    add(0, RH_MODBUS_READ_HOLDING, 10, 1);
    add(1, RH_MODBUS_READ_COILS, 7, 1);
    struct rh_modbus_address *scaled = add(1, RH_MODBUS_READ_INPUT, 20, 2);
    scaled->has_scale_reg = true;
    scaled->scale_reg = 25;
    struct rh_plan plan = plan_of();
    for (uint32_t i = 0; i < plan.n_points; i++) {
        const struct rh_point *point = &points[plan.order[i]];
        const struct rh_modbus_address *address = point->address;
        struct rh_block block;
        rh_modbus_single(&line, plan.order, i, &block);
        expect_block(&block, (uint8_t)(point->device + 1), address->function, address->address,
                     address->has_scale_reg ? 6 : 1, 1);
        assert_int_equal(block.first, i);
        assert_int_equal(block.device, point->device);
        assert_true(block.cost_us > 0);
    }
    rh_plan_fini(&plan);
}

static void random_points(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t function = (uint8_t)(1 + draw(4));
        uint16_t length = function < 3 ? 1 : (uint16_t)(1 + draw(draw(10) == 0 ? 20 : 4));
        struct rh_modbus_address *address =
            add((uint32_t)draw(DEVICES), function, (uint16_t)draw(draw(2) ? 300 : 65500), length);
        points[i].period_ms = (int64_t)(1000 * draw(3));
        points[i].class_ = (enum rh_class)draw(3);
        address->has_scale_reg = function >= 3 && draw(5) == 0;
        address->scale_reg = (uint16_t)(address->address + draw(15));
    }
}

static int64_t key_of(const struct rh_block *block)
{
    return (int64_t)block->device << 32 | (int64_t)block->function << 20 | block->address;
}

/* Marks what the points of the block cover; false where a point sticks out. */
static bool covers(const struct rh_plan *plan, const struct rh_block *block, uint8_t *seen, uint8_t *wanted)
{
    for (uint32_t i = block->first; i < block->first + block->count; i++) {
        const struct rh_point *point = &points[plan->order[i]];
        uint32_t start, end;
        rh_modbus_span(point->address, &start, &end);
        if (seen[plan->order[i]]++ || start < block->address ||
            end > (uint32_t)block->address + block->length)
            return false;
        if (point->device != block->device || point->period_ms != block->period_ms ||
            point->class_ != block->class_)
            return false;
        memset(wanted + start - block->address, 1, end - start);
    }
    return true;
}

static void check_block(const struct rh_plan *plan, const struct rh_block *block, uint8_t *seen)
{
    uint8_t wanted[RH_MODBUS_MAX_BITS] = {0};
    const struct rh_modbus_device *device = &device_options[block->device];
    assert_true(block->length <= (block->function < 3 ? RH_MODBUS_MAX_BITS : device->max_read));
    assert_true(covers(plan, block, seen, wanted));
    assert_null(memchr(wanted, 0, block->length));
    assert_int_equal(block->unit, device->unit);
    assert_int_equal(block->cost_us, rh_modbus_cost_us(&line_options, RH_MODBUS_WIRE_RTU, device,
                                                       block->function, block->length));
}

static void check_plan(const struct rh_plan *plan)
{
    static uint8_t seen[POINTS_MAX];
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < plan->n_blocks; i++) {
        check_block(plan, &plan->blocks[i], seen);
        assert_true(i == 0 || key_of(&plan->blocks[i - 1]) <= key_of(&plan->blocks[i]));
    }
    for (size_t i = 0; i < line.n_points; i++)
        assert_int_equal(seen[i], 1);
}

/* Down to single points: the halves hold what the whole held, and no more than its span. */
static void check_halves(const struct rh_plan *plan, const struct rh_block *block)
{
    uint8_t wanted[RH_MODBUS_MAX_BITS];
    uint8_t *seen = calloc(POINTS_MAX, 1);
    struct rh_block halves[2];
    if (block->count >= 2) {
        rh_modbus_split(&line, plan->order, block, halves);
        assert_int_equal(halves[0].count + halves[1].count, block->count);
        assert_int_equal(halves[1].first, block->first + halves[0].count);
        for (int i = 0; i < 2; i++) {
            assert_true(halves[i].count >= 1 && halves[i].length <= block->length);
            assert_true(covers(plan, &halves[i], seen, wanted));
            check_halves(plan, &halves[i]);
        }
    }
    free(seen);
}

static void every_plan(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        set_line(9600, "8N1");
        device_options[1].max_read = 40;
        random_points(1 + draw(300));
        struct rh_plan plan = plan_of();
        check_plan(&plan);
        for (size_t i = 0; i < plan.n_blocks; i++)
            check_halves(&plan, &plan.blocks[i]);
        struct rh_plan again = plan_of();
        assert_int_equal(again.n_blocks, plan.n_blocks);
        assert_memory_equal(again.order, plan.order, plan.n_points * sizeof *plan.order);
        rh_plan_fini(&again);
        rh_plan_fini(&plan);
    }
}

static void ten_thousand_points(void **state)
{
    (void)state;
    set_line(9600, "8N1");
    random_points(POINTS_MAX);
    int64_t start_us = rh_mono_us();
    struct rh_plan plan = plan_of();
    assert_true(rh_mono_us() - start_us < 1000000);
    check_plan(&plan);
    rh_plan_fini(&plan);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters),
        cmocka_unit_test(costs_by_hand),
        cmocka_unit_test(wires_of_drivers),
        cmocka_unit_test(nothing_to_plan),
        cmocka_unit_test(touching_points_join),
        cmocka_unit_test(unlike_points_stay_apart),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(scale_registers_stay),
        cmocka_unit_test(halves_of_a_block),
        cmocka_unit_test(single_points),
        cmocka_unit_test(every_plan),
        cmocka_unit_test(ten_thousand_points),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
