/* SPDX-License-Identifier: MIT */
/* The keeper's thread with a real store: values to a broker that is there, requests of any thread, removal.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "gateway/keeper.h"
#include "gateway/passing.h"
#include "tests/unit/gateway/home.h"

#define DEADLINE_US 20000000
#define FLOOD 20000

struct bench {
    struct home *home;
    struct rh_line_conf *line;
    struct rh_ring *passing;
    rh_gauge connected;
    int bell;
    struct rh_keeper *keeper;
    struct rh_source *source;
    char buffer[RH_PASSING_BYTES];
    char topic[128], payload[64];
};

static struct bench *start(uint32_t n_points, size_t passing_bytes, bool data)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench->home = home_new(64 << 20);
    bench->line = home_line(2, n_points);
    assert_int_equal(rh_bell_open(&bench->bell), 0);
    assert_int_equal(rh_ring_new(passing_bytes, bench->bell, &bench->passing), 0);
    struct rh_keeper_options options = {.gateway = "g",
                                        .root = "r",
                                        .commit_interval_ms = 20,
                                        .data = data,
                                        .values = true,
                                        .passing = bench->passing,
                                        .connected = &bench->connected,
                                        .uplink_bell = bench->bell};
    assert_int_equal(rh_keeper_new(&options, bench->home->store, &bench->home->shared, &bench->keeper), 0);
    assert_int_equal(rh_keeper_start(bench->keeper), 0);
    assert_int_equal(rh_source_new(bench->line, rh_keeper_bell(bench->keeper), true, &bench->source), 0);
    rh_keeper_add(bench->keeper, bench->source);
    return bench;
}

/* The store is opened again, to be read. */
static void stop(struct bench *bench)
{
    if (bench->source) {
        assert_int_equal(rh_keeper_remove(bench->keeper, bench->source), 0);
        rh_source_free(bench->source);
    }
    rh_keeper_free(bench->keeper);
    home_reopen(bench->home);
}

static void end(struct bench *bench)
{
    home_free(bench->home);
    home_line_free(bench->line);
    rh_ring_free(bench->passing);
    close(bench->bell);
    free(bench);
}

static bool take(struct bench *bench)
{
    const char *topic;
    const void *payload;
    size_t len;

    if (!rh_passing_take(bench->passing, bench->buffer, &topic, &payload, &len))
        return false;
    assert_true(len < sizeof(bench->payload));
    snprintf(bench->topic, sizeof(bench->topic), "%.127s", topic);
    memcpy(bench->payload, payload, len);
    bench->payload[len] = '\0';
    return true;
}

/* The next message that passes, waited for. */
static void await_value(struct bench *bench)
{
    int64_t until_us = rh_mono_us() + DEADLINE_US;

    while (!take(bench)) {
        struct pollfd bell = {.fd = bench->bell, .events = POLLIN};
        assert_true(rh_mono_us() < until_us);
        if (poll(&bell, 1, 1000) > 0)
            rh_bell_clear(bench->bell);
    }
}

/* Until so many readings are in the store. */
static void await_readings(struct bench *bench, int64_t goal)
{
    const struct rh_keeper_view *view = rh_keeper_view(bench->keeper);
    int64_t until_us = rh_mono_us() + DEADLINE_US;

    while (rh_gauge_get(&view->readings) < goal) {
        struct pollfd bell = {.fd = bench->bell, .events = POLLIN};
        assert_true(rh_mono_us() < until_us);
        if (poll(&bell, 1, 1000) > 0)
            rh_bell_clear(bench->bell);
    }
}

static void values_when_somebody_is_there(void **state)
{
    struct bench *bench = start(2, 65536, true);

    (void)state;
    home_push(bench->source, 0, 5, 1000);
    home_push(bench->source, 3, 6, 1000);
    await_readings(bench, 2);
    assert_false(take(bench)); /* nobody is there: the values wait in memory */
    rh_gauge_set(&bench->connected, 1);
    rh_bell_ring(rh_keeper_bell(bench->keeper));
    await_value(bench);
    assert_string_equal(bench->topic, "r/value/d0/p0");
    assert_string_equal(bench->payload, "5");
    await_value(bench);
    assert_string_equal(bench->topic, "r/value/d1/p1");
    home_push(bench->source, 0, 7, 1001);
    await_value(bench);
    assert_string_equal(bench->payload, "7");
    rh_keeper_refresh_values(bench->keeper); /* the next connect: all of them once */
    await_value(bench);
    await_value(bench);
    stop(bench);
    assert_false(take(bench));
    struct home_mail mail = home_fly(bench->home);
    for (size_t i = 0; i < mail.n; i++) /* state, not history: never from the store */
        assert_null(strstr(mail.at[i].topic, "/value/"));
    home_mail_free(&mail);
    end(bench);
}

