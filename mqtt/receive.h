/* SPDX-License-Identifier: MIT */
/*
 * receive.h - what arrives: taken from the library, kept, told. Internal to mqtt/.
 */
#ifndef RH_MQTT_RECEIVE_H
#define RH_MQTT_RECEIVE_H

#include <stdbool.h>

#include "mqtt/handshake.h"

/* Runs the library for at most wait_ms (>= 1) and takes one message from it, to be told later; false if there
 * was none. */
bool rh_receive_one(struct rh_session *session, int wait_ms);

/* Takes what the library has in its queue, without waiting. */
void rh_receive_queued(struct rh_session *session);

/* Tells of what was taken, oldest first. */
void rh_receive_tell(struct rh_session *session,
                     void (*arrival)(void *context, const struct rh_arrival *arrival), void *context);

#endif
