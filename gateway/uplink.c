/* SPDX-License-Identifier: MIT */
/*
 * One session at a time with one broker of the list; the next of the list is tried when one cannot be
 * reached. A new broker is a new session: nothing of what flew to the former one is taken as delivered.
 */
#include "gateway/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/ring.h"
#include "gateway/backoff.h"
#include "gateway/messages.h"
#include "gateway/thread.h"
#include "mqtt/session.h"

#define STATUS_BYTES 512
#define PASSWORD_BYTES 1024
#define PUBLISH_MAX 64        /* messages between two looks at the socket */
#define REASON_TOO_LARGE 0x95 /* MQTT 5: packet too large */
#define FAREWELL_MS 2000
#define FLUSH_US 2000000
#define BIRTH_AGAIN_US 10000000
#define FOREVER_US 1000000 /* the longest wait without a beat */
#define FLYING_US 10000    /* while acknowledgements are outstanding */

struct rh_uplink {
    struct rh_thread thread;
    struct rh_uplink_options options;
    struct rh_uplink_view view;
    struct rh_flights *flights;
    struct rh_session *session;
    struct rh_status status;
    struct rh_connect_info info;
    struct rh_backoff backoff;
    size_t broker;      /* of the list */
    bool told_away;     /* the broker's absence is in the log */
    bool told_storage;  /* so is a failing store */
    bool birth_due;     /* somebody else wrote on our status topic */
    int64_t connect_us; /* when to try next */
    int64_t birth_us;   /* when the birth may be said again */
    char status_topic[RH_TOPIC_MAX];
    char password[PASSWORD_BYTES];
    char birth[STATUS_BYTES], will[STATUS_BYTES];
};

static const struct rh_broker *broker_of(const struct rh_uplink *uplink)
{
    return &uplink->options.mqtt->brokers[uplink->broker];
}

/* Read at each new session, so that a changed password is taken up; one line, without its end. */
static int read_password(struct rh_uplink *uplink)
{
    const char *path = uplink->options.mqtt->password_file;

    uplink->password[0] = '\0';
    if (!*path)
        return 0;
    RH_CLEANUP(rh_cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, uplink->password, sizeof(uplink->password) - 1);
    if (n < 0)
        return -errno;
    uplink->password[n] = '\0';
    uplink->password[strcspn(uplink->password, "\r\n")] = '\0';
    return 0;
}

static enum rh_session_version session_version(int version)
{
    static const enum rh_session_version versions[] = {
        [RH_MQTT_AUTO] = RH_SESSION_AUTO, [RH_MQTT_5] = RH_SESSION_V5, [RH_MQTT_311] = RH_SESSION_V311};

    return versions[version];
}

static int open_session(struct rh_uplink *uplink)
{
    const struct rh_mqtt_conf *mqtt = uplink->options.mqtt;
    int r = read_password(uplink);

    if (r < 0) {
        rh_log(RH_LOG_ERROR, "mqtt", "cannot read %s: %s", mqtt->password_file, strerror(-r));
        return r;
    }
    struct rh_session_options options = {
        .url = broker_of(uplink)->url,
        .client_id = mqtt->client_id,
        .username = mqtt->username,
        .password = uplink->password,
        .version = session_version(mqtt->version),
        .keepalive_s = (int)(mqtt->keepalive_ms / 1000),
        .session_expiry_s = mqtt->session_expiry_ms / 1000,
        .inflight = (int)mqtt->inflight,
        .status_topic = uplink->status_topic,
    };
    r = rh_session_new(&options, &rh_flight_ops, uplink->flights, &uplink->session);
    if (r < 0)
        rh_log(RH_LOG_ERROR, "mqtt", "cannot open a session: %s", strerror(-r));
    return r;
}

/* Birth and will carry the number of the session they belong to. */
static void write_status(struct rh_uplink *uplink)
{
    struct rh_text text;

    rh_text_init(&text, uplink->will, sizeof(uplink->will));
    rh_message_offline(&text, &uplink->status, "lost");
    rh_text_init(&text, uplink->birth, sizeof(uplink->birth));
    rh_message_online(&text, &uplink->status);
}

static void connected(struct rh_uplink *uplink)
{
    int64_t overhead = RH_NAME_MAX + 400;

    rh_log(RH_LOG_NOTICE, "mqtt", "connected to %s with MQTT %s as %s", broker_of(uplink)->url,
           uplink->info.version >= 5 ? "5" : "3.1.1", uplink->info.client_id);
    uplink->told_away = false;
    rh_backoff_reset(&uplink->backoff);
    rh_count(&uplink->view.connects, 1);
    rh_gauge_set(&uplink->view.mqtt_version, uplink->info.version);
    rh_gauge_set(uplink->options.max_payload,
                 uplink->info.max_packet > overhead + 1024 ? uplink->info.max_packet - overhead : 0);
}

