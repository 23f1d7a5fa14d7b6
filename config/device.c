/* SPDX-License-Identifier: MIT */
/*
 * device.c - a device is its layers, one over the other:
 *
 *     [defaults device] < [profile] of its profile < row in [devices] < [device NAME]
 *
 * The line decides the driver, and the driver what the keys mean; so line and profile are found first,
 * then the parameters of the profile, then everything else.
 */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"

struct layers {
    const struct rh_object *defaults, *row, *section; /* NULL: none */
    bool shadow;                                      /* an overridden row: checked, not built */
};

/* The setting of a key in force; the profile's own layer takes no part in what is asked here. */
static const struct rh_setting *in_force(const struct layers *layers, const char *key)
{
    const struct rh_setting *setting = rh_object_newest(layers->section, key);

    if (!setting)
        setting = rh_object_newest(layers->row, key);
    return setting ? setting : rh_object_newest(layers->defaults, key);
}

/* `names`: what {name} may stand for; NULL: nothing. */
static bool read_plain(struct rh_loader *loader, const struct rh_setting *setting, const struct rh_map *names,
                       struct rh_plain *ret_plain)
{
    struct rh_substitutes ranges = {.range_at = setting->range_at, .range_n = setting->range_n};
    struct rh_substitutes substitutes = {.names = names};
    bool address = strcmp(setting->key, "address") == 0;

    return rh_plain_read(&setting->value, address ? &ranges : &substitutes, loader->scratch, loader->report,
                         ret_plain);
}

/* What the key says, "" for "-" or nothing; *ret_said tells them apart from a value that cannot be read. */
static const char *said(struct rh_loader *loader, const struct layers *layers, const char *key,
                        struct rh_plain *ret_plain, bool *ret_bad)
{
    const struct rh_setting *setting = in_force(layers, key);

    *ret_plain = (struct rh_plain){.text = ""};
    *ret_bad = setting && !read_plain(loader, setting, NULL, ret_plain);
    return *ret_bad || strcmp(ret_plain->text, "-") == 0 ? "" : ret_plain->text;
}

/* --- the line --- */

static void unknown_line(struct rh_loader *loader, const struct rh_plain *plain)
{
    const char *names[256];
    size_t n = 0;

    for (size_t i = 0; i < loader->lines.n && n < RH_COUNT(names); i++)
        names[n++] = loader->lines.at[i].key;
    rh_report_error(loader->report, plain->place, rh_near(plain->text, names, n), "unknown line \"%s\"",
                    plain->text);
}

static bool implies_line(const struct rh_loader *loader, const struct layers *layers)
{
    const struct rh_driver_schema *schema = rh_load_schema(loader, "modbus-tcp");

    return schema && rh_option_find(schema->line, "host") &&
           (rh_object_newest(layers->section, "host") || rh_object_newest(layers->row, "host"));
}

/* Sets device->line, or leaves it NULL after a report; returns the line whose driver the device has. */
static struct rh_line_build *find_line(struct rh_loader *loader, struct rh_device_build *device,
                                       const struct layers *layers, bool *ret_implied)
{
    struct rh_plain plain;
    bool bad;
    const char *name = said(loader, layers, "line", &plain, &bad);

    *ret_implied = false;
    if (*name) {
        device->line = rh_map_get(&loader->lines, name);
        if (!device->line)
            unknown_line(loader, &plain);
    } else if (!bad && !layers->shadow && implies_line(loader, layers)) {
        device->line = rh_load_implied_line(loader, device->conf.name, device->conf.place);
        *ret_implied = true;
    } else if (!bad && !layers->shadow) {
        rh_report_error(loader->report, plain.place.line > 0 ? plain.place : device->conf.place, NULL,
                        "%s has no line", device->written);
    }
    return device->line ? device->line : rh_load_phantom_line(loader);
}

/* --- parameters --- */

static void settle_parameter(struct rh_loader *loader, struct rh_device_build *device,
                             const struct rh_setting *setting)
{
    const struct rh_parameter *parameter = rh_map_get(&device->profile->parameters, setting->key);
    struct rh_settled *settled = rh_arena_alloc(loader->scratch, sizeof(*settled));

    if (!read_plain(loader, setting, NULL, &settled->plain) ||
        !rh_load_parameter(loader, parameter, setting->key, settled->plain.text, settled->plain.place))
        return;
    rh_map_put(&device->parameters, setting->key, (void *)(uintptr_t)settled->plain.text);
    rh_map_put(&device->said_parameters, setting->key, settled);
}

