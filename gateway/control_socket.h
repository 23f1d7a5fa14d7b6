/* SPDX-License-Identifier: MIT */
/*
 * control_socket.h - the control socket as the kernel sees it: the listener and its path, and who may talk.
 */
#ifndef RH_GATEWAY_CONTROL_SOCKET_H
#define RH_GATEWAY_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include "core/base.h"

struct rh_control_socket {
    int fd; /* listening, -1: none */
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    dev_t device; /* of the path's file: only our own is removed */
    ino_t inode;
    gid_t group; /* whose members may talk */
};

/* Makes the socket, mode 0660. One that nobody answers on is replaced. 0, or a negative errno: -EADDRINUSE if
 * somebody does answer or the path is no socket; nothing is left behind then. */
RH_MUST_USE int rh_control_socket_open(const char *path, struct rh_control_socket *ret_socket);
void rh_control_socket_close(struct rh_control_socket *socket);

/* Who is at the other end, and may they: root, this process's own user, and the members of the group. */
struct rh_control_peer {
    uid_t uid;
    pid_t pid;
    bool allowed;
};
RH_MUST_USE int rh_control_peer(const struct rh_control_socket *socket, int client,
                                struct rh_control_peer *ret_peer);

#endif
