/* SPDX-License-Identifier: MIT */
/*
 * request.h - the payload of a command: bytes from outside in, a plain request out. Pure but for the JSON
 * library's memory.
 *
 * A payload that is a JSON object is a JSON request; everything else is one bare value, trimmed of blanks
 * (`42.5`, `ON`, `true`; `"text"` in quotes is a JSON string and stands for what is inside).
 *
 *   {"id":"a1","value":42.5,"expires":1795163955698,"by":"scada","dry_run":false}
 *   {"id":"a2","values":{"limit":40,"enable":1}}
 */
#ifndef RH_MQTT_REQUEST_H
#define RH_MQTT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/command.h"
#include "core/point.h"
#include "core/reading.h"

#define RH_REQUEST_BYTES_MAX 8192
#define RH_REQUEST_BY_MAX 64

struct rh_request {
    bool json; /* false: a bare value */
    bool bare; /* `value` is what stood there, as RH_VALUE_TEXT: convert reads it by the point's type */
    bool has_id, has_expires, has_value;
    bool dry_run;
    char id[RH_COMMAND_ID_MAX + 1];
    char by[RH_REQUEST_BY_MAX + 1]; /* as claimed; "" if not said */
    int64_t expires_wall_ms;
    struct rh_value value; /* I64 (U64 only above INT64_MAX), F64, BOOL or TEXT */
    size_t n_values;       /* of {"values":{…}}, in the order given */
    struct rh_request_value {
        char point[RH_NAME_MAX + 1];
        struct rh_value value;
    } values[RH_COMMAND_POINTS];
};

/* RH_CODE_NONE, or RH_CODE_SYNTAX or RH_CODE_TYPE with a sentence in `why`. What was read before the mistake
 * stays in *ret_request: with a valid object, its `id` and `by` always do, so that the refusal can name them.
 * An empty payload is a request without a value. */
enum rh_command_code rh_request_parse(const void *payload, size_t len, struct rh_request *ret_request,
                                      char *why, size_t why_cap);

/* Makes a value of the point out of what was given: of the kind that a reading of it has (U64 or I64, F64,
 * BOOL, TEXT; an enum is its code), within its limits and on its steps. RH_CODE_NONE, RH_CODE_TYPE,
 * RH_CODE_RANGE or RH_CODE_STEP. */
enum rh_command_code rh_request_convert(const struct rh_point *point, const struct rh_value *given, bool bare,
                                        struct rh_value *ret_value);

#endif
