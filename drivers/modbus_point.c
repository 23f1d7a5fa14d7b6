/* SPDX-License-Identifier: MIT */
/*
 * The positional words of a Modbus point:
 *
 *   coil 3                     table address
 *   holding 40 s16             table address type
 *   input 52 u32 CDAB          table address type order
 *   holding 7 u8 hi            u8 and s8: which half of the register; the lower one (lo) unless said
 *   30053 u32                  the notation of manuals: first digit 0 coil, 1 discrete, 3 input, 4 holding,
 *                              then the number from 1, in four or five digits, whatever `base` says
 *
 * Every word is looked at even when one before it is wrong. address->function stays 0 until all are right:
 * options and checks that follow then know that there is nothing to hold them against.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/modbus.h"

#define TABLE_END 65536
#define NOTATION_SHORT 5
#define NOTATION_LONG 6

struct parser {
    const struct rh_word *words;
    size_t n, at;
    const struct rh_modbus_device *device;
    const struct rh_parse_context *context;
    struct rh_modbus_address address;
    struct rh_place place; /* where something is missing: the last word, or the device */
    bool wrong;
};

struct row {
    const char *word;
    int value;
};

static const struct row tables[] = {
    {"coil", RH_MODBUS_READ_COILS},
    {"discrete", RH_MODBUS_READ_DISCRETE},
    {"holding", RH_MODBUS_READ_HOLDING},
    {"input", RH_MODBUS_READ_INPUT},
};

/* Bit 0: words swapped; bit 1: bytes swapped. */
static const struct row orders[] = {{"ABCD", 0}, {"CDAB", 1}, {"BADC", 2}, {"DCBA", 3}};
static const struct row halves[] = {{"hi", 0}, {"lo", 1}};

/* What other tools call our types. */
static const struct {
    const char *theirs, *ours;
} synonyms[] = {
    {"uint8", "u8"},    {"int8", "s8"},   {"i8", "s8"},       {"uint16", "u16"}, {"int16", "s16"},
    {"i16", "s16"},     {"word", "u16"},  {"short", "s16"},   {"uint32", "u32"}, {"int32", "s32"},
    {"i32", "s32"},     {"dword", "u32"}, {"long", "s32"},    {"uint64", "u64"}, {"int64", "s64"},
    {"i64", "s64"},     {"float", "f32"}, {"float32", "f32"}, {"real", "f32"},   {"double", "f64"},
    {"float64", "f64"}, {"bcd", "bcd16"}, {"string", "str"},  {"ascii", "str"},
};

#define WRONG(parser, place, suggestion, ...)                                                                \
    do {                                                                                                     \
        rh_report_error((parser)->context->report, place, suggestion, __VA_ARGS__);                          \
        (parser)->wrong = true;                                                                              \
    } while (0)

static const struct rh_word *next(struct parser *parser)
{
    return parser->at < parser->n ? &parser->words[parser->at++] : NULL;
}

static const char *nearest(const char *word, const char *const *candidates, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(word, candidates[i]) == 0)
            return candidates[i];
    return rh_text_nearest(word, candidates, n);
}

static const struct row *find(const struct row *rows, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].word, word) == 0)
            return &rows[i];
    return NULL;
}

static const char *nearest_row(const struct row *rows, size_t n, const char *word)
{
    const char *candidates[RH_COUNT(orders)];
    rh_assert(n <= RH_COUNT(candidates));
    for (size_t i = 0; i < n; i++)
        candidates[i] = rows[i].word;
    return nearest(word, candidates, n);
}

