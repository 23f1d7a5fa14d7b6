/* SPDX-License-Identifier: MIT */
/*
 * link.c - finding the library's socket: it is the TCP socket with the broker's port at its other end that
 * was not there before the connect. Sockets are told apart by inode, because descriptors are used again.
 */
#include "mqtt/link.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"

#define USER_TIMEOUT_MS 5000
#define SCAN_FDS 1024

static int parse_port(const char *text, char port[6])
{
    uint64_t number = 0;
    if (strlen(text) > 5 || rh_parse_uint(text, &number) < 0 || number == 0 || number > 65535)
        return -EINVAL;
    snprintf(port, 6, "%u", (unsigned)number);
    return 0;
}

/* host[:port] or [v6][:port]: where the host is and what follows it; false if it is neither. */
static bool split_host(const char *at, const char **ret_host, size_t *ret_len, const char **ret_rest)
{
    bool bracketed = *at == '[';
    const char *end = bracketed ? strchr(at, ']') : at + strcspn(at, ":/");
    if (!end)
        return false;
    *ret_host = at + bracketed;
    *ret_len = (size_t)(end - *ret_host);
    *ret_rest = end + bracketed;
    return *ret_len > 0;
}

static const struct scheme {
    const char *prefix, *port, *library;
    bool tls;
} schemes[] = {
    {"mqtt://", "1883", "tcp://", false},
    {"mqtts://", "8883", "ssl://", true},
};

static const struct scheme *scheme_of(const char *url)
{
    for (size_t i = 0; i < RH_COUNT(schemes); i++) {
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    }
    return NULL;
}

int rh_link_parse(const char *url, struct rh_link_address *ret_address)
{
    const struct scheme *scheme = scheme_of(url);
    if (!scheme)
        return strstr(url, "://") ? -EPROTONOSUPPORT : -EINVAL;
    const char *host = NULL;
    const char *rest = NULL;
    size_t len = 0;
    struct rh_link_address address = {.tls = scheme->tls};
    snprintf(address.port, sizeof(address.port), "%s", scheme->port);
    if (!split_host(url + strlen(scheme->prefix), &host, &len, &rest) || len >= sizeof(address.host))
        return -EINVAL;
    if (*rest && (*rest != ':' || parse_port(rest + 1, address.port) < 0))
        return -EINVAL;
    memcpy(address.host, host, len);
    bool v6 = strchr(address.host, ':') != NULL;
    snprintf(address.name, sizeof(address.name), v6 ? "[%s]:%s" : "%s:%s", address.host, address.port);
    snprintf(address.uri, sizeof(address.uri), "%s%s", scheme->library, address.name);
    *ret_address = address;
    return 0;
}

static unsigned port_of(const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof(in));
        return ntohs(in.sin_port);
    }
    if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, peer, sizeof(in6));
        return ntohs(in6.sin6_port);
    }
    return 0;
}

/* The inode of the socket if its other end has that port, else 0. */
static ino_t socket_to(int fd, unsigned port)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    struct stat info;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || port_of(&peer) != port || fstat(fd, &info) < 0)
        return 0;
    return info.st_ino;
}

static bool known(const struct rh_link_sockets *sockets, ino_t inode)
{
    for (size_t i = 0; i < sockets->n; i++) {
        if (sockets->inodes[i] == inode)
            return true;
    }
    return false;
}

/* Looks at one descriptor: adds its inode to `collect`, or true if it is not in `before`. */
static bool look_at(int fd, unsigned port, struct rh_link_sockets *collect,
                    const struct rh_link_sockets *before)
{
    ino_t inode = socket_to(fd, port);
    if (inode == 0)
        return false;
    if (collect && collect->n < RH_LINK_SOCKETS_MAX)
        collect->inodes[collect->n++] = inode;
    return before && !known(before, inode);
}

