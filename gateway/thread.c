/* SPDX-License-Identifier: MIT */
#include "gateway/thread.h"

#include <errno.h>
#include <unistd.h>

#include "core/ring.h"

#define STACK_BYTES ((size_t)512 * 1024)

int rh_thread_init(struct rh_thread *thread)
{
    thread->running = false;
    atomic_init(&thread->stop, false);
    thread->bell = -1;
    return rh_bell_open(&thread->bell);
}

int rh_thread_start(struct rh_thread *thread, const char *name, void *(*body)(void *), void *context)
{
    pthread_attr_t attributes;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    error = pthread_create(&thread->id, &attributes, body, context);
    pthread_attr_destroy(&attributes);
    if (error)
        return -error;
    thread->running = true;
    pthread_setname_np(thread->id, name); /* at most 15 bytes; a longer one is only not shown */
    return 0;
}

void rh_thread_stop(struct rh_thread *thread)
{
    atomic_store(&thread->stop, true);
    rh_bell_ring(thread->bell);
}

bool rh_thread_stopping(const struct rh_thread *thread)
{
    return atomic_load(&thread->stop);
}

void rh_thread_fini(struct rh_thread *thread)
{
    if (thread->running) {
        rh_thread_stop(thread);
        pthread_join(thread->id, NULL);
        thread->running = false;
    }
    rh_cleanup_close(&thread->bell);
    thread->bell = -1;
}
