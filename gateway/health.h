/* SPDX-License-Identifier: MIT */
/*
 * health.h - how the gateway is: store, uplink, lines, devices, as JSON (mqtt.md). Main thread.
 */
#ifndef RH_GATEWAY_HEALTH_H
#define RH_GATEWAY_HEALTH_H

#include "core/text.h"
#include "gateway/assembly.h"

/* The `health` message; also what the control socket's `status` answers. Without `devices` if they do not
 * fit. */
void rh_health_write(struct rh_text *text, const struct rh_assembly *assembly);

#endif
