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

/* Files in PEM, read again at each connect. "" or NULL: none. The broker's certificate and its host name are
 * always verified, TLS is 1.2 or later. */
struct rh_session_tls {
    const char *ca_file;      /* none: the system's certificates */
    const char *cert_file;    /* the client's, with its chain */
    const char *key_file;     /* none: the key is in cert_file */
    const char *key_password; /* of an encrypted key */
};

/* Strings are borrowed for the life of the session. Times in the unit of the name. */
struct rh_session_options {
    const char *url;           /* mqtt://host:port, mqtts://host:port */
    struct rh_session_tls tls; /* of mqtts:// */
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
    RH_CONNECT_REFUSED,     /* the broker said no for another reason; its certificate is not accepted */
    RH_CONNECT_CREDENTIALS, /* bad user name, password or client certificate, banned: longer backoff */
    RH_CONNECT_FAILED,      /* a local failure: memory, the store, a certificate file */
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

/* Connects (at most 5 s), sends `will` with the CONNECT, then publishes the birth retained at QoS 1 on the
 * status topic and subscribes to it. MQTT 5 first, 3.1.1 where that is refused (in AUTO). `birth` writes the
 * text once the version is known (5, or 3 for 3.1.1) and returns it, valid until the call returns. */
enum rh_connect_outcome rh_session_connect(struct rh_session *session, const char *will,
                                           const char *(*birth)(void *context, int version), void *context,
                                           struct rh_connect_info *ret_info);

enum rh_session_state rh_session_state(const struct rh_session *session);

/* Publishes; only in READY. The row of `message` is remembered with its packet id through ops->put before
 * the packet leaves; row 0 is not recorded. QoS and retain are clamped to the broker's limits. */
enum rh_publish_outcome rh_session_publish(struct rh_session *session, const struct rh_outgoing *message);

/* What a reply to a Response Topic carries beside its payload; nothing of it on 3.1.1. A message that is sent
 * again after a reconnect carries it too, but not after a restart of the process. */
struct rh_publish_extra {
    const void *correlation; /* Correlation Data, copied; NULL for none */
    size_t len;              /* at most 65535: RH_PUBLISH_TOO_LARGE */
};
enum rh_publish_outcome rh_session_publish_extra(struct rh_session *session,
                                                 const struct rh_outgoing *message,
                                                 const struct rh_publish_extra *extra);

/* Subscribes, only in READY: with retain handling 2 (no retained messages), retain as published and no "no
 * local" on MQTT 5; plain on 3.1.1. A kept session keeps its subscriptions, repeating one does no harm. The
 * granted QoS; -EACCES (refused; rh_session_why names the code), -ENOTCONN, -EINVAL. Takes at most 5 s. */
RH_MUST_USE int rh_session_subscribe(struct rh_session *session, const char *filter, int qos);

/* Messages that fit into the window now; messages on their way (a verdict that is awaited counts as one). */
int rh_session_room(const struct rh_session *session);
int rh_session_inflight(const struct rh_session *session);

/* The socket to poll beside the bell, or -1 if it was not found (then step with wait_ms = 10). */
int rh_session_fd(const struct rh_session *session);

/* A message that arrived, borrowed for the call. One that was acknowledged and not handed over when the link
 * or the process ended comes after the next connect, before what the broker sends then. */
struct rh_arrival {
    const char *topic;
    const void *payload;
    size_t len;
    int qos;
    bool retain, dup;
    const char *response_topic; /* NULL if none came (always on 3.1.1) */
    const void *correlation;    /* NULL if none came */
    size_t correlation_len;
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
 * handed back ones too. The own status is in none of them. swamped: arrivals dropped because too many waited.
 */
struct rh_session_counters {
    uint64_t connects, published, acknowledged, refused, no_subscriber, session_lost, resent, swamped;
};
void rh_session_counters(const struct rh_session *session, struct rh_session_counters *ret_counters);

#endif
