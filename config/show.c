/* SPDX-License-Identifier: MIT */
#include "config/show.h"

#include <stdlib.h>
#include <string.h>

struct list {
    struct rh_shown_row *rows;
    size_t n;
    struct rh_arena *arena, *scratch;
};

static const char *copy(struct rh_arena *arena, const char *text)
{
    return rh_arena_text(arena, text, strlen(text));
}

static void add(struct list *list, const char *key, const struct rh_settled *settled)
{
    const struct rh_option *option = settled->option;
    struct rh_place origin = settled->plain.place;

    if (origin.file)
        origin.file = copy(list->arena, origin.file);
    list->rows[list->n++] = (struct rh_shown_row){
        .key = copy(list->arena, key),
        .value = copy(list->arena, rh_plain_write(&settled->plain, false, list->scratch)),
        .origin = origin,
        .secret = option && (option->flags & RH_OPTION_SECRET)};
}

static int by_key(const void *left, const void *right)
{
    const struct rh_shown_row *a = left, *b = right;

    return strcmp(a->key, b->key);
}

static void add_prefixed(struct list *list, const struct rh_settling *settling,
                         const struct rh_option *option)
{
    size_t first = list->n;

    for (size_t i = 0; i < settling->values.n; i++) {
        const struct rh_settled *settled = settling->values.at[i].value;
        if (settled->option == option)
            add(list, settling->values.at[i].key, settled);
    }
    qsort(list->rows + first, list->n - first, sizeof(*list->rows), by_key);
}

/* What stands for an option: said, or its default; false if it has no value. */
static bool value_of(const struct rh_settling *settling, const struct rh_option *option,
                     struct rh_settled *ret_settled)
{
    const struct rh_settled *said = rh_settle_said(settling, option->name);

    if (said)
        *ret_settled = *said;
    else if (option->fallback)
        *ret_settled = (struct rh_settled){
            .plain = {.text = option->fallback, .len = strlen(option->fallback), .template = true},
            .option = option};
    return said || option->fallback;
}

struct rh_shown_section rh_show(const struct rh_settling *settling, const char *header,
                                const struct rh_map *more, struct rh_arena *arena)
{
    size_t most = settling->values.n + (more ? more->n : 0);
    struct list list = {.arena = arena, .scratch = settling->scratch};
    struct rh_settled settled;

    for (size_t t = 0; t < settling->n_targets; t++)
        most += settling->targets[t].table->n;
    list.rows = rh_arena_alloc(arena, most * sizeof(*list.rows));
    for (size_t t = 0; t < settling->n_targets; t++) {
        for (size_t i = 0; i < settling->targets[t].table->n; i++) {
            const struct rh_option *option = &settling->targets[t].table->rows[i];
            if (option->flags & RH_OPTION_PREFIX)
                add_prefixed(&list, settling, option);
            else if (value_of(settling, option, &settled))
                add(&list, option->name, &settled);
        }
    }
    for (size_t i = 0; more && i < more->n; i++)
        add(&list, more->at[i].key, more->at[i].value);
    return (struct rh_shown_section){header, list.rows, list.n};
}

const char *rh_show_options(const struct rh_settling *settling, const char *words, struct rh_arena *arena)
{
    struct rh_settled settled;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    rh_assert(out);
    fputs(words, out);
    for (size_t t = 0; t < settling->n_targets; t++) {
        for (size_t i = 0; i < settling->targets[t].table->n; i++) {
            const struct rh_option *option = &settling->targets[t].table->rows[i];
            if (value_of(settling, option, &settled))
                fprintf(out, " %s=%s", option->name, rh_plain_write(&settled.plain, true, settling->scratch));
        }
    }
    rh_assert(fclose(out) == 0);
    const char *result = rh_arena_text(arena, text, len);
    free(text);
    return result;
}

uint64_t rh_fingerprint_text(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * 1099511628211u; /* FNV-1a, the NUL included */
    while (*text++);
    return hash;
}

uint64_t rh_fingerprint_section(uint64_t hash, const struct rh_shown_section *section)
{
    hash = rh_fingerprint_text(hash, section->header);
    for (size_t i = 0; i < section->n; i++) {
        hash = rh_fingerprint_text(hash, section->rows[i].key);
        hash = rh_fingerprint_text(hash, section->rows[i].value);
    }
    return hash;
}

void rh_show_print(const struct rh_shown_section *section, bool origin, FILE *out)
{
    fprintf(out, "%s\n", section->header);
    for (size_t i = 0; i < section->n; i++) {
        const struct rh_shown_row *row = &section->rows[i];

        fprintf(out, "%s = %s", row->key, row->secret ? "***" : row->value);
        if (origin && row->origin.line > 0)
            fprintf(out, " ; %s:%u", row->origin.file, row->origin.line);
        else if (origin)
            fputs(" ; default", out);
        fputc('\n', out);
    }
    fputc('\n', out);
}
