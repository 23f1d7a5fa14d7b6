/* SPDX-License-Identifier: MIT */
/*
 * line.c - [line NAME] over [defaults line].
 */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"

#define STANDARD_DRIVER "modbus-rtu"
#define IMPLIED_DRIVER "modbus-tcp"

const struct rh_driver_schema *rh_load_schema(const struct rh_loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->schema->n_drivers; i++)
        if (strcmp(loader->schema->drivers[i]->name, name) == 0)
            return loader->schema->drivers[i];
    return NULL;
}

/* Reports a driver that is not there and returns NULL. */
static const struct rh_driver_schema *said_schema(struct rh_loader *loader, const struct rh_setting *setting)
{
    static const char *const planned[] = {"modbus-ascii"};
    const char *names[32];
    struct rh_plain plain;
    size_t n = 0;

    if (!setting || !rh_plain_read(&setting->value, NULL, loader->scratch, loader->report, &plain))
        return NULL;
    const struct rh_driver_schema *schema = rh_load_schema(loader, plain.text);
    for (size_t i = 0; !schema && i < RH_COUNT(planned); i++) {
        if (strcmp(planned[i], plain.text) == 0) {
            rh_report_error(loader->report, plain.place, NULL, "driver \"%s\" is not built yet", plain.text);
            return NULL;
        }
    }
    for (size_t i = 0; i < loader->schema->n_drivers && n < RH_COUNT(names); i++)
        names[n++] = loader->schema->drivers[i]->name;
    if (!schema)
        rh_report_error(loader->report, plain.place, rh_near(plain.text, names, n), "unknown driver \"%s\"",
                        plain.text);
    return schema;
}

static const struct rh_object *defaults(const struct rh_loader *loader)
{
    return rh_tree_find(&loader->tree, RH_SECTION_DEFAULTS, "line");
}

const struct rh_driver_schema *rh_load_default_schema(struct rh_loader *loader)
{
    const struct rh_driver_schema *schema = said_schema(loader, rh_object_newest(defaults(loader), "driver"));

    if (!schema)
        schema = rh_load_schema(loader, STANDARD_DRIVER);
    return schema ? schema : loader->schema->drivers[0];
}

/* Of [defaults line] a line takes what its driver knows; what no driver knows is reported elsewhere. */
static void settle_defaults(struct rh_loader *loader, struct rh_line_build *line)
{
    const struct rh_object *object = defaults(loader);
    struct rh_object taken = {.name = "line"};

    rh_map_init(&taken.settings, loader->scratch);
    for (size_t i = 0; object && i < object->settings.n; i++) {
        const char *key = object->settings.at[i].key;
        if (rh_settle_find(&line->settling, key))
            rh_map_put(&taken.settings, key, object->settings.at[i].value);
    }
    rh_settle_object(&line->settling, &taken, NULL);
}

static struct rh_line_build *new_line(struct rh_loader *loader, const char *name,
                                      const struct rh_driver_schema *schema, struct rh_place place)
{
    struct rh_line_build *line = rh_arena_alloc(loader->scratch, sizeof(*line));

    line->conf = (struct rh_line_conf){.name = rh_arena_text(loader->arena, name, strlen(name)),
                                       .schema = schema,
                                       .options = rh_arena_alloc(loader->arena, schema->line_size),
                                       .place = place};
    rh_settle_init(&line->settling, loader->arena, loader->scratch, loader->report, RH_SECTION_LINE);
    rh_settle_target(&line->settling, &rh_line_options, &line->settings);
    rh_settle_target(&line->settling, schema->line, line->conf.options);
    settle_defaults(loader, line);
    /* Whatever [defaults line] says of another driver: */
    line->settings.driver = schema->name;
    return line;
}

void rh_load_line_finish(struct rh_line_build *line)
{
    char where[RH_NAME_MAX + 16];
    const struct rh_settled *driver = rh_settle_said(&line->settling, "driver");

    if (!driver || strcmp(driver->plain.text, line->conf.schema->name) != 0)
        rh_settle_computed(&line->settling, "driver", line->conf.schema->name, (struct rh_place){0});
    snprintf(where, sizeof(where), "[line %s]", line->conf.name);
    rh_settle_required(&line->settling, where, line->conf.place);
}

