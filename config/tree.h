/* SPDX-License-Identifier: MIT */
/*
 * tree.h - all sections of all files merged by name, ranges expanded, nothing interpreted yet.
 *
 * Every setting of a key is kept, the one in force last, so that an overridden one is checked as well:
 * a later file goes over an earlier one, and within a file [device m07] over [device m{01..12}].
 */
#ifndef RH_CONFIG_TREE_H
#define RH_CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/ini.h"
#include "config/map.h"
#include "config/report.h"
#include "config/words.h"

enum rh_section {
    RH_SECTION_GATEWAY,
    RH_SECTION_MQTT,
    RH_SECTION_STORE,
    RH_SECTION_COMMANDS,
    RH_SECTION_DEFAULTS,
    RH_SECTION_LINE,
    RH_SECTION_DEVICES, /* keys are devices */
    RH_SECTION_DEVICE,
    RH_SECTION_POINTS, /* keys are points */
    RH_SECTION_PROFILE,
    RH_SECTION_PARAMETERS,
    RH_SECTION_GROUP, /* of a profile */
    RH_SECTION_COUNT,
};

struct rh_setting {
    const char *key;     /* with its range expanded */
    const char *written; /* as in the file: "m{01..12}" */
    const char *section; /* as in the file: "[line a]" */
    struct rh_raw key_raw, value;
    unsigned file;            /* by time of reading */
    bool exact;               /* its section's name holds no range */
    size_t range_at, range_n; /* which element of the name's range this is; 0: no range */
    struct rh_setting *newer; /* goes over this one */
};

struct rh_object {
    const char *name;
    const char *written; /* "[line a]", of its first section */
    struct rh_place place;
    struct rh_map settings; /* key -> oldest struct rh_setting */
};

struct rh_tree {
    struct rh_arena *arena;
    struct rh_report *report;
    struct rh_map objects[RH_SECTION_COUNT]; /* name ("" for none) -> struct rh_object */
    size_t n_settings;
    bool full; /* the limit is reached and reported */
};

enum rh_file_kind { RH_FILE_SITE, RH_FILE_PROFILE };

void rh_tree_init(struct rh_tree *tree, struct rh_arena *arena, struct rh_report *report);
/* Adds a file; `file` rises with every call. */
void rh_tree_add(struct rh_tree *tree, const struct rh_ini *ini, enum rh_file_kind kind, unsigned file);

struct rh_object *rh_tree_find(const struct rh_tree *tree, enum rh_section section, const char *name);
/* The setting in force; NULL if the object (may be NULL) has none. */
const struct rh_setting *rh_object_newest(const struct rh_object *object, const char *key);
const struct rh_setting *rh_setting_newest(const struct rh_setting *oldest);

#endif
