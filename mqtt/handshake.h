/* SPDX-License-Identifier: MIT */
/*
 * handshake.h - a session from inside, and its CONNECT. Internal to mqtt/: session.c and handshake.c.
 */
#ifndef RH_MQTT_HANDSHAKE_H
#define RH_MQTT_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "mqtt/flight.h"
#include "mqtt/link.h"
#include "mqtt/session.h"

/* On the way from UNSURE to READY. */
enum rh_verdict_phase {
    RH_VERDICT_BIRTH, /* the birth message waits for room in the broker's window */
    RH_VERDICT_ECHO,  /* it is out: does a subscription of a kept session bring it back? */
    RH_VERDICT_ASKED, /* subscribed: does the broker send the retained copy? */
};

struct rh_session {
    struct rh_session_options options;
    struct rh_link_address address;
    struct rh_flight_table flights;
    struct rh_session_counters counters;
    void *client; /* the library's; one per connection */
    enum rh_session_state state;
    char why[256];

    /* What the broker is known to want; learned by refusals, kept for the next CONNECT. */
    int version;     /* 5 or 4 (3.1.1) */
    bool proven;     /* a CONNECT with it has been accepted */
    int hang_ups;    /* handshakes in a row that ended without an answer */
    int keepalive_s; /* 0: ours; else the broker's own */
    int will_qos;
    bool will_retain;

    /* Limits of this connection. */
    struct rh_connect_info limits;
    bool session_present; /* as the CONNACK says; only on 3.1.1 */

    /* The verdict. */
    enum rh_verdict_phase phase;
    char *birth;
    int64_t phase_us, connected_us;
    bool echoed, echo_retain;
    int echo_qos;
    bool subscribed; /* this connection's subscription is in place */
    bool to_lose;    /* this process was READY before, or a former one left flights */
    bool lost;       /* to be told once */
    bool leaving;    /* the farewell is on its way */
};

/* Makes a new client of the library over the flights and connects it; learns from refusals and tries again at
 * once where that can help. OK: limits, the socket and session_present are set. */
enum rh_connect_outcome rh_handshake(struct rh_session *session, const char *will);

/* Sets `why`, cut to its size. */
void rh_handshake_say(struct rh_session *session, const char *format, ...) RH_PRINTF(2, 3);

/* Ends the connection, without a DISCONNECT unless `clean`, and the client with it. */
void rh_handshake_close(struct rh_session *session, bool clean);

#endif
