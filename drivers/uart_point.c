/* SPDX-License-Identifier: MIT */
/*
 * The positional words of a UART point: [GROUP] SOURCE … [TYPE]
 *
 *   csv 2            csv 3 ";" f64           a column, from 0
 *   key V            key V "\t" s32          what stands behind a name and a separator
 *   regex weight     regex /T=([0-9.]+)/ f64 a named group of the match, or the first group of its own
 *   cols 10-14 u16   raw                     characters; the whole text
 *   bytes 10 u16be   bytes -3 u8             binary, from the end if negative
 *   obis 1-0:1.8.0   obis 0-1:24.2.1 0       the last bracket behind the code; or the one of a number
 *   sml 1-0:1.8.0    json /temp/0            a value of an SML list; of a JSON document
 *
 * Without a type a field is text. field->source stays RH_UART_NONE until all words are right.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/uart.h"

struct parser {
    const struct rh_word *words;
    size_t n, at;
    const struct rh_device_conf *device;
    const struct rh_parse_context *context;
    struct rh_uart_field field;
    struct rh_place place; /* where something is missing */
};

#define WRONG(parser, place, suggestion, ...)                                                                \
    (rh_report_error((parser)->context->report, place, suggestion, __VA_ARGS__), false)

static const struct rh_word *next(struct parser *parser)
{
    return parser->at < parser->n ? &parser->words[parser->at++] : NULL;
}

static const struct rh_word *peek(const struct parser *parser)
{
    return parser->at < parser->n ? &parser->words[parser->at] : NULL;
}

static bool missing(const struct parser *parser, const char *what)
{
    return WRONG(parser, parser->place, NULL, "%s is missing", what);
}

static const char *keep(const struct parser *parser, const struct rh_word *word)
{
    return rh_arena_text(parser->context->arena, word->text, word->len);
}

/* A quoted word: what divides. */
static void parse_separator(struct parser *parser, const char *standard)
{
    const struct rh_word *word = peek(parser);
    bool said = word && word->quoted && word->text[0] != '/' && word->len > 0;
    parser->field.separator = said ? keep(parser, word) : standard;
    parser->field.separator_len = said ? word->len : strlen(standard);
    parser->at += said;
}

static bool parse_number(struct parser *parser, const char *what, int64_t least, int64_t most,
                         int64_t *ret_number)
{
    const struct rh_word *word = next(parser);
    if (!word)
        return missing(parser, what);
    if (rh_parse_int(word->text, ret_number) < 0 || *ret_number < least || *ret_number > most)
        return WRONG(parser, word->place, NULL, "\"%s\": %s must be a number, %lld..%lld", word->text, what,
                     (long long)least, (long long)most);
    return true;
}

static bool parse_csv(struct parser *parser)
{
    bool good = parse_number(parser, "the column", 0, 1000, &parser->field.at);
    parse_separator(parser, ",");
    return good;
}

static bool parse_name(struct parser *parser, const char *what)
{
    const struct rh_word *word = next(parser);
    if (!word || word->len == 0)
        return missing(parser, what);
    parser->field.name = keep(parser, word);
    parser->field.name_len = word->len;
    return true;
}

static bool parse_key(struct parser *parser)
{
    bool good = parse_name(parser, "the key");
    parse_separator(parser, "");
    return good;
}

static bool parse_own_regex(struct parser *parser, const struct rh_word *word)
{
    char why[200];
    struct rh_uart_field *field = &parser->field;
    field->regex = rh_uart_regex_new(parser->context->arena, word->text, word->len, why, sizeof why);
    if (!field->regex)
        return WRONG(parser, word->place, NULL, "%s: %s", word->text, why);
    field->capture = rh_uart_regex_groups(field->regex) > 0 ? 1 : 0;
    return true;
}

static bool parse_regex(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    const struct rh_uart_match *match = &rh_uart_group_of(parser->device, parser->field.group)->match;
    if (!word)
        return missing(parser, "the group of the regular expression");
    if (word->quoted && word->text[0] == '/')
        return parse_own_regex(parser, word);
    if (match->kind != RH_UART_MATCH_REGEX)
        return WRONG(parser, word->place, NULL, "regex %s needs match = /…(?<%s>…)…/", word->text,
                     word->text);
    parser->field.capture = rh_uart_regex_group(match->regex, word->text);
    if (parser->field.capture == 0)
        return WRONG(parser, word->place, NULL, "match = %s has no group (?<%s>…)",
                     rh_uart_regex_text(match->regex), word->text);
    return true;
}

static bool parse_raw(struct parser *parser)
{
    (void)parser;
    return true;
}

