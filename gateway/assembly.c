/* SPDX-License-Identifier: MIT */
#include "gateway/assembly.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/ring.h"
#include "gateway/schema.h"
#include "mqtt/codec.h"
#include "mqtt/value.h"
#include "systemd/notify.h"

#define ANSWERS_BYTES ((size_t)256 * 1024)
#define PASSING_RING_BYTES ((size_t)128 * 1024)
#define AUDITS_BYTES ((size_t)64 * 1024)
#define CONTROL_ANSWERS_BYTES ((size_t)32 * 1024) /* one point each of 32 clients */
/* A damaged store is read and written anew when it is opened: 4 GiB of an SD card, with time to spare. */
#define REPAIR_US (30 * 60 * UINT64_C(1000000))

int rh_assembly_init(struct rh_assembly *assembly, struct rh_config_ref *ref)
{
    *assembly = (struct rh_assembly){.ref = ref, .commit_bell = -1, .control_bell = -1};
    assembly->since_wall_ms = rh_wall_ms();
    assembly->since_us = rh_mono_us();
    int r = rh_bell_open(&assembly->commit_bell);
    if (r == 0)
        r = rh_ring_new(ANSWERS_BYTES, assembly->commit_bell, &assembly->answers);
    if (r == 0)
        r = rh_ring_new(PASSING_RING_BYTES, assembly->commit_bell, &assembly->passing);
    if (r == 0)
        r = rh_ring_new(AUDITS_BYTES, assembly->commit_bell, &assembly->audits);
    if (r == 0)
        r = rh_bell_open(&assembly->control_bell);
    if (r == 0)
        r = rh_ring_new(CONTROL_ANSWERS_BYTES, assembly->control_bell, &assembly->control_answers);
    return r;
}

void rh_assembly_fini(struct rh_assembly *assembly)
{
    rh_config_ref_drop(assembly->ref);
    rh_ring_free(assembly->answers);
    rh_ring_free(assembly->passing);
    rh_ring_free(assembly->audits);
    rh_ring_free(assembly->control_answers);
    rh_cleanup_close(&assembly->control_bell);
    rh_cleanup_close(&assembly->commit_bell);
}

static void tell_opened(const char *path, const struct rh_store_opened *opened)
{
    if (opened->damaged)
        rh_log(RH_LOG_ERROR, "store",
               "%s was damaged and is kept as %s; %lld messages were rescued, %lld lost", path,
               opened->quarantine, (long long)opened->salvaged_batches, (long long)opened->lost_batches);
    if (opened->created && !opened->damaged)
        rh_log(RH_LOG_NOTICE, "store", "%s is new", path);
    if (opened->backlog > 0)
        rh_log(RH_LOG_NOTICE, "store", "%lld messages wait to be sent", (long long)opened->backlog);
}

static int open_store(struct rh_assembly *assembly, struct rh_store **ret_store)
{
    const struct rh_config *config = assembly->ref->config;
    struct rh_store_options options = {.path = config->store.path,
                                       .gateway = config->gateway.name,
                                       .max_size_bytes = config->store.max_size_bytes};
    struct rh_store_opened opened = {0};
    char why[512] = "";

    rh_notify_extend(REPAIR_US);
    int r = rh_store_open(&options, &assembly->shared, ret_store, &opened, why, sizeof(why));

    if (r < 0) {
        rh_log(RH_LOG_ERROR, "store", "%s", why[0] ? why : strerror(-r));
        return r;
    }
    tell_opened(config->store.path, &opened);
    snprintf(assembly->epoch, sizeof(assembly->epoch), "%s", rh_store_epoch(*ret_store));
    r = rh_flights_open(config->store.path, &assembly->shared, &assembly->flights, why, sizeof(why));
    if (r < 0) {
        rh_log(RH_LOG_ERROR, "store", "%s", why[0] ? why : strerror(-r));
        rh_store_close(*ret_store);
    }
    return r;
}

