/* SPDX-License-Identifier: MIT */
/* Commands of one line against a device that answers, refuses, is busy, silent, or gone in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/clock.h"
#include "tests/unit/gateway/execute_bench.h"

#define SECOND INT64_C(1000000)

static int fresh(void **state)
{
    *state = bench_new();
    return 0;
}

static int over(void **state)
{
    bench_free(*state);
    return 0;
}

static void check(struct bench *bench, size_t n)
{
    bench_take(bench);
    assert_int_equal(bench->n_got, n);
}

static void value_of(const struct bench *bench, size_t at, int64_t value)
{
    assert_int_equal(bench->got[at].reading.quality, RH_GOOD);
    assert_int_equal(bench->got[at].reading.point, bench->got[at].point);
    assert_int_equal(bench->got[at].reading.value.i64, value);
}

static void written_and_read_back(void **state)
{
    struct bench *bench = *state;

    bench_known(bench, 3, 7);
    uint64_t serial = bench_set(bench, (int64_t[][2]){{3, 42}}, 1);
    assert_true(bench_run(bench));
    check(bench, 1);
    bench_expect(bench, 0, 3, RH_STATUS_OK, RH_CODE_NONE);
    value_of(bench, 0, 42);
    assert_true(bench->got[0].last && bench->got[0].has_old && bench->got[0].serial == serial);
    assert_int_equal(bench->got[0].old.bits, 7);
    assert_int_equal(bench->value[3], 42);
    assert_int_equal(rh_execute_wake_us(bench->execute), RH_NEVER);
    struct rh_value now;
    assert_true(rh_outlet_number(&bench->outlet, 3, &now)); /* and an ordinary reading */
    assert_int_equal(now.i64, 42);
}

/* Two to a request: each point has its own read and its own answer, in the order given. */
static void several_share_a_request(void **state)
{
    struct bench *bench = *state;

    bench->take = 2;
    bench_set(bench, (int64_t[][2]){{5, 1}, {0, 2}, {6, 3}, {1, 4}, {2, 5}}, 5);
    assert_true(bench_run(bench));
    check(bench, 5);
    assert_int_equal(bench->n_writes, 3);
    assert_int_equal(bench->n_reads, 5);
    static const uint32_t order[] = {5, 0, 6, 1, 2};
    for (size_t i = 0; i < 5; i++) {
        bench_expect(bench, i, order[i], RH_STATUS_OK, RH_CODE_NONE);
        value_of(bench, i, (int64_t)i + 1);
        assert_int_equal(bench->got[i].last, i == 4);
    }
}

static void refused_request(void **state)
{
    struct bench *bench = *state;

    bench->take = 2;
    bench->writes[1] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 2};
    bench_set(bench, (int64_t[][2]){{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}}, 6);
    assert_true(bench_run(bench));
    check(bench, 6);
    for (uint32_t p = 0; p < 2; p++)
        bench_expect(bench, p, p, RH_STATUS_OK, RH_CODE_NONE);
    for (uint32_t p = 2; p < 4; p++) { /* both were tried, by one request */
        bench_expect(bench, p, p, RH_STATUS_FAILED, RH_CODE_EXCEPTION);
        assert_int_equal(bench->got[p].detail, 2);
        assert_int_equal(bench->got[p].reading.quality, RH_NA);
    }
    for (uint32_t p = 4; p < 6; p++)
        bench_expect(bench, p, p, RH_STATUS_REJECTED, RH_CODE_NONE);
    assert_int_equal(bench->n_writes, 2);
    assert_int_equal(bench->n_reads, 2); /* a refusal is not read back */
    assert_true(bench->got[5].last);
}

/* The answer to the write was lost, what reads back tells; and then the rest is written. */
static void lost_answer_but_done(void **state)
{
    static const struct act lost[] = {{.outcome = RH_POLL_TIMEOUT, .done = true},
                                      {.outcome = RH_POLL_GARBAGE, .done = true},
                                      {.outcome = RH_POLL_EXCEPTION, .exception = 10, .done = true},
                                      {.outcome = RH_POLL_EXCEPTION, .exception = 11, .done = true},
                                      {.outcome = RH_POLL_EXCEPTION, .exception = 5, .done = true}};
    struct bench *bench = *state;

    bench->take = 2;
    for (size_t i = 0; i < RH_COUNT(lost); i++) {
        size_t before = bench->n_got;
        bench->writes[bench->n_writes] = lost[i];
        bench_set(bench, (int64_t[][2]){{0, 10 + (int64_t)i}, {1, 20}, {2, 30}}, 3);
        assert_true(bench_run(bench));
        check(bench, before + 3);
        for (uint32_t p = 0; p < 3; p++)
            bench_expect(bench, before + p, p, RH_STATUS_OK, RH_CODE_NONE);
        assert_int_equal(bench->value[2], 30);
    }
    assert_int_equal(bench->n_writes, 2 * RH_COUNT(lost)); /* a write is never repeated */
}

