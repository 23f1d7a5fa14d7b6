/* SPDX-License-Identifier: MIT */
/*
 * uplink_fake.h - the uplink's neighbours: session, store and commander note what is asked of them, in order,
 * and answer as the test says. Included by one program, in place of the real ones.
 */
#ifndef RH_TESTS_UNIT_GATEWAY_UPLINK_FAKE_H
#define RH_TESTS_UNIT_GATEWAY_UPLINK_FAKE_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "gateway/audit.h"
#include "gateway/commander.h"
#include "gateway/uplink.h"
#include "store/flights.h"

enum event { CONNECTING, CONNECT, READY, LEFT, GIVEN_UP, GOODBYE, EVENTS };

static atomic_int seen[EVENTS]; /* how often */
static atomic_int order[EVENTS], clock_of_events;
static atomic_llong seen_us[EVENTS]; /* the last one */
static atomic_int steps, births, asked_to_wait;
static atomic_bool reachable, lose_link, due_long_ago, foreign;
static char birth_text[512];
static enum rh_session_state session_state; /* the uplink's thread, as are the next */
static const struct rh_routes *routes_in_use;
static _Atomic uint64_t routes_read;

static void saw(enum event event)
{
    atomic_store(&order[event], atomic_fetch_add(&clock_of_events, 1));
    atomic_store(&seen_us[event], rh_mono_us());
    atomic_fetch_add(&seen[event], 1);
}

/* ---- session ---- */

struct rh_session {
    int unused;
};

int rh_session_new(const struct rh_session_options *options, const struct rh_flight_ops *ops, void *store,
                   struct rh_session **ret_session)
{
    (void)options;
    (void)ops;
    (void)store;
    *ret_session = calloc(1, sizeof(**ret_session));
    session_state = RH_SESSION_DOWN;
    return 0;
}

void rh_session_free(struct rh_session *session)
{
    free(session);
}

enum rh_connect_outcome rh_session_connect(struct rh_session *session, const char *will,
                                           const char *(*birth)(void *context, int version), void *context,
                                           struct rh_connect_info *ret_info)
{
    (void)session;
    (void)will;
    saw(CONNECT);
    *ret_info = (struct rh_connect_info){.version = 5, .why = "no"};
    if (!atomic_load(&reachable))
        return RH_CONNECT_UNREACHABLE;
    snprintf(birth_text, sizeof(birth_text), "%s", birth(context, 5));
    session_state = RH_SESSION_UNSURE;
    return RH_CONNECT_OK;
}

enum rh_session_state rh_session_state(const struct rh_session *session)
{
    (void)session;
    return session_state;
}

static void say(void (*arrival)(void *context, const struct rh_arrival *arrival), void *context,
                const char *payload)
{
    const struct rh_arrival message = {.topic = "r/status", .payload = payload, .len = strlen(payload)};

    arrival(context, &message);
}

enum rh_session_state rh_session_step(struct rh_session *session, int wait_ms,
                                      void (*arrival)(void *context, const struct rh_arrival *arrival),
                                      void *context)
{
    (void)session;
    (void)wait_ms;
    if (session_state == RH_SESSION_UNSURE)
        session_state = RH_SESSION_READY;
    say(arrival, context, "{\"state\":\"online\",\"session\":7}"); /* our own */
    if (atomic_exchange(&foreign, false))
        say(arrival, context, "{\"state\":\"offline\",\"session\":6}");
    return session_state;
}

enum rh_publish_outcome rh_session_publish(struct rh_session *session, const struct rh_outgoing *message)
{
    (void)session;
    if (strcmp(message->topic, "r/status") == 0 && message->retain &&
        strncmp(message->payload, birth_text, message->len) == 0)
        atomic_fetch_add(&births, 1);
    return RH_PUBLISH_TAKEN;
}

int rh_session_room(const struct rh_session *session)
{
    (void)session;
    return session_state == RH_SESSION_READY ? 10 : 0;
}

int rh_session_inflight(const struct rh_session *session)
{
    (void)session;
    return session_state == RH_SESSION_UNSURE;
}

