/* SPDX-License-Identifier: MIT */
/*
 * uart_value.h - what stands in a field as the value of its point. Pure; sets *ret_value for RH_GOOD only.
 */
#ifndef RH_DRIVERS_UART_VALUE_H
#define RH_DRIVERS_UART_VALUE_H

#include "drivers/scale.h"
#include "drivers/uart.h"

struct rh_uart_slice {
    const uint8_t *bytes;
    size_t len;
};

/* Of text: blanks around it do not count, nor does a unit behind a number and a blank. An empty field is no
 * value for a number, and an empty text for a text. */
enum rh_quality rh_uart_value_of_text(const struct rh_point *point, struct rh_uart_slice text,
                                      struct rh_value *ret_value);
/* Of rh_uart_field_size bytes. */
enum rh_quality rh_uart_value_of_bytes(const struct rh_point *point, const uint8_t *bytes,
                                       struct rh_value *ret_value);
/* Of whole * 10^exponent, as a protocol says it. */
enum rh_quality rh_uart_value_of_number(const struct rh_point *point, struct rh_whole whole, int exponent,
                                        struct rh_value *ret_value);
/* Of "5230.88855" and "N": degrees, to nine decimals. */
enum rh_quality rh_uart_value_of_latlon(const struct rh_point *point, struct rh_uart_slice degrees,
                                        struct rh_uart_slice hemisphere, struct rh_value *ret_value);

struct rh_uart_slice rh_uart_trim(struct rh_uart_slice text);

#endif
