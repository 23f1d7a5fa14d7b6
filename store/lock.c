/* SPDX-License-Identifier: MIT */
/*
 * lock.c - one daemon per store. SQLite lets several processes write to one database; two gateways on one
 * store would each send half of it, with one sequence.
 *
 * The lock is a flock on a file of its own beside the database: it ends with the process, however that ends,
 * and a program that reads the database is not in its way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/inside.h"

int rh_store_claim(const char *path, int *ret_fd)
{
    char name[PATH_MAX + 8];

    snprintf(name, sizeof(name), "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}
