/* SPDX-License-Identifier: MIT */
/*
 * point.c - the rows of [points]: words for the driver, then options.
 *
 *     energy = input 342 f32   unit=kWh every=60s kind=counter
 *              |-- driver --|  |-- ours and the driver's ----|
 */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"

#define WORDS_MOST 32

struct row {
    struct rh_loader *loader;
    struct rh_device_build *device;
    const struct rh_setting *setting;
    struct rh_settling settling;
    struct rh_point_settings settings;
    struct rh_point point;
    void *address;
    const char *where;
    struct rh_raw *words;
    size_t n_words, n_positional;
    const char *shown; /* the positional words as INI text */
    bool words_good;
};

static struct rh_place place_of_row(const struct row *row)
{
    return rh_raw_place(&row->setting->key_raw, 0);
}

/* True if options begin here: key=value, or a flag. A quoted word is never one. */
static bool is_option(const struct row *row, const struct rh_raw *word)
{
    struct rh_raw key, value;
    const char *text = rh_raw_text(word, row->loader->scratch);
    const struct rh_option *option = rh_settle_find(&row->settling, text);

    return rh_word_divide(word, &key, &value) || (option && (option->flags & RH_OPTION_FLAG)) ||
           rh_settle_unbuilt(RH_SECTION_POINTS, text);
}

/* Cooks the positional words, and writes them down for the dump. */
static void read_words(struct row *row, struct rh_word *words)
{
    struct rh_arena *scratch = row->loader->scratch;
    struct rh_substitutes substitutes = {.names = &row->device->parameters,
                                         .range_at = row->setting->range_at,
                                         .range_n = row->setting->range_n};
    char *shown = NULL;
    size_t len = 0;

    row->words_good = true;
    for (size_t i = 0; i < row->n_positional; i++) {
        struct rh_plain plain;

        if (!rh_plain_read(&row->words[i], &substitutes, scratch, row->loader->report, &plain))
            row->words_good = false;
        words[i] = (struct rh_word){.text = plain.text,
                                    .len = plain.len,
                                    .quoted = plain.has_quotes || plain.regex,
                                    .place = plain.place};
        const char *text = rh_plain_write(&plain, true, scratch);
        size_t more = strlen(text);
        char *longer = rh_arena_alloc(scratch, len + more + 2);
        if (len > 0) {
            memcpy(longer, shown, len);
            longer[len++] = ' ';
        }
        memcpy(longer + len, text, more);
        shown = longer;
        len += more;
    }
    row->shown = shown ? shown : "";
}

static void parse_words(struct row *row)
{
    struct rh_parse_context context = {row->loader->arena, row->loader->report};
    struct rh_word words[WORDS_MOST];

    if (row->n_positional == 0) {
        rh_report_error(row->loader->report, rh_raw_place(&row->setting->value, 0), NULL,
                        "%s does not say where it is read", row->where);
        return;
    }
    if (row->n_positional > WORDS_MOST) {
        rh_report_error(row->loader->report, rh_raw_place(&row->words[WORDS_MOST], 0), NULL,
                        "%s has too many words before its options", row->where);
        return;
    }
    read_words(row, words);
    if (row->words_good)
        row->words_good = row->device->schema->parse_point(words, row->n_positional, &row->device->conf,
                                                           &row->point, row->address, &context);
}

static void parse_option(struct row *row, const struct rh_raw *word, struct rh_map *seen)
{
    struct rh_substitutes substitutes = {.names = &row->device->parameters};
    struct rh_raw key = *word, value = *word;
    struct rh_report *report = row->loader->report;
    bool has_value = rh_word_divide(word, &key, &value);
    const char *name = rh_raw_text(&key, row->loader->scratch);
    struct rh_place place = rh_raw_place(&key, 0);
    const struct rh_option *option = rh_settle_find(&row->settling, name);
    struct rh_plain plain = {.text = "yes", .len = 3, .place = place};

    bool good = !has_value || rh_plain_read(&value, &substitutes, row->loader->scratch, report, &plain);
    if (!option) {
        rh_settle_unknown(&row->settling, name, row->where, place, NULL);
        return;
    }
    if (rh_map_get(seen, name))
        rh_report_error(report, place, NULL, "duplicate key \"%s\" in %s", name, row->where);
    rh_map_put(seen, name, row);
    if (!has_value && !(option->flags & RH_OPTION_FLAG))
        rh_report_error(report, place, NULL, "\"%s\" needs a value: %s=%s", name, name,
                        option->choices ? option->choices : "VALUE");
    else if (!good)
        rh_settle_wrong(&row->settling, name);
    else
        rh_settle_value(&row->settling, name, &plain);
}

static bool is_said(const struct row *row, const char *key)
{
    return rh_settle_said(&row->settling, key) != NULL;
}

