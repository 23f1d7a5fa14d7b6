/* SPDX-License-Identifier: MIT */
/*
 * scale.h - value = raw * factor + offset, exactly: what leaves is the double nearest to the true decimal.
 *
 * 2314 * 0.1 in doubles is 231.40000000000003; railhead says 231.4. Factors are decimals, and so is an
 * offset (-40, 273.15): the sum is formed in decimal and rounded once. Integers that stay integers never
 * pass through a double. Pure.
 */
#ifndef RH_DRIVERS_SCALE_H
#define RH_DRIVERS_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base.h"
#include "core/text.h"

struct rh_scale {
    struct rh_decimal factor;
    double offset; /* taken as the shortest decimal that reads back as it */
};

/* A whole number with 64 bits beside its sign. */
struct rh_whole {
    uint64_t magnitude;
    bool negative; /* never of zero */
};

/* raw * factor + offset where that is a whole number by the factor and offset alone (no fraction in
 * either); false if it is not, or does not fit. */
RH_MUST_USE bool rh_scale_whole(const struct rh_scale *scale, struct rh_whole raw,
                                struct rh_whole *ret_value);

/* The double nearest to raw * 10^exponent * factor + offset; infinite if it is beyond every double.
 * Only for an offset that is no decimal of at most 15 places, or more than 45 places away from the
 * product, product and offset are rounded apart. */
double rh_scale_real(const struct rh_scale *scale, struct rh_whole raw, int exponent);

/* The same for a number that came as floating point, finite: its shortest decimal (that of a 32-bit float
 * for `single`) is scaled, so 23.5f * 0.1 is 2.35. Beyond 10^30 and below 10^-30 in plain doubles. */
double rh_scale_number(const struct rh_scale *scale, double value, bool single);

/* The way back, for writing: value = number * 10^exponent, raw = (value - offset) / factor. */

/* The shortest decimal that reads back as `value`, finite (as a 32-bit float for `single`). False beyond
 * 10^30 and below 10^-30. */
RH_MUST_USE bool rh_scale_decimal(double value, bool single, struct rh_whole *ret_number, int *ret_exponent);

/* The whole raw number nearest to it, halves away from zero; false if it does not fit. Where value and offset
 * are more than 45 places apart it is calculated in plain doubles. */
RH_MUST_USE bool rh_scale_raw_whole(const struct rh_scale *scale, struct rh_whole number, int exponent,
                                    struct rh_whole *ret_raw);

/* The raw double (float for `single`) nearest to its first 18 digits; plain doubles as above. */
double rh_scale_raw_real(const struct rh_scale *scale, struct rh_whole number, int exponent, bool single);

#endif
