/* SPDX-License-Identifier: MIT */
#include "drivers/uart_silence.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_US 5000000
#define GAPS 3

void rh_uart_silence_init(struct rh_uart_silence *silence, int64_t limit_ms, int64_t now_us)
{
    *silence = (struct rh_uart_silence){.limit_us = limit_ms * 1000, .last_us = now_us};
}

void rh_uart_silence_heard(struct rh_uart_silence *silence, int64_t now_us)
{
    if (silence->heard) {
        silence->gaps_us[silence->at] = now_us - silence->last_us;
        silence->at = (silence->at + 1) % RH_UART_GAPS;
        silence->n_gaps += silence->n_gaps < RH_UART_GAPS;
    }
    silence->heard = true;
    silence->stale = false;
    silence->last_us = now_us;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static int64_t median_us(const struct rh_uart_silence *silence)
{
    int64_t sorted[RH_UART_GAPS];
    if (silence->n_gaps == 0)
        return 0;
    memcpy(sorted, silence->gaps_us, sizeof sorted);
    qsort(sorted, silence->n_gaps, sizeof sorted[0], compare);
    return sorted[silence->n_gaps / 2];
}

int64_t rh_uart_silence_due_us(const struct rh_uart_silence *silence)
{
    int64_t limit_us = silence->limit_us;
    if (limit_us == 0) {
        limit_us = GAPS * median_us(silence);
        limit_us = limit_us < LEAST_US ? LEAST_US : limit_us;
    }
    return silence->last_us + limit_us;
}
