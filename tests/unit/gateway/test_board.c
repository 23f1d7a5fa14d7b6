/* SPDX-License-Identifier: MIT */
/* The newest value of every point: shown once, all again after a refresh, each in its turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/board.h"
#include "tests/unit/gateway/home.h"

static void note(struct rh_board *board, uint32_t point, int64_t value, uint8_t quality)
{
    struct rh_reading reading = {
        .point = point, .quality = quality, .value = {.kind = RH_VALUE_I64, .i64 = value}};

    rh_board_note(board, &reading);
}

static void shows(struct rh_board *board, uint32_t point, int64_t value)
{
    struct rh_reading reading;

    assert_true(rh_board_next(board, &reading));
    assert_int_equal(reading.point, point);
    assert_int_equal(reading.value.i64, value);
    rh_board_shown(board, point);
}

static void newest_once(void **state)
{
    struct rh_line_conf *line = home_line(2, 3);
    struct rh_board *board = NULL;
    struct rh_reading reading;

    (void)state;
    assert_int_equal(rh_board_new(line, &board), 0);
    assert_false(rh_board_next(board, &reading));
    rh_board_refresh(board); /* nothing is known: nothing to show */
    assert_false(rh_board_next(board, &reading));
    note(board, 4, 1, RH_GOOD);
    note(board, 4, 2, RH_GOOD);
    note(board, 4, 3, RH_TIMEOUT); /* the last good value stays */
    note(board, 1, 7, RH_OFFLINE);
    assert_true(rh_board_next(board, &reading) && rh_board_next(board, &reading)); /* until it is shown */
    shows(board, 4, 2);
    assert_false(rh_board_next(board, &reading));
    note(board, 5, 9, RH_UNCERTAIN); /* carries a value */
    shows(board, 5, 9);
    note(board, 4, 2, RH_GOOD); /* every reading is shown, changed or not: the filter has decided */
    rh_board_refresh(board);
    shows(board, 4, 2); /* where the search stands, round and round */
    note(board, 3, 1, RH_GOOD);
    shows(board, 5, 9);
    shows(board, 3, 1);
    assert_false(rh_board_next(board, &reading));
    rh_board_free(board);
    rh_board_free(NULL);
    home_line_free(line);
}

/* A point that changes all the time does not keep the others from being shown. */
static void fair(void **state)
{
    struct rh_line_conf *line = home_line(1, 4);
    struct rh_board *board = NULL;
    struct rh_reading reading;
    int shown[4] = {0};

    (void)state;
    assert_int_equal(rh_board_new(line, &board), 0);
    for (uint32_t p = 0; p < 4; p++)
        note(board, p, p, RH_GOOD);
    for (int64_t i = 0; i < 40; i++) {
        assert_true(rh_board_next(board, &reading));
        shown[reading.point]++;
        rh_board_shown(board, reading.point);
        note(board, reading.point, i, RH_GOOD);
        note(board, 0, i, RH_GOOD);
    }
    for (uint32_t p = 0; p < 4; p++)
        assert_true(shown[p] > 0);
    rh_board_free(board);
    home_line_free(line);
}

static void texts(void **state)
{
    struct rh_line_conf *line = home_line(1, 3);
    struct rh_board *board = NULL;
    struct rh_reading reading = {.point = 1, .value = {.kind = RH_VALUE_TEXT, .text_len = RH_TEXT_MAX}}, got;

    (void)state;
    home_point(line, 1)->type = RH_TYPE_STR;
    assert_int_equal(rh_board_new(line, &board), 0);
    note(board, 2, 5, RH_GOOD);
    memset(reading.value.text, 'x', RH_TEXT_MAX);
    rh_board_note(board, &reading);
    reading.point = 0; /* a text has no room there: nothing is overwritten */
    rh_board_note(board, &reading);
    assert_true(rh_board_next(board, &got));
    assert_int_equal(got.point, 1);
    assert_int_equal(got.value.text_len, RH_TEXT_MAX);
    assert_int_equal(strlen(got.value.text), RH_TEXT_MAX);
    rh_board_shown(board, 1);
    shows(board, 2, 5);
    assert_false(rh_board_next(board, &got));
    rh_board_free(board);
    home_line_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_once),
        cmocka_unit_test(fair),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
