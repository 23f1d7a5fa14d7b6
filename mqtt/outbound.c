/* SPDX-License-Identifier: MIT */
/*
 * outbound.c - the window, publishing, subscribing.
 *
 * The window holds back one place for the own status. While flights of an earlier connection are on
 * their way again no new ones start, so that packet ids rise with the age of the messages: that order is
 * all that the library has when it reads them back.
 */
#include "mqtt/outbound.h"

#include <MQTTClient.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "mqtt/packet.h"
#include "mqtt/receive.h"

#define IN_FLIGHT_BYTES_MAX ((size_t)256 * 1024)
#define RESTORED_US 10000000 /* how long flights of an earlier connection may keep new ones waiting */
#define SUBACK_REFUSED 0x80
#define CORRELATION_MAX 65535
#define NEVER_RETAINED 2 /* retain handling */

/* What the library or the store did may have ended the connection. */
enum rh_session_state rh_outbound_check(struct rh_session *session)
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

int rh_outbound_qos(const struct rh_session *session, int qos)
{
    return qos > session->limits.max_qos ? session->limits.max_qos : qos;
}

static void add_correlation(MQTTProperties *properties, const struct rh_publish_extra *extra)
{
    MQTTProperty correlation = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA};
    correlation.value.data.data = (char *)(uintptr_t)extra->correlation; /* copied, never written */
    correlation.value.data.len = (int)extra->len;
    (void)MQTTProperties_add(properties, &correlation);
}

/* True if the packet is on its way: written, or recorded so that it will be. */
static bool send(struct rh_session *session, const struct rh_outgoing *message,
                 const struct rh_publish_extra *extra)
{
    int qos = rh_outbound_qos(session, message->qos);
    MQTTProperties properties = MQTTProperties_initializer;
    if (session->flights.v5 && extra)
        add_correlation(&properties, extra);
    rh_flight_begin(&session->flights, message, extra, qos);
    MQTTResponse response =
        MQTTClient_publish5(session->client, message->topic, (int)message->len, message->payload, qos,
                            message->retain && session->limits.retain, &properties, NULL);
    MQTTProperties_free(&properties);
    bool recorded = rh_flight_end(&session->flights);
    int rc = (int)response.reasonCode;
    MQTTResponse_free(response);
    rh_outbound_check(session);
    return qos > 0 ? recorded : rc == MQTTCLIENT_SUCCESS && session->state != RH_SESSION_DOWN;
}

bool rh_outbound_status(struct rh_session *session, const char *payload)
{
    struct rh_outgoing message = {
        .kind = RH_BATCH_STATE, .qos = 1, .retain = true, .payload = payload, .len = strlen(payload)};
    snprintf(message.topic, sizeof(message.topic), "%s", session->options.status_topic);
    return send(session, &message, NULL);
}

bool rh_outbound_status_done(const struct rh_session *session)
{
    return session->flights.status_done || session->limits.max_qos == 0;
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
bool rh_outbound_has_place(const struct rh_session *session)
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
    if (waiting || rows >= window(session) || !rh_outbound_has_place(session))
        return 0;
    return (int)(window(session) - rows);
}

int rh_session_inflight(const struct rh_session *session)
{
    return (int)session->flights.n + (int)session->flights.kept.n + (session->state == RH_SESSION_UNSURE);
}

static bool fits(const struct rh_session *session, int qos, size_t size)
{
    bool full = qos > 0 && session->flights.n > 0 && session->flights.bytes + size > IN_FLIGHT_BYTES_MAX;
    return !full && rh_session_room(session) > 0 && rh_link_writable(session->flights.fd);
}

enum rh_publish_outcome rh_session_publish_extra(struct rh_session *session,
                                                 const struct rh_outgoing *message,
                                                 const struct rh_publish_extra *extra)
{
    if (session->state == RH_SESSION_DOWN)
        return RH_PUBLISH_DOWN;
    if (extra && !extra->correlation)
        extra = NULL;
    if (extra && extra->len > CORRELATION_MAX)
        return RH_PUBLISH_TOO_LARGE;
    int qos = rh_outbound_qos(session, message->qos);
    size_t size = rh_packet_size(message, extra, qos, session->flights.v5);
    if (session->limits.max_packet && size > session->limits.max_packet)
        return RH_PUBLISH_TOO_LARGE;
    if (!fits(session, qos, size))
        return RH_PUBLISH_FULL;
    if (!send(session, message, extra))
        return RH_PUBLISH_DOWN;
    session->counters.published++;
    return RH_PUBLISH_TAKEN;
}

enum rh_publish_outcome rh_session_publish(struct rh_session *session, const struct rh_outgoing *message)
{
    return rh_session_publish_extra(session, message, NULL);
}

/* ---- subscribing ---- */

/* Only the form for several filters says on 3.1.1 what was granted. */
static int subscribe_v3(struct rh_session *session, const char *filter, int qos)
{
    char *filters[] = {(char *)(uintptr_t)filter}; /* only read */
    int granted[] = {qos};
    int rc = MQTTClient_subscribeMany(session->client, 1, filters, granted);
    return rc == MQTTCLIENT_SUCCESS ? granted[0] : rc;
}

static int subscribe_v5(struct rh_session *session, const char *filter, int qos, int retain_handling,
                        bool as_published)
{
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    options.retainHandling = (unsigned char)retain_handling;
    options.retainAsPublished = as_published;
    MQTTResponse response = MQTTClient_subscribe5(session->client, filter, qos, &options, NULL);
    int rc = (int)response.reasonCode;
    MQTTResponse_free(response);
    return rc;
}

int rh_outbound_subscribe(struct rh_session *session, const char *filter, int qos, int retain_handling,
                          bool as_published)
{
    int rc = session->flights.v5 ? subscribe_v5(session, filter, qos, retain_handling, as_published)
                                 : subscribe_v3(session, filter, qos);
    rh_receive_queued(session); /* it acknowledged what came before the SUBACK */
    if (rh_outbound_check(session) == RH_SESSION_DOWN)
        return -ENOTCONN;
    return rc < 0 ? -EINVAL : rc;
}

int rh_session_subscribe(struct rh_session *session, const char *filter, int qos)
{
    if (session->state != RH_SESSION_READY)
        return -ENOTCONN;
    int rc = rh_outbound_subscribe(session, filter, rh_outbound_qos(session, qos), NEVER_RETAINED, true);
    if (rc < SUBACK_REFUSED)
        return rc;
    rh_handshake_say(session, "the broker refuses the subscription to %s (code 0x%02x)", filter,
                     (unsigned)rc);
    return -EACCES;
}
