/* SPDX-License-Identifier: MIT */
/*
 * Registers to readings. The bytes of a value are first brought into the order A B C D … (most significant
 * first), whatever the device does with words and bytes:
 *
 *   on the wire      register n   register n+1
 *   ABCD               A B            C D        as the Modbus specification has it
 *   CDAB               C D            A B        words swapped
 *   BADC               B A            D C        bytes swapped
 *   DCBA               D C            B A        both
 *
 * and for n registers alike: words reversed, bytes swapped in each. u24 and s24 are the lower three bytes
 * of two registers, u8 and s8 one half of one, a bit is one of the packed answer to functions 1 and 2.
 *
 * "No value" is decided on raw bits, before bits= and scale; a scale register is always big-endian.
 * Bytes come from outside: every access is checked against what the answer holds, never against the point.
 */
#include <math.h>
#include <string.h>

#include "core/text.h"
#include "drivers/modbus.h"
#include "drivers/scale.h"

#define SCALE_REG_NONE INT16_MIN
#define SCALE_REG_MAX 10
#define VALUE_BYTES (2 * RH_MODBUS_MAX_REGISTERS)

const struct rh_modbus_type rh_modbus_types[RH_TYPE_COUNT] = {
    [RH_TYPE_BIT] = {RH_MODBUS_BIT, 1, 1},         [RH_TYPE_U8] = {RH_MODBUS_UNSIGNED, 1, 8},
    [RH_TYPE_S8] = {RH_MODBUS_SIGNED, 1, 8},       [RH_TYPE_U16] = {RH_MODBUS_UNSIGNED, 1, 16},
    [RH_TYPE_S16] = {RH_MODBUS_SIGNED, 1, 16},     [RH_TYPE_U24] = {RH_MODBUS_UNSIGNED, 2, 24},
    [RH_TYPE_S24] = {RH_MODBUS_SIGNED, 2, 24},     [RH_TYPE_U32] = {RH_MODBUS_UNSIGNED, 2, 32},
    [RH_TYPE_S32] = {RH_MODBUS_SIGNED, 2, 32},     [RH_TYPE_U48] = {RH_MODBUS_UNSIGNED, 3, 48},
    [RH_TYPE_U64] = {RH_MODBUS_UNSIGNED, 4, 64},   [RH_TYPE_S64] = {RH_MODBUS_SIGNED, 4, 64},
    [RH_TYPE_F16] = {RH_MODBUS_FLOAT, 1, 16},      [RH_TYPE_F32] = {RH_MODBUS_FLOAT, 2, 32},
    [RH_TYPE_F64] = {RH_MODBUS_FLOAT, 4, 64},      [RH_TYPE_BCD16] = {RH_MODBUS_BCD, 1, 16},
    [RH_TYPE_BCD32] = {RH_MODBUS_BCD, 2, 32},      [RH_TYPE_BCD64] = {RH_MODBUS_BCD, 4, 64},
    [RH_TYPE_STR] = {RH_MODBUS_STR, 0, 0},         [RH_TYPE_HEX] = {RH_MODBUS_HEX, 0, 0},
    [RH_TYPE_TIME32] = {RH_MODBUS_UNBUILT, 2, 32}, [RH_TYPE_DATETIME] = {RH_MODBUS_UNBUILT, 4, 64},
};

/* One value on its way through the decoders. */
struct raw {
    const struct rh_point *point;
    const struct rh_modbus_address *address;
    uint8_t bytes[VALUE_BYTES]; /* most significant first */
    size_t n_bytes;
    uint64_t bits;         /* the same as a number, for all but text */
    struct rh_scale scale; /* the point's, with the scale register in */
};

static uint64_t mask(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static bool scaled(const struct raw *raw)
{
    return raw->scale.factor.mantissa != 1 || raw->scale.factor.exponent != 0 || raw->scale.offset != 0;
}

/* The registers of the point into raw->bytes; false if the answer does not hold them. */
static bool gather(struct raw *raw, const uint8_t *data, uint16_t first, uint16_t length)
{
    const struct rh_modbus_address *address = raw->address;
    unsigned registers = rh_modbus_types[raw->point->type].registers;
    unsigned n = registers != 0 ? registers : address->length;
    if (n > RH_MODBUS_MAX_REGISTERS || address->address < first || address->address - first + n > length)
        return false;
    const uint8_t *from = data + (size_t)2 * (address->address - first);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *word = from + (size_t)2 * (address->swap_words ? n - 1 - i : i);
        raw->bytes[2 * i] = word[address->swap_bytes];
        raw->bytes[2 * i + 1] = word[!address->swap_bytes];
    }
    raw->n_bytes = (size_t)2 * n;
    return true;
}

