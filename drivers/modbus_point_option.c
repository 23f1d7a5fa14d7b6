/* SPDX-License-Identifier: MIT */
/*
 * The options of a Modbus point, and what only holds for words and options together.
 *
 * The words of a point are parsed before its options, so each option is held against the point's type at
 * its own place in the file. The field of a row is the whole struct rh_modbus_address: most options set
 * more than one member. While address->function is 0 the words were wrong and only syntax is checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/modbus.h"

#define TABLE_END 65536
#define HEX_REGISTERS (RH_TEXT_MAX / 4) /* four digits each */
#define INVALID_MAX 64

static enum rh_modbus_kind kind_of(enum rh_type type)
{
    return rh_modbus_types[type].kind;
}

static bool is_integer(enum rh_type type)
{
    return kind_of(type) == RH_MODBUS_UNSIGNED || kind_of(type) == RH_MODBUS_SIGNED;
}

static bool is_text(enum rh_type type)
{
    return kind_of(type) == RH_MODBUS_STR || kind_of(type) == RH_MODBUS_HEX;
}

/* Options that stand on a type they mean nothing for. */
static bool suits(const struct rh_option_value *value, const struct rh_modbus_address *address, bool suited,
                  const char *types)
{
    if (address->function == 0 || suited)
        return true;
    return rh_modbus_wrong(value, NULL, "is for %s, not for %s", types, rh_type_name(address->type));
}

static bool number_until(const char *text, size_t len, uint64_t *ret_number)
{
    char buffer[24];
    if (len == 0 || len >= sizeof buffer)
        return false;
    memcpy(buffer, text, len);
    buffer[len] = '\0';
    return rh_parse_uint(buffer, ret_number) == 0;
}

static bool parse_bits(const struct rh_option_value *value, void *field)
{
    struct rh_modbus_address *address = field;
    uint64_t shift = 0, width = 0;
    size_t colon = strcspn(value->text, ":");
    if (!suits(value, address, is_integer(address->type), "integers"))
        return false;
    bool number = number_until(value->text, colon, &shift);
    if (number && value->text[colon] == '\0') {
        char suggestion[32];
        struct rh_text text;
        rh_text_init(&text, suggestion, sizeof suggestion);
        rh_text_printf(&text, "%s:1", value->text);
        return rh_modbus_wrong(value, suggestion, "must be SHIFT:WIDTH");
    }
    if (!number || rh_parse_uint(value->text + colon + 1, &width) < 0)
        return rh_modbus_wrong(value, NULL, "must be SHIFT:WIDTH, as 3:1, counted from the lowest bit");
    unsigned bits = address->function == 0 ? 64 : rh_modbus_types[address->type].bits;
    if (width < 1 || width > bits || shift > bits - width)
        return rh_modbus_wrong(value, NULL, "does not fit into the %u bits of %s", bits,
                               rh_type_name(address->type));
    address->shift = (uint8_t)shift;
    address->width = (uint8_t)width;
    return true;
}

static bool parse_len(const struct rh_option_value *value, void *field)
{
    struct rh_modbus_address *address = field;
    uint64_t len = 0;
    if (!suits(value, address, is_text(address->type), "str and hex"))
        return false;
    address->length = 1; /* wrong is not missing: one message is enough */
    unsigned max = kind_of(address->type) == RH_MODBUS_HEX ? HEX_REGISTERS : RH_MODBUS_MAX_REGISTERS;
    if (rh_parse_uint(value->text, &len) < 0 || len < 1 || len > max)
        return rh_modbus_wrong(value, NULL, "counts registers, 1..%u", max);
    if (address->address + len > TABLE_END)
        return rh_modbus_wrong(value, NULL, "the point reaches past the end of its table: %u + %u registers",
                               address->address, (unsigned)len);
    address->length = (uint16_t)len;
    return true;
}

static bool parse_scale_reg(const struct rh_option_value *value, void *field)
{
    struct rh_modbus_address *address = field;
    uint64_t number = 0;
    if (!suits(value, address, is_integer(address->type), "integers"))
        return false;
    if (rh_parse_uint(value->text, &number) < 0 || number < address->base ||
        number - address->base >= TABLE_END)
        return rh_modbus_wrong(value, NULL, "must be an address, %u..%u", address->base,
                               address->base + TABLE_END - 1U);
    address->scale_reg = (uint16_t)(number - address->base);
    address->has_scale_reg = true;
    return true;
}

/* A decimal number on a float type means its value; its bits are what is compared. */
static bool float_bits(enum rh_type type, const char *text, uint64_t *ret_bits)
{
    double number = 0;
    if (type == RH_TYPE_F16 || rh_parse_double(text, &number) < 0)
        return false;
    if (type == RH_TYPE_F32) {
        float single = (float)number;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        *ret_bits = bits;
    } else {
        memcpy(ret_bits, &number, sizeof number);
    }
    return true;
}

