/* SPDX-License-Identifier: MIT */
/*
 * batch.h - what travels from the keeper through the store to the uplink: immutable messages.
 *
 * A stream says how its batches are published. A batch is encoded once, and the bytes that are
 * stored are the bytes that are sent, at every resend.
 */
#ifndef RH_CORE_BATCH_H
#define RH_CORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

#define RH_TOPIC_MAX 1024

enum rh_batch_kind {
    RH_BATCH_DATA,  /* history: all kept, counted by seq */
    RH_BATCH_STATE, /* status, state, meta: only the newest of a topic is kept; sent before data */
    RH_BATCH_REPLY, /* all kept, sent before data */
};

struct rh_batch {
    enum rh_batch_kind kind;
    const char *topic; /* borrowed */
    int qos;           /* 1 or 2; 0 for data at QoS 0, which leaves the store when it is written out */
    bool retain;
    bool drop_last;      /* dropped last when the store is full */
    uint32_t readings;   /* how many readings it holds, for the counts of what was dropped */
    int64_t wall_ms;     /* of its first reading */
    const void *payload; /* borrowed */
    size_t len;
};

/* A stored batch on its way out. */
struct rh_outgoing {
    int64_t row;
    enum rh_batch_kind kind;
    int qos;
    bool retain;
    char topic[RH_TOPIC_MAX];
    const void *payload; /* belongs to the store until its next call */
    size_t len;
};

#endif
