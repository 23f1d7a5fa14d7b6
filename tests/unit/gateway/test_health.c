/* SPDX-License-Identifier: MIT */
/* The health message against the numbers it is made of; the pollers and the uplink are the fakes below. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "gateway/health.h"
#include "tests/unit/gateway/home.h"

static struct rh_poller_view poller_view;
static struct rh_uplink_view uplink_view;

const struct rh_poller_view *rh_poller_view(const struct rh_poller *poller)
{
    (void)poller;
    return &poller_view;
}

const struct rh_uplink_view *rh_uplink_view(const struct rh_uplink *uplink)
{
    (void)uplink;
    return &uplink_view;
}

static struct rh_assembly assembly;
static struct rh_running_line line;
static struct rh_source source;

static void assemble(uint32_t n_devices)
{
    line = (struct rh_running_line){.conf = home_line(n_devices, 1), .source = &source};
    assert_int_equal(rh_ring_new(64, -1, &source.ring), 0);
    poller_view.devices = calloc(n_devices, sizeof(*poller_view.devices));
    assembly.lines = (struct rh_lines){.at = &line, .n = 1};
    assembly.since_us = rh_mono_us() - 100 * INT64_C(1000000);
}

static void take_apart(void)
{
    home_line_free((struct rh_line_conf *)(uintptr_t)line.conf);
    rh_ring_free(source.ring);
    free(poller_view.devices);
    poller_view = (struct rh_poller_view){0};
}

static json_t *write(char *buffer, size_t cap)
{
    struct rh_text text;
    json_error_t error;

    rh_text_init(&text, buffer, cap);
    rh_health_write(&text, &assembly);
    if (text.cut)
        return NULL;
    json_t *json = json_loads(buffer, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s: %s", buffer, error.text);
    return json;
}

static json_int_t number(json_t *json, const char *object, const char *key)
{
    json_t *value = json_object_get(json_object_get(json, object), key);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void numbers(void **state)
{
    struct rh_poll_result result = {.turnaround_us = 4000};
    char buffer[4096];

    (void)state;
    assemble(3);
    rh_gauge_set(&assembly.shared.backlog, 11);
    rh_gauge_set(&assembly.shared.bytes, 12);
    rh_gauge_set(&assembly.shared.oldest_wall_ms, rh_wall_ms() - 5500);
    rh_count(&assembly.shared.dropped_batches, 13);
    rh_count(&assembly.shared.written_bytes, 1000);
    assembly.written_before = 400;
    rh_gauge_set(&uplink_view.connected, 1);
    rh_count(&uplink_view.connects, 2);
    rh_count(&uplink_view.refused, 3);
    rh_count(&uplink_view.no_subscriber, 4);
    rh_gauge_set(&uplink_view.inflight, 5);
    rh_count(&poller_view.line.busy_us, 50 * UINT64_C(1000000));
    rh_count(&poller_view.line.crc, 6);
    rh_gauge_set(&poller_view.devices[1].known, RH_DEVICE_ONLINE);
    rh_device_stats_add(&poller_view.devices[1], RH_POLL_OK, &result, rh_mono_us() - 2500000);
    rh_gauge_set(&poller_view.devices[2].known, RH_DEVICE_OFFLINE);
    rh_ring_push(source.ring, buffer, 40);
    rh_ring_push(source.ring, buffer, 40);
    json_t *json = write(buffer, sizeof(buffer));
    assert_non_null(json);
    assert_in_range(json_integer_value(json_object_get(json, "uptime_s")), 100, 102);
    assert_string_equal(json_string_value(json_object_get(json, "clock")), "synced");
    assert_int_equal(number(json, "store", "batches"), 11);
    assert_int_equal(number(json, "store", "bytes"), 12);
    assert_in_range(number(json, "store", "oldest_s"), 5, 7);
    assert_int_equal(number(json, "store", "dropped"), 13);
    assert_int_equal(number(json, "store", "written_today_bytes"), 600);
    assert_true(json_is_true(json_object_get(json_object_get(json, "uplink"), "connected")));
    assert_int_equal(number(json, "uplink", "connects"), 2);
    assert_int_equal(number(json, "uplink", "refused"), 3);
    assert_int_equal(number(json, "uplink", "no_subscriber"), 4);
    assert_int_equal(number(json, "uplink", "inflight"), 5);
    assert_int_equal(number(json, "rings", "dropped"), 1);
    assert_true(json_integer_value(json_object_get(json, "rss_kib")) > 100);
    json_t *a = json_object_get(json_object_get(json, "lines"), "a");
    double load = json_real_value(json_object_get(a, "load"));
    assert_true(load > 0.48 && load < 0.51);
    assert_int_equal(json_integer_value(json_object_get(a, "crc")), 6);
    static const char *const states[] = {"unknown", "online", "offline"};
    for (size_t d = 0; d < 3; d++) {
        char name[] = {'d', (char)('0' + d), 0};
        json_t *device = json_object_get(json_object_get(json, "devices"), name);
        assert_string_equal(json_string_value(json_object_get(device, "state")), states[d]);
        assert_int_equal(json_integer_value(json_object_get(device, "ok")), d == 1);
        json_t *last = json_object_get(device, "last_ok_s"),
               *turnaround = json_object_get(device, "turnaround_ms");
        assert_true(d == 1 ? json_integer_value(last) == 2 : json_is_null(last));
        assert_true(d == 1 ? json_real_value(json_object_get(turnaround, "p99")) >= 4 : !turnaround);
    }
    json_decref(json);
    take_apart();
}

/* More devices than a message holds: it comes all the same, without them. */
static void many_devices(void **state)
{
    static char buffer[16384];

    (void)state;
    assemble(1000);
    json_t *json = write(buffer, sizeof(buffer));
    assert_non_null(json);
    assert_null(json_object_get(json, "devices"));
    assert_non_null(json_object_get(json_object_get(json, "lines"), "a"));
    assert_non_null(json_object_get(json, "rss_kib"));
    json_decref(json);
    assert_null(write(buffer, 100)); /* a part of a message is none */
    take_apart();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(many_devices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
