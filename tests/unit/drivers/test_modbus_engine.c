/* SPDX-License-Identifier: MIT */
/* One transaction at a time, against a slave that misbehaves by script: on ptys and on loopback sockets. */
#include "modbus_bench.h"

#define ms 1000

/* ---- scripts ---- */

static void answer_noisy(struct slave *slave, const struct request *request)
{
    uint8_t frame[300] = {0x00, 0xFF, 0x00};
    size_t len = 3 + good_answer(slave, request, frame + 3);
    frame[len++] = 0xFF;
    frame[len++] = 0x00;
    send_now(slave, frame, len);
}

static void answer_with_echo(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    memcpy(frame, request->raw, request->raw_len);
    size_t len = request->raw_len + good_answer(slave, request, frame + request->raw_len);
    send_now(slave, frame, len);
}

/* Another unit's answer of the same shape first. */
static void answer_after_foreign(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    uint8_t frame[300];
    other.unit = 77;
    size_t len = good_answer(slave, &other, frame);
    len += good_answer(slave, request, frame + len);
    send_now(slave, frame, len);
}

static void answer_foreign_only(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    other.unit = 77;
    answer_good(slave, &other);
}

static void answer_bad_crc(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    size_t len = good_answer(slave, request, frame);
    frame[len - 3] ^= 0x10;
    send_now(slave, frame, len);
}

static void answer_truncated(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    send_now(slave, frame, good_answer(slave, request, frame) - 3);
}

static void answer_exception(struct slave *slave, const struct request *request)
{
    uint8_t frame[20] = {request->unit, request->function | 0x80, 2};
    send_now(slave, frame, frame_end(slave, request, frame, 3));
}

/* The same header, but more registers than were asked for. */
static void answer_wrong_length(struct slave *slave, const struct request *request)
{
    struct request other = *request;
    other.count++;
    answer_good(slave, &other);
}

/* A fragment with a wrong CRC, and the true answer behind it. */
static void answer_second_time_right(struct slave *slave, const struct request *request)
{
    uint8_t frame[600];
    size_t len = good_answer(slave, request, frame);
    frame[len - 1] ^= 1;
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

static void answer_150_ms_late(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    size_t len = good_answer(slave, request, frame);
    send_later(slave, 150 * ms, frame, len);
    atomic_store(&slave->answer, answer_good);
}

static void answer_exception_150_ms_late(struct slave *slave, const struct request *request)
{
    uint8_t frame[20] = {request->unit, request->function | 0x80, 4};
    send_later(slave, 150 * ms, frame, frame_end(slave, request, frame, 3));
    atomic_store(&slave->answer, answer_good);
}

/* ---- answers ---- */

static void test_good_answers(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_good);
    int64_t before_us = rh_mono_us(), before_ms = rh_wall_ms();
    assert_int_equal(poll_unit(&bench, 1, 0, 8), RH_POLL_OK);
    assert_int_equal(poll_unit(&bench, 4, 16, 8), RH_POLL_OK);
    assert_int_equal(bench.readings, 16);
    assert_int_equal(bench.wrong, 0);
    assert_in_range(bench.last.mono_us, bench.result.start_us, bench.result.end_us);
    assert_true(bench.result.start_us > before_us && bench.result.end_us <= rh_mono_us());
    assert_in_range(bench.last.wall_ms, before_ms - 2, rh_wall_ms() + 2);
    assert_int_equal(bench.last.urgent, 0);
    assert_int_equal(poll_unit(&bench, 2, 0, 1), RH_POLL_OK);
    assert_int_equal(bench.last.urgent, 1);
    assert_int_equal(rh_counted(&bench.counters.answers), 3);
    assert_int_equal(rh_counted(&bench.counters.bytes_sent), 24);
    assert_int_equal(rh_counted(&bench.counters.bytes_received), 21 + 6 + 7);
    bench_close(&bench);
}

static void expect_one(void (*answer)(struct slave *slave, const struct request *request),
                       enum rh_poll_outcome outcome, unsigned readings, struct bench *bench)
{
    bench_open_rtu(bench, answer);
    assert_int_equal(poll_unit(bench, 2, 3, 5), outcome);
    assert_int_equal(bench->readings, readings);
    assert_int_equal(bench->wrong, 0);
    bench_close(bench);
}

static void test_what_surrounds_an_answer(void **state)
{
    (void)state;
    struct bench bench;
    expect_one(answer_noisy, RH_POLL_OK, 5, &bench);
    expect_one(answer_with_echo, RH_POLL_OK, 5, &bench);
    assert_int_equal(rh_counted(&bench.counters.echoes), 1);
    expect_one(answer_after_foreign, RH_POLL_OK, 5, &bench);
    assert_int_equal(rh_counted(&bench.counters.foreign), 1);
    expect_one(answer_second_time_right, RH_POLL_OK, 5, &bench);
    expect_one(answer_in_pieces, RH_POLL_OK, 5, &bench);
}

