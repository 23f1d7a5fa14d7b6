/* SPDX-License-Identifier: MIT */
/*
 * schema.h - what config/ must know of the parts above it in order to check their options: the tables
 * and parsers that drivers and codecs hand down. gateway/ joins them into one struct rh_schema.
 */
#ifndef RH_CONFIG_SCHEMA_H
#define RH_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "config/option.h"
#include "core/point.h"

struct rh_device_conf;
struct rh_line_conf;

/* One word of a row: quotes removed, escapes resolved, placeholders replaced. */
struct rh_word {
    const char *text;
    size_t len;
    bool quoted; /* or a /regex/, whose slashes are kept in `text` */
    struct rh_place place;
};

struct rh_parse_context {
    struct rh_arena *arena;
    struct rh_report *report;
};

/* All functions report every mistake they find and return false after any. They see objects whose
 * options have been set as far as they are valid. */
struct rh_driver_schema {
    const char *name; /* as in `driver =` */
    const char *help; /* one line */
    /* Pointers, so that drivers can share tables defined in other files. */
    const struct rh_option_table *line;   /* of a struct of line_size bytes: rh_line_conf.options */
    const struct rh_option_table *device; /* of a struct of device_size bytes: rh_device_conf.options */
    const struct rh_option_table *point;  /* of a struct of address_size bytes: rh_point.address */
    size_t line_size, device_size, address_size;
    const struct rh_option_table *group; /* of group_size bytes: rh_group_conf.options; NULL: no groups */
    size_t group_size;
    bool address_optional; /* "-" is a good address although there is a parse_address */
    bool text_labels;      /* enum= may give labels to texts */

    /* The value of `address` (second column); NULL: only "-" is allowed. Into device->options. */
    bool (*parse_address)(const struct rh_word *word, struct rh_device_conf *device,
                          const struct rh_parse_context *context);
    /* After the options and groups of a device, before its points: what only holds for all together. */
    bool (*check_device)(const struct rh_device_conf *device, const struct rh_parse_context *context);
    /* True if the device speaks without being asked: then every reading counts, unless its profile, row or
     * section says `interval`. NULL: never. */
    bool (*speaks)(const struct rh_device_conf *device);
    /* The positional words of a point, before its options: sets point->type and fills `address`. */
    bool (*parse_point)(const struct rh_word *words, size_t n, const struct rh_device_conf *device,
                        struct rh_point *point, void *address, const struct rh_parse_context *context);
    /* After the options of a point: what only holds for all of them together. `place` is the row's.
     * point->writable is what the row says, whether or not its device allows writes. */
    bool (*check_point)(const struct rh_point *point, const struct rh_device_conf *device,
                        struct rh_place place, const struct rh_parse_context *context);
    /* True if writing one of two points of a device changes the other; NULL: that never happens. */
    bool (*overlaps)(const struct rh_point *a, const struct rh_point *b);
    /* After all devices: is the line complete (port, host), its rate possible? */
    bool (*check_line)(const struct rh_line_conf *line, const struct rh_parse_context *context);
    /* What makes the line unique, for "two lines on one port": the resolved port or host:port. */
    const char *(*line_identity)(const struct rh_line_conf *line);
};

struct rh_schema {
    const struct rh_driver_schema *const *drivers;
    size_t n_drivers;
    const char *const *formats; /* names of the payload codecs that are built */
    size_t n_formats;
};

#endif
