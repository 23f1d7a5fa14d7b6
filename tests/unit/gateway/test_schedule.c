/* SPDX-License-Identifier: MIT */
/* The promises of the schedule while all devices answer: rates, overload, round robin, restart, determinism.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "tests/unit/gateway/virtual_line.h"
#include "tests/unit/random.h"

/* 9600 baud 8N1, 5 ms of turnaround. */
static int64_t wire_us(uint32_t points)
{
    return (int64_t)(13 + 2 * points) * 1042 + 5000 + 3646;
}

static int by_period(const void *left, const void *right)
{
    const struct rh_block *a = left, *b = right;

    return (a->period_ms > b->period_ms) - (a->period_ms < b->period_ms);
}

/* Jeffay, Stanat, Martel 1991, theorem 4.1: when transactions that cannot be interrupted meet all their
 * deadlines. Looked at just behind each release, where the demand jumps. */
static bool feasible(const struct virtual_line *line)
{
    size_t n = line->plan.n_blocks;
    struct rh_block sorted[64];

    memcpy(sorted, line->plan.blocks, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_period);
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            for (int64_t at = sorted[j].period_ms * MS; at < sorted[i].period_ms * MS;
                 at += sorted[j].period_ms * MS) {
                int64_t demand = sorted[i].cost_us;
                for (size_t k = 0; k < i; k++)
                    demand += at / (sorted[k].period_ms * MS) * sorted[k].cost_us;
                if (demand > at)
                    return false;
            }
    return true;
}

static void scale_costs(struct virtual_line *line, double factor)
{
    for (size_t b = 0; b < line->plan.n_blocks; b++)
        line->plan.blocks[b].cost_us = 1 + (int64_t)((double)line->plan.blocks[b].cost_us * factor);
}

static struct virtual_line *random_line(uint64_t *seed, double load)
{
    static const int64_t periods_ms[] = {100, 150, 200, 250, 500, 1000, 1000, 2000, 3000, 5000};
    uint32_t n_devices = 1 + (uint32_t)random_below(seed, 12);
    struct virtual_line *line = virtual_new(n_devices);
    size_t n_blocks = 1 + (size_t)random_below(seed, 40);

    for (size_t b = 0; b < n_blocks; b++) {
        uint32_t count = 1 + (uint32_t)random_below(seed, 20);
        virtual_block(line, (uint32_t)random_below(seed, n_devices), count,
                      periods_ms[random_below(seed, RH_COUNT(periods_ms))], wire_us(count));
    }
    scale_costs(line, load / virtual_load(line));
    return line;
}

/* Every block has its rate over `span_us`, and no gap is longer than twice its period. */
static void check_rates(const struct virtual_line *line, int64_t span_us)
{
    for (size_t b = 0; b < line->plan.n_blocks; b++) {
        const struct rh_block *block = &line->plan.blocks[b];
        const struct virtual_point *point = &line->points[block->first];
        int64_t period_us = block->period_ms * MS;

        if (block->period_ms == RH_PERIOD_FASTEST)
            continue;
        if (point->gap_us > 2 * period_us)
            fail_msg("block %zu: gap %lld us at a period of %lld us", b, (long long)point->gap_us,
                     (long long)period_us);
        if ((double)point->good + 2 < 0.999 * (double)span_us / (double)period_us)
            fail_msg("block %zu: %llu polls in %lld us at a period of %lld us", b,
                     (unsigned long long)point->good, (long long)span_us, (long long)period_us);
    }
}

/* P1: a feasible set of blocks, at 0.95 or near it, gets what it asks for. */
static void rates_are_held(void **state)
{
    uint64_t seed = random_seed("rates_are_held");
    double highest = 0;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct virtual_line *line = random_line(&seed, 0.95);

        while (!feasible(line))
            scale_costs(line, 0.95);
        highest = virtual_load(line) > highest ? virtual_load(line) : highest;
        virtual_start(line, (int64_t)random_below(&seed, 1000 * SECOND));
        virtual_run(line, line->now_us + 600 * SECOND);
        check_rates(line, 600 * SECOND);
        assert_int_equal(rh_schedule_missed(line->schedule), 0);
        virtual_free(line);
    }
    printf("highest load %.3f\n", highest);
    assert_true(highest > 0.85);
}

/* More than the line can carry: it is never idle, every block has its turn, and what is left out is counted.
 */
