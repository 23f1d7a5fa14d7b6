/* SPDX-License-Identifier: MIT */
/*
 * pending.h - a command between its arrival and its reply: who asked, for what, and the answers so far. The
 * same for commands over MQTT and over the control socket.
 */
#ifndef RH_GATEWAY_PENDING_H
#define RH_GATEWAY_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/command.h"
#include "core/text.h"
#include "gateway/dispatch.h"

struct rh_pending_point {
    struct rh_point *point; /* its own copy: the reply is written when the line may be gone already */
    struct rh_value wanted; /* SET */
    bool answered, has_old;
    uint8_t status, code, detail;
    struct rh_value old; /* a number */
    struct rh_reading reading;
};

struct rh_pending {
    uint64_t serial; /* 0: free */
    bool set, whole_device, dry_run;
    const struct rh_route *route; /* only while the routes stand */
    char device[RH_NAME_MAX + 1];
    char id[RH_COMMAND_ID_MAX + 1], by[RH_REQUEST_BY_MAX + 1];
    int64_t begun_us;
    struct rh_pending_point *points;
    size_t n, answered;
};

/* Resolves and queues a request at its line. `point` "" for the whole device. False: the refusal says why,
 * and nothing was queued. With `dry_run` in the request nothing is queued either: complete at once. */
bool rh_pending_begin(struct rh_pending *pending, const struct rh_route *route, const char *point, bool set,
                      const struct rh_request *request, enum rh_command_origin origin, uint64_t serial,
                      const struct rh_point_history *history, int64_t now_us, struct rh_refusal *ret_refusal);

/* Takes an answer of this serial; true when the last one is there. */
bool rh_pending_take(struct rh_pending *pending, const struct rh_answer *answer);

/* The answers do not come any more: what is missing of a write is `unconfirmed`, of a read `failed`;
 * complete then. */
void rh_pending_give_up(struct rh_pending *pending);

/* The reply, once complete. */
void rh_pending_reply(const struct rh_pending *pending, int64_t now_us, int64_t wall_ms,
                      struct rh_text *text);

/* "ok", "rejected range", … of one point, for the audit. */
void rh_pending_outcome(const struct rh_pending_point *point, struct rh_text *text);

/* Frees what it holds; it is free then. */
void rh_pending_end(struct rh_pending *pending);

/* A reply that says why nothing was done. `id` "" for none. */
void rh_refusal_reply(const struct rh_refusal *refusal, const char *id, int64_t wall_ms,
                      struct rh_text *text);

#endif
