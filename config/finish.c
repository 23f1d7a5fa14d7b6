/* SPDX-License-Identifier: MIT */
/*
 * finish.c - from what was built to what is in force: the enabled devices of the enabled lines, flattened.
 *
 *     line a: devices [m1, m2], points [m1.voltage, m1.current, m2.voltage, …]
 *                                 first_point 0, n_points 2     first_point 2
 *
 * Disabled ones are finished the same way, so that they are checked, and then left out.
 */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"

static void count_devices(struct rh_loader *loader)
{
    for (size_t i = 0; i < loader->devices.n; i++) {
        struct rh_device_build *device = loader->devices.at[i].value;
        if (device->line)
            device->line->n_devices += device->settings.enabled;
    }
    for (size_t i = 0; i < loader->lines.n; i++) {
        struct rh_line_build *line = loader->lines.at[i].value;
        line->devices = rh_arena_alloc(loader->scratch, (line->n_devices + 1) * sizeof(void *));
        line->n_devices = 0;
    }
    for (size_t i = 0; i < loader->devices.n; i++) {
        struct rh_device_build *device = loader->devices.at[i].value;
        if (device->line && device->settings.enabled)
            device->line->devices[device->line->n_devices++] = device;
    }
}

/* Tags, and the topic that may depend on them: of disabled devices as well. */
static void finish_device(struct rh_loader *loader, struct rh_device_build *device)
{
    const struct rh_gateway_conf *gateway = &loader->built->config.gateway;
    const struct rh_settled *said = rh_settle_said(&loader->mqtt_settling, "data_topic");

    device->conf.tags = rh_load_tags(loader, &device->settling, &gateway->tags);
    if (loader->bad_topic)
        return;
    device->conf.data_topic =
        rh_data_topic(&loader->mqtt, gateway->name, device->conf.name, &device->conf.tags,
                      said ? said->plain.place : (struct rh_place){.file = loader->report->files[0]},
                      loader->arena, loader->report);
}

/* The first of the points before `at` that a write to it would change as well, or NULL. */
static const struct rh_point_build *overlapped(const struct rh_device_build *device, size_t at)
{
    const struct rh_point_build *points = device->points;

    for (size_t i = 0; i < at; i++)
        if (points[i].sound && points[i].point.writable &&
            device->schema->overlaps(&points[i].point, &points[at].point))
            return &points[i];
    return NULL;
}

static void check_overlaps(struct rh_loader *loader, const struct rh_device_build *device)
{
    for (size_t i = 0; device->schema->overlaps && i < device->n_points; i++) {
        const struct rh_point_build *point = &device->points[i], *other;

        if (!point->sound || !point->point.writable)
            continue;
        other = overlapped(device, i);
        if (other)
            rh_report_error(loader->report, point->place, NULL,
                            "overlapping writes: point \"%s\" lies where \"%s\" does (%s:%u)",
                            point->point.name, other->point.name, other->place.file, other->place.line);
    }
}

static void flatten(struct rh_loader *loader, struct rh_line_build *line)
{
    struct rh_device_conf *devices = rh_arena_alloc(loader->arena, (line->n_devices + 1) * sizeof(*devices));
    size_t n_points = 0, at = 0;

    for (size_t i = 0; i < line->n_devices; i++)
        n_points += line->devices[i]->n_points;
    struct rh_point *points = rh_arena_alloc(loader->arena, (n_points + 1) * sizeof(*points));
    for (size_t i = 0; i < line->n_devices; i++) {
        struct rh_device_build *device = line->devices[i];

        device->conf.index = (uint32_t)i;
        device->conf.first_point = (uint32_t)at;
        device->conf.n_points = (uint32_t)device->n_points;
        devices[i] = device->conf;
        for (size_t p = 0; p < device->n_points; p++, at++) {
            points[at] = device->points[p].point;
            points[at].index = (uint32_t)at;
            points[at].device = (uint32_t)i;
        }
    }
    line->conf.devices = devices;
    line->conf.n_devices = line->n_devices;
    line->conf.points = points;
    line->conf.n_points = n_points;
}

/* Where the port of a line is said. */
static struct rh_place port_place(const struct rh_line_build *line)
{
    static const char *const keys[] = {"port", "host"};

    for (size_t i = 0; i < RH_COUNT(keys); i++) {
        const struct rh_settled *said = rh_settle_said(&line->settling, keys[i]);
        if (said)
            return said->plain.place;
    }
    return line->conf.place;
}

static void check_line(struct rh_loader *loader, struct rh_line_build *line, struct rh_map *identities)
{
    struct rh_parse_context context = {loader->arena, loader->report};
    const struct rh_driver_schema *schema = line->conf.schema;

    if (line->conf.n_devices == 0 && line->settings.enabled)
        rh_report_warning(loader->report, line->conf.place, NULL, "[line %s] has no devices",
                          line->conf.name);
    if (schema->check_line)
        schema->check_line(&line->conf, &context);
    const char *identity =
        line->settings.enabled && schema->line_identity ? schema->line_identity(&line->conf) : NULL;
    if (!identity || !*identity)
        return;
    const struct rh_line_build *other = rh_map_get(identities, identity);
    if (other)
        rh_report_error(loader->report, port_place(line), NULL,
                        "[line %s] is on the same port as [line %s] in line %u: %s", line->conf.name,
                        other->conf.name, other->conf.place.line, identity);
    else
        rh_map_put(identities, rh_arena_text(loader->scratch, identity, strlen(identity)), line);
}

