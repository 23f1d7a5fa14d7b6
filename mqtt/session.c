/* SPDX-License-Identifier: MIT */
/*
 * session.c - a session's life after the CONNECT: the verdict, the window, publishing, what arrives.
 *
 * The verdict. The mark by which a kept session is known is a subscription to the own status at QoS 1.
 *
 *   birth published, retained ----- a live copy at QoS 1 comes back ------> kept
 *        | acknowledged, no copy
 *   SUBSCRIBE at QoS 0 ------------ the retained copy, or one at QoS 0 ---> lost
 *        | verdict applied to the store
 *   SUBSCRIBE at QoS 1: the mark
 *
 * Asking leaves only the weaker subscription behind, and the mark is set after the verdict was acted upon.
 * So a connection (or a process) that ends in between is not taken for a kept session by the next one. On
 * MQTT 3.1.1 "session present = 0" is a verdict at once. A broker that denies the question gets the
 * answer "lost" once per connection: nothing lost goes before nothing twice.
 *
 * The window holds back one place for the own status. While flights of an earlier connection are on
 * their way again no new ones start, so that packet ids rise with the age of the messages: that order is
 * all that the library has when it reads them back.
 */
#include <MQTTClient.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "mqtt/handshake.h"
#include "mqtt/packet.h"

#define IN_FLIGHT_BYTES_MAX ((size_t)256 * 1024)
#define ECHO_GRACE_US 100000
#define VERDICT_US 10000000
#define RESTORED_US 10000000 /* how long flights of an earlier connection may keep new ones waiting */
#define ARRIVALS_MAX 64
#define SUBACK_REFUSED 0x80

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

/* What the library or the store did may have ended the connection. */
static enum rh_session_state check_link(struct rh_session *session)
{
    if (session->state == RH_SESSION_DOWN)
        return RH_SESSION_DOWN;
    if (session->flights.error) {
        rh_handshake_say(session, "a message could not be %s in the store: %s", session->flights.deed,
                         strerror(-session->flights.error));
    } else if (!MQTTClient_isConnected(session->client)) {
        rh_handshake_say(session, "the connection to %s was lost", session->address.name);
    } else {
        return session->state;
    }
    session->state = RH_SESSION_DOWN;
    rh_handshake_close(session, false);
    return RH_SESSION_DOWN;
}

/* ---- publishing ---- */

static int clamped_qos(const struct rh_session *session, int qos)
{
    return qos > session->limits.max_qos ? session->limits.max_qos : qos;
}

/* True if the packet is on its way: written, or recorded so that it will be. */
static bool send(struct rh_session *session, const struct rh_outgoing *message)
{
    int qos = clamped_qos(session, message->qos);
    rh_flight_begin(&session->flights, message, qos);
    MQTTResponse response =
        MQTTClient_publish5(session->client, message->topic, (int)message->len, message->payload, qos,
                            message->retain && session->limits.retain, NULL, NULL);
    bool recorded = rh_flight_end(&session->flights);
    int rc = (int)response.reasonCode;
    MQTTResponse_free(response);
    check_link(session);
    return qos > 0 ? recorded : rc == MQTTCLIENT_SUCCESS && session->state != RH_SESSION_DOWN;
}

static bool send_status(struct rh_session *session, const char *payload)
{
    struct rh_outgoing message = {
        .kind = RH_BATCH_STATE, .qos = 1, .retain = true, .payload = payload, .len = strlen(payload)};
    snprintf(message.topic, sizeof(message.topic), "%s", session->options.status_topic);
    return send(session, &message);
}

/* Our own limit: one place of the window is for the status. */
static size_t window(const struct rh_session *session)
{
    int limit = session->options.inflight;
    if (limit > session->limits.receive_max)
        limit = session->limits.receive_max;
    return limit > 2 ? (size_t)limit - 1 : 1;
}

/* The broker allows one more message on its way. */
static bool has_place(const struct rh_session *session)
{
    return session->flights.n < session->flights.cap &&
           rh_flight_unanswered(&session->flights) < (size_t)session->limits.receive_max;
}

int rh_session_room(const struct rh_session *session)
{
    const struct rh_flight_table *flights = &session->flights;
    if (session->state != RH_SESSION_READY || flights->bytes >= IN_FLIGHT_BYTES_MAX)
        return 0;
    bool waiting = rh_mono_us() - session->connected_us < RESTORED_US && rh_flight_restored(flights) > 0;
    size_t rows = rh_flight_rows(flights);
    if (waiting || rows >= window(session) || !has_place(session))
        return 0;
    return (int)(window(session) - rows);
}

