/* SPDX-License-Identifier: MIT */
/*
 * verify.h - is what a point reads back what was written to it? Pure.
 */
#ifndef RH_GATEWAY_VERIFY_H
#define RH_GATEWAY_VERIFY_H

#include <stdbool.h>

#include "core/point.h"
#include "core/reading.h"

/* How far two numbers are apart: whole ones exactly, also beyond the 53 bits of a double. False: not both are
 * numbers. */
bool rh_verify_distance(const struct rh_value *a, const struct rh_value *b, double *ret_distance);

/* The same, as far as the point's scale, type or `tolerance` can tell; texts and bools exactly. */
bool rh_verify_same(const struct rh_point *point, const struct rh_value *wanted,
                    const struct rh_value *found);

#endif