static void lost_answer_and_not_done(void **state)
{
    struct bench *bench = *state;

    bench->take = 2;
    bench->value[1] = 20; /* as wanted already */
    bench->writes[0] = (struct act){.outcome = RH_POLL_TIMEOUT};
    bench_set(bench, (int64_t[][2]){{0, 10}, {1, 20}, {2, 30}}, 3);
    assert_true(bench_run(bench));
    check(bench, 3);
    bench_expect(bench, 0, 0, RH_STATUS_FAILED, RH_CODE_TIMEOUT);
    value_of(bench, 0, 0);
    bench_expect(bench, 1, 1, RH_STATUS_OK, RH_CODE_NONE);
    bench_expect(bench, 2, 2, RH_STATUS_REJECTED, RH_CODE_NONE);
    assert_int_equal(bench->value[2], 0);
}

static void verify(void **state)
{
    struct bench *bench = *state;
    int64_t other = 5;

    home_point(bench->line, 0)->verify = true;
    bench->writes[0] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 5}; /* accepted, not done */
    bench_set(bench, (int64_t[][2]){{0, 10}, {1, 20}}, 2);
    assert_true(bench_run(bench));
    check(bench, 2);
    bench_expect(bench, 0, 0, RH_STATUS_FAILED, RH_CODE_VERIFY);
    bench_expect(bench, 1, 1, RH_STATUS_REJECTED, RH_CODE_NONE); /* not tried after a failure */
    assert_int_equal(bench->n_writes, 1);
    /* Not read back: nobody knows. An answer that came late says what was, not what is. */
    bench->reads[1] = (struct act){.outcome = RH_POLL_TIMEOUT, .late = &other};
    bench_set(bench, (int64_t[][2]){{0, 11}}, 1);
    assert_true(bench_run(bench));
    check(bench, 3);
    bench_expect(bench, 2, 0, RH_STATUS_UNCONFIRMED, RH_CODE_TIMEOUT);
    assert_int_equal(bench->got[2].reading.quality, RH_NA);
    /* Without verify the device's word is enough, whatever reads back. */
    bench->reads[2] = (struct act){.outcome = RH_POLL_TIMEOUT};
    bench->writes[3] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 5};
    bench_set(bench, (int64_t[][2]){{1, 12}, {2, 13}}, 2);
    assert_true(bench_run(bench));
    check(bench, 5);
    bench_expect(bench, 3, 1, RH_STATUS_OK, RH_CODE_NONE);
    bench_expect(bench, 4, 2, RH_STATUS_OK, RH_CODE_NONE);
    value_of(bench, 4, 0);
}

/* The port goes with the write: what it carried may have been done, nothing else was. */
static void port_lost_while_writing(void **state)
{
    struct bench *bench = *state;

    bench->take = 2;
    bench->writes[1] = (struct act){.outcome = RH_POLL_LOST, .done = true};
    bench_set(bench, (int64_t[][2]){{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}}, 5);
    bench_set(bench, (int64_t[][2]){{5, 1}}, 1);
    bench_get(bench, (uint32_t[]){6, 7}, 2);
    assert_false(bench_run(bench));
    check(bench, 8);
    for (uint32_t p = 0; p < 8; p++) {
        bool sent = p == 2 || p == 3;
        enum rh_command_status failed = sent ? RH_STATUS_UNCONFIRMED : RH_STATUS_FAILED;
        bench_expect(bench, p, p, p < 2 ? RH_STATUS_OK : failed, p < 2 ? RH_CODE_NONE : RH_CODE_OFFLINE);
        assert_int_equal(bench->got[p].last, p == 4 || p == 5 || p == 7);
    }
    assert_false(rh_execute_due(bench->execute, rh_mono_us()));
}

