/* SPDX-License-Identifier: MIT */
/*
 * reason.h - what a broker's refusal of a CONNECT means, for people and for the backoff. Pure; internal to
 * mqtt/.
 *
 * Codes: MQTT 5.0 section 3.2.2.2 (0x80 and above), MQTT 3.1.1 table 3.1 (1 to 5).
 */
#ifndef RH_MQTT_REASON_H
#define RH_MQTT_REASON_H

#include <stdbool.h>

enum rh_reason_kind {
    RH_REASON_OTHER,
    RH_REASON_CREDENTIALS, /* trying again soon will not help */
    RH_REASON_VERSION,     /* the other protocol version may do */
    RH_REASON_WILL_QOS,    /* the will's QoS is above what the broker takes */
    RH_REASON_WILL_RETAIN, /* the broker keeps no retained messages */
};

struct rh_reason {
    int code;
    enum rh_reason_kind kind;
    const char *text; /* goes on after "the broker …" */
};

/* Never NULL. */
const struct rh_reason *rh_reason_of_connect(int code);

#endif
