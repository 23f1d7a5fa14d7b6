/* SPDX-License-Identifier: MIT */
/*
 * One slot per point, as long as its type needs: a number takes 40 bytes, a text up to 288.
 */
#include "gateway/board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum mark { UNKNOWN, SHOWN, DUE };

struct rh_board {
    const struct rh_line_conf *line;
    size_t *at;     /* of each slot in `slots` */
    uint8_t *marks; /* enum mark */
    unsigned char *slots;
    size_t due;      /* slots marked DUE */
    uint32_t cursor; /* where the search goes on: every point has its turn */
};

static size_t slot_bytes(const struct rh_point *point)
{
    struct rh_reading reading = {0};

    if (point->type == RH_TYPE_STR || point->type == RH_TYPE_HEX)
        reading.value = (struct rh_value){.kind = RH_VALUE_TEXT, .text_len = RH_TEXT_MAX};
    return rh_reading_size(&reading);
}

int rh_board_new(const struct rh_line_conf *line, struct rh_board **ret_board)
{
    struct rh_board *board = calloc(1, sizeof(*board));
    size_t bytes = 0;

    if (!board)
        return -ENOMEM;
    board->line = line;
    board->at = calloc(line->n_points + 1, sizeof(*board->at));
    board->marks = calloc(line->n_points + 1, sizeof(*board->marks));
    for (size_t p = 0; board->at && p < line->n_points; p++) {
        board->at[p] = bytes;
        bytes += slot_bytes(&line->points[p]);
    }
    board->slots = calloc(1, bytes + 1);
    if (!board->at || !board->marks || !board->slots) {
        rh_board_free(board);
        return -ENOMEM;
    }
    *ret_board = board;
    return 0;
}

void rh_board_free(struct rh_board *board)
{
    if (!board)
        return;
    free(board->at);
    free(board->marks);
    free(board->slots);
    free(board);
}

static void mark_due(struct rh_board *board, uint32_t point)
{
    board->due += board->marks[point] != DUE;
    board->marks[point] = DUE;
}

void rh_board_note(struct rh_board *board, const struct rh_reading *reading)
{
    size_t size = rh_reading_size(reading);

    bool valued = reading->quality == RH_GOOD || reading->quality == RH_UNCERTAIN;

    if (!valued || size > slot_bytes(&board->line->points[reading->point]))
        return;
    memcpy(board->slots + board->at[reading->point], reading, size);
    mark_due(board, reading->point);
}

void rh_board_refresh(struct rh_board *board)
{
    for (uint32_t p = 0; p < board->line->n_points; p++)
        if (board->marks[p] == SHOWN)
            mark_due(board, p);
}

bool rh_board_next(struct rh_board *board, struct rh_reading *ret_reading)
{
    uint32_t n = (uint32_t)board->line->n_points;

    if (board->due == 0)
        return false;
    while (board->marks[board->cursor] != DUE)
        board->cursor = (board->cursor + 1) % n;
    memset(ret_reading, 0, sizeof(*ret_reading));
    memcpy(ret_reading, board->slots + board->at[board->cursor],
           slot_bytes(&board->line->points[board->cursor]));
    return true;
}

void rh_board_shown(struct rh_board *board, uint32_t point)
{
    rh_assert(board->marks[point] == DUE);
    board->marks[point] = SHOWN;
    board->due--;
    board->cursor = (point + 1) % (uint32_t)board->line->n_points;
}
