/* SPDX-License-Identifier: MIT */
/* What a reading costs the device: bytes and syncs, by the store's own counters, held to a bound. */
#include "store_test.h"

#define BATCHES 2000
#define READINGS 100

struct cost {
    double bytes, syncs;
};

static uint64_t kernel_bytes(void)
{
    unsigned long long bytes = 0;
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof(line), file)) {
        sscanf(line, "write_bytes: %llu", &bytes);
    }
    if (file) {
        fclose(file);
    }
    return bytes;
}

static struct cost measure(struct bench *bench, int qos, size_t group)
{
    static char payload[1300];
    struct rh_batch batches[10];
    memset(payload, 'x', sizeof(payload));
    for (size_t i = 0; i < group; i++) {
        batches[i] = data_batch("rh/data/m1", qos, "");
        batches[i].payload = payload;
        batches[i].len = sizeof(payload);
        batches[i].readings = READINGS;
    }
    bench_open(bench);
    uint64_t bytes = rh_counted(&bench->shared.written_bytes), syncs = rh_counted(&bench->shared.syncs);
    uint64_t kernel = kernel_bytes();
    for (size_t i = 0; i < BATCHES; i += group) {
        struct rh_outgoing message;
        assert_int_equal(rh_store_append(bench->store, batches, group), 0);
        for (uint16_t mid = 1; bench_next(bench, &message) == 1; mid++) {
            struct rh_flight flight = {.mid = mid, .row = message.row, .qos = qos};
            assert_int_equal(rh_flight_ops.put(bench->flights, &flight), 0);
            assert_int_equal(rh_flight_ops.received(bench->flights, mid), 0);
            done(bench, mid);
        }
    }
    double readings = (double)BATCHES * READINGS;
    struct cost cost = {(double)(rh_counted(&bench->shared.written_bytes) - bytes) / readings,
                        (double)(rh_counted(&bench->shared.syncs) - syncs) / readings};
    sync();
    print_message(
        "QoS %d, %zu batches per commit: %.0f bytes and %.4f syncs per reading (kernel: %.0f bytes)\n", qos,
        group, cost.bytes, cost.syncs, (double)(kernel_bytes() - kernel) / readings);
    bench_close(bench);
    return cost;
}

static void a_reading_at_qos_1(void **state)
{
    struct cost cost = measure(*state, 1, 1);
    assert_true(cost.bytes < 130);
    assert_true(cost.syncs >= 0.01 && cost.syncs < 0.012); /* the append, nothing else */
}

static void a_reading_at_qos_2(void **state)
{
    struct cost cost = measure(*state, 2, 1);
    assert_true(cost.bytes < 310);
    assert_true(cost.syncs >= 0.03 && cost.syncs < 0.032); /* append, put, received */
}

static void a_reading_at_qos_1_in_large_commits(void **state)
{
    struct cost cost = measure(*state, 1, 10);
    assert_true(cost.bytes < 40);
    assert_true(cost.syncs >= 0.001 && cost.syncs < 0.0015);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reading_at_qos_1, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_reading_at_qos_2, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_reading_at_qos_1_in_large_commits, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
