/* SPDX-License-Identifier: MIT */
#include "core/point.h"

#include <math.h>
#include <string.h>

#include "core/base.h"

static const char *const type_names[RH_TYPE_COUNT] = {
    [RH_TYPE_BIT] = "bit",           [RH_TYPE_U8] = "u8",       [RH_TYPE_S8] = "s8",
    [RH_TYPE_U16] = "u16",           [RH_TYPE_S16] = "s16",     [RH_TYPE_U24] = "u24",
    [RH_TYPE_S24] = "s24",           [RH_TYPE_U32] = "u32",     [RH_TYPE_S32] = "s32",
    [RH_TYPE_U48] = "u48",           [RH_TYPE_U64] = "u64",     [RH_TYPE_S64] = "s64",
    [RH_TYPE_F16] = "f16",           [RH_TYPE_F32] = "f32",     [RH_TYPE_F64] = "f64",
    [RH_TYPE_BCD16] = "bcd16",       [RH_TYPE_BCD32] = "bcd32", [RH_TYPE_BCD64] = "bcd64",
    [RH_TYPE_STR] = "str",           [RH_TYPE_HEX] = "hex",     [RH_TYPE_TIME32] = "time32",
    [RH_TYPE_DATETIME] = "datetime",
};

const char *rh_type_name(enum rh_type type)
{
    rh_assert((int)type >= 0 && type < RH_TYPE_COUNT);
    return type_names[type];
}

enum rh_type rh_type_of(const char *name)
{
    size_t i = 0;

    while (i < RH_TYPE_COUNT && strcmp(type_names[i], name) != 0)
        i++;
    return (enum rh_type)i;
}

bool rh_point_fractional(const struct rh_point *point)
{
    if (point->type == RH_TYPE_F16 || point->type == RH_TYPE_F32 || point->type == RH_TYPE_F64)
        return true;
    return point->scale.exponent < 0 || trunc(point->offset) != point->offset;
}

const char *rh_point_label(const struct rh_point *point, int64_t code)
{
    for (size_t i = 0; i < point->n_labels; i++)
        if (point->labels[i].code == code)
            return point->labels[i].label;
    return NULL;
}
