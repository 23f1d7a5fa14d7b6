/* SPDX-License-Identifier: MIT */
/*
 * One session at a time with one broker of the list; the next of the list is tried when one cannot be
 * reached. A new broker is a new session: nothing of what flew to the former one is taken as delivered.
 */
#include "gateway/uplink_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/ring.h"
#include "gateway/audit.h"
#include "gateway/passing.h"

#define PUBLISH_MAX 64        /* messages between two looks at the socket */
#define REASON_TOO_LARGE 0x95 /* MQTT 5: packet too large */
#define ROUTES_WAIT_MS 15000
#define FAREWELL_MS 2000
#define FLUSH_US 2000000
#define ANSWERS_US 2000000
#define BIRTH_AGAIN_US 10000000
#define REFUSED_US 60000000 /* between two lines about refusals */
#define FOREVER_US 1000000  /* the longest wait without a beat */
#define FLYING_US 10000     /* while acknowledgements are outstanding */

/* Commands and the own status topic are subscribed to. On the latter a number above ours belongs to a twin
 * with the same client id; one below is a will that came late. Either way the topic must say online again. */
static void arrived(void *context, const struct rh_arrival *arrival)
{
    struct rh_uplink *uplink = context;

    if (rh_commander_arrived(uplink->commander, uplink->session, arrival))
        return;
    if (strcmp(arrival->topic, uplink->status_topic) != 0) {
        rh_log(RH_LOG_NOTICE, "command", "%s is no topic of a command; nothing was done", arrival->topic);
        return;
    }
    int64_t number = rh_message_session(arrival->payload, arrival->len);
    if (number == uplink->status.session)
        return;
    if (number > uplink->status.session)
        rh_log(RH_LOG_WARNING, "mqtt", "another client writes on %s: is this gateway's name taken twice?",
               uplink->status_topic);
    uplink->birth_due = true;
}

static void say_birth_again(struct rh_uplink *uplink)
{
    struct rh_outgoing message = {
        .qos = 1, .retain = true, .payload = uplink->birth, .len = strlen(uplink->birth)};

    if (!uplink->birth_due || rh_mono_us() < uplink->birth_us)
        return;
    snprintf(message.topic, sizeof(message.topic), "%s", uplink->status_topic);
    if (rh_session_publish(uplink->session, &message) == RH_PUBLISH_TAKEN) {
        uplink->birth_due = false;
        uplink->birth_us = rh_mono_us() + BIRTH_AGAIN_US;
    }
}

static void storage_failed(struct rh_uplink *uplink, int r)
{
    if (!uplink->told_storage)
        rh_log(RH_LOG_ERROR, "store", "cannot read or mark messages: %s", strerror(-r));
    uplink->told_storage = true;
}

/* False when nothing more can be sent now. */
static bool publish_one(struct rh_uplink *uplink)
{
    struct rh_outgoing message;

    if (rh_session_room(uplink->session) <= 0)
        return false;
    int r = rh_flights_next(uplink->flights, rh_mono_us(), &message);
    if (r <= 0) {
        if (r < 0)
            storage_failed(uplink, r);
        return false;
    }
    uplink->told_storage = false;
    enum rh_publish_outcome outcome = rh_session_publish(uplink->session, &message);
    if (outcome == RH_PUBLISH_TAKEN) {
        rh_count(&uplink->view.published, 1);
        if (message.qos == 0 && (r = rh_flights_sent(uplink->flights, message.row)) < 0)
            storage_failed(uplink, r);
        return true;
    }
    if (outcome != RH_PUBLISH_TOO_LARGE)
        return false;
    rh_log(RH_LOG_WARNING, "mqtt",
           "a message of %zu bytes on %s is more than the broker takes; it is kept and tried again "
           "later",
           message.len, message.topic);
    r = rh_flights_put_aside(uplink->flights, message.row, REASON_TOO_LARGE);
    if (r < 0)
        storage_failed(uplink, r);
    return r == 0;
}