static void overload_is_fair(void **state)
{
    uint64_t seed = random_seed("overload_is_fair");

    (void)state;
    for (int round = 0; round < 40; round++) {
        double load = 1.1 + (double)random_below(&seed, 50) / 10;
        struct virtual_line *line = random_line(&seed, load);
        int64_t pass_us = 0;

        for (size_t b = 0; b < line->plan.n_blocks; b++)
            pass_us += line->plan.blocks[b].cost_us;
        virtual_start(line, 0);
        virtual_run(line, 300 * SECOND);
        assert_true(line->busy_us >= 299 * SECOND - 6 * SECOND);
        for (size_t b = 0; b < line->plan.n_blocks; b++) {
            const struct rh_block *block = &line->plan.blocks[b];
            const struct virtual_point *point = &line->points[block->first];

            if (point->gap_us > 2 * block->period_ms * MS + 2 * pass_us || point->good == 0)
                fail_msg("load %.1f, block %zu: gap %lld us, period %lld ms, pass %lld us", load, b,
                         (long long)point->gap_us, (long long)block->period_ms, (long long)pass_us);
        }
        assert_true(rh_schedule_missed(line->schedule) > 0);
        virtual_free(line);
    }
}

/* Alike in period and cost: alike in turns, however great the overload. */
static void equals_are_treated_alike(void **state)
{
    struct virtual_line *line = virtual_new(7);

    (void)state;
    for (uint32_t d = 0; d < 7; d++)
        virtual_block(line, d, 3, 100, 40 * MS);
    virtual_start(line, 0);
    virtual_run(line, 280 * SECOND);
    for (uint32_t d = 0; d < 7; d++)
        assert_in_range(line->points[3 * d].good, 999, 1001);
    virtual_free(line);
}

/* Nothing else to do: one after the other, without a pause. */
static void fastest_go_round(void **state)
{
    struct virtual_line *line = virtual_new(5);

    (void)state;
    for (uint32_t d = 0; d < 5; d++)
        virtual_block(line, d, 1, RH_PERIOD_FASTEST, (10 + d) * MS);
    virtual_start(line, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(virtual_step(line, RH_NEVER));
        assert_int_equal(virtual_last(line)->device, i % 5);
    }
    assert_int_equal(line->busy_us, line->now_us);
    for (uint32_t d = 0; d < 5; d++)
        assert_int_equal(line->points[d].gap_us, 60 * MS);
    virtual_free(line);
}

/* They take what the periodic blocks leave, and nothing from them. */
static void fastest_fill_the_line(void **state)
{
    uint64_t seed = random_seed("fastest_fill_the_line");

    (void)state;
    for (int round = 0; round < 30; round++) {
        struct virtual_line *line = random_line(&seed, 0.1 + (double)random_below(&seed, 70) / 100);
        uint32_t fastest[6], n = 1 + (uint32_t)random_below(&seed, 6);
        size_t periodic = line->plan.n_blocks;
        double load = virtual_load(line);

        for (uint32_t i = 0; i < n; i++)
            fastest[i] = virtual_block(line, 0, 1, RH_PERIOD_FASTEST, 2 * MS);
        for (size_t b = 0; b < periodic; b++) /* a block may hold up the others by its own length only */
            if (line->plan.blocks[b].cost_us > 10 * MS)
                line->plan.blocks[b].cost_us = 10 * MS;
        virtual_start(line, 0);
        virtual_run(line, 200 * SECOND);
        check_rates(line, 200 * SECOND);
        assert_true(line->busy_us > 199 * SECOND);
        double most = 0, fewest = 1e9;
        for (uint32_t i = 0; i < n; i++) {
            most = fmax(most, (double)line->points[fastest[i]].good);
            fewest = fmin(fewest, (double)line->points[fastest[i]].good);
        }
        assert_true(most - fewest <= 1);
        assert_true(most * n * 0.002 > (1 - load) * 195);
        virtual_free(line);
    }
}

/* Even a line that is asked for the double has a twentieth left for them. */
static void fastest_do_not_starve(void **state)
{
    struct virtual_line *line = virtual_new(2);

    (void)state;
    for (int i = 0; i < 20; i++)
        virtual_block(line, 0, 1, 1000, 100 * MS);
    uint32_t fastest = virtual_block(line, 1, 2, RH_PERIOD_FASTEST, 10 * MS);
    virtual_start(line, 0);
    virtual_run(line, 1000 * SECOND);
    double share = (double)line->points[fastest].good * 0.01 / 1000;
    assert_true(share > 0.02 && share < 0.06);
    assert_true(line->points[fastest].gap_us <= SECOND);
    virtual_free(line);
}

static void urgent_first_at_a_tie(void **state)
{
    struct virtual_line *line = virtual_new(3);

    (void)state;
    for (uint32_t d = 0; d < 3; d++)
        virtual_block(line, d, 1, 1000, 0);
    line->plan.blocks[0].class_ = RH_CLASS_SLOW;
    line->plan.blocks[2].class_ = RH_CLASS_URGENT;
    virtual_start(line, 0);
    for (uint32_t d = 0; d < 3; d++) {
        assert_true(virtual_step(line, SECOND));
        assert_int_equal(virtual_last(line)->device, 2 - d);
    }
    virtual_free(line);
}

