/* SPDX-License-Identifier: MIT */
/*
 * base.h - the few words every part of the simulator uses: time, chance, bounded text, strict numbers.
 *
 * All times are CLOCK_MONOTONIC in nanoseconds; the log shows them in microseconds.
 * Parsers take the whole string or nothing.
 */
#ifndef RAILSIM_BASE_H
#define RAILSIM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_MUST_USE __attribute__((warn_unused_result))
#define SIM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SIM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SIM_US 1000LL
#define SIM_MS 1000000LL
#define SIM_S 1000000000LL
#define SIM_NEVER INT64_MAX
#define SIM_NAME_MAX 32

int64_t sim_now_ns(void);

/* Reproducible chance (splitmix64): the same seed gives the same run, as far as the requests are the same. */
struct sim_random {
    uint64_t state;
};
uint64_t sim_random_next(struct sim_random *random);
uint64_t sim_random_below(struct sim_random *random, uint64_t limit); /* 0..limit-1, limit > 0 */
double sim_random_share(struct sim_random *random);                   /* 0 <= x < 1 */

/* A text that never writes past its buffer and is always NUL-terminated. */
struct sim_text {
    char *at;
    size_t len, cap;
};
void sim_text_init(struct sim_text *text, char *buffer, size_t cap);
void sim_text_printf(struct sim_text *text, const char *format, ...) SIM_PRINTF(2, 3);
void sim_text_json(struct sim_text *text, const char *string, size_t len); /* with its quotes */
void sim_text_hex(struct sim_text *text, const uint8_t *bytes, size_t len);

SIM_MUST_USE bool sim_parse_int(const char *string, int64_t min, int64_t max, int64_t *ret_value);
SIM_MUST_USE bool sim_parse_real(const char *string, double *ret_value);
SIM_MUST_USE bool sim_parse_duration(const char *string, int64_t *ret_ns); /* "50us", "2.5ms", "1s", "1min" */
SIM_MUST_USE bool sim_parse_bool(const char *string, bool *ret_value);     /* yes no on off true false */
SIM_MUST_USE bool sim_parse_share(const char *string, double *ret_value);  /* 0..1, "10%", on, off */
SIM_MUST_USE bool sim_parse_range(const char *string, int64_t max, int64_t *ret_first, int64_t *ret_last);
SIM_MUST_USE bool sim_parse_hex(const char *string, uint8_t *bytes, size_t cap, size_t *ret_len);

/* The words of a line: blanks separate, "quotes" keep together, with \r \n \t \\ \" \xNN inside. A '#' or
 * ';' that begins a word ends the line. A bare '=' is a word of its own. */
#define SIM_WORDS_MAX 600
#define SIM_LINE_MAX 4096
struct sim_words {
    char text[SIM_LINE_MAX + SIM_WORDS_MAX]; /* the words, each with its NUL */
    char *word[SIM_WORDS_MAX];
    size_t len[SIM_WORDS_MAX]; /* a quoted word may hold NULs */
    size_t n;
};
SIM_MUST_USE bool sim_words_split(struct sim_words *words, const char *line, char *why, size_t why_cap);

#endif
