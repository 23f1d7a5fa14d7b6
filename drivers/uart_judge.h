/* SPDX-License-Identifier: MIT */
/*
 * uart_judge.h - is what stands here a frame? The part of uart_frame that looks at one candidate. Pure.
 */
#ifndef RH_DRIVERS_UART_JUDGE_H
#define RH_DRIVERS_UART_JUDGE_H

#include "drivers/uart_frame.h"

enum rh_uart_verdict {
    RH_UART_MORE,    /* it may become one */
    RH_UART_FAIL,    /* never */
    RH_UART_OVERRUN, /* not within `max` bytes */
    RH_UART_WHOLE,   /* as far as start, length and end go */
    RH_UART_EMPTY,   /* an end mark alone: a blank line */
};

struct rh_uart_candidate {
    const struct rh_uart_framing *framing;
    const uint8_t *at;
    size_t n;         /* bytes that are there */
    bool gap;         /* no byte will follow them */
    size_t *searched; /* no end mark begins before; 0 for a new candidate */
};

/* Sets the frame's lengths, and the length of its start mark as far as there is one. */
enum rh_uart_verdict rh_uart_judge(const struct rh_uart_candidate *candidate, struct rh_uart_frame *frame);

#endif
