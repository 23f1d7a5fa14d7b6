/* SPDX-License-Identifier: MIT */
/*
 * Pollers, keeper and a real store, with a driver whose devices count: every number arrives once and in
 * order, over reloads and lost ports.
 *
 * The registry of this program is the fake below, linked in place of the built one.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "gateway/lines.h"
#include "tests/unit/gateway/home.h"

#define DEVICES 6
#define POINTS 4
#define DEADLINE_US 20000000

/* What the devices do. The test's thread sets, the poller's thread reads. */
static atomic_llong counted[DEVICES * POINTS];
static atomic_bool port_gone, device_dead;
static atomic_int connects;

static int plan(const struct rh_line_conf *line, struct rh_plan *ret_plan)
{
    *ret_plan = (struct rh_plan){.blocks = calloc(line->n_points, sizeof(struct rh_block)),
                                 .order = calloc(line->n_points, sizeof(uint32_t)),
                                 .n_blocks = line->n_devices,
                                 .n_points = line->n_points};
    for (uint32_t d = 0; d < line->n_devices; d++)
        ret_plan->blocks[d] = (struct rh_block){.device = d,
                                                .first = line->devices[d].first_point,
                                                .count = line->devices[d].n_points,
                                                .period_ms = d % 2 ? 5 : RH_PERIOD_FASTEST,
                                                .cost_us = 200};
    for (uint32_t p = 0; p < line->n_points; p++)
        ret_plan->order[p] = p;
    return 0;
}

struct rh_link {
    const struct rh_line_conf *line;
};

static int open_link(const struct rh_line_conf *line, struct rh_line_counters *counters,
                     struct rh_link **ret_link)
{
    (void)counters;
    *ret_link = calloc(1, sizeof(**ret_link));
    (*ret_link)->line = line;
    return 0;
}

static void close_link(struct rh_link *link)
{
    free(link);
}

static int connect_link(struct rh_link *link, char *why, size_t cap)
{
    (void)link;
    snprintf(why, cap, "the port is not there");
    if (atomic_load(&port_gone))
        return -ENODEV;
    atomic_fetch_add(&connects, 1);
    return 0;
}

static void disconnect_link(struct rh_link *link)
{
    (void)link;
}

static int watch(struct rh_link *link)
{
    (void)link;
    return -1;
}

static enum rh_poll_outcome poll_block(struct rh_link *link, const uint32_t *order,
                                       const struct rh_block *block, const struct rh_sink *sink,
                                       struct rh_poll_result *ret_result)
{
    ret_result->start_us = rh_mono_us();
    rh_sleep_until(ret_result->start_us + 200);
    ret_result->end_us = rh_mono_us();
    if (atomic_load(&port_gone)) {
        ret_result->error = -EIO;
        return RH_POLL_LOST;
    }
    if (block->device == 0 && atomic_load(&device_dead))
        return RH_POLL_TIMEOUT;
    for (uint32_t i = 0; i < block->count; i++) {
        uint32_t p = order[block->first + i];
        struct rh_reading reading = {
            .point = p,
            .urgent = link->line->points[p].class_ == RH_CLASS_URGENT,
            .mono_us = ret_result->end_us,
            .wall_ms = rh_wall_ms(),
            .value = {.kind = RH_VALUE_I64, .i64 = atomic_fetch_add(&counted[p], 1)}};
        sink->reading(sink->context, &reading);
    }
    return RH_POLL_OK;
}

static const struct rh_driver_schema schema = {.name = "fake"};
static const struct rh_driver fake = {.schema = &schema,
                                      .plan = plan,
                                      .open = open_link,
                                      .close = close_link,
                                      .connect = connect_link,
                                      .disconnect = disconnect_link,
                                      .watch = watch,
                                      .poll = poll_block};
const struct rh_driver *const rh_drivers[] = {&fake};
const size_t rh_n_drivers = 1;

const struct rh_driver *rh_driver_of(const struct rh_driver_schema *of)
{
    return of == &schema ? &fake : NULL;
}

