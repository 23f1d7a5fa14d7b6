/* SPDX-License-Identifier: MIT */
/*
 * value.h - a value as text: in JSON (data, replies), and alone (format `value`). Pure.
 *
 * Format `value` is no codec: no batch, no store, no history. It is the newest value of a point, published
 * retained at QoS 0 on <root>/value/<device>/<point>. A reading without a value (bad quality, NaN) publishes
 * nothing: the last good value stays, and <root>/state/<device> says whether it is still current.
 */
#ifndef RH_MQTT_VALUE_H
#define RH_MQTT_VALUE_H

#include <stdbool.h>

#include "core/point.h"
#include "core/reading.h"
#include "core/text.h"

/* The name of the format in `format =`. */
#define RH_VALUE_FORMAT "value"

/* True if the reading carries a value worth printing: good or uncertain, and not NaN or infinite. */
bool rh_value_worth(const struct rh_reading *reading);

/* The same for a value alone. */
bool rh_value_finite(const struct rh_value *value);

/* As JSON: a number (with a decimal point where the point is fractional), true or false, a string; an enum's
 * label, or its number if the code has none. */
void rh_value_json(struct rh_text *text, const struct rh_point *point, const struct rh_value *value);

/* The same alone, text and labels without quotes. False: nothing is to be published. */
bool rh_value_text(struct rh_text *text, const struct rh_point *point, const struct rh_reading *reading);

#endif