/* What follows from other settings, written down as if it had been said. */
static void conclude(struct row *row)
{
    struct rh_settling *settling = &row->settling;
    struct rh_point_settings *settings = &row->settings;
    struct rh_place place = place_of_row(row);
    char text[RH_UNIT_TEXT];

    if (!is_said(row, "every")) {
        settings->period_ms = row->device->conf.interval_ms;
        rh_units_print(&rh_units_duration, settings->period_ms, text);
        rh_settle_computed(settling, "every", settings->period_ms == RH_PERIOD_FASTEST ? "fastest" : text,
                           place);
    }
    if (!is_said(row, "qos")) {
        settings->qos = row->loader->mqtt.qos;
        snprintf(text, sizeof(text), "%d", (int)settings->qos);
        rh_settle_computed(settling, "qos", text, place);
    }
    if (!is_said(row, "drop") && settings->counter) {
        settings->drop_last = true;
        rh_settle_computed(settling, "drop", "last", place);
    }
    if (is_said(row, "deadband") && is_said(row, "report") && settings->report == RH_REPORT_ALL)
        rh_report_warning(row->loader->report, rh_settle_said(settling, "report")->plain.place, "change",
                          "%s: deadband= has no effect with report=all", row->where);
    if (is_said(row, "deadband") && !is_said(row, "report")) {
        settings->report = RH_REPORT_CHANGE;
        rh_settle_computed(settling, "report", "change", place);
    }
}

/* A rule of writing on a point that is never written would be kept by nobody. */
static void check_writing(const struct row *row)
{
    const struct rh_point_settings *settings = &row->settings;
    const struct {
        const char *key;
        bool set;
    } rules[] = {{"verify", settings->verify},
                 {"tolerance", is_said(row, "tolerance")},
                 {"step", is_said(row, "step")},
                 {"max_delta", is_said(row, "max_delta")},
                 {"min_interval", is_said(row, "min_interval")},
                 {"critical", settings->critical},
                 {"momentary", settings->momentary}};
    bool expected = settings->writable || rh_map_get(&row->settling.wrong, "writable");

    for (size_t i = 0; i < RH_COUNT(rules) && !expected; i++)
        if (rules[i].set)
            rh_report_error(row->loader->report, rh_settle_said(&row->settling, rules[i].key)->plain.place,
                            NULL, "%s: \"%s\" needs \"writable\"", row->where, rules[i].key);
    if (expected && is_said(row, "tolerance") && !settings->verify)
        rh_report_warning(row->loader->report, rh_settle_said(&row->settling, "tolerance")->plain.place, NULL,
                          "%s: tolerance= has no effect without verify", row->where);
}

static void fill_writing(const struct row *row, struct rh_point *point)
{
    const struct rh_point_settings *settings = &row->settings;

    point->writable = settings->writable;
    point->verify = settings->verify;
    point->tolerance = settings->tolerance;
    point->has_step = is_said(row, "step");
    point->step = settings->step;
    point->min_interval_ms = settings->min_interval_ms;
    point->max_delta = settings->max_delta;
    point->critical = settings->critical;
    point->momentary = settings->momentary;
}

/* Codes of labels are whole numbers, unless the driver has points of text. */
static void check_labels(const struct row *row)
{
    const struct rh_labels *labels = &row->settings.labels;

    if (labels->not_a_number && !row->device->schema->text_labels)
        rh_report_error(row->loader->report, labels->place, NULL,
                        "enum = \"%s\": the code must be a whole number", labels->not_a_number);
}

static void fill_point(struct row *row)
{
    const struct rh_point_settings *settings = &row->settings;
    struct rh_point *point = &row->point;
    const char *name = row->setting->key;

    point->name = rh_arena_text(row->loader->arena, name, strlen(name));
    point->unit = settings->unit;
    point->scale = settings->scale;
    point->offset = settings->offset;
    point->period_ms = settings->period_ms;
    point->class_ = settings->urgent ? RH_CLASS_URGENT : RH_CLASS_NORMAL;
    point->report = (enum rh_report_when)settings->report;
    point->deadband = settings->deadband;
    point->heartbeat_ms = settings->heartbeat_ms;
    point->has_min = is_said(row, "min");
    point->has_max = is_said(row, "max");
    point->min = settings->min;
    point->max = settings->max;
    point->labels = settings->labels.at;
    point->n_labels = settings->labels.n;
    point->label_codes = settings->labels.codes;
    point->qos = (int)settings->qos;
    point->drop_last = settings->drop_last;
    point->counter = settings->counter;
    point->address = row->address;
    fill_writing(row, point);
}

