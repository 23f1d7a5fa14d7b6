/* SPDX-License-Identifier: MIT */
/*
 * modbus_encode.c - values to registers: modbus_value.c the other way round.
 *
 *   value --less offset, by factor, rounded--> raw bits --most significant byte first--> word and byte order
 *
 * Nothing is written that would not read back: what has been encoded is decoded again, and refused if it
 * says "no value" (a sentinel of the device) or nothing at all. The unused byte above a u24 is 0, that above
 * an s24 repeats its sign.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "drivers/modbus.h"
#include "drivers/scale.h"

#define HALF_INFINITE 0x7C00

/* One value on its way to the wire. */
struct making {
    const struct rh_modbus_address *address;
    const struct rh_modbus_type *type;
    struct rh_scale scale;
    const struct rh_value *value;
    size_t n_bytes;
    uint8_t bytes[2 * RH_MODBUS_MAX_WRITE]; /* most significant first */
};

bool rh_modbus_can_write(const struct rh_point *point)
{
    const struct rh_modbus_address *address = point->address;
    const struct rh_modbus_type *type = &rh_modbus_types[point->type];
    if (type->kind == RH_MODBUS_BIT)
        return address->function == RH_MODBUS_READ_COILS;
    return address->function == RH_MODBUS_READ_HOLDING && type->kind != RH_MODBUS_UNBUILT &&
           type->bits != 8 && address->width == 0 && !address->has_scale_reg &&
           address->length <= RH_MODBUS_MAX_WRITE;
}

static bool is_number(const struct rh_value *value)
{
    return value->kind == RH_VALUE_I64 || value->kind == RH_VALUE_U64 ||
           ((value->kind == RH_VALUE_F64 || value->kind == RH_VALUE_F32) && isfinite(value->f64));
}

static bool is_float(const struct rh_value *value)
{
    return value->kind == RH_VALUE_F64 || value->kind == RH_VALUE_F32;
}

static bool scaled(const struct making *making)
{
    const struct rh_scale *scale = &making->scale;
    return scale->factor.mantissa != 1 || scale->factor.exponent != 0 || scale->offset != 0;
}

/* The number as a decimal; false if it is too large or too small for one. */
static bool decimal_of(const struct rh_value *value, struct rh_whole *ret_number, int *ret_exponent)
{
    if (is_float(value))
        return rh_scale_decimal(value->f64, value->kind == RH_VALUE_F32, ret_number, ret_exponent);
    bool negative = value->kind == RH_VALUE_I64 && value->i64 < 0;
    *ret_number = (struct rh_whole){negative ? 0 - value->u64 : value->u64, negative};
    *ret_exponent = 0;
    return true;
}

static int encode_bit(struct making *making)
{
    const struct rh_value *value = making->value;
    double number = 0;
    if (value->kind == RH_VALUE_BOOL) {
        making->bytes[0] = value->boolean;
        return 0;
    }
    if (!is_number(value) || !rh_value_number(value, &number))
        return -EINVAL;
    if (number != 0 && number != 1)
        return -ERANGE;
    making->bytes[0] = number != 0;
    return 0;
}

static void put_bits(struct making *making, uint64_t bits)
{
    for (size_t i = making->n_bytes; i-- > 0; bits >>= 8)
        making->bytes[i] = (uint8_t)bits;
}

/* The nearest raw number. What is too small for a decimal counts as zero. */
static int raw_of(const struct making *making, struct rh_whole *ret_raw)
{
    struct rh_whole number = {0, false};
    int exponent = 0;
    if (!is_number(making->value))
        return -EINVAL;
    if (!decimal_of(making->value, &number, &exponent) && fabs(making->value->f64) >= 1)
        return -ERANGE;
    return rh_scale_raw_whole(&making->scale, number, exponent, ret_raw) ? 0 : -ERANGE;
}

static int encode_integer(struct making *making)
{
    struct rh_whole raw;
    int error = raw_of(making, &raw);
    if (error)
        return error;
    uint64_t most = UINT64_MAX >> (64 - making->type->bits);
    if (making->type->kind == RH_MODBUS_SIGNED)
        most = (most >> 1) + raw.negative;
    else if (raw.negative)
        return -ERANGE;
    if (raw.magnitude > most)
        return -ERANGE;
    put_bits(making, raw.negative ? 0 - raw.magnitude : raw.magnitude);
    return 0;
}

static int encode_bcd(struct making *making)
{
    struct rh_whole raw;
    uint64_t bits = 0;
    int error = raw_of(making, &raw);
    if (error)
        return error;
    for (unsigned at = 0; at < making->type->bits; at += 4) {
        bits |= raw.magnitude % 10 << at;
        raw.magnitude /= 10;
    }
    if (raw.negative || raw.magnitude > 0)
        return -ERANGE;
    put_bits(making, bits);
    return 0;
}

