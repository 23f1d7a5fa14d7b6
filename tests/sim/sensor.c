/* SPDX-License-Identifier: MIT */
#include "tests/sim/sensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_sensor_free(struct sim_sensor *sensor)
{
    if (sensor == NULL)
        return;
    for (size_t i = 0; i < sensor->n_lines; i++)
        free(sensor->line[i]);
    sim_generator_fini(&sensor->value);
    free(sensor);
}

/* What has been rendered so far. */
struct output {
    uint8_t *bytes;
    size_t n;
};

static void put(struct output *out, const void *bytes, size_t n)
{
    size_t room = SIM_SENSOR_TEXT_MAX - out->n;

    n = n < room ? n : room;
    memcpy(out->bytes + out->n, bytes, n);
    out->n += n;
}

static void put_nmea(struct output *out)
{
    size_t start = out->n;
    uint8_t sum = 0;
    char digits[3];

    while (start > 0 && out->bytes[start - 1] != '$' && out->bytes[start - 1] != '!')
        start--;
    for (size_t i = start; i < out->n && out->bytes[i] != '*'; i++)
        sum ^= out->bytes[i];
    snprintf(digits, sizeof(digits), "%02X", (unsigned)sum);
    put(out, digits, 2);
}

static void put_sum(struct output *out)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < out->n; i++)
        sum = (uint8_t)(sum + out->bytes[i]);
    sum = (uint8_t)(0U - sum);
    put(out, &sum, 1);
}

static void put_placeholder(struct output *out, const struct sim_sensor *sensor, const char *name, size_t len,
                            struct sim_number value)
{
    char text[64];

    if (len == 4 && memcmp(name, "nmea", 4) == 0) {
        put_nmea(out);
    } else if (len == 3 && memcmp(name, "sum", 3) == 0) {
        put_sum(out);
    } else if (len == 1 && name[0] == 'n') {
        put(out, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)sensor->n));
    } else if (len == 5 && memcmp(name, "value", 5) == 0) {
        int n = snprintf(text, sizeof(text), "%.*f", (int)sensor->decimals, sim_number_real(value));

        put(out, text, n > 0 && (size_t)n < sizeof(text) ? (size_t)n : 0);
    } else { /* not one of ours: it stays as it is */
        put(out, "{", 1);
        put(out, name, len);
        put(out, "}", 1);
    }
}

static void put_line(struct output *out, const struct sim_sensor *sensor, const char *line, size_t len,
                     struct sim_number value)
{
    const char *end = line + len;

    while (line < end) {
        const char *close = *line == '{' ? memchr(line, '}', (size_t)(end - line)) : NULL;

        if (close == NULL) {
            put(out, line++, 1);
            continue;
        }
        put_placeholder(out, sensor, line + 1, (size_t)(close - line - 1), value);
        line = close + 1;
    }
}

size_t sim_sensor_render(struct sim_sensor *sensor, int64_t elapsed_ns, struct sim_random *random,
                         uint8_t bytes[SIM_SENSOR_TEXT_MAX])
{
    struct output out = {bytes, 0};
    struct sim_number value =
        sim_generator_value(&sensor->value, 0, sensor->n, elapsed_ns, sim_random_next(random));

    for (size_t i = 0; i < sensor->n_lines; i++)
        put_line(&out, sensor, sensor->line[i], sensor->line_len[i], value);
    sensor->n++;
    return out.n;
}
