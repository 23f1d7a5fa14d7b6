/* SPDX-License-Identifier: MIT */
/*
 * random.h - random tests that can be run again: the seed is printed, and RAILHEAD_SEED sets it.
 */
#ifndef RH_TESTS_UNIT_RANDOM_H
#define RH_TESTS_UNIT_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t random_seed(const char *what)
{
    const char *given = getenv("RAILHEAD_SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 20);
    printf("%s: RAILHEAD_SEED=%llu\n", what, (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* splitmix64 */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. n - 1 */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}

#endif