static void settle_parameters(struct rh_loader *loader, struct rh_device_build *device,
                              const struct rh_object *object)
{
    for (size_t i = 0; object && i < object->settings.n; i++) {
        const struct rh_setting *setting = object->settings.at[i].value;

        for (; setting; setting = setting->newer)
            if (!rh_settle_find(&device->settling, setting->key) &&
                rh_map_get(&device->profile->parameters, setting->key))
                settle_parameter(loader, device, setting);
    }
}

static void find_parameters(struct rh_loader *loader, struct rh_device_build *device,
                            const struct layers *layers)
{
    const struct rh_profile *profile = device->profile;
    struct rh_plain plain;
    bool bad;
    const char *address = said(loader, layers, "address", &plain, &bad);

    rh_map_init(&device->parameters, loader->scratch);
    rh_map_init(&device->said_parameters, loader->scratch);
    for (size_t i = 0; profile && i < profile->defaults.n; i++)
        rh_map_put(&device->parameters, profile->defaults.at[i].key, profile->defaults.at[i].value);
    if (*address)
        rh_map_put(&device->parameters, "address", (void *)(uintptr_t)address);
    if (profile) {
        settle_parameters(loader, device, layers->row);
        settle_parameters(loader, device, layers->section);
    }
}

/* --- layers --- */

/* What a profile describes of itself, and what only the site can say. */
static bool profile_key(struct rh_loader *loader, struct rh_device_build *device,
                        const struct rh_setting *setting)
{
    static const char *const of_the_site[] = {"line", "address", "profile", "enabled", "writes"};

    for (size_t i = 0; i < RH_COUNT(of_the_site); i++) {
        if (strcmp(setting->key, of_the_site[i]) != 0)
            continue;
        rh_report_error(loader->report, rh_raw_place(&setting->key_raw, 0), NULL,
                        "\"%s\" does not belong into a profile", setting->key);
        return false;
    }
    if (rh_option_find(&rh_profile_options, setting->key))
        return false;
    if (!rh_settle_find(&device->settling, setting->key))
        rh_settle_unknown(&device->settling, setting->written, setting->section,
                          rh_raw_place(&setting->key_raw, 0), NULL);
    return rh_settle_find(&device->settling, setting->key);
}

static void settle_profile(struct rh_loader *loader, struct rh_device_build *device)
{
    struct rh_substitutes substitutes = {.names = &device->parameters};
    const struct rh_object *object = rh_tree_find(&device->profile->tree, RH_SECTION_PROFILE, "");

    for (size_t i = 0; object && i < object->settings.n; i++) {
        const struct rh_setting *setting = object->settings.at[i].value;
        struct rh_plain plain;

        for (; setting; setting = setting->newer)
            if (profile_key(loader, device, setting) &&
                rh_plain_read(&setting->value, &substitutes, loader->scratch, loader->report, &plain))
                rh_settle_value(&device->settling, setting->key, &plain);
    }
}

/* A key that may be a parameter of a profile that cannot be read is only wrong if it looks like another. */
static void unknown_key(const struct rh_device_build *device, const struct rh_setting *setting)
{
    if (device->profile_missing && !rh_settle_near(&device->settling, setting->key))
        return;
    rh_settle_unknown(&device->settling, setting->written, setting->section,
                      rh_raw_place(&setting->key_raw, 0),
                      device->profile ? &device->profile->parameters : NULL);
}

static void settle_setting(struct rh_loader *loader, struct rh_device_build *device, bool implied,
                           const struct rh_setting *setting)
{
    struct rh_settling *settling = &device->settling;
    struct rh_plain plain;

    if (!rh_settle_find(settling, setting->key)) {
        if (device->profile && rh_map_get(&device->profile->parameters, setting->key))
            return; /* done before */
        if (!implied || !rh_option_find(device->schema->line, setting->key)) {
            unknown_key(device, setting);
            return;
        }
        settling = &device->line->settling;
    }
    if (read_plain(loader, setting, &device->parameters, &plain))
        rh_settle_value(settling, setting->key, &plain);
    else
        rh_settle_wrong(settling, setting->key);
}

static void settle_layer(struct rh_loader *loader, struct rh_device_build *device, bool implied,
                         const struct rh_object *object)
{
    for (size_t i = 0; object && i < object->settings.n; i++) {
        const struct rh_setting *setting = object->settings.at[i].value;

        for (; setting; setting = setting->newer)
            settle_setting(loader, device, implied, setting);
    }
}

/* A device takes what its driver knows; what no driver knows is reported by check_defaults. */
static void settle_defaults(struct rh_loader *loader, struct rh_device_build *device,
                            const struct rh_object *object)
{
    for (size_t i = 0; object && i < object->settings.n; i++)
        if (rh_settle_find(&device->settling, object->settings.at[i].key)) {
            const struct rh_setting *setting = object->settings.at[i].value;
            for (; setting; setting = setting->newer)
                settle_setting(loader, device, false, setting);
        }
}

