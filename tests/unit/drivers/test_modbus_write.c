/* SPDX-License-Identifier: MIT */
/* Writes on the wire: the requests byte for byte, and what counts as an answer to them. */
#include "modbus_write_bench.h"

/* ---- scripts ---- */

static void answer_other_address(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    other.address++;
    answer_good(slave, &other);
}

static void answer_other_value(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    other.count ^= 0x0100;
    answer_good(slave, &other);
}

static void answer_other_unit(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    other.unit++;
    answer_good(slave, &other);
}

static void answer_bad_crc(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    size_t len = good_answer(slave, request, frame);
    frame[len - 1] ^= 0x10;
    send_now(slave, frame, len);
}

static void answer_150_ms_late(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    send_later(slave, 150 * ms, frame, good_answer(slave, request, frame));
    atomic_store(&slave->answer, answer_good);
}

static void answer_after_20_ms(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    send_later(slave, 20 * ms, frame, good_answer(slave, request, frame));
}

static void hang_up(struct slave *slave, const struct request *request)
{
    (void)request;
    shutdown(slave->fd, SHUT_RDWR);
}

/* The newest request on the wire, without what frames it. */
static void expect_request(struct bench *bench, const char *bytes, size_t len)
{
    size_t around = bench->slave.mbap ? 6 : 0;
    assert_int_equal(newest(bench)->raw_len, len + (bench->slave.mbap ? 6 : 2));
    assert_memory_equal(newest(bench)->raw + around, bytes, len);
}

/* ---- requests ---- */

/* The examples of the Modbus application protocol (sections 6.5, 6.6, 6.11, 6.12), sent to unit 17. */
static void write_examples(struct bench *bench)
{
    static const bool coils[10] = {1, 0, 1, 1, 0, 0, 1, 1, 1, 0};
    struct rh_command_value values[10];
    size_t taken;
    bench->units[0].unit = 17;

    set_point(bench, 0, RH_MODBUS_READ_COILS, 0xAC, RH_TYPE_BIT, 1);
    values[0] = yes_no(0, true);
    assert_int_equal(write_values(bench, values, 1, &taken), RH_POLL_OK);
    expect_request(bench, "\x11\x05\x00\xAC\xFF\x00", 6);
    values[0] = yes_no(0, false);
    assert_int_equal(write_values(bench, values, 1, &taken), RH_POLL_OK);
    expect_request(bench, "\x11\x05\x00\xAC\x00\x00", 6);

    set_point(bench, 0, RH_MODBUS_READ_HOLDING, 1, RH_TYPE_U16, 1);
    values[0] = number(0, 3);
    assert_int_equal(write_values(bench, values, 1, &taken), RH_POLL_OK);
    expect_request(bench, "\x11\x06\x00\x01\x00\x03", 6);

    for (uint32_t i = 0; i < 10; i++) {
        set_point(bench, i, RH_MODBUS_READ_COILS, (uint16_t)(0x13 + i), RH_TYPE_BIT, 1);
        values[i] = yes_no(i, coils[i]);
    }
    assert_int_equal(write_values(bench, values, 10, &taken), RH_POLL_OK);
    assert_int_equal(taken, 10);
    expect_request(bench, "\x11\x0F\x00\x13\x00\x0A\x02\xCD\x01", 9);

    set_point(bench, 0, RH_MODBUS_READ_HOLDING, 1, RH_TYPE_U16, 1);
    set_point(bench, 1, RH_MODBUS_READ_HOLDING, 2, RH_TYPE_U16, 1);
    values[0] = number(0, 0x000A);
    values[1] = number(1, 0x0102);
    assert_int_equal(write_values(bench, values, 2, &taken), RH_POLL_OK);
    assert_int_equal(taken, 2);
    expect_request(bench, "\x11\x10\x00\x01\x00\x02\x04\x00\x0A\x01\x02", 11);
    assert_int_equal(rh_counted(&bench->counters.transactions), 5);
    assert_int_equal(rh_counted(&bench->counters.answers), 5);
    assert_int_equal(rh_counted(&bench->counters.foreign), 0);
    assert_int_equal(bench->readings, 0);
}

