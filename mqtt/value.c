/* SPDX-License-Identifier: MIT */
/*
 * value.c - one walk over the kinds of values; JSON and plain text differ only in how a string is put.
 */
#include "mqtt/value.h"

#include <math.h>
#include <string.h>

typedef void put_fn(struct rh_text *text, const char *string, size_t len);

bool rh_value_finite(const struct rh_value *value)
{
    bool floating = value->kind == RH_VALUE_F64 || value->kind == RH_VALUE_F32;
    return value->kind != RH_VALUE_NONE && (!floating || isfinite(value->f64));
}

bool rh_value_worth(const struct rh_reading *reading)
{
    return (reading->quality == RH_GOOD || reading->quality == RH_UNCERTAIN) &&
           rh_value_finite(&reading->value);
}

static void put_plain(struct rh_text *text, const char *string, size_t len)
{
    rh_text_bytes(text, string, len);
}

/* An enum's label, or false if the code has none. */
static bool put_label(struct rh_text *text, const struct rh_point *point, const struct rh_value *value,
                      put_fn *put_string)
{
    int64_t code = 0;
    if (value->kind == RH_VALUE_I64)
        code = value->i64;
    else if (value->kind == RH_VALUE_U64 && value->u64 <= INT64_MAX)
        code = (int64_t)value->u64;
    else if (value->kind == RH_VALUE_BOOL)
        code = value->boolean;
    else
        return false;
    const char *label = point->n_labels ? rh_point_label(point, code) : NULL;
    if (label)
        put_string(text, label, strlen(label));
    return label != NULL;
}

static void put(struct rh_text *text, const struct rh_point *point, const struct rh_value *value,
                put_fn *put_string)
{
    if (put_label(text, point, value, put_string))
        return;
    const char *fraction = rh_point_fractional(point) && point->n_labels == 0 ? ".0" : "";
    switch ((enum rh_value_kind)value->kind) {
    case RH_VALUE_I64:
        rh_text_int(text, value->i64);
        rh_text_put(text, fraction);
        break;
    case RH_VALUE_U64:
        rh_text_uint(text, value->u64);
        rh_text_put(text, fraction);
        break;
    case RH_VALUE_F64:
        rh_text_double(text, value->f64);
        break;
    case RH_VALUE_F32:
        rh_text_float(text, (float)value->f64);
        break;
    case RH_VALUE_BOOL:
        rh_text_put(text, value->boolean ? "true" : "false");
        break;
    case RH_VALUE_TEXT:
        put_string(text, value->text, value->text_len);
        break;
    case RH_VALUE_NONE:
        break;
    }
}

void rh_value_json(struct rh_text *text, const struct rh_point *point, const struct rh_value *value)
{
    put(text, point, value, rh_text_json);
}

bool rh_value_text(struct rh_text *text, const struct rh_point *point, const struct rh_reading *reading)
{
    if (!rh_value_worth(reading))
        return false;
    put(text, point, &reading->value, put_plain);
    return !text->cut;
}
