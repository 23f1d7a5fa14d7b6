/* SPDX-License-Identifier: MIT */
/*
 * The plan of a line: which registers are read together, and how long each read holds the line.
 *
 * A point is an interval [start, end) of its table that is never split; its scale register lies inside.
 * Points that may share transactions (same device, function, period and class) form a group, sorted by
 * start; partition() cuts each group into blocks. Everything else here is independent of how it cuts.
 *
 *   line.points --sort--> groups of intervals --partition--> blocks --sort--> plan
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/modbus.h"

#define HOST_US 50
#define FAST_BAUD 19200
#define FAST_SILENCE_US 1750
#define REQUEST_CHARS 8
#define WRITTEN_CHARS 8 /* of the answer to a write */

struct interval {
    uint32_t point;
    uint32_t device;
    uint8_t function;
    enum rh_class class_;
    int64_t period_ms;
    uint32_t start, end;
};

int rh_modbus_char_bits(const struct rh_modbus_line *line)
{
    return 1 + line->data_bits + (line->parity != 'N') + line->stop_bits;
}

double rh_modbus_char_us(const struct rh_modbus_line *line)
{
    return rh_modbus_char_bits(line) * 1e6 / (double)line->baud;
}

double rh_modbus_silence_us(const struct rh_modbus_line *line, enum rh_modbus_wire wire)
{
    if (wire == RH_MODBUS_WIRE_TCP)
        return 0;
    return line->baud > FAST_BAUD ? FAST_SILENCE_US : 3.5 * rh_modbus_char_us(line);
}

static bool reads_bits(uint8_t function)
{
    return function == RH_MODBUS_READ_COILS || function == RH_MODBUS_READ_DISCRETE;
}

size_t rh_modbus_answer_chars(uint8_t function, uint16_t length)
{
    if (function >= RH_MODBUS_WRITE_COIL)
        return WRITTEN_CHARS;
    return 5 + (reads_bits(function) ? (length + 7U) / 8U : 2U * length);
}

int64_t rh_modbus_cost_us(const struct rh_modbus_line *line, enum rh_modbus_wire wire,
                          const struct rh_modbus_device *device, uint8_t function, uint16_t length)
{
    double cost = (double)device->turnaround_ms * 1000 + rh_modbus_silence_us(line, wire) + HOST_US;
    if (wire == RH_MODBUS_WIRE_RTU)
        cost += (double)(REQUEST_CHARS + rh_modbus_answer_chars(function, length)) * rh_modbus_char_us(line);
    return llround(cost);
}

enum rh_modbus_wire rh_modbus_wire_of(const struct rh_line_conf *line)
{
    return strcmp(line->schema->name, "modbus-tcp") == 0 ? RH_MODBUS_WIRE_TCP : RH_MODBUS_WIRE_RTU;
}

void rh_modbus_span(const struct rh_modbus_address *address, uint32_t *ret_start, uint32_t *ret_end)
{
    *ret_start = address->address;
    *ret_end = (uint32_t)address->address + address->length;
    if (!address->has_scale_reg)
        return;
    if (address->scale_reg < *ret_start)
        *ret_start = address->scale_reg;
    if (address->scale_reg >= *ret_end)
        *ret_end = (uint32_t)address->scale_reg + 1;
}

static struct interval interval_of(const struct rh_line_conf *line, uint32_t index)
{
    const struct rh_point *point = &line->points[index];
    const struct rh_modbus_address *address = point->address;
    struct interval interval = {.point = index,
                                .device = point->device,
                                .function = address->function,
                                .class_ = point->class_,
                                .period_ms = point->period_ms};
    rh_modbus_span(address, &interval.start, &interval.end);
    return interval;
}

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By group: the same for all that may share a transaction. */
static int compare_group(const struct interval *a, const struct interval *b)
{
    int order = compare(a->device, b->device);
    order = order != 0 ? order : compare(a->function, b->function);
    order = order != 0 ? order : compare(a->period_ms, b->period_ms);
    return order != 0 ? order : compare(a->class_, b->class_);
}

static int compare_intervals(const void *left, const void *right)
{
    const struct interval *a = left, *b = right;
    int order = compare_group(a, b);
    order = order != 0 ? order : compare(a->start, b->start);
    order = order != 0 ? order : compare(a->end, b->end);
    return order != 0 ? order : compare(a->point, b->point);
}

/* Device, function, address; where two begin alike (other periods), the one that sorted first above. */
static int compare_blocks(const void *left, const void *right)
{
    const struct rh_block *a = left, *b = right;
    int order = compare(a->device, b->device);
    order = order != 0 ? order : compare(a->function, b->function);
    order = order != 0 ? order : compare(a->address, b->address);
    return order != 0 ? order : compare(a->first, b->first);
}

