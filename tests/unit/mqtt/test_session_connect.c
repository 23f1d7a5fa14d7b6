/* SPDX-License-Identifier: MIT */
/* What connecting comes to when the broker is away, mute, strict or old; and with a real mosquitto. */
#include "bench.h"
#include "mosquitto.h"

static void test_nobody(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench_start(bench);
    rh_session_free(bench->session);
    broker_stop(&bench->broker); /* the port is free now */
    bench_session(bench);
    assert_int_equal(bench_connect(bench), RH_CONNECT_UNREACHABLE);
    char expected[80];
    snprintf(expected, sizeof(expected), "connection refused by 127.0.0.1:%u", bench->broker.port);
    assert_string_equal(bench->info.why, expected);
    assert_int_equal(rh_session_state(bench->session), RH_SESSION_DOWN);
    rh_session_free(bench->session);

    bench->options.url = "mqtt://no-such-host.invalid:1883";
    assert_int_equal(rh_session_new(&bench->options, &fake_ops, &bench->store, &bench->session), 0);
    assert_int_equal(bench_connect(bench), RH_CONNECT_UNREACHABLE);
    assert_non_null(strstr(bench->info.why, "cannot be resolved"));
    rh_session_free(bench->session);
    free(bench);
}

static void test_bad_url(void **state)
{
    (void)state;
    static const char *const urls[] = {"",         "broker",     "http://x",          "mqtt://",
                                       "mqtt://:", "mqtt://a:0", "mqtt://a:70000",    "mqtt://a:1x",
                                       "mqtt://[", "mqtt://[]",  "mqtt://host/topic", "mqtts://"};
    struct fake_store store = {.n = 0};
    struct rh_session *session = NULL;
    for (size_t i = 0; i < RH_COUNT(urls); i++) {
        struct rh_session_options options = {.url = urls[i], .inflight = 4};
        assert_true(rh_session_new(&options, &fake_ops, &store, &session) < 0);
    }
}

static void test_mute(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.turns[0].cut = CUT_MUTE;
    bench_start(bench);
    assert_int_equal(bench_connect(bench), RH_CONNECT_UNREACHABLE);
    assert_non_null(strstr(bench->info.why, "no answer to CONNECT within 5 s"));
    assert_true(bench->longest_us < 7000000);
    bench_close(bench);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum rh_session_version version;
        enum rh_connect_outcome outcome;
        const char *why;
    } rows[] = {
        {0x86, RH_SESSION_V5, RH_CONNECT_CREDENTIALS,
         "the broker refused the user name or password (code 0x86)"},
        {0x87, RH_SESSION_AUTO, RH_CONNECT_CREDENTIALS,
         "the broker does not authorise this client (code 0x87)"},
        {0x8a, RH_SESSION_V5, RH_CONNECT_CREDENTIALS, "the broker has banned this client (code 0x8a)"},
        {0x88, RH_SESSION_AUTO, RH_CONNECT_REFUSED, "the broker is not available (code 0x88)"},
        {0x84, RH_SESSION_V5, RH_CONNECT_REFUSED,
         "the broker does not speak this version of MQTT (code 0x84)"},
        {4, RH_SESSION_V311, RH_CONNECT_CREDENTIALS,
         "the broker refused the user name or password (code 0x04)"},
        {5, RH_SESSION_V311, RH_CONNECT_CREDENTIALS, "the broker does not authorise this client (code 0x05)"},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct bench *bench = bench_open();
        bench->broker.turns[0].connack = rows[i].code;
        bench->options.version = rows[i].version;
        bench_start(bench);
        assert_int_equal(bench_connect(bench), rows[i].outcome);
        assert_int_equal(bench->info.reason, rows[i].code);
        assert_string_equal(bench->info.why, rows[i].why);
        assert_int_equal(bench->broker.connects, 1);
        bench_close(bench);
    }
}

static void test_only_3_1_1(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.only_v3 = true;
    bench_start(bench);
    assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
    assert_int_equal(bench->info.version, 4);
    assert_int_equal(bench->broker.connects, 2);
    bench_fill(bench, 5, 2);
    bench_drain(bench, 10);
    rh_session_disconnect(bench->session, "bye", 1000);
    assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
    assert_int_equal(bench->broker.connects, 3); /* remembered */
    assert_int_equal(bench_twice(bench) + bench_missing(bench), 0);
    bench_close(bench);
}

/* Brokers that end the handshake instead of naming the version: not twice in one call, the other version in
 * the next. */
static void test_hangs_up(void **state)
{
    (void)state;
    for (int by_connack = 0; by_connack < 2; by_connack++) {
        struct bench *bench = bench_open();
        bench->broker.only_v3_by_3 = by_connack;
        bench->broker.turns[0].cut = by_connack ? CUT_NEVER : CUT_AT_CONNECT;
        bench->broker.n_turns = 2;
        bench_start(bench);
        enum rh_connect_outcome first = bench_connect(bench);
        if (first != RH_CONNECT_OK) {
            assert_int_equal(first, RH_CONNECT_UNREACHABLE);
            assert_non_null(strstr(bench->info.why, "closed the connection during the handshake"));
            assert_int_equal(bench->broker.connects, 1);
            assert_int_equal(bench_connect(bench), RH_CONNECT_OK);
        }
        assert_int_equal(bench->info.version, 4);
        bench_fill(bench, 5, 2);
        bench_drain(bench, 10);
        bench_close(bench);
    }
}

/* Flights of MQTT 5 go on under 3.1.1 when the broker was replaced by an older one. */
static void test_flights_change_version(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.turns[0].cut = CUT_AT_PUBREC;
    bench->broker.n_turns = 2;
    bench_start(bench);
    bench_ready(bench);
    bench_fill(bench, 5, 2);
    while (rh_session_state(bench->session) != RH_SESSION_DOWN)
        bench_turn(bench);
    bench->broker.only_v3 = true;
    bench_drain(bench, 10);
    assert_int_equal(bench->info.version, 4);
    assert_int_equal(bench_twice(bench) + bench_missing(bench), 0);
    bench_close(bench);
}

/* ---- mosquitto ---- */

static void test_mosquitto(void **state)
{
    (void)state;
    for (int version = RH_SESSION_V5; version <= RH_SESSION_V311; version++) {
        struct bench *bench = bench_open();
        bench->options.version = (enum rh_session_version)version;
        bench->broker.port = mosquitto_port();
        pid_t pid = mosquitto_start(bench->broker.port, "");
        bench_session(bench);
        for (int qos = 0; qos <= 2; qos++)
            bench_fill(bench, 20, qos);
        bench_drain(bench, 10);
        assert_int_equal(bench_counters(bench).acknowledged, 40);
        assert_false(rh_session_was_lost(bench->session));

        rh_session_disconnect(bench->session, "bye", 1000);
        bench_ready(bench); /* kept */
        assert_false(rh_session_was_lost(bench->session));

        mosquitto_end(pid);
        pid = mosquitto_start(bench->broker.port, "");
        bench_fill(bench, 20, 2);
        bench_drain(bench, 10);
        assert_true(rh_session_was_lost(bench->session));
        assert_int_equal(bench_counters(bench).session_lost, 1);
        assert_int_equal(fake_count(&bench->store, FAKE_DONE), 80);
        rh_session_free(bench->session);
        mosquitto_end(pid);
        free(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_bad_url),
        cmocka_unit_test(test_mute),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_only_3_1_1),
        cmocka_unit_test(test_hangs_up),
        cmocka_unit_test(test_flights_change_version),
        cmocka_unit_test(test_mosquitto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