static bool all_digits(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* 40001, 400001: table and address in one word. */
static void parse_notation(struct parser *parser, const struct rh_word *word)
{
    static const uint8_t functions[] = {RH_MODBUS_READ_COILS, RH_MODBUS_READ_DISCRETE, 0,
                                        RH_MODBUS_READ_INPUT, RH_MODBUS_READ_HOLDING};
    size_t table = (size_t)(word->text[0] - '0');
    uint64_t number = strtoul(word->text + 1, NULL, 10);
    bool sized = word->len == NOTATION_SHORT || word->len == NOTATION_LONG;
    if (!sized || table >= RH_COUNT(functions) || functions[table] == 0) {
        WRONG(parser, word->place, NULL,
              "\"%s\" is no table: write coil, discrete, holding or input before the address, or five or six "
              "digits "
              "that begin with 0, 1, 3 or 4",
              word->text);
        return;
    }
    if (number < 1 || number > TABLE_END) {
        WRONG(parser, word->place, NULL, "\"%s\": numbers of this notation count from 1 to 65536",
              word->text);
        return;
    }
    parser->address.function = functions[table];
    parser->address.address = (uint16_t)(number - 1);
}

static void parse_number(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    int64_t number = 0;
    if (word == NULL) {
        WRONG(parser, parser->place, NULL, "the address is missing");
        parser->address.function = 0; /* one message is enough: the type is missing, too */
        return;
    }
    int error = rh_parse_int(word->text, &number);
    if (error == -EINVAL) {
        WRONG(parser, word->place, NULL, "\"%s\" is no address: 0..65535 or 0x0000..0xFFFF", word->text);
    } else if (error < 0 || number < parser->device->base || number - parser->device->base >= TABLE_END) {
        WRONG(parser, word->place, NULL, "address %s is out of range: %d..%d%s", word->text,
              (int)parser->device->base, (int)parser->device->base + TABLE_END - 1,
              parser->device->base == 1 ? " with base=1" : "");
    } else {
        parser->address.address = (uint16_t)(number - parser->device->base);
    }
}

static void parse_table(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    if (word == NULL) {
        WRONG(parser, parser->place, NULL, "a point needs a table, an address and a type: holding 40 u16");
        return;
    }
    if (all_digits(word->text)) {
        parse_notation(parser, word);
        return;
    }
    const struct row *table = find(tables, RH_COUNT(tables), word->text);
    if (table == NULL)
        WRONG(parser, word->place, nearest_row(tables, RH_COUNT(tables), word->text),
              "unknown table \"%s\": coil, discrete, holding or input", word->text);
    else
        parser->address.function = (uint8_t)table->value;
    parse_number(parser);
}

static const char *nearest_type(const char *word)
{
    const char *candidates[RH_TYPE_COUNT];
    size_t n = 0;
    for (size_t i = 0; i < RH_COUNT(synonyms); i++)
        if (strcasecmp(word, synonyms[i].theirs) == 0)
            return synonyms[i].ours;
    for (int type = 0; type < RH_TYPE_COUNT; type++)
        if (rh_modbus_types[type].kind != RH_MODBUS_UNBUILT && rh_modbus_types[type].kind != RH_MODBUS_BIT)
            candidates[n++] = rh_type_name((enum rh_type)type);
    return nearest(word, candidates, n);
}

static void parse_type(struct parser *parser)
{
    const struct rh_word *word = next(parser);
    parser->address.type = RH_TYPE_COUNT;
    if (word == NULL) {
        if (parser->address.function != 0)
            WRONG(parser, parser->place, NULL,
                  "the type is missing: registers are read as u16, s16, u32, f32, …");
        return;
    }
    enum rh_type type = rh_type_of(word->text);
    if (type == RH_TYPE_COUNT)
        WRONG(parser, word->place, nearest_type(word->text), "unknown type \"%s\"", word->text);
    else if (type == RH_TYPE_BIT)
        WRONG(parser, word->place, "u16",
              "bit is the type of coils; a bit of a register is u16 with bits=SHIFT:1");
    else if (rh_modbus_types[type].kind == RH_MODBUS_UNBUILT)
        WRONG(parser, word->place, NULL, "type %s is not built yet", word->text);
    else
        parser->address.type = type;
}

static void parse_half(struct parser *parser, const struct rh_word *word)
{
    const struct row *half = find(halves, RH_COUNT(halves), word->text);
    if (half == NULL)
        WRONG(parser, word->place, nearest_row(halves, RH_COUNT(halves), word->text),
              "u8 and s8 take the half of the register, hi or lo, not \"%s\"", word->text);
    else
        parser->address.low_byte = half->value != 0;
}

static void parse_order(struct parser *parser)
{
    enum rh_type type = parser->address.type;
    bool byte = type == RH_TYPE_U8 || type == RH_TYPE_S8;
    parser->address.low_byte = byte;
    const struct rh_word *word = next(parser);
    if (word == NULL || type == RH_TYPE_COUNT)
        return;
    if (byte) {
        parse_half(parser, word);
        return;
    }
    const struct row *order = find(orders, RH_COUNT(orders), word->text);
    if (order == NULL) {
        WRONG(parser, word->place, nearest_row(orders, RH_COUNT(orders), word->text),
              "unknown order \"%s\": ABCD, CDAB, BADC or DCBA", word->text);
        return;
    }
    parser->address.swap_words = (order->value & 1) != 0;
    parser->address.swap_bytes = (order->value & 2) != 0;
}

static bool is_bit(uint8_t function)
{
    return function == RH_MODBUS_READ_COILS || function == RH_MODBUS_READ_DISCRETE;
}

static void parse_rest(struct parser *parser)
{
    bool bit = is_bit(parser->address.function);
    if (bit) {
        parser->address.type = RH_TYPE_BIT;
    } else {
        parse_type(parser);
        parse_order(parser);
    }
    const struct rh_word *extra = next(parser);
    if (extra != NULL)
        WRONG(parser, extra->place, NULL,
              bit ? "coil and discrete take no type: \"%s\" is too much" : "\"%s\" is a word too much",
              extra->text);
}

/* The span of the point; that of str and hex is known by `len` only. */
static void parse_end(struct parser *parser)
{
    struct rh_modbus_address *address = &parser->address;
    if (address->type == RH_TYPE_COUNT)
        return;
    address->length = rh_modbus_types[address->type].registers;
    if ((uint32_t)address->address + address->length > TABLE_END)
        WRONG(parser, parser->place, NULL,
              "the point reaches past the end of its table: %s takes %u registers",
              rh_type_name(address->type), address->length);
}

bool rh_modbus_parse_point(const struct rh_word *words, size_t n, const struct rh_device_conf *device,
                           struct rh_point *point, void *address, const struct rh_parse_context *context)
{
    struct rh_modbus_address *target = address;
    struct parser parser = {.words = words,
                            .n = n,
                            .device = device->options,
                            .context = context,
                            .place = n > 0 ? words[n - 1].place : device->place};
    parser.address.base = (uint8_t)parser.device->base;
    parse_table(&parser);
    parse_rest(&parser);
    parse_end(&parser);
    if (parser.wrong) {
        *target = (struct rh_modbus_address){.function = 0};
        return false;
    }
    *target = parser.address;
    point->type = parser.address.type;
    return true;
}
