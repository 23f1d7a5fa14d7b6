/* SPDX-License-Identifier: MIT */
/*
 * packet.h - a PUBLISH, byte for byte as the library sends it the first time. Pure; internal to mqtt/.
 *
 *   | 0011 0qqr | remaining length 1..4 | topic length 2 | topic | packet id 2 | [properties] | payload |
 *
 * DUP is not set. The properties, only on MQTT 5, are their length (1..4) and nothing, or the Correlation
 * Data: 0x09, its length 2, its bytes (MQTT 5.0, section 3.3).
 */
#ifndef RH_MQTT_PACKET_H
#define RH_MQTT_PACKET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/batch.h"
#include "core/flight.h"
#include "mqtt/session.h"

/* Bytes of the PUBLISH that carries the message; at QoS 0 it has no packet id. `extra` may be NULL. */
size_t rh_packet_size(const struct rh_outgoing *message, const struct rh_publish_extra *extra, int qos,
                      bool v5);

/* Writes the PUBLISH of a flight: rh_packet_size bytes. */
void rh_packet_publish(const struct rh_outgoing *message, const struct rh_publish_extra *extra,
                       const struct rh_flight *flight, bool retain, bool v5, void *packet);

#endif
