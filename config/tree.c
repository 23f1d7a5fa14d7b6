/* SPDX-License-Identifier: MIT */
#include "config/tree.h"

#include <stdio.h>
#include <string.h>

/* Far beyond any site; a bound for files that are none. */
#define MOST_SETTINGS 100000

enum naming { UNNAMED, NAMED };

static const struct section_row {
    const char *kind;
    enum rh_section section;
    enum naming naming;
    enum rh_file_kind file;
    bool rows; /* keys are names, and may hold ranges */
} section_rows[] = {
    {"gateway", RH_SECTION_GATEWAY, UNNAMED, RH_FILE_SITE, false},
    {"mqtt", RH_SECTION_MQTT, UNNAMED, RH_FILE_SITE, false},
    {"store", RH_SECTION_STORE, UNNAMED, RH_FILE_SITE, false},
    {"commands", RH_SECTION_COMMANDS, UNNAMED, RH_FILE_SITE, false},
    {"defaults", RH_SECTION_DEFAULTS, NAMED, RH_FILE_SITE, false},
    {"line", RH_SECTION_LINE, NAMED, RH_FILE_SITE, false},
    {"devices", RH_SECTION_DEVICES, UNNAMED, RH_FILE_SITE, true},
    {"device", RH_SECTION_DEVICE, NAMED, RH_FILE_SITE, false},
    {"points", RH_SECTION_POINTS, NAMED, RH_FILE_SITE, true},
    {"profile", RH_SECTION_PROFILE, UNNAMED, RH_FILE_PROFILE, false},
    {"parameters", RH_SECTION_PARAMETERS, UNNAMED, RH_FILE_PROFILE, false},
    {"points", RH_SECTION_POINTS, UNNAMED, RH_FILE_PROFILE, true},
    {"group", RH_SECTION_GROUP, NAMED, RH_FILE_PROFILE, false},
};

/* Sections that are described but not built. */
static const struct {
    const char *kind;
    enum rh_file_kind file;
} unbuilt[] = {{"clock", RH_FILE_SITE}, {"base", RH_FILE_PROFILE}};

void rh_tree_init(struct rh_tree *tree, struct rh_arena *arena, struct rh_report *report)
{
    *tree = (struct rh_tree){.arena = arena, .report = report};
    for (size_t i = 0; i < RH_SECTION_COUNT; i++)
        rh_map_init(&tree->objects[i], arena);
}

struct rh_object *rh_tree_find(const struct rh_tree *tree, enum rh_section section, const char *name)
{
    return rh_map_get(&tree->objects[section], name);
}

const struct rh_setting *rh_setting_newest(const struct rh_setting *oldest)
{
    while (oldest && oldest->newer)
        oldest = oldest->newer;
    return oldest;
}

const struct rh_setting *rh_object_newest(const struct rh_object *object, const char *key)
{
    return object ? rh_setting_newest(rh_map_get(&object->settings, key)) : NULL;
}

/* The row for a kind; an unknown kind is reported, and read as the one that was likely meant. */
static const struct section_row *find_row(struct rh_tree *tree, const struct rh_ini_section *section,
                                          enum rh_file_kind file)
{
    const char *names[RH_COUNT(section_rows)];
    const struct section_row *rows[RH_COUNT(section_rows)];
    const char *kind = rh_raw_text(&section->kind, tree->arena);
    struct rh_place place = section->place;
    size_t n = 0;

    for (size_t i = 0; i < RH_COUNT(section_rows); i++) {
        if (section_rows[i].file != file)
            continue;
        if (strcmp(section_rows[i].kind, kind) == 0)
            return &section_rows[i];
        names[n] = section_rows[i].kind;
        rows[n++] = &section_rows[i];
    }
    if (!*kind)
        return NULL; /* has been reported */
    place = rh_raw_place(&section->kind, 0);
    for (size_t i = 0; i < RH_COUNT(unbuilt); i++) {
        if (unbuilt[i].file == file && strcmp(unbuilt[i].kind, kind) == 0) {
            rh_report_error(tree->report, place, NULL, "[%s] is not built yet", kind);
            return NULL;
        }
    }
    const char *near = rh_near(kind, names, n);
    rh_report_error(tree->report, place, near, "unknown section [%s]", kind);
    for (size_t i = 0; near && i < n; i++)
        if (names[i] == near)
            return rows[i];
    return NULL;
}

static bool goes_under(const struct rh_setting *older, const struct rh_setting *newer)
{
    return older->file != newer->file ? older->file < newer->file : !older->exact || newer->exact;
}

static void report_twice(struct rh_tree *tree, enum rh_section section, const struct rh_setting *setting,
                         const struct rh_setting *first)
{
    struct rh_place was = rh_raw_place(&first->key_raw, 0);
    struct rh_place place = rh_raw_place(&setting->key_raw, 0);

    if (section == RH_SECTION_DEVICES)
        rh_report_error(tree->report, place, NULL, "duplicate device \"%s\", first in line %u", setting->key,
                        was.line);
    else if (section == RH_SECTION_POINTS)
        rh_report_error(tree->report, place, NULL, "duplicate point \"%s\" in %s, first in line %u",
                        setting->written, setting->section, was.line);
    else
        rh_report_error(tree->report, place, NULL, "duplicate key \"%s\" in %s, first in line %u",
                        setting->written, setting->section, was.line);
}

static void add_setting(struct rh_tree *tree, enum rh_section section, struct rh_object *object,
                        struct rh_setting *setting)
{
    struct rh_setting *oldest = rh_map_get(&object->settings, setting->key), *under = NULL;

