/* SPDX-License-Identifier: MIT */
/*
 * vfs.c - wraps SQLite's own file access ("unix").
 *
 * Counting: the kernel writes whole blocks of 4 KiB. SQLite writes the log from front to back and, in a
 * checkpoint, the database in order of pages; so a block counts when a write touches another block than the
 * one before it since the last sync. That is what reaches the device, not what was asked for.
 *
 * Limiting: a frame that would end beyond the limit of the log is refused with SQLITE_FULL. So database
 * (max_page_count) and log together never exceed the cap, whichever connection writes.
 */
#include "store/vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "core/clock.h"

#define BLOCK_BYTES 4096

struct file {
    sqlite3_file base;
    struct file *database; /* itself, or the database this log belongs to; NULL for other files */
    struct rh_tap *tap;    /* of the database only */
    bool is_log;
    int64_t last_block;
    sqlite3_file real[]; /* the wrapped VFS's own bytes */
};

static sqlite3_vfs *wrapped;
static sqlite3_vfs layer;

static struct file *of(sqlite3_file *base)
{
    return (struct file *)(void *)base;
}

static struct rh_tap *tap_of(const struct file *file)
{
    return file->database ? file->database->tap : NULL;
}

static int file_close(sqlite3_file *base)
{
    struct file *file = of(base);
    return file->real->pMethods->xClose(file->real);
}

static int file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset)
{
    struct file *file = of(base);
    struct rh_tap *tap = file->is_log ? NULL : tap_of(file);
    if (tap && tap->read_until_us != RH_NEVER && rh_mono_us() >= tap->read_until_us) {
        tap->read_cut = true;
        return SQLITE_IOERR_READ;
    }
    return file->real->pMethods->xRead(file->real, buffer, amount, offset);
}

static void count_blocks(struct file *file, struct rh_store_shared *shared, int amount, sqlite3_int64 offset)
{
    int64_t first = offset / BLOCK_BYTES;
    int64_t last = (offset + amount - 1) / BLOCK_BYTES;
    int64_t blocks = last - first + (first == file->last_block ? 0 : 1);
    file->last_block = last;
    rh_count(&shared->written_bytes, (uint64_t)blocks * BLOCK_BYTES);
}

static int file_write(sqlite3_file *base, const void *bytes, int amount, sqlite3_int64 offset)
{
    struct file *file = of(base);
    struct rh_tap *tap = tap_of(file);
    struct rh_store_shared *shared = tap ? tap->shared : NULL;
    if (shared && file->is_log && offset + amount > rh_gauge_get(&shared->wal_limit_bytes)) {
        tap->full = RH_FULL_WAL;
        return SQLITE_FULL;
    }
    int rc = file->real->pMethods->xWrite(file->real, bytes, amount, offset);
    if (rc == SQLITE_OK && shared) {
        count_blocks(file, shared, amount, offset);
    } else if (rc == SQLITE_FULL && tap) {
        tap->full = RH_FULL_DISK;
    }
    return rc;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    return of(base)->real->pMethods->xTruncate(of(base)->real, size);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct file *file = of(base);
    const struct rh_tap *tap = tap_of(file);
    if (tap && tap->shared) {
        rh_count(&tap->shared->syncs, 1);
    }
    file->last_block = -1;
    return file->real->pMethods->xSync(file->real, flags);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    return of(base)->real->pMethods->xFileSize(of(base)->real, ret_size);
}

static int file_lock(sqlite3_file *base, int level)
{
    return of(base)->real->pMethods->xLock(of(base)->real, level);
}

static int file_unlock(sqlite3_file *base, int level)
{
    return of(base)->real->pMethods->xUnlock(of(base)->real, level);
}

static int file_reserved(sqlite3_file *base, int *ret_reserved)
{
    return of(base)->real->pMethods->xCheckReservedLock(of(base)->real, ret_reserved);
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
    struct file *file = of(base);
    if (operation == RH_VFS_TAP) {
        file->tap = argument;
        return SQLITE_OK;
    }
    return file->real->pMethods->xFileControl(file->real, operation, argument);
}

static int file_sector(sqlite3_file *base)
{
    return of(base)->real->pMethods->xSectorSize(of(base)->real);
}

static int file_traits(sqlite3_file *base)
{
    return of(base)->real->pMethods->xDeviceCharacteristics(of(base)->real);
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret_at)
{
    return of(base)->real->pMethods->xShmMap(of(base)->real, region, size, extend, ret_at);
}

static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    return of(base)->real->pMethods->xShmLock(of(base)->real, offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
    of(base)->real->pMethods->xShmBarrier(of(base)->real);
}

static int file_shm_unmap(sqlite3_file *base, int remove)
{
    return of(base)->real->pMethods->xShmUnmap(of(base)->real, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* no memory-mapped pages: version 3 is left out */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    (void)vfs;
    struct file *file = of(base);
    memset(file, 0, sizeof(*file));
    file->last_block = -1;
    file->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    if (file->is_log) {
        file->database = of(sqlite3_database_file_object(name));
    } else if (flags & SQLITE_OPEN_MAIN_DB) {
        file->database = file;
    }
    int rc = wrapped->xOpen(wrapped, name, file->real, flags, ret_flags);
    /* SQLite calls xClose when methods are set, even after a failed open. */
    base->pMethods = file->real->pMethods ? &methods : NULL;
    return rc;
}

static void register_layer(void)
{
    /* Each connection has one thread; the library's own locks around them would only cost. Refused when
     * SQLite is already at work in this process, which does no harm. */
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    wrapped = sqlite3_vfs_find(NULL);
    if (!wrapped) {
        return;
    }
    layer = *wrapped;
    layer.zName = RH_VFS_NAME;
    layer.szOsFile = (int)sizeof(struct file) + wrapped->szOsFile;
    layer.xOpen = layer_open;
    if (sqlite3_vfs_register(&layer, 0) != SQLITE_OK) {
        wrapped = NULL;
    }
}

int rh_vfs_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_layer);
    return wrapped ? 0 : -ENOSYS;
}
