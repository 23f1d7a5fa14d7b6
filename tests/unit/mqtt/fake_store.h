/* SPDX-License-Identifier: MIT */
/*
 * fake_store.h - the store's side of a flight, in memory: rows in order, records as struct rh_flight_ops
 * promises them, and failures on demand. What is in it outlives a session, as the disk outlives a process.
 */
#ifndef RH_TESTS_FAKE_STORE_H
#define RH_TESTS_FAKE_STORE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/flight.h"

enum fake_state { FAKE_WAITING, FAKE_FLYING, FAKE_DONE, FAKE_REFUSED };

#define FAKE_ROWS 256

struct fake_store {
    struct {
        enum fake_state state;
        char text[64];
        int qos, flown, reason;
        bool again;
    } rows[FAKE_ROWS]; /* row i + 1 */
    int n;
    struct rh_flight flights[64];
    int n_flights;
    int fail_put, fail_received, fail_done; /* errno, 0: none */
    int puts, receiveds, dones, refuseds, agains;
    struct {
        char key[RH_KEPT_KEY_BYTES];
        char bytes[256];
        size_t len;
    } kept[8];
    int n_kept, keeps;
};

static inline struct rh_flight *fake_find(struct fake_store *store, uint16_t mid)
{
    for (int i = 0; i < store->n_flights; i++) {
        if (store->flights[i].mid == mid)
            return &store->flights[i];
    }
    return NULL;
}

static inline int fake_end(struct fake_store *store, uint16_t mid, enum fake_state state)
{
    struct rh_flight *flight = fake_find(store, mid);
    if (!flight)
        return -ENOENT;
    store->rows[flight->row - 1].state = state;
    *flight = store->flights[--store->n_flights];
    return 0;
}

static inline int fake_put(void *context, const struct rh_flight *flight)
{
    struct fake_store *store = context;
    if (store->fail_put)
        return -store->fail_put;
    if (fake_find(store, flight->mid) || store->n_flights == 64)
        return -EEXIST;
    store->puts++;
    store->rows[flight->row - 1].state = FAKE_FLYING;
    store->rows[flight->row - 1].again = false;
    store->rows[flight->row - 1].flown++;
    store->flights[store->n_flights++] = *flight;
    return 0;
}

static inline int fake_received(void *context, uint16_t mid)
{
    struct fake_store *store = context;
    struct rh_flight *flight = fake_find(store, mid);
    if (store->fail_received)
        return -store->fail_received;
    if (!flight)
        return -ENOENT;
    store->receiveds++;
    flight->received = true;
    return 0;
}

static inline int fake_done(void *context, uint16_t mid)
{
    struct fake_store *store = context;
    if (store->fail_done)
        return -store->fail_done;
    store->dones++;
    return fake_end(store, mid, FAKE_DONE);
}

static inline int fake_refused(void *context, uint16_t mid, int reason)
{
    struct fake_store *store = context;
    struct rh_flight *flight = fake_find(store, mid);
    store->refuseds++;
    if (flight)
        store->rows[flight->row - 1].reason = reason;
    return fake_end(store, mid, FAKE_REFUSED);
}

static inline int fake_again(void *context, uint16_t mid)
{
    struct fake_store *store = context;
    struct rh_flight *flight = fake_find(store, mid);
    store->agains++;
    if (flight)
        store->rows[flight->row - 1].again = true;
    return fake_end(store, mid, FAKE_WAITING);
}

/* By mid, QoS 2 only: the records that are on disk. */
static inline int fake_list(void *context, struct rh_flight *ret_flights, size_t cap)
{
    struct fake_store *store = context;
    size_t n = 0;
    for (int mid = 0; mid <= 65535 && n < cap; mid++) {
        const struct rh_flight *flight = fake_find(store, (uint16_t)mid);
        if (flight && flight->qos == 2)
            ret_flights[n++] = *flight;
    }
    return (int)n;
}

