/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the two times of railhead.
 *
 * Monotonic time (`mono_us`, CLOCK_MONOTONIC, microseconds) orders and paces everything:
 * schedules, deadlines, deadbands. Wall time (`wall_ms`, UTC, milliseconds since 1970) only
 * labels readings; a step of it changes no order. Logic takes `now` as an argument; only the
 * shells around it (threads, drivers at the wire) read these clocks.
 */
#ifndef RH_CORE_CLOCK_H
#define RH_CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define RH_NEVER INT64_MAX

/* Any thread. Microseconds since an arbitrary start; never steps back. */
int64_t rh_mono_us(void);

/* Any thread. Milliseconds since 1970-01-01 UTC. */
int64_t rh_wall_ms(void);

/* The wall time that belongs to the monotonic time `mono_us`, by today's offset between the two. */
int64_t rh_wall_of(int64_t mono_us);

/* Sleeps until the absolute monotonic time, as exactly as the kernel can; goes on after signals. */
void rh_sleep_until(int64_t mono_us);

/* Tells the kernel to wake the calling thread without its default 50 us of slack. */
void rh_clock_precise(void);

/* Milliseconds from now until then for poll(): rounded up, at least 0, -1 for RH_NEVER. */
int rh_poll_timeout_ms(int64_t now_us, int64_t then_us);

/* True when the wall clock is later than the build of this program: a box without a battery clock
 * boots in the past. (The finer sources of [clock] come with store.md's clock correction.) */
bool rh_wall_plausible(int64_t wall_ms);

#endif
