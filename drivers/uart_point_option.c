/* SPDX-License-Identifier: MIT */
/*
 * The options of a UART point, and what only holds for words and options together. While field->source is
 * RH_UART_NONE the words were wrong, and only syntax is checked.
 */
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "drivers/uart.h"

#define INVALID_MAX 64

static bool is_text(const struct rh_uart_field *field)
{
    return field->type == RH_TYPE_STR || field->type == RH_TYPE_HEX;
}

static bool is_float(const struct rh_uart_field *field)
{
    return field->type == RH_TYPE_F32 || field->type == RH_TYPE_F64;
}

static bool parse_len(const struct rh_option_value *value, void *address)
{
    struct rh_uart_field *field = address;
    uint64_t len = 0;
    size_t most = field->type == RH_TYPE_HEX ? RH_TEXT_MAX / 2 : RH_TEXT_MAX;
    field->len = 1; /* wrong is not missing: one message is enough */
    if (field->source != RH_UART_NONE && !(field->source == RH_UART_BYTES && is_text(field)))
        return rh_uart_wrong(value, NULL, "is for bytes of type str and hex");
    if (rh_parse_uint(value->text, &len) < 0 || len < 1 || len > most)
        return rh_uart_wrong(value, NULL, "counts bytes, 1..%zu", most);
    field->len = (size_t)len;
    return true;
}

/* A text, and the number it may be: 9999, -9999, 0xFFFF. */
static bool parse_invalid(const struct rh_option_value *value, void *address)
{
    struct rh_uart_field *field = address;
    struct rh_option_value element;
    struct rh_uart_invalid *list = rh_arena_alloc(value->arena, INVALID_MAX * sizeof *list);
    size_t n = 0;
    for (size_t at = 0; rh_list_next(value, &at, &element);) {
        uint64_t number = 0;
        if (n == INVALID_MAX)
            return rh_uart_wrong(value, NULL, "at most %d members", INVALID_MAX);
        struct rh_uart_invalid *one = &list[n++];
        *one = (struct rh_uart_invalid){.text = element.text, .len = element.len};
        one->number = rh_parse_double(element.text, &one->value) == 0;
        if (!one->number && rh_parse_uint(element.text, &number) == 0) {
            one->number = true;
            one->value = (double)number;
        }
        if (!one->number && field->source != RH_UART_NONE && !is_text(field) &&
            field->source == RH_UART_BYTES)
            return rh_uart_wrong(&element, NULL, "must be a number, as 65535 or 0xFFFF");
    }
    field->invalid = list;
    field->n_invalid = n;
    return true;
}

static bool parse_latlon(const struct rh_option_value *value, void *address)
{
    static const struct rh_option flag = {.name = "nmea-latlon", .kind = RH_OPTION_BOOL};
    struct rh_uart_field *field = address;
    if (!rh_option_set(&flag, &field->latlon, value) || !field->latlon)
        return !field->latlon;
    if (field->source != RH_UART_NONE && (field->source != RH_UART_CSV || field->type != RH_TYPE_STR))
        return rh_uart_wrong(value, NULL, "is for csv, and takes the place of the type");
    field->type = RH_TYPE_F64;
    if (field->row)
        field->row->type = RH_TYPE_F64;
    return true;
}

static const struct rh_option rows[] = {
    {.name = "len",
     .kind = RH_OPTION_CUSTOM,
     .choices = "1..255",
     .help = "bytes of a str or hex",
     .parse = parse_len},
    {.name = "invalid",
     .kind = RH_OPTION_CUSTOM,
     .choices = "TEXT or NUMBER,…",
     .help = "raw values that mean \"no value\", before scale",
     .parse = parse_invalid},
    {.name = "nmea-latlon",
     .kind = RH_OPTION_CUSTOM,
     .choices = "yes|no",
     .flags = RH_OPTION_FLAG,
     .help = "degrees and minutes as NMEA 0183 has them, with the hemisphere in the next column",
     .parse = parse_latlon},
};
const struct rh_option_table rh_uart_point_options = {rows, RH_COUNT(rows)};

