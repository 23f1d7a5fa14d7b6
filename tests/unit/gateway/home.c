/* SPDX-License-Identifier: MIT */
#include "tests/unit/gateway/home.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/record.h"

static char *numbered(const char *prefix, uint32_t number)
{
    char *name = NULL;

    assert_true(asprintf(&name, "%s%u", prefix, number) > 0);
    return name;
}

struct rh_line_conf *home_line(uint32_t n_devices, uint32_t n_points)
{
    struct rh_line_conf *line = calloc(1, sizeof(*line));
    struct rh_device_conf *devices = calloc(n_devices, sizeof(*devices));
    struct rh_point *points = calloc((size_t)n_devices * n_points, sizeof(*points));

    assert_true(line && devices && points);
    *line = (struct rh_line_conf){.name = "a",
                                  .devices = devices,
                                  .n_devices = n_devices,
                                  .points = points,
                                  .n_points = (size_t)n_devices * n_points};
    for (uint32_t d = 0; d < n_devices; d++) {
        devices[d] = (struct rh_device_conf){.name = numbered("d", d),
                                             .title = "",
                                             .profile = "",
                                             .address = "",
                                             .data_topic = numbered("t/d", d),
                                             .index = d,
                                             .line = line,
                                             .first_point = d * n_points,
                                             .n_points = n_points};
        for (uint32_t p = 0; p < n_points; p++)
            points[d * n_points + p] = (struct rh_point){.name = numbered("p", p),
                                                         .unit = "",
                                                         .index = d * n_points + p,
                                                         .device = d,
                                                         .type = RH_TYPE_S64,
                                                         .class_ = RH_CLASS_NORMAL,
                                                         .qos = 1};
    }
    return line;
}

void home_line_free(struct rh_line_conf *line)
{
    for (size_t d = 0; d < line->n_devices; d++) {
        free((void *)(uintptr_t)line->devices[d].name);
        free((void *)(uintptr_t)line->devices[d].data_topic);
    }
    for (size_t p = 0; p < line->n_points; p++)
        free((void *)(uintptr_t)line->points[p].name);
    free((void *)(uintptr_t)line->devices);
    free((void *)(uintptr_t)line->points);
    free(line);
}

struct rh_point *home_point(struct rh_line_conf *line, uint32_t index)
{
    return (struct rh_point *)(uintptr_t)&line->points[index];
}

void home_reopen(struct home *home)
{
    struct rh_store_options options = {.path = home->path,
                                       .gateway = "g",
                                       .max_size_bytes = home->max_size_bytes,
                                       .machine_id = "/dev/null"};
    struct rh_store_opened opened;
    char why[256] = "";

    memset(&home->shared, 0, sizeof(home->shared));
    if (rh_store_open(&options, &home->shared, &home->store, &opened, why, sizeof(why)) < 0)
        fail_msg("%s", why);
}

struct home *home_new(int64_t max_size_bytes)
{
    struct home *home = calloc(1, sizeof(*home));

    assert_non_null(home);
    home->max_size_bytes = max_size_bytes;
    snprintf(home->directory, sizeof(home->directory), "/tmp/rh-gateway-XXXXXX");
    assert_non_null(mkdtemp(home->directory));
    snprintf(home->path, sizeof(home->path), "%s/store.db", home->directory);
    home_reopen(home);
    return home;
}

void home_free(struct home *home)
{
    DIR *directory;

    rh_store_close(home->store);
    directory = opendir(home->directory);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(home->directory);
    free(home);
}

static void push(struct rh_source *source, const struct rh_reading *reading)
{
    struct rh_record record = {.kind = RH_RECORD_READING, .reading = *reading};

    record.reading.urgent = source->line->points[reading->point].class_ == RH_CLASS_URGENT;
    assert_int_equal(rh_ring_push(source->ring, &record,
                                  offsetof(struct rh_record, reading) + rh_reading_size(&record.reading)),
                     0);
}

void home_push(struct rh_source *source, uint32_t point, int64_t value, int64_t wall_ms)
{
    push(source, &(struct rh_reading){
                     .point = point, .wall_ms = wall_ms, .value = {.kind = RH_VALUE_I64, .i64 = value}});
}

void home_push_text(struct rh_source *source, uint32_t point, size_t len)
{
    struct rh_reading reading = {.point = point, .value = {.kind = RH_VALUE_TEXT, .text_len = (uint8_t)len}};

    memset(reading.value.text, 'x', len);
    push(source, &reading);
}

void home_push_state(struct rh_source *source, uint32_t device, bool online)
{
    struct rh_record record = {.kind = RH_RECORD_DEVICE, .device = {.device = device, .online = online}};

    rh_ring_push(source->ring, &record, offsetof(struct rh_record, device) + sizeof(record.device));
}

/* A broker that acknowledges at once. */
static void acknowledge(struct rh_flights *flights, const struct rh_outgoing *message)
{
    const struct rh_flight flight = {.mid = 1, .row = message->row, .qos = message->qos};

    if (message->qos == 0) {
        assert_int_equal(rh_flights_sent(flights, message->row), 0);
        return;
    }
    assert_int_equal(rh_flight_ops.put(flights, &flight), 0);
    if (message->qos == 2)
        assert_int_equal(rh_flight_ops.received(flights, 1), 0);
    assert_int_equal(rh_flight_ops.done(flights, 1), 0);
}

static struct home_message keep(const struct rh_outgoing *from)
{
    struct home_message message = {
        .kind = from->kind, .qos = from->qos, .retain = from->retain, .len = from->len};
    json_error_t error;

    snprintf(message.topic, sizeof(message.topic), "%.127s", from->topic);
    message.text = strndup(from->len > 0 ? from->payload : "", from->len);
    if (from->len > 0 && message.text[0] == '{') {
        message.json = json_loadb(from->payload, from->len, JSON_REJECT_DUPLICATES, &error);
        if (!message.json)
            fail_msg("%s: %s", message.text, error.text);
    }
    return message;
}

struct home_mail home_fly(struct home *home)
{
    struct home_mail mail = {0};
    struct rh_flights *flights = NULL;
    struct rh_outgoing next;
    char why[256] = "";
    int64_t now_us = 0;
    int r;

    if (rh_flights_open(home->path, &home->shared, &flights, why, sizeof(why)) < 0)
        fail_msg("%s", why);
    while ((r = rh_flights_next(flights, now_us, &next)) == 1) {
        mail.at = realloc(mail.at, (mail.n + 1) * sizeof(*mail.at));
        assert_non_null(mail.at);
        mail.at[mail.n++] = keep(&next);
        acknowledge(flights, &next);
        now_us += 100000;
        assert_int_equal(rh_flights_tick(flights, now_us), 0);
    }
    assert_int_equal(r, 0);
    rh_flights_close(flights);
    return mail;
}

void home_mail_free(struct home_mail *mail)
{
    for (size_t i = 0; i < mail->n; i++) {
        free(mail->at[i].text);
        json_decref(mail->at[i].json);
    }
    free(mail->at);
    *mail = (struct home_mail){0};
}
