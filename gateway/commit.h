/* SPDX-License-Identifier: MIT */
/*
 * commit.h - turns what has gathered in the sources into messages and writes them in one commit.
 *
 * A stream is emptied only after the store has said that its message is durable: a commit that fails loses
 * nothing. Keeper's thread only.
 */
#ifndef RH_GATEWAY_COMMIT_H
#define RH_GATEWAY_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/source.h"
#include "store/store.h"

#define RH_MESSAGE_BYTES ((size_t)16 * 1024) /* a batch closes before it grows beyond this */

struct rh_commit;

struct rh_commit_counts {
    uint64_t batches, readings, commits, failed;
};

/* `gateway` and `root` are borrowed; `store` too. */
RH_MUST_USE int rh_commit_new(const char *gateway, const char *root, struct rh_store *store,
                              struct rh_commit **ret_commit);
void rh_commit_free(struct rh_commit *commit);

/* Commits all streams and due retained messages (all), or only the urgent and the full streams. 0, or the
 * store's negative errno: what was not stored is still with its sources. */
RH_MUST_USE int rh_commit_sources(struct rh_commit *commit, struct rh_source *sources, bool all);

/* Clears the retained messages of the devices that are gone. */
RH_MUST_USE int rh_commit_gone(struct rh_commit *commit, const struct rh_source *source);

const struct rh_commit_counts *rh_commit_counts(const struct rh_commit *commit);

#endif
