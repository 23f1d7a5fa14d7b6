/* SPDX-License-Identifier: MIT */
#include "gateway/routes.h"

#include <stdlib.h>
#include <string.h>

struct rh_routes *rh_routes_new(size_t devices_at_most)
{
    struct rh_routes *routes = calloc(1, sizeof(*routes));

    if (!routes)
        return NULL;
    routes->at = calloc(devices_at_most + 1, sizeof(*routes->at));
    if (!routes->at) {
        free(routes);
        return NULL;
    }
    return routes;
}

void rh_routes_add(struct rh_routes *routes, const struct rh_device_conf *device, struct rh_poller *poller)
{
    routes->at[routes->n++] =
        (struct rh_route){.device = device, .poller = poller, .first = routes->n_points};
    routes->n_points += device->n_points;
}

static int by_name(const void *left, const void *right)
{
    const struct rh_route *a = left, *b = right;

    return strcmp(a->device->name, b->device->name);
}

void rh_routes_sort(struct rh_routes *routes)
{
    qsort(routes->at, routes->n, sizeof(*routes->at), by_name);
}

void rh_routes_free(struct rh_routes *routes)
{
    if (!routes)
        return;
    free(routes->at);
    free(routes);
}

static int name_of(const void *key, const void *member)
{
    const struct rh_route *route = member;

    return strcmp(key, route->device->name);
}

const struct rh_route *rh_routes_find(const struct rh_routes *routes, const char *device)
{
    if (!routes || routes->n == 0)
        return NULL;
    return bsearch(device, routes->at, routes->n, sizeof(*routes->at), name_of);
}

const struct rh_point *rh_route_point(const struct rh_route *route, const char *name)
{
    const struct rh_device_conf *device = route->device;

    for (uint32_t i = 0; i < device->n_points; i++) {
        const struct rh_point *point = &device->line->points[device->first_point + i];
        if (strcmp(point->name, name) == 0)
            return point;
    }
    return NULL;
}
