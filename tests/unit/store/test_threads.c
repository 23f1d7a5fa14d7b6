/* SPDX-License-Identifier: MIT */
/*
 * Keeper and uplink at once, each with its connection, under a small cap: nothing is handed out twice or out
 * of order, what is missing was dropped and counted, and the cap holds at every moment that a third thread
 * looks.
 */
#include "store_test.h"

#include <pthread.h>

#define MIB (1024 * 1024)
#define COMMITS 1500

struct scene {
    struct bench *bench;
    _Atomic bool finished;
    uint64_t delivered;
    int64_t largest;
    int failures;
};

static void *keeper(void *context)
{
    struct scene *scene = context;
    static char payloads[4][1500];
    for (int i = 0; i < COMMITS; i++) {
        struct rh_batch batches[4];
        uint64_t seq = rh_store_next_seq(scene->bench->store);
        for (unsigned k = 0; k < 4; k++) {
            snprintf(payloads[k], sizeof(payloads[k]), "%llu", (unsigned long long)(seq + k));
            batches[k] = data_batch("rh/data/m1", i % 2 ? 1 : 2, "");
            batches[k].payload = payloads[k];
            batches[k].len = sizeof(payloads[k]);
        }
        int r = rh_store_append(scene->bench->store, batches, 4);
        if (r < 0) {
            print_message("append: %s\n", strerror(-r));
            scene->failures++;
        }
        rh_store_measure(scene->bench->store);
    }
    atomic_store(&scene->finished, true);
    return NULL;
}

static bool deliver(struct scene *scene, const struct rh_outgoing *message, uint64_t *last, uint16_t *mid)
{
    struct rh_flights *flights = scene->bench->flights;
    uint64_t seq = strtoull(message->payload, NULL, 10);
    struct rh_flight flight = {.mid = ++*mid, .row = message->row, .qos = message->qos};
    bool in_order = seq > *last;
    *last = seq;
    scene->delivered++;
    return in_order && rh_flight_ops.put(flights, &flight) == 0 &&
           rh_flight_ops.received(flights, *mid) == 0 && rh_flight_ops.done(flights, *mid) == 0;
}

static void *uplink(void *context)
{
    struct scene *scene = context;
    struct rh_flights *flights = scene->bench->flights;
    uint64_t last = 0;
    uint16_t mid = 0;
    for (bool ended = false;;) {
        struct rh_outgoing message;
        int r = rh_flights_next(flights, rh_mono_us(), &message);
        if (r == 1) {
            scene->failures += !deliver(scene, &message, &last, &mid);
            ended = false;
        } else if (r < 0 || ended) {
            scene->failures += r < 0;
            break;
        } else {
            ended = atomic_load(&scene->finished); /* look once more after the end */
        }
        scene->failures += rh_flights_tick(flights, rh_mono_us()) < 0;
    }
    return NULL;
}

static void *watcher(void *context)
{
    struct scene *scene = context;
    while (!atomic_load(&scene->finished)) {
        int64_t size = file_size(scene->bench->path, "") + file_size(scene->bench->path, "-wal");
        scene->largest = size > scene->largest ? size : scene->largest;
        sched_yield();
    }
    return NULL;
}

static void both_connections_at_once(void **state)
{
    struct bench *bench = *state;
    bench->max_bytes = MIB;
    bench_open(bench);
    struct scene scene = {.bench = bench};
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, keeper, &scene), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, uplink, &scene), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, watcher, &scene), 0);
    for (size_t i = 0; i < RH_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    uint64_t dropped = rh_counted(&bench->shared.dropped_batches);
    print_message("%llu delivered, %llu dropped, at most %lld bytes\n", (unsigned long long)scene.delivered,
                  (unsigned long long)dropped, (long long)scene.largest);
    assert_int_equal(scene.failures, 0);
    assert_int_equal(scene.delivered + dropped, rh_store_next_seq(bench->store) - 1);
    assert_true(scene.largest <= MIB);
    assert_int_equal(rh_gauge_get(&bench->shared.backlog), 0);
    bench_reopen(bench);
    assert_int_equal(bench->opened.backlog, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_connections_at_once, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