/* Over all descriptors of the process; without /proc over the first SCAN_FDS. */
static int look_through(const struct rh_link_address *address, struct rh_link_sockets *collect,
                        const struct rh_link_sockets *before)
{
    unsigned port = (unsigned)strtoul(address->port, NULL, 10);
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) {
        for (int fd = 0; fd < SCAN_FDS; fd++) {
            if (look_at(fd, port, collect, before))
                return fd;
        }
        return -1;
    }
    int found = -1;
    for (struct dirent *entry = readdir(directory); entry && found < 0; entry = readdir(directory)) {
        uint64_t fd = 0;
        if (rh_parse_uint(entry->d_name, &fd) == 0 && look_at((int)fd, port, collect, before))
            found = (int)fd;
    }
    closedir(directory);
    return found;
}

void rh_link_snapshot(const struct rh_link_address *address, struct rh_link_sockets *ret_sockets)
{
    ret_sockets->n = 0;
    (void)look_through(address, ret_sockets, NULL);
}

int rh_link_find(const struct rh_link_address *address, const struct rh_link_sockets *before)
{
    return look_through(address, NULL, before);
}

void rh_link_tune(int fd)
{
    int on = 1;
    unsigned timeout_ms = USER_TIMEOUT_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

bool rh_link_writable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    return poll(&wait, 1, 0) == 1;
}

void rh_link_stop(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
}

/* Connects to one address: the socket, non-blocking, or a negative errno. */
static int connect_to(const struct addrinfo *at, int timeout_ms)
{
    RH_CLEANUP(rh_cleanup_close)
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, at->ai_addr, at->ai_addrlen) < 0 ? errno : 0;
    if (error == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t len = sizeof(error);
        if (poll(&wait, 1, timeout_ms) != 1)
            error = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            error = errno;
    }
    if (error)
        return -error;
    int connected = fd;
    fd = -1;
    return connected;
}

/* The same, closed again at once: 0, or the errno it ended with. */
static int knock(const struct addrinfo *at, int timeout_ms)
{
    RH_CLEANUP(rh_cleanup_close)
    int fd = connect_to(at, timeout_ms);
    return fd < 0 ? -fd : 0;
}

int rh_link_connect(const struct rh_link_address *address, int timeout_ms)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo(address->host, address->port, &hints, &list) != 0)
        return -EHOSTUNREACH;
    int64_t until_us = rh_mono_us() + (int64_t)timeout_ms * 1000;
    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_to(at, rh_poll_timeout_ms(rh_mono_us(), until_us));
    freeaddrinfo(list);
    return fd;
}

static enum rh_link_answer answer_of(int error)
{
    switch (error) {
    case 0:
        return RH_LINK_OPEN;
    case ECONNREFUSED:
    case ECONNRESET:
        return RH_LINK_REFUSED;
    case ETIMEDOUT:
        return RH_LINK_SILENT;
    default:
        return RH_LINK_NO_ROUTE;
    }
}

static void describe(const struct addrinfo *at, const struct rh_link_address *address, int error,
                     char *detail, size_t cap)
{
    char number[64] = "?";
    (void)getnameinfo(at->ai_addr, at->ai_addrlen, number, sizeof(number), NULL, 0, NI_NUMERICHOST);
    if (answer_of(error) == RH_LINK_NO_ROUTE)
        snprintf(detail, cap, "%s", strerror(error));
    else
        snprintf(detail, cap, at->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", number, address->port);
}

enum rh_link_answer rh_link_ask(const struct rh_link_address *address, int timeout_ms, char *detail,
                                size_t detail_cap)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(address->host, address->port, &hints, &list);
    if (error) {
        snprintf(detail, detail_cap, "%s", gai_strerror(error));
        return RH_LINK_NO_NAME;
    }
    int64_t until_us = rh_mono_us() + (int64_t)timeout_ms * 1000;
    enum rh_link_answer answer = RH_LINK_NO_ROUTE;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        error = knock(at, rh_poll_timeout_ms(rh_mono_us(), until_us));
        describe(at, address, error, detail, detail_cap);
        answer = answer_of(error);
        if (answer == RH_LINK_OPEN)
            break;
    }
    freeaddrinfo(list);
    return answer;
}
