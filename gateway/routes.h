/* SPDX-License-Identifier: MIT */
/*
 * routes.h - where a command can go: the devices of the running lines, by name. Immutable; made by the main
 * thread after every change of the lines, and withdrawn from its users before a line ends.
 */
#ifndef RH_GATEWAY_ROUTES_H
#define RH_GATEWAY_ROUTES_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "gateway/poller.h"

struct rh_route {
    const struct rh_device_conf *device;
    struct rh_poller *poller;
    uint32_t first; /* of its points, in a count over all devices: for tables of all points */
};

struct rh_routes {
    struct rh_route *at; /* sorted by device name */
    size_t n;
    uint32_t n_points;
};

/* NULL: no memory. */
struct rh_routes *rh_routes_new(size_t devices_at_most);
void rh_routes_add(struct rh_routes *routes, const struct rh_device_conf *device, struct rh_poller *poller);
void rh_routes_sort(struct rh_routes *routes);
void rh_routes_free(struct rh_routes *routes);

const struct rh_route *rh_routes_find(const struct rh_routes *routes, const char *device);
/* The point of a device by name, or NULL. */
const struct rh_point *rh_route_point(const struct rh_route *route, const char *name);

#endif
