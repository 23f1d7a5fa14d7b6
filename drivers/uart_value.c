/* SPDX-License-Identifier: MIT */
/*
 * Numbers in text are taken as the decimals they are: 00001.010 is 1010 * 10^-3, and is scaled without ever
 * passing through a double.
 */
#include "drivers/uart_value.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MAX 18 /* that surely fit into 64 bits */
#define NUMBER_MAX 63 /* characters of a number with more */

enum kind { NO_NUMBER, UNSIGNED, SIGNED, FLOAT };

static const struct {
    enum kind kind;
    uint8_t bits;
} types[RH_TYPE_COUNT] = {
    [RH_TYPE_U8] = {UNSIGNED, 8},   [RH_TYPE_S8] = {SIGNED, 8},     [RH_TYPE_U16] = {UNSIGNED, 16},
    [RH_TYPE_S16] = {SIGNED, 16},   [RH_TYPE_U24] = {UNSIGNED, 24}, [RH_TYPE_S24] = {SIGNED, 24},
    [RH_TYPE_U32] = {UNSIGNED, 32}, [RH_TYPE_S32] = {SIGNED, 32},   [RH_TYPE_U48] = {UNSIGNED, 48},
    [RH_TYPE_U64] = {UNSIGNED, 64}, [RH_TYPE_S64] = {SIGNED, 64},   [RH_TYPE_F32] = {FLOAT, 32},
    [RH_TYPE_F64] = {FLOAT, 64},
};