static inline int fake_load(void *context, int64_t row, struct rh_outgoing *ret_message)
{
    struct fake_store *store = context;
    if (row < 1 || row > store->n)
        return -ENOENT;
    *ret_message = (struct rh_outgoing){.row = row,
                                        .qos = store->rows[row - 1].qos,
                                        .payload = store->rows[row - 1].text,
                                        .len = strlen(store->rows[row - 1].text)};
    snprintf(ret_message->topic, sizeof(ret_message->topic), "t/data/dev%d", (int)row % 3);
    return 0;
}

static inline int fake_release(void *context, const char *key)
{
    struct fake_store *store = context;
    for (int i = 0; i < store->n_kept; i++) {
        if (strcmp(store->kept[i].key, key) != 0)
            continue;
        store->n_kept--;
        memmove(&store->kept[i], &store->kept[i + 1], (size_t)(store->n_kept - i) * sizeof(store->kept[0]));
        return 0;
    }
    return 0;
}

static inline int fake_keep(void *context, const char *key, const void *bytes, size_t len)
{
    struct fake_store *store = context;
    fake_release(store, key);
    if (store->n_kept == 8 || len > sizeof(store->kept[0].bytes))
        return -ENOSPC;
    snprintf(store->kept[store->n_kept].key, RH_KEPT_KEY_BYTES, "%s", key);
    memcpy(store->kept[store->n_kept].bytes, bytes, len);
    store->kept[store->n_kept++].len = len;
    store->keeps++;
    return 0;
}

static inline int fake_kept_list(void *context, char (*ret_keys)[RH_KEPT_KEY_BYTES], size_t cap)
{
    const struct fake_store *store = context;
    for (int i = 0; i < store->n_kept && (size_t)i < cap; i++)
        memcpy(ret_keys[i], store->kept[i].key, RH_KEPT_KEY_BYTES);
    return store->n_kept;
}

static inline int fake_kept_load(void *context, const char *key, const void **ret_bytes, size_t *ret_len)
{
    const struct fake_store *store = context;
    for (int i = 0; i < store->n_kept; i++) {
        if (strcmp(store->kept[i].key, key) != 0)
            continue;
        *ret_bytes = store->kept[i].bytes;
        *ret_len = store->kept[i].len;
        return 0;
    }
    return -ENOENT;
}

static const struct rh_flight_ops fake_ops = {
    .put = fake_put,
    .received = fake_received,
    .done = fake_done,
    .refused = fake_refused,
    .again = fake_again,
    .list = fake_list,
    .load = fake_load,
    .keep = fake_keep,
    .release = fake_release,
    .kept_list = fake_kept_list,
    .kept_load = fake_kept_load,
};

static inline void fake_add(struct fake_store *store, int qos, const char *text)
{
    store->rows[store->n].qos = qos;
    snprintf(store->rows[store->n++].text, sizeof(store->rows[0].text), "%s", text);
}

/* What flies next: what is to fly again first, then in the order of rows. */
static inline bool fake_next(struct fake_store *store, struct rh_outgoing *ret_message)
{
    for (int again = 1; again >= 0; again--) {
        for (int i = 0; i < store->n; i++) {
            if (store->rows[i].state == FAKE_WAITING && store->rows[i].again == again)
                return fake_load(store, i + 1, ret_message) == 0;
        }
    }
    return false;
}

/* A new process: QoS 1 records were in memory only. */
static inline void fake_restart(struct fake_store *store)
{
    for (int i = store->n_flights - 1; i >= 0; i--) {
        if (store->flights[i].qos != 1)
            continue;
        store->rows[store->flights[i].row - 1].state = FAKE_WAITING;
        store->flights[i] = store->flights[--store->n_flights];
    }
}

static inline int fake_count(const struct fake_store *store, enum fake_state state)
{
    int n = 0;
    for (int i = 0; i < store->n; i++)
        n += store->rows[i].state == state;
    return n;
}

#endif
