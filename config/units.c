/* SPDX-License-Identifier: MIT */
#include "config/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct rh_unit_name duration_names[] = {
    {"ms", 1, "|msec|msecs|millis|milliseconds|"},
    {"s", 1000, "|sec|secs|second|seconds|"},
    {"min", 60000, "|m|mins|minute|minutes|"},
    {"h", 3600000, "|hr|hrs|hour|hours|"},
    {"d", 86400000, "|day|days|"},
};

static const struct rh_unit_name size_names[] = {
    {"B", 1, "|byte|bytes|"},
    {"KiB", 1024, "|k|kb|ki|"},
    {"MiB", 1048576, "|m|mb|mi|"},
    {"GiB", 1073741824, "|g|gb|gi|"},
};

const struct rh_units rh_units_duration = {"must be a duration such as 500ms, 10s or 5min",
                                           "ms, s, min, h, d", rh_parse_duration, duration_names,
                                           RH_COUNT(duration_names)};
const struct rh_units rh_units_size = {"must be a size such as 64KiB or 256MiB", "B, KiB, MiB, GiB",
                                       rh_parse_size, size_names, RH_COUNT(size_names)};

void rh_units_print(const struct rh_units *units, int64_t value, char text[RH_UNIT_TEXT])
{
    size_t i = value == 0 && units->n > 1 && units == &rh_units_duration ? 1 : units->n - 1;

    while (i > 0 && value % units->at[i].factor != 0)
        i--;
    snprintf(text, RH_UNIT_TEXT, "%" PRId64 "%s", value / units->at[i].factor, units->at[i].name);
}

/* "10 sec" or "10S": the unit's right name, or NULL. */
static const char *unit_meant(const struct rh_units *units, const char *unit)
{
    char wanted[16];

    if (strlen(unit) > sizeof(wanted) - 3)
        return NULL;
    snprintf(wanted, sizeof(wanted), "|%s|", unit);
    for (size_t i = 0; i < units->n; i++)
        if (strcasecmp(unit, units->at[i].name) == 0 || strcasestr(units->at[i].aliases, wanted))
            return units->at[i].name;
    return NULL;
}

static const char *nearest_to_default(const struct rh_units *units, const struct rh_option *option,
                                      double number)
{
    int64_t fallback;
    bool known = option->fallback && units->parse(option->fallback, &fallback) == 0 && fallback > 0;
    double wanted = known ? log((double)fallback) : log((double)units->at[1].factor);
    const char *best = NULL;
    double distance = HUGE_VAL;

    for (size_t i = 0; i < units->n; i++) {
        double amount = number * (double)units->at[i].factor;
        bool fits =
            (option->min == 0 && option->max == 0) || (amount >= option->min && amount <= option->max);
        double off = fabs(log(amount) - wanted);

        if (!known)
            off = fabs(log((double)units->at[i].factor) - wanted);
        if (fits && off < distance) {
            distance = off;
            best = units->at[i].name;
        }
    }
    return best;
}

const char *rh_units_suggest(const struct rh_units *units, const struct rh_option *option, const char *text,
                             char suggestion[RH_UNIT_TEXT])
{
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits + strspn(text + digits, " ");
    char number[24];
    double amount;

    if (digits >= sizeof(number))
        return NULL;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (rh_parse_double(number, &amount) < 0)
        return NULL;
    const char *meant = *unit        ? unit_meant(units, unit)
                        : amount > 0 ? nearest_to_default(units, option, amount)
                                     : units->at[1].name;
    if (!meant)
        return NULL;
    snprintf(suggestion, RH_UNIT_TEXT, "%s%s", number, meant);
    return suggestion;
}
