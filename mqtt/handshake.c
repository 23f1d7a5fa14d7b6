/* SPDX-License-Identifier: MIT */
/*
 * handshake.c - CONNECT: which protocol, which will, which keep-alive, and what the broker said to it.
 *
 * Every connection is made by a new client of the library, which reads the flights back through its
 * persistence interface: that way a change of protocol, a process that starts and a link that comes back
 * are the same thing. It sends the flights again by itself, in the order of their packet ids.
 *
 * A refusal that names its cause (protocol version, the will's QoS or retain flag) is learned from, and
 * the next attempt follows at once. A handshake that merely ends is not repeated: in AUTO the next call
 * tries the other protocol version, unless this one has worked before.
 */
#include "mqtt/handshake.h"

#include <MQTTClient.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "mqtt/persistence.h"
#include "mqtt/reason.h"
#include "mqtt/receive.h"
#include "mqtt/tls.h"

#define CONNECT_TIMEOUT_S 5
#define COMMAND_TIMEOUT_MS 5000
#define ASK_TIMEOUT_MS 1000
#define ATTEMPTS_MAX 4
#define HANG_UPS_MAX 3
#define LIBRARY_WINDOW 65535 /* the session's own window is smaller, and never exceeded */
#define RECEIVE_MAX_DEFAULT 65535
#define SESSION_EXPIRY_MAX INT32_MAX /* the library reads it as an int */

enum ending {
    ENDING_OK,
    ENDING_ANSWERED, /* refused by a CONNACK: limits.reason */
    ENDING_HUNG_UP,  /* closed or garbled */
    ENDING_SILENT,
    ENDING_NOBODY, /* no name, no route, nobody listens */
    ENDING_LOCAL,
    ENDING_TLS,    /* certificate or protocol of the broker */
    ENDING_CLIENT, /* our certificate is refused */
};

void rh_handshake_say(struct rh_session *session, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(session->why, sizeof(session->why), format, args);
    va_end(args);
}

/* NULL for "none". */
static const char *given(const char *string)
{
    return string && *string ? string : NULL;
}

static void published(void *context, int mid, int packet_type, MQTTProperties *properties,
                      enum MQTTReasonCodes reason)
{
    enum { PUBCOMP = 7 };
    struct rh_session *session = context;
    (void)properties;
    rh_flight_reason(&session->flights, (uint16_t)mid, (int)reason, packet_type == PUBCOMP);
}

static int new_client(struct rh_session *session)
{
    rh_handshake_close(session, false);
    rh_flight_restart(&session->flights, session->version == MQTTVERSION_5);
    MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
    options.MQTTVersion = session->version;
    int rc = MQTTClient_createWithOptions(&session->client, session->address.uri, session->options.client_id,
                                          MQTTCLIENT_PERSISTENCE_USER,
                                          rh_persistence_plugin(session->flights.persistence), &options);
    rh_persistence_reclaim(session->flights.persistence);
    if (rc != MQTTCLIENT_SUCCESS) {
        int error = session->flights.error ? session->flights.error : -ENOMEM;
        rh_handshake_say(session, "messages on their way could not be read from the store: %s",
                         strerror(-error));
        return error;
    }
    (void)MQTTClient_setCommandTimeout(session->client, COMMAND_TIMEOUT_MS);
    if (session->version == MQTTVERSION_5)
        (void)MQTTClient_setPublished(session->client, session, published);
    return 0;
}

/* The library has no limit of its own that counts here; -1 and 0 in place of what the broker did not say. */
static int property(MQTTProperties *properties, enum MQTTPropertyCodes code, int otherwise)
{
    if (!properties || !MQTTProperties_hasProperty(properties, code))
        return otherwise;
    return MQTTProperties_getNumericValue(properties, code);
}

static void read_client_id(struct rh_session *session, MQTTProperties *properties)
{
    char *id = session->limits.client_id;
    const MQTTProperty *assigned =
        properties ? MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_ASSIGNED_CLIENT_IDENTIFER)
                   : NULL;
    if (assigned)
        snprintf(id, RH_TOPIC_MAX, "%.*s", assigned->value.data.len, assigned->value.data.data);
    else
        snprintf(id, RH_TOPIC_MAX, "%s", session->options.client_id);
}

static void read_connack(struct rh_session *session, MQTTProperties *properties, int keepalive_s)
{
    struct rh_connect_info *limits = &session->limits;
    limits->receive_max = property(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, RECEIVE_MAX_DEFAULT);
    limits->max_packet = (uint32_t)property(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, 0);
    limits->max_qos = property(properties, MQTTPROPERTY_CODE_MAXIMUM_QOS, 2);
    limits->retain = property(properties, MQTTPROPERTY_CODE_RETAIN_AVAILABLE, 1) != 0;
    limits->keepalive_s = property(properties, MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE, keepalive_s);
    read_client_id(session, properties);
    session->flights.retain = limits->retain;
}

