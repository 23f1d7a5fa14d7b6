/* SPDX-License-Identifier: MIT */
#include "gateway/filter.h"

#include <math.h>

static bool has_value(const struct rh_reading *reading)
{
    return reading->quality == RH_GOOD || reading->quality == RH_UNCERTAIN;
}

static void check_limits(const struct rh_point *point, struct rh_reading *reading)
{
    double number;

    if (!has_value(reading) || !rh_value_number(&reading->value, &number))
        return;
    if (!isfinite(number)) {
        reading->quality = RH_NA;
        reading->value.kind = RH_VALUE_NONE;
    } else if ((point->has_min && number < point->min) || (point->has_max && number > point->max)) {
        reading->quality = RH_INVALID;
        reading->value.kind = RH_VALUE_NONE;
    }
}

/* The bits of a number; of a text its hash (FNV-1a). */
static uint64_t image_of(const struct rh_value *value)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    if (value->kind != RH_VALUE_TEXT)
        return value->kind == RH_VALUE_BOOL ? value->boolean : value->u64;
    for (size_t i = 0; i < value->text_len; i++)
        hash = (hash ^ (unsigned char)value->text[i]) * UINT64_C(1099511628211);
    return hash;
}

/* How far the value has moved: integers exactly, also beyond the 53 bits of a double. */
static double moved(const struct rh_filter_state *state, const struct rh_value *value, double number)
{
    uint64_t up = value->u64 - state->image, down = state->image - value->u64;

    if (value->kind == state->kind && value->kind == RH_VALUE_U64)
        return (double)(value->u64 > state->image ? up : down);
    if (value->kind == state->kind && value->kind == RH_VALUE_I64)
        return (double)(value->i64 > (int64_t)state->image ? up : down);
    return fabs(number - state->number);
}

static bool changed(const struct rh_point *point, const struct rh_filter_state *state,
                    const struct rh_reading *reading)
{
    double number;

    if (point->deadband > 0 && state->numeric && rh_value_number(&reading->value, &number))
        return moved(state, &reading->value, number) > point->deadband;
    return image_of(&reading->value) != state->image;
}

/* Polls jitter: a heartbeat is due once the next poll would come too late for it. */
static bool heartbeat_due(const struct rh_point *point, const struct rh_filter_state *state, int64_t now_us)
{
    if (point->heartbeat_ms == 0)
        return false;
    return now_us - state->sent_us + point->period_ms * 500 >= point->heartbeat_ms * 1000;
}

static bool worth_sending(const struct rh_point *point, const struct rh_filter_state *state,
                          const struct rh_reading *reading)
{
    if (!state->any || state->quality != reading->quality || state->detail != reading->detail)
        return true;
    if (heartbeat_due(point, state, reading->mono_us))
        return true;
    if (!has_value(reading))
        return false;
    return point->report == RH_REPORT_ALL || changed(point, state, reading);
}

bool rh_filter_pass(const struct rh_point *point, struct rh_filter_state *state, struct rh_reading *reading)
{
    check_limits(point, reading);
    if (!worth_sending(point, state, reading))
        return false;
    *state = (struct rh_filter_state){
        .any = true, .quality = reading->quality, .detail = reading->detail, .sent_us = reading->mono_us};
    if (has_value(reading)) {
        state->numeric = rh_value_number(&reading->value, &state->number);
        state->kind = reading->value.kind;
        state->image = image_of(&reading->value);
    }
    return true;
}
