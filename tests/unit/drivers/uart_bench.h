/* SPDX-License-Identifier: MIT */
/*
 * uart_bench.h - one UART device out of configuration text, and bytes decoded by it without a line.
 */
#ifndef RH_TESTS_UART_BENCH_H
#define RH_TESTS_UART_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "core/text.h"
#include "drivers/driver.h"
#include "drivers/uart_replay.h"

struct uart_bench {
    struct rh_config *config;
    struct rh_report report;
    char folder[32];
    /* what came out: "FRAME POINT VALUE" or "FRAME POINT !quality", a line each */
    char *said;
    size_t said_len;
    FILE *out;
    struct rh_uart_replay_counts counts;
};

static inline const struct rh_schema *uart_schema(void)
{
    static const struct rh_driver_schema *drivers[8];
    static const char *const formats[] = {"json"};
    static struct rh_schema schema = {drivers, 0, formats, 1};
    for (size_t i = 0; i < rh_n_drivers; i++)
        drivers[i] = rh_drivers[i]->schema;
    schema.n_drivers = rh_n_drivers;
    return &schema;
}

static inline void uart_write(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    rh_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* `profile`: the name of one, or the text of one if it holds a line feed. False with bench->report if it is
 * wrong. */
static inline bool uart_bench_open(struct uart_bench *bench, const char *profile)
{
    char site[512], profiles[300], path[64];
    bool text = strchr(profile, '\n') != NULL;
    memset(bench, 0, sizeof *bench);
    snprintf(bench->folder, sizeof bench->folder, "/tmp/railhead-uart-XXXXXX");
    rh_assert(mkdtemp(bench->folder));
    if (text)
        uart_write(bench->folder, "own.ini", profile);
    snprintf(site, sizeof site,
             "[mqtt]\nbroker = mqtt://127.0.0.1\n[store]\npath = /tmp/none.db\n[line u]\ndriver = uart\n"
             "port = /dev/null\n[devices]\nd = u - %s\n",
             text ? "own" : profile);
    uart_write(bench->folder, "site.conf", site);
    snprintf(profiles, sizeof profiles, "%s:" RAILHEAD_SOURCE "/config/profiles", bench->folder);
    setenv("RAILHEAD_PROFILES", profiles, 1);
    snprintf(path, sizeof path, "%s/site.conf", bench->folder);
    rh_report_init(&bench->report);
    return rh_config_load(path, uart_schema(), &bench->report, &bench->config) == 0;
}

static inline void uart_bench_close(struct uart_bench *bench)
{
    char path[64];
    const char *const names[] = {"own.ini", "site.conf"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", bench->folder, names[i]);
        unlink(path);
    }
    rmdir(bench->folder);
    rh_config_free(bench->config);
    rh_report_fini(&bench->report);
    free(bench->said);
}

static inline const struct rh_device_conf *uart_device(const struct uart_bench *bench)
{
    return &bench->config->lines[0].devices[0];
}

static inline void uart_print_value(FILE *out, const struct rh_point *point, const struct rh_value *value)
{
    char buffer[64];
    struct rh_text text;
    rh_text_init(&text, buffer, sizeof buffer);
    if (value->kind == RH_VALUE_TEXT) {
        fputs(value->text, out);
        return;
    }
    const char *label = point->n_labels > 0 ? rh_point_label(point, value->i64) : NULL;
    if (label)
        rh_text_put(&text, label);
    else if (value->kind == RH_VALUE_I64)
        rh_text_int(&text, value->i64);
    else if (value->kind == RH_VALUE_U64)
        rh_text_uint(&text, value->u64);
    else if (value->kind == RH_VALUE_F32)
        rh_text_float(&text, (float)value->f64);
    else if (value->kind == RH_VALUE_F64)
        rh_text_double(&text, value->f64);
    fputs(buffer, out);
}

static inline void uart_on_frame(void *context, const struct rh_uart_replayed *frame)
{
    struct uart_bench *bench = context;
    for (size_t i = 0; i < frame->n; i++) {
        const struct rh_reading *reading = &frame->readings[i];
        const struct rh_point *point = &bench->config->lines[0].points[reading->point];
        char quality[16];
        fprintf(bench->out, "%llu %s ", (unsigned long long)frame->frame, point->name);
        if (reading->quality == RH_GOOD)
            uart_print_value(bench->out, point, &reading->value);
        else
            fprintf(bench->out, "!%s", rh_quality_name(reading, quality));
        fputc('\n', bench->out);
    }
}

/* Feeds all bytes in pieces whose lengths `cut` gives (NULL: whole); bench->said and counts are the result.
 */
static inline void uart_decode(struct uart_bench *bench, const uint8_t *bytes, size_t len,
                               size_t (*cut)(void *context), void *context)
{
    struct rh_uart_replay *replay;
    free(bench->said);
    bench->said = NULL;
    bench->out = open_memstream(&bench->said, &bench->said_len);
    rh_assert(rh_uart_replay_new(uart_device(bench), uart_on_frame, bench, &replay) == 0);
    for (size_t at = 0; at < len;) {
        size_t n = cut ? cut(context) : len;
        n = n < len - at ? n : len - at;
        rh_uart_replay_feed(replay, bytes + at, n, 0);
        at += n;
    }
    bench->counts = rh_uart_replay_end(replay);
    rh_uart_replay_free(replay);
    fclose(bench->out);
}

static inline void uart_decode_text(struct uart_bench *bench, const char *text)
{
    uart_decode(bench, (const uint8_t *)text, strlen(text), NULL, NULL);
}

#endif
