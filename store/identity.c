/* SPDX-License-Identifier: MIT */
/*
 * identity.c - whose store this is: the epoch.
 *
 * (gateway, epoch, seq) must never name two different batches. A cloned card, a renamed gateway and a file
 * that was put back from a copy would all count on from a seq that others have used, so each begins a new
 * epoch at seq 1, as does a store whose log has lost commits (wal.c). A copy is known by its inode: a file
 * that was only used, or renamed, keeps it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/inside.h"

#define MACHINE_MAX 64

struct identity {
    struct rh_store *store;
    const char *gateway;
    char machine[MACHINE_MAX + 1];
    int64_t inode;
};

/* The first line of the file; "" if there is none: some systems have no machine id. */
static void read_machine(const char *path, char machine[MACHINE_MAX + 1])
{
    machine[0] = '\0';
    int fd RH_CLEANUP(rh_cleanup_close) = open(path ? path : "/etc/machine-id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t n = read(fd, machine, MACHINE_MAX);
    machine[n > 0 ? n : 0] = '\0';
    machine[strcspn(machine, "\r\n")] = '\0';
}

static int draw_epoch(char epoch[9])
{
    uint32_t number;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        return -errno;
    }
    snprintf(epoch, 9, "%08x", number);
    return 0;
}

static bool same_text(sqlite3_stmt *statement, int column, const char *text)
{
    const char *stored = (const char *)sqlite3_column_text(statement, column);
    return stored && strcmp(stored, text) == 0;
}

/* 1: it is ours, and `epoch` is loaded; 0: it is new, or another's. */
static int compare(const struct identity *identity)
{
    static const char *const text[] = {"SELECT epoch, gateway, machine, inode FROM store WHERE id = 1"};
    struct rh_store *store = identity->store;
    sqlite3_stmt *statement;
    int r = rh_db_prepare(&store->db, text, 1, &statement);
    if (r < 0) {
        return r;
    }
    r = rh_db_step(&store->db, statement, "");
    if (r == 1) {
        snprintf(store->epoch, sizeof(store->epoch), "%s", (const char *)sqlite3_column_text(statement, 0));
        r = same_text(statement, 1, identity->gateway) && same_text(statement, 2, identity->machine) &&
            sqlite3_column_int64(statement, 3) == identity->inode && !store->lost_commits;
    }
    rh_db_finalize(&statement, 1);
    return r;
}

static int begin_epoch(void *context)
{
    static const char *const texts[] = {
        "INSERT OR REPLACE INTO store(id, epoch, gateway, machine, inode) VALUES(1, ?1, ?2, ?3, ?4)",
        "UPDATE mark SET seq = 1",
    };
    const struct identity *identity = context;
    struct rh_db *db = &identity->store->db;
    sqlite3_stmt *statements[RH_COUNT(texts)];
    int r = rh_db_prepare(db, texts, RH_COUNT(texts), statements);
    if (r < 0) {
        return r;
    }
    r = rh_db_run(db, statements[0], "ttti", identity->store->epoch, identity->gateway, identity->machine,
                  identity->inode);
    r = r < 0 ? r : rh_db_run(db, statements[1], "");
    rh_db_finalize(statements, RH_COUNT(texts));
    return r;
}

/* A mark that is missing or lower than the rows would use a row number twice. */
int rh_identity_marks(struct rh_store *store)
{
    int64_t seq, row, highest, flown;
    struct rh_db *db = &store->db;
    int r = rh_db_number(db, "SELECT seq FROM mark WHERE uplink = 1", &seq);
    r = r < 0 ? r : rh_db_number(db, "SELECT row FROM mark WHERE uplink = 1", &row);
    r = r < 0 ? r : rh_db_number(db, "SELECT max(id) FROM batch", &highest);
    r = r < 0 ? r
              : rh_db_number(db, "SELECT max(row) FROM flight WHERE uplink = 1 AND row < 1152921504606846976",
                             &flown);
    if (r < 0) {
        return r;
    }
    if (seq < 1 || row <= highest) {
        return -EBADMSG;
    }
    store->next_seq = (uint64_t)seq;
    rh_gauge_set(&store->shared->flown_row, flown);
    return 0;
}

int rh_identity_load(struct rh_store *store, const struct rh_store_options *options,
                     struct rh_store_opened *opened)
{
    struct identity identity = {.store = store, .gateway = options->gateway};
    struct stat st;
    if (stat(store->path, &st) < 0) {
        return -errno;
    }
    identity.inode = (int64_t)st.st_ino;
    read_machine(options->machine_id, identity.machine);
    int r = compare(&identity);
    if (r == 0) {
        opened->new_epoch = true;
        r = draw_epoch(store->epoch);
        r = r < 0 ? r : rh_db_transact(&store->db, RH_DB_DURABLE, begin_epoch, &identity);
    }
    return r < 0 ? r : rh_identity_marks(store);
}
