/* SPDX-License-Identifier: MIT */
#include "gateway/verify.h"

#include <float.h>
#include <math.h>

static bool whole(const struct rh_value *value)
{
    return value->kind == RH_VALUE_I64 || value->kind == RH_VALUE_U64;
}

bool rh_verify_distance(const struct rh_value *a, const struct rh_value *b, double *ret_distance)
{
    double from, to;

    if (!rh_value_number(a, &from) || !rh_value_number(b, &to))
        return false;
    *ret_distance = fabs(to - from);
    bool same_side = (a->kind == RH_VALUE_I64 && a->i64 < 0) == (b->kind == RH_VALUE_I64 && b->i64 < 0);
    if (whole(a) && whole(b) && same_side)
        *ret_distance = (double)(a->u64 > b->u64 ? a->u64 - b->u64 : b->u64 - a->u64);
    return true;
}

/* How far a value may be from what was written and still be it: half a unit of the last place that the scale
 * can express, or the precision of the type, or the point's own tolerance. */
static double tolerance_of(const struct rh_point *point, const struct rh_value *wanted, double number)
{
    double size = fabs(number) + fabs(point->offset);

    if (point->tolerance > 0)
        return point->tolerance;
    if (point->type == RH_TYPE_F16)
        return size * 1e-3;
    if (point->type == RH_TYPE_F32 || point->type == RH_TYPE_F64)
        return size * 1e-6;
    double half = fabs((double)point->scale.mantissa * pow(10, point->scale.exponent)) / 2;
    return whole(wanted) ? half : half + size * 4 * DBL_EPSILON;
}

bool rh_verify_same(const struct rh_point *point, const struct rh_value *wanted, const struct rh_value *found)
{
    double number, apart;

    if (!rh_value_number(wanted, &number) || !rh_verify_distance(wanted, found, &apart))
        return rh_value_equal(wanted, found);
    return apart <= tolerance_of(point, wanted, number);
}
