/* SPDX-License-Identifier: MIT */
/*
 * From the streams into a real store, which fails now and then because the file system takes no more: every
 * reading arrives once and in order, and seq has no gap.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "gateway/commit.h"
#include "tests/unit/gateway/home.h"
#include "tests/unit/random.h"

#define MIB (INT64_C(1024) * 1024)

static const struct rh_source_limits limits = {.payload_bytes = RH_MESSAGE_BYTES, .overhead_bytes = 512};

struct bench {
    struct home *home;
    struct rh_line_conf *line;
    struct rh_source *source;
    struct rh_commit *commit;
};

static struct bench open_bench(int64_t max_size_bytes, struct rh_line_conf *line)
{
    struct bench bench = {.home = home_new(max_size_bytes), .line = line};

    assert_int_equal(rh_source_new(line, -1, false, &bench.source), 0);
    assert_int_equal(rh_commit_new("g", "railhead/g", bench.home->store, &bench.commit), 0);
    return bench;
}

static void close_bench(struct bench *bench)
{
    rh_commit_free(bench->commit);
    rh_commit_free(NULL);
    rh_source_free(bench->source);
    home_free(bench->home);
    home_line_free(bench->line);
}

/* From now on no file grows beyond `bytes`: writing fails as on a full disk. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int commit_failing(struct bench *bench, bool all)
{
    limit_files(0);
    int r = rh_commit_sources(bench->commit, bench->source, all);
    limit_files(RLIM_INFINITY);
    return r;
}

static void commit_well(struct bench *bench, bool all)
{
    assert_int_equal(rh_commit_sources(bench->commit, bench->source, all), 0);
}

static void take_all(struct bench *bench)
{
    enum rh_take take;

    while ((take = rh_source_take(bench->source, &limits)) != RH_TAKE_EMPTY)
        if (take == RH_TAKE_FULL)
            commit_well(bench, false);
}

static int64_t integer_of(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Checks one data message and moves on the values that are expected of its device's points. */
static void check_data(const struct bench *bench, const struct home_message *message, int64_t *next)
{
    const char *device = json_string_value(json_object_get(message->json, "dev")), *name;
    uint32_t d = (uint32_t)strtoul(device + 1, NULL, 10);
    size_t i;
    json_t *scan, *value;

    assert_string_equal(message->topic, bench->line->devices[d].data_topic);
    assert_true(message->len <= RH_MESSAGE_BYTES);
    assert_false(message->retain);
    assert_string_equal(json_string_value(json_object_get(message->json, "gw")), "g");
    assert_string_equal(json_string_value(json_object_get(message->json, "epoch")),
                        rh_store_epoch(bench->home->store));
    json_array_foreach(json_object_get(message->json, "readings"), i, scan)
    {
        json_object_foreach(json_object_get(scan, "v"), name, value)
        {
            uint32_t p = bench->line->devices[d].first_point + (uint32_t)strtoul(name + 1, NULL, 10);
            assert_int_equal(json_integer_value(value), next[p]++);
            assert_int_equal(message->qos, bench->line->points[p].qos);
        }
    }
}

static void check_mail(const struct bench *bench, int64_t *next, uint64_t *seq)
{
    struct home_mail mail = home_fly(bench->home);

    for (size_t i = 0; i < mail.n; i++) {
        if (mail.at[i].kind != RH_BATCH_DATA)
            continue;
        assert_int_equal(integer_of(mail.at[i].json, "seq"), *seq);
        ++*seq;
        check_data(bench, &mail.at[i], next);
    }
    home_mail_free(&mail);
}

