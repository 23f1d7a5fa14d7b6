/* SPDX-License-Identifier: MIT */
/* A record is the topic with its NUL, then the payload. */
#include "gateway/passing.h"

#include <string.h>

#include "core/batch.h"

#define SMALL_BYTES 2048

bool rh_passing_offer(struct rh_ring *ring, const char *topic, const void *payload, size_t len)
{
    size_t head = strlen(topic) + 1;
    char small[SMALL_BYTES];
    static _Thread_local char large[RH_PASSING_BYTES];
    char *record = head + len <= sizeof(small) ? small : large;

    if (head > RH_TOPIC_MAX || head + len > RH_PASSING_BYTES)
        return true; /* no broker wants it; there is nothing to try again */
    memcpy(record, topic, head);
    memcpy(record + head, payload, len);
    return rh_ring_offer(ring, record, head + len);
}

bool rh_passing_take(struct rh_ring *ring, char *buffer, const char **ret_topic, const void **ret_payload,
                     size_t *ret_len)
{
    size_t len = rh_ring_pop(ring, buffer, RH_PASSING_BYTES);

    if (len == 0)
        return false;
    size_t head = strnlen(buffer, len) + 1;
    rh_assert(head <= len);
    *ret_topic = buffer;
    *ret_payload = buffer + head;
    *ret_len = len - head;
    return true;
}
