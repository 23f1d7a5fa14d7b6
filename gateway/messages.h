/* SPDX-License-Identifier: MIT */
/*
 * messages.h - the small JSON messages beside the data: status, state, meta (mqtt.md). Pure.
 */
#ifndef RH_GATEWAY_MESSAGES_H
#define RH_GATEWAY_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/text.h"

struct rh_status {
    int64_t session; /* rises with every connect, so that a late will cannot contradict a newer birth */
    const char *epoch;
    int64_t since_wall_ms; /* start of the daemon */
    int mqtt;              /* 5 or 3 (for 3.1.1) */
    bool tls;
};

void rh_message_online(struct rh_text *text, const struct rh_status *status);
/* reason: "lost" (the will) or "stopped". */
void rh_message_offline(struct rh_text *text, const struct rh_status *status, const char *reason);

/* The number of `"session":N` in a status message, -1 if there is none. Bytes from outside. */
int64_t rh_message_session(const void *payload, size_t len);

/* "m07 (address 7)", or "gps" where there is no address; for the log. */
void rh_message_device(struct rh_text *text, const struct rh_device_conf *device);

/* What a device is and what its points are; for people and programs that find it on the broker. */
void rh_message_meta(struct rh_text *text, const char *gateway, const struct rh_device_conf *device);

#endif
