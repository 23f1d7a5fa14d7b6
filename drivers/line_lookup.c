/* SPDX-License-Identifier: MIT */
/*
 * line_lookup.c - getaddrinfo() on a thread of its own, waited for on an eventfd.
 *
 * The resolver cannot be interrupted, so the request is one allocation with two holders, the line and the
 * thread; the last one frees it. The thread writes the outcome, then sets `done`, then rings; after that it
 * only lets go. There is at most one per line. (getaddrinfo_a() does as much, but its requests can neither
 * be taken back nor given up, and sanitizers do not know its threads.)
 */
#include "drivers/line_lookup.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

#define STACK_BYTES (512 * 1024) /* resolver modules use tens of KiB */

struct rh_lookup {
    atomic_int holders;
    atomic_bool done;
    int bell;
    int error; /* of getaddrinfo */
    struct addrinfo *addresses;
    char host[256];
    char port[6];
};

static void let_go(struct rh_lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) > 1)
        return;
    if (lookup->addresses)
        freeaddrinfo(lookup->addresses);
    close(lookup->bell);
    free(lookup);
}

void rh_lookup_drop(struct rh_lookup **lookup)
{
    if (*lookup)
        let_go(*lookup);
    *lookup = NULL;
}

static void *body(void *context)
{
    struct rh_lookup *lookup = context;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
    if (lookup->error)
        lookup->addresses = NULL;
    atomic_store(&lookup->done, true);
    eventfd_write(lookup->bell, 1);
    let_go(lookup);
    return NULL;
}

static int start_thread(struct rh_lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return EAI_MEMORY;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(&thread, &attributes, body, lookup);
    pthread_attr_destroy(&attributes);
    return error ? EAI_AGAIN : 0;
}

static int begin(struct rh_lookup **lookup, const char *host, const char *port)
{
    struct rh_lookup *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return EAI_MEMORY;
    fresh->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fresh->bell < 0) {
        free(fresh);
        return EAI_SYSTEM;
    }
    strncpy(fresh->host, host, sizeof fresh->host - 1);
    strncpy(fresh->port, port, sizeof fresh->port - 1);
    atomic_init(&fresh->holders, 2);
    int error = start_thread(fresh);
    if (!error) {
        *lookup = fresh;
        return 0;
    }
    atomic_store(&fresh->holders, 1);
    let_go(fresh);
    return error;
}

/* True when the outcome is there; false when time is up. */
static bool await(struct rh_lookup *lookup, int64_t deadline_us)
{
    while (!atomic_load(&lookup->done)) {
        struct pollfd bell = {.fd = lookup->bell, .events = POLLIN};
        int64_t now_us = rh_mono_us();
        if (now_us >= deadline_us)
            return false;
        if (poll(&bell, 1, rh_poll_timeout_ms(now_us, deadline_us)) < 0 && errno != EINTR)
            return false;
    }
    return true;
}

int rh_lookup_address(struct rh_lookup **lookup, const char *host, const char *port, int64_t deadline_us,
                      struct addrinfo **ret_addresses)
{
    const struct addrinfo numeric = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    *ret_addresses = NULL;
    if (getaddrinfo(host, port, &numeric, ret_addresses) == 0)
        return 0;
    int error = *lookup ? 0 : begin(lookup, host, port);
    if (error)
        return error;
    if (!await(*lookup, deadline_us))
        return EAI_AGAIN;
    error = (*lookup)->error;
    *ret_addresses = (*lookup)->addresses;
    (*lookup)->addresses = NULL;
    rh_lookup_drop(lookup);
    return error;
}