int rh_session_inflight(const struct rh_session *session)
{
    return (int)session->flights.n + (session->state == RH_SESSION_UNSURE);
}

enum rh_publish_outcome rh_session_publish(struct rh_session *session, const struct rh_outgoing *message)
{
    if (session->state == RH_SESSION_DOWN)
        return RH_PUBLISH_DOWN;
    int qos = clamped_qos(session, message->qos);
    size_t size = rh_packet_size(message, qos, session->flights.v5);
    if (session->limits.max_packet && size > session->limits.max_packet)
        return RH_PUBLISH_TOO_LARGE;
    bool full = qos > 0 && session->flights.n > 0 && session->flights.bytes + size > IN_FLIGHT_BYTES_MAX;
    if (full || rh_session_room(session) == 0 || !rh_link_writable(session->flights.fd))
        return RH_PUBLISH_FULL;
    if (!send(session, message))
        return RH_PUBLISH_DOWN;
    session->counters.published++;
    return RH_PUBLISH_TAKEN;
}

/* ---- the verdict ---- */

/* 0, a code >= 0x80 of the broker, or negative: the link is down. */
static int subscribe_status(struct rh_session *session, int qos, unsigned char retain_handling)
{
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    options.retainHandling = retain_handling;
    MQTTResponse response = MQTTClient_subscribe5(session->client, session->options.status_topic, qos,
                                                  session->flights.v5 ? &options : NULL, NULL);
    int rc = (int)response.reasonCode;
    MQTTResponse_free(response);
    if (check_link(session) == RH_SESSION_DOWN)
        return -ENOTCONN;
    return rc >= SUBACK_REFUSED ? rc : 0;
}

static void decide(struct rh_session *session, bool kept)
{
    if (!kept && session->to_lose) {
        session->lost = true;
        session->counters.session_lost++;
    }
    rh_flight_settle(&session->flights, kept);
    if (check_link(session) == RH_SESSION_DOWN)
        return;
    bool marked = kept && session->phase == RH_VERDICT_ECHO;
    if (!marked && session->subscribed && subscribe_status(session, clamped_qos(session, 1), 2) < 0)
        return;
    session->state = RH_SESSION_READY;
    session->to_lose = true;
}

/* No way to know: lost, with the reason why. */
static void decide_blind(struct rh_session *session, const char *cause, int code)
{
    char number[32] = "";
    if (code)
        snprintf(number, sizeof(number), " (code 0x%02x)", (unsigned)code);
    snprintf(
        session->why, sizeof(session->why),
        "%s%s, so a session lost by the broker cannot be told from a kept one: messages on their way may "
        "come twice after a reconnect",
        cause, number);
    decide(session, false);
}

static void enter(struct rh_session *session, enum rh_verdict_phase phase, int64_t now_us)
{
    session->phase = phase;
    session->phase_us = now_us;
}

/* The birth goes out as soon as the broker's window has a place for it. */
static void say_birth(struct rh_session *session, int64_t now_us)
{
    if (!has_place(session) || !send_status(session, session->birth))
        return;
    if (session->limits.version == MQTTVERSION_3_1_1 && !session->session_present) {
        session->subscribed = true;
        decide(session, false);
        return;
    }
    enter(session, RH_VERDICT_ECHO, now_us);
}

static void ask(struct rh_session *session, int64_t now_us)
{
    int rc = subscribe_status(session, 0, 1);
    if (rc < 0)
        return;
    enter(session, RH_VERDICT_ASKED, now_us);
    if (rc > 0) {
        decide_blind(session, "the broker refuses the subscription to the own status", rc);
        return;
    }
    session->subscribed = true;
    if (!session->limits.retain)
        decide(session, false);
}

static bool acknowledged(const struct rh_session *session)
{
    return session->flights.status_done || session->limits.max_qos == 0;
}

