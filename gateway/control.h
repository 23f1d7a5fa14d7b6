/* SPDX-License-Identifier: MIT */
/*
 * control.h - the server of the control socket: `railhead status`, `read` and `write` ask the daemon here.
 *
 * A Unix stream socket; one line of JSON each way, requests of a client answered in their order
 * (control_request.h, control_job.h). Main thread only; nothing blocks, every call does a bounded amount of
 * work, and every buffer has a limit: whoever is at the other end, the main thread keeps its rhythm.
 */
#ifndef RH_GATEWAY_CONTROL_H
#define RH_GATEWAY_CONTROL_H

#include <stdint.h>

#include "core/ring.h"
#include "core/text.h"
#include "gateway/routes.h"

#define RH_CONTROL_CLIENTS_MAX 32
#define RH_CONTROL_IDLE_US 30000000     /* without a whole request, unless an answer is under way */
#define RH_CONTROL_STUCK_US 10000000    /* without reading a byte of its answer */
#define RH_CONTROL_PATIENCE_US 60000000 /* for a line's answer: commands expire long before */

struct rh_control;

struct rh_control_options {
    struct rh_ring *answers; /* of the lines, RH_ORIGIN_CONTROL; borrowed, as are the next two */
    int bell;                /* of that ring */
    struct rh_ring *audits;  /* to the uplink */
    /* The health message. */
    void (*status)(const void *context, struct rh_text *text);
    const void *context;
};

RH_MUST_USE int rh_control_new(const struct rh_control_options *options, struct rh_control **ret_control);
/* Answers what is under way and removes the socket. NULL is fine. */
void rh_control_free(struct rh_control *control);

/* Listens on this path ("" for none) from now on; what cannot be made is logged, and there is none. The same
 * path as before changes nothing. */
void rh_control_listen(struct rh_control *control, const char *path);

/* NULL before lines end: what is under way is answered, and the former routes are no longer used. */
void rh_control_set_routes(struct rh_control *control, const struct rh_routes *routes);

/* Poll this for POLLIN, and call the step when it is readable and about once a second. */
int rh_control_fd(const struct rh_control *control);
void rh_control_step(struct rh_control *control, int64_t now_us);

#endif
