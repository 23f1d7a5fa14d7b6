/* SPDX-License-Identifier: MIT */
/*
 * The mode of the path is what keeps others out; the peer's credentials are looked at as well, for a
 * directory or a mode that somebody loosened. In a user namespace (PrivateUsers=) only root, this process's
 * own user and its own group have numbers of their own, all others show as the overflow id.
 */
#include "gateway/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MODE 0660
#define BACKLOG 128

static int address_of(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s", path);
    return (size_t)len < sizeof(ret_address->sun_path) ? 0 : -ENAMETOOLONG;
}

static int stream_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd >= 0 ? fd : -errno;
}

static bool is_stale(const struct sockaddr_un *address)
{
    RH_CLEANUP(rh_cleanup_close) int probe = stream_socket();
    struct stat file;

    if (probe < 0 || lstat(address->sun_path, &file) < 0 || !S_ISSOCK(file.st_mode))
        return false;
    return connect(probe, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;
}

static int bind_path(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *any = (const struct sockaddr *)address;

    if (bind(fd, any, sizeof(*address)) == 0)
        return 0;
    if (errno != EADDRINUSE || !is_stale(address))
        return -errno;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return -errno;
    return bind(fd, any, sizeof(*address)) == 0 ? 0 : -errno;
}

/* Nobody can connect before listen(): there is no moment with a mode that is too wide. */
static int publish(struct rh_control_socket *made)
{
    struct stat file;

    if (chmod(made->path, MODE) < 0 || lstat(made->path, &file) < 0 || listen(made->fd, BACKLOG) < 0) {
        int error = errno;
        unlink(made->path);
        return -error;
    }
    made->device = file.st_dev;
    made->inode = file.st_ino;
    made->group = file.st_gid;
    return 0;
}

int rh_control_socket_open(const char *path, struct rh_control_socket *ret_socket)
{
    struct rh_control_socket made = {.fd = -1};
    struct sockaddr_un address;
    int r = address_of(path, &address);

    *ret_socket = made;
    if (r < 0)
        return r;
    memcpy(made.path, address.sun_path, sizeof(made.path));
    made.fd = stream_socket();
    if (made.fd < 0)
        return made.fd;
    r = bind_path(made.fd, &address);
    if (r == 0)
        r = publish(&made);
    if (r < 0)
        rh_cleanup_close(&made.fd);
    else
        *ret_socket = made;
    return r;
}

void rh_control_socket_close(struct rh_control_socket *socket)
{
    struct stat file;

    if (socket->fd < 0)
        return;
    if (lstat(socket->path, &file) == 0 && file.st_dev == socket->device && file.st_ino == socket->inode)
        unlink(socket->path);
    rh_cleanup_close(&socket->fd);
}

/* The groups that the peer had when it connected, besides its first one. */
static bool in_group(int client, gid_t group)
{
    socklen_t bytes = 0;

    if (getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0 || errno != ERANGE)
        return false;
    RH_CLEANUP(rh_cleanup_free) gid_t *groups = malloc(bytes);
    if (!groups || getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
        return false;
    for (size_t i = 0; i < bytes / sizeof(*groups); i++)
        if (groups[i] == group)
            return true;
    return false;
}

int rh_control_peer(const struct rh_control_socket *socket, int client, struct rh_control_peer *ret_peer)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);

    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        return -errno;
    ret_peer->uid = peer.uid;
    ret_peer->pid = peer.pid;
    ret_peer->allowed = peer.uid == 0 || peer.uid == geteuid() || peer.gid == socket->group ||
                        in_group(client, socket->group);
    return 0;
}
