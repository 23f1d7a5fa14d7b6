/* SPDX-License-Identifier: MIT */
/*
 * row.c - a row of [devices] read as if it were a section:
 *
 *     m07 = a 7 eastron-sdm630 ct=40          [device m07]
 *           | |       |          |      ->    line = a, address = 7, profile = eastron-sdm630, ct = 40
 */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"

static const char *const columns[] = {"line", "address", "profile"};

struct row {
    struct rh_loader *loader;
    const struct rh_setting *setting; /* the row */
    struct rh_object *object;
    bool complained; /* about the columns */
};

static void put(struct row *row, const char *key, struct rh_raw key_raw, struct rh_raw value)
{
    struct rh_setting *setting = rh_arena_alloc(row->loader->scratch, sizeof(*setting));
    struct rh_setting *other = rh_map_get(&row->object->settings, key);

    *setting = (struct rh_setting){.key = key,
                                   .written = key,
                                   .section = row->object->written,
                                   .key_raw = key_raw,
                                   .value = value,
                                   .file = row->setting->file,
                                   .exact = true,
                                   .range_at = row->setting->range_at,
                                   .range_n = row->setting->range_n};
    if (!other) {
        rh_map_put(&row->object->settings, key, setting);
        return;
    }
    rh_report_error(row->loader->report, rh_raw_place(&key_raw, 0), NULL, "duplicate key \"%s\" in %s", key,
                    row->object->written);
    setting->newer = other->newer;
    other->newer = setting;
}

static void missing_columns(struct row *row, struct rh_place place)
{
    if (!row->complained)
        rh_report_error(row->loader->report, place, NULL,
                        "%s needs three columns: line, address and profile (- for none)",
                        row->object->written);
    row->complained = true;
}

/* An option without '=': a flag, or a word that does not belong. */
static void put_flag(struct row *row, const struct rh_raw *word)
{
    rh_report_error(row->loader->report, rh_raw_place(word, 0), NULL,
                    "\"%s\" in %s is no option: after the three columns come key=value",
                    rh_raw_text(word, row->loader->scratch), row->object->written);
}

struct rh_object *rh_load_row(struct rh_loader *loader, const struct rh_setting *setting)
{
    struct rh_object *object = rh_arena_alloc(loader->scratch, sizeof(*object));
    struct row row = {.loader = loader, .setting = setting, .object = object};
    struct rh_raw *words;
    size_t n = rh_words_split(&setting->value, loader->scratch, &words), column = 0;
    char written[sizeof("row \"\" of [devices]") + 200];

    snprintf(written, sizeof(written), "row \"%.180s\" of [devices]", setting->written);
    *object = (struct rh_object){.name = setting->key,
                                 .written = rh_arena_text(loader->scratch, written, strlen(written)),
                                 .place = rh_raw_place(&setting->key_raw, 0)};
    rh_map_init(&object->settings, loader->scratch);
    for (size_t i = 0; i < n; i++) {
        struct rh_raw key, value;

        if (rh_word_divide(&words[i], &key, &value)) {
            if (column < RH_COUNT(columns))
                missing_columns(&row, rh_raw_place(&words[i], 0));
            put(&row, rh_raw_text(&key, loader->scratch), key, value);
        } else if (column < RH_COUNT(columns)) {
            put(&row, columns[column++], words[i], words[i]);
        } else {
            put_flag(&row, &words[i]);
        }
    }
    if (column < RH_COUNT(columns))
        missing_columns(&row, rh_raw_place(&setting->value, setting->value.len));
    return object;
}
