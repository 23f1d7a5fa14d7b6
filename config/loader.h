/* SPDX-License-Identifier: MIT */
/*
 * loader.h - one load under way; nobody outside config/ includes it.
 *
 *   files --ini, tree--> settings by name --global, line, device, point--> built objects
 *         --finish--> the enabled ones, flattened per line --> struct rh_config
 *
 * Two arenas: what the configuration points to is in `arena`; texts of files and all that is needed only
 * while loading are in `scratch`. Places in built objects name files by copies in `arena`.
 */
#ifndef RH_CONFIG_LOADER_H
#define RH_CONFIG_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/mqtt_settings.h"
#include "config/settings.h"
#include "config/settle.h"
#include "config/show.h"
#include "config/source.h"
#include "config/tree.h"
#include "config/units.h"

#define RH_POINTS_MOST 50000

struct rh_profile {
    const char *name;
    const char *path;
    struct rh_tree tree;      /* [profile], [parameters], [points] */
    struct rh_map parameters; /* name -> struct rh_parameter */
    struct rh_map defaults;   /* name -> const char *: the value of each parameter */
};

struct rh_parameter {
    const char *fallback;
    bool bounded;
    double min, max;
};

struct rh_point_build {
    struct rh_point point;
    struct rh_shown_row shown;
    struct rh_place place;
    bool sound; /* its address has been read and checked */
};

struct rh_line_build {
    struct rh_line_conf conf; /* while loading, devices and points are those of this line */
    struct rh_line_settings settings;
    struct rh_settling settling;
    struct rh_device_build **devices;
    size_t n_devices;
};

struct rh_device_build {
    struct rh_device_conf conf;
    struct rh_device_settings settings;
    struct rh_settling settling;
    struct rh_map parameters;      /* name -> const char *: what {name} stands for */
    struct rh_map said_parameters; /* name -> struct rh_settled */
    struct rh_line_build *line;    /* NULL: there is none of that name */
    const struct rh_driver_schema *schema;
    const struct rh_profile *profile; /* NULL: none */
    struct rh_settling *groups;       /* one for each of conf.groups */
    bool profile_missing;             /* it names one that cannot be read */
    const char *written;              /* the device as in messages: "[devices] row m{01..12}" */
    struct rh_point_build *points;
    size_t n_points;
};

/* rh_config with what its dump and its end need. */
struct rh_built_config {
    struct rh_config config; /* first */
    struct rh_arena *arena;
    const struct rh_shown_section *sections;
    size_t n_sections;
};

struct rh_loader {
    const struct rh_source *source;
    const struct rh_schema *schema;
    struct rh_report *report;
    struct rh_arena *arena, *scratch;
    struct rh_tree tree;
    unsigned n_files;
    struct rh_map profiles; /* name -> struct rh_profile; a bad one is remembered as well */
    struct rh_built_config *built;
    struct rh_mqtt_settings mqtt;
    bool bad_topic; /* [mqtt] has no topic to put devices into; reported */
    struct rh_settling gateway_settling, mqtt_settling, store_settling, commands_settling;
    struct rh_map lines;   /* name -> struct rh_line_build */
    struct rh_map devices; /* name -> struct rh_device_build */
    size_t n_points;
};

/* load.c: reads a file into `tree`; 0 or a negative errno (not reported). */
int rh_load_file(struct rh_loader *loader, const char *path, enum rh_file_kind kind, struct rh_tree *tree);

/* global.c: [gateway], [mqtt], [store], [commands]. */
void rh_load_global(struct rh_loader *loader);
/* Where a key of a global section was said; else its section, else the first file. */
struct rh_place rh_load_place(const struct rh_loader *loader, const struct rh_settling *settling,
                              const char *key);

/* mqtt_files.c: the password, certificates and keys that [mqtt] names. */
void rh_load_mqtt_files(struct rh_loader *loader);

/* tags.c: the tags that were said, over `under`, by name. */
struct rh_tags rh_load_tags(const struct rh_loader *loader, const struct rh_settling *settling,
                            const struct rh_tags *under);

/* line.c */
void rh_load_lines(struct rh_loader *loader);
/* The line that `host =` on a device implies; a [line] of the same name is reported. */
struct rh_line_build *rh_load_implied_line(struct rh_loader *loader, const char *name, struct rh_place place);
/* The schema of a driver, or NULL. */
const struct rh_driver_schema *rh_load_schema(const struct rh_loader *loader, const char *name);
/* The driver that lines have unless they say otherwise. */
const struct rh_driver_schema *rh_load_default_schema(struct rh_loader *loader);
/* A line that does not exist, for the check of the devices on it. */
struct rh_line_build *rh_load_phantom_line(struct rh_loader *loader);
void rh_load_line_finish(struct rh_line_build *line);

/* device.c */
void rh_load_devices(struct rh_loader *loader);

/* row.c: a row of [devices] as an object with the keys line, address, profile and its options. */
struct rh_object *rh_load_row(struct rh_loader *loader, const struct rh_setting *row);

/* profile.c: NULL if it is unknown or cannot be read (reported at `place`). */
const struct rh_profile *rh_load_profile(struct rh_loader *loader, const char *name, struct rh_place place);
/* What a parameter may be; reports at `place` and returns false if `text` is not. */
bool rh_load_parameter(struct rh_loader *loader, const struct rh_parameter *parameter, const char *name,
                       const char *text, struct rh_place place);

/* group.c: the groups of a device's profile. */
void rh_load_groups(struct rh_loader *loader, struct rh_device_build *device);
/* What they say, for the fingerprint. */
uint64_t rh_load_groups_fingerprint(struct rh_loader *loader, const struct rh_device_build *device,
                                    uint64_t hash);

/* point.c: all points of a device. */
void rh_load_points(struct rh_loader *loader, struct rh_device_build *device);

/* finish.c: what is enabled, flattened; checks that need everything; fingerprints. */
void rh_load_finish(struct rh_loader *loader);

#endif