/* The keeper's day, with a store that fails half of the time. */
static void nothing_is_lost(void **state)
{
    enum { DEVICES = 5, POINTS = 4 };
    uint64_t seed = random_seed("nothing_is_lost"), failures = 0;

    (void)state;
    for (int round = 0; round < 6; round++) {
        struct rh_line_conf *line = home_line(DEVICES, POINTS);
        int64_t pushed[DEVICES * POINTS] = {0}, next[DEVICES * POINTS] = {0}, total = 0;

        for (uint32_t p = 0; p < DEVICES * POINTS; p++) {
            home_point(line, p)->qos = (int)random_below(&seed, 3);
            if (random_below(&seed, 4) == 0)
                home_point(line, p)->class_ = RH_CLASS_URGENT;
        }
        struct bench bench = open_bench(64 * MIB, line);
        uint64_t seq = rh_store_next_seq(bench.home->store);
        for (int step = 0; step < 150; step++) {
            for (uint64_t n = random_below(&seed, 300); n > 0; n--) {
                uint32_t p = (uint32_t)random_below(&seed, random_below(&seed, 2) ? 2 : DEVICES * POINTS);
                home_push(bench.source, p, pushed[p]++, 1700000000000 + step * 100);
                total++;
            }
            bool works = random_below(&seed, 2), full = false;
            while (!full) {
                enum rh_take take = rh_source_take(bench.source, &limits);
                if (take == RH_TAKE_EMPTY)
                    break;
                if (take == RH_TAKE_FULL && works)
                    commit_well(&bench, false);
                else
                    full = take == RH_TAKE_FULL;
            }
            bool all = random_below(&seed, 2);
            if (works)
                commit_well(&bench, all);
            else
                failures += commit_failing(&bench, all) < 0;
            if (rh_ring_count(bench.source->ring) > 3000)
                take_all(&bench);
        }
        take_all(&bench);
        commit_well(&bench, true);
        check_mail(&bench, next, &seq);
        assert_int_equal(seq, rh_store_next_seq(bench.home->store));
        for (uint32_t p = 0; p < DEVICES * POINTS; p++)
            assert_int_equal(next[p], pushed[p]);
        assert_int_equal(rh_commit_counts(bench.commit)->readings, total);
        assert_int_equal(rh_ring_dropped(bench.source->ring), 0);
        close_bench(&bench);
    }
    assert_true(failures > 100);
}

/* Only the urgent and the full ones go before their time. */
static void urgent_at_once(void **state)
{
    struct rh_line_conf *line = home_line(2, 2);

    (void)state;
    home_point(line, 1)->class_ = RH_CLASS_URGENT;
    struct bench bench = open_bench(64 * MIB, line);
    home_push(bench.source, 0, 0, 0);
    home_push(bench.source, 1, 0, 0);
    home_push(bench.source, 2, 0, 0);
    take_all(&bench);
    commit_well(&bench, false);
    assert_int_equal(rh_commit_counts(bench.commit)->batches, 1);
    struct home_mail mail = home_fly(bench.home);
    assert_int_equal(mail.n, 1);
    assert_string_equal(mail.at[0].topic, "t/d0");
    home_mail_free(&mail);
    commit_well(&bench, false);
    assert_int_equal(rh_commit_counts(bench.commit)->batches, 1);
    close_bench(&bench);
}

/* In one commit with others, the urgent ones fly first, of whatever device and line. */
static void urgent_first(void **state)
{
    struct rh_line_conf *line = home_line(6, 2);

    (void)state;
    home_point(line, 11)->class_ = RH_CLASS_URGENT;
    struct bench bench = open_bench(64 * MIB, line);
    struct rh_source *second = NULL;
    struct rh_line_conf *other = home_line(1, 1);
    home_point(other, 0)->class_ = RH_CLASS_URGENT;
    assert_int_equal(rh_source_new(other, -1, false, &second), 0);
    bench.source->next = second;
    for (uint32_t p = 0; p < 12; p++)
        home_push(bench.source, p, 0, 0);
    home_push(second, 0, 0, 0);
    take_all(&bench);
    assert_int_equal(rh_source_take(second, &limits), RH_TAKE_URGENT);
    commit_well(&bench, true);
    struct home_mail mail = home_fly(bench.home);
    size_t first = 0;
    while (first < mail.n && mail.at[first].kind != RH_BATCH_DATA)
        first++;
    assert_int_equal(mail.n - first, 6 + 1 + 1);
    assert_string_equal(mail.at[first].topic, "t/d5");
    assert_non_null(json_object_get(
        json_object_get(json_array_get(json_object_get(mail.at[first].json, "readings"), 0), "v"), "p1"));
    assert_string_equal(mail.at[first + 1].topic, "t/d0");
    assert_string_equal(mail.at[first + 2].topic, "t/d0");
    home_mail_free(&mail);
    rh_source_free(second);
    home_line_free(other);
    close_bench(&bench);
}