/* The starts lie one behind the other, not at the same moment; each within its own period. */
static void starts_are_spread(void **state)
{
    struct virtual_line *line = virtual_new(1);

    (void)state;
    for (int i = 0; i < 30; i++)
        virtual_block(line, 0, 1, 1000, 20 * MS);
    virtual_start(line, 77 * SECOND);
    virtual_run(line, 177 * SECOND);
    for (uint32_t p = 0; p < 30; p++) {
        assert_int_equal(line->points[p].first_us - 77 * SECOND, (p + 1) * 20 * MS);
        assert_int_equal(line->points[p].gap_us, SECOND); /* no jitter at all */
    }
    virtual_free(line);
}

static void missed_releases(void **state)
{
    struct virtual_line *line = virtual_new(1);

    (void)state;
    virtual_block(line, 0, 1, 100, 350 * MS);
    virtual_start(line, 0);
    virtual_run(line, 1); /* serves 0; 100, 200 and 300 pass meanwhile */
    assert_int_equal(line->now_us, 350 * MS);
    assert_int_equal(rh_schedule_missed(line->schedule), 0);
    virtual_run(line, 351 * MS); /* serves one of them */
    assert_int_equal(rh_schedule_missed(line->schedule), 2);
    virtual_free(line);

    line = virtual_new(1); /* a release that comes during its own poll is not missed */
    virtual_block(line, 0, 1, 100, 60 * MS);
    virtual_block(line, 0, 1, 1000, 110 * MS);
    virtual_start(line, 0);
    virtual_run(line, 100 * SECOND);
    assert_int_equal(rh_schedule_missed(line->schedule), 0);
    virtual_free(line);
}

static void nothing_to_do(void **state)
{
    struct virtual_line *line = virtual_new(0);

    (void)state;
    virtual_start(line, 0);
    struct rh_pick pick = rh_schedule_next(line->schedule, 5);
    assert_int_equal(pick.kind, RH_PICK_WAIT);
    assert_true(pick.until_us == RH_NEVER);
    virtual_free(line);
    rh_schedule_free(NULL);
}

/* P8: the same trace in, the same order out, wherever the clock stands. */
static uint64_t trace_of(uint64_t seed, int64_t start_us)
{
    struct virtual_line *line = random_line(&seed, 0.7);

    virtual_block(line, 0, 4, RH_PERIOD_FASTEST, 5 * MS);
    virtual_start(line, start_us);
    for (int phase = 0; phase < 20; phase++) {
        struct virtual_device *device = &line->devices[random_below(&seed, line->conf.n_devices)];

        device->dead = random_below(&seed, 2);
        device->garbage = random_below(&seed, 4) == 0;
        device->exception = (uint8_t)(random_below(&seed, 6) == 0 ? 6 : 0);
        line->points[random_below(&seed, line->plan.n_points)].refused = true;
        virtual_run(line, start_us + (phase + 1) * 10 * SECOND);
        if (phase == 12)
            rh_schedule_restart(line->schedule, line->now_us);
    }
    uint64_t trace = line->trace;
    virtual_free(line);
    return trace;
}

static void same_trace_same_order(void **state)
{
    uint64_t seed = random_seed("same_trace_same_order");

    (void)state;
    for (int round = 0; round < 20; round++) {
        uint64_t one = random_next(&seed);

        assert_true(trace_of(one, 0) == trace_of(one, 0));
        assert_true(trace_of(one, 0) == trace_of(one, 12345678901));
        assert_true(trace_of(one, 0) != trace_of(one + 1, 0));
    }
}

/* A thousand devices cost little time and little memory. */
static void thousand_devices(void **state)
{
    struct virtual_line *line = virtual_new(1000);

    (void)state;
    for (uint32_t d = 0; d < 1000; d++)
        virtual_block(line, d, 10, 60000, 50 * MS);
    for (uint32_t d = 0; d < 1000; d += 2)
        line->devices[d].dead = true;
    virtual_start(line, 0);
    int64_t begin_us = rh_mono_us();
    virtual_run(line, 900 * SECOND);
    double us = (double)(rh_mono_us() - begin_us) / (double)line->reads;
    printf("%.1f us for each of %llu picks\n", us, (unsigned long long)line->reads);
    assert_true(us < 5000);
    for (uint32_t d = 1; d < 1000; d += 2)
        assert_true(line->points[d * 10].good >= 8);
    virtual_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_held),           cmocka_unit_test(overload_is_fair),
        cmocka_unit_test(equals_are_treated_alike), cmocka_unit_test(fastest_go_round),
        cmocka_unit_test(fastest_fill_the_line),    cmocka_unit_test(fastest_do_not_starve),
        cmocka_unit_test(urgent_first_at_a_tie),    cmocka_unit_test(starts_are_spread),
        cmocka_unit_test(missed_releases),          cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(same_trace_same_order),    cmocka_unit_test(thousand_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
