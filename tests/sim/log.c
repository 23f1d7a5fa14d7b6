/* SPDX-License-Identifier: MIT */
#include "tests/sim/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

int sim_log_open(struct sim_log *log, const char *path)
{
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return log->fd < 0 ? -errno : 0;
}

void sim_log_close(struct sim_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

static void field_us(struct sim_text *line, const char *name, int64_t ns)
{
    if (ns > 0)
        sim_text_printf(line, ",\"%s\":%lld", name, (long long)(ns / SIM_US));
}

static void field_int(struct sim_text *line, const char *name, int64_t value)
{
    if (value >= 0)
        sim_text_printf(line, ",\"%s\":%lld", name, (long long)value);
}

static void field_hex(struct sim_text *line, const char *name, const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return;
    sim_text_printf(line, ",\"%s\":\"", name);
    sim_text_hex(line, bytes, n);
    sim_text_printf(line, "\"");
}

static void field_text(struct sim_text *line, const char *name, const char *text, size_t len)
{
    sim_text_printf(line, ",\"%s\":", name);
    sim_text_json(line, text, len);
}

static void head(struct sim_text *line, const char *event, const char *bus)
{
    sim_text_printf(line, "{\"t_us\":%lld,\"event\":\"%s\"", (long long)(sim_now_ns() / SIM_US), event);
    if (bus != NULL)
        field_text(line, "bus", bus, strlen(bus));
}

static void put(const struct sim_log *log, struct sim_text *line)
{
    ssize_t done;

    sim_text_printf(line, "}\n");
    done = write(log->fd, line->at, line->len);
    (void)done; /* a full disk costs the log, not the simulation */
}

void sim_log_request(struct sim_log *log, const char *bus, const struct sim_record *record)
{
    char buffer[LINE_MAX_BYTES];
    struct sim_text line;

    if (log->fd < 0)
        return;
    sim_text_init(&line, buffer, sizeof(buffer));
    head(&line, "request", bus);
    field_int(&line, "unit", record->unit);
    field_int(&line, "function", record->function);
    field_int(&line, "address", record->address);
    field_int(&line, "count", record->count);
    sim_text_printf(&line, ",\"outcome\":\"%s\"", record->outcome);
    if (record->exception != 0)
        field_int(&line, "exception", record->exception);
    if (record->fault != NULL)
        sim_text_printf(&line, ",\"fault\":\"%s\"", record->fault);
    field_us(&line, "request_us", record->request_ns);
    field_us(&line, "request_end_us", record->request_end_ns);
    if (record->gap_ns >= 0)
        field_int(&line, "gap_us", record->gap_ns / SIM_US);
    field_us(&line, "answer_us", record->answer_ns);
    field_us(&line, "answer_end_us", record->answer_end_ns);
    field_hex(&line, "data", record->data, record->data_len);
    field_int(&line, "write_address", record->write_address);
    field_hex(&line, "wrote", record->wrote, record->wrote_len);
    if (record->id != 0)
        field_int(&line, "id", record->id);
    put(log, &line);
}

void sim_log_event(struct sim_log *log, const char *bus, const char *event, const char *detail,
                   const uint8_t *bytes, size_t n)
{
    char buffer[LINE_MAX_BYTES];
    struct sim_text line;

    if (log->fd < 0)
        return;
    sim_text_init(&line, buffer, sizeof(buffer));
    head(&line, event, bus);
    if (detail != NULL)
        field_text(&line, "detail", detail, strlen(detail));
    field_hex(&line, "bytes", bytes, n);
    put(log, &line);
}

void sim_log_line(struct sim_log *log, const char *bus, const struct sim_record *record, const char *sensor,
                  const uint8_t *bytes, size_t n)
{
    char buffer[LINE_MAX_BYTES];
    struct sim_text line;

    if (log->fd < 0)
        return;
    sim_text_init(&line, buffer, sizeof(buffer));
    head(&line, "line", bus);
    field_text(&line, "sensor", sensor, strlen(sensor));
    sim_text_printf(&line, ",\"outcome\":\"%s\"", record->outcome);
    if (record->fault != NULL)
        sim_text_printf(&line, ",\"fault\":\"%s\"", record->fault);
    field_us(&line, "answer_us", record->answer_ns);
    field_us(&line, "answer_end_us", record->answer_end_ns);
    field_text(&line, "text", (const char *)bytes, n);
    put(log, &line);
}
