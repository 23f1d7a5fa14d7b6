/* SPDX-License-Identifier: MIT */
/* What comes down: subscriptions, what an arrival carries, and that an acknowledged command is not swallowed.
 */
#include "bench.h"

#define FILTER "t/cmd/#"

struct heard {
    char payloads[16][32];
    int n;
    char topic[64], response[64];
    unsigned char correlation[8];
    size_t correlation_len;
    bool has_response, has_correlation;
    int qos;
    struct fake_store *store;
    int kept_meanwhile; /* in the store while the last one was handed over */
};

static void hear(void *context, const struct rh_arrival *arrival)
{
    struct heard *heard = context;
    assert_true(heard->n < 16);
    snprintf(heard->payloads[heard->n++], sizeof(heard->payloads[0]), "%.*s", (int)arrival->len,
             (const char *)arrival->payload);
    snprintf(heard->topic, sizeof(heard->topic), "%s", arrival->topic);
    heard->has_response = arrival->response_topic != NULL;
    snprintf(heard->response, sizeof(heard->response), "%s",
             arrival->response_topic ? arrival->response_topic : "");
    heard->has_correlation = arrival->correlation != NULL;
    heard->correlation_len = arrival->correlation_len;
    assert_true(arrival->correlation_len <= sizeof(heard->correlation));
    if (arrival->correlation)
        memcpy(heard->correlation, arrival->correlation, arrival->correlation_len);
    heard->qos = arrival->qos;
    if (heard->store)
        heard->kept_meanwhile = heard->store->n_kept;
}

static void hear_for(struct bench *bench, struct heard *heard, int n)
{
    int64_t until_us = rh_mono_us() + 5000000;
    while (heard->n < n) {
        assert_true(rh_mono_us() < until_us);
        assert_int_not_equal(rh_session_step(bench->session, 5, hear, heard), RH_SESSION_DOWN);
    }
    (void)rh_session_step(bench->session, 20, hear, heard); /* and no more than that */
    assert_int_equal(heard->n, n);
}

static void check_commands(const struct heard *heard, int n, bool v5)
{
    for (int i = 0; i < n; i++) {
        char text[32];
        snprintf(text, sizeof(text), "command %d", i + 1);
        assert_string_equal(heard->payloads[i], text);
    }
    assert_string_equal(heard->topic, INBOUND_TOPIC);
    assert_int_equal(heard->qos, 1);
    assert_int_equal(heard->has_response, v5);
    assert_int_equal(heard->has_correlation, v5);
    if (!v5)
        return;
    assert_string_equal(heard->response, "r/1");
    assert_int_equal(heard->correlation_len, 3);
    assert_memory_equal(heard->correlation, "\x01\x00\x02", 3);
}

static struct bench *open_bench(bool v5, int inbound)
{
    struct bench *bench = bench_open();
    bench->options.version = v5 ? RH_SESSION_V5 : RH_SESSION_V311;
    bench->broker.inbound = inbound;
    bench_start(bench);
    bench_ready(bench);
    return bench;
}

static void test_subscribe(void **state)
{
    (void)state;
    for (int v5 = 0; v5 < 2; v5++) {
        struct bench *bench = open_bench(v5, 3);
        struct heard heard = {.store = &bench->store};
        assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), 1);
        assert_string_equal(bench->broker.filter, FILTER);
        /* no local 0, retain as published 1, retain handling 2 */
        assert_int_equal(bench->broker.filter_options, v5 ? 2 << 4 | 1 << 3 | 1 : 1);
        assert_true(rh_session_inflight(bench->session) > 0); /* so that it is stepped soon */
        hear_for(bench, &heard, 3);
        check_commands(&heard, 3, v5);
        assert_int_equal(heard.kept_meanwhile, 1); /* released after it was told, not before */
        assert_int_equal(bench->store.n_kept, 0);
        assert_int_equal(bench->store.keeps, 3); /* the own status is not kept */
        assert_int_equal(rh_session_inflight(bench->session), 0);
        bench_close(bench);
    }
}

static void test_subscribe_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench_start(bench);
    assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), -ENOTCONN);
    bench_ready(bench);
    bench->broker.suback = 0x87;
    assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), -EACCES);
    assert_string_equal(rh_session_why(bench->session),
                        "the broker refuses the subscription to t/cmd/# (code 0x87)");
    assert_int_equal(rh_session_state(bench->session), RH_SESSION_READY);
    assert_int_equal(rh_session_subscribe(bench->session, "\xff", 1), -EINVAL);
    bench_close(bench);
}

/* Acknowledged, and then the process is killed, or the connection ends, before they were handed over: they
 * are at the next connect, each once, in their order, under either protocol. */
static void test_acknowledged_and_killed(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        bool v5 = bits & 1;
        struct bench *bench = open_bench(v5, 5);
        struct heard heard = {.n = 0};
        assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), 1);
        assert_int_equal(bench->store.n_kept, 5);
        if (bits & 4) /* the next connection speaks the other version */
            bench->options.version = v5 ? RH_SESSION_V311 : RH_SESSION_V5;
        if (bits & 6)
            bench_kill(bench);
        else
            rh_session_disconnect(bench->session, "bye", 1000);
        assert_int_equal(bench->store.n_kept, 5);
        assert_true(bench->broker.pubacks >= 5); /* copies of the own status too */
        assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
        hear_for(bench, &heard, 5);
        for (int i = 0; i < 5; i++) {
            char text[32];
            snprintf(text, sizeof(text), "command %d", i + 1);
            assert_string_equal(heard.payloads[i], text);
        }
        if (!(bits & 4))
            check_commands(&heard, 5, v5);
        assert_int_equal(bench->store.n_kept, 0);
        bench_close(bench);
    }
}

