/* SPDX-License-Identifier: MIT */
/*
 * ring.h - a bounded, copying FIFO of records: the only place where threads meet.
 *
 * Records are plain bytes of any length from 1 up to the ring's size; memory is one block allocated at
 * the start. Any thread may push, any thread may pop; calls hold the ring's own lock for a memcpy and
 * never wait for room. After a push into an empty ring the bell (an eventfd that the consumer polls)
 * is rung once.
 */
#ifndef RH_CORE_RING_H
#define RH_CORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

struct rh_ring;

/* `bytes` of room for records (each takes its length + 8); `bell` is borrowed, -1 for none.
 * 0, -ENOMEM, -EINVAL. */
RH_MUST_USE int rh_ring_new(size_t bytes, int bell, struct rh_ring **ret_ring);
void rh_ring_free(struct rh_ring *ring);

/* Drops the oldest records until this one fits, and counts them; a record larger than the ring is
 * itself dropped and counted. Returns how many were dropped. */
size_t rh_ring_push(struct rh_ring *ring, const void *record, size_t len);

/* Refuses instead of dropping: true if the record was taken. */
RH_MUST_USE bool rh_ring_offer(struct rh_ring *ring, const void *record, size_t len);

/* The oldest record, copied into `buffer`; its length, or 0 when the ring is empty. A record larger
 * than `cap` is a bug of the caller. */
size_t rh_ring_pop(struct rh_ring *ring, void *buffer, size_t cap);

/* Records dropped since the start. */
uint64_t rh_ring_dropped(struct rh_ring *ring);

/* Records inside now. */
size_t rh_ring_count(struct rh_ring *ring);

/* A bell: eventfd, non-blocking, close-on-exec. rh_bell_ring: any thread; rh_bell_clear: its owner. */
RH_MUST_USE int rh_bell_open(int *ret_fd);
void rh_bell_ring(int fd);
void rh_bell_clear(int fd);

#endif
