/* SPDX-License-Identifier: MIT */
/*
 * poller_inside.h - the poller's own state, shared by its two files. Its thread only.
 */
#ifndef RH_GATEWAY_POLLER_INSIDE_H
#define RH_GATEWAY_POLLER_INSIDE_H

#include "gateway/execute.h"
#include "gateway/outlet.h"
#include "gateway/poller.h"
#include "gateway/schedule.h"
#include "gateway/thread.h"

struct rh_poller {
    struct rh_thread thread;
    char part[RH_NAME_MAX + 8]; /* "line NAME", for the log */
    const struct rh_line_conf *line;
    const struct rh_driver *driver;
    struct rh_poller_view view;
    struct rh_plan plan;
    struct rh_link *link;
    struct rh_schedule *schedule;
    struct rh_ring *commands;
    struct rh_execute *execute; /* NULL: the driver cannot be commanded */
    struct rh_sink sink;
    unsigned commands_in_row; /* transactions for commands since the last poll */
    struct rh_outlet outlet;
    int64_t *offline_us; /* per device: since when; 0: it is not */
    bool connected;
    bool told_lost;     /* the loss of the port is in the log, since a valid frame was heard */
    bool heard;         /* a valid frame, since the port was opened */
    bool port_failed;   /* the last attempt to open it failed */
    bool listening;     /* the poll at hand only listens */
    unsigned attempts;  /* to connect, since the port was lost */
    int64_t connect_us; /* when to try next */
};

/* poller_port.c */

/* For those who look on: the state of every device. */
void rh_poller_show(struct rh_poller *poller);
/* The port is gone: gives the node back to the kernel at once, and says when to look for it again. */
void rh_poller_lost(struct rh_poller *poller, int error);
/* One attempt to open it; connect_us says when the next is due if it failed. */
void rh_poller_connect(struct rh_poller *poller);

#endif
