/* SPDX-License-Identifier: MIT */
/*
 * verbs.h - what can be asked of the gateway itself: `cmd/gateway/<verb>`, where [commands] verbs allows it.
 */
#ifndef RH_GATEWAY_VERBS_H
#define RH_GATEWAY_VERBS_H

#include "config/config.h"
#include "gateway/dispatch.h"
#include "mqtt/request.h"
#include "store/store.h"

struct rh_verb_context {
    const struct rh_commands_conf *commands;
    const struct rh_store_shared *shared;
    void *keeper;
    void (*resend_meta)(void *keeper);
};

/* Carries the verb out; *ret_outcome is the reply: `ok` with what it found in `message`, or why not. */
void rh_verb_run(const struct rh_verb_context *context, const char *name, const struct rh_request *request,
                 struct rh_refusal *ret_outcome);

#endif
