/* SPDX-License-Identifier: MIT */
/*
 * option.c - one parser per kind of option. Each reports what is wrong and what would be right.
 */
#include "config/option.h"
#include "config/words.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/units.h"

static void wrong(const struct rh_option_value *value, const char *suggestion, const char *what)
{
    rh_report_error(value->report, value->place, suggestion, "%s = \"%s\": %s", value->key, value->text,
                    what);
}

static bool bounded(const struct rh_option *option)
{
    return option->min != 0 || option->max != 0;
}

static bool within(const struct rh_option *option, double number)
{
    return !bounded(option) || (number >= option->min && number <= option->max);
}

static bool parse_text(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    size_t len = value->len;

    if (rh_utf8_valid(value->text, len) != len) {
        wrong(value, NULL, "not valid UTF-8 text");
        return false;
    }
    if (len == 0 && (option->flags & RH_OPTION_REQUIRED)) {
        wrong(value, NULL, "must not be empty");
        return false;
    }
    *(const char **)field = rh_arena_text(value->arena, value->text, len);
    return true;
}

static bool parse_bool(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    (void)option;
    for (size_t i = 0; i < RH_COUNT(words); i++) {
        if (strcasecmp(value->text, words[i]) != 0)
            continue;
        *(bool *)field = i % 2 == 1;
        return true;
    }
    wrong(value, rh_near(value->text, words, RH_COUNT(words)), "must be yes or no");
    return false;
}

static bool out_of_bounds(const struct rh_option *option, const struct rh_option_value *value)
{
    char what[128];

    if (option->kind == RH_OPTION_DURATION || option->kind == RH_OPTION_SIZE) {
        char low[RH_UNIT_TEXT], high[RH_UNIT_TEXT];
        const struct rh_units *units =
            option->kind == RH_OPTION_DURATION ? &rh_units_duration : &rh_units_size;

        rh_units_print(units, (int64_t)option->min, low);
        rh_units_print(units, (int64_t)option->max, high);
        snprintf(what, sizeof(what), "must be from %s to %s", low, high);
    } else {
        snprintf(what, sizeof(what), "must be from %.15g to %.15g", option->min, option->max);
    }
    wrong(value, NULL, what);
    return false;
}

static bool parse_int(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    int64_t number;
    int r = rh_parse_int(value->text, &number);

    if (r == -EINVAL) {
        wrong(value, NULL, "must be a whole number");
        return false;
    }
    if (r < 0 || !within(option, (double)number)) {
        if (bounded(option))
            return out_of_bounds(option, value);
        wrong(value, NULL, "is too large");
        return false;
    }
    *(int64_t *)field = number;
    return true;
}

static bool parse_number(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    double number;
    int r = rh_parse_double(value->text, &number);

    if (r == -EINVAL) {
        wrong(value, NULL, "must be a number");
        return false;
    }
    if (r < 0 || !within(option, number)) {
        if (bounded(option))
            return out_of_bounds(option, value);
        wrong(value, NULL, "is too large");
        return false;
    }
    *(double *)field = number;
    return true;
}

static bool parse_decimal(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    struct rh_decimal decimal;
    int r = rh_parse_decimal(value->text, &decimal);

    (void)option;
    if (r == 0 && decimal.mantissa == 0) {
        wrong(value, NULL, "must not be zero");
        return false;
    }
    if (r < 0) {
        wrong(value, NULL, r == -ERANGE ? "has too many digits" : "must be a decimal number");
        return false;
    }
    *(struct rh_decimal *)field = decimal;
    return true;
}

static bool parse_with_unit(const struct rh_units *units, const struct rh_option *option,
                            const struct rh_option_value *value, void *field)
{
    char suggestion[RH_UNIT_TEXT];
    int64_t amount;
    int r = units->parse(value->text, &amount);

    if (r == -ENOMSG || r == -EBADR) {
        char what[96];
        snprintf(what, sizeof(what), "%s (%s)", r == -ENOMSG ? "the unit is missing" : "unknown unit",
                 units->names);
        wrong(value, rh_units_suggest(units, option, value->text, suggestion), what);
        return false;
    }
    if (r < 0) {
        wrong(value, NULL, r == -ERANGE ? "is too large" : units->what);
        return false;
    }
    if (!within(option, (double)amount))
        return out_of_bounds(option, value);
    *(int64_t *)field = amount;
    return true;
}

static bool parse_duration(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    return parse_with_unit(&rh_units_duration, option, value, field);
}

static bool parse_size(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    return parse_with_unit(&rh_units_size, option, value, field);
}

#define MOST_CHOICES 32

static bool parse_choice(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    const char *names[MOST_CHOICES];
    size_t n = 0;
    char what[256] = "must be one of ";
    char *copy = rh_arena_text(value->arena, option->choices, strlen(option->choices));
    char *next;

    for (char *name = strtok_r(copy, "|", &next); name; name = strtok_r(NULL, "|", &next)) {
        rh_assert(n < MOST_CHOICES);
        if (strcmp(name, value->text) == 0) {
            *(int *)field = (int)n;
            return true;
        }
        size_t used = strlen(what);
        snprintf(what + used, sizeof(what) - used, "%s%s", n > 0 ? ", " : "", name);
        names[n++] = name;
    }
    wrong(value, rh_near(value->text, names, n), what);
    return false;
}

static bool parse_custom(const struct rh_option *option, const struct rh_option_value *value, void *field)
{
    return option->parse(value, field);
}

typedef bool parser(const struct rh_option *option, const struct rh_option_value *value, void *field);

static parser *const parsers[] = {
    [RH_OPTION_TEXT] = parse_text,       [RH_OPTION_BOOL] = parse_bool,
    [RH_OPTION_INT] = parse_int,         [RH_OPTION_NUMBER] = parse_number,
    [RH_OPTION_DECIMAL] = parse_decimal, [RH_OPTION_DURATION] = parse_duration,
    [RH_OPTION_SIZE] = parse_size,       [RH_OPTION_CHOICE] = parse_choice,
    [RH_OPTION_CUSTOM] = parse_custom,
};

bool rh_option_set(const struct rh_option *option, void *object, const struct rh_option_value *value)
{
    /* A NUL inside would silently cut what the C string functions see. */
    if (option->kind != RH_OPTION_CUSTOM && memchr(value->text, 0, value->len)) {
        wrong(value, NULL, "must not hold a NUL byte");
        return false;
    }
    return parsers[option->kind](option, value, (char *)object + option->offset);
}

const struct rh_option *rh_option_find(const struct rh_option_table *table, const char *key)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct rh_option *row = &table->rows[i];
        size_t len = strlen(row->name);

        if (row->flags & RH_OPTION_PREFIX ? strncmp(key, row->name, len) == 0 && key[len]
                                          : strcmp(key, row->name) == 0)
            return row;
    }
    return NULL;
}

void rh_option_defaults(const struct rh_option_table *table, void *object, struct rh_arena *arena)
{
    struct rh_report report;

    rh_report_init(&report);
    for (size_t i = 0; i < table->n; i++) {
        const struct rh_option *row = &table->rows[i];
        const char *text = row->fallback;

        if (row->kind == RH_OPTION_TEXT && !text)
            *(const char **)((char *)object + row->offset) = "";
        if (!text)
            continue;
        struct rh_option_value value = {
            .key = row->name, .text = text, .len = strlen(text), .arena = arena, .report = &report};
        rh_assert(rh_option_set(row, object, &value));
    }
    rh_report_fini(&report);
}
