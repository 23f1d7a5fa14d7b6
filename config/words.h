/* SPDX-License-Identifier: MIT */
/*
 * words.h - what a raw value means: words, quotes, escapes, /regexes/, placeholders and ranges. Pure.
 *
 *     m{01..12} = a {1..12} eastron-sdm630   ct=40 title="Meter \"A\""
 *                 |---- positional words --| |------- options -------|
 *
 * Quotes may open anywhere in a word; what is inside stands for itself. A text without quotes, escapes or
 * braces means what is written.
 */
#ifndef RH_CONFIG_WORDS_H
#define RH_CONFIG_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/ini.h"
#include "config/map.h"

#define RH_RANGE_MOST 1000

/* A text as it is meant. */
struct rh_plain {
    const char *text; /* NUL-terminated; may hold NUL from \x00 */
    size_t len;
    const bool *quoted; /* per byte: inside quotes; NULL if none is */
    bool has_quotes;
    bool regex;    /* text is /regex/ with its slashes */
    bool template; /* braces in it are placeholders to be filled in later */
    struct rh_place place;
};

/* What braces may stand for where a text is read. */
struct rh_substitutes {
    const struct rh_map *names; /* {name} -> const char *; NULL: none */
    bool keep_names;            /* leave {name} as it is, for a template */
    size_t range_at, range_n;   /* {a..b} gives its element range_at if it has range_n; 0: no ranges here */
};

/* Divides at blanks outside quotes and regexes. */
size_t rh_words_split(const struct rh_raw *raw, struct rh_arena *arena, struct rh_raw **ret_words);

/* Divides `key=value` at the first '=' outside quotes; false if there is none. */
bool rh_word_divide(const struct rh_raw *word, struct rh_raw *ret_key, struct rh_raw *ret_value);

/* Removes quotes, resolves escapes and braces. Reports what is wrong and returns false; *ret_plain is then
 * the rest. `substitutes` NULL: no braces allowed. */
bool rh_plain_read(const struct rh_raw *raw, const struct rh_substitutes *substitutes, struct rh_arena *arena,
                   struct rh_report *report, struct rh_plain *ret_plain);

/* How many names a name with ranges stands for: 1 if it holds none; 0 after a reported mistake. */
size_t rh_range_count(const struct rh_raw *name, struct rh_report *report);
/* Its element `at`; the name must have passed rh_range_count. */
const char *rh_range_name(const struct rh_raw *name, size_t at, struct rh_arena *arena);

/* The inside of braces: true if it reads a..b (digits only). */
bool rh_range_parse(const char *text, size_t len, unsigned *ret_first, unsigned *ret_last,
                    unsigned *ret_width);

/* The candidate that `word` was likely meant to be, or NULL: by letter case, by edits, by a common start. */
const char *rh_near(const char *word, const char *const *candidates, size_t n);

/* As INI text that reads back as the same. `row`: one word of a row, where blanks divide. */
const char *rh_plain_write(const struct rh_plain *plain, bool row, struct rh_arena *arena);

#endif
