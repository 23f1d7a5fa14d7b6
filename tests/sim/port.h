/* SPDX-License-Identifier: MIT */
/*
 * port.h - where the master connects: a pseudo terminal behind a symbolic link, or a TCP listener.
 *
 * A terminal nobody has open is a line nobody listens to: what is sent then is lost, as on a real one.
 * When the last one closes it, a fresh terminal is put behind the link (rename, so the link is never
 * missing), because an exclusive lock (TIOCEXCL) lives as long as the terminal and would shut out the
 * next master. The master side is watched edge-triggered: a terminal without a reader is always "hung up",
 * and a level-triggered watch would spin.
 */
#ifndef RAILSIM_PORT_H
#define RAILSIM_PORT_H

#include <netinet/in.h>

#include "tests/sim/base.h"
#include "tests/sim/loop.h"

#define SIM_PATH_MAX 256
#define SIM_CLIENTS_MAX 32

struct sim_port;

struct sim_port_ops {
    /* Bytes arrived. `client` is the place of a TCP client, 0 for a terminal. */
    void (*bytes)(void *context, int client, const uint8_t *bytes, size_t n, int64_t now_ns);
    /* The terminal's last user, or this client, has gone. */
    void (*gone)(void *context, int client);
};

struct sim_client {
    struct sim_watch watch; /* fd -1: free */
    struct sim_port *port;
};

struct sim_port {
    bool tcp;
    bool plugged;
    bool manual; /* terminal: no fresh one when the last user closes */
    const struct sim_port_ops *ops;
    void *context;
    struct sim_loop *loop;
    /* terminal */
    char link[SIM_PATH_MAX];
    char node[64];
    int master;
    struct sim_watch edge; /* an epoll descriptor that holds nothing but the master */
    /* TCP */
    char host[64];
    uint16_t port; /* as configured; 0: any */
    uint16_t bound;
    struct sim_watch listener;
    struct sim_client clients[SIM_CLIENTS_MAX];
    uint64_t lost; /* bytes nobody could take */
};

void sim_port_init(struct sim_port *port, struct sim_loop *loop, const struct sim_port_ops *ops,
                   void *context);
SIM_MUST_USE int sim_port_plug(struct sim_port *port, char *why, size_t why_cap); /* 0 or a negative errno */
void sim_port_unplug(struct sim_port *port);
/* A fresh terminal behind the same link; TCP: hangs up on all clients. */
SIM_MUST_USE int sim_port_reopen(struct sim_port *port, char *why, size_t why_cap);

/* client -1: all. False when nobody is there. Never blocks: what does not fit is lost and counted. */
bool sim_port_write(struct sim_port *port, int client, const uint8_t *bytes, size_t n);
void sim_port_hang_up(struct sim_port *port, int client);
/* Someone has it open and would get what is written now. */
bool sim_port_heard(const struct sim_port *port, int client);
/* baud the master has set; 0: unknown */
uint32_t sim_port_speed(const struct sim_port *port);

#endif