static void test_no_answer(void **state)
{
    (void)state;
    struct bench bench;
    expect_one(answer_nothing, RH_POLL_TIMEOUT, 0, &bench);
    assert_in_range(bench.result.end_us - bench.result.start_us, 100 * ms, 150 * ms);
    expect_one(answer_foreign_only, RH_POLL_TIMEOUT, 0, &bench);
    assert_in_range(bench.result.end_us - bench.result.start_us, 101 * ms, 160 * ms);
    expect_one(answer_wrong_length, RH_POLL_TIMEOUT, 0, &bench);
    assert_int_equal(rh_counted(&bench.counters.foreign), 1);
    expect_one(answer_exception, RH_POLL_EXCEPTION, 0, &bench);
    assert_int_equal(bench.result.exception, 2);
}

/* A damaged answer is given up by its length, and the pair is free at once. */
static void test_damaged_answers(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_bad_crc);
    bench.driver->close(bench.link);
    bench.options.timeout_ms = 2000;
    bench_connect(&bench);
    assert_int_equal(poll_unit(&bench, 2, 3, 5), RH_POLL_GARBAGE);
    assert_int_equal(rh_counted(&bench.counters.crc), 1);
    assert_true(bench.result.end_us - bench.result.start_us < 200 * ms);
    atomic_store(&bench.slave.answer, answer_truncated);
    assert_int_equal(poll_unit(&bench, 2, 3, 5), RH_POLL_GARBAGE);
    assert_int_equal(rh_counted(&bench.counters.truncated), 1);
    assert_true(bench.result.end_us - bench.result.start_us < 500 * ms);
    atomic_store(&bench.slave.answer, answer_good);
    assert_int_equal(poll_unit(&bench, 2, 3, 5), RH_POLL_OK);
    assert_int_equal(bench.readings, 5);
    assert_int_equal(bench.wrong, 0);
    assert_int_equal(rh_counted(&bench.counters.foreign), 0);
    bench_close(&bench);
}

static void *babble(void *context)
{
    struct slave *slave = context;
    static const uint8_t noise[] = {0x55, 0xAA, 0x31};
    while (atomic_load(&slave->step) < 2) {
        if (write(slave->fd, noise, sizeof noise) > 0 && atomic_load(&slave->step) == 0)
            atomic_store(&slave->step, 1);
        poll(NULL, 0, 1);
    }
    return NULL;
}

static void test_babble(void **state)
{
    (void)state;
    struct bench bench;
    pthread_t babbler;
    bench_open_rtu(&bench, answer_good);
    bench.options.baud = 1200; /* a long silence, that no pause of the babbler reaches */
    bench.driver->close(bench.link);
    bench_connect(&bench);
    assert_int_equal(pthread_create(&babbler, NULL, babble, &bench.slave), 0);
    while (atomic_load(&bench.slave.step) == 0)
        poll(NULL, 0, 1);
    int64_t before_us = rh_mono_us();
    assert_int_equal(poll_unit(&bench, 1, 0, 2), RH_POLL_GARBAGE);
    assert_in_range(rh_mono_us() - before_us, 490 * ms, 700 * ms);
    assert_int_equal(atomic_load(&bench.slave.requests), 0);
    atomic_store(&bench.slave.step, 2);
    pthread_join(babbler, NULL);
    assert_int_equal(poll_unit(&bench, 1, 0, 2), RH_POLL_OK);
    bench_close(&bench);
}

/* ---- late answers ---- */

/* Closed until the answer comes; other units and functions go on; then it is the answer of its own block. */
static void test_late_answer_finds_its_block(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_150_ms_late);
    assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_TIMEOUT);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_CLOSED);
    assert_true(bench.result.closed_until_us > rh_mono_us());
    assert_true(bench.result.closed_until_us < rh_mono_us() + 300 * ms);
    assert_int_equal(atomic_load(&bench.slave.requests), 1);
    assert_int_equal(poll_unit(&bench, 1, 16, 8), RH_POLL_OK); /* another function */
    int64_t deadline_us = rh_mono_us() + 1000 * ms;
    while (bench.lates == 0 && rh_mono_us() < deadline_us)
        assert_int_equal(poll_unit(&bench, 2, 4, 3), RH_POLL_OK);
    assert_int_equal(bench.lates, 1);
    assert_int_equal(bench.last_late.address, 4);
    assert_int_equal(bench.last_late.unit, 1);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_OK); /* free again */
    assert_int_equal(bench.wrong, 0);
    assert_int_equal(rh_counted(&bench.counters.late), 1);
    assert_int_equal(rh_counted(&bench.counters.foreign), 0);
    bench_close(&bench);
}

