/* SPDX-License-Identifier: MIT */
/*
 * thread.h - the shell around a step function: a named thread with a bell, a stop flag and a small stack.
 */
#ifndef RH_GATEWAY_THREAD_H
#define RH_GATEWAY_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base.h"

struct rh_thread {
    pthread_t id;
    bool running;
    atomic_bool stop;
    int bell; /* eventfd, polled by the step's own wait */
};

/* Opens the bell. 0 or a negative errno. */
RH_MUST_USE int rh_thread_init(struct rh_thread *thread);
RH_MUST_USE int rh_thread_start(struct rh_thread *thread, const char *name, void *(*body)(void *),
                                void *context);
/* Sets the flag and rings; any thread. */
void rh_thread_stop(struct rh_thread *thread);
bool rh_thread_stopping(const struct rh_thread *thread);
/* Stops, waits for the end, closes the bell. */
void rh_thread_fini(struct rh_thread *thread);

#endif