int rh_session_fd(const struct rh_session *session)
{
    (void)session;
    return -1;
}

bool rh_session_was_lost(struct rh_session *session)
{
    (void)session;
    return false;
}

const char *rh_session_why(const struct rh_session *session)
{
    (void)session;
    return "";
}

void rh_session_counters(const struct rh_session *session, struct rh_session_counters *ret_counters)
{
    (void)session;
    *ret_counters = (struct rh_session_counters){0};
}

void rh_session_disconnect(struct rh_session *session, const char *farewell, int timeout_ms)
{
    (void)session;
    (void)timeout_ms;
    assert_non_null(strstr(farewell, "stopped"));
    saw(GOODBYE);
}

/* ---- store ---- */

const struct rh_flight_ops rh_flight_ops;

int rh_flights_open(const char *path, struct rh_store_shared *shared, struct rh_flights **ret_flights,
                    char *why, size_t why_cap)
{
    (void)path;
    (void)shared;
    (void)ret_flights;
    (void)why;
    (void)why_cap;
    return -1;
}

void rh_flights_close(struct rh_flights *flights)
{
    (void)flights;
}

int rh_flights_next(struct rh_flights *flights, int64_t now_us, struct rh_outgoing *ret_next)
{
    (void)flights;
    (void)now_us;
    (void)ret_next;
    return 0;
}

int64_t rh_flights_new_session(struct rh_flights *flights)
{
    (void)flights;
    return 7;
}

int rh_flights_sent(struct rh_flights *flights, int64_t row)
{
    (void)flights;
    (void)row;
    return 0;
}

int rh_flights_put_aside(struct rh_flights *flights, int64_t row, int reason)
{
    (void)flights;
    (void)row;
    (void)reason;
    return 0;
}

int rh_flights_tick(struct rh_flights *flights, int64_t now_us)
{
    (void)flights;
    (void)now_us;
    atomic_fetch_add(&steps, 1);
    return 0;
}

int64_t rh_flights_due(const struct rh_flights *flights)
{
    (void)flights;
    return atomic_load(&due_long_ago) ? 1 : RH_NEVER;
}

void rh_audit_drain(struct rh_ring *ring, struct rh_flights *flights)
{
    (void)ring;
    (void)flights;
}

/* ---- commander ---- */

struct rh_commander {
    int unused;
};

int rh_commander_new(const struct rh_commander_options *options, struct rh_commander **ret_commander)
{
    (void)options;
    *ret_commander = calloc(1, sizeof(**ret_commander));
    return 0;
}

void rh_commander_free(struct rh_commander *commander)
{
    free(commander);
}

void rh_commander_set_routes(struct rh_commander *commander, const struct rh_routes *routes)
{
    (void)commander;
    routes_in_use = routes;
}

void rh_commander_connecting(struct rh_commander *commander)
{
    (void)commander;
    saw(CONNECTING);
}

void rh_commander_connected(struct rh_commander *commander, struct rh_session *session)
{
    (void)commander;
    (void)session;
    saw(READY);
}

void rh_commander_step(struct rh_commander *commander, struct rh_session *session)
{
    (void)commander;
    (void)session;
}

bool rh_commander_arrived(struct rh_commander *commander, struct rh_session *session,
                          const struct rh_arrival *arrival)
{
    (void)commander;
    (void)session;
    (void)arrival;
    return false;
}

/* Whoever uses the routes after they were withdrawn reads freed memory here. */
void rh_commander_answers(struct rh_commander *commander, struct rh_session *session)
{
    (void)commander;
    if (routes_in_use)
        atomic_store(&routes_read, routes_in_use->n);
    if (session && atomic_exchange(&lose_link, false)) { /* by the reply that went out just now */
        session_state = RH_SESSION_DOWN;
        saw(LEFT);
    }
}

bool rh_commander_waiting(const struct rh_commander *commander)
{
    (void)commander;
    return atomic_fetch_add(&asked_to_wait, 1) < 2;
}

void rh_commander_give_up(struct rh_commander *commander, struct rh_session *session)
{
    (void)commander;
    (void)session;
    saw(GIVEN_UP);
}

#endif