void rh_plan_fini(struct rh_plan *of)
{
    free(of->blocks);
    free(of->order);
    *of = (struct rh_plan){0};
}

/* --- a gateway without a broker --- */

struct gateway {
    struct home *home;
    struct rh_line_conf *conf;
    struct rh_config config;
    struct rh_config_ref *ref;
    struct rh_keeper *keeper;
    struct rh_lines lines;
    int bell;
};

static struct gateway *start(void)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    struct rh_keeper_options options = {.gateway = "g", .root = "r", .commit_interval_ms = 50, .data = true};

    assert_non_null(gateway);
    for (size_t p = 0; p < DEVICES * POINTS; p++)
        atomic_store(&counted[p], 0);
    atomic_store(&port_gone, false);
    atomic_store(&device_dead, false);
    gateway->home = home_new(64 << 20);
    gateway->conf = home_line(DEVICES, POINTS);
    gateway->conf->schema = &schema;
    gateway->conf->fingerprint = 1;
    home_point(gateway->conf, 1)->class_ = RH_CLASS_URGENT;
    gateway->config = (struct rh_config){.lines = gateway->conf, .n_lines = 1};
    gateway->ref = rh_config_ref_new(&gateway->config);
    assert_int_equal(rh_bell_open(&gateway->bell), 0);
    options.uplink_bell = gateway->bell;
    assert_int_equal(rh_keeper_new(&options, gateway->home->store, &gateway->home->shared, &gateway->keeper),
                     0);
    assert_int_equal(rh_keeper_start(gateway->keeper), 0);
    gateway->lines.keeper = gateway->keeper;
    assert_int_equal(rh_lines_apply(&gateway->lines, gateway->ref), 0);
    assert_int_equal(gateway->lines.n, 1);
    return gateway;
}

/* The keeper owns the store and closes it: it is opened again to be read. */
static void stop(struct gateway *gateway)
{
    rh_lines_stop(&gateway->lines);
    rh_keeper_free(gateway->keeper);
    home_reopen(gateway->home);
}

static void end(struct gateway *gateway)
{
    home_free(gateway->home);
    home_line_free(gateway->conf);
    free(gateway->ref); /* the configuration in it was never on an arena */
    close(gateway->bell);
    free(gateway);
}

/* Waits, commit by commit, until this many readings of a point have been counted since. */
static void wait_for(const struct gateway *gateway, size_t point, int64_t readings)
{
    int64_t goal = atomic_load(&counted[point]) + readings, deadline_us = rh_mono_us() + DEADLINE_US;

    while (atomic_load(&counted[point]) < goal) {
        struct pollfd bell = {.fd = gateway->bell, .events = POLLIN};
        assert_true(rh_mono_us() < deadline_us);
        assert_true(poll(&bell, 1, DEADLINE_US / 1000) == 1);
        rh_bell_clear(gateway->bell);
    }
}

static void check_all_came(struct home_mail *mail)
{
    int64_t next[DEVICES * POINTS] = {0}, seq = -1;
    const char *name;
    json_t *scan, *value;
    size_t s;

    for (size_t i = 0; i < mail->n; i++) {
        if (mail->at[i].kind != RH_BATCH_DATA)
            continue;
        const char *device = json_string_value(json_object_get(mail->at[i].json, "dev"));
        int64_t now = json_integer_value(json_object_get(mail->at[i].json, "seq"));
        assert_true(seq < 0 || now == seq + 1);
        seq = now;
        json_array_foreach(json_object_get(mail->at[i].json, "readings"), s, scan)
        {
            json_object_foreach(json_object_get(scan, "v"), name, value)
            {
                size_t p = POINTS * strtoul(device + 1, NULL, 10) + strtoul(name + 1, NULL, 10);
                assert_int_equal(json_integer_value(value), next[p]++);
            }
        }
    }
    for (size_t p = 0; p < DEVICES * POINTS; p++)
        assert_int_equal(next[p], atomic_load(&counted[p]));
}