/* Meta and state: written with the next full commit, kept until it worked, once. */
static void retained_messages(void **state)
{
    struct bench bench = open_bench(64 * MIB, home_line(3, 2));

    (void)state;
    commit_well(&bench, false); /* not worth a commit of their own */
    assert_int_equal(rh_commit_counts(bench.commit)->batches, 0);
    assert_true(commit_failing(&bench, true) < 0);
    assert_int_equal(rh_commit_counts(bench.commit)->failed, 1);
    assert_true(bench.source->devices[2].meta_due);
    commit_well(&bench, true);
    assert_false(bench.source->devices[2].meta_due);
    struct home_mail mail = home_fly(bench.home);
    assert_int_equal(mail.n, 3);
    assert_string_equal(mail.at[0].topic, "railhead/g/meta/d0");
    assert_true(mail.at[0].retain && mail.at[0].qos == 1 && mail.at[0].kind == RH_BATCH_STATE);
    assert_string_equal(json_string_value(json_object_get(mail.at[2].json, "dev")), "d2");
    home_mail_free(&mail);

    home_push_state(bench.source, 1, true);
    take_all(&bench);
    assert_true(commit_failing(&bench, true) < 0);
    commit_well(&bench, true);
    commit_well(&bench, true);
    mail = home_fly(bench.home);
    assert_int_equal(mail.n, 1);
    assert_string_equal(mail.at[0].topic, "railhead/g/state/d1");
    assert_string_equal(mail.at[0].text, "online");
    assert_true(mail.at[0].retain);
    home_mail_free(&mail);

    rh_source_refresh(bench.source);
    home_push_state(bench.source, 1, false);
    take_all(&bench);
    commit_well(&bench, true);
    mail = home_fly(bench.home);
    assert_int_equal(mail.n, 4);
    home_mail_free(&mail);

    bench.source->devices[1].gone = true;
    assert_int_equal(rh_commit_gone(bench.commit, bench.source), 0);
    mail = home_fly(bench.home);
    assert_int_equal(mail.n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(mail.at[i].len == 0 && mail.at[i].retain);
    assert_string_equal(mail.at[0].topic, "railhead/g/state/d1");
    assert_string_equal(mail.at[1].topic, "railhead/g/meta/d1");
    home_mail_free(&mail);
    close_bench(&bench);
}

/* More than one transaction of a small store holds: several transactions, not a failure for good. */
static void many_full_streams(void **state)
{
    enum { DEVICES = 40 };
    struct bench bench = open_bench(MIB, home_line(DEVICES, 1));
    int64_t next[DEVICES] = {0}, pushed = 0;
    uint64_t seq = rh_store_next_seq(bench.home->store);

    (void)state;
    for (; pushed < 170; pushed++) {
        for (uint32_t d = 0; d < DEVICES; d++)
            home_push(bench.source, d, pushed, 1700000000000 + pushed * 1000);
        while (rh_source_take(bench.source, &limits) == RH_TAKE_READING)
            continue;
    }
    assert_true(bench.source->streams[0].payload_bytes > 14000);
    assert_true(DEVICES * (size_t)7000 > rh_store_commit_max(bench.home->store));
    commit_well(&bench, true);
    assert_true(rh_commit_counts(bench.commit)->commits > 1);
    check_mail(&bench, next, &seq);
    for (uint32_t d = 0; d < DEVICES; d++)
        assert_int_equal(next[d], pushed);
    close_bench(&bench);
}

/* Thousands of points make a meta that nobody wants in one message: left out, and nothing else with it. */
static void meta_of_a_giant(void **state)
{
    struct bench bench = open_bench(MIB, home_line(1, 5000));
    int64_t next[5000] = {0};
    uint64_t seq = rh_store_next_seq(bench.home->store);

    (void)state;
    home_push(bench.source, 4999, 0, 0);
    take_all(&bench);
    commit_well(&bench, true);
    assert_false(bench.source->devices[0].meta_due);
    check_mail(&bench, next, &seq);
    assert_int_equal(next[4999], 1);
    close_bench(&bench);

    bench = open_bench(MIB, home_line(10, 500)); /* large ones go, one by one if need be */
    commit_well(&bench, true);
    struct home_mail mail = home_fly(bench.home);
    assert_int_equal(mail.n, 10);
    home_mail_free(&mail);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),   cmocka_unit_test(urgent_at_once),
        cmocka_unit_test(urgent_first),      cmocka_unit_test(retained_messages),
        cmocka_unit_test(many_full_streams), cmocka_unit_test(meta_of_a_giant),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
