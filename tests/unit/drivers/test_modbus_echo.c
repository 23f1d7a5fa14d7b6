/* SPDX-License-Identifier: MIT */
/* Lines that bring back what is sent: an answer to functions 5 and 6 looks exactly like the echo of the
 * request. */
#include "modbus_write_bench.h"

static void echo(struct slave *slave, const struct request *request)
{
    send_now(slave, request->raw, request->raw_len);
}

static void echo_and_answer(struct slave *slave, const struct request *request)
{
    uint8_t frame[600];
    memcpy(frame, request->raw, request->raw_len);
    size_t len = request->raw_len + good_answer(slave, request, frame + request->raw_len);
    send_now(slave, frame, len);
}

static void echo_and_refuse(struct slave *slave, const struct request *request)
{
    echo(slave, request);
    answer_exception(slave, request);
}

static enum rh_poll_outcome timed_write(struct bench *bench, int64_t *ret_us)
{
    enum rh_poll_outcome outcome = write_one(bench, 3, 7);
    *ret_us = bench->result.end_us - bench->result.start_us;
    return outcome;
}

/* An answer to function 6 looks like the echo: only a second copy is an answer where there is an echo. */
static void test_echo_known(void **state)
{
    (void)state;
    struct bench bench;
    int64_t took_us;
    bench_open_rtu(&bench, echo_and_answer);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_OK);
    assert_true(took_us < 90 * ms);
    assert_int_equal(rh_counted(&bench.counters.echoes), 2);
    atomic_store(&bench.slave.answer, echo_and_refuse);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_EXCEPTION);
    atomic_store(&bench.slave.answer, echo);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_TIMEOUT);
    assert_int_equal(rh_counted(&bench.counters.foreign), 0);
    bench_close(&bench);
}

static void test_no_echo_known(void **state)
{
    (void)state;
    struct bench bench;
    int64_t took_us;
    bench_open_rtu(&bench, answer_good);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_OK);
    assert_true(took_us < 90 * ms);
    assert_int_equal(rh_counted(&bench.counters.echoes), 0);
    bench_close(&bench);
}

/* Nothing has been answered yet. A second copy decides it at once; one copy is the answer when no other one
 * follows in time. */
static void test_echo_unknown(void **state)
{
    (void)state;
    struct bench bench;
    int64_t took_us;
    bench_open_rtu(&bench, echo_and_answer);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_OK);
    assert_true(took_us < 90 * ms);
    assert_int_equal(rh_counted(&bench.counters.echoes), 1);
    atomic_store(&bench.slave.answer, echo); /* it has been learnt */
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_TIMEOUT);
    bench_close(&bench);
    bench_open_rtu(&bench, answer_good);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_OK);
    assert_true(took_us < 90 * ms); /* when it came, not when it was believed */
    assert_int_equal(rh_counted(&bench.counters.answers), 1);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_OK);
    bench_close(&bench);
    bench_open_rtu(&bench, echo_and_refuse);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_EXCEPTION);
    assert_int_equal(rh_counted(&bench.counters.echoes), 1);
    bench_close(&bench);
}

/* A line that lost its echo is believed after three answers without one. */
static void test_echo_unlearnt(void **state)
{
    (void)state;
    struct bench bench;
    int64_t took_us;
    bench_open_rtu(&bench, echo_and_answer);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    atomic_store(&bench.slave.answer, answer_good);
    for (int i = 0; i < 3; i++)
        assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    assert_int_equal(timed_write(&bench, &took_us), RH_POLL_OK);
    bench_close(&bench);
}

/* The longest request there is, 255 characters, and its echo; 266 ms of wire time come before the timeout. */
static void test_longest_request(void **state)
{
    (void)state;
    struct bench bench;
    struct rh_command_value text = {.value = {.kind = RH_VALUE_TEXT, .text_len = 246}};
    size_t taken;
    memset(text.value.text, 'x', 246);
    bench_open_rtu(&bench, echo_and_answer);
    set_point(&bench, 0, RH_MODBUS_READ_HOLDING, 0x10, RH_TYPE_STR, 123);
    assert_int_equal(write_values(&bench, &text, 1, &taken), RH_POLL_OK);
    assert_int_equal(rh_counted(&bench.counters.echoes), 1);
    assert_int_equal(rh_counted(&bench.counters.bytes_sent), 255);
    assert_int_equal(newest(&bench)->raw_len, 255);
    assert_memory_equal(newest(&bench)->raw, "\x01\x10\x00\x10\x00\x7B\xF6xxxx", 11);
    atomic_store(&bench.slave.answer, answer_nothing);
    bench.driver->close(bench.link);
    bench.options.baud = 9600;
    bench_connect(&bench);
    assert_int_equal(write_values(&bench, &text, 1, &taken), RH_POLL_TIMEOUT);
    assert_in_range(bench.result.end_us - bench.result.start_us, (266 + 100) * ms, (266 + 200) * ms);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_known),      cmocka_unit_test(test_no_echo_known),
        cmocka_unit_test(test_echo_unknown),    cmocka_unit_test(test_echo_unlearnt),
        cmocka_unit_test(test_longest_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
