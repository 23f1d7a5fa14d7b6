/* SPDX-License-Identifier: MIT */
/*
 * source.h - where configuration text comes from: the disk, or memory in tests and fuzzers.
 */
#ifndef RH_CONFIG_SOURCE_H
#define RH_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

#define RH_FILE_MOST_BYTES (16u << 20)

struct rh_file {
    char *text; /* heap, the caller frees it */
    size_t len;
    bool world_readable;
};

struct rh_source {
    void *context;
    /* The whole of a file. 0 or a negative errno; -EFBIG above RH_FILE_MOST_BYTES. */
    int (*read)(void *context, const char *path, struct rh_file *ret_file);
    /* The names of the *.ini files of a folder in lexical order, in the arena. 0 or a negative errno. */
    int (*list)(void *context, const char *folder, struct rh_arena *arena, const char *const **ret_names,
                size_t *ret_n);
    const char *host_name;
    const char *const *profile_folders; /* in order of preference */
    size_t n_profile_folders;
    const char *credentials; /* systemd's folder of them; NULL: none */
};

/* rh_config_load over any source. */
RH_MUST_USE int rh_config_load_from(const struct rh_source *source, const char *path,
                                    const struct rh_schema *schema, struct rh_report *report,
                                    struct rh_config **ret_config);

int rh_disk_read(void *context, const char *path, struct rh_file *ret_file);
int rh_disk_list(void *context, const char *folder, struct rh_arena *arena, const char *const **ret_names,
                 size_t *ret_n);

/* profile.c: the folders of this process, in the arena. */
size_t rh_profile_folders(struct rh_arena *arena, const char *const **ret_folders);

#endif
