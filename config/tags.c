/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"

#define PREFIX "tag."

static int by_name(const void *left, const void *right)
{
    const struct rh_tag *a = left, *b = right;

    return strcmp(a->name, b->name);
}

static const char *copy(const struct rh_loader *loader, const char *text)
{
    return rh_arena_text(loader->arena, text, strlen(text));
}

static void set(struct rh_tag *tags, size_t *n, const char *name, const char *value)
{
    size_t i = 0;

    while (i < *n && strcmp(tags[i].name, name) != 0)
        i++;
    tags[i] = (struct rh_tag){name, value};
    *n += i == *n;
}

struct rh_tags rh_load_tags(const struct rh_loader *loader, const struct rh_settling *settling,
                            const struct rh_tags *under)
{
    size_t n = under ? under->n : 0;
    struct rh_tag *tags = rh_arena_alloc(loader->arena, (n + settling->values.n + 1) * sizeof(*tags));

    if (n > 0)
        memcpy(tags, under->at, n * sizeof(*tags));
    for (size_t i = 0; i < settling->values.n; i++) {
        const struct rh_settled *settled = settling->values.at[i].value;

        if (settled->option && (settled->option->flags & RH_OPTION_PREFIX) &&
            strcmp(settled->option->name, PREFIX) == 0)
            set(tags, &n, copy(loader, settling->values.at[i].key + strlen(PREFIX)),
                copy(loader, settled->plain.text));
    }
    if (n > 1)
        qsort(tags, n, sizeof(*tags), by_name);
    return (struct rh_tags){tags, n};
}