static bool sentinel_bits(const struct rh_modbus_address *address, const char *text, uint64_t *ret_bits)
{
    int64_t number = 0;
    bool hex = strncasecmp(text, "0x", 2) == 0;
    if (address->function != 0 && kind_of(address->type) == RH_MODBUS_FLOAT && !hex)
        return float_bits(address->type, text, ret_bits);
    if (text[0] != '-')
        return rh_parse_uint(text, ret_bits) == 0;
    if (rh_parse_int(text, &number) < 0)
        return false;
    *ret_bits = (uint64_t)number;
    return true;
}

/* Whether raw bits can be those of the type: as they are, or sign-extended from a negative number. */
static bool bits_fit(const struct rh_modbus_address *address, uint64_t bits)
{
    unsigned width = address->function == 0 ? 64 : rh_modbus_types[address->type].bits;
    uint64_t above = width >= 64 ? 0 : UINT64_MAX << width;
    uint64_t sign = UINT64_C(1) << (width - 1);
    return (bits & above) == 0 || ((bits & above) == above && (bits & sign) != 0);
}

/* One member of the list invalid=; `value` is that member with its own place. */
static bool add_sentinel(const struct rh_option_value *value, struct rh_modbus_address *address,
                         uint64_t *bits)
{
    bool understood = address->function != 0;
    enum rh_modbus_kind kind = kind_of(address->type);
    if (strcmp(value->text, "sunspec") == 0) {
        address->invalid_sunspec = true;
        return suits(value, address, kind != RH_MODBUS_HEX && kind != RH_MODBUS_BCD && kind != RH_MODBUS_BIT,
                     "the types of SunSpec");
    }
    if (!suits(value, address, !is_text(address->type) && kind != RH_MODBUS_BIT, "numbers"))
        return false;
    if (!sentinel_bits(address, value->text, &bits[address->n_invalid]))
        return rh_modbus_wrong(value, strcasecmp(value->text, "sunspec") == 0 ? "sunspec" : NULL,
                               "must be raw bits (0x8000), numbers, or sunspec");
    if (!bits_fit(address, bits[address->n_invalid]))
        return rh_modbus_wrong(value, NULL, "does not fit into %s",
                               understood ? rh_type_name(address->type) : "64 bits");
    address->n_invalid++;
    return true;
}

static size_t members(const char *list)
{
    size_t n = 1;
    for (; *list != '\0'; list++)
        n += *list == ',';
    return n;
}

static bool parse_invalid(const struct rh_option_value *value, void *field)
{
    struct rh_modbus_address *address = field;
    if (members(value->text) > INVALID_MAX)
        return rh_modbus_wrong(value, NULL, "at most %d members", INVALID_MAX);
    uint64_t *bits = rh_arena_alloc(value->arena, members(value->text) * sizeof *bits);
    bool right = true;
    address->invalid = bits;
    address->n_invalid = 0;
    address->invalid_sunspec = false;
    for (const char *at = value->text;;) {
        size_t blank = strspn(at, " \t");
        size_t len = strcspn(at + blank, ", \t");
        struct rh_option_value one = *value;
        one.place.column += one.place.column > 0 ? (unsigned)(at - value->text + (ptrdiff_t)blank) : 0;
        one.text = rh_arena_text(value->arena, at + blank, len);
        one.len = len;
        right = add_sentinel(&one, address, bits) && right;
        at += blank + len;
        at += strspn(at, " \t");
        if (*at != ',')
            return right &&
                   (*at == '\0' || rh_modbus_wrong(value, NULL, "its members are divided by commas"));
        at++;
    }
}

static const struct rh_option point_rows[] = {
    {.name = "bits",
     .kind = RH_OPTION_CUSTOM,
     .choices = "SHIFT:WIDTH",
     .help = "takes a field out of an integer; one bit is yes or no, fields of signed types are signed",
     .parse = parse_bits},
    {.name = "len",
     .kind = RH_OPTION_CUSTOM,
     .choices = "1..125",
     .help = "registers of a str or hex (hex: at most 63)",
     .parse = parse_len},
    {.name = "invalid",
     .kind = RH_OPTION_CUSTOM,
     .choices = "0x8000,… or sunspec",
     .help = "raw values that mean \"no value\", before bits and scale",
     .parse = parse_invalid},
    {.name = "scale_reg",
     .kind = RH_OPTION_CUSTOM,
     .choices = "ADDRESS",
     .help = "the register of the same table that holds the exponent of ten (s16)",
     .parse = parse_scale_reg},
};
const struct rh_option_table rh_modbus_point_options = {point_rows, RH_COUNT(point_rows)};

