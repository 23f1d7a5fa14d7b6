/* SPDX-License-Identifier: MIT */
/*
 * driver_rig.h - a line of any driver, as configured, whose far end is in the test's hand.
 *
 * Nothing here knows a protocol. What a driver's configuration looks like stands in `samples`.
 */
#ifndef RH_TESTS_DRIVER_RIG_H
#define RH_TESTS_DRIVER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "drivers/driver.h"

#define ms 1000
#define TIMEOUT_MS 50
#define SLACK_MS 150
#define POINTS 6

/* One per driver, by name: the address of a device and the words of its points. */
static const struct sample {
    const char *driver, *address;
    const char *points[POINTS][3];
} samples[] = {
#define MODBUS_POINTS                                                                                        \
    {                                                                                                        \
        {"holding", "0", "u16"}, {"holding", "1", "u32"}, {"holding", "3", "f32"}, {"holding", "40", "s16"}, \
            {"coil", "7", NULL}, {"coil", "8", NULL},                                                        \
    }
    {"modbus-rtu", "1", MODBUS_POINTS},
    {"modbus-tcp", "1", MODBUS_POINTS},
    {"modbus-rtu-tcp", "1", MODBUS_POINTS},
    {"uart",
     "1",
     {{"csv", "0", "f64"},
      {"csv", "1", "u8"},
      {"cols", "4-5", NULL},
      {"raw", NULL, NULL},
      {"bytes", "0", "u16be"},
      {"key", "T", "f32"}}},
};

struct rig {
    const struct rh_driver *driver;
    struct rh_arena *arena;
    struct rh_report report;
    struct rh_line_conf line;
    struct rh_device_conf device;
    struct rh_point points[POINTS];
    struct rh_line_counters counters;
    struct rh_plan plan;
    struct rh_link *link;
    unsigned readings;
    /* the other end */
    bool socket;
    int far, near, listener;
    char place[64];
};

static inline void set_option(struct rig *rig, const struct rh_option_table *table, void *object,
                              const char *key, const char *text)
{
    const struct rh_option *row = rh_option_find(table, key);
    const struct rh_option_value value = {
        .key = key, .text = text, .len = strlen(text), .arena = rig->arena, .report = &rig->report};
    if (row)
        assert_true(rh_option_set(row, object, &value));
}

static inline const struct sample *sample_of(const char *driver)
{
    for (size_t i = 0; i < RH_COUNT(samples); i++)
        if (strcmp(samples[i].driver, driver) == 0)
            return &samples[i];
    fail_msg("the driver %s has no sample in this test", driver);
    return NULL;
}

static inline void add_points(struct rig *rig, const struct sample *sample)
{
    const struct rh_driver_schema *schema = rig->driver->schema;
    const struct rh_parse_context context = {rig->arena, &rig->report};
    for (uint32_t i = 0; i < POINTS; i++) {
        struct rh_word words[3] = {0};
        size_t n = 0;
        for (; n < 3 && sample->points[i][n]; n++)
            words[n] = (struct rh_word){.text = sample->points[i][n], .len = strlen(sample->points[i][n])};
        void *address = rh_arena_alloc(rig->arena, schema->address_size);
        rh_option_defaults(schema->point, address, rig->arena);
        rig->points[i] = (struct rh_point){
            .name = "p", .unit = "", .index = i, .scale = {1, 0}, .period_ms = 1000, .address = address};
        assert_true(schema->parse_point(words, n, &rig->device, &rig->points[i], address, &context));
        assert_true(schema->check_point(&rig->points[i], &rig->device, rig->device.place, &context));
    }
}

