/* SPDX-License-Identifier: MIT */
/*
 * assembly.h - the parts of a running gateway, joined: store, keeper, lines, uplink. Main thread only.
 *
 * Start goes up this list, stop down it, so that every part finds those below it alive: lines push into the
 * keeper, the keeper writes to the store, the uplink reads from it and commands the lines.
 */
#ifndef RH_GATEWAY_ASSEMBLY_H
#define RH_GATEWAY_ASSEMBLY_H

#include "gateway/keeper.h"
#include "gateway/lines.h"
#include "gateway/routes.h"
#include "gateway/uplink.h"

struct rh_assembly {
    struct rh_config_ref *ref;                     /* the configuration in force */
    struct rh_config_ref *keeper_ref, *uplink_ref; /* the ones these two were started from */
    int64_t since_wall_ms, since_us;
    int commit_bell; /* keeper and lines to uplink */
    struct rh_store_shared shared;
    int64_t day;             /* UTC, days since 1970: of written_before */
    uint64_t written_before; /* bytes to the device before today */
    struct rh_keeper *keeper;
    struct rh_flights *flights;
    struct rh_lines lines;
    struct rh_routes *routes;
    struct rh_ring *answers; /* of the lines, to the uplink */
    struct rh_ring *passing; /* value and health, to the uplink */
    int control_bell;
    struct rh_ring *control_answers; /* of the lines, to the control socket */
    struct rh_ring *audits;          /* of what came over the control socket, to the uplink */
    rh_gauge connected;              /* the uplink is; outlives it */
    struct rh_uplink *uplink;
    char epoch[16];
};

/* Rings and bells. Takes over one user of `ref`. 0 or a negative errno. */
RH_MUST_USE int rh_assembly_init(struct rh_assembly *assembly, struct rh_config_ref *ref);
/* After rh_assembly_stop. */
void rh_assembly_fini(struct rh_assembly *assembly);

/* 0, or a negative errno that has been logged; then stop and fini are still due. */
RH_MUST_USE int rh_assembly_start(struct rh_assembly *assembly);
/* Ends the lines and the uplink: what was read is in the store, what the broker took in time is gone. */
void rh_assembly_quiet(struct rh_assembly *assembly);
void rh_assembly_stop(struct rh_assembly *assembly);

/* Puts a new configuration in force (takes over one user): only what changed is restarted. */
RH_MUST_USE int rh_assembly_apply(struct rh_assembly *assembly, struct rh_config_ref *ref);

#endif
