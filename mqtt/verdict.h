/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - after the CONNECT: has the broker kept the session? Internal to mqtt/.
 */
#ifndef RH_MQTT_VERDICT_H
#define RH_MQTT_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "mqtt/handshake.h"

/* A new connection: UNSURE, and the birth goes out. */
void rh_verdict_begin(struct rh_session *session, int64_t now_us);

/* One step towards READY; only in UNSURE. */
void rh_verdict_advance(struct rh_session *session, int64_t now_us);

/* True if the message is a copy of the own status that is nobody else's business. */
bool rh_verdict_takes(struct rh_session *session, const struct rh_arrival *arrival);

#endif
