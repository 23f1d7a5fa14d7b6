/* SPDX-License-Identifier: MIT */
/*
 * sum.c - the checksum of a row: FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
 */
#include <string.h>

#include "store/schema.h"

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t add(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * FNV_PRIME;
    }
    return hash;
}

/* Byte by byte from the lowest: the same on every machine. */
static uint64_t add_number(uint64_t hash, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        hash = (hash ^ (number >> (8 * i) & 0xff)) * FNV_PRIME;
    }
    return hash;
}

int64_t rh_row_sum(const struct rh_batch *batch, int64_t row, uint64_t seq)
{
    uint64_t hash = add(FNV_OFFSET, batch->topic, strlen(batch->topic) + 1);
    hash = add_number(hash, (uint64_t)batch->kind);
    hash = add_number(hash, (uint64_t)batch->qos);
    hash = add_number(hash, batch->retain);
    hash = add_number(hash, (uint64_t)row);
    hash = add_number(hash, seq);
    hash = add_number(hash, batch->readings);
    hash = add_number(hash, (uint64_t)batch->wall_ms);
    hash = add_number(hash, batch->len);
    return (int64_t)add(hash, batch->payload, batch->len);
}
