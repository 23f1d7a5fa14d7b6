/* SPDX-License-Identifier: MIT */
/* Which readings travel on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base.h"
#include "gateway/filter.h"
#include "tests/unit/random.h"

#define MS INT64_C(1000)

static struct rh_reading number(int64_t mono_us, double value)
{
    return (struct rh_reading){.mono_us = mono_us, .value = {.kind = RH_VALUE_F64, .f64 = value}};
}

static struct rh_reading whole(int64_t mono_us, int64_t value)
{
    return (struct rh_reading){.mono_us = mono_us, .value = {.kind = RH_VALUE_I64, .i64 = value}};
}

static struct rh_reading natural(uint64_t value)
{
    return (struct rh_reading){.value = {.kind = RH_VALUE_U64, .u64 = value}};
}

static struct rh_reading words(const char *text)
{
    struct rh_reading reading = {.value = {.kind = RH_VALUE_TEXT, .text_len = (uint8_t)strlen(text)}};

    memcpy(reading.value.text, text, strlen(text));
    return reading;
}

static struct rh_reading bad(int64_t mono_us, enum rh_quality quality, uint8_t detail)
{
    return (struct rh_reading){.mono_us = mono_us, .quality = (uint8_t)quality, .detail = detail};
}

static bool pass(const struct rh_point *point, struct rh_filter_state *state, struct rh_reading reading)
{
    return rh_filter_pass(point, state, &reading);
}

static void every_poll_by_default(void **context)
{
    const struct rh_point point = {.period_ms = 1000};
    struct rh_filter_state state = {0};

    (void)context;
    for (int64_t i = 0; i < 5; i++)
        assert_true(pass(&point, &state, number(i, 230)));
}

static void changes_only(void **context)
{
    const struct rh_point point = {.report = RH_REPORT_CHANGE};
    struct rh_filter_state state = {0};

    (void)context;
    assert_true(pass(&point, &state, whole(0, 0)));
    assert_false(pass(&point, &state, whole(1, 0)));
    assert_true(pass(&point, &state, whole(2, 1)));
    assert_false(pass(&point, &state, whole(3, 1)));
    assert_true(pass(&point, &state, whole(4, 0)));
    assert_true(pass(&point, &state, words("auto")));
    assert_false(pass(&point, &state, words("auto")));
    assert_true(pass(&point, &state, words("auto ")));
    assert_true(pass(&point, &state, words("auto_")));
    assert_true(pass(&point, &state, words("")));
    assert_false(pass(&point, &state, words("")));
    struct rh_reading yes = {.value = {.kind = RH_VALUE_BOOL, .boolean = true}}, no = yes;
    no.value.boolean = false;
    memset((char *)&yes.value.u64 + 1, 0x77, 7); /* a bool is one byte; what lies beside it means nothing */
    assert_true(pass(&point, &state, yes));
    memset((char *)&yes.value.u64 + 1, 0x11, 7);
    assert_false(pass(&point, &state, yes));
    assert_true(pass(&point, &state, no));
}

static void deadband(void **context)
{
    const struct rh_point point = {.report = RH_REPORT_CHANGE, .deadband = 0.5};
    struct rh_filter_state state = {0};

    (void)context;
    assert_true(pass(&point, &state, number(0, 20)));
    assert_false(pass(&point, &state, number(1, 20.4)));
    assert_false(pass(&point, &state, number(2, 20.5))); /* more than the deadband */
    assert_true(pass(&point, &state, number(3, 20.75))); /* from the last one sent, not the last one seen */
    assert_false(pass(&point, &state, number(4, 20.25)));
    assert_true(pass(&point, &state, number(5, 20.2499)));
    assert_true(pass(&point, &state, number(6, -20)));
    assert_true(pass(&point, &state, words("text knows no deadband")));
    assert_true(pass(&point, &state, number(8, -20)));
    for (int step = 0; step < 100; step++) { /* a slow drift is not lost */
        double value = -20 + step * 0.1;
        pass(&point, &state, number(9 + step, value));
        assert_true(fabs(state.number - value) <= 0.5 + 1e-9);
    }
}

/* A double knows 2^53 + 1 no more; a counter does. */
static void sixty_four_bits(void **context)
{
    const struct rh_point change = {.report = RH_REPORT_CHANGE},
                          band = {.report = RH_REPORT_CHANGE, .deadband = 10};
    struct rh_filter_state state = {0};
    const uint64_t big = UINT64_MAX - 1000;

    (void)context;
    assert_true(pass(&change, &state, natural(UINT64_C(1) << 60)));
    assert_true(pass(&change, &state, natural((UINT64_C(1) << 60) + 1)));
    assert_false(pass(&change, &state, natural((UINT64_C(1) << 60) + 1)));
    state = (struct rh_filter_state){0};
    assert_true(pass(&band, &state, natural(big)));
    assert_false(pass(&band, &state, natural(big + 10)));
    assert_true(pass(&band, &state, natural(big + 11)));
    assert_false(pass(&band, &state, natural(big + 1)));
    assert_true(pass(&band, &state, natural(big)));
    state = (struct rh_filter_state){0};
    assert_true(pass(&band, &state, whole(0, INT64_MIN)));
    assert_false(pass(&band, &state, whole(1, INT64_MIN + 10)));
    assert_true(pass(&band, &state, whole(2, INT64_MIN + 11)));
    assert_true(pass(&band, &state, whole(3, INT64_MAX)));
    assert_false(pass(&band, &state, whole(4, INT64_MAX - 10)));
    assert_true(pass(&band, &state, whole(5, INT64_MIN)));
    assert_true(pass(&band, &state, whole(6, -5)));
    assert_false(pass(&band, &state, whole(7, 5)));
    assert_true(pass(&band, &state, whole(8, 6)));
}