/* More values than the way to the uplink holds: none is left out. */
static void all_values_come(void **state)
{
    enum { POINTS = 300 };
    struct bench *bench = start(POINTS, 1024, false);
    bool came[2 * POINTS] = {false};
    size_t n = 0;

    (void)state;
    rh_gauge_set(&bench->connected, 1);
    for (uint32_t p = 0; p < 2 * POINTS; p++)
        home_push(bench->source, p, p, 1000);
    while (n < RH_COUNT(came)) {
        unsigned long device, point;
        await_value(bench);
        assert_int_equal(sscanf(bench->topic, "r/value/d%lu/p%lu", &device, &point), 2);
        unsigned long p = device * POINTS + point;
        assert_int_equal(strtoul(bench->payload, NULL, 10), p);
        assert_false(came[p]);
        came[p] = true;
        n++;
        rh_bell_ring(rh_keeper_bell(bench->keeper));
    }
    stop(bench);
    struct home_mail mail = home_fly(bench->home);
    for (size_t i = 0; i < mail.n; i++) /* without a format of history there is none */
        assert_int_not_equal(mail.at[i].kind, RH_BATCH_DATA);
    home_mail_free(&mail);
    end(bench);
}

static void *flood(void *context)
{
    struct bench *bench = context;

    for (int i = 0; i < FLOOD; i++) {
        rh_keeper_refresh(bench->keeper);
        rh_keeper_refresh_values(bench->keeper);
    }
    return NULL;
}

/* However often it is asked, by whichever thread, while the keeper cannot look: nothing breaks, one answer.
 */
static void a_flood_of_requests(void **state)
{
    struct bench *bench = start(2, 65536, true);
    pthread_t threads[2];
    size_t metas = 0;

    (void)state;
    for (size_t i = 0; i < RH_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flood, bench), 0);
    for (int64_t i = 0; i < 200; i++)
        home_push(bench->source, 1, i, 1000 + i);
    for (size_t i = 0; i < RH_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    await_readings(bench, 200);
    stop(bench);
    struct home_mail mail = home_fly(bench->home);
    for (size_t i = 0; i < mail.n; i++)
        metas += strcmp(mail.at[i].topic, "r/meta/d1") == 0;
    assert_in_range(metas, 1, FLOOD / 10); /* as often as it commits, not as often as it is asked */
    home_mail_free(&mail);
    end(bench);
}

/* What a line leaves: its last readings are stored; of what is gone the retained messages are cleared. */
static void removal(void **state)
{
    struct bench *bench = start(2, 65536, true);
    bool cleared[2] = {false};
    size_t data = 0;

    (void)state;
    rh_gauge_set(&bench->connected, 1);
    for (int64_t i = 0; i < 3000; i++) {
        struct rh_record record = {.kind = RH_RECORD_READING,
                                   .reading = {.point = 3, .wall_ms = i, .value = {.kind = RH_VALUE_I64}}};
        record.reading.value.i64 = i;
        while (!rh_ring_offer(bench->source->ring, &record,
                              offsetof(struct rh_record, reading) + rh_reading_size(&record.reading)))
            rh_sleep_until(rh_mono_us() + 500);
    }
    bench->source->devices[1].gone = true;
    assert_int_equal(rh_keeper_remove(bench->keeper, bench->source), 0);
    rh_source_free(bench->source); /* at once: the keeper has let go */
    bench->source = NULL;
    while (take(bench)) {
        if (*bench->payload)
            continue;
        assert_true(strncmp(bench->topic, "r/value/d1/p", 12) == 0);
        cleared[bench->topic[12] == '1'] = true;
    }
    assert_true(cleared[0] && cleared[1]);
    rh_keeper_refresh(bench->keeper);
    rh_keeper_refresh_values(bench->keeper);
    stop(bench);
    struct home_mail mail = home_fly(bench->home);
    bool meta_cleared = false, other_stays = false;
    for (size_t i = 0; i < mail.n; i++) {
        size_t s;
        json_t *scan;

        meta_cleared |= strcmp(mail.at[i].topic, "r/meta/d1") == 0 && mail.at[i].len == 0;
        other_stays |= strcmp(mail.at[i].topic, "r/meta/d0") == 0 && mail.at[i].len > 0;
        json_array_foreach(json_object_get(mail.at[i].json, "readings"), s, scan)
        {
            json_t *value = json_object_get(json_object_get(scan, "v"), "p1");
            assert_int_equal(json_integer_value(value), data);
            data++;
        }
    }
    assert_int_equal(data, 3000);
    assert_true(meta_cleared && other_stays);
    home_mail_free(&mail);
    end(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_when_somebody_is_there),
        cmocka_unit_test(all_values_come),
        cmocka_unit_test(a_flood_of_requests),
        cmocka_unit_test(removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
