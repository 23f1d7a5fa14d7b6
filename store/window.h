/* SPDX-License-Identifier: MIT */
/*
 * window.h - what is on its way, in memory: packet identifier -> row, and sorted sets of rows. Pure, bounded.
 */
#ifndef RH_STORE_WINDOW_H
#define RH_STORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

#define RH_WINDOW_MAX 1024

struct rh_slot {
    int64_t row;
    uint16_t mid;
    uint8_t qos;
    bool received;
    bool retried; /* it was refused before: it has a record in `refused` */
};

struct rh_window {
    struct rh_slot slots[RH_WINDOW_MAX];
    size_t n;
};

/* NULL if there is none. */
struct rh_slot *rh_window_by_mid(struct rh_window *window, uint16_t mid);
struct rh_slot *rh_window_by_row(struct rh_window *window, int64_t row);

/* False if the window is full. */
RH_MUST_USE bool rh_window_add(struct rh_window *window, const struct rh_slot *slot);
void rh_window_remove(struct rh_window *window, struct rh_slot *slot);

/* Rows in ascending order, each once. */
struct rh_rows {
    int64_t at[RH_WINDOW_MAX];
    size_t n;
};

/* False if it is full. */
RH_MUST_USE bool rh_rows_add(struct rh_rows *rows, int64_t row);
void rh_rows_remove(struct rh_rows *rows, int64_t row);
bool rh_rows_has(const struct rh_rows *rows, int64_t row);

#endif
