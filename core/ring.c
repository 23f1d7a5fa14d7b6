/* SPDX-License-Identifier: MIT */
/*
 * A ring of bytes. A record lies in it as its length (8 bytes) and its bytes, padded to 8, and may wrap
 * around the end:
 *
 *     ... | len | record .......... pad | len | record ... | free ...
 *           ^ head                                           ^ head + used
 *
 * Invariant, under the lock: head < cap, used <= cap, both multiples of 8, and `count` records lie
 * between head and head + used.
 */
#include "core/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HEADER sizeof(uint64_t)

struct rh_ring {
    pthread_mutex_t lock;
    size_t cap, head, used, count;
    uint64_t dropped;
    int bell;
    unsigned char *bytes;
};

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

/* Any length, also one that has no room for its own padding. An empty record would look like an empty ring.
 */
static bool fits(size_t len, size_t room)
{
    rh_assert(len > 0);
    return len <= room && HEADER + padded(len) <= room;
}

int rh_ring_new(size_t bytes, int bell, struct rh_ring **ret_ring)
{
    if (bytes < 64)
        return -EINVAL;
    struct rh_ring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    ring->cap = padded(bytes);
    ring->bell = bell;
    ring->bytes = malloc(ring->cap);
    if (!ring->bytes) {
        free(ring);
        return -ENOMEM;
    }
    pthread_mutex_init(&ring->lock, NULL);
    *ret_ring = ring;
    return 0;
}

void rh_ring_free(struct rh_ring *ring)
{
    if (!ring)
        return;
    pthread_mutex_destroy(&ring->lock);
    free(ring->bytes);
    free(ring);
}

static void copy_in(struct rh_ring *ring, size_t at, const void *from, size_t len)
{
    at %= ring->cap;
    size_t first = len < ring->cap - at ? len : ring->cap - at;

    memcpy(ring->bytes + at, from, first);
    memcpy(ring->bytes, (const unsigned char *)from + first, len - first);
}

static void copy_out(const struct rh_ring *ring, size_t at, void *to, size_t len)
{
    at %= ring->cap;
    size_t first = len < ring->cap - at ? len : ring->cap - at;

    memcpy(to, ring->bytes + at, first);
    memcpy((unsigned char *)to + first, ring->bytes, len - first);
}

static size_t head_len(const struct rh_ring *ring)
{
    uint64_t len;

    copy_out(ring, ring->head, &len, sizeof(len));
    return (size_t)len;
}

static void drop_head(struct rh_ring *ring)
{
    size_t whole = HEADER + padded(head_len(ring));

    ring->head = (ring->head + whole) % ring->cap;
    ring->used -= whole;
    ring->count--;
}

static void append(struct rh_ring *ring, const void *record, size_t len)
{
    uint64_t header = len;
    size_t tail = ring->head + ring->used;

    copy_in(ring, tail, &header, sizeof(header));
    copy_in(ring, tail + HEADER, record, len);
    ring->used += HEADER + padded(len);
    ring->count++;
}

size_t rh_ring_push(struct rh_ring *ring, const void *record, size_t len)
{
    size_t dropped = 0;
    bool ring_bell = false;

    pthread_mutex_lock(&ring->lock);
    if (!fits(len, ring->cap)) {
        dropped = 1;
    } else {
        ring_bell = ring->count == 0;
        for (; !fits(len, ring->cap - ring->used); dropped++)
            drop_head(ring);
        append(ring, record, len);
    }
    ring->dropped += dropped;
    pthread_mutex_unlock(&ring->lock);
    if (ring_bell)
        rh_bell_ring(ring->bell);
    return dropped;
}

bool rh_ring_offer(struct rh_ring *ring, const void *record, size_t len)
{
    pthread_mutex_lock(&ring->lock);
    bool taken = fits(len, ring->cap - ring->used);
    bool ring_bell = taken && ring->count == 0;
    if (taken)
        append(ring, record, len);
    pthread_mutex_unlock(&ring->lock);
    if (ring_bell)
        rh_bell_ring(ring->bell);
    return taken;
}

size_t rh_ring_pop(struct rh_ring *ring, void *buffer, size_t cap)
{
    size_t len = 0;

    pthread_mutex_lock(&ring->lock);
    if (ring->count > 0) {
        len = head_len(ring);
        rh_assert(len <= cap);
        copy_out(ring, ring->head + HEADER, buffer, len);
        drop_head(ring);
    }
    pthread_mutex_unlock(&ring->lock);
    return len;
}

uint64_t rh_ring_dropped(struct rh_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    uint64_t dropped = ring->dropped;
    pthread_mutex_unlock(&ring->lock);
    return dropped;
}

size_t rh_ring_count(struct rh_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    size_t count = ring->count;
    pthread_mutex_unlock(&ring->lock);
    return count;
}

int rh_bell_open(int *ret_fd)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

/* An eventfd refuses a write only when its counter is full: the bell has been rung then anyway. */
void rh_bell_ring(int fd)
{
    uint64_t one = 1;

    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
        return;
}

void rh_bell_clear(int fd)
{
    uint64_t count;

    if (fd >= 0 && read(fd, &count, sizeof(count)) < 0)
        return;
}