static bool has_format(const struct rh_config *config, const char *name)
{
    const struct rh_schema *schema = rh_gateway_schema();

    for (size_t i = 0; i < schema->n_formats; i++)
        if (strcmp(schema->formats[i], name) == 0)
            return config->mqtt.formats & 1U << i;
    return false;
}

static int start_keeper(struct rh_assembly *assembly)
{
    const struct rh_config *config = assembly->ref->config;
    struct rh_keeper_options options = {.gateway = config->gateway.name,
                                        .root = config->mqtt.root,
                                        .commit_interval_ms = config->store.commit_interval_ms,
                                        .data = has_format(config, rh_codecs[0]->name),
                                        .values = has_format(config, RH_VALUE_FORMAT),
                                        .passing = assembly->passing,
                                        .connected = &assembly->connected,
                                        .uplink_bell = assembly->commit_bell};
    struct rh_store *store;
    int r = open_store(assembly, &store);

    if (r < 0)
        return r;
    r = rh_keeper_new(&options, store, &assembly->shared, &assembly->keeper);
    if (r < 0) {
        rh_store_close(store);
        return r;
    }
    assembly->keeper_ref = rh_config_ref_take(assembly->ref);
    assembly->lines.keeper = assembly->keeper;
    assembly->lines.values = options.values;
    assembly->lines.answers[RH_ORIGIN_UPLINK] = assembly->answers;
    assembly->lines.answers[RH_ORIGIN_CONTROL] = assembly->control_answers;
    return rh_keeper_start(assembly->keeper);
}

static void session_lost(void *keeper)
{
    rh_keeper_refresh(keeper);
}

static void uplink_connected(void *keeper)
{
    rh_keeper_refresh_values(keeper);
}

static int start_uplink(struct rh_assembly *assembly)
{
    const struct rh_config *config = assembly->ref->config;
    struct rh_uplink_options options = {.mqtt = &config->mqtt,
                                        .commands = &config->commands,
                                        .epoch = assembly->epoch,
                                        .since_wall_ms = assembly->since_wall_ms,
                                        .keeper = assembly->keeper,
                                        .session_lost = session_lost,
                                        .connected = uplink_connected,
                                        .resend_meta = session_lost,
                                        .shared = &assembly->shared,
                                        .passing = assembly->passing,
                                        .answers = assembly->answers,
                                        .audits = assembly->audits,
                                        .commit_bell = assembly->commit_bell,
                                        .connected_gauge = &assembly->connected,
                                        .max_payload = &rh_keeper_view(assembly->keeper)->max_payload};
    int r = rh_uplink_new(&options, assembly->flights, &assembly->uplink);

    if (r < 0)
        return r;
    assembly->uplink_ref = rh_config_ref_take(assembly->ref);
    rh_uplink_set_routes(assembly->uplink, assembly->routes);
    return rh_uplink_start(assembly->uplink);
}

static void stop_uplink(struct rh_assembly *assembly)
{
    rh_uplink_free(assembly->uplink);
    rh_config_ref_drop(assembly->uplink_ref);
    rh_gauge_set(&assembly->connected, 0);
    assembly->uplink = NULL;
    assembly->uplink_ref = NULL;
}

/* Nobody may command a line that is about to end. */
static void withdraw_routes(struct rh_assembly *assembly)
{
    if (assembly->uplink)
        rh_uplink_set_routes(assembly->uplink, NULL);
    rh_routes_free(assembly->routes);
    assembly->routes = NULL;
}

static int make_routes(struct rh_assembly *assembly)
{
    size_t devices = 0;

    for (size_t i = 0; i < assembly->lines.n; i++)
        devices += assembly->lines.at[i].conf->n_devices;
    assembly->routes = rh_routes_new(devices);
    if (!assembly->routes)
        return -ENOMEM;
    for (size_t i = 0; i < assembly->lines.n; i++)
        for (size_t d = 0; d < assembly->lines.at[i].conf->n_devices; d++)
            rh_routes_add(assembly->routes, &assembly->lines.at[i].conf->devices[d],
                          assembly->lines.at[i].poller);
    rh_routes_sort(assembly->routes);
    if (assembly->uplink)
        rh_uplink_set_routes(assembly->uplink, assembly->routes);
    return 0;
}

