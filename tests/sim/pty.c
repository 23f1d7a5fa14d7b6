/* SPDX-License-Identifier: MIT */
#include "tests/sim/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* One terminal: its master side and the epoll descriptor that watches it. */
struct pty {
    int master, edge;
    char node[64];
};

/* Opened and closed once: from then on, "hung up" means that nobody has it open. Raw, so that nothing is
 * echoed before the master has set its own modes. */
static int touch(const char *node)
{
    struct termios settings;
    int fd = open(node, O_RDWR | O_NOCTTY | O_CLOEXEC);
    int result = 0;

    if (fd < 0)
        return -errno;
    if (tcgetattr(fd, &settings) < 0) {
        result = -errno;
    } else {
        cfmakeraw(&settings);
        if (tcsetattr(fd, TCSANOW, &settings) < 0)
            result = -errno;
    }
    close(fd);
    return result;
}

static void pty_close(struct pty *pty)
{
    if (pty->edge >= 0)
        close(pty->edge);
    if (pty->master >= 0)
        close(pty->master);
    pty->edge = pty->master = -1;
}

static int pty_make(struct pty *pty)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int error;

    pty->edge = epoll_create1(EPOLL_CLOEXEC);
    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (pty->edge < 0 || pty->master < 0 || grantpt(pty->master) < 0 || unlockpt(pty->master) < 0 ||
        ptsname_r(pty->master, pty->node, sizeof(pty->node)) != 0 || touch(pty->node) < 0 ||
        epoll_ctl(pty->edge, EPOLL_CTL_ADD, pty->master, &event) < 0) {
        error = errno;
        pty_close(pty);
        return -error;
    }
    /* The hang-up of our own touch is taken here, while nobody can know the node yet. */
    epoll_wait(pty->edge, &event, 1, 0);
    return 0;
}

/* Points the link at a node, by rename: at no moment is it missing. */
static int publish(const struct sim_port *port, const char *node)
{
    char fresh[SIM_PATH_MAX + 16];
    struct stat old;

    if (lstat(port->link, &old) == 0 && !S_ISLNK(old.st_mode))
        return -EEXIST;
    snprintf(fresh, sizeof(fresh), "%s.new.%d", port->link, (int)getpid());
    unlink(fresh);
    if (symlink(node, fresh) < 0)
        return -errno;
    if (rename(fresh, port->link) < 0) {
        int error = errno;

        unlink(fresh);
        return -error;
    }
    return 0;
}

static bool hung_up(int master)
{
    struct pollfd state = {.fd = master, .events = POLLIN};

    return poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0;
}

/* The last user has closed the terminal. */
static void abandoned(struct sim_port *port)
{
    char why[128];

    port->ops->gone(port->context, 0);
    if (!port->manual && hung_up(port->master) && sim_pty_renew(port, why, sizeof(why)) < 0)
        fprintf(stderr, "railsim: no fresh terminal for %s: %s\n", port->link, why);
}

static void edge_ready(struct sim_watch *watch, uint32_t events)
{
    struct sim_port *port = watch->context;
    struct epoll_event event;
    uint8_t bytes[4096];
    ssize_t n;

    (void)events;
    epoll_wait(watch->fd, &event, 1, 0);
    for (;;) {
        n = read(port->master, bytes, sizeof(bytes));
        if (n <= 0)
            break;
        /* The time after the read: one before it might be from before the bytes were there. */
        port->ops->bytes(port->context, 0, bytes, (size_t)n, sim_now_ns());
    }
    if (n < 0 && errno == EIO)
        abandoned(port);
}

static int adopt(struct sim_port *port, const struct pty *pty)
{
    port->master = pty->master;
    memcpy(port->node, pty->node, sizeof(port->node));
    port->edge = (struct sim_watch){pty->edge, edge_ready, port};
    return sim_loop_add(port->loop, &port->edge);
}

int sim_pty_open(struct sim_port *port, char *why, size_t why_cap)
{
    struct pty pty = {-1, -1, ""};
    int result = pty_make(&pty);

    if (result == 0)
        result = publish(port, pty.node);
    if (result == 0)
        result = adopt(port, &pty);
    if (result < 0) {
        snprintf(why, why_cap, "%s: %s", port->link, strerror(-result));
        pty_close(&pty);
        port->master = port->edge.fd = -1;
    }
    return result;
}

void sim_pty_close(struct sim_port *port)
{
    sim_loop_close(port->loop, &port->edge);
    if (port->master >= 0)
        close(port->master);
    port->master = -1;
}

int sim_pty_renew(struct sim_port *port, char *why, size_t why_cap)
{
    struct pty pty = {-1, -1, ""};
    bool was_free = hung_up(port->master);
    int result = pty_make(&pty);

    if (result == 0)
        result = publish(port, pty.node);
    if (result == 0 && was_free && !hung_up(port->master)) { /* someone opened the old one meanwhile */
        result = publish(port, port->node);
        pty_close(&pty);
        return result;
    }
    if (result == 0) {
        sim_pty_close(port);
        result = adopt(port, &pty);
        if (result == 0)
            return 0;
        port->master = port->edge.fd = -1;
    }
    snprintf(why, why_cap, "%s: %s", port->link, strerror(-result));
    pty_close(&pty);
    return result;
}

void sim_pty_unlink(const struct sim_port *port)
{
    char node[64];
    ssize_t n = readlink(port->link, node, sizeof(node) - 1);

    if (n <= 0)
        return;
    node[n] = '\0';
    if (strcmp(node, port->node) == 0)
        unlink(port->link);
}

bool sim_pty_heard(const struct sim_port *port)
{
    return port->master >= 0 && !hung_up(port->master);
}

bool sim_pty_write(struct sim_port *port, const uint8_t *bytes, size_t n)
{
    ssize_t done;

    if (!sim_pty_heard(port))
        return false;
    done = write(port->master, bytes, n);
    if (done < (ssize_t)n)
        port->lost += n - (done > 0 ? (size_t)done : 0);
    return true;
}
