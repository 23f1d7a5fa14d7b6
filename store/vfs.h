/* SPDX-License-Identifier: MIT */
/*
 * vfs.h - a thin layer under SQLite's file access: it counts what goes to the device and keeps the
 * write-ahead log within its limit.
 *
 * One tap per connection, handed to the layer by sqlite3_file_control(RH_VFS_TAP); the log of a connection
 * finds the tap of its database.
 */
#ifndef RH_STORE_VFS_H
#define RH_STORE_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define RH_VFS_NAME "railhead"
#define RH_VFS_TAP 0x52480001 /* file control: the argument is a struct rh_tap * */

/* Why SQLite said "full". */
enum rh_full {
    RH_FULL_PAGES, /* the page limit of the database */
    RH_FULL_WAL,   /* the limit of the log: a checkpoint makes room */
    RH_FULL_DISK   /* the file system */
};

struct rh_tap {
    struct rh_store_shared *shared; /* NULL: neither counted nor limited */
    enum rh_full full;              /* of the last refused write */
    int64_t read_until_us;          /* reads of the database fail from then on; RH_NEVER: never */
    bool read_cut;                  /* one did */
};

/* Makes the layer known to SQLite; once per process, any thread. 0 or -ENOSYS. */
RH_MUST_USE int rh_vfs_register(void);

#endif
