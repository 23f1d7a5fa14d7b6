/* SPDX-License-Identifier: MIT */
/*
 * audit.h - rows of the audit trail on their way to the thread that owns its table: what was written through
 * the control socket, from the main thread to the uplink.
 */
#ifndef RH_GATEWAY_AUDIT_H
#define RH_GATEWAY_AUDIT_H

#include <stdbool.h>

#include "core/ring.h"
#include "store/commands.h"

#define RH_AUDIT_BYTES 1280 /* of a row's texts with their NULs; longer rows are cut at the end */

/* Any thread. False if there is no room: nothing was taken. */
RH_MUST_USE bool rh_audit_offer(struct rh_ring *ring, const struct rh_audit *audit);

/* Moves the rows into the table; one that cannot be stored is logged instead. NULL is an empty ring. Uplink's
 * thread. */
void rh_audit_drain(struct rh_ring *ring, struct rh_flights *flights);

#endif
