/* SPDX-License-Identifier: MIT */
/*
 * lines.h - the running lines: for each a poller and the keeper's source, and the configuration they live in.
 *
 * Main thread only. On a reload a line whose fingerprint did not change runs on, with the configuration it
 * was started from, which therefore lives until its last line has ended.
 */
#ifndef RH_GATEWAY_LINES_H
#define RH_GATEWAY_LINES_H

#include <stdint.h>

#include "config/config.h"
#include "gateway/keeper.h"
#include "gateway/poller.h"

/* A configuration with the number of its users; freed with the last. */
struct rh_config_ref {
    struct rh_config *config;
    unsigned users;
};

/* Takes `config` over; one user. NULL: no memory. */
struct rh_config_ref *rh_config_ref_new(struct rh_config *config);
struct rh_config_ref *rh_config_ref_take(struct rh_config_ref *ref);
void rh_config_ref_drop(struct rh_config_ref *ref); /* NULL is fine */

struct rh_running_line {
    const struct rh_line_conf *conf;
    struct rh_config_ref *ref;
    struct rh_source *source;
    struct rh_poller *poller;
};

struct rh_lines {
    struct rh_running_line *at;
    size_t n;
    struct rh_keeper *keeper;
    bool values; /* format `value` is configured: sources keep the newest values */
    struct rh_ring *answers[RH_ORIGIN_COUNT]; /* of those who command; borrowed */
};

/* Brings the running lines in accord with `ref`: ends those that are gone or changed, then starts what is
 * new. 0 or a negative errno: then some lines do not run. */
RH_MUST_USE int rh_lines_apply(struct rh_lines *lines, struct rh_config_ref *ref);

/* Ends all, with their last readings committed. */
void rh_lines_stop(struct rh_lines *lines);

struct rh_lines_view {
    uint64_t devices, online, polls, missed;
    int64_t oldest_beat_us;
};
void rh_lines_view(const struct rh_lines *lines, struct rh_lines_view *ret_view);

#endif
