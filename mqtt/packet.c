/* SPDX-License-Identifier: MIT */
#include "mqtt/packet.h"

#include <string.h>

#define TYPE_PUBLISH 0x30

static size_t remaining_length(const struct rh_outgoing *message, int qos, bool v5)
{
    return 2 + strlen(message->topic) + (qos ? 2 : 0) + (v5 ? 1 : 0) + message->len;
}

size_t rh_packet_size(const struct rh_outgoing *message, int qos, bool v5)
{
    size_t remaining = remaining_length(message, qos, v5);
    size_t size = 2 + remaining;
    for (size_t rest = remaining >> 7; rest; rest >>= 7)
        size++;
    return size;
}

static unsigned char *put_u16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

void rh_packet_publish(const struct rh_outgoing *message, const struct rh_flight *flight, bool retain,
                       bool v5, void *packet)
{
    size_t topic_len = strlen(message->topic);
    size_t remaining = remaining_length(message, flight->qos, v5);
    unsigned char *at = packet;
    *at++ = (unsigned char)(TYPE_PUBLISH | flight->qos << 1 | retain);
    do {
        *at++ = (unsigned char)((remaining & 0x7f) | (remaining > 0x7f ? 0x80 : 0));
        remaining >>= 7;
    } while (remaining);
    at = put_u16(at, topic_len);
    memcpy(at, message->topic, topic_len);
    at = put_u16(at + topic_len, flight->mid);
    if (v5)
        *at++ = 0;
    if (message->len)
        memcpy(at, message->payload, message->len);
}
