/* SPDX-License-Identifier: MIT */
/*
 * settle.h - settings meet option tables: every layer is applied from the lowest to the highest, each value
 * is checked, the last one stands. What came to stand is remembered with its origin, for the dump and for
 * rules that ask whether something was said at all.
 */
#ifndef RH_CONFIG_SETTLE_H
#define RH_CONFIG_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/option.h"
#include "config/tree.h"

/* One table and the object it fills. */
struct rh_target {
    const struct rh_option_table *table;
    void *object;
};

struct rh_settled {
    struct rh_plain plain;
    const struct rh_option *option; /* NULL: computed, or a parameter */
};

#define RH_TARGETS_MOST 4

struct rh_settling {
    struct rh_arena *arena;   /* of what fields point to */
    struct rh_arena *scratch; /* of what is only needed while loading */
    struct rh_report *report;
    enum rh_section section; /* what the keys belong to, for "not built yet" */
    struct rh_target targets[RH_TARGETS_MOST];
    size_t n_targets;
    struct rh_map values; /* key -> struct rh_settled */
    struct rh_map wrong;  /* keys that were said, but not well: they are not missing */
};

void rh_settle_init(struct rh_settling *settling, struct rh_arena *arena, struct rh_arena *scratch,
                    struct rh_report *report, enum rh_section section);
/* Adds a table; its object gets the defaults. */
void rh_settle_target(struct rh_settling *settling, const struct rh_option_table *table, void *object);

const struct rh_option *rh_settle_find(const struct rh_settling *settling, const char *key);
/* Sets a value; false if no table has the key (nothing is reported then). */
bool rh_settle_value(struct rh_settling *settling, const char *key, const struct rh_plain *plain);
/* The key was said with a value that cannot even be read. */
void rh_settle_wrong(struct rh_settling *settling, const char *key);
/* "unknown key", or "not built yet"; `more` (may be NULL): further keys that would have been known. */
void rh_settle_unknown(const struct rh_settling *settling, const char *key, const char *where,
                       struct rh_place place, const struct rh_map *more);
/* True if a known key, or one that is not built yet, is near. */
bool rh_settle_near(const struct rh_settling *settling, const char *key);
/* Applies all settings of an object; NULL is none. */
void rh_settle_object(struct rh_settling *settling, const struct rh_object *object,
                      const struct rh_substitutes *substitutes);
/* A value that follows from others, for the dump. */
void rh_settle_computed(struct rh_settling *settling, const char *key, const char *text,
                        struct rh_place origin);
/* NULL if nothing was said. */
const struct rh_settled *rh_settle_said(const struct rh_settling *settling, const char *key);
/* Reports the required options that are missing. */
void rh_settle_required(const struct rh_settling *settling, const char *where, struct rh_place place);

/* True if the key of a section is described but not built. */
bool rh_settle_unbuilt(enum rh_section section, const char *key);

#endif
