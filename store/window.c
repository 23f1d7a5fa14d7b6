/* SPDX-License-Identifier: MIT */
/*
 * window.c - see window.h. A window holds tens of messages: slots are searched from front to back.
 */
#include "store/window.h"

#include <string.h>

struct rh_slot *rh_window_by_mid(struct rh_window *window, uint16_t mid)
{
    for (size_t i = 0; i < window->n; i++) {
        if (window->slots[i].mid == mid) {
            return &window->slots[i];
        }
    }
    return NULL;
}

struct rh_slot *rh_window_by_row(struct rh_window *window, int64_t row)
{
    for (size_t i = 0; i < window->n; i++) {
        if (window->slots[i].row == row) {
            return &window->slots[i];
        }
    }
    return NULL;
}

bool rh_window_add(struct rh_window *window, const struct rh_slot *slot)
{
    if (window->n == RH_WINDOW_MAX) {
        return false;
    }
    window->slots[window->n++] = *slot;
    return true;
}

void rh_window_remove(struct rh_window *window, struct rh_slot *slot)
{
    *slot = window->slots[--window->n];
}

/* The place of the first row that is not lower. */
static size_t place(const struct rh_rows *rows, int64_t row)
{
    size_t low = 0;
    for (size_t high = rows->n; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (rows->at[middle] < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool rh_rows_has(const struct rh_rows *rows, int64_t row)
{
    size_t i = place(rows, row);
    return i < rows->n && rows->at[i] == row;
}

bool rh_rows_add(struct rh_rows *rows, int64_t row)
{
    size_t i = place(rows, row);
    if (i < rows->n && rows->at[i] == row) {
        return true;
    }
    if (rows->n == RH_WINDOW_MAX) {
        return false;
    }
    memmove(&rows->at[i + 1], &rows->at[i], (rows->n - i) * sizeof(rows->at[0]));
    rows->at[i] = row;
    rows->n++;
    return true;
}

void rh_rows_remove(struct rh_rows *rows, int64_t row)
{
    size_t i = place(rows, row);
    if (i < rows->n && rows->at[i] == row) {
        rows->n--;
        memmove(&rows->at[i], &rows->at[i + 1], (rows->n - i) * sizeof(rows->at[0]));
    }
}