static void test_examples_rtu(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_good);
    assert_int_equal(poll_unit(&bench, 1, 0, 1), RH_POLL_OK);
    bench.readings = 0;
    rh_count(&bench.counters.transactions, (uint64_t)-1);
    rh_count(&bench.counters.answers, (uint64_t)-1);
    write_examples(&bench);
    assert_memory_equal(newest(&bench)->raw + 11, "\xC6\xF0", 2); /* CRC, as published */
    assert_int_equal(rh_counted(&bench.counters.bytes_sent), 8 + 3 * 8 + 11 + 13);
    bench_close(&bench);
}

static void test_examples_tcp(void **state)
{
    (void)state;
    const struct rh_driver *drivers[] = {&rh_driver_modbus_tcp, &rh_driver_modbus_rtu_tcp};
    for (size_t i = 0; i < RH_COUNT(drivers); i++) {
        struct bench bench;
        bench_open_socket(&bench, drivers[i], answer_good);
        write_examples(&bench);
        if (i == 0) {
            assert_memory_equal(newest(&bench)->raw + 2, "\x00\x00\x00\x0B", 4);
            assert_int_equal(rh_counted(&bench.counters.bytes_sent), 3 * 12 + 15 + 17);
        }
        bench_close(&bench);
    }
}

static void test_function_16_for_one(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_good);
    bench.units[0].write_fc = RH_MODBUS_WRITE_FC_16;
    assert_int_equal(write_one(&bench, 5, 0x1234), RH_POLL_OK);
    expect_request(&bench, "\x01\x10\x00\x05\x00\x01\x02\x12\x34", 9);
    bench_close(&bench);
}

/* How many of the values go out together, and from where to where. */
static void expect_together(struct bench *bench, const struct rh_command_value *values, size_t n,
                            size_t taken, uint16_t address, uint16_t count)
{
    size_t got;
    assert_int_equal(write_values(bench, values, n, &got), RH_POLL_OK);
    assert_int_equal(got, taken);
    assert_int_equal(newest(bench)->address, address);
    if (newest(bench)->function >= 15)
        assert_int_equal(newest(bench)->count, count);
}

static void test_what_shares_a_request(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_good);
    assert_int_equal(poll_unit(&bench, 1, 0, 1), RH_POLL_OK); /* the line has no echo */
    const struct rh_command_value gap[] = {number(3, 1), number(5, 2), number(4, 3)};
    expect_together(&bench, gap, 3, 1, 3, 1);
    expect_together(&bench, gap + 1, 2, 2, 4, 2); /* from both sides */
    expect_request(&bench, "\x01\x10\x00\x04\x00\x02\x04\x00\x03\x00\x02", 11);
    const struct rh_command_value twice[] = {number(3, 1), number(3, 2)};
    expect_together(&bench, twice, 2, 1, 3, 1);
    const struct rh_command_value units[] = {number(3, 1), number(POINTS_PER_UNIT + 4, 2)};
    expect_together(&bench, units, 2, 1, 3, 1);
    set_point(&bench, 4, RH_MODBUS_READ_COILS, 4, RH_TYPE_BIT, 1);
    const struct rh_command_value tables[] = {number(3, 1), number(4, 1)};
    expect_together(&bench, tables, 2, 1, 3, 1);
    /* three times 41 registers are all that one request carries */
    for (uint32_t i = 0; i < 4; i++)
        set_point(&bench, i, RH_MODBUS_READ_HOLDING, (uint16_t)(41 * i), RH_TYPE_STR, 41);
    struct rh_command_value texts[4] = {{.value = {.kind = RH_VALUE_TEXT, .text_len = 2, .text = "ab"}}};
    for (uint32_t i = 1; i < 4; i++) {
        texts[i] = texts[0];
        texts[i].point = i;
    }
    expect_together(&bench, texts, 4, 3, 0, 123);
    expect_together(&bench, texts + 1, 3, 3, 41, 123);
    bench_close(&bench);
}

/* ---- answers ---- */

static void expect_outcome(void (*answer)(struct slave *slave, const struct request *request),
                           enum rh_poll_outcome outcome, uint64_t foreign)
{
    struct bench bench;
    bench_open_rtu(&bench, answer_good);
    assert_int_equal(poll_unit(&bench, 2, 0, 1), RH_POLL_OK);
    atomic_store(&bench.slave.answer, answer);
    for (uint32_t n = 1; n <= 2; n++) { /* function 6, then 16 */
        const struct rh_command_value values[] = {number(3, 1), number(4, 2)};
        size_t taken;
        assert_int_equal(write_values(&bench, values, n, &taken), outcome);
        assert_int_equal(taken, n);
    }
    assert_int_equal(rh_counted(&bench.counters.foreign), 2 * foreign);
    assert_int_equal(bench.readings, 1);
    bench_close(&bench);
}

