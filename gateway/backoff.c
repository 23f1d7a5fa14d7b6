/* SPDX-License-Identifier: MIT */
#include "gateway/backoff.h"

#include "core/base.h"

void rh_backoff_reset(struct rh_backoff *backoff)
{
    backoff->next_us = 0;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int64_t rh_backoff_next(struct rh_backoff *backoff, int64_t factor)
{
    int64_t pause_us = backoff->next_us ? backoff->next_us : backoff->min_us;
    int64_t percent = 80 + (int64_t)(draw(&backoff->random) % 41);

    backoff->next_us = pause_us >= backoff->max_us / 2 ? backoff->max_us : pause_us * 2;
    pause_us = pause_us > backoff->max_us / factor ? backoff->max_us : pause_us * factor;
    return pause_us / 100 * percent;
}

int64_t rh_backoff_port_us(unsigned attempts)
{
    static const int64_t pauses_ms[] = {250, 250, 250, 250, 1000, 2000, 5000};
    size_t last = RH_COUNT(pauses_ms) - 1;

    return pauses_ms[attempts < last ? attempts : last] * 1000;
}
