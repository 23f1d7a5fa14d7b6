/* SPDX-License-Identifier: MIT */
#ifndef RH_GATEWAY_VERSION_H
#define RH_GATEWAY_VERSION_H

/* "0.1.0", from the build. */
extern const char rh_version[];

#endif