/* Sets raw->bits: the value's own bits, without what stands beside them in the registers. */
static void join(struct raw *raw)
{
    unsigned bits = rh_modbus_types[raw->point->type].bits;
    uint64_t all = 0;
    for (size_t i = 0; i < raw->n_bytes && i < sizeof all; i++)
        all = all << 8 | raw->bytes[i];
    if (bits == 8 && !raw->address->low_byte)
        all >>= 8;
    raw->bits = all & mask(bits);
}

/* Adds the scale register to the factor's exponent. */
static enum rh_quality apply_scale_reg(struct raw *raw, const uint8_t *data, uint16_t first, uint16_t length)
{
    uint16_t at = raw->address->scale_reg;
    if (!raw->address->has_scale_reg)
        return RH_GOOD;
    if (at < first || at - first >= length)
        return RH_INVALID;
    const uint8_t *word = data + (size_t)2 * (at - first);
    int exponent = (int16_t)(word[0] << 8 | word[1]);
    if (exponent == SCALE_REG_NONE)
        return RH_NA;
    if (exponent < -SCALE_REG_MAX || exponent > SCALE_REG_MAX)
        return RH_INVALID;
    raw->scale.factor.exponent += exponent;
    return RH_GOOD;
}

static bool sunspec_sentinel(const struct raw *raw)
{
    const struct rh_modbus_type *type = &rh_modbus_types[raw->point->type];
    switch (type->kind) {
    case RH_MODBUS_UNSIGNED:
        return raw->bits == mask(type->bits);
    case RH_MODBUS_SIGNED:
        return raw->bits == UINT64_C(1) << (type->bits - 1);
    case RH_MODBUS_STR:
        for (size_t i = 0; i < raw->n_bytes; i++)
            if (raw->bytes[i] != 0)
                return false;
        return true;
    default:
        return false; /* NaN of the floats is never a value, with or without SunSpec */
    }
}

static bool sentinel(const struct raw *raw)
{
    const struct rh_modbus_address *address = raw->address;
    uint64_t significant = mask(rh_modbus_types[raw->point->type].bits);
    if (address->invalid_sunspec && sunspec_sentinel(raw))
        return true;
    for (size_t i = 0; i < address->n_invalid && significant != 0; i++)
        if (((address->invalid[i] ^ raw->bits) & significant) == 0)
            return true;
    return false;
}

static struct rh_whole whole_of(uint64_t bits, unsigned width, bool is_signed)
{
    bool negative = is_signed && (bits >> (width - 1) & 1) != 0;
    return (struct rh_whole){negative ? (0 - bits) & mask(width) : bits, negative};
}

/* Whole numbers keep a kind for each point: unsigned types U64, unless an enum or a negative factor or
 * offset makes them I64. False if the number does not fit into its kind. */
static bool put_whole(const struct raw *raw, struct rh_whole whole, bool is_signed, struct rh_value *value)
{
    bool i64 =
        is_signed || raw->point->n_labels > 0 || raw->scale.factor.mantissa < 0 || raw->scale.offset < 0;
    if (whole.magnitude > (i64 ? (uint64_t)INT64_MAX + whole.negative : UINT64_MAX))
        return false;
    value->kind = i64 ? RH_VALUE_I64 : RH_VALUE_U64;
    value->u64 = whole.negative ? 0 - whole.magnitude : whole.magnitude;
    return true;
}

static enum rh_quality put_real(double number, enum rh_value_kind kind, struct rh_value *value)
{
    if (!isfinite(number))
        return RH_INVALID;
    value->kind = (uint8_t)kind;
    value->f64 = number;
    return RH_GOOD;
}

static enum rh_quality put_number(const struct raw *raw, struct rh_whole whole, bool is_signed,
                                  struct rh_value *value)
{
    struct rh_whole result;
    if (rh_scale_whole(&raw->scale, whole, &result) && put_whole(raw, result, is_signed, value))
        return RH_GOOD;
    return put_real(rh_scale_real(&raw->scale, whole, 0), RH_VALUE_F64, value);
}

