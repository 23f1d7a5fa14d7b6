/* SPDX-License-Identifier: MIT */
/*
 * ini.h - INI text taken apart: text in; sections, keys and values with their places out. Pure.
 *
 * Values come raw: comments are gone and continued lines joined, quotes and placeholders still stand
 * (words.h knows those). A raw text is a slice of a logical line, which remembers where each of its
 * bytes stood in the file.
 *
 *     broker = mqtt://a, \          one logical line: "broker = mqtt://a, mqtt://b"
 *              mqtt://b  ; spare    pieces: {0, line 1, column 1}, {19, line 2, column 10}
 */
#ifndef RH_CONFIG_INI_H
#define RH_CONFIG_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "config/option.h"
#include "config/report.h"

struct rh_ini_piece {
    size_t offset; /* from here on in the logical line … */
    unsigned line, column;
};

struct rh_ini_line {
    const char *file;
    const char *text; /* NUL-terminated */
    size_t len;
    const struct rh_ini_piece *pieces; /* at least one, by offset */
    size_t n_pieces;
};

struct rh_raw {
    const struct rh_ini_line *line;
    size_t start, len;
};

struct rh_ini_entry {
    struct rh_raw key, value;
};

struct rh_ini_section {
    struct rh_raw kind, name; /* name.len 0: none */
    struct rh_place place;    /* of the '[' */
    const struct rh_ini_entry *entries;
    size_t n;
};

struct rh_ini {
    const struct rh_ini_section *sections;
    size_t n;
};

/* Reports every mistake of form and returns what can be used of the rest. `file` is kept in places and must
 * live as long as they do. */
void rh_ini_parse(const char *file, const char *text, size_t len, struct rh_arena *arena,
                  struct rh_report *report, struct rh_ini *ret_ini);

const char *rh_raw_at(const struct rh_raw *raw);
struct rh_place rh_raw_place(const struct rh_raw *raw, size_t offset);
struct rh_raw rh_raw_slice(const struct rh_raw *raw, size_t start, size_t len);
/* NUL-terminated copy. */
const char *rh_raw_text(const struct rh_raw *raw, struct rh_arena *arena);
/* Without blanks at both ends. */
struct rh_raw rh_raw_trim(struct rh_raw raw);

/* The length of the /regex/ at the start of `text` with both slashes, 0 if there is none: it ends at the
 * next unescaped slash, and a blank or the end follows (so that /dev/ttyUSB0 is a path). */
size_t rh_ini_regex_length(const char *text, size_t len);
bool rh_ini_blank(char c);

#endif
