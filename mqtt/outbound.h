/* SPDX-License-Identifier: MIT */
/*
 * outbound.h - what a session sends: publishing within the window, subscribing. Internal to mqtt/.
 */
#ifndef RH_MQTT_OUTBOUND_H
#define RH_MQTT_OUTBOUND_H

#include <stdbool.h>

#include "mqtt/handshake.h"

/* What the library or the store did may have ended the connection: finds out, and closes. The state. */
enum rh_session_state rh_outbound_check(struct rh_session *session);

/* The QoS that the broker takes. */
int rh_outbound_qos(const struct rh_session *session, int qos);

/* The broker allows one more message on its way. */
bool rh_outbound_has_place(const struct rh_session *session);

/* Publishes on the own status topic, retained, at QoS 1; true if it is on its way. */
bool rh_outbound_status(struct rh_session *session, const char *payload);

/* The broker has answered the last one, or never will (at QoS 0). */
bool rh_outbound_status_done(const struct rh_session *session);

/* The granted QoS; a code >= 0x80 of the broker; -ENOTCONN, -EINVAL. `as_published`: copies of live messages
 * show their retain flag. (On MQTT 5; 3.1.1 has no such options.) */
int rh_outbound_subscribe(struct rh_session *session, const char *filter, int qos, int retain_handling,
                          bool as_published);

#endif