/* State that is not history: what cannot be sent now is dropped, and said again after the next connect. */
static void pass_on(struct rh_uplink *uplink, bool ready)
{
    struct rh_outgoing message = {.qos = 0, .retain = true};
    const char *topic;

    for (int n = 0; n < PUBLISH_MAX || !ready; n++) {
        if (ready && rh_session_room(uplink->session) <= 0)
            return;
        if (!rh_passing_take(uplink->options.passing, uplink->passing, &topic, &message.payload,
                             &message.len))
            return;
        snprintf(message.topic, sizeof(message.topic), "%s", topic);
        if (ready && rh_session_publish(uplink->session, &message) == RH_PUBLISH_DOWN)
            return;
    }
}

static void publish(struct rh_uplink *uplink)
{
    say_birth_again(uplink);
    rh_commander_step(uplink->commander, uplink->session);
    pass_on(uplink, true);
    for (int n = 0; n < PUBLISH_MAX && publish_one(uplink); n++)
        continue;
}

static void link_lost(struct rh_uplink *uplink)
{
    const char *why = rh_session_why(uplink->session);

    rh_log(RH_LOG_WARNING, "mqtt", "connection to %s lost%s%s; readings are kept",
           rh_uplink_broker(uplink)->url, *why ? ": " : "", why);
    uplink->told_away = true;
    rh_uplink_count_session(uplink);
    uplink->connect_us = rh_mono_us() + rh_backoff_next(&uplink->backoff, 1);
}

static void measure(struct rh_uplink *uplink, enum rh_session_state state)
{
    struct rh_session_counters counters = {0};

    if (uplink->session)
        rh_session_counters(uplink->session, &counters);
    if (counters.refused > uplink->told_refused && rh_mono_us() >= uplink->refused_us) {
        rh_log(RH_LOG_WARNING, "mqtt",
               "the broker refused %llu messages (its access rules, or a quota); they are kept and "
               "tried again",
               (unsigned long long)(counters.refused - uplink->told_refused));
        uplink->told_refused = counters.refused;
        uplink->refused_us = rh_mono_us() + REFUSED_US;
    }
    atomic_store(&uplink->view.refused, counters.refused);
    atomic_store(&uplink->view.no_subscriber, counters.no_subscriber);
    atomic_store(&uplink->view.session_lost, counters.session_lost);
    rh_gauge_set(&uplink->view.connected, state == RH_SESSION_READY);
    rh_gauge_set(uplink->options.connected_gauge, state == RH_SESSION_READY);
    rh_gauge_set(&uplink->view.inflight, uplink->session ? rh_session_inflight(uplink->session) : 0);
}

static void check_verdict(struct rh_uplink *uplink)
{
    if (!rh_session_was_lost(uplink->session))
        return;
    rh_log(RH_LOG_NOTICE, "mqtt", "the broker has no session of ours; what was on its way is sent again");
    uplink->options.session_lost(uplink->options.keeper);
}

static int64_t wake_us(const struct rh_uplink *uplink, enum rh_session_state state, int64_t now_us)
{
    int64_t until_us = now_us + FOREVER_US;
    int64_t due_us = rh_flights_due(uplink->flights);

    if (due_us <= now_us)
        due_us = RH_NEVER; /* still due after a step: it waits for the broker, and we for that */
    if (state == RH_SESSION_DOWN)
        due_us = due_us < uplink->connect_us ? due_us : uplink->connect_us;
    else if (rh_session_fd(uplink->session) < 0 || rh_session_inflight(uplink->session) > 0)
        until_us = now_us + FLYING_US;
    return due_us < until_us ? due_us : until_us;
}

/* True when the session wants a step: its socket is readable, or it is time for one. */
static bool wait_for_work(struct rh_uplink *uplink, enum rh_session_state state)
{
    int64_t now_us = rh_mono_us();
    struct pollfd fds[] = {
        {.fd = uplink->thread.bell, .events = POLLIN},
        {.fd = uplink->options.commit_bell, .events = POLLIN},
        {.fd = state == RH_SESSION_DOWN ? -1 : rh_session_fd(uplink->session), .events = POLLIN},
    };
    int n = poll(fds, RH_COUNT(fds), rh_poll_timeout_ms(now_us, wake_us(uplink, state, now_us)));

    if (n > 0 && fds[0].revents)
        rh_bell_clear(uplink->thread.bell);
    if (n > 0 && fds[1].revents)
        rh_bell_clear(uplink->options.commit_bell);
    return n <= 0 || fds[2].revents;
}

