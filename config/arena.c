/* SPDX-License-Identifier: MIT */
/*
 * arena.c - chunks of zeroed memory in a list; a large request gets a chunk of its own.
 */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"

#define CHUNK_BYTES 8192

struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

struct rh_arena {
    struct chunk *chunks; /* the first one has the room */
};

static struct chunk *new_chunk(size_t size)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk) + size);

    if (!chunk) {
        static const char message[] = "out of memory while reading the configuration\n";
        fputs(message, stderr);
        abort();
    }
    chunk->size = size;
    return chunk;
}

struct rh_arena *rh_arena_new(void)
{
    struct rh_arena *arena = calloc(1, sizeof(*arena));

    rh_assert(arena);
    arena->chunks = new_chunk(CHUNK_BYTES);
    return arena;
}

void rh_arena_free(struct rh_arena *arena)
{
    if (!arena)
        return;
    while (arena->chunks) {
        struct chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

void *rh_arena_alloc(struct rh_arena *arena, size_t bytes)
{
    struct chunk *first = arena->chunks;

    rh_assert(bytes < SIZE_MAX / 2);
    bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (bytes > first->size - first->used) {
        bool large = bytes > CHUNK_BYTES / 4;
        struct chunk *chunk = new_chunk(large ? bytes : CHUNK_BYTES);

        if (large) { /* behind the first, whose room is not given up */
            chunk->next = first->next;
            first->next = chunk;
            chunk->used = bytes;
            return chunk->bytes;
        }
        chunk->next = first;
        arena->chunks = first = chunk;
    }
    first->used += bytes;
    return first->bytes + first->used - bytes;
}

char *rh_arena_text(struct rh_arena *arena, const char *text, size_t len)
{
    char *copy = rh_arena_alloc(arena, len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    return copy;
}
