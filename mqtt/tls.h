/* SPDX-License-Identifier: MIT */
/*
 * tls.h - why a TLS handshake with a broker failed. Internal to mqtt/.
 *
 * The MQTT library makes the connections and verifies them, but says only that one failed. So after a failure
 * the handshake is made once more here, with the same files, to hear what is wrong with it. Nothing is
 * ever sent over that second connection.
 */
#ifndef RH_MQTT_TLS_H
#define RH_MQTT_TLS_H

#include <stddef.h>

#include "mqtt/link.h"
#include "mqtt/session.h"

/* Ciphers of TLS 1.2 for the library, which cannot be told a lowest version: no earlier one has any of them.
 */
#define RH_TLS_CIPHERS "TLSv1.2:!aNULL:!eNULL:!PSK:!SRP"

enum rh_tls_fault {
    RH_TLS_FINE,   /* nothing is wrong, or nothing was heard in time */
    RH_TLS_LOCAL,  /* a file of ours cannot be used */
    RH_TLS_BROKER, /* the broker's certificate, or its protocol version */
    RH_TLS_CLIENT, /* the broker does not take our certificate, or wants one */
    RH_TLS_OTHER,
};

/* At most timeout_ms; `detail` becomes a sentence unless FINE. */
enum rh_tls_fault rh_tls_ask(const struct rh_link_address *address, const struct rh_session_tls *tls,
                             int timeout_ms, char *detail, size_t detail_cap);

#endif
