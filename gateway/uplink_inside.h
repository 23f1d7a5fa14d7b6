/* SPDX-License-Identifier: MIT */
/*
 * uplink_inside.h - the uplink's own state, shared by its two files. Its thread only, but for what is atomic.
 */
#ifndef RH_GATEWAY_UPLINK_INSIDE_H
#define RH_GATEWAY_UPLINK_INSIDE_H

#include <stdatomic.h>

#include "gateway/backoff.h"
#include "gateway/commander.h"
#include "gateway/messages.h"
#include "gateway/thread.h"
#include "gateway/uplink.h"
#include "mqtt/session.h"

#define STATUS_BYTES 512
#define PASSWORD_BYTES 1024

struct rh_uplink {
    struct rh_thread thread;
    struct rh_uplink_options options;
    struct rh_uplink_view view;
    struct rh_flights *flights;
    struct rh_session *session;
    struct rh_commander *commander;
    enum rh_session_state state; /* at the last step: what follows READY is done once */
    _Atomic(const struct rh_routes *) routes_wanted;
    _Atomic(const struct rh_routes *) routes; /* in use */
    int routes_bell;                          /* they have changed */
    char *passing;                            /* one message at a time */
    struct rh_status status;
    struct rh_connect_info info;
    struct rh_backoff backoff;
    size_t broker;           /* of the list */
    uint64_t told_refused;   /* refusals that are in the log */
    int64_t refused_us;      /* when the next may be said */
    unsigned told_outcomes;  /* bits of enum rh_connect_outcome that are in the log since the last connect */
    int64_t connected_us;    /* when the present or last session began */
    unsigned short_sessions; /* in a row: ended within seconds, as two clients of one name do to each other */
    bool told_away;          /* the broker's absence is in the log */
    bool told_storage;       /* so is a failing store */
    bool birth_due;          /* somebody else wrote on our status topic */
    int64_t connect_us;      /* when to try next */
    int64_t birth_us;        /* when the birth may be said again */
    char status_topic[RH_TOPIC_MAX];
    char password[PASSWORD_BYTES];
    char birth[STATUS_BYTES], will[STATUS_BYTES];
};

/* uplink_connect.c */

/* The broker whose turn it is. */
const struct rh_broker *rh_uplink_broker(const struct rh_uplink *uplink);
/* One attempt; connect_us says when the next is due if it failed. */
void rh_uplink_connect(struct rh_uplink *uplink);
/* A session has ended: was it a short one again? */
void rh_uplink_count_session(struct rh_uplink *uplink);

#endif
