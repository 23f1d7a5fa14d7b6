/* SPDX-License-Identifier: MIT */
/* Modbus TCP and RTU over TCP, on loopback: whose answer is it, and when is a session over? */
#include "modbus_bench.h"

#define ms 1000

static void answer_nobody_knows(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    other.transaction ^= 0x5555;
    answer_good(slave, &other);
}

/* First with another id and wrong values, then the true one. */
static void answer_wrong_id_first(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    uint8_t frame[600];
    other.transaction++;
    other.address += 5;
    size_t len = good_answer(slave, &other, frame);
    len += good_answer(slave, request, frame + len);
    send_now(slave, frame, len);
}

static void answer_in_pieces(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    size_t len = good_answer(slave, request, frame);
    for (size_t i = 0; i < len; i++)
        send_later(slave, (int64_t)i * ms, frame + i, 1);
}

static void answer_exception(struct slave *slave, const struct request *request)
{
    uint8_t frame[20] = {request->unit, request->function | 0x80, 4};
    send_now(slave, frame, frame_end(slave, request, frame, 3));
}

static void answer_not_modbus(struct slave *slave, const struct request *request)
{
    (void)request;
    send_now(slave, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n", 26);
}

static void answer_150_ms_late(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    send_later(slave, 150 * ms, frame, good_answer(slave, request, frame));
    atomic_store(&slave->answer, answer_good);
}

static void hang_up(struct slave *slave, const struct request *request)
{
    (void)request;
    shutdown(slave->fd, SHUT_RDWR);
}

static void expect_one(const struct rh_driver *driver,
                       void (*answer)(struct slave *slave, const struct request *request),
                       enum rh_poll_outcome outcome, unsigned readings, struct bench *bench)
{
    bench_open_socket(bench, driver, answer);
    assert_int_equal(poll_unit(bench, 2, 3, 5), outcome);
    assert_int_equal(bench->readings, readings);
    assert_int_equal(bench->wrong, 0);
    bench_close(bench);
}

static void test_only_its_own_id(void **state)
{
    (void)state;
    struct bench bench;
    expect_one(&rh_driver_modbus_tcp, answer_good, RH_POLL_OK, 5, &bench);
    assert_int_equal(rh_counted(&bench.counters.bytes_sent), 12);
    expect_one(&rh_driver_modbus_tcp, answer_wrong_id_first, RH_POLL_OK, 5, &bench);
    assert_int_equal(rh_counted(&bench.counters.foreign), 1);
    expect_one(&rh_driver_modbus_tcp, answer_nobody_knows, RH_POLL_TIMEOUT, 0, &bench);
    assert_int_equal(rh_counted(&bench.counters.foreign), 1);
    expect_one(&rh_driver_modbus_tcp, answer_in_pieces, RH_POLL_OK, 5, &bench);
    expect_one(&rh_driver_modbus_tcp, answer_exception, RH_POLL_EXCEPTION, 0, &bench);
    assert_int_equal(bench.result.exception, 4);
}

static void test_late_by_id(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_socket(&bench, &rh_driver_modbus_tcp, answer_150_ms_late);
    assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_TIMEOUT);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_CLOSED);
    rh_sleep_until(bench.result.start_us + 70 * ms);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_OK);
    assert_int_equal(bench.lates, 1);
    assert_int_equal(bench.last_late.address, 4);
    assert_int_equal(bench.readings, 6);
    assert_int_equal(bench.wrong, 0);
    bench_close(&bench);
}

static void reconnect(struct bench *bench)
{
    bench->driver->disconnect(bench->link);
    assert_int_equal(bench->driver->connect(bench->link, bench->why, sizeof bench->why), 0);
    atomic_store(&bench->slave.answer, answer_good);
    assert_int_equal(poll_unit(bench, 1, 0, 2), RH_POLL_OK);
    assert_int_equal(bench->wrong, 0);
}

static void test_desynchronised_session_ends(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_socket(&bench, &rh_driver_modbus_tcp, answer_not_modbus);
    assert_int_equal(poll_unit(&bench, 1, 0, 2), RH_POLL_LOST);
    assert_int_equal(bench.result.error, -EPROTO);
    reconnect(&bench);
    bench_close(&bench);
}

static void test_hang_up(void **state)
{
    (void)state;
    const struct rh_driver *drivers[] = {&rh_driver_modbus_tcp, &rh_driver_modbus_rtu_tcp};
    for (size_t i = 0; i < RH_COUNT(drivers); i++) {
        struct bench bench;
        bench_open_socket(&bench, drivers[i], hang_up);
        assert_int_equal(poll_unit(&bench, 1, 0, 2), RH_POLL_LOST);
        assert_int_equal(bench.result.error, -ECONNRESET);
        /* And again, without SIGPIPE, until it is connected anew. */
        assert_int_equal(poll_unit(&bench, 1, 0, 2), RH_POLL_LOST);
        assert_int_equal(rh_counted(&bench.counters.lost), 2);
        if (i == 0)
            reconnect(&bench);
        bench_close(&bench);
    }
}