/* New arrivals get numbers above those that were read back. */
static void test_kept_and_new(void **state)
{
    (void)state;
    struct bench *bench = open_bench(true, 2);
    struct heard heard = {.n = 0};
    assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), 1);
    bench_kill(bench);
    while (rh_session_state(bench->session) != RH_SESSION_READY) {
        if (rh_session_state(bench->session) == RH_SESSION_DOWN)
            assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
        (void)rh_session_step(bench->session, 2, NULL, NULL); /* nobody listens: they stay kept */
    }
    assert_int_equal(bench->store.n_kept, 2);
    assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), 1);
    assert_int_equal(bench->store.n_kept, 4);
    bench_kill(bench);
    assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
    hear_for(bench, &heard, 4);
    assert_int_equal(bench->store.n_kept, 0);
    bench_close(bench);
}

/* A store without the four functions: kept over a lost link, not over a kill. */
static void test_kept_in_memory(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    struct heard heard = {.n = 0};
    static struct rh_flight_ops ops;
    bench->broker.inbound = 3;
    bench_start(bench);
    rh_session_free(bench->session);
    ops = fake_ops;
    ops.keep = NULL;
    ops.release = NULL;
    ops.kept_list = NULL;
    ops.kept_load = NULL;
    assert_int_equal(rh_session_new(&bench->options, &ops, &bench->store, &bench->session), 0);
    bench_ready(bench);
    assert_int_equal(rh_session_subscribe(bench->session, FILTER, 1), 1);
    rh_session_disconnect(bench->session, "bye", 1000);
    assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
    hear_for(bench, &heard, 3);
    check_commands(&heard, 3, true);
    assert_int_equal(bench->store.keeps, 0);
    bench_close(bench);
}

static size_t correlation_in(const struct broker_packet *packet, unsigned char bytes[256])
{
    size_t at = 2 + (size_t)(packet->data[0] << 8 | packet->data[1]) + 2; /* topic, packet id */
    size_t properties = packet->data[at++];
    if (properties & 0x80)
        properties = (properties & 0x7f) | (size_t)packet->data[at++] << 7;
    if (properties == 0)
        return 0;
    assert_int_equal(packet->data[at], 9);
    size_t len = (size_t)(packet->data[at + 1] << 8 | packet->data[at + 2]);
    assert_int_equal(properties, len + 3);
    memcpy(bytes, packet->data + at + 3, len);
    return len;
}

/* A reply with Correlation Data, sent, lost on the way, and sent again byte for byte. */
/* The broker's thread takes them down after they have been sent. */
static void expect_publishes(struct bench *bench, int n)
{
    int64_t until_us = rh_mono_us() + 5000000;

    while (bench->broker.n_publishes < n && rh_mono_us() < until_us)
        bench_turn(bench);
    assert_int_equal(bench->broker.n_publishes, n);
}

static void test_correlation(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 124, 125, 200};
    for (size_t i = 0; i < RH_COUNT(lengths); i++) {
        struct bench *bench = bench_open();
        bench->broker.turns[0].cut = CUT_AT_PUBLISH;
        bench->broker.n_turns = 2;
        bench_start(bench);
        bench_ready(bench);
        unsigned char data[256];
        for (size_t k = 0; k < sizeof(data); k++)
            data[k] = (unsigned char)(k * 7);
        struct rh_publish_extra extra = {.correlation = data, .len = lengths[i]};
        struct rh_outgoing message;
        fake_add(&bench->store, 1, "reply");
        assert_true(fake_next(&bench->store, &message));
        assert_int_equal(rh_session_publish_extra(bench->session, &message, &extra), RH_PUBLISH_TAKEN);
        memset(data, 0, sizeof(data)); /* it was copied */
        bench_drain(bench, 10);
        expect_publishes(bench, 2);
        unsigned char first[256], again[256];
        struct broker_packet *packets = bench->broker.publishes;
        assert_int_equal(correlation_in(&packets[0], first), lengths[i]);
        assert_int_equal(correlation_in(&packets[1], again), lengths[i]);
        assert_int_equal(packets[0].len, packets[1].len);
        assert_memory_equal(packets[0].data, packets[1].data, packets[0].len);
        for (size_t k = 0; k < lengths[i]; k++)
            assert_int_equal(first[k], (unsigned char)(k * 7));
        bench_close(bench);
    }
}

static void test_correlation_limits(void **state)
{
    (void)state;
    struct bench *bench = open_bench(true, 0);
    static char large[65536];
    struct rh_publish_extra extra = {.correlation = large, .len = sizeof(large)};
    struct rh_outgoing message = {.qos = 0, .topic = "r/1", .payload = "x", .len = 1};
    assert_int_equal(rh_session_publish_extra(bench->session, &message, &extra), RH_PUBLISH_TOO_LARGE);
    extra.correlation = NULL;
    assert_int_equal(rh_session_publish_extra(bench->session, &message, &extra), RH_PUBLISH_TAKEN);
    bench_close(bench);
    bench = open_bench(false, 0); /* 3.1.1 has no properties */
    extra = (struct rh_publish_extra){.correlation = "abc", .len = 3};
    message.qos = 1;
    assert_int_equal(rh_session_publish_extra(bench->session, &message, &extra), RH_PUBLISH_TAKEN);
    expect_publishes(bench, 1);
    assert_int_equal(bench->broker.publishes[0].len, 2 + 3 + 2 + 1);
    bench_close(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscribe),
        cmocka_unit_test(test_subscribe_refused),
        cmocka_unit_test(test_acknowledged_and_killed),
        cmocka_unit_test(test_kept_and_new),
        cmocka_unit_test(test_kept_in_memory),
        cmocka_unit_test(test_correlation),
        cmocka_unit_test(test_correlation_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
