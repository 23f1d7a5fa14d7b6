/* SPDX-License-Identifier: MIT */
/*
 * line_socket.c - a TCP session: connected within its deadline, quick, and noticed when the other end dies.
 *
 * TCP_USER_TIMEOUT ends a session whose data is not acknowledged for five seconds; keepalive one that has
 * nothing to say.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "drivers/line.h"
#include "drivers/line_lookup.h"

#define DEAD_AFTER_MS 5000
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES 3

static const char *end_of_host(const char *address, const char **ret_port)
{
    const char *colon = strchr(address, ':');
    *ret_port = NULL;
    if (!colon || strchr(colon + 1, ':')) /* no port, or a bare v6 address */
        return address + strlen(address);
    *ret_port = colon + 1;
    return colon;
}

/* Behind "[v6": the end of the address, or NULL if no such bracket ends it. */
static const char *end_of_bracket(const char *address, const char **ret_port)
{
    const char *end = strchr(address, ']');
    *ret_port = NULL;
    if (!end || (end[1] != '\0' && end[1] != ':'))
        return NULL;
    if (end[1] == ':')
        *ret_port = end + 2;
    return end;
}

bool rh_line_split_address(const char *address, uint16_t default_port, char ret_host[RH_LINE_HOST_MAX + 1],
                           char ret_port[6])
{
    bool bracket = *address == '[';
    const char *host = address + bracket, *port;
    const char *end = bracket ? end_of_bracket(host, &port) : end_of_host(host, &port);
    uint64_t number = default_port;
    if (!end || end == host || end - host > RH_LINE_HOST_MAX)
        return false;
    if (port && (rh_parse_uint(port, &number) != 0 || number < 1 || number > UINT16_MAX))
        return false;
    memcpy(ret_host, host, (size_t)(end - host));
    ret_host[end - host] = '\0';
    snprintf(ret_port, 6, "%u", (unsigned)(uint16_t)number);
    return true;
}

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value); /* helps where it can be had */
}

static void set_habits(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_AFTER_MS);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* The outcome of a connect() under way: 0 or a negative errno. */
static int finish_connect(int fd, int64_t deadline_us)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int n;
    do
        n = poll(&wait, 1, rh_poll_timeout_ms(rh_mono_us(), deadline_us));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -ETIMEDOUT;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

/* A connected descriptor, or a negative errno. */
static int connect_to(const struct addrinfo *address, int64_t deadline_us)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_habits(fd);
    int error = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : -errno;
    if (error == -EINPROGRESS || error == -EINTR)
        error = finish_connect(fd, deadline_us);
    if (!error)
        return fd;
    close(fd);
    return error;
}

/* Each address gets an even share of the time that is left: a dead first one must not use it all. */
static int connect_any(const struct addrinfo *addresses, int64_t deadline_us)
{
    int left = 0, fd = -EHOSTUNREACH;
    for (const struct addrinfo *a = addresses; a; a = a->ai_next)
        left++;
    for (const struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next, left--) {
        int64_t now = rh_mono_us();
        fd = connect_to(a, now + (deadline_us - now) / left);
    }
    return fd;
}

int rh_line_open_socket(struct rh_line *line, const char *address, uint16_t default_port, int64_t deadline_us,
                        char *why, size_t cap)
{
    char host[RH_LINE_HOST_MAX + 1], port[6];
    struct addrinfo *addresses;
    rh_assert(line->fd < 0);
    if (!rh_line_split_address(address, default_port, host, port)) {
        snprintf(why, cap, "\"%s\" is no address: write host, host:port or [v6]:port", address);
        return -EINVAL;
    }
    int unknown = rh_lookup_address(&line->lookup, host, port, deadline_us, &addresses);
    if (unknown) {
        snprintf(why, cap, "cannot find the address of %s: %s", host, gai_strerror(unknown));
        return unknown == EAI_AGAIN ? -ETIMEDOUT : -EHOSTUNREACH;
    }
    int fd = connect_any(addresses, deadline_us);
    freeaddrinfo(addresses);
    if (fd < 0) {
        snprintf(why, cap, "cannot connect to %s port %s: %s", host, port, strerror(-fd));
        return fd;
    }
    line->fd = fd;
    line->kind = RH_LINE_SOCKET;
    return 0;
}
