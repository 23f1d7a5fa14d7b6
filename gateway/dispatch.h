/* SPDX-License-Identifier: MIT */
/*
 * dispatch.h - from a request to a command for a line, or to the reason why not. Pure: nothing is sent, time
 * is an argument. Used for the command topics and for the control socket alike.
 *
 * A request is checked as a whole before any of it goes to the bus.
 */
#ifndef RH_GATEWAY_DISPATCH_H
#define RH_GATEWAY_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/command.h"
#include "gateway/routes.h"
#include "mqtt/request.h"

/* What is remembered of a point between commands. */
struct rh_point_history {
    int64_t written_us; /* when it was last commanded; 0: never */
};

struct rh_refusal {
    enum rh_command_code code;
    enum rh_command_status status; /* rejected, or expired */
    char message[160];
};

/* Rule 4: when a command is too old, or cannot be judged. `fenced`: the echo of the fence has been seen, so
 * that what arrives now was not queued. True: go on. */
bool rh_dispatch_fresh(const struct rh_request *request, bool fenced, bool clock_synced, int64_t now_wall_ms,
                       struct rh_refusal *ret_refusal);

/* `point` is "" for the device form. Fills kind, n and values (serial, origin, expiry are the caller's).
 * False: the refusal says why. `history`: one per point of all routes (routes.h), NULL for none. */
bool rh_dispatch_set(const struct rh_route *route, const char *point, const struct rh_request *request,
                     const struct rh_point_history *history, int64_t now_us, struct rh_command *ret_command,
                     struct rh_refusal *ret_refusal);

/* The same for reading; a device of more points than a command holds is answered in several: `first` is the
 * index of the first point to take, and moves on; `more` is set in the command while there is more. */
bool rh_dispatch_get(const struct rh_route *route, const char *point, uint32_t *first,
                     struct rh_command *ret_command, struct rh_refusal *ret_refusal);

#endif
