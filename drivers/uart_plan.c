/* SPDX-License-Identifier: MIT */
/*
 * What is asked for, and what is listened to: one block for each request of a device, and one for all that
 * speaks unasked on the line.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "drivers/uart_link.h"

#define ANSWER_CHARS 64 /* where a frame does not say how long it is */
#define SLICE_MAX_US 1000000
#define SLICE_SHARED_US 20000 /* on a line where others are asked meanwhile */

struct item {
    uint32_t point, device;
    bool listens;
    uint8_t request;
};

uint8_t rh_uart_request_number(const struct rh_device_conf *device, uint32_t group)
{
    bool own = group < device->n_groups && rh_uart_group_of(device, group)->request.len > 0;
    return own ? (uint8_t)(group + 1) : 0;
}

bool rh_uart_unasked(const struct rh_device_conf *device, uint32_t group)
{
    return rh_uart_request_of(device, group)->len == 0;
}

double rh_uart_char_us(const struct rh_uart_line *line)
{
    return 1e6 * (1 + line->data_bits + (line->parity != 'N') + line->stop_bits) / (double)line->baud;
}

static struct item item_of(const struct rh_line_conf *line, uint32_t point)
{
    const struct rh_point *p = &line->points[point];
    const struct rh_uart_field *field = p->address;
    const struct rh_device_conf *device = &line->devices[p->device];
    struct item item = {.point = point, .device = p->device};
    item.listens = rh_uart_unasked(device, field->group);
    item.request = item.listens ? 0 : rh_uart_request_number(device, field->group);
    return item;
}

static bool anything_asked(const struct rh_line_conf *line)
{
    for (uint32_t i = 0; i < line->n_points; i++)
        if (!item_of(line, i).listens)
            return true;
    return false;
}

int64_t rh_uart_slice_us(const struct rh_line_conf *line)
{
    const struct rh_uart_line *options = line->options;
    int64_t most_us = anything_asked(line) ? SLICE_SHARED_US : SLICE_MAX_US;
    return options->timeout_ms * 1000 < most_us ? options->timeout_ms * 1000 : most_us;
}

/* Listeners are one group, whatever their devices. */
static int compare(const struct item *a, const struct item *b)
{
    if (a->listens != b->listens)
        return b->listens - a->listens;
    if (a->listens)
        return 0;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return (a->request > b->request) - (a->request < b->request);
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order = compare(a, b);
    return order != 0 ? order : (a->point > b->point) - (a->point < b->point);
}

static int64_t cost_us(const struct rh_line_conf *line, const struct rh_block *block)
{
    const struct rh_device_conf *device = &line->devices[block->device];
    const struct rh_uart_device *options = device->options;
    const struct rh_uart_framing *framing = &options->framing;
    uint32_t group = block->function == 0 ? rh_uart_own_group(device) : block->function - 1U;
    double chars = (double)rh_uart_request_of(device, group)->len;
    if (block->listens)
        return rh_uart_slice_us(line);
    chars += framing->has_length && framing->length.size == 0 ? (double)framing->length.plus : ANSWER_CHARS;
    return llround(ceil(chars * rh_uart_char_us(line->options)));
}

static void widen(const struct rh_line_conf *line, struct rh_block *block, uint32_t point)
{
    const struct rh_point *p = &line->points[point];
    block->count++;
    if (block->listens)
        return;
    if (p->period_ms < block->period_ms)
        block->period_ms = p->period_ms;
    if (p->class_ < block->class_)
        block->class_ = p->class_;
}

static void fill(const struct rh_line_conf *line, const struct item *items, struct rh_plan *plan)
{
    struct rh_block *block = NULL;
    for (uint32_t i = 0; i < plan->n_points; i++) {
        const struct rh_point *point = &line->points[items[i].point];
        plan->order[i] = items[i].point;
        if (!block || compare(&items[i - 1], &items[i]) != 0) {
            block = &plan->blocks[plan->n_blocks++];
            *block = (struct rh_block){.device = items[i].device,
                                       .first = i,
                                       .listens = items[i].listens,
                                       .period_ms = items[i].listens ? RH_PERIOD_FASTEST : point->period_ms,
                                       .class_ = point->class_,
                                       .function = items[i].request};
        }
        widen(line, block, items[i].point);
    }
    for (size_t i = 0; i < plan->n_blocks; i++)
        plan->blocks[i].cost_us = cost_us(line, &plan->blocks[i]);
}

int rh_uart_plan(const struct rh_line_conf *line, struct rh_plan *ret_plan)
{
    *ret_plan = (struct rh_plan){.n_points = line->n_points};
    if (line->n_points == 0)
        return 0;
    RH_CLEANUP(rh_cleanup_free) struct item *items = calloc(line->n_points, sizeof *items);
    ret_plan->blocks = calloc(line->n_points, sizeof *ret_plan->blocks);
    ret_plan->order = calloc(line->n_points, sizeof *ret_plan->order);
    if (!items || !ret_plan->blocks || !ret_plan->order) {
        rh_plan_fini(ret_plan);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < line->n_points; i++)
        items[i] = item_of(line, i);
    qsort(items, line->n_points, sizeof *items, compare_items);
    fill(line, items, ret_plan);
    return 0;
}

/* A sensor refuses no part of its frame, so this is never asked for; its promise holds all the same. */
void rh_uart_split(const struct rh_line_conf *line, const uint32_t *order, const struct rh_block *block,
                   struct rh_block ret_halves[2])
{
    (void)line;
    (void)order;
    rh_assert(block->count >= 2);
    struct rh_block whole = *block;
    ret_halves[0] = ret_halves[1] = whole;
    ret_halves[0].count = whole.count / 2;
    ret_halves[1].first += ret_halves[0].count;
    ret_halves[1].count -= ret_halves[0].count;
}