/* The last retained message of a topic; NULL if there is none. */
static const char *last_of(const struct home_mail *mail, const char *topic)
{
    const char *text = NULL;

    for (size_t i = 0; i < mail->n; i++)
        if (strcmp(mail->at[i].topic, topic) == 0)
            text = mail->at[i].text;
    return text;
}

static void every_number_once(void **state)
{
    struct gateway *gateway = start();

    (void)state;
    for (uint64_t fingerprint = 2; fingerprint < 6; fingerprint++) {
        wait_for(gateway, 1, 150);
        gateway->conf->fingerprint =
            fingerprint; /* the running line is told by its own copy of the old one */
        assert_int_equal(rh_lines_apply(&gateway->lines, gateway->ref), 0);
    }
    stop(gateway);
    struct home_mail mail = home_fly(gateway->home);
    check_all_came(&mail);
    assert_string_equal(last_of(&mail, "r/state/d0"), "online");
    assert_non_null(last_of(&mail, "r/meta/d5"));
    home_mail_free(&mail);
    end(gateway);
}

/* A changed line is ended and started anew; what it had gathered is stored, and its devices stay known. */
static void reload(void **state)
{
    struct gateway *gateway = start();
    struct rh_line_conf changed = *gateway->conf;
    struct rh_config config = {.lines = &changed, .n_lines = 1}, none = {0};
    struct rh_config_ref *ref = rh_config_ref_new(&config), *empty = rh_config_ref_new(&none);

    (void)state;
    changed.fingerprint = 2;
    for (int round = 0; round < 4; round++) {
        wait_for(gateway, 1, 100);
        int before = atomic_load(&connects);
        assert_int_equal(rh_lines_apply(&gateway->lines, round % 2 ? gateway->ref : ref), 0);
        wait_for(gateway, 1, 20);
        assert_int_equal(atomic_load(&connects), before + 1);
        assert_int_equal(rh_lines_apply(&gateway->lines, round % 2 ? gateway->ref : ref), 0);
        wait_for(gateway, 1, 20);
        assert_int_equal(atomic_load(&connects), before + 1); /* nothing changed: nothing restarted */
    }
    assert_int_equal(rh_lines_apply(&gateway->lines, empty), 0);
    assert_int_equal(gateway->lines.n, 0);
    stop(gateway);
    struct home_mail mail = home_fly(gateway->home);
    check_all_came(&mail);
    assert_string_equal(last_of(&mail, "r/state/d3"), ""); /* no longer configured: nothing is retained */
    assert_string_equal(last_of(&mail, "r/meta/d3"), "");
    home_mail_free(&mail);
    end(gateway);
    free(ref);
    free(empty);
}

static void lost_port_and_dead_device(void **state)
{
    struct gateway *gateway = start();
    struct rh_lines_view view;
    int64_t deadline_us = rh_mono_us() + DEADLINE_US;

    (void)state;
    wait_for(gateway, 1, 50);
    atomic_store(&port_gone, true);
    do {
        rh_lines_view(&gateway->lines, &view);
        assert_true(rh_mono_us() < deadline_us);
        rh_sleep_until(rh_mono_us() + 1000);
    } while (view.online > 0);
    atomic_store(&port_gone, false);
    wait_for(gateway, 1, 50); /* it is found again by itself */
    wait_for(gateway, 4, 50);
    rh_lines_view(&gateway->lines, &view);
    assert_int_equal(view.online, DEVICES);
    atomic_store(&device_dead, true);
    do {
        rh_lines_view(&gateway->lines, &view);
        assert_true(rh_mono_us() < deadline_us);
        rh_sleep_until(rh_mono_us() + 1000);
    } while (view.online == DEVICES);
    wait_for(gateway, 5, 50); /* the others go on */
    stop(gateway);
    struct home_mail mail = home_fly(gateway->home);
    check_all_came(&mail);
    assert_string_equal(last_of(&mail, "r/state/d0"), "offline");
    assert_string_equal(last_of(&mail, "r/state/d1"), "online");
    home_mail_free(&mail);
    end(gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_once),
        cmocka_unit_test(reload),
        cmocka_unit_test(lost_port_and_dead_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
