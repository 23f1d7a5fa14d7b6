/* SPDX-License-Identifier: MIT */
/*
 * control_request.h - one line of the control socket: bytes from outside in, a plain request out. Pure but
 * for the JSON library's memory.
 *
 *   {"verb":"ping"}   {"verb":"status"}   {"verb":"read","point":"m07.voltage"}
 *   {"verb":"write","point":"m07.setpoint","value":42,"id":"a1","by":"scada","expires":1795163955698}
 *   {"verb":"write","point":"m07.mode","text":"auto"}
 *
 * `value`, `id`, `by`, `expires` and `dry_run` are those of a command topic (mqtt/request.h). `text` stands
 * for a value as a person types it and is read by the type of the point, as a bare payload is there.
 */
#ifndef RH_GATEWAY_CONTROL_REQUEST_H
#define RH_GATEWAY_CONTROL_REQUEST_H

#include <stddef.h>

#include "core/base.h"
#include "mqtt/request.h"

#define RH_CONTROL_LINE_MAX 8192 /* bytes of a request without its line end */

enum rh_control_verb {
    RH_CONTROL_PING,
    RH_CONTROL_STATUS,
    RH_CONTROL_READ,
    RH_CONTROL_WRITE,
    RH_CONTROL_VERB_COUNT,
};

struct rh_control_request {
    enum rh_control_verb verb;
    char device[RH_NAME_MAX + 1],
        point[RH_NAME_MAX + 1]; /* valid names where the verb has a point, else "" */
    struct rh_request command;
};

/* RH_CODE_NONE, or why not, with a sentence in `why`. */
enum rh_command_code rh_control_parse(const char *line, size_t len, struct rh_control_request *ret_request,
                                      char *why, size_t why_cap);

#endif