static void became_ready(struct rh_uplink *uplink)
{
    const char *why = rh_session_why(uplink->session);

    if (*why)
        rh_log(RH_LOG_WARNING, "mqtt", "%s", why);
    rh_commander_connected(uplink->commander, uplink->session);
    rh_gauge_set(uplink->options.connected_gauge, 1);
    uplink->options.connected(uplink->options.keeper);
}

static void take_answers(struct rh_uplink *uplink)
{
    bool ready = uplink->session && rh_session_state(uplink->session) == RH_SESSION_READY;

    rh_commander_answers(uplink->commander, ready ? uplink->session : NULL);
    rh_audit_drain(uplink->options.audits, uplink->flights);
}

/* Once new routes are in use the configuration of former lines goes: their last answers are taken before. */
static void take_routes(struct rh_uplink *uplink)
{
    const struct rh_routes *wanted = atomic_load(&uplink->routes_wanted);

    if (wanted == atomic_load(&uplink->routes))
        return;
    take_answers(uplink);
    rh_commander_set_routes(uplink->commander, wanted);
    atomic_store(&uplink->routes, wanted);
    rh_bell_ring(uplink->routes_bell);
}

static enum rh_session_state run_session(struct rh_uplink *uplink, bool readable)
{
    enum rh_session_state before = rh_session_state(uplink->session), state = before;

    if (readable)
        state = rh_session_step(uplink->session, 1, arrived, uplink);
    check_verdict(uplink);
    if (state == RH_SESSION_READY && uplink->state != RH_SESSION_READY)
        became_ready(uplink);
    if (state == RH_SESSION_READY) {
        publish(uplink);
        state = rh_session_state(uplink->session);
    }
    if ((before != RH_SESSION_DOWN || uplink->state != RH_SESSION_DOWN) && state == RH_SESSION_DOWN)
        link_lost(uplink); /* just now, or by a reply before */
    uplink->state = state;
    return state;
}

static void step(struct rh_uplink *uplink)
{
    enum rh_session_state state = uplink->session ? rh_session_state(uplink->session) : RH_SESSION_DOWN;

    rh_gauge_set(&uplink->view.beat_us, rh_mono_us());
    if (state == RH_SESSION_DOWN && rh_mono_us() >= uplink->connect_us) {
        rh_uplink_connect(uplink);
        state = uplink->session ? rh_session_state(uplink->session) : RH_SESSION_DOWN;
    }
    take_routes(uplink);
    bool readable = wait_for_work(uplink, state);
    take_answers(uplink);
    if (state == RH_SESSION_DOWN)
        pass_on(uplink, false);
    if (state != RH_SESSION_DOWN)
        state = run_session(uplink, readable);
    int r = rh_flights_tick(uplink->flights, rh_mono_us());
    if (r < 0)
        storage_failed(uplink, r);
    measure(uplink, state);
}

/* The last readings were committed just now: what the broker takes within FLUSH_US still goes out. */
static void flush(struct rh_uplink *uplink)
{
    int64_t until_us = rh_mono_us() + FLUSH_US;

    while (uplink->session && rh_mono_us() < until_us) {
        enum rh_session_state state = rh_session_state(uplink->session);
        bool more = state == RH_SESSION_READY && publish_one(uplink);

        if (state == RH_SESSION_DOWN || (!more && rh_session_inflight(uplink->session) == 0))
            return;
        rh_session_step(uplink->session, 1, arrived, uplink);
    }
}

/* Commands under way are answered within ANSWERS_US; those that are not may have been carried out. */
static void await_answers(struct rh_uplink *uplink)
{
    int64_t until_us = rh_mono_us() + ANSWERS_US, now_us;

    take_answers(uplink);
    while (rh_commander_waiting(uplink->commander) && (now_us = rh_mono_us()) < until_us) {
        struct pollfd bell = {.fd = uplink->options.commit_bell, .events = POLLIN};

        if (poll(&bell, 1, rh_poll_timeout_ms(now_us, until_us)) > 0)
            rh_bell_clear(uplink->options.commit_bell);
        take_answers(uplink);
    }
    bool ready = uplink->session && rh_session_state(uplink->session) == RH_SESSION_READY;
    rh_commander_give_up(uplink->commander, ready ? uplink->session : NULL);
}

