/* SPDX-License-Identifier: MIT */
/*
 * map.h - text to pointer, in the order of insertion. Lives in an arena; keys are borrowed from there.
 */
#ifndef RH_CONFIG_MAP_H
#define RH_CONFIG_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "config/option.h"

struct rh_map_entry {
    const char *key;
    void *value;
};

struct rh_map {
    struct rh_arena *arena;
    struct rh_map_entry *at; /* by age */
    size_t n, cap;
    uint32_t *slots; /* open addressing: index + 1 into `at`, 0 for empty */
    size_t n_slots;  /* a power of two, at least twice n */
};

void rh_map_init(struct rh_map *map, struct rh_arena *arena);
/* The value, or NULL. */
void *rh_map_get(const struct rh_map *map, const char *key);
/* Adds, or replaces the value where it stands. */
void rh_map_put(struct rh_map *map, const char *key, void *value);

#endif