/* Polls jitter by a few ms: a heartbeat of 60 s at a period of 1 s is every 60th poll, not every 61st. */
static void heartbeat(void **context)
{
    const struct rh_point point = {.report = RH_REPORT_CHANGE, .period_ms = 1000, .heartbeat_ms = 60000};
    const struct rh_point fast = {.report = RH_REPORT_CHANGE, .heartbeat_ms = 1000};
    struct rh_filter_state state = {0};
    uint64_t seed = random_seed("heartbeat");
    int64_t sent = 0, last_s = 0;

    (void)context;
    for (int64_t s = 0; s <= 600; s++) {
        int64_t jitter_us = (int64_t)random_below(&seed, 60000) - 30000;
        if (!pass(&point, &state, number(s * 1000 * MS + jitter_us, 5)))
            continue;
        assert_int_equal(s - last_s, s == 0 ? 0 : 60);
        last_s = s;
        sent++;
    }
    assert_int_equal(sent, 11);
    state = (struct rh_filter_state){0};
    for (int64_t ms = 0; ms < 10000; ms += 7)
        sent += pass(&fast, &state, number(ms * MS, 5));
    assert_int_equal(sent, 11 + 10);
}

static void qualities(void **context)
{
    const struct rh_point point = {.period_ms = 1000, .heartbeat_ms = 10000};
    struct rh_filter_state state = {0};

    (void)context;
    assert_true(pass(&point, &state, bad(0, RH_TIMEOUT, 0)));
    assert_false(pass(&point, &state, bad(1000 * MS, RH_TIMEOUT, 0)));
    assert_true(pass(&point, &state, bad(2000 * MS, RH_EXCEPTION, 2)));
    assert_false(pass(&point, &state, bad(3000 * MS, RH_EXCEPTION, 2)));
    assert_true(pass(&point, &state, bad(4000 * MS, RH_EXCEPTION, 4)));
    for (int64_t s = 5; s < 13; s++)
        assert_false(pass(&point, &state, bad(s * 1000 * MS, RH_EXCEPTION, 4)));
    assert_true(pass(&point, &state, bad(14000 * MS, RH_EXCEPTION, 4)));
    assert_true(pass(&point, &state, number(15000 * MS, 1)));
    struct rh_reading doubtful = number(16000 * MS, 1);
    doubtful.quality = RH_UNCERTAIN;
    assert_true(pass(&point, &state, doubtful));

    const struct rh_point change = {.report = RH_REPORT_CHANGE, .deadband = 5};
    state = (struct rh_filter_state){0};
    assert_true(pass(&change, &state, number(0, 1)));
    assert_true(pass(&change, &state, bad(1, RH_CRC, 0)));
    assert_true(pass(&change, &state, number(2, 1))); /* the same value, but it is good again */
    assert_false(pass(&change, &state, number(3, 2)));
}

static void limits(void **context)
{
    const struct rh_point point = {.has_min = true, .min = -5, .has_max = true, .max = 30};
    struct rh_filter_state state = {0};

    (void)context;
    struct rh_reading reading = number(0, -5);
    assert_true(rh_filter_pass(&point, &state, &reading));
    assert_int_equal(reading.quality, RH_GOOD);
    reading = number(1, 30);
    assert_true(rh_filter_pass(&point, &state, &reading));
    assert_int_equal(reading.quality, RH_GOOD);
    reading = number(2, 30.001);
    assert_true(rh_filter_pass(&point, &state, &reading));
    assert_int_equal(reading.quality, RH_INVALID);
    assert_int_equal(reading.value.kind, RH_VALUE_NONE);
    reading = whole(3, -6);
    assert_false(rh_filter_pass(&point, &state, &reading)); /* invalid as before */
    reading = whole(4, 0);
    assert_true(rh_filter_pass(&point, &state, &reading));
    assert_int_equal(reading.quality, RH_GOOD);
    reading = words("99");
    assert_true(rh_filter_pass(&point, &state, &reading));
    assert_int_equal(reading.quality, RH_GOOD);
    reading = bad(6, RH_TIMEOUT, 0);
    assert_true(rh_filter_pass(&point, &state, &reading));
    assert_int_equal(reading.quality, RH_TIMEOUT);
}

/* No number is a value: it may not hide inside a deadband. */
static void not_a_number(void **context)
{
    const double no_numbers[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    const struct rh_point point = {.report = RH_REPORT_CHANGE, .deadband = 1, .has_max = true, .max = 100};

    (void)context;
    for (size_t i = 0; i < RH_COUNT(no_numbers); i++) {
        struct rh_filter_state state = {0};
        struct rh_reading reading = number(0, 20);

        assert_true(rh_filter_pass(&point, &state, &reading));
        reading = number(1, no_numbers[i]);
        assert_true(rh_filter_pass(&point, &state, &reading));
        assert_int_equal(reading.quality, RH_NA);
        assert_int_equal(reading.value.kind, RH_VALUE_NONE);
        reading = number(2, no_numbers[i]);
        assert_false(rh_filter_pass(&point, &state, &reading));
        reading = number(3, 20);
        assert_true(rh_filter_pass(&point, &state, &reading));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_poll_by_default),
        cmocka_unit_test(changes_only),
        cmocka_unit_test(deadband),
        cmocka_unit_test(sixty_four_bits),
        cmocka_unit_test(heartbeat),
        cmocka_unit_test(qualities),
        cmocka_unit_test(limits),
        cmocka_unit_test(not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