/* The answer lies in the buffer at the next poll: the pair is free again in that very poll. */
static void test_late_answer_frees_its_own_poll(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_150_ms_late);
    assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_TIMEOUT);
    rh_sleep_until(bench.result.start_us + 170 * ms);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_OK);
    assert_int_equal(bench.lates, 1);
    assert_int_equal(bench.readings, 6);
    assert_int_equal(bench.wrong, 0);
    bench_close(&bench);
}

static void test_late_exception(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_exception_150_ms_late);
    assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_TIMEOUT);
    rh_sleep_until(bench.result.start_us + 170 * ms);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_OK);
    assert_int_equal(bench.lates, 0);
    assert_int_equal(bench.readings, 3);
    assert_int_equal(rh_counted(&bench.counters.late), 1);
    bench_close(&bench);
}

/* Read long after its window: nobody knows when it came, so it is counted and is no value. */
static void test_stale_answer_is_no_value(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_rtu(&bench, answer_150_ms_late);
    assert_int_equal(poll_unit(&bench, 1, 4, 3), RH_POLL_TIMEOUT);
    rh_sleep_until(bench.result.start_us + 400 * ms);
    assert_int_equal(poll_unit(&bench, 1, 8, 3), RH_POLL_OK);
    assert_int_equal(bench.lates, 0);
    assert_int_equal(bench.readings, 3);
    assert_int_equal(bench.wrong, 0);
    assert_int_equal(rh_counted(&bench.counters.late), 1);
    bench_close(&bench);
}

/* A tenth is lost, three tenths late by up to what the window allows; all blocks have the same shape. */
static void answer_by_chance(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    size_t len = good_answer(slave, request, frame);
    int chance = rand_r(&slave->seed) % 10;
    int64_t late_us = 30 * ms + rand_r(&slave->seed) % (130 * ms);
    if (chance == 0)
        return;
    if (chance <= 3)
        send_later(slave, late_us, frame, len);
    else
        send_now(slave, frame, len);
}

static void test_never_a_wrong_value(void **state)
{
    (void)state;
    struct bench bench;
    unsigned seed = (unsigned)rh_mono_us();
    print_message("seed %u\n", seed);
    bench_conf(&bench, &rh_driver_modbus_rtu);
    bench.options.timeout_ms = 20;
    bench.slave.seed = seed;
    bench_pty(&bench);
    atomic_store(&bench.slave.answer, answer_by_chance);
    slave_start(&bench.slave);
    bench_connect(&bench);
    unsigned good = 0;
    int64_t deadline_us = rh_mono_us() + 60000 * ms;
    for (unsigned i = 0; atomic_load(&bench.slave.requests) < 400 && rh_mono_us() < deadline_us; i++) {
        enum rh_poll_outcome outcome = poll_unit(&bench, 1 + i % UNITS, 3 * (i / UNITS % 5), 3);
        good += outcome == RH_POLL_OK;
        if (outcome == RH_POLL_CLOSED)
            poll(NULL, 0, 1); /* as a poller with nothing to do would */
    }
    print_message("%u good, %u late, %u wrong of %d requests\n", good, bench.lates, bench.wrong,
                  atomic_load(&bench.slave.requests));
    assert_int_equal(bench.wrong, 0);
    assert_true(good > 150 && bench.lates > 30);
    assert_int_equal(bench.readings, 3 * (good + bench.lates));
    bench_close(&bench);
}

/* ---- silence ---- */

static int compare_gaps(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void silence_at(int64_t baud, int64_t least_us)
{
    struct bench bench;
    bench_conf(&bench, &rh_driver_modbus_rtu);
    bench.options.baud = baud;
    bench_pty(&bench);
    slave_start(&bench.slave);
    bench_connect(&bench);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(poll_unit(&bench, 1, 0, 8), RH_POLL_OK);
    bench_close(&bench);
    int64_t *gaps = bench.slave.gaps_us;
    size_t n = bench.slave.n_gaps;
    assert_int_equal(n, 39);
    qsort(gaps, n, sizeof *gaps, compare_gaps);
    print_message("%lld baud: silence %lld us at least, %lld median; %lld wanted\n", (long long)baud,
                  (long long)gaps[0], (long long)gaps[n / 2], (long long)least_us);
    assert_true(gaps[0] >= least_us - 50);
    assert_true(gaps[n / 2] < least_us + 2000);
}

static void test_silence_before_requests(void **state)
{
    (void)state;
    silence_at(9600, 3646);
    silence_at(115200, 1750);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_answers),
        cmocka_unit_test(test_what_surrounds_an_answer),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_damaged_answers),
        cmocka_unit_test(test_babble),
        cmocka_unit_test(test_late_answer_finds_its_block),
        cmocka_unit_test(test_late_answer_frees_its_own_poll),
        cmocka_unit_test(test_late_exception),
        cmocka_unit_test(test_stale_answer_is_no_value),
        cmocka_unit_test(test_never_a_wrong_value),
        cmocka_unit_test(test_silence_before_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
