/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base.h"
#include "gateway/backoff.h"
#include "tests/unit/random.h"

#define SECOND INT64_C(1000000)

static struct rh_backoff fresh(uint64_t seed)
{
    return (struct rh_backoff){.min_us = SECOND, .max_us = 120 * SECOND, .random = seed};
}

static void expect(int64_t pause_us, int64_t middle_us)
{
    assert_in_range(pause_us, middle_us / 100 * 80, middle_us / 100 * 120);
}

static void doubles_up_to_the_most(void **state)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 120, 120, 120};
    uint64_t seed = random_seed("doubles_up_to_the_most");

    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct rh_backoff backoff = fresh(random_next(&seed));

        for (int again = 0; again < 2; again++) {
            for (size_t i = 0; i < RH_COUNT(seconds); i++)
                expect(rh_backoff_next(&backoff, 1), seconds[i] * SECOND);
            rh_backoff_reset(&backoff);
        }
    }
}

/* Where trying soon cannot help: longer, but never beyond the most. */
static void stretched(void **state)
{
    static const int64_t seconds[] = {4, 8, 16, 32, 64, 120, 120, 120};
    struct rh_backoff backoff = fresh(7);

    (void)state;
    for (size_t i = 0; i < RH_COUNT(seconds); i++)
        expect(rh_backoff_next(&backoff, 4), seconds[i] * SECOND);
}

/* A thousand gateways do not come back in step, and on average not later than meant. */
static void jitter_spreads(void **state)
{
    uint64_t seed = random_seed("jitter_spreads");
    int low = 0, high = 0;
    int64_t sum_us = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct rh_backoff backoff = fresh(random_next(&seed));
        int64_t pause_us = rh_backoff_next(&backoff, 1);

        low += pause_us < SECOND * 9 / 10;
        high += pause_us > SECOND * 11 / 10;
        sum_us += pause_us;
    }
    assert_in_range(low, 150, 350);
    assert_in_range(high, 150, 350);
    assert_in_range(sum_us / 1000, SECOND * 98 / 100, SECOND * 102 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_most),
        cmocka_unit_test(stretched),
        cmocka_unit_test(jitter_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
