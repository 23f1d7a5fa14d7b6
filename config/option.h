/* SPDX-License-Identifier: MIT */
/*
 * option.h - an option is one row of a table: from the rows come the loader, `railhead check`, the
 * sample file and the manual page.
 *
 * A table describes the fields of one struct; a row names the field by its offset. Defaults are
 * written as the user would write them and pass through the same parser.
 */
#ifndef RH_CONFIG_OPTION_H
#define RH_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/report.h"
#include "core/text.h"

struct rh_arena;

enum rh_option_kind {
    RH_OPTION_TEXT,     /* const char *, "" or the default when absent */
    RH_OPTION_BOOL,     /* bool: yes/no, true/false, on/off, 1/0 */
    RH_OPTION_INT,      /* int64_t within min..max */
    RH_OPTION_NUMBER,   /* double within min..max */
    RH_OPTION_DECIMAL,  /* struct rh_decimal, not zero */
    RH_OPTION_DURATION, /* int64_t milliseconds within min..max (ms) */
    RH_OPTION_SIZE,     /* int64_t bytes within min..max (bytes) */
    RH_OPTION_CHOICE,   /* int: index into `choices` */
    RH_OPTION_CUSTOM,   /* parse() */
};

enum {
    RH_OPTION_REQUIRED = 1, /* an error when absent */
    RH_OPTION_FLAG = 2,     /* BOOL that may stand without a value on a row: `urgent` */
    RH_OPTION_SECRET = 4,   /* printed as *** */
    RH_OPTION_PREFIX = 8,   /* the name is a prefix: `tag.` takes tag.site, tag.area, … (CUSTOM) */
};

/* What a CUSTOM parser is told and may say. */
struct rh_option_value {
    const char *key;  /* as written: "tag.site" */
    const char *text; /* unquoted, unescaped */
    size_t len;
    const bool *quoted;       /* for each byte of text: it stood in quotes, so a `,` there divides nothing;
                               * NULL: none did */
    struct rh_place place;    /* of the value */
    struct rh_arena *arena;   /* what the field points to goes here */
    struct rh_report *report; /* the parser reports what is wrong, then returns false */
};

struct rh_option {
    const char *name;
    enum rh_option_kind kind;
    size_t offset;
    const char *fallback; /* default as text, NULL: zero */
    const char *choices;  /* "a|b|c" for CHOICE; for others how a value looks, in the manual */
    double min, max;      /* inclusive; both 0: no bounds */
    unsigned flags;
    const char *help; /* one line, no full stop */
    bool (*parse)(const struct rh_option_value *value, void *field);
};

struct rh_option_table {
    const struct rh_option *rows;
    size_t n;
};

/* Sets every field of `object` to its default. Defaults that do not parse are a bug. */
void rh_option_defaults(const struct rh_option_table *table, void *object, struct rh_arena *arena);

/* The row for a key, prefixes included, or NULL. */
const struct rh_option *rh_option_find(const struct rh_option_table *table, const char *key);

/* Parses `value` into its field; reports and returns false if it is wrong. */
bool rh_option_set(const struct rh_option *option, void *object, const struct rh_option_value *value);

/* Memory that goes all at once with its configuration. Never returns NULL (out of memory at load ends
 * the process: nothing runs yet, or the old configuration was kept by the caller's check before). */
struct rh_arena *rh_arena_new(void);
void rh_arena_free(struct rh_arena *arena);
void *rh_arena_alloc(struct rh_arena *arena, size_t bytes);                /* zeroed, aligned for any type */
char *rh_arena_text(struct rh_arena *arena, const char *text, size_t len); /* NUL-terminated copy */

#endif
