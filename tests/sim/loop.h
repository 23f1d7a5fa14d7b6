/* SPDX-License-Identifier: MIT */
/*
 * loop.h - one thread waits for descriptors and one exact point in time.
 *
 * The timer is a timerfd with an absolute time, because the timeouts of poll and epoll may be late by a
 * thousandth of themselves. Nothing spins.
 */
#ifndef RAILSIM_LOOP_H
#define RAILSIM_LOOP_H

#include "tests/sim/base.h"

struct sim_watch {
    int fd; /* -1: not watched */
    void (*ready)(struct sim_watch *watch, uint32_t events);
    void *context;
};

struct sim_loop {
    int epoll, timer;
    int64_t armed_ns;
    bool quit;
};

SIM_MUST_USE int sim_loop_init(struct sim_loop *loop); /* 0 or a negative errno */
void sim_loop_fini(struct sim_loop *loop);
SIM_MUST_USE int sim_loop_add(struct sim_loop *loop, struct sim_watch *watch); /* watches for reading */
void sim_loop_close(struct sim_loop *loop, struct sim_watch *watch);           /* and closes the descriptor */

/* Waits until something is ready or the time has come, and serves what is ready. */
void sim_loop_wait(struct sim_loop *loop, int64_t until_ns);

#endif
