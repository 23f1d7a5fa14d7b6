/* SPDX-License-Identifier: MIT */
/*
 * point_settings.c - the options of a point that are not its driver's.
 */
#include "config/settings.h"

#define DAY 86400000.0
#define FIELD(type, member) .offset = offsetof(struct type, member)

static bool parse_urgent(const struct rh_option_value *value, void *field)
{
    static const struct rh_option flag = {.name = "urgent", .kind = RH_OPTION_BOOL};

    return rh_option_set(&flag, field, value);
}

static bool parse_drop(const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"oldest", "last"};
    int choice = 0;
    bool ok = rh_parse_built(value, words, RH_COUNT(words), RH_COUNT(words), &choice);

    *(bool *)field = choice == 1;
    return ok;
}

static bool parse_kind(const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"gauge", "counter"};
    int choice = 0;
    bool ok = rh_parse_built(value, words, RH_COUNT(words), RH_COUNT(words), &choice);

    *(bool *)field = choice == 1;
    return ok;
}

static bool parse_positive(const struct rh_option_value *value, void *field)
{
    static const struct rh_option number = {.name = "number", .kind = RH_OPTION_NUMBER};
    double parsed;

    if (!rh_option_set(&number, &parsed, value))
        return false;
    if (parsed <= 0)
        return rh_value_wrong(value, NULL, "must be greater than 0");
    *(double *)field = parsed;
    return true;
}

static const struct rh_option point_rows[] = {
    {.name = "unit",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_point_settings, unit),
     .choices = "TEXT",
     .help = "physical unit of the scaled value"},
    {.name = "scale",
     .kind = RH_OPTION_DECIMAL,
     FIELD(rh_point_settings, scale),
     .fallback = "1",
     .choices = "NUMBER",
     .help = "factor from the raw to the physical value"},
    {.name = "offset",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, offset),
     .fallback = "0",
     .choices = "NUMBER",
     .help = "added after the factor"},
    {.name = "every",
     .kind = RH_OPTION_CUSTOM,
     .parse = rh_parse_period,
     FIELD(rh_point_settings, period_ms),
     .choices = "a duration or fastest",
     .help = "how often it is read; the device's interval unless given"},
    {.name = "urgent",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_urgent,
     FIELD(rh_point_settings, urgent),
     .fallback = "no",
     .choices = "yes|no",
     .flags = RH_OPTION_FLAG,
     .help = "first on the bus, committed and sent at once"},
    {.name = "deadband",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, deadband),
     .max = 1e300,
     .choices = "NUMBER",
     .help = "smaller changes are no reading; implies report=change"},
    {.name = "heartbeat",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_point_settings, heartbeat_ms),
     .min = 1,
     .max = 30 * DAY,
     .choices = "a duration",
     .help = "a reading at least this often, changed or not"},
    {.name = "report",
     .kind = RH_OPTION_CHOICE,
     FIELD(rh_point_settings, report),
     .fallback = "all",
     .choices = "all|change",
     .help = "every poll is a reading, or only a change"},
    {.name = "min",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, min),
     .choices = "NUMBER",
     .help = "smaller values are invalid"},
    {.name = "max",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, max),
     .choices = "NUMBER",
     .help = "larger values are invalid"},
    {.name = "enum",
     .kind = RH_OPTION_CUSTOM,
     .parse = rh_parse_labels,
     FIELD(rh_point_settings, labels),
     .choices = "CODE:LABEL,…",
     .help = "names of the values"},
    {.name = "qos",
     .kind = RH_OPTION_INT,
     FIELD(rh_point_settings, qos),
     .max = 2,
     .choices = "0, 1, 2",
     .help = "quality of service; that of [mqtt] unless given"},
    {.name = "drop",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_drop,
     FIELD(rh_point_settings, drop_last),
     .fallback = "oldest",
     .choices = "oldest|last",
     .help = "last: dropped last when the store is full; default of counters"},
    {.name = "kind",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_kind,
     FIELD(rh_point_settings, counter),
     .fallback = "gauge",
     .choices = "gauge|counter",
     .help = "a counter only rises"},
    {.name = "writable",
     .kind = RH_OPTION_BOOL,
     FIELD(rh_point_settings, writable),
     .fallback = "no",
     .flags = RH_OPTION_FLAG,
     .help = "commands may write it, if its device says writes=allow; min and max bound what is written"},
    {.name = "verify",
     .kind = RH_OPTION_BOOL,
     FIELD(rh_point_settings, verify),
     .fallback = "no",
     .flags = RH_OPTION_FLAG,
     .help = "a write that reads back as something else has failed"},
    {.name = "tolerance",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, tolerance),
     .max = 1e300,
     .choices = "NUMBER",
     .help = "how far what verify reads back may be off"},
    {.name = "step",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_positive,
     FIELD(rh_point_settings, step),
     .choices = "NUMBER",
     .help = "only min (or 0) and whole steps from there may be written"},
    {.name = "max_delta",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_positive,
     FIELD(rh_point_settings, max_delta),
     .choices = "NUMBER",
     .help = "the most that one write may change"},
    {.name = "min_interval",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_point_settings, min_interval_ms),
     .min = 1,
     .max = 30 * DAY,
     .choices = "a duration",
     .help = "the shortest time between two writes"},
    {.name = "critical",
     .kind = RH_OPTION_BOOL,
     FIELD(rh_point_settings, critical),
     .fallback = "no",
     .flags = RH_OPTION_FLAG,
     .help = "a command needs an id and a time when it expires"},
    {.name = "momentary",
     .kind = RH_OPTION_BOOL,
     FIELD(rh_point_settings, momentary),
     .fallback = "no",
     .flags = RH_OPTION_FLAG,
     .help = "a command needs an id, so that it is never done twice: reset, start"},
};
const struct rh_option_table rh_point_options = {point_rows, RH_COUNT(point_rows)};
