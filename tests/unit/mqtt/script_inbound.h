/* SPDX-License-Identifier: MIT */
/* script_inbound.h - a command on its way to the session, as bytes. Shares no code with the session. */
#ifndef RH_TESTS_SCRIPT_INBOUND_H
#define RH_TESTS_SCRIPT_INBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define INBOUND_TOPIC "t/cmd/dev/limit/set"

/* The variable header and payload of a PUBLISH at QoS 1; on MQTT 5 with the Response Topic "r/1" and the
 * Correlation Data 01 00 02. Its length. */
static size_t inbound_publish(unsigned char *at, bool v5, int mid, const char *text)
{
    static const unsigned char properties[] = {12, 8, 0, 3, 'r', '/', '1', 9, 0, 3, 1, 0, 2};
    size_t n = strlen(INBOUND_TOPIC);
    at[0] = 0;
    at[1] = (unsigned char)n;
    memcpy(at + 2, INBOUND_TOPIC, n);
    n += 2;
    at[n++] = (unsigned char)(mid >> 8);
    at[n++] = (unsigned char)mid;
    if (v5) {
        memcpy(at + n, properties, sizeof(properties));
        n += sizeof(properties);
    }
    memcpy(at + n, text, strlen(text));
    return n + strlen(text);
}

#endif