static enum rh_poll_outcome poll_until_lost(struct bench *bench, unsigned polls_max, unsigned *ret_timeouts)
{
    enum rh_poll_outcome outcome = RH_POLL_TIMEOUT;
    *ret_timeouts = 0;
    int64_t deadline_us = rh_mono_us() + 20000 * ms;
    for (unsigned i = 0; outcome != RH_POLL_LOST && *ret_timeouts < polls_max && rh_mono_us() < deadline_us;
         i++) {
        outcome = poll_unit(bench, 1 + i % UNITS, 0, 2);
        *ret_timeouts += outcome == RH_POLL_TIMEOUT;
    }
    return outcome;
}

/* Three timeouts of every unit end a session that had answered; one that never did is not opened anew for
 * ever. */
static void test_mute_session_ends(void **state)
{
    (void)state;
    struct bench bench;
    unsigned timeouts;
    bench_open_socket(&bench, &rh_driver_modbus_tcp, answer_good);
    bench.driver->close(bench.link);
    bench.options.timeout_ms = 10;
    bench_connect(&bench);
    assert_int_equal(poll_unit(&bench, 1, 0, 2), RH_POLL_OK);
    atomic_store(&bench.slave.answer, answer_nothing);
    assert_int_equal(poll_until_lost(&bench, 100, &timeouts), RH_POLL_LOST);
    assert_int_equal(bench.result.error, -ETIMEDOUT);
    assert_int_equal(timeouts, 3 * UNITS - 1);
    bench.driver->disconnect(bench.link);
    assert_int_equal(bench.driver->connect(bench.link, bench.why, sizeof bench.why), 0);
    assert_int_not_equal(poll_until_lost(&bench, 4 * UNITS, &timeouts), RH_POLL_LOST);
    reconnect(&bench);
    bench_close(&bench);
}

static void answer_after_noise(struct slave *slave, const struct request *request)
{
    uint8_t frame[300] = {0xFF, 0x00, 0x01, 0x03};
    send_now(slave, frame, 4 + good_answer(slave, request, frame + 4));
}

static void test_rtu_frames_over_tcp(void **state)
{
    (void)state;
    struct bench bench;
    expect_one(&rh_driver_modbus_rtu_tcp, answer_good, RH_POLL_OK, 5, &bench);
    assert_int_equal(rh_counted(&bench.counters.bytes_sent), 8);
    expect_one(&rh_driver_modbus_rtu_tcp, answer_after_noise, RH_POLL_OK, 5, &bench);
    expect_one(&rh_driver_modbus_rtu_tcp, answer_in_pieces, RH_POLL_OK, 5, &bench);
    expect_one(&rh_driver_modbus_rtu_tcp, answer_exception, RH_POLL_EXCEPTION, 0, &bench);
}

static void refused(const char *host, int error, const char *words)
{
    struct bench bench;
    bench_conf(&bench, &rh_driver_modbus_tcp);
    bench.options.host = host;
    bench.options.timeout_ms = 300;
    assert_int_equal(bench.driver->open(&bench.conf, &bench.counters, &bench.link), 0);
    int64_t before_us = rh_mono_us();
    int got = bench.driver->connect(bench.link, bench.why, sizeof bench.why);
    assert_true(rh_mono_us() - before_us < 500 * ms);
    print_message("%s: %s\n", host, bench.why);
    assert_true(error == 0 ? got < 0 : got == error);
    assert_non_null(strstr(bench.why, words));
    struct rh_block block = block_of(1, 0, 1);
    assert_int_equal(bench_poll(&bench, &block), RH_POLL_LOST);
    bench.driver->close(bench.link);
}

static void test_refusals_are_explained(void **state)
{
    (void)state;
    refused("127.0.0.1:1", -ECONNREFUSED, "cannot connect to 127.0.0.1 port 1: Connection refused");
    refused("[::1]:1", 0, "::1 port 1");
    refused("no-such-host.invalid", 0, "no-such-host.invalid");
    refused("192.0.2.1:99999", -EINVAL, "write host, host:port or [v6]:port");
    refused("[::1", -EINVAL, "write host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_its_own_id),
        cmocka_unit_test(test_late_by_id),
        cmocka_unit_test(test_desynchronised_session_ends),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_mute_session_ends),
        cmocka_unit_test(test_rtu_frames_over_tcp),
        cmocka_unit_test(test_refusals_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
