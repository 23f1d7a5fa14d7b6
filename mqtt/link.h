/* SPDX-License-Identifier: MIT */
/*
 * link.h - the TCP side of a session that the MQTT library does not show: its address, its socket, and why
 * nobody answers. Internal to mqtt/.
 */
#ifndef RH_MQTT_LINK_H
#define RH_MQTT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base.h"

struct rh_link_address {
    char host[256]; /* an IPv6 address stands without its brackets */
    char port[6];
    char name[280]; /* "host:port" for people */
    char uri[290];  /* as the library wants it: tcp://host:port, ssl://host:port */
    bool tls;
};

/* Takes mqtt://host[:port] or mqtts:// apart; port 1883 or 8883 unless given. 0, -EINVAL, -EPROTONOSUPPORT
 * (another scheme). */
RH_MUST_USE int rh_link_parse(const char *url, struct rh_link_address *ret_address);

/* The sockets of this process that are connected to a port, told apart by their inode. */
#define RH_LINK_SOCKETS_MAX 32
struct rh_link_sockets {
    ino_t inodes[RH_LINK_SOCKETS_MAX];
    size_t n;
};

void rh_link_snapshot(const struct rh_link_address *address, struct rh_link_sockets *ret_sockets);

/* The socket connected to that port that was not there at the time of `before`; -1 if there is none. */
int rh_link_find(const struct rh_link_address *address, const struct rh_link_sockets *before);

/* TCP_NODELAY, and an end after 5 s when the peer takes nothing any more. Best effort. */
void rh_link_tune(int fd);

/* False while the peer takes nothing and the kernel's buffer is full: a write would block. */
bool rh_link_writable(int fd);

/* Nothing is read or written any more: what the library writes next fails, and it closes the socket. */
void rh_link_stop(int fd);

/* A socket of our own, connected and non-blocking, the caller's to close; or a negative errno. */
RH_MUST_USE int rh_link_connect(const struct rh_link_address *address, int timeout_ms);

enum rh_link_answer {
    RH_LINK_OPEN,    /* somebody accepts connections there */
    RH_LINK_SILENT,  /* no answer in time */
    RH_LINK_REFUSED, /* nobody listens */
    RH_LINK_NO_ROUTE,
    RH_LINK_NO_NAME,
};

/* After the library failed without saying why: asks the address again, at most timeout_ms (and the name
 * service's own time). `detail` becomes the address asked ("127.0.0.1:1883") or the system's words. */
enum rh_link_answer rh_link_ask(const struct rh_link_address *address, int timeout_ms, char *detail,
                                size_t detail_cap);

#endif