static void parse_address(struct rh_loader *loader, struct rh_device_build *device,
                          const struct rh_settled *said_address)
{
    struct rh_parse_context context = {loader->arena, loader->report};
    struct rh_word word = {.text = device->settings.address,
                           .len = said_address->plain.len,
                           .quoted = said_address->plain.has_quotes,
                           .place = said_address->plain.place};

    if (device->schema->parse_address)
        device->schema->parse_address(&word, &device->conf, &context);
    else
        rh_report_error(loader->report, word.place, "-", "driver %s knows no addresses",
                        device->schema->name);
}

static void find_address(struct rh_loader *loader, struct rh_device_build *device,
                         const struct layers *layers)
{
    const struct rh_settled *said_address = rh_settle_said(&device->settling, "address");
    bool none = !said_address || strcmp(said_address->plain.text, "-") == 0 || said_address->plain.len == 0;
    struct rh_place place = said_address ? said_address->plain.place : device->conf.place;

    device->conf.address = none ? "" : device->settings.address;
    if (!said_address && in_force(layers, "address"))
        return; /* it cannot be read: reported */
    if (!none)
        parse_address(loader, device, said_address);
    else if (device->schema->parse_address && !device->schema->address_optional)
        rh_report_error(loader->report, place, NULL, "%s has no address", device->written);
}

/* --- one device --- */

static void find_profile(struct rh_loader *loader, struct rh_device_build *device,
                         const struct layers *layers)
{
    struct rh_plain plain;
    bool bad;
    const char *name = said(loader, layers, "profile", &plain, &bad);

    if (*name)
        device->profile = rh_load_profile(loader, name, plain.place);
    device->profile_missing = *name && !device->profile;
    device->conf.profile = rh_arena_text(loader->arena, name, strlen(name));
}

/* What stands once all layers do. `common`: its interval, if any, is that of all devices. */
static void finish(struct rh_loader *loader, struct rh_device_build *device, bool common)
{
    struct rh_parse_context context = {loader->arena, loader->report};
    const struct rh_driver_schema *schema = device->schema;

    device->conf.title = device->settings.title;
    device->conf.interval_ms = device->settings.interval_ms;
    rh_load_groups(loader, device);
    if (schema->check_device)
        schema->check_device(&device->conf, &context);
    if (common && schema->speaks && schema->speaks(&device->conf)) {
        device->conf.interval_ms = RH_PERIOD_FASTEST;
        rh_settle_computed(&device->settling, "interval", "fastest", device->conf.place);
    }
}

static struct rh_device_build *build(struct rh_loader *loader, const char *name, const struct layers *layers)
{
    struct rh_device_build *device = rh_arena_alloc(loader->scratch, sizeof(*device));
    const struct rh_object *main = layers->row ? layers->row : layers->section;
    struct rh_settling *settling = &device->settling;
    const struct rh_settled *by_default;
    bool implied;

    device->conf = (struct rh_device_conf){.name = rh_arena_text(loader->arena, name, strlen(name)),
                                           .place = main->place};
    device->written = main->written;
    struct rh_line_build *line = find_line(loader, device, layers, &implied);
    device->schema = line->conf.schema;
    device->conf.line = &line->conf;
    device->conf.options = rh_arena_alloc(loader->arena, device->schema->device_size);
    rh_settle_init(settling, loader->arena, loader->scratch, loader->report, RH_SECTION_DEVICE);
    rh_settle_target(settling, &rh_device_options, &device->settings);
    rh_settle_target(settling, device->schema->device, device->conf.options);
    find_profile(loader, device, layers);
    find_parameters(loader, device, layers);
    settle_defaults(loader, device, layers->defaults);
    by_default = rh_settle_said(settling, "interval");
    if (device->profile)
        settle_profile(loader, device);
    settle_layer(loader, device, implied, layers->row);
    settle_layer(loader, device, implied, layers->section);
    if (implied) {
        rh_settle_computed(settling, "line", device->conf.name, device->conf.place);
        rh_load_line_finish(device->line);
    }
    rh_settle_required(settling, device->written, device->conf.place);
    find_address(loader, device, layers);
    finish(loader, device, rh_settle_said(settling, "interval") == by_default);
    return device;
}

