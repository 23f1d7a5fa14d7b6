/* SPDX-License-Identifier: MIT */
/*
 * text.h - bounded text: a builder that never writes past its buffer, strict numbers, UTF-8.
 *
 * Numbers are read and written as in the C locale, which is the one of the process: railhead never calls
 * setlocale(). Every parser takes the whole string or nothing.
 */
#ifndef RH_CORE_TEXT_H
#define RH_CORE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

/* A builder over the caller's buffer. `at` is always NUL-terminated once rh_text_init ran (cap >= 1);
 * what does not fit is left out and `cut` stays set. Plain data, copied freely while nobody writes. */
struct rh_text {
    char *at;
    size_t len; /* bytes without the NUL */
    size_t cap; /* bytes of the buffer */
    bool cut;   /* something did not fit */
};

void rh_text_init(struct rh_text *text, char *buffer, size_t cap);
void rh_text_put(struct rh_text *text, const char *string);
void rh_text_bytes(struct rh_text *text, const void *bytes, size_t len);
void rh_text_char(struct rh_text *text, char c);
void rh_text_printf(struct rh_text *text, const char *format, ...) RH_PRINTF(2, 3);
void rh_text_vprintf(struct rh_text *text, const char *format, va_list args) RH_PRINTF(2, 0);
void rh_text_int(struct rh_text *text, int64_t value);
void rh_text_uint(struct rh_text *text, uint64_t value);

/* The shortest decimal that strtod reads back as the same double (a few powers of two get one digit more),
 * always with a decimal point or an exponent ("230.0"). `value` must be finite. */
void rh_text_double(struct rh_text *text, double value);

/* The same for a value that came as a 32-bit float: the shortest text that strtof reads back. */
void rh_text_float(struct rh_text *text, float value);

/* A JSON string with its quotes; control characters escaped, invalid UTF-8 replaced by U+FFFD. */
void rh_text_json(struct rh_text *text, const char *string, size_t len);

/* Strict numbers: the whole of `string`, no blanks, no locale. 0, -EINVAL (not a number) or -ERANGE.
 * rh_parse_int and rh_parse_uint take decimal, 0x… and a leading '-' (int only). */
RH_MUST_USE int rh_parse_int(const char *string, int64_t *ret_value);
RH_MUST_USE int rh_parse_uint(const char *string, uint64_t *ret_value);
RH_MUST_USE int rh_parse_double(const char *string, double *ret_value);

/* "500ms", "10s", "5min", "1h", "30d" -> milliseconds; "64KiB", "256MiB", "4GiB", "10B" -> bytes.
 * 0, -EINVAL (no number), -ENOMSG (a number without a unit), -EBADR (unknown unit), -ERANGE. */
RH_MUST_USE int rh_parse_duration(const char *string, int64_t *ret_ms);
RH_MUST_USE int rh_parse_size(const char *string, int64_t *ret_bytes);

/* A decimal factor kept exactly: mantissa * 10^exponent ("0.1" -> 1, -1; "25" -> 25, 0; "1e-3" -> 1, -3).
 * Trailing zeros are taken out of the mantissa. 0, -EINVAL or -ERANGE (more than 18 digits). */
struct rh_decimal {
    int64_t mantissa;
    int exponent;
};
RH_MUST_USE int rh_parse_decimal(const char *string, struct rh_decimal *ret_value);

/* The length in bytes of the longest valid UTF-8 prefix of `bytes` that holds no NUL. */
size_t rh_utf8_valid(const char *bytes, size_t len);

/* True for [A-Za-z0-9_-]{1,64}. */
bool rh_name_valid(const char *name);

/* The candidate nearest to `word` by edits (at most a third of its letters, at least 1, at most 3), the
 * first of several; NULL if none is near. */
const char *rh_text_nearest(const char *word, const char *const *candidates, size_t n);

#endif
