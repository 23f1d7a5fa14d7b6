/* SPDX-License-Identifier: MIT */
/*
 * uart_regex.h - regular expressions over bytes, bounded: match limits are set and nothing is compiled to
 * machine code (the hardened unit forbids writable-executable memory).
 *
 * A compiled expression is immutable and lives in the arena of its configuration. What a match finds is in a
 * struct rh_uart_matcher, which belongs to one thread and allocates when it is made.
 */
#ifndef RH_DRIVERS_UART_REGEX_H
#define RH_DRIVERS_UART_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

struct rh_arena;
struct rh_uart_regex;
struct rh_uart_matcher;

/* `pattern` with or without its slashes; NULL and a sentence in `why` if it is none. */
const struct rh_uart_regex *rh_uart_regex_new(struct rh_arena *arena, const char *pattern, size_t len,
                                              char *why, size_t cap);
/* The number of the group of a name; 0 if there is none. */
unsigned rh_uart_regex_group(const struct rh_uart_regex *regex, const char *name);
/* How many groups it has. */
unsigned rh_uart_regex_groups(const struct rh_uart_regex *regex);
/* The pattern as written. */
const char *rh_uart_regex_text(const struct rh_uart_regex *regex);

struct rh_uart_matcher *rh_uart_matcher_new(void);
void rh_uart_matcher_free(struct rh_uart_matcher *matcher);

/* PARTIAL is only asked for by rh_uart_search: what is there could be the beginning of a match. */
enum rh_uart_found { RH_UART_NO_MATCH, RH_UART_MATCHED, RH_UART_PARTIAL };

/* Anywhere in the bytes; a match that exceeds its limits is none. */
bool rh_uart_matches(struct rh_uart_matcher *matcher, const struct rh_uart_regex *regex, const uint8_t *bytes,
                     size_t len);
/* The same in a stream that goes on: a match that could become longer, or one that could still come, is
 * partial and begins at *ret_start. `^` never matches. */
enum rh_uart_found rh_uart_search(struct rh_uart_matcher *matcher, const struct rh_uart_regex *regex,
                                  const uint8_t *bytes, size_t len, size_t *ret_start, size_t *ret_end);
/* What a group of the last match took; false if it took no part. */
bool rh_uart_capture(const struct rh_uart_matcher *matcher, unsigned group, size_t *ret_start,
                     size_t *ret_len);

#endif