static void port_lost_before_the_read_back(void **state)
{
    struct bench *bench = *state;

    bench->take = 3;
    home_point(bench->line, 1)->verify = true;
    bench->reads[0] = (struct act){.outcome = RH_POLL_LOST};
    bench_set(bench, (int64_t[][2]){{0, 1}, {1, 1}, {2, 1}, {3, 1}}, 4);
    assert_false(bench_run(bench));
    check(bench, 4);
    bench_expect(bench, 0, 0, RH_STATUS_OK, RH_CODE_NONE); /* the device said so */
    bench_expect(bench, 1, 1, RH_STATUS_UNCONFIRMED, RH_CODE_OFFLINE);
    bench_expect(bench, 2, 2, RH_STATUS_OK, RH_CODE_NONE);
    bench_expect(bench, 3, 3, RH_STATUS_FAILED, RH_CODE_OFFLINE);
    /* The same when a poll between write and read-back loses the port. */
    bench_set(bench, (int64_t[][2]){{1, 2}}, 1);
    struct rh_poll_result result;
    assert_true(rh_execute_due(bench->execute, rh_mono_us()));
    assert_int_equal(rh_execute_step(bench->execute, &result), RH_POLL_OK);
    rh_execute_refuse_all(bench->execute);
    check(bench, 5);
    bench_expect(bench, 4, 1, RH_STATUS_UNCONFIRMED, RH_CODE_OFFLINE);
    rh_execute_refuse_all(bench->execute);
    check(bench, 5);
    bench->reads[2] = (struct act){.outcome = RH_POLL_LOST};
    bench->reads[1] = (struct act){.outcome = RH_POLL_LOST};
    bench_get(bench, (uint32_t[]){0}, 1);
    assert_false(bench_run(bench));
    check(bench, 6);
    bench_expect(bench, 5, 0, RH_STATUS_FAILED, RH_CODE_OFFLINE);
}

/* Steps at the times the executor asks for. */
static void run_on(struct bench *bench)
{
    struct rh_poll_result result;

    for (int n = 0; n < 100 && rh_execute_wake_us(bench->execute) != RH_NEVER; n++)
        if (rh_execute_due(bench->execute, rh_execute_wake_us(bench->execute)))
            rh_execute_step(bench->execute, &result);
    bench_take(bench);
}

static void busy_device(void **state)
{
    struct bench *bench = *state;

    bench->writes[0] = bench->writes[1] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 6};
    bench_set(bench, (int64_t[][2]){{0, 1}}, 1);
    assert_true(bench_run(bench));
    check(bench, 0);
    int64_t wake_us = rh_execute_wake_us(bench->execute);
    assert_true(wake_us > rh_mono_us() && wake_us <= rh_mono_us() + SECOND / 10);
    assert_false(rh_execute_due(bench->execute, wake_us - 1));
    run_on(bench);
    check(bench, 1);
    bench_expect(bench, 0, 0, RH_STATUS_OK, RH_CODE_NONE);
    assert_int_equal(bench->n_writes, 3);
    for (size_t i = 3; i < 12; i++)
        bench->writes[i] = bench->writes[0];
    bench_set(bench, (int64_t[][2]){{0, 2}}, 1);
    assert_true(bench_run(bench));
    run_on(bench);
    check(bench, 2);
    bench_expect(bench, 1, 0, RH_STATUS_FAILED, RH_CODE_EXCEPTION);
    assert_int_equal(bench->got[1].detail, 6);
    assert_int_equal(bench->n_writes, 3 + 5);
    assert_int_equal(bench->value[0], 1);
}

/* Nothing was sent, so nothing is done, even where the device has the value already. */
static void closed_unit(void **state)
{
    struct bench *bench = *state;

    bench->value[0] = 1;
    for (size_t i = 0; i < 16; i++)
        bench->writes[i] = (struct act){.outcome = RH_POLL_CLOSED, .closed_us = rh_mono_us() + SECOND};
    bench_set(bench, (int64_t[][2]){{0, 1}, {1, 1}}, 2);
    assert_true(bench_run(bench));
    assert_int_equal(rh_execute_wake_us(bench->execute), bench->writes[0].closed_us);
    run_on(bench);
    check(bench, 2);
    bench_expect(bench, 0, 0, RH_STATUS_FAILED, RH_CODE_TIMEOUT);
    bench_expect(bench, 1, 1, RH_STATUS_REJECTED, RH_CODE_NONE);
    assert_int_equal(bench->n_writes, 9);
    assert_int_equal(bench->n_reads, 0);
    bench->reads[0] = (struct act){.outcome = RH_POLL_CLOSED, .closed_us = rh_mono_us() + SECOND};
    bench_get(bench, (uint32_t[]){0}, 1);
    assert_true(bench_run(bench));
    run_on(bench);
    check(bench, 3);
    bench_expect(bench, 2, 0, RH_STATUS_OK, RH_CODE_NONE);
}