/* ---- the rules of check_point, one row each ---- */

struct rule {
    bool (*broken)(const struct rh_point *point, const struct rh_uart_field *field);
    const char *message;
};

static bool has_scale(const struct rh_point *point)
{
    return point->scale.mantissa != 1 || point->scale.exponent != 0 || point->offset != 0;
}

static bool len_missing(const struct rh_point *point, const struct rh_uart_field *field)
{
    (void)point;
    return field->source == RH_UART_BYTES && is_text(field) && field->len == 0;
}

static bool scaled_text(const struct rh_point *point, const struct rh_uart_field *field)
{
    return is_text(field) && has_scale(point);
}

static bool enum_unsuited(const struct rh_point *point, const struct rh_uart_field *field)
{
    return point->n_labels > 0 && (is_float(field) || field->type == RH_TYPE_HEX);
}

static bool enum_scaled(const struct rh_point *point, const struct rh_uart_field *field)
{
    return point->n_labels > 0 && !is_text(field) && !is_float(field) && has_scale(point);
}

static bool enum_of_texts(const struct rh_point *point, const struct rh_uart_field *field)
{
    int64_t code;
    for (size_t i = 0; i < point->n_labels && !is_text(field) && point->label_codes; i++)
        if (rh_parse_int(point->label_codes[i], &code) < 0)
            return true;
    return false;
}

static bool deadband_on_text(const struct rh_point *point, const struct rh_uart_field *field)
{
    return is_text(field) && point->deadband != 0;
}

static bool limits_on_text(const struct rh_point *point, const struct rh_uart_field *field)
{
    return is_text(field) && (point->has_min || point->has_max);
}

static bool limits_crossed(const struct rh_point *point, const struct rh_uart_field *field)
{
    (void)field;
    return point->has_min && point->has_max && point->min > point->max;
}

static bool written(const struct rh_point *point, const struct rh_uart_field *field)
{
    (void)field;
    return point->writable;
}

static const struct rule rules[] = {
    {len_missing, "str and hex need len=, their number of bytes"},
    {scaled_text, "text takes no scale or offset: give it a type, as f64"},
    {enum_unsuited, "enum= names the values of integers and texts"},
    {enum_scaled, "enum= names raw values: it takes no scale or offset"},
    {enum_of_texts, "a code of enum= is no whole number, and the point is no text"},
    {deadband_on_text, "text takes no deadband: give it a type, as f64"},
    {limits_on_text, "text takes no min or max: give it a type, as f64"},
    {limits_crossed, "min is greater than max"},
    {written, "points of the driver uart cannot be written yet"},
};

/* Bytes that can never be in a frame of a known length. */
static bool beyond(const struct rh_uart_field *field, const struct rh_uart_framing *framing)
{
    int64_t len = framing->max, size = (int64_t)rh_uart_field_size(field);
    if (framing->has_length && framing->length.size == 0 && framing->decode != RH_UART_DECODE_HEX)
        len = framing->length.plus;
    if (field->source == RH_UART_COLS)
        return field->at >= len;
    if (field->source != RH_UART_BYTES)
        return false;
    return field->at < 0 ? -field->at > len || field->at + size > 0 : field->at + size > len;
}

bool rh_uart_check_point(const struct rh_point *point, const struct rh_device_conf *device,
                         struct rh_place place, const struct rh_parse_context *context)
{
    const struct rh_uart_field *field = point->address;
    const struct rh_uart_device *options = device->options;
    bool right = true;
    if (field->source == RH_UART_NONE)
        return true;
    for (size_t i = 0; i < RH_COUNT(rules); i++) {
        if (!rules[i].broken(point, field))
            continue;
        rh_report_error(context->report, place, NULL, "point %s: %s", point->name, rules[i].message);
        right = false;
    }
    if (!beyond(field, &options->framing))
        return right;
    rh_report_error(context->report, place, NULL, "point %s lies beyond the end of its frame", point->name);
    return false;
}