static void init_row(struct row *row, struct rh_loader *loader, struct rh_device_build *device,
                     const struct rh_setting *setting)
{
    char where[300];

    *row = (struct row){.loader = loader, .device = device, .setting = setting, .shown = ""};
    snprintf(where, sizeof(where), "point \"%.100s\" of %.160s", setting->written, setting->section);
    row->where = rh_arena_text(loader->scratch, where, strlen(where));
    row->address = rh_arena_alloc(loader->arena, device->schema->address_size);
    rh_settle_init(&row->settling, loader->arena, loader->scratch, loader->report, RH_SECTION_POINTS);
    rh_settle_target(&row->settling, &rh_point_options, &row->settings);
    rh_settle_target(&row->settling, device->schema->point, row->address);
    row->n_words = rh_words_split(&setting->value, loader->scratch, &row->words);
    while (row->n_positional < row->n_words && !is_option(row, &row->words[row->n_positional]))
        row->n_positional++;
}

static void build_row(struct rh_loader *loader, struct rh_device_build *device,
                      const struct rh_setting *setting, struct rh_point_build *ret_point)
{
    struct rh_parse_context context = {loader->arena, loader->report};
    struct rh_map seen;
    struct row row;

    init_row(&row, loader, device, setting);
    rh_map_init(&seen, loader->scratch);
    parse_words(&row);
    for (size_t i = row.n_positional; i < row.n_words; i++)
        parse_option(&row, &row.words[i], &seen);
    rh_settle_required(&row.settling, row.where, place_of_row(&row));
    conclude(&row);
    check_writing(&row);
    check_labels(&row);
    fill_point(&row);
    ret_point->place = place_of_row(&row);
    ret_point->sound = row.words_good &&
                       (!device->schema->check_point ||
                        device->schema->check_point(&row.point, &device->conf, ret_point->place, &context));
    ret_point->point = row.point;
    /* The point offers; the site's device decides. */
    ret_point->point.writable = row.point.writable && device->settings.writes == RH_WRITES_ALLOW;
    if (loader->report->n_errors > 0)
        return; /* nothing will be shown */
    struct rh_place origin = place_of_row(&row);
    origin.file = rh_arena_text(loader->arena, origin.file, strlen(origin.file));
    ret_point->shown =
        (struct rh_shown_row){.key = row.point.name,
                              .value = rh_show_options(&row.settling, row.shown, loader->arena),
                              .origin = origin};
}

/* There may be very many rows: what one needs goes with it. */
static void build_point(struct rh_loader *loader, struct rh_device_build *device,
                        const struct rh_setting *setting, struct rh_point_build *ret_point)
{
    struct rh_arena *scratch = loader->scratch;

    loader->scratch = rh_arena_new();
    build_row(loader, device, setting, ret_point);
    rh_arena_free(loader->scratch);
    loader->scratch = scratch;
}

/* --- the points of a device --- */

/* All settings of all points; the last one of each name stands. */
static void build_chain(struct rh_loader *loader, struct rh_device_build *device,
                        const struct rh_setting *setting, struct rh_point_build *point)
{
    for (; setting; setting = setting->newer)
        build_point(loader, device, setting, point);
}

static bool room_for(struct rh_loader *loader, const struct rh_device_build *device, size_t n)
{
    bool before = loader->n_points > RH_POINTS_MOST;

    loader->n_points += n;
    if (loader->n_points > RH_POINTS_MOST && !before)
        rh_report_error(loader->report, device->conf.place, NULL, "more than %d points: the rest is not read",
                        RH_POINTS_MOST);
    return loader->n_points <= RH_POINTS_MOST;
}

void rh_load_points(struct rh_loader *loader, struct rh_device_build *device)
{
    const struct rh_object *of_profile =
        device->profile ? rh_tree_find(&device->profile->tree, RH_SECTION_POINTS, "") : NULL;
    const struct rh_object *own = rh_tree_find(&loader->tree, RH_SECTION_POINTS, device->conf.name);
    size_t n_profile = of_profile ? of_profile->settings.n : 0, n_own = own ? own->settings.n : 0;

    if (!room_for(loader, device, n_profile + n_own))
        return;
    device->points = rh_arena_alloc(loader->scratch, (n_profile + n_own + 1) * sizeof(*device->points));
    for (size_t i = 0; i < n_profile; i++) {
        const struct rh_map_entry *entry = &of_profile->settings.at[i];
        struct rh_point_build *point = &device->points[device->n_points++];

        build_chain(loader, device, entry->value, point);
        if (own)
            build_chain(loader, device, rh_map_get(&own->settings, entry->key), point);
    }
    for (size_t i = 0; i < n_own; i++) {
        const struct rh_map_entry *entry = &own->settings.at[i];

        if (!of_profile || !rh_map_get(&of_profile->settings, entry->key))
            build_chain(loader, device, entry->value, &device->points[device->n_points++]);
    }
    if (device->n_points == 0 && !device->profile_missing)
        rh_report_warning(loader->report, device->conf.place, NULL, "%s has no points", device->written);
}