static enum rh_quality decode_integer(const struct raw *raw, struct rh_value *value)
{
    const struct rh_modbus_type *type = &rh_modbus_types[raw->point->type];
    const struct rh_modbus_address *address = raw->address;
    bool is_signed = type->kind == RH_MODBUS_SIGNED;
    unsigned width = address->width != 0 ? address->width : type->bits;
    if (address->shift + width > type->bits)
        return RH_INVALID;
    uint64_t bits = raw->bits >> (address->width != 0 ? address->shift : 0) & mask(width);
    if (width > 1)
        return put_number(raw, whole_of(bits, width, is_signed), is_signed, value);
    if (raw->point->n_labels > 0)
        return put_number(raw, (struct rh_whole){bits, false}, true, value);
    value->kind = RH_VALUE_BOOL;
    value->boolean = bits != 0;
    return RH_GOOD;
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. Every one of them is a float. */
static double half(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1F;
    int fraction = bits & 0x3FF;
    double magnitude;
    if (exponent == 0x1F)
        magnitude = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, -24);
    else
        magnitude = ldexp(fraction + 0x400, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double float_of(uint64_t bits, unsigned width)
{
    if (width == 16)
        return half((uint16_t)bits);
    if (width == 32) {
        uint32_t low = (uint32_t)bits;
        float number;
        memcpy(&number, &low, sizeof number);
        return (double)number;
    }
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* A 16-bit float is handed on as the 32-bit float it equals. */
static enum rh_quality decode_float(const struct raw *raw, struct rh_value *value)
{
    unsigned width = rh_modbus_types[raw->point->type].bits;
    double number = float_of(raw->bits, width);
    if (!isfinite(number))
        return RH_NA;
    if (!scaled(raw))
        return put_real(number, width == 64 ? RH_VALUE_F64 : RH_VALUE_F32, value);
    return put_real(rh_scale_number(&raw->scale, number, width != 64), RH_VALUE_F64, value);
}

static enum rh_quality decode_bcd(const struct raw *raw, struct rh_value *value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < raw->n_bytes; i++) {
        unsigned high = raw->bytes[i] >> 4;
        unsigned low = raw->bytes[i] & 0xF;
        if (high > 9 || low > 9)
            return RH_INVALID;
        number = number * 100 + high * 10 + low;
    }
    return put_number(raw, (struct rh_whole){number, false}, false, value);
}

static enum rh_quality decode_str(const struct raw *raw, struct rh_value *value)
{
    size_t len = 0;
    while (len < raw->n_bytes && raw->bytes[len] != 0x00 && raw->bytes[len] != 0xFF)
        len++;
    while (len > 0 && raw->bytes[len - 1] == ' ')
        len--;
    if (len > RH_TEXT_MAX || rh_utf8_valid((const char *)raw->bytes, len) != len)
        return RH_INVALID;
    value->kind = RH_VALUE_TEXT;
    value->text_len = (uint8_t)len;
    memcpy(value->text, raw->bytes, len);
    value->text[len] = '\0';
    return RH_GOOD;
}

static enum rh_quality decode_hex(const struct raw *raw, struct rh_value *value)
{
    static const char digits[] = "0123456789abcdef";
    if (2 * raw->n_bytes > RH_TEXT_MAX)
        return RH_INVALID;
    value->kind = RH_VALUE_TEXT;
    value->text_len = (uint8_t)(2 * raw->n_bytes);
    for (size_t i = 0; i < raw->n_bytes; i++) {
        value->text[2 * i] = digits[raw->bytes[i] >> 4];
        value->text[2 * i + 1] = digits[raw->bytes[i] & 0xF];
    }
    value->text[value->text_len] = '\0';
    return RH_GOOD;
}

static enum rh_quality (*const decoders[])(const struct raw *raw, struct rh_value *value) = {
    [RH_MODBUS_BIT] = decode_integer,    [RH_MODBUS_UNSIGNED] = decode_integer,
    [RH_MODBUS_SIGNED] = decode_integer, [RH_MODBUS_FLOAT] = decode_float,
    [RH_MODBUS_BCD] = decode_bcd,        [RH_MODBUS_STR] = decode_str,
    [RH_MODBUS_HEX] = decode_hex,
};

/* Packed bits: the first in the lowest bit of the first byte. */
static bool take_bit(struct raw *raw, const uint8_t *data, uint16_t first, uint16_t length)
{
    uint16_t at = raw->address->address;
    if (at < first || at - first >= length)
        return false;
    raw->bits = data[(at - first) / 8] >> (at - first) % 8 & 1;
    return true;
}

static enum rh_quality decode(struct raw *raw, const uint8_t *data, uint16_t first, uint16_t length,
                              struct rh_value *value)
{
    const struct rh_modbus_type *type = &rh_modbus_types[raw->point->type];
    bool bit = type->kind == RH_MODBUS_BIT;
    if (type->kind == RH_MODBUS_UNBUILT)
        return RH_INVALID;
    if (!(bit ? take_bit : gather)(raw, data, first, length))
        return RH_INVALID;
    if (!bit)
        join(raw);
    if (sentinel(raw))
        return RH_NA;
    enum rh_quality quality = bit ? RH_GOOD : apply_scale_reg(raw, data, first, length);
    return quality == RH_GOOD ? decoders[type->kind](raw, value) : quality;
}

void rh_modbus_decode(const struct rh_point *point, const uint8_t *data, uint16_t first, uint16_t length,
                      struct rh_reading *ret_reading)
{
    struct raw raw = {.point = point, .address = point->address, .scale = {point->scale, point->offset}};
    rh_assert((int)point->type >= 0 && point->type < RH_TYPE_COUNT);
    ret_reading->value.kind = RH_VALUE_NONE;
    ret_reading->value.text_len = 0;
    ret_reading->detail = 0;
    ret_reading->quality = (uint8_t)decode(&raw, data, first, length, &ret_reading->value);
}
