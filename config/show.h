/* SPDX-License-Identifier: MIT */
/*
 * show.h - the settings in force as INI text: for the dump, and for fingerprints, which are hashes of that
 * text. So a dump that is loaded again has the same fingerprints.
 */
#ifndef RH_CONFIG_SHOW_H
#define RH_CONFIG_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/settle.h"

struct rh_shown_row {
    const char *key, *value; /* as INI text */
    struct rh_place origin;  /* line 0: a default */
    bool secret;
};

struct rh_shown_section {
    const char *header; /* "[line a]" */
    const struct rh_shown_row *rows;
    size_t n;
};

/* All options of the settling's tables that have a value: what was said, or the default; prefixed keys by
 * name. `more` (may be NULL): further rows that come last. The files of origins are copied. */
struct rh_shown_section rh_show(const struct rh_settling *settling, const char *header,
                                const struct rh_map *more, struct rh_arena *arena);
/* The options of a point on one line, after its positional words. */
const char *rh_show_options(const struct rh_settling *settling, const char *words, struct rh_arena *arena);

/* Continues a hash; start with RH_FINGERPRINT_START. */
#define RH_FINGERPRINT_START 14695981039346656037u
uint64_t rh_fingerprint_text(uint64_t hash, const char *text);
uint64_t rh_fingerprint_section(uint64_t hash, const struct rh_shown_section *section);

void rh_show_print(const struct rh_shown_section *section, bool origin, FILE *out);

#endif