/* a-b, or a single column */
static bool parse_cols(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    struct rh_uart_field *field = &parser->field;
    char *dash, *end = NULL;
    if (!word)
        return missing(parser, "the range of columns");
    field->at = field->to = strtol(word->text, &dash, 10);
    if (*dash == '-')
        field->to = strtol(dash + 1, &end, 10);
    if (dash == word->text || *(end ? end : dash) != '\0' || field->at < 0 || field->to < field->at ||
        field->to >= RH_UART_FRAME_MAX)
        return WRONG(parser, word->place, NULL, "\"%s\": columns are FIRST-LAST, from 0, as 10-14",
                     word->text);
    return true;
}

static bool parse_bytes(struct parser *parser)
{
    return parse_number(parser, "the offset", -RH_UART_FRAME_MAX, RH_UART_FRAME_MAX - 1, &parser->field.at);
}

static bool parse_json(struct parser *parser)
{
    const struct rh_word *word = peek(parser);
    if (!parse_name(parser, "the JSON pointer"))
        return false;
    return word->text[0] == '/' ||
           WRONG(parser, word->place, NULL, "\"%s\": a JSON pointer begins with a slash: /temp", word->text);
}

static bool parse_code(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    if (!word)
        return missing(parser, "the OBIS code");
    if (!rh_uart_parse_obis(word->text, parser->field.obis, &parser->field.obis_mask))
        return WRONG(parser, word->place, NULL, "\"%s\" is no OBIS code: 1-0:1.8.0", word->text);
    return true;
}

static bool parse_obis(struct parser *parser)
{
    bool good = parse_code(parser);
    const struct rh_word *word = peek(parser);
    uint64_t bracket = 0;
    parser->field.last_bracket = !word || rh_parse_uint(word->text, &bracket) < 0 || bracket > 255;
    parser->field.bracket = (uint32_t)bracket;
    parser->at += !parser->field.last_bracket;
    return good;
}

static const struct source {
    const char *name;
    enum rh_uart_source source;
    bool (*parse)(struct parser *parser);
} sources[] = {
    {"csv", RH_UART_CSV, parse_csv},       {"key", RH_UART_KEY, parse_key},
    {"regex", RH_UART_REGEX, parse_regex}, {"raw", RH_UART_RAW, parse_raw},
    {"cols", RH_UART_COLS, parse_cols},    {"bytes", RH_UART_BYTES, parse_bytes},
    {"json", RH_UART_JSON, parse_json},    {"obis", RH_UART_OBIS, parse_obis},
    {"sml", RH_UART_SML, parse_code},
};

static const struct source *find_source(const char *word)
{
    for (size_t i = 0; i < RH_COUNT(sources); i++)
        if (strcmp(sources[i].name, word) == 0)
            return &sources[i];
    return NULL;
}

bool rh_uart_is_source(const char *word)
{
    return find_source(word) != NULL;
}

static bool unknown_source(const struct parser *parser, const struct rh_word *word)
{
    const char *names[RH_COUNT(sources)];
    for (size_t i = 0; i < RH_COUNT(sources); i++)
        names[i] = sources[i].name;
    return WRONG(parser, word->place, rh_text_nearest(word->text, names, RH_COUNT(names)),
                 "\"%s\" is neither a group of the profile nor csv, key, regex, raw, cols, bytes, json, obis "
                 "or sml",
                 word->text);
}

/* The group, if the first word is one, and the source. */
static const struct source *parse_source(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    parser->field.group = rh_uart_own_group(parser->device);
    for (uint32_t g = 0; g < parser->device->n_groups && word; g++) {
        if (strcmp(parser->device->groups[g].name, word->text) != 0)
            continue;
        parser->field.group = g;
        word = next(parser);
        break;
    }
    const struct source *source = word ? find_source(word->text) : NULL;
    if (!word)
        missing(parser, "the source of the value");
    else if (!source)
        unknown_source(parser, word);
    return source;
}

/* ---- types ---- */

#define TEXT_ONLY 1
#define BYTES_ONLY 2

