/* SPDX-License-Identifier: MIT */
/*
 * commander.h - commands that come over MQTT: from the topic to exactly one reply. Uplink's thread.
 *
 *   arrival -> parse -> seen before? -> fresh? -> dispatch -> the line's queue
 *   the line's answers -> collected -> reply stored with the id, published, audited
 *
 * Nothing that arrives before the echo of the fence is carried out, unless it says until when it is valid: it
 * may have been queued for days. An id is on disk before the line hears of the command.
 */
#ifndef RH_GATEWAY_COMMANDER_H
#define RH_GATEWAY_COMMANDER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "core/counter.h"
#include "core/ring.h"
#include "gateway/routes.h"
#include "mqtt/session.h"
#include "store/flights.h"

struct rh_commander;

struct rh_commander_options {
    const struct rh_mqtt_conf *mqtt;         /* borrowed */
    const struct rh_commands_conf *commands; /* borrowed */
    struct rh_flights *flights;
    struct rh_store_shared *shared;
    struct rh_ring *answers; /* from the lines, RH_ORIGIN_UPLINK; borrowed */
    void *keeper;
    void (*resend_meta)(void *keeper);
};

RH_MUST_USE int rh_commander_new(const struct rh_commander_options *options,
                                 struct rh_commander **ret_commander);
void rh_commander_free(struct rh_commander *commander);

/* New routes; NULL while lines are being restarted. Commands under way are answered by their lines' end. */
void rh_commander_set_routes(struct rh_commander *commander, const struct rh_routes *routes);

/* A connect begins: what the broker has queued arrives before the session is READY. */
void rh_commander_connecting(struct rh_commander *commander);
/* The session is READY: subscribes, sends the fence, and finishes what a former process left half-done. */
void rh_commander_connected(struct rh_commander *commander, struct rh_session *session);
/* Sends what could not be sent at once (the fence); call at every step in READY. */
void rh_commander_step(struct rh_commander *commander, struct rh_session *session);

/* A message that arrived below cmd/. True if it was one. */
bool rh_commander_arrived(struct rh_commander *commander, struct rh_session *session,
                          const struct rh_arrival *arrival);

/* Takes the lines' answers; call when the bell rang. Whatever a line has not answered after ten minutes is
 * given up. */
void rh_commander_answers(struct rh_commander *commander, struct rh_session *session);
/* Are commands under way? */
bool rh_commander_waiting(const struct rh_commander *commander);
/* Before the end: replies to all commands under way, `unconfirmed` where the answer did not come. */
void rh_commander_give_up(struct rh_commander *commander, struct rh_session *session);

#endif
