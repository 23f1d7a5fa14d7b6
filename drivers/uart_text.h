/* SPDX-License-Identifier: MIT */
/*
 * uart_text.h - where in a frame the text of a field stands. Pure.
 */
#ifndef RH_DRIVERS_UART_TEXT_H
#define RH_DRIVERS_UART_TEXT_H

#include "drivers/uart_value.h"

enum rh_uart_place {
    RH_UART_ABSENT, /* this frame says nothing of it: a key that is not there */
    RH_UART_THERE,
    RH_UART_BROKEN, /* it should be there and is not: a column too few */
};

/* A frame as fields see it. */
struct rh_uart_view {
    struct rh_uart_slice frame;          /* all bytes */
    struct rh_uart_slice text;           /* without end mark, trailer and NMEA's checksum */
    const struct rh_uart_matcher *match; /* what the group's expression took */
    struct rh_uart_matcher *own;         /* for the expressions of points */
};

/* csv, key, regex, raw, cols, json, obis */
enum rh_uart_place rh_uart_find_text(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                     struct rh_uart_slice *ret_text);
/* Column `column` of a text. */
enum rh_uart_place rh_uart_find_column(const struct rh_uart_field *field, struct rh_uart_slice text,
                                       int64_t column, struct rh_uart_slice *ret_text);

/* uart_obis.c: `1-0:1.8.0(000004.426*kWh)`, the value without its unit. */
enum rh_uart_place rh_uart_find_obis(const struct rh_uart_field *field, struct rh_uart_slice text,
                                     struct rh_uart_slice *ret_text);
/* uart_json.c: the value of a JSON pointer (RFC 6901), strings without their quotes. */
enum rh_uart_place rh_uart_find_json(const struct rh_uart_field *field, struct rh_uart_slice text,
                                     struct rh_uart_slice *ret_text);

/* uart_sml.c: the entry of an SML list (BSI TR-03109-1, SML 1.04) in a transport frame. A number with its
 * exponent, or a text. */
struct rh_uart_sml {
    bool number;
    struct rh_whole whole;
    int exponent;
    struct rh_uart_slice text;
};
enum rh_uart_place rh_uart_find_sml(const struct rh_uart_field *field, struct rh_uart_slice frame,
                                    struct rh_uart_sml *ret_value);

#endif
