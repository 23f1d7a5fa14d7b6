/* SPDX-License-Identifier: MIT */
/*
 * fake.h - two small drivers and a file system in memory, so that the configuration is tested (and fuzzed)
 * without the drivers above it and without a disk.
 *
 * Points of the fake drivers: "coil N" or "input N TYPE", N up to 65535; a device's address is 1..247.
 */
#ifndef RH_TESTS_CONFIG_FAKE_H
#define RH_TESTS_CONFIG_FAKE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/source.h"

struct fake_line {
    const char *port, *host;
    int64_t baud, timeout_ms;
};

struct fake_device {
    int64_t turnaround_ms, max_read;
    uint64_t unit;
};

struct fake_address {
    uint64_t at;
    const char *invalid;
};

#define FAKE_TIMEOUT                                                                                         \
    {                                                                                                        \
        .name = "timeout", .kind = RH_OPTION_DURATION, .offset = offsetof(struct fake_line, timeout_ms),     \
        .fallback = "500ms", .min = 1, .max = 60000, .help = "patience"                                      \
    }

static const struct rh_option fake_rtu_rows[] = {
    {.name = "port",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(struct fake_line, port),
     .flags = RH_OPTION_REQUIRED,
     .help = "device node"},
    {.name = "baud",
     .kind = RH_OPTION_INT,
     .offset = offsetof(struct fake_line, baud),
     .fallback = "19200",
     .min = 50,
     .max = 4000000,
     .help = "bits per second"},
    FAKE_TIMEOUT,
};
static const struct rh_option fake_tcp_rows[] = {
    {.name = "host",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(struct fake_line, host),
     .flags = RH_OPTION_REQUIRED,
     .help = "host:port"},
    FAKE_TIMEOUT,
};
static const struct rh_option fake_device_rows[] = {
    {.name = "turnaround",
     .kind = RH_OPTION_DURATION,
     .offset = offsetof(struct fake_device, turnaround_ms),
     .fallback = "5ms",
     .max = 10000,
     .help = "the slave's own time"},
    {.name = "max_read",
     .kind = RH_OPTION_INT,
     .offset = offsetof(struct fake_device, max_read),
     .fallback = "125",
     .min = 1,
     .max = 125,
     .help = "registers per request"},
};
static const struct rh_option fake_point_rows[] = {
    {.name = "invalid",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(struct fake_address, invalid),
     .help = "sentinel"},
};
static const struct rh_option_table fake_rtu_table = {fake_rtu_rows, RH_COUNT(fake_rtu_rows)};
static const struct rh_option_table fake_tcp_table = {fake_tcp_rows, RH_COUNT(fake_tcp_rows)};
static const struct rh_option_table fake_device_table = {fake_device_rows, RH_COUNT(fake_device_rows)};
static const struct rh_option_table fake_point_table = {fake_point_rows, RH_COUNT(fake_point_rows)};

static inline bool fake_address(const struct rh_word *word, struct rh_device_conf *device,
                                const struct rh_parse_context *context)
{
    struct fake_device *options = device->options;

    if (rh_parse_uint(word->text, &options->unit) == 0 && options->unit >= 1 && options->unit <= 247)
        return true;
    rh_report_error(context->report, word->place, NULL, "unit \"%s\" is not 1..247", word->text);
    return false;
}

static inline bool fake_wrong(const struct rh_parse_context *context, const struct rh_word *word,
                              const char *what)
{
    rh_report_error(context->report, word->place, NULL, "%s", what);
    return false;
}

static inline bool fake_point(const struct rh_word *words, size_t n, const struct rh_device_conf *device,
                              struct rh_point *point, void *address, const struct rh_parse_context *context)
{
    struct fake_address *fake = address;
    bool coil = strcmp(words[0].text, "coil") == 0;

    (void)device;
    if (!coil && strcmp(words[0].text, "input") != 0)
        return fake_wrong(context, &words[0], "unknown table");
    if (n < 2 || rh_parse_uint(words[1].text, &fake->at) < 0 || fake->at > 65535)
        return fake_wrong(context, &words[n < 2 ? 0 : 1], "no address");
    point->type = RH_TYPE_BIT;
    if (!coil)
        point->type = n > 2 ? rh_type_of(words[2].text) : RH_TYPE_COUNT;
    if (point->type == RH_TYPE_COUNT || n > (coil ? 2 : 3))
        return fake_wrong(context, &words[n - 1], "wrong type");
    return true;
}

