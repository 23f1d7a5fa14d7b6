/* SPDX-License-Identifier: MIT */
/*
 * units.h - durations and sizes as people write them: printed back, and suggested where the unit is
 * missing or misspelt.
 */
#ifndef RH_CONFIG_UNITS_H
#define RH_CONFIG_UNITS_H

#include <stdint.h>

#include "config/option.h"

#define RH_UNIT_TEXT 40

struct rh_unit_name {
    const char *name;
    int64_t factor;      /* ms or bytes */
    const char *aliases; /* "|sec|secs|": what people write instead */
};

struct rh_units {
    const char *what;  /* "must be a duration such as 10s" */
    const char *names; /* for messages */
    int (*parse)(const char *text, int64_t *ret_value);
    const struct rh_unit_name *at;
    size_t n;
};

extern const struct rh_units rh_units_duration, rh_units_size;

/* The shortest exact form in one unit: 90000 -> "90s", 60000 -> "1min". */
void rh_units_print(const struct rh_units *units, int64_t value, char text[RH_UNIT_TEXT]);

/* What the writer of `text` (a number without unit, or with an unknown one) most likely meant, or NULL.
 * A bare number gets the unit that brings it nearest to the option's default. */
const char *rh_units_suggest(const struct rh_units *units, const struct rh_option *option, const char *text,
                             char suggestion[RH_UNIT_TEXT]);

#endif
