/* SPDX-License-Identifier: MIT */
#include "core/clock.h"

#include <errno.h>
#include <limits.h>
#include <sys/prctl.h>
#include <time.h>

static int64_t read_clock_us(clockid_t id)
{
    struct timespec at;

    clock_gettime(id, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

int64_t rh_mono_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t rh_wall_ms(void)
{
    return read_clock_us(CLOCK_REALTIME) / 1000;
}

int64_t rh_wall_of(int64_t mono_us)
{
    int64_t age_us = rh_mono_us() - mono_us;

    return (read_clock_us(CLOCK_REALTIME) - age_us) / 1000;
}

void rh_sleep_until(int64_t mono_us)
{
    struct timespec at = {.tv_sec = (time_t)(mono_us / 1000000), .tv_nsec = (long)(mono_us % 1000000) * 1000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

void rh_clock_precise(void)
{
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

int rh_poll_timeout_ms(int64_t now_us, int64_t then_us)
{
    if (then_us == RH_NEVER)
        return -1;
    if (then_us <= now_us)
        return 0;
    int64_t left_us = then_us - now_us;
    int64_t ms = left_us / 1000 + (left_us % 1000 != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

bool rh_wall_plausible(int64_t wall_ms)
{
    return wall_ms / 1000 >= (int64_t)RAILHEAD_BUILD_TIME;
}
