/* SPDX-License-Identifier: MIT */
#include "tests/sim/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/sim/pty.h"

static void client_ready(struct sim_watch *watch, uint32_t events)
{
    struct sim_client *client = watch->context;
    struct sim_port *port = client->port;
    int place = (int)(client - port->clients);
    uint8_t bytes[2048];
    ssize_t n = recv(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    (void)events;
    if (n > 0) {
        port->ops->bytes(port->context, place, bytes, (size_t)n, sim_now_ns());
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    sim_port_hang_up(port, place);
}

static void listener_ready(struct sim_watch *watch, uint32_t events)
{
    struct sim_port *port = watch->context;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int on = 1;

    (void)events;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    for (size_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        struct sim_client *client = &port->clients[i];

        if (client->watch.fd >= 0)
            continue;
        client->watch = (struct sim_watch){fd, client_ready, client};
        client->port = port;
        if (sim_loop_add(port->loop, &client->watch) == 0)
            return;
        client->watch.fd = -1;
        break;
    }
    close(fd);
}

void sim_port_init(struct sim_port *port, struct sim_loop *loop, const struct sim_port_ops *ops,
                   void *context)
{
    port->loop = loop;
    port->ops = ops;
    port->context = context;
    port->master = port->edge.fd = port->listener.fd = -1;
    for (size_t i = 0; i < SIM_CLIENTS_MAX; i++)
        port->clients[i].watch.fd = -1;
}

static int listen_on(struct sim_port *port, char *why, size_t why_cap)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int on = 1, fd, error;

    /* A listener that was unplugged comes back with the number it had. */
    at.sin_port = htons(port->bound != 0 ? port->bound : port->port);
    if (inet_pton(AF_INET, port->host, &at.sin_addr) != 1) {
        snprintf(why, why_cap, "host '%s' is not an IPv4 address", port->host);
        return -EINVAL;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    port->listener = (struct sim_watch){fd, listener_ready, port};
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0 || sim_loop_add(port->loop, &port->listener) < 0) {
        error = errno;
        snprintf(why, why_cap, "%s:%u: %s", port->host, (unsigned)port->port, strerror(error));
        close(fd);
        port->listener.fd = -1;
        return -error;
    }
    port->bound = ntohs(at.sin_port);
    return 0;
}

int sim_port_plug(struct sim_port *port, char *why, size_t why_cap)
{
    int result;

    if (port->plugged)
        return 0;
    result = port->tcp ? listen_on(port, why, why_cap) : sim_pty_open(port, why, why_cap);
    port->plugged = result == 0;
    return result;
}

static void hang_up_all(struct sim_port *port)
{
    for (int i = 0; i < SIM_CLIENTS_MAX; i++)
        sim_port_hang_up(port, i);
}

void sim_port_unplug(struct sim_port *port)
{
    if (!port->plugged)
        return;
    port->plugged = false;
    if (port->tcp) {
        sim_loop_close(port->loop, &port->listener);
        hang_up_all(port);
    } else {
        sim_pty_unlink(port);
        sim_pty_close(port);
    }
}

int sim_port_reopen(struct sim_port *port, char *why, size_t why_cap)
{
    if (!port->plugged) {
        snprintf(why, why_cap, "the bus is unplugged");
        return -ENODEV;
    }
    if (!port->tcp)
        return sim_pty_renew(port, why, why_cap);
    hang_up_all(port);
    return 0;
}

void sim_port_hang_up(struct sim_port *port, int client)
{
    if (!port->tcp || port->clients[client].watch.fd < 0)
        return;
    sim_loop_close(port->loop, &port->clients[client].watch);
    port->ops->gone(port->context, client);
}

bool sim_port_heard(const struct sim_port *port, int client)
{
    if (!port->tcp)
        return sim_pty_heard(port);
    if (client >= 0)
        return client < SIM_CLIENTS_MAX && port->clients[client].watch.fd >= 0;
    for (size_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        if (port->clients[i].watch.fd >= 0)
            return true;
    }
    return false;
}

static bool write_client(struct sim_port *port, int client, const uint8_t *bytes, size_t n)
{
    ssize_t done;

    if (client >= SIM_CLIENTS_MAX || port->clients[client].watch.fd < 0)
        return false;
    done = send(port->clients[client].watch.fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < (ssize_t)n)
        port->lost += n - (done > 0 ? (size_t)done : 0);
    return true;
}

bool sim_port_write(struct sim_port *port, int client, const uint8_t *bytes, size_t n)
{
    bool heard = false;

    if (!port->tcp)
        return sim_pty_write(port, bytes, n);
    if (client >= 0)
        return write_client(port, client, bytes, n);
    for (int i = 0; i < SIM_CLIENTS_MAX; i++)
        heard = write_client(port, i, bytes, n) || heard;
    return heard;
}
