/* SPDX-License-Identifier: MIT */
/*
 * reply.h - the outcome of a command as JSON. Pure.
 *
 *   {"id":"a1","status":"rejected","code":"range","message":"…","t":1795163955698,"took_ms":0}
 *   {"id":"a1","status":"ok","value":42.5,"readback":42.5,"t":1795163955698,"took_ms":31}
 *   {"id":"a2","status":"ok","values":{"limit":{"status":"ok","value":40,"readback":40}},"t":…,"took_ms":…}
 *
 * What there is nothing to say about is left out: `id` of a bare request, `code` and `message` of a success,
 * `value` of a get, `readback` where nothing was read.
 */
#ifndef RH_MQTT_REPLY_H
#define RH_MQTT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/command.h"
#include "core/point.h"
#include "core/reading.h"
#include "core/text.h"

/* What became of one point. */
struct rh_reply_point {
    const struct rh_point *point; /* NULL only where there is neither value nor readback nor name to print */
    enum rh_command_status status;
    enum rh_command_code code;         /* RH_CODE_NONE: left out */
    uint8_t detail;                    /* of the code */
    const char *message;               /* NULL or "": left out */
    const struct rh_value *value;      /* asked for; NULL: left out */
    const struct rh_reading *readback; /* NULL, or not good or uncertain: left out */
};

struct rh_reply {
    const char *id;                      /* NULL: left out */
    struct rh_reply_point outcome;       /* of the whole */
    const struct rh_reply_point *points; /* of a request to a device: printed as `values`; NULL: none */
    size_t n_points;
    int64_t wall_ms;
    int64_t took_ms;
};

/* False if it did not fit (its `cut` is set). */
bool rh_reply_write(struct rh_text *text, const struct rh_reply *reply);

/* The stored reply, verbatim, plus "duplicate":true at its end. False if it did not fit or `stored` is no
 * JSON object. */
bool rh_reply_duplicate(struct rh_text *text, const char *stored, size_t len);

#endif