static const struct type {
    const char *name;
    enum rh_type type;
    bool little;
    unsigned where; /* TEXT_ONLY, BYTES_ONLY or 0: both */
} types[] = {
    {"text", RH_TYPE_STR, false, TEXT_ONLY},
    {"str", RH_TYPE_STR, false, 0},
    {"hex", RH_TYPE_HEX, false, BYTES_ONLY},
    {"u8", RH_TYPE_U8, false, 0},
    {"s8", RH_TYPE_S8, false, 0},
    {"u16", RH_TYPE_U16, false, TEXT_ONLY},
    {"s16", RH_TYPE_S16, false, TEXT_ONLY},
    {"u24", RH_TYPE_U24, false, TEXT_ONLY},
    {"s24", RH_TYPE_S24, false, TEXT_ONLY},
    {"u32", RH_TYPE_U32, false, TEXT_ONLY},
    {"s32", RH_TYPE_S32, false, TEXT_ONLY},
    {"u48", RH_TYPE_U48, false, TEXT_ONLY},
    {"u64", RH_TYPE_U64, false, TEXT_ONLY},
    {"s64", RH_TYPE_S64, false, TEXT_ONLY},
    {"f32", RH_TYPE_F32, false, TEXT_ONLY},
    {"f64", RH_TYPE_F64, false, TEXT_ONLY},
    {"u16be", RH_TYPE_U16, false, BYTES_ONLY},
    {"u16le", RH_TYPE_U16, true, BYTES_ONLY},
    {"s16be", RH_TYPE_S16, false, BYTES_ONLY},
    {"s16le", RH_TYPE_S16, true, BYTES_ONLY},
    {"u24be", RH_TYPE_U24, false, BYTES_ONLY},
    {"u24le", RH_TYPE_U24, true, BYTES_ONLY},
    {"s24be", RH_TYPE_S24, false, BYTES_ONLY},
    {"s24le", RH_TYPE_S24, true, BYTES_ONLY},
    {"u32be", RH_TYPE_U32, false, BYTES_ONLY},
    {"u32le", RH_TYPE_U32, true, BYTES_ONLY},
    {"s32be", RH_TYPE_S32, false, BYTES_ONLY},
    {"s32le", RH_TYPE_S32, true, BYTES_ONLY},
    {"u48be", RH_TYPE_U48, false, BYTES_ONLY},
    {"u48le", RH_TYPE_U48, true, BYTES_ONLY},
    {"u64be", RH_TYPE_U64, false, BYTES_ONLY},
    {"u64le", RH_TYPE_U64, true, BYTES_ONLY},
    {"s64be", RH_TYPE_S64, false, BYTES_ONLY},
    {"s64le", RH_TYPE_S64, true, BYTES_ONLY},
    {"f32be", RH_TYPE_F32, false, BYTES_ONLY},
    {"f32le", RH_TYPE_F32, true, BYTES_ONLY},
    {"f64be", RH_TYPE_F64, false, BYTES_ONLY},
    {"f64le", RH_TYPE_F64, true, BYTES_ONLY},
};

static bool unknown_type(const struct parser *parser, const struct rh_word *word, unsigned not_here)
{
    const char *names[RH_COUNT(types)];
    size_t n = 0;
    for (size_t i = 0; i < RH_COUNT(types); i++)
        if (types[i].where != not_here)
            names[n++] = types[i].name;
    return WRONG(parser, word->place, rh_text_nearest(word->text, names, n), "unknown type \"%s\"%s",
                 word->text,
                 not_here == TEXT_ONLY ? ": numbers in bytes are u8, u16be, u16le, f32be, …" : "");
}

static bool parse_type(struct parser *parser)
{
    struct rh_uart_field *field = &parser->field;
    bool bytes = field->source == RH_UART_BYTES;
    unsigned not_here = bytes ? TEXT_ONLY : BYTES_ONLY;
    const struct rh_word *word = next(parser);
    field->type = RH_TYPE_STR;
    if (!word)
        return !bytes || missing(parser, "the type (u8, u16be, …)");
    for (size_t i = 0; i < RH_COUNT(types); i++) {
        if (types[i].where == not_here || strcmp(types[i].name, word->text) != 0)
            continue;
        field->type = types[i].type;
        field->little = types[i].little;
        return true;
    }
    return unknown_type(parser, word, not_here);
}

bool rh_uart_parse_point(const struct rh_word *words, size_t n, const struct rh_device_conf *device,
                         struct rh_point *point, void *address, const struct rh_parse_context *context)
{
    struct parser parser = {.words = words,
                            .n = n,
                            .device = device,
                            .context = context,
                            .place = n > 0 ? words[n - 1].place : device->place};
    const struct source *source = parse_source(&parser);
    bool good = source && source->parse(&parser);
    parser.field.source = source ? source->source : RH_UART_NONE;
    good = good && parse_type(&parser);
    const struct rh_word *extra = good ? next(&parser) : NULL;
    if (extra)
        good = WRONG(&parser, extra->place, NULL, "\"%s\" is a word too much", extra->text);
    if (!good)
        parser.field.source = RH_UART_NONE;
    parser.field.row = point;
    *(struct rh_uart_field *)address = parser.field;
    point->type = parser.field.type;
    return good;
}
