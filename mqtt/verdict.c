/* SPDX-License-Identifier: MIT */
/*
 * verdict.c - is the session a kept one?
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
 */
#include "mqtt/verdict.h"

#include <MQTTClient.h>
#include <stdio.h>
#include <string.h>

#include "mqtt/outbound.h"

#define ECHO_GRACE_US 100000
#define VERDICT_US 10000000
#define SUBACK_REFUSED 0x80

static void decide(struct rh_session *session, bool kept)
{
    if (!kept && session->to_lose) {
        session->lost = true;
        session->counters.session_lost++;
    }
    rh_flight_settle(&session->flights, kept);
    if (rh_outbound_check(session) == RH_SESSION_DOWN)
        return;
    bool marked = kept && session->phase == RH_VERDICT_ECHO;
    if (!marked && session->subscribed &&
        rh_outbound_subscribe(session, session->options.status_topic, rh_outbound_qos(session, 1), 2, false) <
            0)
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
    if (!rh_outbound_has_place(session) || !rh_outbound_status(session, session->birth))
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
    int rc = rh_outbound_subscribe(session, session->options.status_topic, 0, 1, false);
    if (rc < 0)
        return;
    enter(session, RH_VERDICT_ASKED, now_us);
    if (rc >= SUBACK_REFUSED) {
        decide_blind(session, "the broker refuses the subscription to the own status", rc);
        return;
    }
    session->subscribed = true;
    if (!session->limits.retain)
        decide(session, false);
}

void rh_verdict_advance(struct rh_session *session, int64_t now_us)
{
    if (session->echoed) {
        session->subscribed = true;
        decide(session, !session->echo_retain && session->echo_qos >= rh_outbound_qos(session, 1));
    } else if (session->flights.status_reason) {
        decide_blind(session, "the broker refuses the own status", session->flights.status_reason);
    } else if (session->phase == RH_VERDICT_BIRTH) {
        say_birth(session, now_us);
    } else if (session->phase == RH_VERDICT_ECHO && rh_outbound_status_done(session) &&
               now_us - session->phase_us >= ECHO_GRACE_US) {
        ask(session, now_us);
    } else if (now_us - session->connected_us >= VERDICT_US) {
        decide_blind(session, "the broker does not deliver the own status", 0);
    }
}

static bool is_birth(const struct rh_session *session, const struct rh_arrival *arrival)
{
    return session->birth && arrival->len == strlen(session->birth) &&
           memcmp(arrival->payload, session->birth, arrival->len) == 0;
}

static void note_echo(struct rh_session *session, const struct rh_arrival *arrival)
{
    if (session->echoed)
        return;
    session->echoed = true;
    session->echo_retain = arrival->retain;
    session->echo_qos = arrival->qos;
}

/* Copies of the own status: the birth is the echo; older ones that come before it, and what comes when this
 * session ends, say nothing new. Asked for the retained copy, the broker may show somebody else's: it was
 * written after the birth, answers the question as well, and the owner is told. */
bool rh_verdict_takes(struct rh_session *session, const struct rh_arrival *arrival)
{
    if (strcmp(arrival->topic, session->options.status_topic) != 0)
        return false;
    bool echo = is_birth(session, arrival);
    bool foreign = !echo && arrival->retain && session->phase == RH_VERDICT_ASKED && !session->leaving;
    if (echo || foreign)
        note_echo(session, arrival);
    return !foreign && (echo || session->leaving || session->state != RH_SESSION_READY);
}

void rh_verdict_begin(struct rh_session *session, int64_t now_us)
{
    session->state = RH_SESSION_UNSURE;
    session->echoed = false;
    session->subscribed = false;
    session->connected_us = now_us;
    enter(session, RH_VERDICT_BIRTH, now_us);
    say_birth(session, now_us);
}