static MQTTResponse connect5(struct rh_session *session, MQTTClient_connectOptions *options)
{
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
    int64_t expiry_s = session->options.session_expiry_s;
    expiry.value.integer4 = (unsigned)(expiry_s > SESSION_EXPIRY_MAX ? SESSION_EXPIRY_MAX : expiry_s);
    MQTTProperties_add(&properties, &expiry);
    MQTTResponse response = MQTTClient_connect5(session->client, options, &properties, NULL);
    MQTTProperties_free(&properties);
    return response;
}

/* The library copies what it is given; a new client has read no file before. */
static MQTTClient_SSLOptions tls_options(const struct rh_session_tls *tls)
{
    MQTTClient_SSLOptions options = MQTTClient_SSLOptions_initializer;
    options.trustStore = given(tls->ca_file);
    options.keyStore = given(tls->cert_file);
    options.privateKey = given(tls->key_file);
    /* Never NULL: the TLS library would ask for it at the terminal. */
    options.privateKeyPassword = tls->key_password ? tls->key_password : "";
    options.enabledCipherSuites = RH_TLS_CIPHERS;
    options.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    options.enableServerCertAuth = 1;
    options.verify = 1; /* the host name */
    return options;
}

/* One CONNECT: what the library says, 0 or a reason code of the broker or negative. */
static int send_connect(struct rh_session *session, const char *will)
{
    bool v5 = session->version == MQTTVERSION_5;
    MQTTClient_connectOptions five = MQTTClient_connectOptions_initializer5;
    MQTTClient_connectOptions four = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions options = v5 ? five : four;
    MQTTClient_willOptions last_will = MQTTClient_willOptions_initializer;
    last_will.topicName = session->options.status_topic;
    last_will.message = will;
    last_will.qos = session->will_qos;
    last_will.retained = session->will_retain;
    MQTTClient_SSLOptions tls = tls_options(&session->options.tls);
    options.will = &last_will;
    options.ssl = session->address.tls ? &tls : NULL;
    options.MQTTVersion = session->version;
    options.cleanstart = 0;
    options.cleansession = 0;
    options.reliable = 0;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.maxInflightMessages = LIBRARY_WINDOW;
    options.keepAliveInterval = session->keepalive_s ? session->keepalive_s : session->options.keepalive_s;
    options.username = given(session->options.username);
    options.password = given(session->options.password);

    MQTTResponse response = MQTTResponse_initializer;
    if (v5)
        response = connect5(session, &options);
    else
        response.reasonCode = (enum MQTTReasonCodes)MQTTClient_connect(session->client, &options);
    int rc = (int)response.reasonCode;
    if (rc == 0)
        read_connack(session, response.properties, options.keepAliveInterval);
    session->session_present = !v5 && options.returned.sessionPresent;
    MQTTResponse_free(response);
    return rc;
}

/* What is wrong with TLS, if that is it; else ENDING_HUNG_UP. */
static enum ending explain_tls(struct rh_session *session)
{
    static const enum ending endings[] = {
        [RH_TLS_FINE] = ENDING_HUNG_UP,  [RH_TLS_LOCAL] = ENDING_LOCAL, [RH_TLS_BROKER] = ENDING_TLS,
        [RH_TLS_CLIENT] = ENDING_CLIENT, [RH_TLS_OTHER] = ENDING_TLS,
    };
    if (!session->address.tls)
        return ENDING_HUNG_UP;
    char detail[sizeof(session->why)] = "";
    enum rh_tls_fault fault =
        rh_tls_ask(&session->address, &session->options.tls, ASK_TIMEOUT_MS, detail, sizeof(detail));
    if (fault != RH_TLS_FINE)
        rh_handshake_say(session, "%s", detail);
    return endings[fault];
}

/* A sentence for a handshake that brought no CONNACK. */
static enum ending explain(struct rh_session *session, int64_t took_us)
{
    static const struct {
        const char *before, *after;
    } words[] = {
        [RH_LINK_OPEN] = {"", ""},
        [RH_LINK_REFUSED] = {"connection refused by ", ""},
        [RH_LINK_NO_ROUTE] = {"no way to the broker: ", ""},
        [RH_LINK_NO_NAME] = {"the broker's name cannot be resolved: ", ""},
        [RH_LINK_SILENT] = {"no answer from ", " within 5 s"},
    };
    char detail[128] = "";
    enum rh_link_answer answer = rh_link_ask(&session->address, ASK_TIMEOUT_MS, detail, sizeof(detail));
    if (answer != RH_LINK_OPEN) {
        rh_handshake_say(session, "%s%s%s", words[answer].before, detail, words[answer].after);
        return ENDING_NOBODY;
    }
    bool silent = took_us >= (CONNECT_TIMEOUT_S * 1000000LL * 9) / 10;
    rh_handshake_say(session,
                     silent ? "no answer to CONNECT within 5 s from %s"
                            : "%s closed the connection during the handshake",
                     detail);
    return silent ? ENDING_SILENT : explain_tls(session);
}

