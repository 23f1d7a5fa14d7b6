/* SPDX-License-Identifier: MIT */
/*
 * control_job.h - one command that came over the control socket: begun at its line, answered, and audited if
 * it writes. Main thread; knows nothing of sockets.
 *
 * Answers are one object: {"ok":true,"reply":{…},"unit":"V"}; "ok" is false with "error" and "code" if the
 * reply's status is anything but ok. `reply` is that of a command topic (mqtt/reply.h).
 *
 * Ids given here are part of the reply and the audit trail; they are not remembered: a client of this socket
 * knows whether its request was answered.
 */
#ifndef RH_GATEWAY_CONTROL_JOB_H
#define RH_GATEWAY_CONTROL_JOB_H

#include "core/ring.h"
#include "gateway/control_request.h"
#include "gateway/pending.h"

/* What the jobs of all clients have in common. */
struct rh_control_desk {
    const struct rh_routes *routes; /* NULL: lines are being restarted */
    struct rh_point_history *history;
    struct rh_ring *audits; /* borrowed */
    uint64_t serial;
    int64_t refill_us; /* of `refusals` */
    int refusals;      /* how many refused writes may still be audited now */
};

struct rh_control_job {
    struct rh_pending pending; /* serial 0: there is none */
};

/* New routes, or none. All jobs have been given up before. 0 or -ENOMEM: then none are in force. */
RH_MUST_USE int rh_control_desk_set_routes(struct rh_control_desk *desk, const struct rh_routes *routes);

/* True: the answer is in `text`. False: it is under way, take its answers. `who` is "uid 1000". */
RH_MUST_USE bool rh_control_job_begin(struct rh_control_job *job, struct rh_control_desk *desk,
                                      struct rh_control_request *request, const char *who,
                                      struct rh_text *text);

/* True when that was the last answer; the job is free then, and its own answer in `text`. */
RH_MUST_USE bool rh_control_job_take(struct rh_control_job *job, struct rh_control_desk *desk,
                                     const struct rh_answer *answer, struct rh_text *text);

/* Answers `unconfirmed`, with the reason why; what was queued at the line may still be done. */
void rh_control_job_give_up(struct rh_control_job *job, struct rh_control_desk *desk, const char *why,
                            struct rh_text *text);

/* {"ok":false,"error":…,"code":…} of a request that was no command. */
void rh_control_error(struct rh_text *text, const char *code, const char *message);

#endif
