/* SPDX-License-Identifier: MIT */
/*
 * The list of an SML message (SML 1.04, BSI TR-03109-1), without building its tree. A transport frame:
 *
 *   1b1b1b1b 01010101 | messages, escapes doubled | 1b1b1b1b 1a pp cccc
 *
 * Every element begins with a type-length field: high nibble 0 octets, 4 bool, 5 integer, 6 unsigned, 7 list;
 * its top bit says that another length nibble follows. The lengths of all but lists count the field itself.
 * An entry of the list is a list of seven:
 *
 *   77  07 0100010800ff  status  valTime  unit  scaler  value  signature
 *
 * Entries are found by their shape: a list of seven whose first element is six octets, the OBIS code.
 */
#include <string.h>

#include "drivers/uart_text.h"

#define ESCAPE_BYTES 4
#define HEAD_BYTES 8
#define TAIL_BYTES 8
#define DEPTH_MAX 12

enum type { OCTETS = 0, BOOL = 4, INTEGER = 5, UNSIGNED = 6, LIST = 7 };

/* The messages; the framer has taken the doubled escapes out. */
struct reader {
    const uint8_t *bytes;
    size_t len, at;
    const struct rh_uart_field *field;
    struct rh_uart_sml *value;
    bool found;
};

struct element {
    enum type type;
    size_t len; /* bytes of its content; of a list, elements */
    const uint8_t *content;
};

/* A type-length field and, but for lists, what follows it. */
static bool read_element(struct reader *reader, struct element *ret_element)
{
    size_t start = reader->at, len = 0;
    uint8_t head;
    do {
        if (reader->at >= reader->len || reader->at - start >= 4)
            return false;
        head = reader->bytes[reader->at++];
        len = len << 4 | (head & 0xFU);
    } while (head & 0x80);
    ret_element->type = (enum type)(reader->bytes[start] >> 4 & 7);
    ret_element->content = reader->bytes + reader->at;
    ret_element->len = len;
    if (ret_element->type == LIST)
        return true;
    size_t fields = reader->at - start;
    if (reader->bytes[start] == 0x00)
        return true; /* the end of a message */
    if (len < fields || len - fields > reader->len - reader->at)
        return false;
    ret_element->len = len - fields;
    reader->at += ret_element->len;
    return true;
}

static bool number_of(const struct element *element, struct rh_whole *ret_whole)
{
    uint64_t bits = 0;
    if (element->type < BOOL || element->type > UNSIGNED || element->len < 1 || element->len > 8)
        return false;
    for (size_t i = 0; i < element->len; i++)
        bits = bits << 8 | element->content[i];
    bool negative = element->type == INTEGER && (element->content[0] & 0x80) != 0;
    unsigned width = 8 * (unsigned)element->len;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    *ret_whole = (struct rh_whole){negative ? (0 - bits) & mask : bits, negative};
    return true;
}

static bool ours(const struct rh_uart_field *field, const struct element *name)
{
    if (name->type != OCTETS || name->len != 6)
        return false;
    for (size_t i = 0; i < 6; i++)
        if ((field->obis_mask & 1U << i) != 0 && name->content[i] != field->obis[i])
            return false;
    return true;
}

static void take_value(struct reader *reader, const struct element *scaler, const struct element *value)
{
    struct rh_whole exponent = {0};
    struct rh_uart_sml *sml = reader->value;
    *sml = (struct rh_uart_sml){.text = {value->content, value->len}};
    sml->number = number_of(value, &sml->whole);
    if (scaler->type == INTEGER && scaler->len == 1 && number_of(scaler, &exponent))
        sml->exponent = exponent.negative ? -(int)exponent.magnitude : (int)exponent.magnitude;
    reader->found = sml->number || value->type == OCTETS;
}

static bool read_list(struct reader *reader, size_t n, int depth);

/* Any element, its elements included. */
static bool skip(struct reader *reader, int depth, struct element *ret_element)
{
    if (!read_element(reader, ret_element))
        return false;
    return ret_element->type != LIST || read_list(reader, ret_element->len, depth + 1);
}

static bool read_list(struct reader *reader, size_t n, int depth)
{
    struct element elements[7] = {0}, element;
    if (depth > DEPTH_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!skip(reader, depth, &element))
            return false;
        if (i < 7)
            elements[i] = element;
    }
    if (n == 7 && !reader->found && ours(reader->field, &elements[0]))
        take_value(reader, &elements[4], &elements[5]);
    return true;
}

/* Between the transport's head and tail. */
enum rh_uart_place rh_uart_find_sml(const struct rh_uart_field *field, struct rh_uart_slice frame,
                                    struct rh_uart_sml *ret_value)
{
    struct element element;
    if (frame.len < HEAD_BYTES + TAIL_BYTES)
        return RH_UART_BROKEN;
    struct reader reader = {.bytes = frame.bytes + HEAD_BYTES,
                            .len = frame.len - HEAD_BYTES - TAIL_BYTES,
                            .field = field,
                            .value = ret_value};
    while (reader.at < reader.len && !reader.found)
        if (!skip(&reader, 0, &element))
            return reader.found ? RH_UART_THERE : RH_UART_BROKEN;
    return reader.found ? RH_UART_THERE : RH_UART_ABSENT;
}
