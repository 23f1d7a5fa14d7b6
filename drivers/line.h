/* SPDX-License-Identifier: MIT */
/*
 * line.h - an open serial port or TCP session, as drivers see it: bytes in, bytes out, absolute deadlines.
 *
 * One struct rh_line belongs to one poller's thread, embedded in its driver's state. It survives the port:
 * open and close follow each other for as long as the daemon runs. Nothing here knows a protocol.
 */
#ifndef RH_DRIVERS_LINE_H
#define RH_DRIVERS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base.h"

struct sp_port;   /* libserialport's */
struct rh_lookup; /* a name on its way through the resolver */

enum rh_line_kind { RH_LINE_TTY, RH_LINE_PTY, RH_LINE_SOCKET };

struct rh_line {
    int fd; /* -1: closed */
    enum rh_line_kind kind;
    struct sp_port *port;     /* while a real serial port is open */
    struct rh_lookup *lookup; /* a resolver request that outlived its deadline */
    int watch;                /* inotify, -1: none yet */
};

struct rh_serial {
    const char *port; /* a path, or usb:VID:PID[:SERIAL] */
    int64_t baud;
    int data_bits, stop_bits;
    char parity; /* 'N', 'E', 'O' */
};

void rh_line_init(struct rh_line *line);
/* Closes everything, the watch included. */
void rh_line_fini(struct rh_line *line);

/* Opens the port for this process alone, raw, at the configured rate, with empty buffers. 0 or a negative
 * errno with a sentence for people in `why`: -ENOENT, -EACCES, -ENOTTY, -EBUSY (another program, or a
 * console), -EINVAL (rate or frame that the hardware cannot do), -EMFILE, others as the kernel has them. */
RH_MUST_USE int rh_line_open_serial(struct rh_line *line, const struct rh_serial *serial, char *why,
                                    size_t cap);

/* Connects to `address` ("host", "host:port", "[v6]:port") by the absolute time, whatever the resolver
 * does. 0 or a negative errno with `why`. */
RH_MUST_USE int rh_line_open_socket(struct rh_line *line, const char *address, uint16_t default_port,
                                    int64_t deadline_us, char *why, size_t cap);

/* Closes the port at once. The watch stays. */
void rh_line_close(struct rh_line *line);

/* Waits for bytes until the absolute time and reads what is there. > 0: bytes; 0: the time has come;
 * < 0: the port or session is gone. */
RH_MUST_USE ssize_t rh_line_read(struct rh_line *line, int64_t until_us, uint8_t *buffer, size_t cap);

/* All of `bytes` or a negative errno; never waits, never raises SIGPIPE on a socket. */
RH_MUST_USE int rh_line_write(struct rh_line *line, const uint8_t *bytes, size_t len);

/* Drops what has not left the port yet: it would be a request that nobody waits for any more. */
void rh_line_drop_output(struct rh_line *line);

/* A descriptor that becomes readable when something appears or changes beside `port` or in /dev; -1 if
 * that cannot be had. rh_line_watch_drain before the next look at the port. */
int rh_line_watch(struct rh_line *line, const char *port);
void rh_line_watch_drain(struct rh_line *line);

/* line_port.c: today's node of a configured port: finds usb:VID:PID[:SERIAL], follows symlinks. */
RH_MUST_USE int rh_line_resolve(const char *port, char *ret_node, size_t node_cap, char *why, size_t cap);
/* True if `node` (a path) is one of the blank-separated names in `active`, as in
 * /sys/class/tty/console/active. */
bool rh_line_is_console(const char *active, const char *node);

/* line_speed.c: raw mode, frame and any baud rate by the kernel's own struct, and what is in force now. */
RH_MUST_USE int rh_line_set_raw(int fd, const struct rh_serial *serial);
/* read() says EAGAIN when nothing is there, modem lines are ignored and survive the close. */
RH_MUST_USE int rh_line_set_habits(int fd);
RH_MUST_USE int rh_line_speed(int fd, int64_t *ret_baud);

/* Takes "host", "host:port" or "[v6]:port" apart; a bare v6 address has no port. False if it is none. */
#define RH_LINE_HOST_MAX 255
bool rh_line_split_address(const char *address, uint16_t default_port, char ret_host[RH_LINE_HOST_MAX + 1],
                           char ret_port[6]);

#endif