size_t rh_uart_field_size(const struct rh_uart_field *field)
{
    return types[field->type].kind == NO_NUMBER ? field->len : types[field->type].bits / 8U;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

struct rh_uart_slice rh_uart_trim(struct rh_uart_slice text)
{
    while (text.len > 0 && blank(text.bytes[0])) {
        text.bytes++;
        text.len--;
    }
    while (text.len > 0 && blank(text.bytes[text.len - 1]))
        text.len--;
    return text;
}

static struct rh_scale scale_of(const struct rh_point *point)
{
    return (struct rh_scale){point->scale, point->offset};
}

static enum rh_quality put_real(double number, struct rh_value *value)
{
    if (!isfinite(number))
        return RH_INVALID;
    value->kind = RH_VALUE_F64;
    value->f64 = number;
    return RH_GOOD;
}

/* ---- whole numbers ---- */

static bool fits(struct rh_whole whole, enum rh_type type)
{
    unsigned bits = types[type].bits;
    if (types[type].kind == UNSIGNED)
        return !whole.negative && (bits == 64 || whole.magnitude >> bits == 0);
    uint64_t limit = UINT64_C(1) << (bits - 1);
    return whole.negative ? whole.magnitude <= limit : whole.magnitude < limit;
}

/* Unsigned points stay unsigned, unless labels or a negative scale need a sign: one kind for each point. */
static bool put_whole(const struct rh_point *point, struct rh_whole whole, struct rh_value *value)
{
    bool i64 = types[point->type].kind == SIGNED || point->n_labels > 0 || point->scale.mantissa < 0 ||
               point->offset < 0;
    if (i64 ? whole.magnitude > (uint64_t)INT64_MAX + whole.negative : whole.negative)
        return false;
    value->kind = i64 ? RH_VALUE_I64 : RH_VALUE_U64;
    value->u64 = whole.negative ? 0 - whole.magnitude : whole.magnitude;
    return true;
}

static enum rh_quality scale_whole(const struct rh_point *point, struct rh_whole whole,
                                   struct rh_value *value)
{
    struct rh_scale scale = scale_of(point);
    struct rh_whole result;
    if (rh_scale_whole(&scale, whole, &result) && put_whole(point, result, value))
        return RH_GOOD;
    return put_real(rh_scale_real(&scale, whole, 0), value);
}

/* Takes the exponent into the number; false if a fraction remains, or it does not fit. */
static bool make_whole(struct rh_whole *whole, int exponent)
{
    for (; exponent < 0 && whole->magnitude % 10 == 0 && whole->magnitude > 0; exponent++)
        whole->magnitude /= 10;
    for (; exponent > 0 && whole->magnitude > 0; exponent--) {
        if (whole->magnitude > UINT64_MAX / 10)
            return false;
        whole->magnitude *= 10;
    }
    return exponent >= 0 || whole->magnitude == 0;
}

enum rh_quality rh_uart_value_of_number(const struct rh_point *point, struct rh_whole whole, int exponent,
                                        struct rh_value *ret_value)
{
    struct rh_scale scale = scale_of(point);
    if (types[point->type].kind == FLOAT)
        return put_real(rh_scale_real(&scale, whole, exponent), ret_value);
    if (types[point->type].kind == NO_NUMBER || !make_whole(&whole, exponent) || !fits(whole, point->type))
        return RH_INVALID;
    whole.negative = whole.negative && whole.magnitude > 0;
    return scale_whole(point, whole, ret_value);
}

/* ---- numbers in text ---- */

struct decimal {
    struct rh_whole whole;
    int exponent;
    size_t digits; /* significant ones */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static void add_digit(struct decimal *decimal, uint8_t c, bool fraction)
{
    if (decimal->digits > 0 || c != '0')
        decimal->digits++;
    if (decimal->digits <= DIGITS_MAX) {
        decimal->whole.magnitude = decimal->whole.magnitude * 10 + (unsigned)(c - '0');
        decimal->exponent -= fraction;
    } else {
        decimal->exponent += !fraction;
    }
}

/* "e-3" at `at`: the bytes it takes, 0 if it is none. */
static size_t read_exponent(struct rh_uart_slice text, size_t at, int *exponent)
{
    size_t i = at + 1;
    int number = 0;
    bool negative = i < text.len && text.bytes[i] == '-';
    i += i < text.len && (text.bytes[i] == '-' || text.bytes[i] == '+');
    size_t first = i;
    for (; i < text.len && i < first + 3 && is_digit(text.bytes[i]); i++)
        number = number * 10 + text.bytes[i] - '0';
    if (i == first)
        return 0;
    *exponent += negative ? -number : number;
    return i - at;
}

/* The number at the start of the text: the bytes it takes, 0 if there is none. */
static size_t read_decimal(struct rh_uart_slice text, struct decimal *ret_decimal)
{
    struct decimal decimal = {0};
    size_t i = text.len > 0 && (text.bytes[0] == '-' || text.bytes[0] == '+'), digits = 0;
    bool fraction = false;
    for (; i < text.len; i++) {
        if (is_digit(text.bytes[i])) {
            add_digit(&decimal, text.bytes[i], fraction);
            digits++;
        } else if (text.bytes[i] == '.' && !fraction) {
            fraction = true;
        } else {
            break;
        }
    }
    if (digits == 0)
        return 0;
    if (i < text.len && (text.bytes[i] == 'e' || text.bytes[i] == 'E'))
        i += read_exponent(text, i, &decimal.exponent);
    decimal.whole.negative = text.bytes[0] == '-' && decimal.whole.magnitude > 0;
    *ret_decimal = decimal;
    return i;
}

/* More digits than fit: as a double, if it is a point of that. */
static enum rh_quality long_number(const struct rh_point *point, struct rh_uart_slice text,
                                   struct rh_value *value)
{
    char buffer[NUMBER_MAX + 1];
    struct rh_scale scale = scale_of(point);
    double number;
    if (types[point->type].kind != FLOAT || text.len > NUMBER_MAX)
        return RH_INVALID;
    bool plus = text.bytes[0] == '+';
    memcpy(buffer, text.bytes + plus, text.len - plus);
    buffer[text.len - plus] = '\0';
    if (rh_parse_double(buffer, &number) < 0)
        return RH_INVALID;
    return put_real(rh_scale_number(&scale, number, false), value);
}

static bool says_nan(struct rh_uart_slice text)
{
    return (text.len == 3 && strncasecmp((const char *)text.bytes, "nan", 3) == 0) ||
           (text.len == 4 && strncasecmp((const char *)text.bytes, "-nan", 4) == 0);
}

/* A unit may follow a number after a blank; another number may not. */
static bool ends_well(struct rh_uart_slice text, size_t at)
{
    if (at == text.len)
        return true;
    if (!blank(text.bytes[at]))
        return false;
    while (at < text.len && blank(text.bytes[at]))
        at++;
    return !is_digit(text.bytes[at]) && !memchr("+-.", text.bytes[at], 3);
}

static enum rh_quality number_of_text(const struct rh_point *point, struct rh_uart_slice text,
                                      struct rh_value *value)
{
    struct decimal decimal;
    if (text.len == 0 || says_nan(text))
        return RH_NA;
    size_t n = read_decimal(text, &decimal);
    if (n == 0 || !ends_well(text, n))
        return RH_INVALID;
    text.len = n;
    if (decimal.digits > DIGITS_MAX)
        return long_number(point, text, value);
    return rh_uart_value_of_number(point, decimal.whole, decimal.exponent, value);
}

/* ---- text ---- */

static enum rh_quality put_text(const char *text, size_t len, struct rh_value *value)
{
    if (len > RH_TEXT_MAX || rh_utf8_valid(text, len) != len)
        return RH_INVALID;
    value->kind = RH_VALUE_TEXT;
    value->text_len = (uint8_t)len;
    memcpy(value->text, text, len);
    value->text[len] = '\0';
    return RH_GOOD;
}

/* A text that has a label is the label. */
static enum rh_quality text_of_text(const struct rh_point *point, struct rh_uart_slice text,
                                    struct rh_value *value)
{
    for (size_t i = 0; i < point->n_labels; i++) {
        const char *code = point->label_codes[i];
        if (strlen(code) == text.len && memcmp(code, text.bytes, text.len) == 0)
            return put_text(point->labels[i].label, strlen(point->labels[i].label), value);
    }
    return put_text((const char *)text.bytes, text.len, value);
}

static bool invalid_text(const struct rh_uart_field *field, struct rh_uart_slice text)
{
    struct decimal decimal;
    struct rh_scale one = {{1, 0}, 0};
    bool number = types[field->type].kind != NO_NUMBER && field->n_invalid > 0 &&
                  read_decimal(text, &decimal) > 0 && decimal.digits <= DIGITS_MAX;
    double value = number ? rh_scale_real(&one, decimal.whole, decimal.exponent) : 0;
    for (size_t i = 0; i < field->n_invalid; i++) {
        const struct rh_uart_invalid *invalid = &field->invalid[i];
        if (invalid->len == text.len && memcmp(invalid->text, text.bytes, text.len) == 0)
            return true;
        if (number && invalid->number && !(value < invalid->value) && !(value > invalid->value))
            return true;
    }
    return false;
}

enum rh_quality rh_uart_value_of_text(const struct rh_point *point, struct rh_uart_slice text,
                                      struct rh_value *ret_value)
{
    const struct rh_uart_field *field = point->address;
    text = rh_uart_trim(text);
    if (invalid_text(field, text))
        return RH_NA;
    bool number = types[point->type].kind != NO_NUMBER;
    return (number ? number_of_text : text_of_text)(point, text, ret_value);
}

/* ---- dddmm.mmmm ---- */

/* dddmm.mmmm in units of 10^-9 degrees, rounded; false if it is no such number, or beyond `most` degrees. */
static bool nano_degrees(const struct decimal *decimal, uint64_t most, uint64_t *ret_nano)
{
    uint64_t unit = 1;
    if (decimal->whole.negative || decimal->digits > 15 || decimal->exponent > 0 || decimal->exponent < -9)
        return false;
    for (int i = decimal->exponent; i < 0; i++)
        unit *= 10;
    uint64_t degrees = decimal->whole.magnitude / (unit * 100);
    uint64_t minutes = decimal->whole.magnitude % (unit * 100);
    uint64_t nano_minutes = minutes * (UINT64_C(1000000000) / unit);
    *ret_nano = degrees * 1000000000 + (nano_minutes + 30) / 60;
    return minutes < unit * 60 && *ret_nano <= most * 1000000000;
}

enum rh_quality rh_uart_value_of_latlon(const struct rh_point *point, struct rh_uart_slice degrees,
                                        struct rh_uart_slice hemisphere, struct rh_value *ret_value)
{
    struct decimal decimal;
    struct rh_whole nano = {0};
    uint8_t side = hemisphere.len == 1 ? hemisphere.bytes[0] : 0;
    degrees = rh_uart_trim(degrees);
    if (degrees.len == 0)
        return RH_NA;
    if (read_decimal(degrees, &decimal) != degrees.len || !memchr("NSEW", side, 4) ||
        !nano_degrees(&decimal, side == 'N' || side == 'S' ? 90 : 180, &nano.magnitude))
        return RH_INVALID;
    nano.negative = (side == 'S' || side == 'W') && nano.magnitude > 0;
    return rh_uart_value_of_number(point, nano, -9, ret_value);
}

/* ---- bytes ---- */

static enum rh_quality text_of_bytes(const struct rh_uart_field *field, const struct rh_point *point,
                                     const uint8_t *bytes, struct rh_value *value)
{
    static const char digits[] = "0123456789abcdef";
    struct rh_uart_slice text = {bytes, strnlen((const char *)bytes, field->len)};
    if (field->type == RH_TYPE_STR)
        return rh_uart_value_of_text(point, text, value);
    if (2 * field->len > RH_TEXT_MAX)
        return RH_INVALID;
    value->kind = RH_VALUE_TEXT;
    value->text_len = (uint8_t)(2 * field->len);
    for (size_t i = 0; i < field->len; i++) {
        value->text[2 * i] = digits[bytes[i] >> 4];
        value->text[2 * i + 1] = digits[bytes[i] & 0xF];
    }
    value->text[value->text_len] = '\0';
    return RH_GOOD;
}

static enum rh_quality float_of_bits(const struct rh_point *point, uint64_t bits, struct rh_value *value)
{
    bool single = point->type == RH_TYPE_F32;
    struct rh_scale scale = scale_of(point);
    uint32_t low = (uint32_t)bits;
    float narrow;
    double number;
    memcpy(&narrow, &low, sizeof narrow);
    memcpy(&number, &bits, sizeof number);
    number = single ? (double)narrow : number;
    if (!isfinite(number))
        return RH_NA;
    if (scale.factor.mantissa != 1 || scale.factor.exponent != 0 || scale.offset < 0 || scale.offset > 0)
        return put_real(rh_scale_number(&scale, number, single), value);
    value->kind = single ? RH_VALUE_F32 : RH_VALUE_F64;
    value->f64 = number;
    return RH_GOOD;
}

static bool invalid_bits(const struct rh_uart_field *field, uint64_t bits, struct rh_whole whole)
{
    double value = (double)whole.magnitude * (whole.negative ? -1 : 1);
    for (size_t i = 0; i < field->n_invalid; i++) {
        double invalid = field->invalid[i].value;
        if (field->invalid[i].number && ((!(value < invalid) && !(value > invalid)) ||
                                         ((double)bits >= invalid && (double)bits <= invalid)))
            return true;
    }
    return false;
}

enum rh_quality rh_uart_value_of_bytes(const struct rh_point *point, const uint8_t *bytes,
                                       struct rh_value *ret_value)
{
    const struct rh_uart_field *field = point->address;
    unsigned width = types[field->type].bits;
    uint64_t bits = 0;
    if (types[field->type].kind == NO_NUMBER)
        return text_of_bytes(field, point, bytes, ret_value);
    for (size_t i = 0; i < width / 8; i++)
        bits = bits << 8 | bytes[field->little ? width / 8 - 1 - i : i];
    bool negative = types[field->type].kind == SIGNED && (bits >> (width - 1) & 1) != 0;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    struct rh_whole whole = {negative ? (0 - bits) & mask : bits, negative};
    if (invalid_bits(field, bits, whole))
        return RH_NA;
    if (types[field->type].kind == FLOAT)
        return float_of_bits(point, bits, ret_value);
    return scale_whole(point, whole, ret_value);
}
