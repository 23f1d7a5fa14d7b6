/* SPDX-License-Identifier: MIT */
/*
 * uart_silence.h - when a sensor that speaks unasked has been silent for too long. Pure: time is an argument.
 *
 * One struct for each group of a device: its frames come at their own pace. The usual gap is the median of
 * the last ones, so that neither a burst nor one long pause changes what is usual.
 */
#ifndef RH_DRIVERS_UART_SILENCE_H
#define RH_DRIVERS_UART_SILENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RH_UART_GAPS 9

struct rh_uart_silence {
    int64_t limit_us; /* as configured; 0: three times the usual gap, at least five seconds */
    int64_t last_us;  /* the last frame, or when listening began */
    int64_t gaps_us[RH_UART_GAPS];
    size_t n_gaps, at;
    bool heard;
    bool stale; /* has been told of */
};

void rh_uart_silence_init(struct rh_uart_silence *silence, int64_t limit_ms, int64_t now_us);
void rh_uart_silence_heard(struct rh_uart_silence *silence, int64_t now_us);
/* When the values become stale if nothing is heard. */
int64_t rh_uart_silence_due_us(const struct rh_uart_silence *silence);

#endif
