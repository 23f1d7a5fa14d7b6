/* SPDX-License-Identifier: MIT */
/*
 * asked.h - where a command came from and where its reply goes: the reply topic, and on MQTT 5 the Response
 * Topic with its Correlation Data. Plain data.
 */
#ifndef RH_GATEWAY_ASKED_H
#define RH_GATEWAY_ASKED_H

#include <stddef.h>

#include "core/batch.h"
#include "mqtt/session.h"
#include "mqtt/topic.h"

struct rh_asked {
    char topic[RH_TOPIC_MAX];
    char reply_topic[RH_TOPIC_MAX];
    char response_topic[RH_TOPIC_MAX]; /* "" for none */
    unsigned char correlation[256];
    size_t correlation_len;
};

/* `prefix`: what a Response Topic must begin with; one that leads into commands, or that the gateway itself
 * writes, is never taken. */
void rh_asked_note(struct rh_asked *asked, const char *root, const char *prefix,
                   const struct rh_arrival *arrival, const struct rh_topic_parts *parts);

#endif