static void expired(void **state)
{
    struct bench *bench = *state;
    int64_t now_us = rh_mono_us();
    struct rh_command command = {.kind = RH_COMMAND_SET, .n = 2, .expires_us = now_us - 1};

    command.values[1].point = 1;
    command.values[0].value = command.values[1].value = (struct rh_value){.kind = RH_VALUE_I64, .i64 = 9};
    bench_command(bench, &command);
    assert_true(bench_run(bench));
    check(bench, 2);
    bench_expect(bench, 0, 0, RH_STATUS_EXPIRED, RH_CODE_NONE);
    bench_expect(bench, 1, 1, RH_STATUS_EXPIRED, RH_CODE_NONE);
    /* Its time passes while the unit is closed, or the device busy: nothing was sent that it may act on. */
    for (int round = 0; round < 2; round++) {
        bench->writes[bench->n_writes] =
            round ? (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 6}
                  : (struct act){.outcome = RH_POLL_CLOSED, .closed_us = now_us + 3 * SECOND};
        command.expires_us = rh_mono_us() + SECOND;
        bench_command(bench, &command);
        assert_true(bench_run(bench));
        assert_false(rh_execute_due(bench->execute, command.expires_us + 1));
        check(bench, 4 + 2 * (size_t)round);
        bench_expect(bench, bench->n_got - 1, 1, RH_STATUS_EXPIRED, RH_CODE_NONE);
    }
    assert_int_equal(bench->value[0], 0);
    /* What has begun is brought to its end. */
    bench->reads[0] = (struct act){.outcome = RH_POLL_CLOSED, .closed_us = now_us + 3 * SECOND};
    command.expires_us = rh_mono_us() + SECOND;
    bench_command(bench, &command);
    assert_true(bench_run(bench));
    run_on(bench);
    check(bench, 8);
    bench_expect(bench, 6, 0, RH_STATUS_OK, RH_CODE_NONE);
    bench_expect(bench, 7, 1, RH_STATUS_OK, RH_CODE_NONE);
}

static void max_delta(void **state)
{
    struct bench *bench = *state;
    const int64_t big = INT64_C(1) << 60;

    home_point(bench->line, 1)->max_delta = 10;
    bench_set(bench, (int64_t[][2]){{0, 1}, {1, 5}}, 2); /* not known what it is */
    assert_true(bench_run(bench));
    check(bench, 2);
    bench_expect(bench, 0, 0, RH_STATUS_REJECTED, RH_CODE_RANGE);
    bench_expect(bench, 1, 1, RH_STATUS_REJECTED, RH_CODE_RANGE);
    bench_known(bench, 1, big);
    bench_set(bench, (int64_t[][2]){{1, big + 11}}, 1); /* no double tells them apart */
    bench_set(bench, (int64_t[][2]){{1, big + 10}}, 1);
    assert_true(bench_run(bench));
    check(bench, 4);
    bench_expect(bench, 2, 1, RH_STATUS_REJECTED, RH_CODE_RANGE);
    bench_expect(bench, 3, 1, RH_STATUS_OK, RH_CODE_NONE);
    assert_int_equal(bench->n_writes, 1);
    bench_known(bench, 1, 0);
    struct rh_reading gone = {.point = 1, .quality = RH_TIMEOUT, .mono_us = 1};
    rh_outlet_reading(&bench->outlet, &gone);
    bench_set(bench, (int64_t[][2]){{1, 1}}, 1); /* what it was is not what it is */
    assert_true(bench_run(bench));
    bench_expect(bench, 4, 1, RH_STATUS_REJECTED, RH_CODE_RANGE);
}

/* Counted from what was written, not from what was asked for. */
static void min_interval(void **state)
{
    struct bench *bench = *state;
    struct rh_poll_result result;

    home_point(bench->line, 0)->min_interval_ms = 60000;
    bench->writes[0] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 4};
    bench_set(bench, (int64_t[][2]){{0, 1}}, 1); /* refused: it does not count */
    bench_set(bench, (int64_t[][2]){{0, 2}}, 1);
    bench_set(bench, (int64_t[][2]){{1, 3}, {0, 3}}, 2);
    bench_set(bench, (int64_t[][2]){{1, 4}}, 1);
    assert_true(bench_run(bench));
    check(bench, 5);
    bench_expect(bench, 0, 0, RH_STATUS_FAILED, RH_CODE_EXCEPTION);
    bench_expect(bench, 1, 0, RH_STATUS_OK, RH_CODE_NONE);
    bench_expect(bench, 2, 1, RH_STATUS_REJECTED, RH_CODE_RATE);
    bench_expect(bench, 3, 0, RH_STATUS_REJECTED, RH_CODE_RATE);
    bench_expect(bench, 4, 1, RH_STATUS_OK, RH_CODE_NONE);
    assert_int_equal(bench->value[0], 2);
    bench_get(bench, (uint32_t[]){0}, 1); /* reads are free */
    assert_true(bench_run(bench));
    bench_expect(bench, 5, 0, RH_STATUS_OK, RH_CODE_NONE);
    bench_set(bench, (int64_t[][2]){{0, 5}}, 1);
    assert_true(rh_execute_due(bench->execute, rh_mono_us() + 60 * SECOND));
    assert_int_equal(rh_execute_step(bench->execute, &result), RH_POLL_OK);
    assert_int_equal(bench->value[0], 5);
}