static void not_connected(struct rh_uplink *uplink, enum rh_connect_outcome outcome)
{
    int64_t pause_us = rh_backoff_next(&uplink->backoff, outcome == RH_CONNECT_CREDENTIALS ? 4 : 1);

    if (!uplink->told_away)
        rh_log(RH_LOG_WARNING, "mqtt", "%s: %s; readings are kept, trying again", broker_of(uplink)->url,
               uplink->info.why);
    if (uplink->options.mqtt->n_brokers > 1) { /* the next of the list, by a session of its own */
        uplink->broker = (uplink->broker + 1) % uplink->options.mqtt->n_brokers;
        rh_session_free(uplink->session);
        uplink->session = NULL;
        if (uplink->broker != 0)
            pause_us = 0;
    }
    uplink->told_away = uplink->broker == 0;
    uplink->connect_us = rh_mono_us() + pause_us;
}

static void try_connect(struct rh_uplink *uplink)
{
    if (!uplink->session && open_session(uplink) < 0) {
        uplink->connect_us = rh_mono_us() + rh_backoff_next(&uplink->backoff, 1);
        return;
    }
    int64_t number = rh_flights_new_session(uplink->flights);
    uplink->status.session = number > 0 ? number : uplink->status.session + 1;
    write_status(uplink);
    enum rh_connect_outcome outcome =
        rh_session_connect(uplink->session, uplink->will, uplink->birth, &uplink->info);
    if (outcome == RH_CONNECT_OK)
        connected(uplink);
    else
        not_connected(uplink, outcome);
}

/* Only the own status topic is subscribed to so far. A number above ours belongs to a twin with the same
 * client id; one below is a will that came late. Either way the topic must say online again. */
static void arrived(void *context, const struct rh_arrival *arrival)
{
    struct rh_uplink *uplink = context;

    if (strcmp(arrival->topic, uplink->status_topic) != 0)
        return;
    int64_t number = rh_message_session(arrival->payload, arrival->len);
    if (arrival->retain || number == uplink->status.session)
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

static void publish(struct rh_uplink *uplink)
{
    say_birth_again(uplink);
    for (int n = 0; n < PUBLISH_MAX && publish_one(uplink); n++)
        continue;
}

static void link_lost(struct rh_uplink *uplink)
{
    rh_log(RH_LOG_WARNING, "mqtt", "connection to %s lost; readings are kept", broker_of(uplink)->url);
    uplink->told_away = true;
    uplink->connect_us = rh_mono_us() + rh_backoff_next(&uplink->backoff, 1);
}

static void measure(struct rh_uplink *uplink, enum rh_session_state state)
{
    struct rh_session_counters counters = {0};

    if (uplink->session)
        rh_session_counters(uplink->session, &counters);
    atomic_store(&uplink->view.refused, counters.refused);
    atomic_store(&uplink->view.session_lost, counters.session_lost);
    rh_gauge_set(&uplink->view.connected, state == RH_SESSION_READY);
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

static enum rh_session_state run_session(struct rh_uplink *uplink, bool readable)
{
    enum rh_session_state before = rh_session_state(uplink->session), state = before;

    if (readable)
        state = rh_session_step(uplink->session, 1, arrived, uplink);
    check_verdict(uplink);
    if (state == RH_SESSION_READY) {
        publish(uplink);
        state = rh_session_state(uplink->session);
    }
    if (before != RH_SESSION_DOWN && state == RH_SESSION_DOWN)
        link_lost(uplink);
    return state;
}

static void step(struct rh_uplink *uplink)
{
    enum rh_session_state state = uplink->session ? rh_session_state(uplink->session) : RH_SESSION_DOWN;

    rh_gauge_set(&uplink->view.beat_us, rh_mono_us());
    if (state == RH_SESSION_DOWN && rh_mono_us() >= uplink->connect_us) {
        try_connect(uplink);
        state = uplink->session ? rh_session_state(uplink->session) : RH_SESSION_DOWN;
    }
    bool readable = wait_for_work(uplink, state);
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

static void *body(void *context)
{
    struct rh_uplink *uplink = context;
    char farewell[STATUS_BYTES];
    struct rh_text text;

    while (!rh_thread_stopping(&uplink->thread))
        step(uplink);
    flush(uplink);
    rh_text_init(&text, farewell, sizeof(farewell));
    rh_message_offline(&text, &uplink->status, "stopped");
    if (uplink->session && rh_session_state(uplink->session) != RH_SESSION_DOWN)
        rh_session_disconnect(uplink->session, farewell, FAREWELL_MS);
    rh_session_free(uplink->session);
    return NULL;
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
    int r = rh_thread_init(&uplink->thread);
    if (r < 0) {
        free(uplink);
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
    free(uplink);
}

const struct rh_uplink_view *rh_uplink_view(const struct rh_uplink *uplink)
{
    return &uplink->view;
}