static void load_device(struct rh_loader *loader, const char *name, const struct rh_setting *rows,
                        const struct rh_object *section)
{
    struct layers layers = {.defaults = rh_tree_find(&loader->tree, RH_SECTION_DEFAULTS, "device"),
                            .shadow = true};

    for (; rows && rows->newer; rows = rows->newer) {
        layers.row = rh_load_row(loader, rows);
        build(loader, name, &layers);
    }
    layers.row = rows ? rh_load_row(loader, rows) : NULL;
    layers.section = section;
    layers.shadow = false;
    struct rh_device_build *device = build(loader, name, &layers);
    if (strcmp(name, "gateway") == 0)
        rh_report_error(loader->report, device->conf.place, NULL,
                        "the device \"gateway\" is built in: choose another name");
    rh_map_put(&loader->devices, device->conf.name, device);
    rh_load_points(loader, device);
}

/* --- all of them --- */

static bool known_to_a_driver(const struct rh_loader *loader, const char *key)
{
    bool known = rh_option_find(&rh_device_options, key) != NULL;

    for (size_t i = 0; i < loader->schema->n_drivers && !known; i++)
        known = rh_option_find(loader->schema->drivers[i]->device, key) != NULL;
    return known;
}

static struct rh_device_build *phantom_device(struct rh_loader *loader, const char *name,
                                              struct rh_place place)
{
    struct rh_device_build *device = rh_arena_alloc(loader->scratch, sizeof(*device));
    struct rh_line_build *line = rh_load_phantom_line(loader);

    device->schema = line->conf.schema;
    device->conf = (struct rh_device_conf){.name = name, .place = place, .line = &line->conf};
    device->conf.options = rh_arena_alloc(loader->scratch, device->schema->device_size);
    rh_map_init(&device->parameters, loader->scratch);
    rh_settle_init(&device->settling, loader->scratch, loader->scratch, loader->report, RH_SECTION_DEVICE);
    rh_settle_target(&device->settling, &rh_device_options, &device->settings);
    rh_settle_target(&device->settling, device->schema->device, device->conf.options);
    return device;
}

/* [defaults device] is checked even if there is no device to take it. */
static void check_defaults(struct rh_loader *loader)
{
    const struct rh_object *object = rh_tree_find(&loader->tree, RH_SECTION_DEFAULTS, "device");
    struct rh_device_build *device = phantom_device(loader, "", (struct rh_place){0});

    settle_defaults(loader, device, object);
    for (size_t i = 0; object && i < object->settings.n; i++) {
        const struct rh_setting *setting = object->settings.at[i].value;
        if (!known_to_a_driver(loader, setting->key))
            rh_settle_unknown(&device->settling, setting->written, setting->section,
                              rh_raw_place(&setting->key_raw, 0), NULL);
    }
}

/* [points X] of a device that does not exist: its rows are checked as those of a device on a line that does
 * not exist. */
static void check_points_of_nobody(struct rh_loader *loader, const struct rh_object *object)
{
    struct rh_device_build *device = phantom_device(loader, object->name, object->place);

    device->profile_missing = true; /* no complaint that it has no points */
    device->conf.interval_ms = device->settings.interval_ms;
    rh_load_points(loader, device);
}

static void check_points(struct rh_loader *loader)
{
    const struct rh_map *points = &loader->tree.objects[RH_SECTION_POINTS];
    const char *names[256];
    size_t n = 0;

    for (size_t i = 0; i < loader->devices.n && n < RH_COUNT(names); i++)
        names[n++] = loader->devices.at[i].key;
    for (size_t i = 0; i < points->n; i++) {
        const struct rh_object *object = points->at[i].value;

        if (rh_map_get(&loader->devices, object->name))
            continue;
        if (strcmp(object->name, "gateway") == 0)
            rh_report_error(loader->report, object->place, NULL, "[points gateway] is not built yet");
        else
            rh_report_error(loader->report, object->place, rh_near(object->name, names, n),
                            "%s: there is no device \"%s\"", object->written, object->name);
        check_points_of_nobody(loader, object);
    }
}

void rh_load_devices(struct rh_loader *loader)
{
    const struct rh_object *table = rh_tree_find(&loader->tree, RH_SECTION_DEVICES, "");
    const struct rh_map *sections = &loader->tree.objects[RH_SECTION_DEVICE];

    check_defaults(loader);
    for (size_t i = 0; table && i < table->settings.n; i++) {
        const char *name = table->settings.at[i].key;
        load_device(loader, name, table->settings.at[i].value,
                    rh_tree_find(&loader->tree, RH_SECTION_DEVICE, name));
    }
    for (size_t i = 0; i < sections->n; i++)
        if (!table || !rh_map_get(&table->settings, sections->at[i].key))
            load_device(loader, sections->at[i].key, NULL, sections->at[i].value);
    check_points(loader);
}
