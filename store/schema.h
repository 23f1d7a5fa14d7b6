/* SPDX-License-Identifier: MIT */
/*
 * schema.h - the tables of the store, the ladder that brings an older file up to them, and the checksum of
 * a row.
 *
 *   store    one row: whose this file is (epoch, gateway, machine, inode)
 *   mark     per uplink: next seq, next row, how many times flights were opened (`session`), the
 *            number of the last MQTT session (`connects`), and the watermark: every data row up to it is
 *            gone, refused, or in `flight`; `clock_offset`: what commands.c adds to the wall clock
 *   stream   how batches of a topic are published
 *   batch    data, in order of id; ids are never used twice
 *   notice   state and replies, few, sent before data; ids carry RH_ROW_NOTICE; `flying` is the session in
 *            which the row was last on its way
 *   flight   QoS 2 only: packet identifier -> row; state 1 published, 2 PUBREC seen
 *   refused  rows that the broker did not take; `due` = session << 44 | ms since the session began, so that
 *            it orders across restarts without a wall clock; all ones below the session: on its way now
 *   seen     commands: `since` is when the id came, by a clock that takes no steps (commands.c), so it
 *            rises with `n`; `session` in which it was begun; reply NULL until it is finished
 *   audit    what commands did, the newest ones
 *   inbound  messages that were acknowledged and not yet handed over
 */
#ifndef RH_STORE_SCHEMA_H
#define RH_STORE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/batch.h"
#include "store/db.h"

#define RH_SCHEMA_VERSION 2
#define RH_SCHEMA_APPLICATION 0x52484c31 /* "RHL1" */

#define RH_DUE_SHIFT 44
#define RH_DUE_FLYING (((int64_t)1 << RH_DUE_SHIFT) - 1)

enum rh_flight_state { RH_FLIGHT_PUBLISHED = 1, RH_FLIGHT_RECEIVED = 2 };

/* 0: this version or older (0: no tables yet); -EPROTO: newer (`ret_version`), or another program's
 * database; -EBADMSG: damaged. Reads only. */
RH_MUST_USE int rh_schema_inspect(struct rh_db *db, int *ret_version);

/* Page size and vacuum mode of a database without tables: before anything is written to it. */
RH_MUST_USE int rh_schema_layout(struct rh_db *db);

/* Brings the database from `version` to RH_SCHEMA_VERSION, a step per transaction. */
RH_MUST_USE int rh_schema_migrate(struct rh_db *db, int version);

/* FNV-1a, 64 bits, over how the row is published, its columns and its payload: a row whose stream is
 * damaged fails as well. `seq` is 0 for notices. */
int64_t rh_row_sum(const struct rh_batch *batch, int64_t row, uint64_t seq);

#endif
