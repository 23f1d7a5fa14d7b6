/* SPDX-License-Identifier: MIT */
/*
 * Two ways to the same double. The quick one holds for nearly all readings: product and sum fit in 53 bits
 * and the power of ten is exact in a double (up to 10^22), so one multiplication or division rounds once.
 * The other one does the sum in limbs of nine decimal digits and lets strtod round it. Plain 64-bit
 * arithmetic throughout: 32-bit boards have no 128-bit integers, and their long double is a double.
 */
#include "drivers/scale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX (INT64_C(1) << 53)
#define EXACT_TENS 22
#define LIMB 1000000000
#define LIMB_DIGITS 9
#define LIMBS 12     /* 20 digits of raw, 19 of the factor, ALIGN_MAX of alignment: 84 of 108 */
#define ALIGN_MAX 45 /* decimal places between product and offset */
#define OFFSET_PLACES 15
#define VALUE_DIGITS 67 /* of a value less its offset: 20, ALIGN_MAX of alignment, and the carries */
#define SHIFT_MAX 40    /* 67 and 40 digits, doubled: 108 */
#define REAL_DIGITS 18  /* of a quotient, or one more: below 2^64 */

static const double tens[EXACT_TENS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static uint64_t magnitude_of(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static bool add_whole(struct rh_whole a, struct rh_whole b, struct rh_whole *ret_sum)
{
    if (a.negative == b.negative) {
        ret_sum->negative = a.negative;
        return !__builtin_add_overflow(a.magnitude, b.magnitude, &ret_sum->magnitude);
    }
    if (a.magnitude < b.magnitude) {
        struct rh_whole larger = b;
        b = a;
        a = larger;
    }
    ret_sum->magnitude = a.magnitude - b.magnitude;
    ret_sum->negative = a.negative && ret_sum->magnitude > 0;
    return true;
}

bool rh_scale_whole(const struct rh_scale *scale, struct rh_whole raw, struct rh_whole *ret_value)
{
    if (scale->factor.exponent < 0 || scale->offset != trunc(scale->offset) || fabs(scale->offset) >= 0x1p63)
        return false;
    struct rh_whole product = {raw.magnitude, raw.negative != (scale->factor.mantissa < 0)};
    uint64_t factor = magnitude_of(scale->factor.mantissa);
    if (__builtin_mul_overflow(product.magnitude, factor, &product.magnitude))
        return false;
    for (int i = 0; i < scale->factor.exponent && product.magnitude != 0; i++) {
        if (__builtin_mul_overflow(product.magnitude, UINT64_C(10), &product.magnitude))
            return false;
    }
    product.negative = product.negative && product.magnitude != 0;
    struct rh_whole offset = {magnitude_of((int64_t)scale->offset), scale->offset < 0};
    return add_whole(product, offset, ret_value);
}

/* The offset as the decimal with the fewest places that reads back as the same double. */
static bool offset_decimal(double offset, struct rh_decimal *ret_offset)
{
    for (int places = 0; places <= OFFSET_PLACES; places++) {
        double digits = rint(offset * tens[places]);
        if (!(fabs(digits) <= (double)EXACT_MAX))
            return false;
        if (digits / tens[places] == offset) {
            *ret_offset = (struct rh_decimal){(int64_t)digits, -places};
            return true;
        }
    }
    return false;
}

/* Multiplies by 10^places as long as the result stays exact in a double. */
static bool shift_left(int64_t *value, int places)
{
    for (; places > 0 && *value != 0; places--) {
        if (*value > EXACT_MAX / 10 || *value < -EXACT_MAX / 10)
            return false;
        *value *= 10;
    }
    return true;
}

/* product * 10^exponent + offset, if no step before the last rounds. */
static bool quick(int64_t product, int exponent, struct rh_decimal offset, double *ret_value)
{
    int common = offset.mantissa != 0 && offset.exponent < exponent ? offset.exponent : exponent;
    if (common < -EXACT_TENS || common > EXACT_TENS)
        return false;
    if (!shift_left(&product, exponent - common) || !shift_left(&offset.mantissa, offset.exponent - common))
        return false;
    int64_t sum = product + offset.mantissa;
    if (sum > EXACT_MAX || sum < -EXACT_MAX)
        return false;
    *ret_value = common < 0 ? (double)sum / tens[-common] : (double)sum * tens[common];
    return true;
}

static bool quick_product(struct rh_whole raw, int64_t factor, int64_t *ret_product)
{
    if (raw.magnitude > (uint64_t)EXACT_MAX)
        return false;
    int64_t value = raw.negative ? -(int64_t)raw.magnitude : (int64_t)raw.magnitude;
    return !__builtin_mul_overflow(value, factor, ret_product) && *ret_product <= EXACT_MAX &&
           *ret_product >= -EXACT_MAX;
}

/* A whole number of any size: sum of limb[i] * LIMB^i. All limbs carry the number's sign. */
struct big {
    int64_t limb[LIMBS];
};

static struct big big_of(uint64_t magnitude)
{
    struct big value = {{0}};
    for (size_t i = 0; magnitude > 0; i++) {
        value.limb[i] = (int64_t)(magnitude % LIMB);
        magnitude /= LIMB;
    }
    return value;
}

static struct big big_product(const struct big *a, const struct big *b)
{
    struct big product = {{0}};
    for (size_t i = 0; i < LIMBS; i++) {
        int64_t carry = 0;
        for (size_t j = 0; a->limb[i] != 0 && i + j < LIMBS; j++) {
            int64_t value = product.limb[i + j] + a->limb[i] * b->limb[j] + carry;
            product.limb[i + j] = value % LIMB;
            carry = value / LIMB;
        }
    }
    return product;
}

static struct big big_shift(struct big value, int places)
{
    for (; places > 0; places -= LIMB_DIGITS) {
        struct big power = big_of((uint64_t)tens[places < LIMB_DIGITS ? places : LIMB_DIGITS]);
        value = big_product(&value, &power);
    }
    return value;
}

static void big_negate(struct big *value)
{
    for (size_t i = 0; i < LIMBS; i++)
        value->limb[i] = -value->limb[i];
}

/* Brings every limb into 0..LIMB-1; what is left over at the top is below zero if the number is. */
static int64_t big_carry(struct big *value)
{
    int64_t carry = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        int64_t limb = value->limb[i] + carry;
        carry = limb / LIMB - (limb % LIMB < 0);
        value->limb[i] = limb - carry * LIMB;
    }
    return carry;
}

static struct big big_sum(const struct big *a, const struct big *b, bool *ret_negative)
{
    struct big sum;
    for (size_t i = 0; i < LIMBS; i++)
        sum.limb[i] = a->limb[i] + b->limb[i];
    struct big opposite = sum;
    *ret_negative = big_carry(&sum) < 0;
    if (!*ret_negative)
        return sum;
    big_negate(&opposite);
    big_carry(&opposite);
    return opposite;
}

/* Digits and an exponent, without a decimal point: the same in every locale. */
static double big_round(const struct big *value, bool negative, int exponent)
{
    char buffer[LIMBS * LIMB_DIGITS + 24];
    struct rh_text text;
    rh_text_init(&text, buffer, sizeof buffer);
    rh_text_put(&text, negative ? "-" : "");
    for (size_t i = LIMBS; i-- > 0;)
        rh_text_printf(&text, "%09lld", (long long)value->limb[i]);
    rh_text_printf(&text, "e%d", exponent);
    return strtod(buffer, NULL);
}

static double thorough(struct rh_whole raw, struct rh_decimal factor, struct rh_decimal offset)
{
    struct big a = big_of(raw.magnitude);
    struct big b = big_of(magnitude_of(factor.mantissa));
    struct big product = big_product(&a, &b);
    if (raw.negative != (factor.mantissa < 0))
        big_negate(&product);
    struct big addend = big_of(magnitude_of(offset.mantissa));
    if (offset.mantissa < 0)
        big_negate(&addend);
    int common =
        offset.mantissa != 0 && offset.exponent < factor.exponent ? offset.exponent : factor.exponent;
    product = big_shift(product, factor.exponent - common);
    addend = big_shift(addend, offset.exponent - common);
    bool negative = false;
    struct big sum = big_sum(&product, &addend, &negative);
    return big_round(&sum, negative, common);
}

double rh_scale_real(const struct rh_scale *scale, struct rh_whole raw, int exponent)
{
    static const struct rh_decimal none = {0, 0};
    struct rh_decimal factor = {scale->factor.mantissa, scale->factor.exponent + exponent};
    struct rh_decimal offset = none;
    bool decimal = offset_decimal(scale->offset, &offset);
    int64_t product = 0;
    double value = 0;
    if (decimal && quick_product(raw, factor.mantissa, &product) &&
        quick(product, factor.exponent, offset, &value))
        return value;
    if (offset.mantissa == 0)
        offset.exponent = factor.exponent;
    if (decimal && abs(offset.exponent - factor.exponent) <= ALIGN_MAX)
        return thorough(raw, factor, offset);
    return thorough(raw, factor, (struct rh_decimal){0, factor.exponent}) + scale->offset;
}

static bool parse_shortest(double value, bool single, struct rh_decimal *ret_decimal)
{
    char buffer[40];
    struct rh_text text;
    rh_text_init(&text, buffer, sizeof buffer);
    if (single)
        rh_text_float(&text, (float)value);
    else
        rh_text_double(&text, value);
    return rh_parse_decimal(buffer, ret_decimal) == 0;
}

static double plain_factor(const struct rh_scale *scale)
{
    return (double)scale->factor.mantissa * pow(10, scale->factor.exponent);
}

double rh_scale_number(const struct rh_scale *scale, double value, bool single)
{
    struct rh_decimal decimal;
    if (!parse_shortest(value, single, &decimal))
        return value * plain_factor(scale) + scale->offset;
    struct rh_whole raw = {magnitude_of(decimal.mantissa), decimal.mantissa < 0};
    return rh_scale_real(scale, raw, decimal.exponent);
}

bool rh_scale_decimal(double value, bool single, struct rh_whole *ret_number, int *ret_exponent)
{
    struct rh_decimal decimal;
    if (!parse_shortest(value, single, &decimal))
        return false;
    *ret_number = (struct rh_whole){magnitude_of(decimal.mantissa), decimal.mantissa < 0};
    *ret_exponent = decimal.exponent;
    return true;
}

/* number * 10^exponent - offset, as a magnitude with a sign, times 10^exponent. */
struct difference {
    struct big magnitude;
    bool negative;
    int exponent;
};

static bool is_zero(const struct big *value)
{
    for (size_t i = 0; i < LIMBS; i++)
        if (value->limb[i] != 0)
            return false;
    return true;
}

/* At most 67 digits; false where they do not reach. */
static bool subtract_offset(double offset, struct rh_whole number, int exponent,
                            struct difference *ret_difference)
{
    struct rh_decimal decimal;
    if (!parse_shortest(offset, false, &decimal))
        return false;
    if (decimal.mantissa == 0)
        decimal.exponent = exponent;
    if (number.magnitude == 0)
        exponent = decimal.exponent;
    if (abs(decimal.exponent - exponent) > ALIGN_MAX)
        return false;
    struct big value = big_of(number.magnitude);
    struct big taken = big_of(magnitude_of(decimal.mantissa));
    int common = decimal.exponent < exponent ? decimal.exponent : exponent;
    value = big_shift(value, exponent - common);
    taken = big_shift(taken, decimal.exponent - common);
    if (number.negative)
        big_negate(&value);
    if (decimal.mantissa > 0)
        big_negate(&taken);
    ret_difference->magnitude = big_sum(&value, &taken, &ret_difference->negative);
    ret_difference->exponent = common;
    return true;
}

/* |a - b|, and whether a < b. */
static struct big big_distance(const struct big *a, struct big b, bool *ret_less)
{
    big_negate(&b);
    return big_sum(a, &b, ret_less);
}

/* The whole number nearest to dividend / divisor, bit by bit from the top; false if it has more than 64. */
static bool big_quotient(const struct big *dividend, const struct big *divisor, uint64_t *ret_quotient)
{
    struct big rest = *dividend;
    bool less = false;
    *ret_quotient = 0;
    for (uint64_t bit = UINT64_C(1) << 63; bit != 0; bit >>= 1) {
        struct big factor = big_of(bit);
        struct big left = big_distance(&rest, big_product(divisor, &factor), &less);
        if (less)
            continue;
        *ret_quotient |= bit;
        rest = left;
    }
    big_distance(&rest, *divisor, &less);
    if (!less)
        return false;
    struct big doubled = big_sum(&rest, &rest, &less);
    big_distance(&doubled, *divisor, &less);
    return less || !__builtin_add_overflow(*ret_quotient, UINT64_C(1), ret_quotient);
}

static double plain_raw(const struct rh_scale *scale, struct rh_whole number, int exponent)
{
    double value = (double)number.magnitude * pow(10, exponent);
    return ((number.negative ? -value : value) - scale->offset) / plain_factor(scale);
}

bool rh_scale_raw_whole(const struct rh_scale *scale, struct rh_whole number, int exponent,
                        struct rh_whole *ret_raw)
{
    struct difference value;
    if (!subtract_offset(scale->offset, number, exponent, &value)) {
        double raw = round(plain_raw(scale, number, exponent));
        *ret_raw = (struct rh_whole){fabs(raw) < 0x1p64 ? (uint64_t)fabs(raw) : 0, raw < 0};
        return fabs(raw) < 0x1p64;
    }
    int places = value.exponent - scale->factor.exponent;
    *ret_raw = (struct rh_whole){0, false};
    if (is_zero(&value.magnitude) || places < -VALUE_DIGITS)
        return true;
    if (places > SHIFT_MAX)
        return false; /* at least 10^41, divided by less than 10^18 */
    struct big divisor = big_of(magnitude_of(scale->factor.mantissa));
    value.magnitude = big_shift(value.magnitude, places);
    divisor = big_shift(divisor, -places);
    bool fits = big_quotient(&value.magnitude, &divisor, &ret_raw->magnitude);
    ret_raw->negative = ret_raw->magnitude != 0 && value.negative != (scale->factor.mantissa < 0);
    return fits;
}

static int big_digits(const struct big *value)
{
    int limbs = LIMBS - 1, digits = 0;
    while (limbs > 0 && value->limb[limbs] == 0)
        limbs--;
    for (int64_t top = value->limb[limbs]; top > 0; top /= 10)
        digits++;
    return limbs * LIMB_DIGITS + digits;
}

double rh_scale_raw_real(const struct rh_scale *scale, struct rh_whole number, int exponent, bool single)
{
    struct difference value;
    char buffer[40];
    struct rh_text text;
    uint64_t digits = 0;
    if (!subtract_offset(scale->offset, number, exponent, &value))
        return plain_raw(scale, number, exponent);
    if (is_zero(&value.magnitude))
        return 0;
    struct big divisor = big_of(magnitude_of(scale->factor.mantissa));
    int places = REAL_DIGITS + big_digits(&divisor) - big_digits(&value.magnitude);
    value.magnitude = big_shift(value.magnitude, places);
    divisor = big_shift(divisor, -places);
    bool fits = big_quotient(&value.magnitude, &divisor, &digits);
    rh_assert(fits);
    rh_text_init(&text, buffer, sizeof buffer);
    rh_text_put(&text, value.negative != (scale->factor.mantissa < 0) ? "-" : "");
    rh_text_uint(&text, digits);
    rh_text_printf(&text, "e%d", value.exponent - scale->factor.exponent - places);
    return single ? (double)strtof(buffer, NULL) : strtod(buffer, NULL);
}
