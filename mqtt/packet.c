/* SPDX-License-Identifier: MIT */
#include "mqtt/packet.h"

#include <string.h>

#define TYPE_PUBLISH 0x30
#define CORRELATION_DATA 0x09

/* Bytes of a variable byte integer (MQTT 5.0, section 1.5.5). */
static size_t varint_size(size_t value)
{
    size_t size = 1;
    for (size_t rest = value >> 7; rest; rest >>= 7)
        size++;
    return size;
}

static unsigned char *put_varint(unsigned char *at, size_t value)
{
    do {
        *at++ = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    return at;
}

static unsigned char *put_u16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

/* Without their length in front. */
static size_t properties_size(const struct rh_publish_extra *extra)
{
    return extra ? 1 + 2 + extra->len : 0;
}

static unsigned char *put_properties(unsigned char *at, const struct rh_publish_extra *extra)
{
    at = put_varint(at, properties_size(extra));
    if (!extra)
        return at;
    *at++ = CORRELATION_DATA;
    at = put_u16(at, extra->len);
    if (extra->len)
        memcpy(at, extra->correlation, extra->len);
    return at + extra->len;
}

static size_t remaining_length(const struct rh_outgoing *message, const struct rh_publish_extra *extra,
                               int qos, bool v5)
{
    size_t properties = properties_size(extra);
    return 2 + strlen(message->topic) + (qos ? 2 : 0) + (v5 ? varint_size(properties) + properties : 0) +
           message->len;
}

size_t rh_packet_size(const struct rh_outgoing *message, const struct rh_publish_extra *extra, int qos,
                      bool v5)
{
    size_t remaining = remaining_length(message, extra, qos, v5);
    return 1 + varint_size(remaining) + remaining;
}

void rh_packet_publish(const struct rh_outgoing *message, const struct rh_publish_extra *extra,
                       const struct rh_flight *flight, bool retain, bool v5, void *packet)
{
    size_t topic_len = strlen(message->topic);
    unsigned char *at = packet;
    *at++ = (unsigned char)(TYPE_PUBLISH | flight->qos << 1 | retain);
    at = put_varint(at, remaining_length(message, extra, flight->qos, v5));
    at = put_u16(at, topic_len);
    memcpy(at, message->topic, topic_len);
    at = put_u16(at + topic_len, flight->mid);
    if (v5)
        at = put_properties(at, extra);
    if (message->len)
        memcpy(at, message->payload, message->len);
}