static void get(void **state)
{
    struct bench *bench = *state;
    struct rh_command command = {
        .kind = RH_COMMAND_GET, .origin = RH_ORIGIN_CONTROL, .n = 1, .more = true, .expires_us = RH_NEVER};

    bench->value[4] = 44;
    bench->reads[1] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 2};
    bench->reads[2] = (struct act){.outcome = RH_POLL_GARBAGE};
    bench->reads[3] = (struct act){.quality = RH_NA};
    bench_get(bench, (uint32_t[]){4, 1, 2, 3, 4}, 5);
    assert_true(bench_run(bench));
    check(bench, 5);
    bench_expect(bench, 0, 4, RH_STATUS_OK, RH_CODE_NONE);
    value_of(bench, 0, 44);
    assert_false(bench->got[0].has_old);
    bench_expect(bench, 1, 1, RH_STATUS_FAILED, RH_CODE_EXCEPTION);
    bench_expect(bench, 2, 2, RH_STATUS_FAILED, RH_CODE_CRC);
    bench_expect(bench, 3, 3, RH_STATUS_OK, RH_CODE_NONE);
    assert_int_equal(bench->got[3].reading.quality, RH_NA);
    bench_expect(bench, 4, 4, RH_STATUS_OK, RH_CODE_NONE); /* one that fails does not keep the others */
    assert_true(bench->got[4].last);
    bench_command(bench, &command);
    assert_true(bench_run(bench));
    check(bench, 6);
    assert_false(bench->got[5].last); /* more follows */
}

/* Answers to earlier reads are no answer to this command. */
static void late_answers(void **state)
{
    struct bench *bench = *state;
    int64_t before = 1;

    bench->reads[0] = (struct act){.outcome = RH_POLL_TIMEOUT};
    bench_get(bench, (uint32_t[]){0}, 1);
    bench->writes[0] = (struct act){.outcome = RH_POLL_EXCEPTION, .exception = 2, .late = &before};
    bench_set(bench, (int64_t[][2]){{0, 9}}, 1);
    assert_true(bench_run(bench));
    check(bench, 2);
    bench_expect(bench, 1, 0, RH_STATUS_FAILED, RH_CODE_EXCEPTION);
    assert_int_equal(bench->got[1].reading.quality, RH_NA);
    bench->reads[1] = (struct act){.late = &before};
    bench->value[0] = 8;
    bench_get(bench, (uint32_t[]){0}, 1);
    assert_true(bench_run(bench));
    value_of(bench, 2, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(written_and_read_back, fresh, over),
        cmocka_unit_test_setup_teardown(several_share_a_request, fresh, over),
        cmocka_unit_test_setup_teardown(refused_request, fresh, over),
        cmocka_unit_test_setup_teardown(lost_answer_but_done, fresh, over),
        cmocka_unit_test_setup_teardown(lost_answer_and_not_done, fresh, over),
        cmocka_unit_test_setup_teardown(verify, fresh, over),
        cmocka_unit_test_setup_teardown(port_lost_while_writing, fresh, over),
        cmocka_unit_test_setup_teardown(port_lost_before_the_read_back, fresh, over),
        cmocka_unit_test_setup_teardown(busy_device, fresh, over),
        cmocka_unit_test_setup_teardown(closed_unit, fresh, over),
        cmocka_unit_test_setup_teardown(expired, fresh, over),
        cmocka_unit_test_setup_teardown(max_delta, fresh, over),
        cmocka_unit_test_setup_teardown(min_interval, fresh, over),
        cmocka_unit_test_setup_teardown(get, fresh, over),
        cmocka_unit_test_setup_teardown(late_answers, fresh, over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
