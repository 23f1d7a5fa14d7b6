/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the thread that makes readings durable: it takes them off the lines' rings, packs them per
 * stream into messages, and commits the messages to the store.
 *
 * The keeper owns the store's first connection. Lines come and go through its requests, which the main
 * thread makes; everything else runs on its own thread.
 */
#ifndef RH_GATEWAY_KEEPER_H
#define RH_GATEWAY_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/counter.h"
#include "gateway/source.h"
#include "store/store.h"

struct rh_keeper;

struct rh_keeper_options {
    const char *gateway; /* borrowed for the keeper's life, as is root */
    const char *root;
    int64_t commit_interval_ms;
    bool data;                 /* a format of history is configured */
    bool values;               /* format `value` is */
    struct rh_ring *passing;   /* to the uplink; borrowed */
    const rh_gauge *connected; /* of the uplink: values are only offered to a broker that is there */
    int uplink_bell;           /* rung after every commit */
};

struct rh_keeper_view {
    rh_gauge batches, readings, commits, failed_commits;
    rh_gauge beat_us;
    rh_gauge failing;     /* 1 while commits fail */
    rh_gauge broken;      /* 1: the database was found damaged while running; the daemon must restart */
    rh_gauge max_payload; /* set by the uplink: the largest message the broker takes, 0 for no limit */
};

/* Takes over `store` (closed by rh_keeper_free). */
RH_MUST_USE int rh_keeper_new(const struct rh_keeper_options *options, struct rh_store *store,
                              struct rh_store_shared *shared, struct rh_keeper **ret_keeper);
/* Commits what is there, stops and frees; sources must have been removed. */
void rh_keeper_free(struct rh_keeper *keeper);
RH_MUST_USE int rh_keeper_start(struct rh_keeper *keeper);

/* The bell that rings of sources are to ring. */
int rh_keeper_bell(const struct rh_keeper *keeper);
struct rh_keeper_view *rh_keeper_view(struct rh_keeper *keeper);

/* Main thread. From now on the keeper serves `source`; it stays the caller's. */
void rh_keeper_add(struct rh_keeper *keeper, struct rh_source *source);

/* Main thread; the source's poller has ended. Takes the rest of its ring, commits, clears the retained
 * messages of devices marked `gone`, and lets go of it; the caller may free it when this returns. Waits up to
 * 30 s; -ETIMEDOUT: still in use, do not free. */
RH_MUST_USE int rh_keeper_remove(struct rh_keeper *keeper, struct rh_source *source);

/* Any thread. The broker lost its retained messages: all states and metas are written again. */
void rh_keeper_refresh(struct rh_keeper *keeper);

/* Any thread. The broker was connected: all values that are known are said again. */
void rh_keeper_refresh_values(struct rh_keeper *keeper);

/* Main thread: a changed [store] section. */
void rh_keeper_set(struct rh_keeper *keeper, int64_t commit_interval_ms, int64_t max_size_bytes);

#endif
