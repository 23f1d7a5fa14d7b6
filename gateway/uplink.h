/* SPDX-License-Identifier: MIT */
/*
 * uplink.h - the thread that brings stored messages to the broker.
 *
 * It owns the store's second connection and the MQTT session. Everything it sends comes out of the store, so
 * the outage path is the everyday path; what it cannot send stays there.
 */
#ifndef RH_GATEWAY_UPLINK_H
#define RH_GATEWAY_UPLINK_H

#include <stdint.h>

#include "config/config.h"
#include "core/counter.h"
#include "core/ring.h"
#include "gateway/routes.h"
#include "store/flights.h"

struct rh_uplink;

struct rh_uplink_options {
    const struct rh_mqtt_conf *mqtt; /* borrowed for the uplink's life, as is the next */
    const struct rh_commands_conf *commands;
    const char *epoch;
    int64_t since_wall_ms;
    /* Called on the uplink's thread; any-thread functions of the keeper. */
    void *keeper;
    void (*session_lost)(void *keeper); /* retained messages are gone */
    void (*connected)(void *keeper);    /* values are to be said */
    void (*resend_meta)(void *keeper);
    struct rh_store_shared *shared;
    struct rh_ring *passing;   /* value and health; borrowed */
    struct rh_ring *answers;   /* of the lines; borrowed */
    struct rh_ring *audits;    /* of what others did, for the trail (audit.h); borrowed */
    rh_gauge *connected_gauge; /* 1 while READY; outlives the uplink */
    int commit_bell;           /* borrowed; the keeper rings it after every commit */
    rh_gauge *max_payload;     /* told to the keeper at each connect */
};

struct rh_uplink_view {
    rh_gauge beat_us, connected, inflight, mqtt_version;
    rh_counter connects, published, refused, no_subscriber, session_lost;
};

/* Opens the bell only; the session is made on the thread. */
RH_MUST_USE int rh_uplink_new(const struct rh_uplink_options *options, struct rh_flights *flights,
                              struct rh_uplink **ret_uplink);
RH_MUST_USE int rh_uplink_start(struct rh_uplink *uplink);
/* Says "stopped" on the status topic if connected, ends the thread, frees; the flights stay the caller's. */
void rh_uplink_free(struct rh_uplink *uplink);

/* Main thread. Commands are routed by these from now on, by none (NULL) are they refused as `busy`. When this
 * returns the former routes are no longer used. Waits for the uplink's present call into the network. */
void rh_uplink_set_routes(struct rh_uplink *uplink, const struct rh_routes *routes);

const struct rh_uplink_view *rh_uplink_view(const struct rh_uplink *uplink);

#endif