/* The rules of check_point, one row each. */
struct rule {
    bool (*broken)(const struct rh_point *point, const struct rh_modbus_address *address);
    const char *message;
};

static bool has_scale(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->scale.mantissa != 1 || point->scale.exponent != 0 || point->offset != 0 ||
           address->has_scale_reg;
}

static bool is_yes_or_no(const struct rh_modbus_address *address)
{
    return kind_of(address->type) == RH_MODBUS_BIT || address->width == 1;
}

static bool len_missing(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return is_text(point->type) && address->length == 0;
}

static bool scaled_bit(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return is_yes_or_no(address) && has_scale(point, address);
}

static bool scaled_text(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return is_text(point->type) && has_scale(point, address);
}

static bool enum_unsuited(const struct rh_point *point, const struct rh_modbus_address *address)
{
    (void)address;
    return point->n_labels > 0 && (is_text(point->type) || kind_of(point->type) == RH_MODBUS_FLOAT);
}

static bool enum_scaled(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->n_labels > 0 && !is_yes_or_no(address) && !enum_unsuited(point, address) &&
           has_scale(point, address);
}

static bool deadband_on_text(const struct rh_point *point, const struct rh_modbus_address *address)
{
    (void)address;
    return is_text(point->type) && point->deadband != 0;
}

static bool limits_on_text(const struct rh_point *point, const struct rh_modbus_address *address)
{
    (void)address;
    return is_text(point->type) && (point->has_min || point->has_max);
}

static bool read_only_table(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->writable && address->function != RH_MODBUS_READ_COILS &&
           address->function != RH_MODBUS_READ_HOLDING;
}

static bool writable_bits(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->writable && address->width != 0;
}

static bool writable_half(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->writable && rh_modbus_types[address->type].bits == 8;
}

static bool writable_scale_reg(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->writable && address->has_scale_reg;
}

static bool writable_too_long(const struct rh_point *point, const struct rh_modbus_address *address)
{
    return point->writable && address->length > RH_MODBUS_MAX_WRITE;
}

static bool limits_crossed(const struct rh_point *point, const struct rh_modbus_address *address)
{
    (void)address;
    return point->has_min && point->has_max && point->min > point->max;
}

static const struct rule rules[] = {
    {len_missing, "str and hex need len=, their number of registers"},
    {scaled_bit, "a single bit is yes or no: it takes no scale or offset"},
    {scaled_text, "text takes no scale or offset"},
    {enum_unsuited, "enum= names the values of integers"},
    {enum_scaled, "enum= names raw values: it takes no scale or offset"},
    {deadband_on_text, "text takes no deadband"},
    {limits_on_text, "text takes no min or max"},
    {limits_crossed, "min is greater than max"},
    {read_only_table,
     "discrete inputs and input registers cannot be written, only coils and holding registers"},
    {writable_bits, "writing a field of bits= is not built yet"},
    {writable_half, "one half of a register cannot be written without the other: u8 and s8 are read-only"},
    {writable_scale_reg, "with scale_reg it is read-only"},
    {writable_too_long, "one request writes 123 registers at most"},
};

bool rh_modbus_overlaps(const struct rh_point *a, const struct rh_point *b)
{
    const struct rh_modbus_address *left = a->address, *right = b->address;
    return left->function == right->function && left->address < (uint32_t)right->address + right->length &&
           right->address < (uint32_t)left->address + left->length;
}

/* All that must come in one answer must fit into one. */
static bool check_span(const struct rh_point *point, const struct rh_modbus_address *address,
                       int64_t max_read, struct rh_place place, const struct rh_parse_context *context)
{
    uint32_t start, end;
    rh_modbus_span(address, &start, &end);
    if (kind_of(address->type) == RH_MODBUS_BIT || end - start <= max_read)
        return true;
    if (address->length > max_read)
        rh_report_error(context->report, place, NULL,
                        "point %s takes %u registers in one answer, and the device gives %d (max_read)",
                        point->name, address->length, (int)max_read);
    else
        rh_report_error(
            context->report, place, NULL,
            "point %s and its scale_reg must come in one answer: %u registers, and the device gives %d "
            "(max_read)",
            point->name, end - start, (int)max_read);
    return false;
}

bool rh_modbus_check_point(const struct rh_point *point, const struct rh_device_conf *device,
                           struct rh_place place, const struct rh_parse_context *context)
{
    const struct rh_modbus_address *address = point->address;
    const struct rh_modbus_device *options = device->options;
    bool right = true;
    if (address->function == 0)
        return true;
    for (size_t i = 0; i < RH_COUNT(rules); i++) {
        if (!rules[i].broken(point, address))
            continue;
        rh_report_error(context->report, place, NULL, "point %s: %s", point->name, rules[i].message);
        right = false;
    }
    return check_span(point, address, options->max_read, place, context) && right;
}