    for (struct rh_setting *at = oldest; at; at = at->newer) {
        if (at->file == setting->file && at->exact == setting->exact) {
            report_twice(tree, section, setting, at);
            break;
        }
    }
    for (struct rh_setting *at = oldest; at && goes_under(at, setting); at = at->newer)
        under = at;
    if (under) {
        setting->newer = under->newer;
        under->newer = setting;
    } else {
        setting->newer = oldest;
        rh_map_put(&object->settings, setting->key, setting);
    }
}

static struct rh_object *open_object(struct rh_tree *tree, enum rh_section section, const char *name,
                                     const char *written, struct rh_place place)
{
    struct rh_object *object = rh_tree_find(tree, section, name);

    if (!object) {
        object = rh_arena_alloc(tree->arena, sizeof(*object));
        *object = (struct rh_object){.name = name, .written = written, .place = place};
        rh_map_init(&object->settings, tree->arena);
        rh_map_put(&tree->objects[section], name, object);
    }
    return object;
}

/* One section as one of the names it stands for. */
struct opened {
    const struct section_row *row;
    struct rh_object *object;
    const char *written;
    unsigned file;
    bool exact;
    size_t range_at, range_n;
};

static bool has_braces(const struct rh_raw *raw)
{
    return memchr(rh_raw_at(raw), '{', raw->len) != NULL;
}

static void add_entry(struct rh_tree *tree, const struct opened *opened, const struct rh_ini_entry *entry)
{
    bool range = opened->row->rows && has_braces(&entry->key);
    size_t n = range ? rh_range_count(&entry->key, tree->report) : 1;
    const char *written = rh_raw_text(&entry->key, tree->arena);

    for (size_t i = 0; i < n && !tree->full; i++) {
        if (++tree->n_settings > MOST_SETTINGS) {
            tree->full = true;
            rh_report_error(tree->report, rh_raw_place(&entry->key, 0), NULL,
                            "more than %d settings: the rest is not read", MOST_SETTINGS);
            return;
        }
        struct rh_setting *setting = rh_arena_alloc(tree->arena, sizeof(*setting));
        *setting = (struct rh_setting){.key = range ? rh_range_name(&entry->key, i, tree->arena) : written,
                                       .written = written,
                                       .section = opened->written,
                                       .key_raw = entry->key,
                                       .value = entry->value,
                                       .file = opened->file,
                                       .exact = opened->exact,
                                       .range_at = range ? i : opened->range_at,
                                       .range_n = range ? n : opened->range_n};
        if (opened->row->rows && !rh_name_valid(setting->key)) {
            rh_report_error(tree->report, rh_raw_place(&entry->key, 0), NULL,
                            "\"%s\" is not a name: letters, digits, - and _, at most %d", setting->key,
                            RH_NAME_MAX);
            return;
        }
        add_setting(tree, opened->row->section, opened->object, setting);
    }
}

/* The name a section must or must not have; false after a reported mistake. */
static bool check_naming(struct rh_tree *tree, const struct section_row *row,
                         const struct rh_ini_section *section)
{
    if (row->naming == UNNAMED && section->name.len > 0) {
        rh_report_error(tree->report, rh_raw_place(&section->name, 0), NULL, "[%s] takes no name", row->kind);
        return false;
    }
    if (row->naming == NAMED && section->name.len == 0) {
        rh_report_error(tree->report, section->place, NULL, "[%s] needs a name: [%s NAME]", row->kind,
                        row->kind);
        return false;
    }
    return true;
}

/* "[line a]" as in the file, without its extra blanks. */
static const char *written_header(struct rh_tree *tree, const struct section_row *row,
                                  const struct rh_ini_section *section)
{
    char written[160];
    size_t len = section->name.len;

    snprintf(written, sizeof(written), "[%s%s%.*s]", row->kind, len > 0 ? " " : "",
             len > 120 ? 120 : (int)len, rh_raw_at(&section->name));
    return rh_arena_text(tree->arena, written, strlen(written));
}

/* The section as its element `range_at`; false if that is no name. */
static bool add_named(struct rh_tree *tree, struct opened *opened, const struct rh_ini_section *section)
{
    const char *name = opened->exact ? rh_raw_text(&section->name, tree->arena)
                                     : rh_range_name(&section->name, opened->range_at, tree->arena);

    if (opened->row->naming == NAMED && !rh_name_valid(name)) {
        rh_report_error(tree->report, rh_raw_place(&section->name, 0), NULL,
                        "\"%s\" is not a name: letters, digits, - and _, at most %d", name, RH_NAME_MAX);
        return false;
    }
    opened->object = open_object(tree, opened->row->section, name, opened->written, section->place);
    for (size_t i = 0; i < section->n; i++)
        add_entry(tree, opened, &section->entries[i]);
    return true;
}

static void add_section(struct rh_tree *tree, const struct rh_ini_section *section, enum rh_file_kind kind,
                        unsigned file)
{
    const struct section_row *row = find_row(tree, section, kind);

    if (!row || !check_naming(tree, row, section))
        return;
    bool range = has_braces(&section->name);
    size_t n = range ? rh_range_count(&section->name, tree->report) : 1;
    struct opened opened = {.row = row,
                            .written = written_header(tree, row, section),
                            .file = file,
                            .exact = !range,
                            .range_n = range ? n : 0};
    if (row->section == RH_SECTION_PROFILE && rh_tree_find(tree, row->section, ""))
        rh_report_error(tree->report, section->place, NULL, "a second [profile] in one file");
    while (opened.range_at < n && add_named(tree, &opened, section))
        opened.range_at++;
}

void rh_tree_add(struct rh_tree *tree, const struct rh_ini *ini, enum rh_file_kind kind, unsigned file)
{
    for (size_t i = 0; i < ini->n; i++)
        add_section(tree, &ini->sections[i], kind, file);
}