/* The line as configured, with its far end at `place`. */
static inline void configure(struct rig *rig, const char *place)
{
    const struct rh_driver_schema *schema = rig->driver->schema;
    const struct sample *sample = sample_of(schema->name);
    const struct rh_word address = {.text = sample->address, .len = strlen(sample->address)};
    const struct rh_parse_context context = {rig->arena, &rig->report};
    rig->line = (struct rh_line_conf){.name = "line",
                                      .schema = schema,
                                      .options = rh_arena_alloc(rig->arena, schema->line_size),
                                      .devices = &rig->device,
                                      .n_devices = 1,
                                      .points = rig->points,
                                      .n_points = POINTS};
    rig->device = (struct rh_device_conf){.name = "device",
                                          .address = sample->address,
                                          .options = rh_arena_alloc(rig->arena, schema->device_size),
                                          .n_points = POINTS,
                                          .line = &rig->line};
    rh_option_defaults(schema->line, rig->line.options, rig->arena);
    rh_option_defaults(schema->device, rig->device.options, rig->arena);
    set_option(rig, schema->line, rig->line.options, rig->socket ? "host" : "port", place);
    set_option(rig, schema->line, rig->line.options, "timeout", "50ms");
    assert_true(schema->parse_address(&address, &rig->device, &context));
    add_points(rig, sample);
}

static inline void init(struct rig *rig, const struct rh_driver *driver)
{
    memset(rig, 0, sizeof *rig);
    rig->driver = driver;
    rig->socket = rh_option_find(driver->schema->line, "host") != NULL;
    rig->far = rig->near = rig->listener = -1;
    rig->arena = rh_arena_new();
    rh_report_init(&rig->report);
}

static inline void listen_there(struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(rig->listener, 4), 0);
    assert_int_equal(getsockname(rig->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(rig->place, sizeof rig->place, "127.0.0.1:%u", ntohs(address.sin_port));
}

/* Opens and connects a line whose far end is `rig->far`. */
static inline void connected(struct rig *rig, const struct rh_driver *driver)
{
    char why[256];
    init(rig, driver);
    if (rig->socket)
        listen_there(rig);
    else
        assert_int_equal(openpty(&rig->far, &rig->near, rig->place, NULL, NULL), 0);
    configure(rig, rig->place);
    assert_int_equal(driver->plan(&rig->line, &rig->plan), 0);
    assert_int_equal(driver->open(&rig->line, &rig->counters, &rig->link), 0);
    assert_int_equal(driver->connect(rig->link, why, sizeof why), 0);
    if (rig->socket)
        rig->far = accept(rig->listener, NULL, NULL);
    assert_true(rig->far >= 0);
}

static inline void fini(struct rig *rig)
{
    const int fds[] = {rig->far, rig->near, rig->listener};
    rig->driver->close(rig->link);
    rh_plan_fini(&rig->plan);
    rh_report_fini(&rig->report);
    rh_arena_free(rig->arena);
    for (size_t i = 0; i < RH_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static inline void on_reading(void *context, const struct rh_reading *reading)
{
    struct rig *rig = context;
    (void)reading;
    rig->readings++;
}

static inline void on_late(void *context, const struct rh_block *block)
{
    (void)context;
    (void)block;
}

static inline void on_heard(void *context, uint32_t device)
{
    (void)context;
    (void)device;
}

static inline enum rh_poll_outcome poll_block(struct rig *rig, size_t i, struct rh_poll_result *ret_result)
{
    const struct rh_sink sink = {
        .context = rig, .wake = -1, .heard = on_heard, .reading = on_reading, .late = on_late};
    return rig->driver->poll(rig->link, rig->plan.order, &rig->plan.blocks[i], &sink, ret_result);
}

static inline size_t open_files(void)
{
    size_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* Noise without end, from a thread. */
struct babbler {
    int fd, stop;
    unsigned seed;
};

static inline void *babble(void *context)
{
    struct babbler *babbler = context;
    struct pollfd stop = {.fd = babbler->stop, .events = POLLIN};
    while (poll(&stop, 1, 1) == 0) {
        uint8_t noise[40];
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)rand_r(&babbler->seed);
        if (send(babbler->fd, noise, sizeof noise, MSG_NOSIGNAL) < 0 && write(babbler->fd, noise, 40) < 0)
            break;
    }
    return NULL;
}

#endif
