/* SPDX-License-Identifier: MIT */
/*
 * session.c - a session's life.
 */
#include <MQTTClient.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "mqtt/handshake.h"
#include "mqtt/outbound.h"
#include "mqtt/receive.h"
#include "mqtt/verdict.h"

#define ARRIVALS_MAX 64

/* ---- life ---- */

int rh_session_new(const struct rh_session_options *options, const struct rh_flight_ops *ops, void *store,
                   struct rh_session **ret_session)
{
    MQTTClient_init_options library = MQTTClient_init_options_initializer;
    MQTTClient_global_init(&library);
    struct rh_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->options = *options;
    session->version = options->version == RH_SESSION_V311 ? MQTTVERSION_3_1_1 : MQTTVERSION_5;
    session->will_qos = 1;
    session->will_retain = true;
    int rc = rh_link_parse(options->url, &session->address);
    if (rc == 0)
        rc = rh_flight_open(&session->flights, ops, store, &session->counters,
                            options->inflight > 0 ? (size_t)options->inflight : 1);
    if (rc < 0) {
        free(session);
        return rc;
    }
    *ret_session = session;
    return 0;
}

void rh_session_free(struct rh_session *session)
{
    if (!session)
        return;
    rh_handshake_close(session, false);
    rh_flight_close(&session->flights);
    free(session->birth);
    free(session);
}

/* The birth is kept: it is how its echo is known. */
static bool write_birth(struct rh_session *session, const char *(*birth)(void *context, int version),
                        void *context)
{
    free(session->birth);
    session->birth = strdup(birth(context, session->limits.version == MQTTVERSION_5 ? 5 : 3));
    if (!session->birth)
        rh_handshake_say(session, "no memory");
    return session->birth != NULL;
}

enum rh_connect_outcome rh_session_connect(struct rh_session *session, const char *will,
                                           const char *(*birth)(void *context, int version), void *context,
                                           struct rh_connect_info *ret_info)
{
    session->state = RH_SESSION_DOWN;
    session->leaving = false;
    session->why[0] = 0;
    enum rh_connect_outcome outcome = rh_handshake(session, will);
    if (outcome == RH_CONNECT_OK && !write_birth(session, birth, context)) {
        rh_handshake_close(session, false);
        outcome = RH_CONNECT_FAILED;
    }
    if (outcome == RH_CONNECT_OK) {
        session->counters.connects++;
        session->counters.resent += rh_flight_rows(&session->flights);
        session->to_lose |= rh_flight_rows(&session->flights) > 0;
        rh_verdict_begin(session, rh_mono_us());
        if (session->state == RH_SESSION_DOWN)
            outcome = session->flights.error ? RH_CONNECT_FAILED : RH_CONNECT_UNREACHABLE;
    }
    *ret_info = session->limits;
    snprintf(ret_info->why, sizeof(ret_info->why), "%s", outcome == RH_CONNECT_OK ? "" : session->why);
    return outcome;
}

/* ---- what arrives ---- */

enum rh_session_state rh_session_step(struct rh_session *session, int wait_ms,
                                      void (*arrival)(void *context, const struct rh_arrival *arrival),
                                      void *context)
{
    bool more = session->state != RH_SESSION_DOWN;
    for (int i = 0; more && i < ARRIVALS_MAX; i++) {
        rh_receive_tell(session, arrival, context);
        more = rh_receive_one(session, i == 0 ? wait_ms : 1);
        more = rh_outbound_check(session) != RH_SESSION_DOWN && more;
    }
    rh_receive_tell(session, arrival, context);
    if (session->state == RH_SESSION_UNSURE)
        rh_verdict_advance(session, rh_mono_us());
    return session->state;
}

/* ---- the rest ---- */

void rh_session_disconnect(struct rh_session *session, const char *farewell, int timeout_ms)
{
    int64_t until_us = rh_mono_us() + (int64_t)timeout_ms * 1000;
    bool said = false;
    session->leaving = true;
    while (rh_outbound_check(session) != RH_SESSION_DOWN && !(said && rh_outbound_status_done(session))) {
        if (rh_mono_us() >= until_us)
            break;
        if (!said && rh_outbound_has_place(session) && rh_link_writable(session->flights.fd))
            said = rh_outbound_status(session, farewell);
        else
            (void)rh_receive_one(session, 1);
    }
    session->state = RH_SESSION_DOWN;
    rh_handshake_close(session, true);
}

enum rh_session_state rh_session_state(const struct rh_session *session)
{
    return session->state;
}

int rh_session_fd(const struct rh_session *session)
{
    return session->state == RH_SESSION_DOWN ? -1 : session->flights.fd;
}

const char *rh_session_why(const struct rh_session *session)
{
    return session->why;
}

bool rh_session_was_lost(struct rh_session *session)
{
    bool lost = session->lost;
    session->lost = false;
    return lost;
}

void rh_session_counters(const struct rh_session *session, struct rh_session_counters *ret_counters)
{
    *ret_counters = session->counters;
}
