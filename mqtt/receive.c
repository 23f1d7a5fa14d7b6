/* SPDX-License-Identifier: MIT */
/*
 * receive.c - the library hands out one message for each call of its receive. It is kept before anybody is
 * told (kept.h), whatever the occasion: at the end of a connection it is told of in the next one.
 */
#include "mqtt/receive.h"

#include <MQTTClient.h>
#include <string.h>

#include "mqtt/request.h"
#include "mqtt/verdict.h"

#define QUEUED_MAX 256

/* Bytes of a property, NULL if it did not come. */
static const char *property(const MQTTClient_message *message, enum MQTTPropertyCodes code, size_t *ret_len)
{
    /* The library only reads the list. */
    MQTTProperties *properties = (MQTTProperties *)(uintptr_t)&message->properties;
    const MQTTProperty *found = MQTTProperties_getProperty(properties, code);
    *ret_len = found && found->value.data.len > 0 ? (size_t)found->value.data.len : 0;
    return found ? found->value.data.data : NULL;
}

/* As text; NULL also if it cannot be one of ours: too long, or with a NUL inside. */
static const char *response_topic(const MQTTClient_message *message, char buffer[RH_TOPIC_MAX])
{
    size_t len = 0;
    const char *at = property(message, MQTTPROPERTY_CODE_RESPONSE_TOPIC, &len);
    if (!at || len == 0 || len >= RH_TOPIC_MAX || memchr(at, 0, len))
        return NULL;
    memcpy(buffer, at, len);
    buffer[len] = 0;
    return buffer;
}

/* A longer one is refused for its length, for which its beginning will do: it must not crowd out others. */
#define PAYLOAD_KEPT_MAX ((size_t)RH_REQUEST_BYTES_MAX + 1)

static void take(struct rh_session *session, const char *topic, const MQTTClient_message *message)
{
    char response[RH_TOPIC_MAX];
    struct rh_arrival arrival = {
        .topic = topic,
        .payload = message->payload,
        .len =
            (size_t)message->payloadlen < PAYLOAD_KEPT_MAX ? (size_t)message->payloadlen : PAYLOAD_KEPT_MAX,
        .qos = message->qos,
        .retain = message->retained,
        .dup = message->dup,
        .response_topic = response_topic(message, response),
    };
    arrival.correlation = property(message, MQTTPROPERTY_CODE_CORRELATION_DATA, &arrival.correlation_len);
    if (rh_verdict_takes(session, &arrival))
        return;
    /* What was never acknowledged is not promised; a status comes again by itself. */
    bool durable = arrival.qos > 0 && strcmp(topic, session->options.status_topic) != 0;
    if (!rh_kept_add(&session->flights.kept, &arrival, durable))
        session->counters.swamped++;
}

bool rh_receive_one(struct rh_session *session, int wait_ms)
{
    char *topic = NULL;
    int topic_len = 0;
    MQTTClient_message *message = NULL;
    (void)MQTTClient_receive(session->client, &topic, &topic_len, &message, (unsigned long)wait_ms);
    if (!message)
        return false;
    if (strlen(topic) == (size_t)topic_len) /* a NUL inside a topic is against the protocol */
        take(session, topic, message);
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return true;
}

void rh_receive_queued(struct rh_session *session)
{
    for (int i = 0; i < QUEUED_MAX && rh_receive_one(session, 1); i++)
        continue;
}

void rh_receive_tell(struct rh_session *session,
                     void (*arrival)(void *context, const struct rh_arrival *arrival), void *context)
{
    struct rh_arrival first;
    while (arrival && rh_kept_first(&session->flights.kept, &first)) {
        arrival(context, &first);
        rh_kept_drop_first(&session->flights.kept);
    }
}