/* A command under way points into the configuration of its line until its answer, the line's last word, has
 * been taken: the configurations of lines that end are kept until then. */
struct held {
    struct rh_config_ref **at;
    size_t n;
};

static struct held hold_configs(const struct rh_lines *lines)
{
    struct held held = {calloc(lines->n + 1, sizeof(*held.at)), lines->n};

    rh_assert(held.at);
    for (size_t i = 0; i < lines->n; i++)
        held.at[i] = rh_config_ref_take(lines->at[i].ref);
    return held;
}

static void release_configs(struct held *held)
{
    for (size_t i = 0; i < held->n; i++)
        rh_config_ref_drop(held->at[i]);
    free(held->at);
}

/* New routes are in use only after the answers of the former lines have been taken. */
static int apply_lines(struct rh_assembly *assembly)
{
    struct held held = hold_configs(&assembly->lines);

    withdraw_routes(assembly);
    int r = rh_lines_apply(&assembly->lines, assembly->ref);
    int made = make_routes(assembly);
    release_configs(&held);
    return r < 0 ? r : made;
}

int rh_assembly_start(struct rh_assembly *assembly)
{
    int r = start_keeper(assembly);

    if (r == 0)
        r = apply_lines(assembly);
    if (r == 0)
        r = start_uplink(assembly);
    return r;
}

void rh_assembly_quiet(struct rh_assembly *assembly)
{
    struct held held = hold_configs(&assembly->lines);

    withdraw_routes(assembly);
    rh_lines_stop(&assembly->lines);
    stop_uplink(assembly);
    release_configs(&held);
}

void rh_assembly_stop(struct rh_assembly *assembly)
{
    rh_assembly_quiet(assembly);
    rh_keeper_free(assembly->keeper);
    rh_config_ref_drop(assembly->keeper_ref);
    rh_flights_close(assembly->flights);
    assembly->keeper = NULL;
    assembly->keeper_ref = NULL;
    assembly->flights = NULL;
}

/* What every message or the store itself depends on: then everything is started anew. */
static bool foundations_changed(const struct rh_config *old, const struct rh_config *new)
{
    return old->gateway.fingerprint != new->gateway.fingerprint ||
           strcmp(old->store.path, new->store.path) != 0 || strcmp(old->mqtt.root, new->mqtt.root) != 0 ||
           strcmp(old->mqtt.data_topic, new->mqtt.data_topic) != 0 || old->mqtt.qos != new->mqtt.qos ||
           old->mqtt.formats != new->mqtt.formats;
}

static bool uplink_changed(const struct rh_config *old, const struct rh_config *new)
{
    return old->mqtt.fingerprint != new->mqtt.fingerprint ||
           old->commands.fingerprint != new->commands.fingerprint;
}

int rh_assembly_apply(struct rh_assembly *assembly, struct rh_config_ref *ref)
{
    struct rh_config_ref *old = assembly->ref;
    const struct rh_config *new = ref->config;
    int r = 0;

    assembly->ref = ref;
    if (foundations_changed(old->config, new)) {
        rh_assembly_stop(assembly);
        r = rh_assembly_start(assembly);
        rh_config_ref_drop(old);
        return r;
    }
    if (old->config->store.fingerprint != new->store.fingerprint)
        rh_keeper_set(assembly->keeper, new->store.commit_interval_ms, new->store.max_size_bytes);
    r = apply_lines(assembly);
    if (r == 0 && uplink_changed(old->config, new)) {
        stop_uplink(assembly);
        r = start_uplink(assembly);
    }
    rh_config_ref_drop(old);
    return r;
}
