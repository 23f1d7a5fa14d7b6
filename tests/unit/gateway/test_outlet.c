/* SPDX-License-Identifier: MIT */
/* From the poller into the ring: what passes, what is known of a point, and that a drop is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/outlet.h"
#include "gateway/record.h"
#include "tests/unit/gateway/home.h"

struct bench {
    struct rh_line_conf *line;
    struct rh_ring *ring;
    struct rh_outlet outlet;
    rh_counter counted;
};

static struct bench *new_bench(size_t bytes)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->line = home_line(2, 3);
    assert_int_equal(rh_ring_new(bytes, -1, &bench->ring), 0);
    assert_int_equal(rh_outlet_init(&bench->outlet, bench->line, bench->ring, &bench->counted), 0);
    return bench;
}

static void free_bench(struct bench *bench)
{
    rh_outlet_fini(&bench->outlet);
    rh_ring_free(bench->ring);
    home_line_free(bench->line);
    free(bench);
}

static void read_one(struct bench *bench, uint32_t point, struct rh_value value)
{
    struct rh_reading reading = {.point = point, .mono_us = 1000, .value = value};

    rh_outlet_reading(&bench->outlet, &reading);
}

static void expect_reading(struct bench *bench, uint32_t point, enum rh_quality quality, uint8_t detail)
{
    struct rh_record record;

    assert_true(rh_ring_pop(bench->ring, &record, sizeof(record)) > 0);
    assert_int_equal(record.kind, RH_RECORD_READING);
    assert_int_equal(record.reading.point, point);
    assert_int_equal(record.reading.quality, quality);
    assert_int_equal(record.reading.detail, detail);
    assert_true(record.reading.mono_us > 0);
}

static void expect_state(struct bench *bench, uint32_t device, bool online)
{
    struct rh_record record;

    assert_true(rh_ring_pop(bench->ring, &record, sizeof(record)) > 0);
    assert_int_equal(record.kind, RH_RECORD_DEVICE);
    assert_int_equal(record.device.device, device);
    assert_int_equal(record.device.online, online);
}

static void qualities(void **state)
{
    struct bench *bench = new_bench(65536);
    const uint32_t points[] = {4, 1};

    (void)state;
    home_point(bench->line, 4)->class_ = RH_CLASS_URGENT;
    rh_outlet_quality(&bench->outlet, points, 2, RH_EXCEPTION, 4);
    expect_reading(bench, 4, RH_EXCEPTION, 4);
    expect_reading(bench, 1, RH_EXCEPTION, 4);
    rh_outlet_quality(&bench->outlet, points, 2, RH_EXCEPTION, 4); /* the same again is no news */
    assert_int_equal(rh_ring_count(bench->ring), 0);
    rh_outlet_quality(&bench->outlet, points, 1, RH_EXCEPTION, 2);
    expect_reading(bench, 4, RH_EXCEPTION, 2);
    assert_true(rh_outlet_is(&bench->outlet, 1, RH_EXCEPTION));
    assert_false(rh_outlet_is(&bench->outlet, 1, RH_GOOD));
    assert_false(rh_outlet_is(&bench->outlet, 0, RH_GOOD)); /* never heard of */
    assert_int_equal(rh_counted(&bench->counted), 3);
    free_bench(bench);
}

static void a_device_goes(void **state)
{
    struct bench *bench = new_bench(65536);

    (void)state;
    rh_outlet_offline(&bench->outlet, 1);
    for (uint32_t p = 3; p < 6; p++)
        expect_reading(bench, p, RH_OFFLINE, 0);
    expect_state(bench, 1, false);
    rh_outlet_still_offline(&bench->outlet, 1);
    assert_int_equal(rh_ring_count(bench->ring), 0);
    rh_outlet_state(&bench->outlet, 1, true);
    expect_state(bench, 1, true);
    free_bench(bench);
}

/* What a command calls the old value. */
static void numbers(void **state)
{
    static const struct rh_value values[] = {
        {.kind = RH_VALUE_I64, .i64 = INT64_MIN}, {.kind = RH_VALUE_U64, .u64 = UINT64_MAX},
        {.kind = RH_VALUE_F64, .f64 = -0.5},      {.kind = RH_VALUE_F32, .f64 = 20.5},
        {.kind = RH_VALUE_BOOL, .boolean = true}, {.kind = RH_VALUE_BOOL, .boolean = false}};
    struct bench *bench = new_bench(65536);
    struct rh_value known;

    (void)state;
    assert_false(rh_outlet_number(&bench->outlet, 0, &known));
    for (size_t i = 0; i < RH_COUNT(values); i++) {
        read_one(bench, 0, values[i]);
        assert_true(rh_outlet_number(&bench->outlet, 0, &known));
        assert_true(rh_value_equal(&known, &values[i]));
    }
    const uint32_t point = 0;
    rh_outlet_quality(&bench->outlet, &point, 1, RH_TIMEOUT, 0);
    assert_false(rh_outlet_number(&bench->outlet, 0, &known)); /* it was that, nobody knows what it is */
    read_one(bench, 1, (struct rh_value){.kind = RH_VALUE_TEXT, .text_len = 1, .text = "5"});
    assert_false(rh_outlet_number(&bench->outlet, 1, &known));
    home_point(bench->line, 2)->has_max = true;
    home_point(bench->line, 2)->max = 10;
    read_one(bench, 2, (struct rh_value){.kind = RH_VALUE_I64, .i64 = 11});
    assert_false(rh_outlet_number(&bench->outlet, 2, &known));
    assert_true(rh_outlet_is(&bench->outlet, 2, RH_INVALID));
    free_bench(bench);
}

static void drops_are_noticed(void **state)
{
    struct bench *bench = new_bench(128);

    (void)state;
    rh_outlet_state(&bench->outlet, 0, true);
    assert_false(bench->outlet.dropped);
    read_one(bench, 0, (struct rh_value){.kind = RH_VALUE_I64, .i64 = 1});
    read_one(bench, 1, (struct rh_value){.kind = RH_VALUE_I64, .i64 = 1});
    assert_true(bench->outlet.dropped); /* the state, perhaps */
    assert_true(rh_ring_dropped(bench->ring) > 0);
    free_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qualities),
        cmocka_unit_test(a_device_goes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(drops_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
