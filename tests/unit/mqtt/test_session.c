/* SPDX-License-Identifier: MIT */
/* What a session does with the limits, the refusals and the bad manners of a broker. */
#include "bench.h"

static void test_delivers(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench_start(bench);
    for (int qos = 0; qos <= 2; qos++)
        bench_fill(bench, 30, qos);
    bench_drain(bench, 10);
    assert_int_equal(bench->broker.n_delivered, 90);
    assert_int_equal(bench_missing(bench), 0);
    assert_int_equal(bench_counters(bench).acknowledged, 60);
    assert_int_equal(bench_counters(bench).published, 90);
    assert_int_equal(bench->info.version, 5);
    assert_false(rh_session_was_lost(bench->session)); /* the first session was not lost */
    assert_string_equal(rh_session_why(bench->session), "");
    assert_true(bench->broker.most_pending <= 19);
    assert_true(rh_session_fd(bench->session) >= 0);
    bench_close(bench);
}

static void test_limits(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.receive_max = 5;
    bench->broker.max_packet = 200;
    bench->broker.max_qos = 1 + 1;
    bench->broker.no_retain = 1;
    bench->broker.keepalive_s = 7;
    bench_start(bench);
    assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
    assert_int_equal(bench->info.receive_max, 5);
    assert_int_equal(bench->info.max_packet, 200);
    assert_int_equal(bench->info.max_qos, 1);
    assert_false(bench->info.retain);
    assert_int_equal(bench->info.keepalive_s, 7);
    assert_int_equal(bench->broker.keepalives[bench->broker.connects - 1], 7);
    assert_int_equal(bench->broker.connects, 2);
    bench_ready(bench);
    assert_int_equal(rh_session_room(bench->session), 4);

    char large[256] = {0};
    memset(large, 'x', 190);
    struct rh_outgoing message = {.qos = 1, .topic = "t/data/a", .payload = large, .len = 190};
    assert_int_equal(rh_session_publish(bench->session, &message), RH_PUBLISH_TOO_LARGE);
    bench_fill(bench, 20, 2);
    bench_drain(bench, 10);
    for (int i = 0; i < bench->broker.n_publishes; i++)
        assert_int_equal(bench->broker.publishes[i].type & 0x07, 1 << 1); /* QoS 1, not retained */
    bench_close(bench);
}

static void test_smallest_window(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.receive_max = 1;
    bench->broker.turns[0].cut = CUT_AT_PUBREC;
    bench->broker.n_turns = 2;
    bench_start(bench);
    bench_fill(bench, 5, 2);
    bench_drain(bench, 10);
    assert_int_equal(bench_missing(bench), 0);
    assert_int_equal(bench_twice(bench), 0);
    assert_int_equal(bench->broker.most_pending, 1);
    bench_close(bench);
}

static void test_refused(void **state)
{
    (void)state;
    for (int qos = 1; qos <= 2; qos++) {
        struct bench *bench = bench_open();
        bench->broker.puback = 0x87;
        bench->broker.pubrec = 0x97;
        bench->broker.refuse_first = 2;
        bench_start(bench);
        bench_fill(bench, 5, qos);
        bench_drain(bench, 10);
        assert_int_equal(fake_count(&bench->store, FAKE_REFUSED), 2);
        assert_int_equal(fake_count(&bench->store, FAKE_DONE), 3);
        assert_int_equal(bench->store.rows[0].reason, qos == 1 ? 0x87 : 0x97);
        assert_int_equal(bench_counters(bench).refused, 2);
        assert_int_equal(bench->store.n_flights, 0);
        assert_int_equal(bench->broker.n_delivered, 3);
        bench_close(bench);
    }
}

static void test_nobody_subscribed(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.puback = 0x10;
    bench_start(bench);
    bench_fill(bench, 3, 1);
    bench_drain(bench, 10);
    assert_int_equal(bench_counters(bench).no_subscriber, 3);
    assert_int_equal(bench_counters(bench).acknowledged, 3);
    bench_close(bench);
}

/* A record that cannot be written: the packet does not leave, the message stays. */
static void test_put_fails(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench_start(bench);
    bench_ready(bench);
    bench->store.fail_put = ENOSPC;
    bench_fill(bench, 1, 2);
    struct rh_outgoing message;
    assert_true(fake_next(&bench->store, &message));
    assert_int_equal(rh_session_publish(bench->session, &message), RH_PUBLISH_DOWN);
    assert_int_equal(rh_session_state(bench->session), RH_SESSION_DOWN);
    assert_non_null(strstr(rh_session_why(bench->session), "No space left"));
    assert_int_equal(fake_count(&bench->store, FAKE_WAITING), 1);
    bench->store.fail_put = 0;
    bench_drain(bench, 10);
    assert_int_equal(bench->broker.n_publishes, 1);
    assert_int_equal(bench_twice(bench) + bench_missing(bench), 0);
    bench_close(bench);
}

