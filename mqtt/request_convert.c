/* SPDX-License-Identifier: MIT */
/*
 * request_convert.c - from what an operator wrote to a value of the point's own kind: the kind that its
 * readings have, so that what was asked for and what is read back can be compared.
 *
 *   labels         I64, the code; given as label or code, only known ones
 *   bit            BOOL
 *   str, hex       TEXT
 *   fractional     F64
 *   other          U64, or I64 where the type is signed, or its factor or offset negative
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "mqtt/request.h"

#define STEP_TOLERANCE 1e-6L /* of a step */
#define EXACT_DOUBLE 0x1p53  /* whole numbers beyond are not told apart by a double */

static bool text_type(const struct rh_point *point)
{
    return point->type == RH_TYPE_STR || point->type == RH_TYPE_HEX;
}

/* A whole number of 64 bits and its sign. */
struct whole {
    uint64_t bits; /* as int64_t if negative */
    bool negative;
};

static struct whole whole_of(int64_t value)
{
    return (struct whole){(uint64_t)value, value < 0};
}

static enum rh_command_code whole_of_double(double value, struct whole *ret_whole)
{
    if (!isfinite(value) || trunc(value) != value)
        return RH_CODE_TYPE;
    if (fabs(value) > EXACT_DOUBLE)
        return RH_CODE_RANGE;
    *ret_whole = whole_of((int64_t)value);
    return RH_CODE_NONE;
}

/* A bare word: decimal or 0x…, or a decimal number that happens to be whole ("42.0"). */
static enum rh_command_code whole_of_text(const char *text, struct whole *ret_whole)
{
    int64_t value = 0;
    double number = 0;
    int rc = text[0] == '-' ? rh_parse_int(text, &value) : rh_parse_uint(text, &ret_whole->bits);
    if (rc == -ERANGE)
        return RH_CODE_RANGE;
    if (rc < 0)
        return rh_parse_double(text, &number) < 0 ? RH_CODE_TYPE : whole_of_double(number, ret_whole);
    if (text[0] == '-')
        *ret_whole = whole_of(value);
    return RH_CODE_NONE;
}

static enum rh_command_code to_whole(const struct rh_value *given, bool bare, struct whole *ret_whole)
{
    *ret_whole = (struct whole){0, false};
    switch ((enum rh_value_kind)given->kind) {
    case RH_VALUE_I64:
        *ret_whole = whole_of(given->i64);
        return RH_CODE_NONE;
    case RH_VALUE_U64:
        ret_whole->bits = given->u64;
        return RH_CODE_NONE;
    case RH_VALUE_F64:
    case RH_VALUE_F32:
        return whole_of_double(given->f64, ret_whole);
    case RH_VALUE_TEXT:
        return bare ? whole_of_text(given->text, ret_whole) : RH_CODE_TYPE;
    case RH_VALUE_BOOL:
    case RH_VALUE_NONE:
        break;
    }
    return RH_CODE_TYPE;
}

static enum rh_command_code to_number(const struct rh_point *point, const struct rh_value *given, bool bare,
                                      struct rh_value *value)
{
    struct whole whole;
    enum rh_command_code code = to_whole(given, bare, &whole);
    if (code != RH_CODE_NONE)
        return code;
    bool is_signed = point->type == RH_TYPE_S8 || point->type == RH_TYPE_S16 || point->type == RH_TYPE_S24 ||
                     point->type == RH_TYPE_S32 || point->type == RH_TYPE_S64;
    bool i64 = is_signed || point->scale.mantissa < 0 || point->offset < 0;
    if (i64 ? !whole.negative && whole.bits > INT64_MAX : whole.negative)
        return RH_CODE_RANGE;
    value->kind = i64 ? RH_VALUE_I64 : RH_VALUE_U64;
    value->u64 = whole.bits;
    return RH_CODE_NONE;
}

static enum rh_command_code to_real(const struct rh_point *point, const struct rh_value *given, bool bare,
                                    struct rh_value *value)
{
    (void)point;
    double number = 0;
    bool known = given->kind != RH_VALUE_BOOL && rh_value_number(given, &number);
    if (!known && bare && given->kind == RH_VALUE_TEXT)
        known = rh_parse_double(given->text, &number) == 0;
    if (!known || !isfinite(number))
        return RH_CODE_TYPE;
    value->kind = RH_VALUE_F64;
    value->f64 = number;
    return RH_CODE_NONE;
}