static void test_only_the_answer_to_it(void **state)
{
    (void)state;
    expect_outcome(answer_good, RH_POLL_OK, 0);
    expect_outcome(answer_other_address, RH_POLL_TIMEOUT, 1);
    expect_outcome(answer_other_value, RH_POLL_TIMEOUT, 1);
    expect_outcome(answer_other_unit, RH_POLL_TIMEOUT, 1);
    expect_outcome(answer_nothing, RH_POLL_TIMEOUT, 0);
    expect_outcome(answer_bad_crc, RH_POLL_GARBAGE, 0);
    expect_outcome(answer_exception, RH_POLL_EXCEPTION, 0);
}

static void test_only_the_answer_to_it_tcp(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_socket(&bench, &rh_driver_modbus_tcp, answer_other_address);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_TIMEOUT);
    assert_int_equal(rh_counted(&bench.counters.foreign), 1);
    assert_int_equal(bench.result.turnaround_us, -1);
    atomic_store(&bench.slave.answer, answer_exception);
    assert_int_equal(write_one(&bench, POINTS_PER_UNIT, 1), RH_POLL_EXCEPTION);
    assert_int_equal(bench.result.exception, 4);
    atomic_store(&bench.slave.answer, hang_up);
    assert_int_equal(write_one(&bench, 2 * POINTS_PER_UNIT, 1), RH_POLL_LOST);
    assert_true(bench.result.error < 0);
    assert_int_equal(write_one(&bench, 2 * POINTS_PER_UNIT, 1), RH_POLL_LOST);
    bench_close(&bench);
}

/* ---- time ---- */

/* The write times out; its answer comes while a read of the same unit is under way, and is no value. */
static void test_late_answer_is_no_value(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_good);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    atomic_store(&bench.slave.answer, answer_150_ms_late);
    assert_int_equal(write_one(&bench, 3, 1003), RH_POLL_TIMEOUT);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_CLOSED);
    assert_true(bench.result.closed_until_us > rh_mono_us());
    assert_int_equal(atomic_load(&bench.slave.requests), 2);
    int64_t deadline_us = rh_mono_us() + 1000 * ms;
    unsigned polls = 0;
    for (; rh_counted(&bench.counters.late) == 0 && rh_mono_us() < deadline_us; polls++)
        assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_OK);
    assert_int_equal(rh_counted(&bench.counters.late), 1);
    assert_int_equal(bench.lates, 0);
    assert_int_equal(bench.readings, 4 + 3 * polls);
    assert_int_equal(bench.wrong, 0);
    assert_int_equal(rh_counted(&bench.counters.foreign), 0);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_OK); /* free again */
    bench_close(&bench);
}

/* And the other way: the late answer of a read comes during a write. */
static void test_late_reading_during_a_write(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_150_ms_late);
    assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_TIMEOUT);
    atomic_store(&bench.slave.answer, answer_nothing);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_TIMEOUT);
    assert_int_equal(bench.lates, 1);
    assert_int_equal(bench.readings, 3);
    assert_int_equal(bench.wrong, 0);
    bench_close(&bench);
}

static void test_turnaround(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_after_20_ms);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);
    assert_in_range(bench.result.turnaround_us, 15 * ms, 60 * ms);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_OK);
    assert_in_range(bench.result.turnaround_us, 15 * ms, 60 * ms);
    atomic_store(&bench.slave.answer, answer_nothing);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_TIMEOUT);
    assert_int_equal(bench.result.turnaround_us, -1);
    bench_close(&bench);
    bench_open_socket(&bench, &rh_driver_modbus_tcp, answer_after_20_ms);
    assert_int_equal(write_one(&bench, 3, 1), RH_POLL_OK);
    assert_in_range(bench.result.turnaround_us, 15 * ms, 60 * ms);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_rtu),
        cmocka_unit_test(test_examples_tcp),
        cmocka_unit_test(test_function_16_for_one),
        cmocka_unit_test(test_what_shares_a_request),
        cmocka_unit_test(test_only_the_answer_to_it),
        cmocka_unit_test(test_only_the_answer_to_it_tcp),
        cmocka_unit_test(test_late_answer_is_no_value),
        cmocka_unit_test(test_late_reading_during_a_write),
        cmocka_unit_test(test_turnaround),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
