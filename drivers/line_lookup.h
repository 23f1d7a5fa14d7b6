/* SPDX-License-Identifier: MIT */
/*
 * line_lookup.h - a host name looked up with a deadline, which getaddrinfo() alone does not have.
 *
 * A lookup that is not done in time goes on in a thread of its own; the next connect takes it up again
 * instead of starting another.
 */
#ifndef RH_DRIVERS_LINE_LOOKUP_H
#define RH_DRIVERS_LINE_LOOKUP_H

#include <netdb.h>
#include <stdint.h>

#include "core/base.h"

struct rh_lookup;

/* Numeric addresses at once, names by the deadline. 0 and *ret_addresses (freeaddrinfo), or one of
 * getaddrinfo's codes; EAI_AGAIN when the deadline passed. *lookup (NULL at first) keeps what goes on. */
RH_MUST_USE int rh_lookup_address(struct rh_lookup **lookup, const char *host, const char *port,
                                  int64_t deadline_us, struct addrinfo **ret_addresses);

/* Forgets a lookup at once; one that still goes on frees itself when it is done. */
void rh_lookup_drop(struct rh_lookup **lookup);

#endif
