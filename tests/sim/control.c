/* SPDX-License-Identifier: MIT */
/*
 * control.c - where commands come from: standard input, or the clients of a Unix socket.
 *
 * The end of standard input ends the simulator, so that it never outlives the test that started it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define CONTROLLERS_MAX 8
#define REPLY_MAX 131072

struct controller {
    struct sim_watch watch; /* fd -1: free */
    struct sim *sim;
    char line[SIM_LINE_MAX];
    size_t n;
    bool skipping; /* the rest of a line that was too long */
};

static struct controller controllers[CONTROLLERS_MAX];
static struct sim_watch listener = {.fd = -1};

static void reply_to(const struct controller *from, const char *line)
{
    static char buffer[REPLY_MAX];
    struct sim_text reply;
    ssize_t done;

    sim_text_init(&reply, buffer, sizeof(buffer) - 1);
    sim_command_run(from->sim, line, &reply);
    buffer[reply.len++] = '\n';
    if (from->watch.fd == STDIN_FILENO)
        done = write(STDOUT_FILENO, buffer, reply.len);
    else
        done = send(from->watch.fd, buffer, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)done; /* who does not read its replies goes without */
}

static void take(struct controller *controller, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            controller->skipping = controller->skipping || controller->n == sizeof(controller->line) - 1;
            if (!controller->skipping)
                controller->line[controller->n++] = bytes[i];
            continue;
        }
        controller->line[controller->n] = '\0';
        reply_to(controller, controller->skipping ? "a line that is too long" : controller->line);
        controller->n = 0;
        controller->skipping = false;
    }
}

static void controller_ready(struct sim_watch *watch, uint32_t events)
{
    struct controller *controller = watch->context;
    char bytes[1024];
    ssize_t n = read(watch->fd, bytes, sizeof(bytes));

    (void)events;
    if (n > 0) {
        take(controller, bytes, (size_t)n);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (watch->fd == STDIN_FILENO)
        controller->sim->shared.loop.quit = true;
    sim_loop_close(&controller->sim->shared.loop, watch);
}

static void listener_ready(struct sim_watch *watch, uint32_t events)
{
    struct sim *sim = watch->context;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    for (size_t i = 0; fd >= 0 && i < CONTROLLERS_MAX; i++) {
        struct controller *controller = &controllers[i];

        if (controller->watch.fd >= 0)
            continue;
        *controller = (struct controller){.watch = {fd, controller_ready, controller}, .sim = sim};
        if (sim_loop_add(&sim->shared.loop, &controller->watch) == 0)
            return;
        controller->watch.fd = -1;
        break;
    }
    if (fd >= 0)
        close(fd);
}

static int open_socket(struct sim *sim)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    listener = (struct sim_watch){fd, listener_ready, sim};
    if (strlen(sim->control) >= sizeof(at.sun_path))
        return -ENAMETOOLONG;
    memcpy(at.sun_path, sim->control, strlen(sim->control) + 1);
    unlink(sim->control);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, CONTROLLERS_MAX) < 0)
        return -errno;
    return sim_loop_add(&sim->shared.loop, &listener);
}

int sim_control_open(struct sim *sim, char *why, size_t why_cap)
{
    int result = 0;

    for (size_t i = 0; i < CONTROLLERS_MAX; i++)
        controllers[i].watch.fd = -1;
    if (strcmp(sim->control, "stdin") == 0) {
        struct controller *controller = &controllers[0];

        *controller = (struct controller){.watch = {STDIN_FILENO, controller_ready, controller}, .sim = sim};
        result = sim_loop_add(&sim->shared.loop, &controller->watch);
    } else if (strcmp(sim->control, "none") != 0) {
        result = open_socket(sim);
    }
    if (result < 0)
        snprintf(why, why_cap, "control = %s: %s%s", sim->control, strerror(-result),
                 result == -EPERM ? " (standard input must be a pipe or a terminal; else control = none)"
                                  : "");
    return result;
}

void sim_control_close(struct sim *sim)
{
    if (listener.fd >= 0)
        unlink(sim->control);
    sim_loop_close(&sim->shared.loop, &listener);
    for (size_t i = 0; i < CONTROLLERS_MAX; i++)
        sim_loop_close(&sim->shared.loop, &controllers[i].watch);
}