static void load_line(struct rh_loader *loader, const struct rh_object *object)
{
    const struct rh_setting *driver = rh_object_newest(object, "driver");
    const struct rh_driver_schema *schema = said_schema(loader, driver);
    bool unknown = driver && !schema;

    if (!schema)
        schema = rh_load_default_schema(loader);
    struct rh_line_build *line = new_line(loader, object->name, schema, object->place);
    rh_settle_object(&line->settling, object, NULL);
    /* With an unknown driver nobody can say what the line needs. */
    if (!unknown)
        rh_load_line_finish(line);
    rh_map_put(&loader->lines, line->conf.name, line);
}

struct rh_line_build *rh_load_implied_line(struct rh_loader *loader, const char *name, struct rh_place place)
{
    const struct rh_driver_schema *schema = rh_load_schema(loader, IMPLIED_DRIVER);
    const struct rh_line_build *other = rh_map_get(&loader->lines, name);
    char key[RH_NAME_MAX + 8];

    /* Beside a [line] of the same name it is kept where no name can find it, so that it is checked. */
    snprintf(key, sizeof(key), other ? "%s host" : "%s", name);
    if (other)
        rh_report_error(loader->report, place, NULL,
                        "\"host\" gives device \"%s\" a line of its own, but there is a [line %s] in line %u",
                        name, name, other->conf.place.line);
    struct rh_line_build *line = new_line(loader, name, schema, place);
    rh_map_put(&loader->lines, rh_arena_text(loader->scratch, key, strlen(key)), line);
    return line;
}

struct rh_line_build *rh_load_phantom_line(struct rh_loader *loader)
{
    return new_line(loader, "", rh_load_default_schema(loader), (struct rh_place){0});
}

/* A driver's table with its own object: what [defaults line] may also hold. */
static bool known_to_a_driver(struct rh_loader *loader, const struct rh_setting *setting)
{
    for (size_t i = 0; i < loader->schema->n_drivers; i++) {
        const struct rh_driver_schema *schema = loader->schema->drivers[i];
        struct rh_settling settling;
        struct rh_object one = {.name = "line"};

        if (!rh_option_find(schema->line, setting->key))
            continue;
        rh_map_init(&one.settings, loader->scratch);
        rh_map_put(&one.settings, setting->key, (void *)(uintptr_t)setting);
        rh_settle_init(&settling, loader->scratch, loader->scratch, loader->report, RH_SECTION_LINE);
        rh_settle_target(&settling, schema->line, rh_arena_alloc(loader->scratch, schema->line_size));
        rh_settle_object(&settling, &one, NULL);
        return true;
    }
    return false;
}

static void check_defaults(struct rh_loader *loader)
{
    struct rh_line_build *line = rh_load_phantom_line(loader); /* checks what its driver knows */
    const struct rh_object *object = defaults(loader);

    for (size_t i = 0; object && i < object->settings.n; i++) {
        const struct rh_setting *setting = object->settings.at[i].value;

        if (!rh_settle_find(&line->settling, setting->key) && !known_to_a_driver(loader, setting))
            rh_settle_unknown(&line->settling, setting->written, setting->section,
                              rh_raw_place(&setting->key_raw, 0), NULL);
    }
}

static void check_kinds_of_defaults(struct rh_loader *loader)
{
    static const char *const kinds[] = {"line", "device"};
    const struct rh_map *objects = &loader->tree.objects[RH_SECTION_DEFAULTS];

    for (size_t i = 0; i < objects->n; i++) {
        const struct rh_object *object = objects->at[i].value;

        if (strcmp(object->name, kinds[0]) != 0 && strcmp(object->name, kinds[1]) != 0)
            rh_report_error(loader->report, object->place, rh_near(object->name, kinds, RH_COUNT(kinds)),
                            "there are [defaults line] and [defaults device], not %s", object->written);
    }
}

void rh_load_lines(struct rh_loader *loader)
{
    const struct rh_map *objects = &loader->tree.objects[RH_SECTION_LINE];

    check_kinds_of_defaults(loader);
    check_defaults(loader);
    for (size_t i = 0; i < objects->n; i++)
        load_line(loader, objects->at[i].value);
}
