/* SPDX-License-Identifier: MIT */
/*
 * The uplink's thread between its neighbours. Session, commander and store are the fakes below: they note
 * what is asked of them, in order, and answer as the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/passing.h"
#include "tests/unit/gateway/uplink_fake.h"

#define DEADLINE_US 10000000

/* ---- the bench ---- */

static const struct rh_broker brokers[] = {{.url = "mqtts://a", .host = "a", .tls = true},
                                           {.url = "mqtt://b", .host = "b"}};
static struct rh_mqtt_conf mqtt;
static rh_gauge connected, max_payload;
static int commit_bell;
static struct rh_ring *passing;

static void ignore(void *keeper)
{
    (void)keeper;
}

static struct rh_uplink *new_uplink(size_t n_brokers, int64_t backoff_ms)
{
    struct rh_uplink *uplink = NULL;

    mqtt = (struct rh_mqtt_conf){.brokers = brokers,
                                 .n_brokers = n_brokers,
                                 .root = "r",
                                 .client_id = "c",
                                 .username = "",
                                 .password_file = "",
                                 .inflight = 10,
                                 .backoff_min_ms = backoff_ms,
                                 .backoff_max_ms = backoff_ms};
    const struct rh_uplink_options options = {.mqtt = &mqtt,
                                              .epoch = "e",
                                              .session_lost = ignore,
                                              .connected = ignore,
                                              .resend_meta = ignore,
                                              .passing = passing,
                                              .connected_gauge = &connected,
                                              .commit_bell = commit_bell,
                                              .max_payload = &max_payload};
    assert_int_equal(rh_uplink_new(&options, NULL, &uplink), 0);
    return uplink;
}

static int fresh(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENTS; i++)
        atomic_store(&seen[i], 0);
    atomic_store(&reachable, true);
    atomic_store(&due_long_ago, false);
    atomic_store(&steps, 0);
    atomic_store(&births, 0);
    atomic_store(&asked_to_wait, 100);
    routes_in_use = NULL;
    assert_int_equal(rh_bell_open(&commit_bell), 0);
    assert_int_equal(rh_ring_new(2 * RH_PASSING_BYTES, commit_bell, &passing), 0);
    return 0;
}

static int over(void **state)
{
    (void)state;
    rh_ring_free(passing);
    close(commit_bell);
    return 0;
}

static void wait_for(const atomic_int *counter, int goal)
{
    int64_t until_us = rh_mono_us() + DEADLINE_US;

    while (atomic_load(counter) < goal) {
        assert_true(rh_mono_us() < until_us);
        rh_sleep_until(rh_mono_us() + 500);
    }
}

/* ---- tests ---- */

static struct rh_routes *new_routes(uint64_t n)
{
    struct rh_routes *routes = calloc(1, sizeof(*routes));

    routes->n = n;
    return routes;
}

/* When the call returns the former routes are not used any more: they are freed at once. */
static void routes_change_hands(void **state)
{
    (void)state;
    for (int life = 0; life < 5; life++) {
        struct rh_uplink *uplink = new_uplink(1, 1000);
        struct rh_routes *routes = new_routes(1);

        atomic_store(&routes_read, 0);
        rh_uplink_set_routes(uplink, routes); /* before the thread runs */
        assert_int_equal(rh_uplink_start(uplink), 0);
        for (uint64_t i = 2; i < 60; i++) {
            rh_uplink_set_routes(uplink, NULL);
            memset(routes, 0xee, sizeof(*routes));
            free(routes);
            rh_uplink_set_routes(uplink, NULL); /* again: nothing to wait for */
            routes = new_routes(i);
            rh_uplink_set_routes(uplink, routes);
            assert_true(atomic_load(&routes_read) <= i); /* of routes that were whole */
        }
        rh_uplink_free(uplink);
        free(routes);
        routes_in_use = NULL;
    }
}

/* A refused message whose time has come, and no broker: nothing to be done, and nothing is done. */
static void no_circle_while_the_broker_is_away(void **state)
{
    struct rh_uplink *uplink = new_uplink(1, 60000);

    (void)state;
    atomic_store(&reachable, false);
    atomic_store(&due_long_ago, true);
    assert_int_equal(rh_uplink_start(uplink), 0);
    wait_for(&seen[CONNECT], 1);
    rh_sleep_until(rh_mono_us() + 300000);
    assert_in_range(atomic_load(&steps), 0, 5);
    rh_uplink_free(uplink);
    assert_int_equal(atomic_load(&seen[CONNECT]), 1);
    assert_int_equal(atomic_load(&seen[GOODBYE]), 0);
}

