/* SPDX-License-Identifier: MIT */
/*
 * line.c - bytes in and out of an open port, by absolute deadlines, and the watch for a port that is away.
 *
 * Descriptors never block: every wait is a ppoll() with a deadline of its own, so that bytes that trickle
 * cannot make one longer. A port that is gone shows itself in three ways, which all end in a negative errno:
 * an error of read or write, a read of 0 bytes, and a hang-up without anything to read.
 */
#include "drivers/line.h"

#include <errno.h>
#include <libgen.h>
#include <libserialport.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "drivers/line_lookup.h"

#define WATCH_EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)

void rh_line_init(struct rh_line *line)
{
    *line = (struct rh_line){.fd = -1, .watch = -1};
}

void rh_line_fini(struct rh_line *line)
{
    rh_line_close(line);
    rh_lookup_drop(&line->lookup);
    if (line->watch >= 0)
        close(line->watch);
    line->watch = -1;
}

void rh_line_close(struct rh_line *line)
{
    if (line->fd < 0)
        return;
    if (line->kind == RH_LINE_TTY)
        ioctl(line->fd, TIOCNXCL);
    if (line->port) {
        sp_close(line->port);
        sp_free_port(line->port);
        line->port = NULL;
    } else {
        close(line->fd);
    }
    line->fd = -1;
}

/* 1: readable or broken; 0: the time has come; negative errno. */
static int wait_readable(int fd, int64_t until_us)
{
    for (;;) {
        struct pollfd poll = {.fd = fd, .events = POLLIN};
        int64_t left_us = until_us - rh_mono_us();
        if (left_us < 0)
            left_us = 0;
        struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
        int n = ppoll(&poll, 1, &left, NULL);
        if (n > 0 && poll.revents & POLLNVAL)
            return -EBADF;
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

ssize_t rh_line_read(struct rh_line *line, int64_t until_us, uint8_t *buffer, size_t cap)
{
    int ready = wait_readable(line->fd, until_us);
    if (ready <= 0)
        return ready;
    ssize_t n;
    do
        n = read(line->fd, buffer, cap);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    if (n == 0)
        return line->kind == RH_LINE_SOCKET ? -ECONNRESET : -EIO;
    /* Said to be readable and is not: a hang-up that the kernel does not put into words. */
    return errno == EAGAIN ? -EIO : -errno;
}

int rh_line_write(struct rh_line *line, const uint8_t *bytes, size_t len)
{
    ssize_t n;
    do
        n = line->kind == RH_LINE_SOCKET ? send(line->fd, bytes, len, MSG_NOSIGNAL)
                                         : write(line->fd, bytes, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return (size_t)n == len ? 0 : -EIO;
}

void rh_line_drop_output(struct rh_line *line)
{
    if (line->kind != RH_LINE_SOCKET && line->fd >= 0)
        tcflush(line->fd, TCOFLUSH);
}

int rh_line_watch(struct rh_line *line, const char *port)
{
    if (line->watch < 0)
        line->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (line->watch < 0)
        return -1;
    /* Adding a folder again is no harm; one that is not there yet shows up in /dev first. */
    bool watched = inotify_add_watch(line->watch, "/dev", WATCH_EVENTS) >= 0;
    char path[PATH_MAX];
    if (strncmp(port, "usb:", 4) != 0 && strlen(port) < sizeof path) {
        memcpy(path, port, strlen(port) + 1);
        watched = inotify_add_watch(line->watch, dirname(path), WATCH_EVENTS) >= 0 || watched;
    }
    return watched ? line->watch : -1;
}

void rh_line_watch_drain(struct rh_line *line)
{
    char events[4096];
    while (line->watch >= 0 && read(line->watch, events, sizeof events) > 0)
        ;
}
