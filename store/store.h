/* SPDX-License-Identifier: MIT */
/*
 * store.h - the keeper's side of the store: batches are appended, and durable on return.
 *
 * One SQLite database in WAL mode, two connections: this one belongs to the keeper's thread, the one of
 * flights.h to the uplink's. They share a struct rh_store_shared and nothing else.
 *
 * The promise: once rh_store_append returned 0, its batches survive kill and power cut and are handed
 * out by rh_flights_next in order until they are done.
 */
#ifndef RH_STORE_STORE_H
#define RH_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/batch.h"
#include "core/counter.h"

struct rh_store;

/* What the two connections tell each other without the database. */
struct rh_store_shared {
    rh_gauge flown_row;      /* highest row that has been handed out: drop-oldest takes later rows first */
    rh_gauge backlog;        /* batches not yet done (approximate while both work) */
    rh_gauge bytes;          /* database and WAL together */
    rh_gauge oldest_wall_ms; /* of the oldest batch still here, 0 if empty */
    rh_counter dropped_batches, dropped_readings; /* by the size cap */
    rh_counter damaged_batches;                   /* failed their checksum: taken out, never sent */
    rh_counter written_bytes, syncs;              /* to the device, by this process, in blocks of 4 KiB */

    /* Between the two connections only. */
    rh_gauge page_limit;      /* most pages of the database, including what is kept for flights */
    rh_gauge wal_limit_bytes; /* most bytes of the write-ahead log */
    rh_gauge dropping;        /* 1 while the keeper drops rows */
};

struct rh_store_options {
    const char *path;
    const char *gateway;    /* epoch: new if the store was another gateway's */
    int64_t max_size_bytes; /* 0: auto, 10 % of the file system, 256 MiB to 4 GiB; at least 1 MiB */
    const char *machine_id; /* file that names the machine; NULL: /etc/machine-id */
};

/* What opening found, for the log. */
struct rh_store_opened {
    bool created;
    bool damaged;             /* was quarantined: see `quarantine` */
    char quarantine[512];     /* where the damaged file is now */
    int64_t salvaged_batches; /* rescued out of it */
    int64_t lost_batches;     /* seen but not readable, as far as can be counted */
    int64_t backlog;
    bool new_epoch;
    int newer_schema; /* with -EPROTO: its schema version */
};

/* Opens or creates the database, checks it, moves a damaged one aside and rescues what can be read.
 * 0; -EBUSY: another process has it open as its store; -EPROTO: written by a newer railhead or by another
 * program, nothing was touched; -EROFS, -EACCES, -ENOSPC, …: `why` says what and where. Never refuses because
 * of damage. */
RH_MUST_USE int rh_store_open(const struct rh_store_options *options, struct rh_store_shared *shared,
                              struct rh_store **ret_store, struct rh_store_opened *ret_opened, char *why,
                              size_t why_cap);
void rh_store_close(struct rh_store *store);

/* 8 hex digits that name this store's life; changes when the store is new, restored or cloned. */
const char *rh_store_epoch(const struct rh_store *store);

/* The next data sequence number; the batches of one append carry consecutive ones, in order of the
 * array (data batches only). It is stored in the same transaction as the batches. */
uint64_t rh_store_next_seq(const struct rh_store *store);

/* One commit, synced. Everything or nothing. When the cap is reached the oldest data batches that are
 * not on their way are dropped and counted until these fit. 0, or a negative errno: nothing was stored,
 * the caller keeps its batches and tries again (-ENOSPC: the file system is full, or all that is left is on
 * its way; -EROFS; -EIO). -EFBIG: more payload than one commit under this cap can hold (rh_store_commit_max):
 * append fewer at once. -EBADMSG: the database is damaged: close both connections and open again. */
RH_MUST_USE int rh_store_append(struct rh_store *store, const struct rh_batch *batches, size_t n);

/* Most bytes of payload that one rh_store_append takes: 128 KiB at a cap of 1 MiB, above 1 MiB from 16 MiB
 * on. */
size_t rh_store_commit_max(const struct rh_store *store);

/* Applies a new cap at run time. A smaller one is reached step by step, with the appends that follow. */
void rh_store_set_max_size(struct rh_store *store, int64_t max_size_bytes);

/* Refreshes the gauges; cheap enough for once a second. */
void rh_store_measure(struct rh_store *store);

#endif