static void *body(void *context)
{
    struct rh_uplink *uplink = context;
    char farewell[STATUS_BYTES];
    struct rh_text text;

    while (!rh_thread_stopping(&uplink->thread))
        step(uplink);
    await_answers(uplink);
    flush(uplink);
    rh_text_init(&text, farewell, sizeof(farewell));
    rh_message_offline(&text, &uplink->status, "stopped");
    if (uplink->session && rh_session_state(uplink->session) != RH_SESSION_DOWN)
        rh_session_disconnect(uplink->session, farewell, FAREWELL_MS);
    rh_session_free(uplink->session);
    return NULL;
}

static int build(struct rh_uplink *uplink)
{
    struct rh_commander_options options = {.mqtt = uplink->options.mqtt,
                                           .commands = uplink->options.commands,
                                           .flights = uplink->flights,
                                           .shared = uplink->options.shared,
                                           .answers = uplink->options.answers,
                                           .keeper = uplink->options.keeper,
                                           .resend_meta = uplink->options.resend_meta};

    uplink->passing = malloc(RH_PASSING_BYTES);
    if (!uplink->passing)
        return -ENOMEM;
    pass_on(uplink, false); /* what is left there may be on the topics of a former configuration */
    return rh_commander_new(&options, &uplink->commander);
}

int rh_uplink_new(const struct rh_uplink_options *options, struct rh_flights *flights,
                  struct rh_uplink **ret_uplink)
{
    struct rh_uplink *uplink = calloc(1, sizeof(*uplink));

    if (!uplink)
        return -ENOMEM;
    uplink->options = *options;
    uplink->flights = flights;
    uplink->status =
        (struct rh_status){.epoch = options->epoch, .since_wall_ms = options->since_wall_ms, .mqtt = 5};
    uplink->backoff = (struct rh_backoff){.min_us = options->mqtt->backoff_min_ms * 1000,
                                          .max_us = options->mqtt->backoff_max_ms * 1000,
                                          .random = (uint64_t)rh_mono_us() ^ (uint64_t)getpid() << 32};
    snprintf(uplink->status_topic, sizeof(uplink->status_topic), "%s/status", options->mqtt->root);
    rh_gauge_set(&uplink->view.beat_us, rh_mono_us());
    uplink->routes_bell = -1;
    int r = rh_thread_init(&uplink->thread);
    if (r == 0)
        r = rh_bell_open(&uplink->routes_bell);
    if (r == 0)
        r = build(uplink);
    if (r < 0) {
        rh_uplink_free(uplink);
        return r;
    }
    *ret_uplink = uplink;
    return 0;
}

int rh_uplink_start(struct rh_uplink *uplink)
{
    return rh_thread_start(&uplink->thread, "uplink", body, uplink);
}

void rh_uplink_free(struct rh_uplink *uplink)
{
    if (!uplink)
        return;
    rh_thread_fini(&uplink->thread);
    rh_commander_free(uplink->commander);
    rh_cleanup_close(&uplink->routes_bell);
    free(uplink->passing);
    free(uplink);
}

void rh_uplink_set_routes(struct rh_uplink *uplink, const struct rh_routes *routes)
{
    struct pollfd taken = {.fd = uplink->routes_bell, .events = POLLIN};

    atomic_store(&uplink->routes_wanted, routes);
    rh_bell_ring(uplink->thread.bell);
    while (uplink->thread.running && atomic_load(&uplink->routes) != routes) {
        if (poll(&taken, 1, ROUTES_WAIT_MS) <= 0)
            rh_log(RH_LOG_WARNING, "mqtt", "waiting for the uplink to let go of the former lines");
        rh_bell_clear(uplink->routes_bell);
    }
}

const struct rh_uplink_view *rh_uplink_view(const struct rh_uplink *uplink)
{
    return &uplink->view;
}