static void advance(struct rh_session *session, int64_t now_us)
{
    if (session->echoed) {
        session->subscribed = true;
        decide(session, !session->echo_retain && session->echo_qos >= clamped_qos(session, 1));
    } else if (session->flights.status_reason) {
        decide_blind(session, "the broker refuses the own status", session->flights.status_reason);
    } else if (session->phase == RH_VERDICT_BIRTH) {
        say_birth(session, now_us);
    } else if (session->phase == RH_VERDICT_ECHO && acknowledged(session) &&
               now_us - session->phase_us >= ECHO_GRACE_US) {
        ask(session, now_us);
    } else if (now_us - session->connected_us >= VERDICT_US) {
        decide_blind(session, "the broker does not deliver the own status", 0);
    }
}

enum rh_connect_outcome rh_session_connect(struct rh_session *session, const char *will, const char *birth,
                                           struct rh_connect_info *ret_info)
{
    session->state = RH_SESSION_DOWN;
    session->why[0] = 0;
    free(session->birth);
    session->birth = strdup(birth);
    enum rh_connect_outcome outcome = session->birth ? rh_handshake(session, will) : RH_CONNECT_FAILED;
    if (outcome == RH_CONNECT_OK) {
        session->counters.connects++;
        session->counters.resent += rh_flight_rows(&session->flights);
        session->state = RH_SESSION_UNSURE;
        session->to_lose |= rh_flight_rows(&session->flights) > 0;
        session->echoed = false;
        session->subscribed = false;
        session->connected_us = rh_mono_us();
        enter(session, RH_VERDICT_BIRTH, session->connected_us);
        say_birth(session, session->connected_us);
        if (session->state == RH_SESSION_DOWN)
            outcome = session->flights.error ? RH_CONNECT_FAILED : RH_CONNECT_UNREACHABLE;
    }
    *ret_info = session->limits;
    snprintf(ret_info->why, sizeof(ret_info->why), "%s", outcome == RH_CONNECT_OK ? "" : session->why);
    return outcome;
}

/* ---- what arrives ---- */

typedef void arrival_fn(void *context, const struct rh_arrival *arrival);

/* Copies of the own status: the birth is the echo; older ones that come before it say nothing new. */
static bool own_status(struct rh_session *session, const struct rh_arrival *arrival)
{
    if (strcmp(arrival->topic, session->options.status_topic) != 0)
        return false;
    bool echo =
        arrival->len == strlen(session->birth) && memcmp(arrival->payload, session->birth, arrival->len) == 0;
    if (echo && !session->echoed) {
        session->echoed = true;
        session->echo_retain = arrival->retain;
        session->echo_qos = arrival->qos;
    }
    return echo || session->state == RH_SESSION_UNSURE;
}

/* Takes one message from the library; false if there was none. */
static bool receive(struct rh_session *session, int wait_ms, arrival_fn *tell, void *context)
{
    char *topic = NULL;
    int topic_len = 0;
    MQTTClient_message *message = NULL;
    (void)MQTTClient_receive(session->client, &topic, &topic_len, &message, (unsigned long)wait_ms);
    if (!message)
        return false;
    struct rh_arrival arrival = {
        .topic = topic,
        .payload = message->payload,
        .len = (size_t)message->payloadlen,
        .qos = message->qos,
        .retain = message->retained,
        .dup = message->dup,
    };
    bool whole = strlen(topic) == (size_t)topic_len; /* a NUL inside a topic is against the protocol */
    if (whole && !own_status(session, &arrival) && tell)
        tell(context, &arrival);
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return true;
}

enum rh_session_state rh_session_step(struct rh_session *session, int wait_ms,
                                      void (*arrival)(void *context, const struct rh_arrival *arrival),
                                      void *context)
{
    bool more = session->state != RH_SESSION_DOWN;
    for (int i = 0; more && i < ARRIVALS_MAX; i++) {
        more = receive(session, i == 0 ? wait_ms : 1, arrival, context);
        more = check_link(session) != RH_SESSION_DOWN && more;
    }
    if (session->state == RH_SESSION_UNSURE)
        advance(session, rh_mono_us());
    return session->state;
}

/* ---- the rest ---- */

void rh_session_disconnect(struct rh_session *session, const char *farewell, int timeout_ms)
{
    int64_t until_us = rh_mono_us() + (int64_t)timeout_ms * 1000;
    bool said = false;
    while (check_link(session) != RH_SESSION_DOWN && !(said && acknowledged(session))) {
        if (rh_mono_us() >= until_us)
            break;
        if (!said && has_place(session) && rh_link_writable(session->flights.fd))
            said = send_status(session, farewell);
        else
            (void)receive(session, 1, NULL, NULL);
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