/* Two points at one address are one place. */
static inline bool fake_overlaps(const struct rh_point *a, const struct rh_point *b)
{
    const struct fake_address *left = a->address, *right = b->address;

    return left->at == right->at;
}

static inline const char *fake_identity(const struct rh_line_conf *line)
{
    const struct fake_line *options = line->options;

    return options->port ? options->port : options->host;
}

static const struct rh_driver_schema fake_rtu = {.name = "modbus-rtu",
                                                 .help = "a fake bus",
                                                 .line = &fake_rtu_table,
                                                 .device = &fake_device_table,
                                                 .point = &fake_point_table,
                                                 .line_size = sizeof(struct fake_line),
                                                 .device_size = sizeof(struct fake_device),
                                                 .address_size = sizeof(struct fake_address),
                                                 .parse_address = fake_address,
                                                 .parse_point = fake_point,
                                                 .overlaps = fake_overlaps,
                                                 .line_identity = fake_identity};
static const struct rh_driver_schema fake_tcp = {.name = "modbus-tcp",
                                                 .help = "a fake session",
                                                 .line = &fake_tcp_table,
                                                 .device = &fake_device_table,
                                                 .point = &fake_point_table,
                                                 .line_size = sizeof(struct fake_line),
                                                 .device_size = sizeof(struct fake_device),
                                                 .address_size = sizeof(struct fake_address),
                                                 .parse_address = fake_address,
                                                 .parse_point = fake_point,
                                                 .overlaps = fake_overlaps,
                                                 .line_identity = fake_identity};
static const struct rh_driver_schema *const fake_drivers[] = {&fake_rtu, &fake_tcp};
static const char *const fake_formats[] = {"json", "other"};
static const struct rh_schema fake_schema = {fake_drivers, 2, fake_formats, 2};

/* --- files in memory --- */

struct fake_file {
    const char *path, *text;
    size_t len; /* 0: strlen */
    int error;  /* negative errno of reading it; for a path that ends in '/': of listing it */
    bool world_readable;
};

struct fake_disk {
    const struct fake_file *files;
    size_t n;
};

/* Of systemd's credentials; NULL: none. Tests set it. */
static const char *fake_credentials;

static inline int fake_read(void *context, const char *path, struct rh_file *ret_file)
{
    const struct fake_disk *disk = context;

    for (size_t i = 0; i < disk->n; i++) {
        const struct fake_file *file = &disk->files[i];
        if (strcmp(file->path, path) != 0)
            continue;
        if (file->error)
            return file->error;
        size_t len = file->len ? file->len : strlen(file->text);
        *ret_file =
            (struct rh_file){.text = malloc(len + 1), .len = len, .world_readable = file->world_readable};
        memcpy(ret_file->text, file->text, len);
        ret_file->text[len] = '\0';
        return 0;
    }
    return -ENOENT;
}

/* Files in memory are given in lexical order. */
static inline int fake_list(void *context, const char *folder, struct rh_arena *arena,
                            const char *const **ret_names, size_t *ret_n)
{
    const struct fake_disk *disk = context;
    const char **names = rh_arena_alloc(arena, (disk->n + 1) * sizeof(*names));
    size_t n = 0, len = strlen(folder);

    for (size_t i = 0; i < disk->n; i++) {
        const char *path = disk->files[i].path;
        if (strncmp(path, folder, len) != 0 || path[len] != '/')
            continue;
        if (!path[len + 1])
            return disk->files[i].error;
        names[n++] = path + len + 1;
    }
    *ret_names = names;
    *ret_n = n;
    return n > 0 ? 0 : -ENOENT;
}

static const char *const fake_profile_folders[] = {"/profiles", "/more"};

static inline int fake_load(const struct fake_file *files, size_t n, const char *host_name,
                            struct rh_report *report, struct rh_config **ret_config)
{
    struct fake_disk disk = {files, n};
    struct rh_source source = {&disk, fake_read,       fake_list, host_name, fake_profile_folders,
                               2,     fake_credentials};

    return rh_config_load_from(&source, "/x.ini", &fake_schema, report, ret_config);
}

#endif
