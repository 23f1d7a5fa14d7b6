/* SPDX-License-Identifier: MIT */
/*
 * What comes of messages on their way when the connection ends at each point of the exchange, with the
 * broker's session kept and lost, with the process going on and killed, on MQTT 5 and 3.1.1. Always: nothing
 * lost. With the session kept and QoS 2: nothing twice. With the session lost: at most the window twice.
 */
#include "bench.h"

#define MESSAGES 12
#define WINDOW 6

struct scene {
    enum broker_cut cut;
    bool lose, kill, v3;
    int qos;
};

static void judge(struct bench *bench, const struct scene *scene)
{
    static const char *const cuts[] = {[CUT_AT_PUBLISH] = "PUBLISH",
                                       [CUT_AT_PUBREC] = "PUBREC",
                                       [CUT_AT_PUBREL] = "PUBREL",
                                       [CUT_AT_PUBCOMP] = "PUBCOMP"};
    int missing = bench_missing(bench);
    int twice = bench_twice(bench);
    int most = scene->qos == 2 && !scene->lose ? 0 : WINDOW;
    if (missing || twice > most)
        fail_msg("cut at %s, session %s, process %s, QoS %d, MQTT %s: %d lost, %d twice", cuts[scene->cut],
                 scene->lose ? "lost" : "kept", scene->kill ? "killed" : "alive", scene->qos,
                 scene->v3 ? "3.1.1" : "5", missing, twice);
    assert_int_equal(fake_count(&bench->store, FAKE_DONE), MESSAGES);
    bool told = scene->lose && (!scene->kill || scene->qos == 2); /* QoS 1 leaves nothing on disk */
    assert_int_equal(rh_session_was_lost(bench->session), told);
    assert_false(rh_session_was_lost(bench->session));
}

static void play(const struct scene *scene)
{
    struct bench *bench = bench_open();
    bench->broker.turns[0].cut = scene->cut;
    bench->broker.turns[1].lose = scene->lose;
    bench->broker.n_turns = 3;
    bench->options.version = scene->v3 ? RH_SESSION_V311 : RH_SESSION_V5;
    bench->options.inflight = WINDOW;
    bench_start(bench);
    bench_ready(bench);
    bench_fill(bench, MESSAGES, scene->qos);
    while (rh_session_state(bench->session) != RH_SESSION_DOWN)
        bench_turn(bench);
    if (scene->kill)
        bench_kill(bench);
    bench_drain(bench, 10);
    judge(bench, scene);
    bench_close(bench);
}

static void test_every_cut(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        for (enum broker_cut cut = CUT_AT_PUBLISH; cut <= CUT_AT_PUBCOMP; cut++) {
            for (int qos = 1; qos <= 2; qos++) {
                if (qos == 1 && cut > CUT_AT_PUBREC)
                    continue;
                play(&(struct scene){
                    .cut = cut, .qos = qos, .lose = bits & 1, .kill = bits & 2, .v3 = bits & 4});
            }
        }
    }
}

/* The connection that would have told of the loss ends after the subscription was made, before its answer:
 * the one after it must still find out. */
static void test_lost_and_cut_before_the_verdict(void **state)
{
    (void)state;
    for (int kill = 0; kill < 2; kill++) {
        struct bench *bench = bench_open();
        bench->broker.turns[0].cut = CUT_AT_PUBREL;
        bench->broker.turns[1] = (struct broker_turn){.cut = CUT_AT_SUBSCRIBE, .lose = true};
        bench->broker.n_turns = 3;
        bench_start(bench);
        bench_ready(bench);
        bench_fill(bench, MESSAGES, 2);
        while (bench->broker.connects < 2 || rh_session_state(bench->session) != RH_SESSION_DOWN)
            bench_turn(bench);
        if (kill)
            bench_kill(bench);
        bench_drain(bench, 10);
        assert_int_equal(bench_missing(bench), 0);
        assert_true(bench_twice(bench) <= bench->options.inflight);
        assert_true(rh_session_was_lost(bench->session));
        bench_close(bench);
    }
}

/* Resends are byte for byte what was sent, but for the DUP flag: also out of the store, after a kill. */
static void test_resent_bytes(void **state)
{
    (void)state;
    for (int bits = 0; bits < 4; bits++) {
        struct bench *bench = bench_open();
        bench->broker.turns[0].cut = CUT_AT_PUBLISH;
        bench->broker.n_turns = 2;
        bench->options.version = bits & 1 ? RH_SESSION_V311 : RH_SESSION_V5;
        bench_start(bench);
        bench_ready(bench);
        fake_add(&bench->store, 2, "x");
        fake_add(&bench->store, 2, "");
        fake_add(&bench->store, 2, "exactly as long as a remaining length of one byte allows");
        while (rh_session_state(bench->session) != RH_SESSION_DOWN)
            bench_turn(bench);
        assert_true(bench->broker.n_publishes > 0);
        struct broker_packet first = bench->broker.publishes[0];
        if (bits & 2)
            bench_kill(bench);
        bench_drain(bench, 10);
        struct broker_packet *again = NULL;
        for (int i = 1; i < bench->broker.n_publishes && !again; i++)
            again = &bench->broker.publishes[i];
        assert_non_null(again);
        assert_int_equal(again->type, first.type | 0x08);
        assert_int_equal(again->len, first.len);
        assert_memory_equal(again->data, first.data, first.len);
        bench_close(bench);
    }
}

/* Flights of an earlier connection and new messages keep their order. */
static void test_order(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    for (int i = 0; i < 6; i++)
        bench->broker.turns[i].cut = i % 2 ? CUT_AT_PUBREC : CUT_AT_PUBLISH;
    bench->broker.n_turns = 7;
    bench_start(bench);
    bench_fill(bench, 60, 2);
    bench_drain(bench, 20);
    assert_int_equal(bench->broker.n_delivered, 60);
    for (int i = 0; i < 60; i++)
        assert_string_equal(bench->broker.delivered[i], bench->store.rows[i].text);
    bench_close(bench);
}

/* New messages wait while old ones are on their way again: packet ids have to rise with the age of messages.
 */
static void test_old_before_new(void **state)
{
    (void)state;
    struct bench *bench = bench_open();
    bench->broker.turns[0].cut = CUT_AT_PUBLISH;
    bench->broker.turns[1].cut = CUT_IGNORE;
    bench->broker.n_turns = 2;
    bench_start(bench);
    bench_ready(bench);
    bench_fill(bench, 5, 2);
    while (rh_session_state(bench->session) != RH_SESSION_DOWN)
        bench_turn(bench);
    int flying = fake_count(&bench->store, FAKE_FLYING);
    assert_true(flying > 0);
    bench_fill(bench, 5, 2);
    bench_ready(bench);
    for (int i = 0; i < 20; i++)
        bench_turn(bench);
    assert_int_equal(rh_session_room(bench->session), 0);
    assert_int_equal(rh_session_inflight(bench->session), flying);
    bench_close(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),      cmocka_unit_test(test_lost_and_cut_before_the_verdict),
        cmocka_unit_test(test_resent_bytes),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_old_before_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
