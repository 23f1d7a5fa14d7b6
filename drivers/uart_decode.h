/* SPDX-License-Identifier: MIT */
/*
 * uart_decode.h - a frame of a device as readings. Pure but for the matchers, whose memory is made at open.
 */
#ifndef RH_DRIVERS_UART_DECODE_H
#define RH_DRIVERS_UART_DECODE_H

#include "drivers/uart.h"

struct rh_uart_decoder {
    struct rh_uart_matcher *match, *own;
};

/* 0 or -ENOMEM. */
RH_MUST_USE int rh_uart_decoder_init(struct rh_uart_decoder *decoder);
void rh_uart_decoder_fini(struct rh_uart_decoder *decoder);

/* The first group of the device that takes the frame; -1 if none does. What its expression took is known
 * until the next call. */
int rh_uart_decode_group(struct rh_uart_decoder *decoder, const struct rh_device_conf *device,
                         const struct rh_uart_frame *frame);

/* The reading of a point of that group, without its times; false if the frame says nothing of it. */
bool rh_uart_decode_point(struct rh_uart_decoder *decoder, const struct rh_point *point,
                          const struct rh_uart_frame *frame, struct rh_reading *ret_reading);

#endif