static void until_down(struct bench *bench)
{
    int64_t until_us = rh_mono_us() + 10000000;
    while (rh_session_state(bench->session) != RH_SESSION_DOWN) {
        bench_turn(bench);
        assert_true(rh_mono_us() < until_us);
    }
}

static void test_received_and_done_fail(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct bench *bench = bench_open();
        bench_start(bench);
        bench_ready(bench);
        *(which ? &bench->store.fail_done : &bench->store.fail_received) = EIO;
        bench_fill(bench, 1, 2);
        until_down(bench);
        assert_non_null(strstr(rh_session_why(bench->session), "Input/output error"));
        assert_int_equal(bench->broker.pubrels, which);
        bench->store.fail_done = bench->store.fail_received = 0;
        bench_drain(bench, 10);
        assert_int_equal(bench_twice(bench) + bench_missing(bench), 0);
        bench_close(bench);
    }
}

static void test_foreign_status(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench_start(bench);
    bench_ready(bench);
    struct rh_outgoing message = {
        .qos = 1, .retain = true, .topic = BROKER_STATUS, .payload = "{\"session\":99}", .len = 14};
    assert_int_equal(rh_session_publish(bench->session, &message), RH_PUBLISH_TAKEN);
    while (!bench->arrived[0])
        bench_turn(bench);
    assert_string_equal(bench->arrived, BROKER_STATUS "={\"session\":99}");
    bench_close(bench);
}

static void test_farewell(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench_start(bench);
    bench_ready(bench);
    rh_session_disconnect(bench->session, "{\"state\":\"offline\",\"reason\":\"stopped\"}", 2000);
    assert_int_equal(rh_session_state(bench->session), RH_SESSION_DOWN);
    assert_int_equal(rh_session_fd(bench->session), -1);
    bench_ready(bench); /* the broker has seen the end of the first connection when it takes the second */
    assert_int_equal(bench->broker.clean_disconnects, 1);
    rh_session_free(bench->session);
    bench->session = NULL;
    bench_session(bench);
    bench_ready(bench);
    assert_int_equal(bench->broker.clean_disconnects,
                     1); /* freeing is no DISCONNECT: the will is published */
    pthread_mutex_lock(&bench->broker.lock);
    assert_string_equal(bench->broker.farewell, "{\"state\":\"offline\",\"reason\":\"stopped\"}");
    pthread_mutex_unlock(&bench->broker.lock);
    bench_close(bench);
}

static void test_denied_question(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.suback = 0x87;
    bench->broker.turns[0].cut = CUT_AT_PUBREL;
    bench->broker.n_turns = 2;
    bench_start(bench);
    bench_fill(bench, 8, 2);
    bench_drain(bench, 10);
    assert_int_equal(bench_missing(bench), 0);
    assert_true(rh_session_was_lost(bench->session));
    assert_non_null(
        strstr(rh_session_why(bench->session), "refuses the subscription to the own status (code 0x87)"));
    bench_close(bench);
}

static void test_no_echo(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.no_echo = true;
    bench_start(bench);
    bench_ready(bench);
    assert_non_null(strstr(rh_session_why(bench->session), "does not deliver the own status"));
    bench_close(bench);
}

/* Peer that reads nothing any more: FULL at once, never a long call, and DOWN by TCP's own timeout. */
static void test_deaf(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.turns[0].cut = CUT_DEAF;
    bench->options.version = RH_SESSION_V311; /* READY needs no answer there */
    bench_start(bench);
    bench_connect(bench);
    static char block[60000];
    struct rh_outgoing message = {.qos = 0, .topic = "t/data/a", .payload = block, .len = sizeof(block)};
    int64_t until_us = rh_mono_us() + 30000000;
    int64_t longest_us = 0;
    while (rh_session_state(bench->session) != RH_SESSION_DOWN) {
        int64_t start_us = rh_mono_us();
        (void)rh_session_publish(bench->session, &message);
        (void)rh_session_step(bench->session, 5, NULL, NULL);
        int64_t took_us = rh_mono_us() - start_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
        assert_true(rh_mono_us() < until_us);
    }
    assert_true(longest_us < 10000000);
    bench_close(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_smallest_window),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nobody_subscribed),
        cmocka_unit_test(test_put_fails),
        cmocka_unit_test(test_received_and_done_fail),
        cmocka_unit_test(test_foreign_status),
        cmocka_unit_test(test_farewell),
        cmocka_unit_test(test_denied_question),
        cmocka_unit_test(test_no_echo),
        cmocka_unit_test(test_deaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