static enum rh_command_code to_bool(const struct rh_point *point, const struct rh_value *given, bool bare,
                                    struct rh_value *value)
{
    static const struct {
        const char *word;
        bool is;
    } words[] = {
        {"true", true}, {"false", false}, {"1", true},   {"0", false},
        {"on", true},   {"off", false},   {"yes", true}, {"no", false},
    };
    (void)point;
    value->kind = RH_VALUE_BOOL;
    if (given->kind == RH_VALUE_BOOL) {
        value->boolean = given->boolean;
        return RH_CODE_NONE;
    }
    if (given->kind == RH_VALUE_I64 && (given->i64 == 0 || given->i64 == 1)) {
        value->boolean = given->i64 == 1;
        return RH_CODE_NONE;
    }
    for (size_t i = 0; bare && given->kind == RH_VALUE_TEXT && i < RH_COUNT(words); i++) {
        if (strcasecmp(given->text, words[i].word) != 0)
            continue;
        value->boolean = words[i].is;
        return RH_CODE_NONE;
    }
    return RH_CODE_TYPE;
}

static enum rh_command_code to_text(const struct rh_point *point, const struct rh_value *given, bool bare,
                                    struct rh_value *value)
{
    (void)point;
    (void)bare;
    if (given->kind != RH_VALUE_TEXT || rh_utf8_valid(given->text, given->text_len) != given->text_len)
        return RH_CODE_TYPE;
    *value = *given;
    return RH_CODE_NONE;
}

static enum rh_command_code to_code(const struct rh_point *point, const struct rh_value *given, bool bare,
                                    struct rh_value *value)
{
    value->kind = RH_VALUE_I64;
    for (size_t i = 0; given->kind == RH_VALUE_TEXT && i < point->n_labels; i++) {
        if (strcmp(point->labels[i].label, given->text) != 0)
            continue;
        value->i64 = point->labels[i].code;
        return RH_CODE_NONE;
    }
    struct whole whole;
    enum rh_command_code code = to_whole(given, bare, &whole);
    if (code != RH_CODE_NONE)
        return code;
    value->u64 = whole.bits;
    bool fits = whole.negative || whole.bits <= INT64_MAX;
    return fits && rh_point_label(point, value->i64) ? RH_CODE_NONE : RH_CODE_RANGE;
}

/* ---- limits ---- */

/* With 64 bits of mantissa where the processor has them, so that large whole numbers compare exactly. */
static long double wide(const struct rh_value *value)
{
    if (value->kind == RH_VALUE_I64)
        return (long double)value->i64;
    return value->kind == RH_VALUE_U64 ? (long double)value->u64 : (long double)value->f64;
}

/* min (or 0) + k * step. A decimal fraction is seldom a binary one: what is off by the rounding of the value
 * or by a millionth of the step is on it. */
static bool on_step(const struct rh_point *point, const struct rh_value *value)
{
    long double base = point->has_min ? point->min : 0;
    long double off = fabsl(remainderl(wide(value) - base, point->step));
    long double rounding = 0;
    if (value->kind == RH_VALUE_F64)
        rounding = (fabsl(wide(value)) + fabsl(base)) * DBL_EPSILON;
    return off <= point->step * STEP_TOLERANCE + rounding;
}

static enum rh_command_code check_limits(const struct rh_point *point, const struct rh_value *value)
{
    if (value->kind == RH_VALUE_TEXT || value->kind == RH_VALUE_BOOL)
        return RH_CODE_NONE;
    if ((point->has_min && wide(value) < point->min) || (point->has_max && wide(value) > point->max))
        return RH_CODE_RANGE;
    if (point->has_step && point->step > 0 && !on_step(point, value))
        return RH_CODE_STEP;
    return RH_CODE_NONE;
}

typedef enum rh_command_code convert_fn(const struct rh_point *point, const struct rh_value *given, bool bare,
                                        struct rh_value *value);

static convert_fn *converter_of(const struct rh_point *point)
{
    if (point->n_labels > 0)
        return to_code;
    if (text_type(point))
        return to_text;
    if (point->type == RH_TYPE_BIT)
        return to_bool;
    return rh_point_fractional(point) ? to_real : to_number;
}

enum rh_command_code rh_request_convert(const struct rh_point *point, const struct rh_value *given, bool bare,
                                        struct rh_value *ret_value)
{
    struct rh_value value = {.kind = RH_VALUE_NONE};
    enum rh_command_code code = converter_of(point)(point, given, bare, &value);
    if (code == RH_CODE_NONE)
        code = check_limits(point, &value);
    if (code == RH_CODE_NONE)
        *ret_value = value;
    return code;
}