static void fenced_before_the_connect(void **state)
{
    struct rh_uplink *uplink = new_uplink(1, 1000);

    (void)state;
    assert_int_equal(rh_uplink_start(uplink), 0);
    wait_for(&seen[READY], 1);
    assert_true(atomic_load(&order[CONNECTING]) < atomic_load(&order[CONNECT]));
    assert_true(atomic_load(&order[CONNECT]) < atomic_load(&order[READY]));
    rh_uplink_free(uplink);
    assert_int_equal(atomic_load(&seen[READY]), 1); /* once a connection */
    assert_non_null(strstr(birth_text, "\"tls\":true"));
    assert_non_null(strstr(birth_text, "\"session\":7"));
}

/* A link that goes with a reply is a lost link like any other: paused after, and found again. */
static void link_lost_by_a_reply(void **state)
{
    struct rh_uplink *uplink = new_uplink(1, 300);

    (void)state;
    assert_int_equal(rh_uplink_start(uplink), 0);
    wait_for(&seen[READY], 1);
    atomic_store(&lose_link, true);
    rh_bell_ring(commit_bell);
    wait_for(&seen[LEFT], 1);
    wait_for(&seen[READY], 2);
    assert_true(atomic_load(&seen_us[CONNECT]) - atomic_load(&seen_us[LEFT]) >= 200000);
    assert_int_equal(atomic_load(&seen[CONNECTING]), 2); /* the fence is up again */
    rh_uplink_free(uplink);
}

static void the_next_broker_comes_at_once(void **state)
{
    struct rh_uplink *uplink = new_uplink(2, 60000);

    (void)state;
    atomic_store(&reachable, false);
    int64_t start_us = rh_mono_us();
    assert_int_equal(rh_uplink_start(uplink), 0);
    wait_for(&seen[CONNECT], 2);
    assert_true(rh_mono_us() - start_us < 800000);
    rh_sleep_until(rh_mono_us() + 50000);
    assert_int_equal(atomic_load(&seen[CONNECT]), 2); /* after the last of them there is a pause */
    rh_uplink_free(uplink);
}

/* Commands under way are waited for and given up before the goodbye. */
static void the_end(void **state)
{
    struct rh_uplink *uplink = new_uplink(1, 1000);

    (void)state;
    assert_int_equal(rh_uplink_start(uplink), 0);
    wait_for(&seen[READY], 1);
    atomic_store(&asked_to_wait, 0);
    rh_bell_ring(commit_bell);
    int64_t start_us = rh_mono_us();
    rh_uplink_free(uplink);
    assert_true(rh_mono_us() - start_us < 9000000); /* bounded, whatever does not come */
    assert_int_equal(atomic_load(&seen[GIVEN_UP]), 1);
    assert_int_equal(atomic_load(&seen[GOODBYE]), 1);
    assert_true(atomic_load(&order[GIVEN_UP]) < atomic_load(&order[GOODBYE]));
}

/* What a former configuration left there may be on topics that are not ours any more. */
static void old_values_are_not_sent(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        assert_true(rh_passing_offer(passing, "former/value/d/p", "1", 1));
    struct rh_uplink *uplink = new_uplink(1, 1000);
    assert_int_equal(rh_ring_count(passing), 0);
    rh_uplink_free(uplink);
}

static void a_foreign_status_is_answered(void **state)
{
    struct rh_uplink *uplink = new_uplink(1, 1000);

    (void)state;
    assert_int_equal(rh_uplink_start(uplink), 0);
    wait_for(&seen[READY], 1);
    wait_for(&steps, atomic_load(&steps) + 2);
    assert_int_equal(atomic_load(&births), 0); /* our own is no news */
    atomic_store(&foreign, true);
    wait_for(&births, 1);
    atomic_store(&foreign, true); /* a twin that answers as well: no storm */
    rh_bell_ring(commit_bell);
    wait_for(&steps, atomic_load(&steps) + 3);
    assert_int_equal(atomic_load(&births), 1);
    rh_uplink_free(uplink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(routes_change_hands, fresh, over),
        cmocka_unit_test_setup_teardown(no_circle_while_the_broker_is_away, fresh, over),
        cmocka_unit_test_setup_teardown(fenced_before_the_connect, fresh, over),
        cmocka_unit_test_setup_teardown(link_lost_by_a_reply, fresh, over),
        cmocka_unit_test_setup_teardown(the_next_broker_comes_at_once, fresh, over),
        cmocka_unit_test_setup_teardown(the_end, fresh, over),
        cmocka_unit_test_setup_teardown(old_values_are_not_sent, fresh, over),
        cmocka_unit_test_setup_teardown(a_foreign_status_is_answered, fresh, over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
