/* SPDX-License-Identifier: MIT */
/*
 * session.h - one MQTT session with one broker, over paho's MQTTClient in its single-threaded mode.
 *
 * Owned by the uplink's thread. session.c, handshake.c and persistence.c are the only files that know paho. A
 * session survives connections: connect may be called again and again, and what was on its way flies on with
 * the same packet identifiers.
 *
 *   DOWN --connect--> UNSURE --verdict--> READY --link lost--> DOWN
 *
 * UNSURE lasts until it is known whether the broker kept the session: the birth
 * message is published retained, and what comes back of it tells (session.c). Until then acknowledgements of
 * flights whose PUBREC an earlier connection saw are held back from the store; on a new session those
 * flights are handed back (`again`), while the others are being sent anew and count as usual.
 */
#ifndef RH_MQTT_SESSION_H
#define RH_MQTT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/flight.h"

struct rh_session;

enum rh_session_version { RH_SESSION_AUTO, RH_SESSION_V5, RH_SESSION_V311 };

/* Strings are borrowed for the life of the session. Times in the unit of the name. */
struct rh_session_options {
    const char *url; /* mqtt://host:port */
    const char *client_id;
    const char *username; /* "" for none */
    const char *password; /* "" for none */
    enum rh_session_version version;
    int keepalive_s;
    int64_t session_expiry_s;
    int inflight; /* most messages on their way at once, before the broker's own limit */
    const char *status_topic;
};

enum rh_session_state { RH_SESSION_DOWN, RH_SESSION_UNSURE, RH_SESSION_READY };

enum rh_connect_outcome {
    RH_CONNECT_OK,
    RH_CONNECT_UNREACHABLE, /* refused, no route, no name, timeout, closed during the handshake */
    RH_CONNECT_REFUSED,     /* the broker said no for another reason */
    RH_CONNECT_CREDENTIALS, /* bad user name or password, not authorised, banned: longer backoff */
    RH_CONNECT_FAILED,      /* a local failure: memory, the store */
};

struct rh_connect_info {
    int version;         /* 5 or 4 (3.1.1) */
    int reason;          /* of the CONNACK, 0 if none came */
    int receive_max;     /* what the broker allows on its way at once */
    uint32_t max_packet; /* bytes, 0: no limit */
    int max_qos;
    bool retain;                  /* retained messages are available */
    int keepalive_s;              /* in force */
    char client_id[RH_TOPIC_MAX]; /* assigned or own */
    char why[256];                /* a sentence for people when the outcome is not OK */
};

enum rh_publish_outcome {
    RH_PUBLISH_TAKEN,     /* on its way; at QoS 0 written out */
    RH_PUBLISH_FULL,      /* no room in the window: wait for acknowledgements */
    RH_PUBLISH_DOWN,      /* the link is gone (or went just now); the message is kept by the store */
    RH_PUBLISH_TOO_LARGE, /* more than the broker's Maximum Packet Size */
};

/* 0, -ENOMEM, or what ops->list failed with. Restores the flights of a former process. */
RH_MUST_USE int rh_session_new(const struct rh_session_options *options, const struct rh_flight_ops *ops,
                               void *store, struct rh_session **ret_session);
/* Closes the socket without a DISCONNECT if still connected (the will is then published). */
void rh_session_free(struct rh_session *session);

/* Connects (at most 5 s), sends `will` with the CONNECT, then publishes `birth` retained at QoS 1 on the
 * status topic and subscribes to it. MQTT 5 first, 3.1.1 where that is refused (in AUTO). */
enum rh_connect_outcome rh_session_connect(struct rh_session *session, const char *will, const char *birth,
                                           struct rh_connect_info *ret_info);

enum rh_session_state rh_session_state(const struct rh_session *session);

/* Publishes; only in READY. The row of `message` is remembered with its packet id through ops->put before
 * the packet leaves; row 0 is not recorded. QoS and retain are clamped to the broker's limits. */
enum rh_publish_outcome rh_session_publish(struct rh_session *session, const struct rh_outgoing *message);

/* Messages that fit into the window now; messages on their way (a verdict that is awaited counts as one). */
int rh_session_room(const struct rh_session *session);
int rh_session_inflight(const struct rh_session *session);

/* The socket to poll beside the bell, or -1 if it was not found (then step with wait_ms = 10). */
int rh_session_fd(const struct rh_session *session);

/* A message that arrived (commands come later; today only the own status and what tests subscribe). */
struct rh_arrival {
    const char *topic;
    const void *payload;
    size_t len;
    int qos;
    bool retain, dup;
};

/* Runs paho for at most wait_ms (>= 1): acknowledgements, pings, arrivals. Call when the socket is readable,
 * every 10 ms while messages are on their way, else every second. `arrival` may be NULL. Returns the new
 * state. */
enum rh_session_state rh_session_step(struct rh_session *session, int wait_ms,
                                      void (*arrival)(void *context, const struct rh_arrival *arrival),
                                      void *context);

/* True once after each verdict that found the broker's session lost, if there was one to lose: a session of
 * this process, or flights of a former one. */
bool rh_session_was_lost(struct rh_session *session);

/* Why the last connect failed or the link went DOWN; in READY, why the verdict had to be guessed ("" if it
 * was not). A sentence for people, valid until the next call. */
const char *rh_session_why(const struct rh_session *session);

/* Publishes `farewell` retained on the status topic at QoS 1, waits at most timeout_ms for its
 * acknowledgement, and disconnects cleanly (no will). */
void rh_session_disconnect(struct rh_session *session, const char *farewell, int timeout_ms);

/* session_lost: verdicts that rh_session_was_lost tells of. resent: messages sent again after a reconnect,
 * handed back ones too. The own status is in none of them. */
struct rh_session_counters {
    uint64_t connects, published, acknowledged, refused, no_subscriber, session_lost, resent;
};
void rh_session_counters(const struct rh_session *session, struct rh_session_counters *ret_counters);

#endif