static enum ending attempt(struct rh_session *session, const char *will)
{
    if (new_client(session) < 0)
        return ENDING_LOCAL;
    struct rh_link_sockets before;
    rh_link_snapshot(&session->address, &before);
    int64_t start_us = rh_mono_us();
    session->limits = (struct rh_connect_info){.version = session->version};
    int rc = send_connect(session, will);
    if (rc > 0) {
        session->limits.reason = rc;
        rh_handshake_say(session, "the broker %s (code 0x%02x)", rh_reason_of_connect(rc)->text,
                         (unsigned)rc);
        return ENDING_ANSWERED;
    }
    if (rc < 0)
        return explain(session, rh_mono_us() - start_us);
    session->flights.fd = rh_link_find(&session->address, &before);
    if (session->flights.fd < 0) {
        rh_handshake_say(session, "%s closed the connection after the handshake", session->address.name);
        return ENDING_HUNG_UP;
    }
    rh_link_tune(session->flights.fd);
    return ENDING_OK;
}

static void other_version(struct rh_session *session)
{
    session->version = session->version == MQTTVERSION_5 ? MQTTVERSION_3_1_1 : MQTTVERSION_5;
    session->proven = false;
    session->hang_ups = 0;
}

/* Draws the conclusions from a refusal; true if the next attempt differs in what was refused. */
static bool learn(struct rh_session *session)
{
    switch (rh_reason_of_connect(session->limits.reason)->kind) {
    case RH_REASON_VERSION:
        if (session->options.version != RH_SESSION_AUTO)
            return false;
        other_version(session);
        return true;
    case RH_REASON_WILL_QOS:
        return session->will_qos > 0 && (session->will_qos = 0, true);
    case RH_REASON_WILL_RETAIN:
        return session->will_retain && (session->will_retain = false, true);
    case RH_REASON_CREDENTIALS:
    case RH_REASON_OTHER:
        break;
    }
    return false;
}

/* The library takes the broker's keep-alive only at the next CONNECT: true if one is needed. */
static bool adopt_keepalive(struct rh_session *session)
{
    int used_s = session->keepalive_s ? session->keepalive_s : session->options.keepalive_s;
    if (session->limits.keepalive_s == used_s || session->limits.keepalive_s == 0)
        return false;
    session->keepalive_s = session->limits.keepalive_s;
    return true;
}

static enum rh_connect_outcome outcome_of(const struct rh_session *session, enum ending ending)
{
    switch (ending) {
    case ENDING_OK:
        return RH_CONNECT_OK;
    case ENDING_ANSWERED:
        return rh_reason_of_connect(session->limits.reason)->kind == RH_REASON_CREDENTIALS
                   ? RH_CONNECT_CREDENTIALS
                   : RH_CONNECT_REFUSED;
    case ENDING_LOCAL:
        return RH_CONNECT_FAILED;
    case ENDING_TLS:
        return RH_CONNECT_REFUSED;
    case ENDING_CLIENT:
        return RH_CONNECT_CREDENTIALS;
    case ENDING_HUNG_UP:
    case ENDING_SILENT:
    case ENDING_NOBODY:
        break;
    }
    return RH_CONNECT_UNREACHABLE;
}

enum rh_connect_outcome rh_handshake(struct rh_session *session, const char *will)
{
    enum ending ending = ENDING_LOCAL;
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        ending = attempt(session, will);
        if (ending == ENDING_ANSWERED && learn(session))
            continue;
        if (ending != ENDING_OK || i + 1 == ATTEMPTS_MAX || !adopt_keepalive(session))
            break;
        rh_handshake_close(session, true);
    }
    if (ending == ENDING_OK) {
        session->proven = true;
        session->hang_ups = 0;
        return RH_CONNECT_OK;
    }
    bool auto_version = session->options.version == RH_SESSION_AUTO;
    if (ending == ENDING_HUNG_UP && auto_version && (!session->proven || ++session->hang_ups >= HANG_UPS_MAX))
        other_version(session);
    rh_handshake_close(session, false);
    return outcome_of(session, ending);
}

/* Stops the socket and lets the library find out, so that it sends no DISCONNECT and the will is published.
 */
static void hang_up(struct rh_session *session)
{
    for (int i = 0; i < 3 && MQTTClient_isConnected(session->client); i++) {
        if (session->flights.fd >= 0)
            rh_link_stop(session->flights.fd);
        (void)rh_receive_one(session, 1);
    }
}

void rh_handshake_close(struct rh_session *session, bool clean)
{
    if (!session->client)
        return;
    if (!clean)
        hang_up(session);
    if (MQTTClient_isConnected(session->client) && session->flights.v5)
        (void)MQTTClient_disconnect5(
            session->client, 0,
            clean ? MQTTREASONCODE_NORMAL_DISCONNECTION : MQTTREASONCODE_DISCONNECT_WITH_WILL_MESSAGE, NULL);
    else if (MQTTClient_isConnected(session->client))
        (void)MQTTClient_disconnect(session->client, 0);
    MQTTClient_destroy(&session->client);
    session->client = NULL;
    session->flights.fd = -1;
}