static uint32_t cap_of(const struct rh_line_conf *line, const struct interval *interval)
{
    const struct rh_modbus_device *device = line->devices[interval->device].options;
    return reads_bits(interval->function) ? RH_MODBUS_MAX_BITS : (uint32_t)device->max_read;
}

/*
 * Cuts a group into blocks and returns how many of its first intervals belong to the next block.
 * Contract: `n` >= 1 intervals of one group, sorted by start; the result is 1..n, and the span of those
 * intervals is at most `cap`, unless a single one is longer. Called until the group is used up.
 * Joins what touches or overlaps, and reads no register that no point asked for.
 */
static size_t partition(const struct interval *group, size_t n, uint32_t cap)
{
    uint32_t start = group[0].start, end = group[0].end;
    size_t taken = 1;
    for (; taken < n && group[taken].start <= end; taken++) {
        uint32_t reach = group[taken].end > end ? group[taken].end : end;
        if (reach - start > cap)
            break;
        end = reach;
    }
    return taken;
}

/* Fills what follows from the points of a block: span and cost. */
static void measure(const struct rh_line_conf *line, const uint32_t *order, struct rh_block *block)
{
    uint32_t start = UINT32_MAX, end = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        struct interval interval = interval_of(line, order[block->first + i]);
        start = interval.start < start ? interval.start : start;
        end = interval.end > end ? interval.end : end;
    }
    rh_assert(start < end && end <= 65536 && end - start <= UINT16_MAX);
    block->address = (uint16_t)start;
    block->length = (uint16_t)(end - start);
    block->cost_us = rh_modbus_cost_us(line->options, rh_modbus_wire_of(line),
                                       line->devices[block->device].options, block->function, block->length);
}

static struct rh_block block_of(const struct rh_line_conf *line, const uint32_t *order,
                                const struct interval *interval, size_t first, size_t count)
{
    const struct rh_modbus_device *device = line->devices[interval->device].options;
    struct rh_block block = {.device = interval->device,
                             .first = (uint32_t)first,
                             .count = (uint32_t)count,
                             .period_ms = interval->period_ms,
                             .class_ = interval->class_,
                             .unit = device->unit,
                             .function = interval->function};
    measure(line, order, &block);
    return block;
}

static size_t group_size(const struct interval *intervals, size_t n)
{
    size_t size = 1;
    while (size < n && compare_group(&intervals[0], &intervals[size]) == 0)
        size++;
    return size;
}

static void cut(const struct rh_line_conf *line, const struct interval *intervals, struct rh_plan *plan)
{
    size_t at = 0;
    while (at < plan->n_points) {
        size_t group_end = at + group_size(intervals + at, plan->n_points - at);
        while (at < group_end) {
            size_t taken = partition(intervals + at, group_end - at, cap_of(line, &intervals[at]));
            plan->blocks[plan->n_blocks++] = block_of(line, plan->order, &intervals[at], at, taken);
            at += taken;
        }
    }
}

int rh_modbus_plan(const struct rh_line_conf *line, struct rh_plan *ret_plan)
{
    *ret_plan = (struct rh_plan){.n_points = line->n_points};
    if (line->n_points == 0)
        return 0;
    RH_CLEANUP(rh_cleanup_free) struct interval *intervals = calloc(line->n_points, sizeof *intervals);
    ret_plan->blocks = calloc(line->n_points, sizeof *ret_plan->blocks);
    ret_plan->order = calloc(line->n_points, sizeof *ret_plan->order);
    if (intervals == NULL || ret_plan->blocks == NULL || ret_plan->order == NULL) {
        rh_plan_fini(ret_plan);
        return -ENOMEM;
    }
    for (size_t i = 0; i < line->n_points; i++)
        intervals[i] = interval_of(line, (uint32_t)i);
    qsort(intervals, line->n_points, sizeof *intervals, compare_intervals);
    for (size_t i = 0; i < line->n_points; i++)
        ret_plan->order[i] = intervals[i].point;
    cut(line, intervals, ret_plan);
    qsort(ret_plan->blocks, ret_plan->n_blocks, sizeof *ret_plan->blocks, compare_blocks);
    return 0;
}

void rh_modbus_split(const struct rh_line_conf *line, const uint32_t *order, const struct rh_block *block,
                     struct rh_block ret_halves[2])
{
    rh_assert(block->count >= 2);
    struct rh_block whole = *block;
    ret_halves[0] = whole;
    ret_halves[1] = whole;
    ret_halves[0].count = whole.count / 2;
    ret_halves[1].first += ret_halves[0].count;
    ret_halves[1].count -= ret_halves[0].count;
    measure(line, order, &ret_halves[0]);
    measure(line, order, &ret_halves[1]);
}

void rh_modbus_single(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                      struct rh_block *ret_block)
{
    struct interval interval = interval_of(line, order[at]);
    *ret_block = block_of(line, order, &interval, at, 1);
}
