/* SPDX-License-Identifier: MIT */
/*
 * bench.h - a session between the fake store and the scripted broker, and the little loop that the uplink
 * is in the daemon: connect when down, publish while there is room, step.
 */
#ifndef RH_TESTS_MQTT_BENCH_H
#define RH_TESTS_MQTT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>

#include "core/clock.h"
#include "fake_store.h"
#include "mqtt/session.h"
#include "script_broker.h"

struct bench {
    struct broker broker;
    struct fake_store store;
    struct rh_session_options options;
    struct rh_session *session;
    struct rh_connect_info info;
    char url[64], birth[64];
    int births, connects;
    char arrived[128];
    int64_t longest_us; /* of one call */
};

static void bench_session(struct bench *bench)
{
    if (!bench->url[0])
        snprintf(bench->url, sizeof(bench->url), "mqtt://127.0.0.1:%u", bench->broker.port);
    bench->options.url = bench->url;
    bench->options.client_id = "bench";
    bench->options.username = bench->options.password = "";
    bench->options.keepalive_s = 60;
    bench->options.session_expiry_s = 604800;
    bench->options.inflight = bench->options.inflight ? bench->options.inflight : 20;
    bench->options.status_topic = BROKER_STATUS;
    assert_int_equal(rh_session_new(&bench->options, &fake_ops, &bench->store, &bench->session), 0);
}

static inline struct bench *bench_open(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    return bench;
}

static inline void bench_start(struct bench *bench)
{
    broker_start(&bench->broker);
    bench_session(bench);
}

static inline void bench_close(struct bench *bench)
{
    rh_session_free(bench->session);
    broker_stop(&bench->broker);
    free(bench);
}

/* kill -9, and a new process over the same disk. */
static inline void bench_kill(struct bench *bench)
{
    rh_session_free(bench->session);
    fake_restart(&bench->store);
    bench_session(bench);
}

static inline void bench_arrival(void *context, const struct rh_arrival *arrival)
{
    struct bench *bench = context;
    snprintf(bench->arrived, sizeof(bench->arrived), "%s=%.*s", arrival->topic, (int)arrival->len,
             (const char *)arrival->payload);
}

static inline const char *bench_birth(void *context, int version)
{
    struct bench *bench = context;
    snprintf(bench->birth, sizeof(bench->birth), "{\"state\":\"online\",\"session\":%d,\"mqtt\":%d}",
             ++bench->births, version);
    return bench->birth;
}

static inline enum rh_connect_outcome bench_connect(struct bench *bench)
{
    int64_t start_us = rh_mono_us();
    enum rh_connect_outcome outcome =
        rh_session_connect(bench->session, "{\"state\":\"offline\"}", bench_birth, bench, &bench->info);
    int64_t took_us = rh_mono_us() - start_us;
    bench->longest_us = took_us > bench->longest_us ? took_us : bench->longest_us;
    bench->connects += outcome == RH_CONNECT_OK;
    return outcome;
}

static inline void bench_turn(struct bench *bench)
{
    struct rh_outgoing message;
    int64_t start_us = rh_mono_us();
    if (rh_session_state(bench->session) == RH_SESSION_DOWN)
        (void)bench_connect(bench);
    while (rh_session_room(bench->session) > 0 && fake_next(&bench->store, &message)) {
        if (rh_session_publish(bench->session, &message) != RH_PUBLISH_TAKEN)
            break;
        if (message.qos == 0)
            bench->store.rows[message.row - 1].state = FAKE_DONE;
    }
    (void)rh_session_step(bench->session, 2, bench_arrival, bench);
    int64_t took_us = rh_mono_us() - start_us;
    bench->longest_us = took_us > bench->longest_us ? took_us : bench->longest_us;
}

/* Until nothing waits or flies and the verdict is there; fails after `seconds`. */
static inline void bench_drain(struct bench *bench, int seconds)
{
    int64_t until_us = rh_mono_us() + (int64_t)seconds * 1000000;
    for (;;) {
        bool idle = fake_count(&bench->store, FAKE_WAITING) + fake_count(&bench->store, FAKE_FLYING) == 0;
        if (idle && rh_session_state(bench->session) == RH_SESSION_READY)
            return;
        if (rh_mono_us() > until_us)
            fail_msg("not drained: %d waiting, %d flying, state %d: %s",
                     fake_count(&bench->store, FAKE_WAITING), fake_count(&bench->store, FAKE_FLYING),
                     (int)rh_session_state(bench->session), rh_session_why(bench->session));
        bench_turn(bench);
    }
}

static inline void bench_ready(struct bench *bench)
{
    int64_t until_us = rh_mono_us() + 15000000;
    do {
        bench_turn(bench);
        assert_true(rh_mono_us() < until_us);
    } while (rh_session_state(bench->session) != RH_SESSION_READY);
}

static inline void bench_fill(struct bench *bench, int n, int qos)
{
    for (int i = 0; i < n; i++) {
        char text[64];
        snprintf(text, sizeof(text), "message %d", bench->store.n + 1);
        fake_add(&bench->store, qos, text);
    }
}

static inline struct rh_session_counters bench_counters(const struct bench *bench)
{
    struct rh_session_counters counters;
    rh_session_counters(bench->session, &counters);
    return counters;
}

/* How often a message was delivered. */
static inline int broker_count(struct broker *b, const char *text)
{
    int n = 0;
    pthread_mutex_lock(&b->lock);
    for (int i = 0; i < b->n_delivered; i++)
        n += strcmp(b->delivered[i], text) == 0;
    pthread_mutex_unlock(&b->lock);
    return n;
}

/* Messages that were never delivered, and deliveries beyond the first. */
static inline int bench_missing(struct bench *bench)
{
    int missing = 0;
    for (int i = 0; i < bench->store.n; i++)
        missing += broker_count(&bench->broker, bench->store.rows[i].text) == 0;
    return missing;
}

static inline int bench_twice(struct bench *bench)
{
    int twice = 0;
    for (int i = 0; i < bench->store.n; i++) {
        int n = broker_count(&bench->broker, bench->store.rows[i].text);
        twice += n > 1 ? n - 1 : 0;
    }
    return twice;
}

#endif
