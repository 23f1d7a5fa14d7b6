/* SPDX-License-Identifier: MIT */
/*
 * board.h - the newest value of every point of a line: what `value` topics show. State, not history:
 * kept in memory, overwritten, never stored. Keeper's thread only.
 */
#ifndef RH_GATEWAY_BOARD_H
#define RH_GATEWAY_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/reading.h"

struct rh_board;

RH_MUST_USE int rh_board_new(const struct rh_line_conf *line, struct rh_board **ret_board);
void rh_board_free(struct rh_board *board);

/* Notes a reading; one without a value (a bad quality) changes nothing. */
void rh_board_note(struct rh_board *board, const struct rh_reading *reading);

/* All values that are known are to be shown again. */
void rh_board_refresh(struct rh_board *board);

/* The next point whose value has not been shown yet, with its value; false if there is none. It counts as
 * shown only after rh_board_shown. */
bool rh_board_next(struct rh_board *board, struct rh_reading *ret_reading);
void rh_board_shown(struct rh_board *board, uint32_t point);

#endif
