/* SPDX-License-Identifier: MIT */
/* The state of a UART line: everything is allocated by open, connections come and go. */
#include "drivers/uart_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static const struct rh_uart_device *options_of(const struct rh_link *link, size_t d)
{
    return link->conf->devices[d].options;
}

/* The stream of a device: that of an earlier one with the same framing, or a new one. */
static int join_stream(struct rh_link *link, uint32_t d)
{
    const struct rh_uart_framing *framing = &options_of(link, d)->framing;
    for (uint32_t other = 0; other < d; other++) {
        if (!rh_uart_framing_equal(framing, &options_of(link, other)->framing))
            continue;
        link->units[d].stream = link->units[other].stream;
        return 0;
    }
    link->units[d].stream = (uint32_t)link->n_streams;
    int error = rh_uart_framer_new(framing, &link->streams[link->n_streams].framer);
    link->n_streams += !error;
    return error;
}

static int open_unit(struct rh_link *link, uint32_t d)
{
    const struct rh_device_conf *device = &link->conf->devices[d];
    struct rh_uart_unit *unit = &link->units[d];
    unit->silences = calloc(device->n_groups + 1, sizeof *unit->silences);
    if (!unit->silences)
        return -ENOMEM;
    for (uint32_t i = 0; i < device->n_points; i++) {
        const struct rh_uart_field *field = link->conf->points[device->first_point + i].address;
        unit->listens = unit->listens || rh_uart_unasked(device, field->group);
    }
    return join_stream(link, d);
}

int rh_uart_open(const struct rh_line_conf *line, struct rh_line_counters *counters,
                 struct rh_link **ret_link)
{
    struct rh_link *link = calloc(1, sizeof *link);
    if (!link)
        return -ENOMEM;
    link->conf = line;
    link->options = line->options;
    link->counters = counters;
    link->char_us = rh_uart_char_us(line->options);
    rh_line_init(&link->line);
    link->streams = calloc(line->n_devices + 1, sizeof *link->streams);
    link->units = calloc(line->n_devices + 1, sizeof *link->units);
    link->due_us = calloc(line->n_points + 1, sizeof *link->due_us);
    int error = link->streams && link->units && link->due_us ? 0 : -ENOMEM;
    if (!error)
        error = rh_uart_decoder_init(&link->decoder);
    for (uint32_t d = 0; d < line->n_devices && !error; d++)
        error = open_unit(link, d);
    if (error) {
        rh_uart_close(link);
        return error;
    }
    *ret_link = link;
    return 0;
}

void rh_uart_close(struct rh_link *link)
{
    if (!link)
        return;
    rh_line_fini(&link->line);
    for (size_t i = 0; i < link->n_streams; i++)
        rh_uart_framer_free(link->streams[i].framer);
    for (size_t d = 0; link->units && d < link->conf->n_devices; d++)
        free(link->units[d].silences);
    rh_uart_decoder_fini(&link->decoder);
    free(link->streams);
    free(link->units);
    free(link->due_us);
    free(link);
}

static void start_over(struct rh_link *link)
{
    int64_t now_us = rh_mono_us();
    for (size_t i = 0; i < link->n_streams; i++)
        rh_uart_framer_reset(link->streams[i].framer);
    for (size_t d = 0; d < link->conf->n_devices; d++) {
        link->units[d].told_silent = false;
        for (size_t g = 0; g <= link->conf->devices[d].n_groups; g++)
            rh_uart_silence_init(&link->units[d].silences[g], options_of(link, d)->stale_after_ms, now_us);
    }
    memset(link->due_us, 0, link->conf->n_points * sizeof *link->due_us);
}

static int send_inits(struct rh_link *link, char *why, size_t cap)
{
    for (size_t d = 0; d < link->conf->n_devices; d++) {
        const struct rh_uart_text *init = &options_of(link, d)->init;
        int error = init->len > 0 ? rh_line_write(&link->line, init->bytes, init->len) : 0;
        if (error) {
            snprintf(why, cap, "%s takes nothing: %s", link->options->port, strerror(-error));
            rh_line_close(&link->line);
            return error;
        }
        rh_count(&link->counters->bytes_sent, init->len);
    }
    return 0;
}

int rh_uart_connect(struct rh_link *link, char *why, size_t cap)
{
    const struct rh_serial serial = {.port = link->options->port,
                                     .baud = link->options->baud,
                                     .data_bits = link->options->data_bits,
                                     .stop_bits = link->options->stop_bits,
                                     .parity = link->options->parity};
    rh_uart_disconnect(link);
    rh_line_watch_drain(&link->line);
    int error = rh_line_open_serial(&link->line, &serial, why, cap);
    if (error)
        return error;
    start_over(link);
    return send_inits(link, why, cap);
}

void rh_uart_disconnect(struct rh_link *link)
{
    rh_line_close(&link->line);
}

int rh_uart_watch(struct rh_link *link)
{
    return rh_line_watch(&link->line, link->options->port);
}
