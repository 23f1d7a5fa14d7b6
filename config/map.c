/* SPDX-License-Identifier: MIT */
#include "config/map.h"

#include <string.h>

void rh_map_init(struct rh_map *map, struct rh_arena *arena)
{
    *map = (struct rh_map){.arena = arena};
}

static size_t hash(const char *key)
{
    uint32_t value = 2166136261u; /* FNV-1a */

    for (; *key; key++)
        value = (value ^ (unsigned char)*key) * 16777619u;
    return value;
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t find_slot(const struct rh_map *map, const char *key)
{
    size_t slot = hash(key) & (map->n_slots - 1);

    while (map->slots[slot] && strcmp(map->at[map->slots[slot] - 1].key, key) != 0)
        slot = (slot + 1) & (map->n_slots - 1);
    return slot;
}

void *rh_map_get(const struct rh_map *map, const char *key)
{
    if (map->n == 0)
        return NULL;
    uint32_t index = map->slots[find_slot(map, key)];
    return index ? map->at[index - 1].value : NULL;
}

static void grow(struct rh_map *map)
{
    size_t cap = map->cap ? 2 * map->cap : 8;
    struct rh_map_entry *at = rh_arena_alloc(map->arena, cap * sizeof(*at));

    if (map->n > 0)
        memcpy(at, map->at, map->n * sizeof(*at));
    map->at = at;
    map->cap = cap;
    map->n_slots = 2 * cap;
    map->slots = rh_arena_alloc(map->arena, map->n_slots * sizeof(*map->slots));
    for (size_t i = 0; i < map->n; i++)
        map->slots[find_slot(map, at[i].key)] = (uint32_t)i + 1;
}

void rh_map_put(struct rh_map *map, const char *key, void *value)
{
    if (map->n == map->cap)
        grow(map);
    size_t slot = find_slot(map, key);
    if (!map->slots[slot]) {
        map->at[map->n] = (struct rh_map_entry){.key = key};
        map->slots[slot] = (uint32_t)++map->n;
    }
    map->at[map->slots[slot] - 1].value = value;
}
