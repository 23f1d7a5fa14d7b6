/* SPDX-License-Identifier: MIT */
#include "tests/sim/base.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int64_t sim_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SIM_S + now.tv_nsec;
}

uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
    return sim_random_next(random) % limit;
}

double sim_random_share(struct sim_random *random)
{
    return (double)(sim_random_next(random) >> 11) * 0x1.0p-53;
}

void sim_text_init(struct sim_text *text, char *buffer, size_t cap)
{
    *text = (struct sim_text){.at = buffer, .cap = cap};
    buffer[0] = '\0';
}

void sim_text_printf(struct sim_text *text, const char *format, ...)
{
    size_t room = text->cap - text->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text->at + text->len, room, format, args);
    va_end(args);
    if (n > 0)
        text->len += (size_t)n < room ? (size_t)n : room - 1;
}

void sim_text_json(struct sim_text *text, const char *string, size_t len)
{
    sim_text_printf(text, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)string[i];

        if (c == '"' || c == '\\')
            sim_text_printf(text, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            sim_text_printf(text, "\\u%04x", c); /* bytes shown as Latin-1 */
        else
            sim_text_printf(text, "%c", c);
    }
    sim_text_printf(text, "\"");
}

void sim_text_hex(struct sim_text *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sim_text_printf(text, "%02x", bytes[i]);
}

bool sim_parse_int(const char *string, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(string, &end, 0);
    if (end == string || *end != '\0' || errno != 0 || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool sim_parse_real(const char *string, double *ret_value)
{
    char *end;

    *ret_value = strtod(string, &end);
    return end != string && *end == '\0';
}

bool sim_parse_duration(const char *string, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"us", SIM_US}, {"ms", SIM_MS}, {"s", SIM_S}, {"min", 60 * SIM_S}};
    char *end;
    double value = strtod(string, &end);

    if (end == string || !isfinite(value) || value < 0)
        return false;
    for (size_t i = 0; i < SIM_COUNT(units); i++) {
        if (strcmp(end, units[i].name) == 0 && value * (double)units[i].ns < 1e18) {
            *ret_ns = (int64_t)(value * (double)units[i].ns + 0.5);
            return true;
        }
    }
    return false;
}

bool sim_parse_bool(const char *string, bool *ret_value)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true"};

    for (size_t i = 0; i < SIM_COUNT(words); i++) {
        if (strcasecmp(string, words[i]) == 0) {
            *ret_value = i % 2 == 1;
            return true;
        }
    }
    return false;
}

bool sim_parse_share(const char *string, double *ret_value)
{
    bool flag;
    char *end;

    if (sim_parse_bool(string, &flag)) {
        *ret_value = flag ? 1 : 0;
        return true;
    }
    *ret_value = strtod(string, &end);
    if (end != string && *end == '%') {
        *ret_value /= 100;
        end++;
    }
    return end != string && *end == '\0' && *ret_value >= 0 && *ret_value <= 1;
}

bool sim_parse_range(const char *string, int64_t max, int64_t *ret_first, int64_t *ret_last)
{
    const char *dots = strstr(string, "..");
    char first[24];

    if (dots == NULL) {
        *ret_last = -1;
        return sim_parse_int(string, 0, max, ret_first);
    }
    if ((size_t)(dots - string) >= sizeof(first))
        return false;
    memcpy(first, string, (size_t)(dots - string));
    first[dots - string] = '\0';
    return sim_parse_int(first, 0, max, ret_first) && sim_parse_int(dots + 2, *ret_first, max, ret_last);
}

bool sim_parse_hex(const char *string, uint8_t *bytes, size_t cap, size_t *ret_len)
{
    size_t n = 0;

    while (string[0] != '\0') {
        char pair[3] = {string[0], string[1], '\0'};
        char *end;
        unsigned long value = strtoul(pair, &end, 16);

        if (end != pair + 2 || n == cap)
            return false;
        bytes[n++] = (uint8_t)value;
        string += 2;
    }
    *ret_len = n;
    return n > 0;
}
