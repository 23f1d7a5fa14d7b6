/* SPDX-License-Identifier: MIT */
/*
 * uplink_connect.c - how the uplink comes by a session: the broker whose turn it is, the password of today,
 * the number of the session, will and birth, and how long to wait when it did not work.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/uplink_inside.h"

#define SHORT_SESSIONS 3 /* in a row: then reconnecting is slowed down, and the reason is guessed at */
#define SHORT_US 10000000
#define PACKET_OVERHEAD 512 /* topic and headers of a data message, at most */

const struct rh_broker *rh_uplink_broker(const struct rh_uplink *uplink)
{
    return &uplink->options.mqtt->brokers[uplink->broker];
}

/* Read at each connect, so that a changed password is taken up; one line, without its end. */
static int read_password(struct rh_uplink *uplink)
{
    const char *path = uplink->options.mqtt->password_file;
    ssize_t n = 0;

    uplink->password[0] = '\0';
    if (!*path)
        return 0;
    RH_CLEANUP(rh_cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        n = read(fd, uplink->password, sizeof(uplink->password) - 1);
    if (fd < 0 || n < 0) {
        int r = -errno;

        if (!uplink->told_away)
            rh_log(RH_LOG_ERROR, "mqtt", "cannot read %s: %s", path, strerror(-r));
        uplink->told_away = true;
        return r;
    }
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
    struct rh_session_options options = {
        .url = rh_uplink_broker(uplink)->url,
        .tls = {.ca_file = mqtt->ca_file, .cert_file = mqtt->cert_file, .key_file = mqtt->key_file},
        .client_id = mqtt->client_id,
        .username = mqtt->username,
        .password = uplink->password,
        .version = session_version(mqtt->version),
        .keepalive_s = (int)(mqtt->keepalive_ms / 1000),
        .session_expiry_s = mqtt->session_expiry_ms / 1000,
        .inflight = (int)mqtt->inflight,
        .status_topic = uplink->status_topic,
    };
    int r = rh_session_new(&options, &rh_flight_ops, uplink->flights, &uplink->session);
    if (r < 0)
        rh_log(RH_LOG_ERROR, "mqtt", "cannot open a session: %s", strerror(-r));
    return r;
}

/* Birth and will carry the number of the session they belong to; the birth also the version of MQTT. */
static const char *write_birth(void *context, int version)
{
    struct rh_uplink *uplink = context;
    struct rh_text text;

    uplink->status.mqtt = version;
    uplink->status.tls = rh_uplink_broker(uplink)->tls;
    rh_text_init(&text, uplink->birth, sizeof(uplink->birth));
    rh_message_online(&text, &uplink->status);
    return uplink->birth;
}

static void write_will(struct rh_uplink *uplink)
{
    struct rh_text text;

    rh_text_init(&text, uplink->will, sizeof(uplink->will));
    rh_message_offline(&text, &uplink->status, "lost");
}

/* What a packet of this size leaves for the payload, with topic and headers. */
static int64_t payload_limit(int64_t max_packet)
{
    if (max_packet == 0)
        return 0;
    return max_packet > 2 * PACKET_OVERHEAD ? max_packet - PACKET_OVERHEAD : max_packet / 2;
}

static void connected(struct rh_uplink *uplink)
{
    rh_log(RH_LOG_NOTICE, "mqtt", "connected to %s with MQTT %s as %s", rh_uplink_broker(uplink)->url,
           uplink->info.version >= 5 ? "5" : "3.1.1", uplink->info.client_id);
    uplink->told_away = false;
    uplink->told_outcomes = 1U << RH_CONNECT_UNREACHABLE; /* what follows a lost link is no news */
    uplink->connected_us = rh_mono_us();
    if (uplink->short_sessions < SHORT_SESSIONS)
        rh_backoff_reset(&uplink->backoff);
    rh_count(&uplink->view.connects, 1);
    rh_gauge_set(&uplink->view.mqtt_version, uplink->info.version);
    rh_gauge_set(uplink->options.max_payload, payload_limit(uplink->info.max_packet));
}

static void not_connected(struct rh_uplink *uplink, enum rh_connect_outcome outcome)
{
    int64_t pause_us = rh_backoff_next(&uplink->backoff, outcome == RH_CONNECT_CREDENTIALS ? 4 : 1);

    if (!uplink->told_away || !(uplink->told_outcomes & 1U << outcome))
        rh_log(RH_LOG_WARNING, "mqtt", "%s: %s; readings are kept, trying again",
               rh_uplink_broker(uplink)->url, uplink->info.why);
    uplink->told_outcomes |= 1U << outcome;
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

void rh_uplink_connect(struct rh_uplink *uplink)
{
    if (!uplink->session && open_session(uplink) < 0) {
        uplink->connect_us = rh_mono_us() + rh_backoff_next(&uplink->backoff, 1);
        return;
    }
    if (read_password(uplink) < 0) {
        uplink->connect_us = rh_mono_us() + rh_backoff_next(&uplink->backoff, 1);
        return;
    }
    int64_t number = rh_flights_new_session(uplink->flights);
    uplink->status.session = number > 0 ? number : uplink->status.session + 1;
    write_will(uplink);
    rh_commander_connecting(uplink->commander);
    enum rh_connect_outcome outcome =
        rh_session_connect(uplink->session, uplink->will, write_birth, uplink, &uplink->info);
    if (outcome == RH_CONNECT_OK)
        connected(uplink);
    else
        not_connected(uplink, outcome);
}

void rh_uplink_count_session(struct rh_uplink *uplink)
{
    if (rh_mono_us() - uplink->connected_us > SHORT_US) {
        uplink->short_sessions = 0;
        return;
    }
    if (++uplink->short_sessions == SHORT_SESSIONS)
        rh_log(RH_LOG_WARNING, "mqtt",
               "the broker ends every session at once: is another client connected as %s?",
               uplink->info.client_id);
}