/* The raw number as floating point; not finite if it is beyond that. */
static double raw_real(const struct making *making)
{
    const struct rh_value *value = making->value;
    bool single = making->type->bits == 32;
    struct rh_whole number = {0, false};
    int exponent = 0;
    if (is_float(value) && !scaled(making))
        return value->f64;
    if (decimal_of(value, &number, &exponent))
        return rh_scale_raw_real(&making->scale, number, exponent, single);
    double factor = (double)making->scale.factor.mantissa * pow(10, making->scale.factor.exponent);
    return (value->f64 - making->scale.offset) / factor;
}

/* The nearest IEEE 754 binary16, ties to even. A fraction that rounds up to 2 carries into the exponent, up
 * to infinity. */
static uint16_t half_of(double number)
{
    double magnitude = fabs(number);
    unsigned bits;
    if (magnitude >= 0x1p16)
        bits = HALF_INFINITE;
    else if (magnitude < 0x1p-14)
        bits = (unsigned)rint(ldexp(magnitude, 24));
    else
        bits = ((unsigned)(ilogb(magnitude) + 15) << 10) +
               (unsigned)rint(ldexp(magnitude, 10 - ilogb(magnitude))) - 0x400;
    return (uint16_t)(bits | (signbit(number) ? 0x8000U : 0));
}

static int encode_float(struct making *making)
{
    uint64_t bits = 0;
    if (!is_number(making->value))
        return -EINVAL;
    double number = raw_real(making);
    if (!isfinite(number))
        return -ERANGE;
    if (making->type->bits == 64) {
        memcpy(&bits, &number, sizeof bits);
    } else if (making->type->bits == 32) {
        float single = (float)number;
        uint32_t low;
        memcpy(&low, &single, sizeof low);
        if (!isfinite(single))
            return -ERANGE;
        bits = low;
    } else {
        bits = half_of(number);
        if ((bits & HALF_INFINITE) == HALF_INFINITE)
            return -ERANGE;
    }
    put_bits(making, bits);
    return 0;
}

static int encode_str(struct making *making)
{
    const struct rh_value *value = making->value;
    if (value->kind != RH_VALUE_TEXT)
        return -EINVAL;
    if (value->text_len > making->n_bytes || memchr(value->text, '\0', value->text_len) != NULL)
        return -ERANGE;
    memcpy(making->bytes, value->text, value->text_len);
    return 0;
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) & 15) : -1;
}

/* Two digits for every byte of the point. */
static int encode_hex(struct making *making)
{
    const struct rh_value *value = making->value;
    if (value->kind != RH_VALUE_TEXT)
        return -EINVAL;
    for (size_t i = 0; i < value->text_len; i++)
        if (digit_of(value->text[i]) < 0)
            return -EINVAL;
    if (value->text_len != 2 * making->n_bytes)
        return -ERANGE;
    for (size_t i = 0; i < making->n_bytes; i++)
        making->bytes[i] = (uint8_t)(digit_of(value->text[2 * i]) << 4 | digit_of(value->text[2 * i + 1]));
    return 0;
}

static int (*const encoders[])(struct making *making) = {
    [RH_MODBUS_BIT] = encode_bit,        [RH_MODBUS_UNSIGNED] = encode_integer,
    [RH_MODBUS_SIGNED] = encode_integer, [RH_MODBUS_FLOAT] = encode_float,
    [RH_MODBUS_BCD] = encode_bcd,        [RH_MODBUS_STR] = encode_str,
    [RH_MODBUS_HEX] = encode_hex,
};

/* Into the words and bytes of the device. */
static void scatter(const struct making *making, uint8_t *data)
{
    size_t n = making->n_bytes / 2;
    for (size_t i = 0; i < n; i++) {
        uint8_t *word = data + 2 * (making->address->swap_words ? n - 1 - i : i);
        word[making->address->swap_bytes] = making->bytes[2 * i];
        word[!making->address->swap_bytes] = making->bytes[2 * i + 1];
    }
}

int rh_modbus_encode(const struct rh_point *point, const struct rh_value *value,
                     uint8_t ret_data[2 * RH_MODBUS_MAX_WRITE])
{
    const struct rh_modbus_address *address = point->address;
    struct making making = {.address = address,
                            .type = &rh_modbus_types[point->type],
                            .scale = {point->scale, point->offset},
                            .value = value,
                            .n_bytes = (size_t)2 * address->length};
    struct rh_reading reading = {0};
    if (!rh_modbus_can_write(point))
        return -EROFS;
    int error = encoders[making.type->kind](&making);
    if (error)
        return error;
    if (making.type->kind == RH_MODBUS_BIT)
        ret_data[0] = making.bytes[0];
    else
        scatter(&making, ret_data);
    rh_modbus_decode(point, ret_data, address->address, address->length, &reading);
    return reading.quality == RH_GOOD ? 0 : -ERANGE;
}

int rh_modbus_check(const struct rh_point *point, const struct rh_value *value)
{
    uint8_t data[2 * RH_MODBUS_MAX_WRITE];
    return rh_modbus_encode(point, value, data);
}
