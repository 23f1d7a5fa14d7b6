/* SPDX-License-Identifier: MIT */
/*
 * counter.h - counters and beats that one thread writes and others read: relaxed atomics, no lock.
 */
#ifndef RH_CORE_COUNTER_H
#define RH_CORE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t rh_counter;
typedef _Atomic int64_t rh_gauge;

static inline void rh_count(rh_counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t rh_counted(const rh_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void rh_gauge_set(rh_gauge *gauge, int64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static inline int64_t rh_gauge_get(const rh_gauge *gauge)
{
    return atomic_load_explicit(gauge, memory_order_relaxed);
}

#endif