/* --- what is shown, and fingerprints --- */

static const char *header(struct rh_loader *loader, const char *kind, const char *name)
{
    size_t most = strlen(kind) + strlen(name) + 4;
    char *text = rh_arena_alloc(loader->arena, most);

    snprintf(text, most, *name ? "[%s %s]" : "[%s%s]", kind, name);
    return text;
}

static void add_section(struct rh_loader *loader, struct rh_shown_section section)
{
    struct rh_shown_section *sections = (void *)(uintptr_t)loader->built->sections;

    sections[loader->built->n_sections++] = section;
}

static uint64_t show_global(struct rh_loader *loader, const struct rh_settling *settling, const char *kind)
{
    struct rh_shown_section section = rh_show(settling, header(loader, kind, ""), NULL, loader->arena);

    add_section(loader, section);
    return rh_fingerprint_section(RH_FINGERPRINT_START, &section);
}

static struct rh_shown_section points_section(struct rh_loader *loader, const struct rh_device_build *device)
{
    struct rh_shown_row *rows = rh_arena_alloc(loader->arena, (device->n_points + 1) * sizeof(*rows));

    for (size_t i = 0; i < device->n_points; i++)
        rows[i] = device->points[i].shown;
    return (struct rh_shown_section){header(loader, "points", device->conf.name), rows, device->n_points};
}

static uint64_t show_device(struct rh_loader *loader, const struct rh_device_build *device, uint64_t hash)
{
    const struct rh_device_conf *conf = &device->conf;
    struct rh_shown_section section = rh_show(&device->settling, header(loader, "device", conf->name),
                                              &device->said_parameters, loader->arena);

    add_section(loader, section);
    hash = rh_load_groups_fingerprint(loader, device, rh_fingerprint_section(hash, &section));
    if (device->n_points > 0) {
        section = points_section(loader, device);
        add_section(loader, section);
        hash = rh_fingerprint_section(hash, &section);
    }
    for (size_t i = 0; i < conf->tags.n; i++)
        hash = rh_fingerprint_text(rh_fingerprint_text(hash, conf->tags.at[i].name), conf->tags.at[i].value);
    return rh_fingerprint_text(hash, conf->data_topic);
}

static void show_line(struct rh_loader *loader, struct rh_line_build *line)
{
    struct rh_shown_section section =
        rh_show(&line->settling, header(loader, "line", line->conf.name), NULL, loader->arena);

    add_section(loader, section);
    uint64_t hash = rh_fingerprint_section(RH_FINGERPRINT_START, &section);
    for (size_t i = 0; i < line->n_devices; i++)
        hash = show_device(loader, line->devices[i], hash);
    line->conf.fingerprint = hash;
}

static struct rh_place kept_place(struct rh_loader *loader, struct rh_place place)
{
    if (place.file)
        place.file = rh_arena_text(loader->arena, place.file, strlen(place.file));
    return place;
}

/* The final array of lines; devices learn where theirs is. */
static void keep_lines(struct rh_loader *loader)
{
    struct rh_config *config = &loader->built->config;
    struct rh_line_conf *lines = rh_arena_alloc(loader->arena, (loader->lines.n + 1) * sizeof(*lines));

    for (size_t i = 0; i < loader->lines.n; i++) {
        struct rh_line_build *line = loader->lines.at[i].value;
        struct rh_device_conf *devices = (void *)(uintptr_t)line->conf.devices;

        if (!line->settings.enabled)
            continue;
        show_line(loader, line);
        line->conf.place = kept_place(loader, line->conf.place);
        lines[config->n_lines] = line->conf;
        for (size_t d = 0; d < line->n_devices; d++) {
            devices[d].line = &lines[config->n_lines];
            devices[d].place = kept_place(loader, devices[d].place);
        }
        config->n_lines++;
    }
    config->lines = lines;
}

static void keep(struct rh_loader *loader)
{
    struct rh_config *config = &loader->built->config;
    size_t most = 4 + loader->lines.n + 2 * loader->devices.n;

    loader->built->sections = rh_arena_alloc(loader->arena, most * sizeof(struct rh_shown_section));
    config->gateway.fingerprint = show_global(loader, &loader->gateway_settling, "gateway");
    config->mqtt.fingerprint = show_global(loader, &loader->mqtt_settling, "mqtt");
    config->store.fingerprint = show_global(loader, &loader->store_settling, "store");
    config->commands.fingerprint = show_global(loader, &loader->commands_settling, "commands");
    keep_lines(loader);
}

void rh_load_finish(struct rh_loader *loader)
{
    struct rh_map identities;

    rh_map_init(&identities, loader->scratch);
    count_devices(loader);
    for (size_t i = 0; i < loader->devices.n; i++) {
        finish_device(loader, loader->devices.at[i].value);
        check_overlaps(loader, loader->devices.at[i].value);
    }
    for (size_t i = 0; i < loader->lines.n; i++) {
        flatten(loader, loader->lines.at[i].value);
        check_line(loader, loader->lines.at[i].value, &identities);
    }
    if (loader->lines.n == 0)
        rh_report_warning(loader->report, (struct rh_place){.file = loader->report->files[0]}, NULL,
                          "there is no line: nothing is read");
    if (loader->report->n_errors == 0)
        keep(loader);
}
