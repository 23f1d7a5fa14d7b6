/* SPDX-License-Identifier: MIT */
/*
 * A reading is in exactly one place until it is committed: its ring, the held record of its source, or its
 * stream. A stream is emptied only after the store has said that its message is durable, so a commit that
 * fails loses nothing: the rings fill up meanwhile and, in the end, drop their oldest and count it.
 */
#include "gateway/keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/commit.h"
#include "gateway/passing.h"
#include "gateway/thread.h"
#include "mqtt/value.h"

#define RETRY_US 1000000
#define BEAT_US 1000000
#define TELL_US 60000000
#define REMOVE_WAIT_US 30000000
#define REMOVE_TRY_US 10000000
#define REQUEST_RING_BYTES 65536
#define TAKE_MAX 4096 /* records of one line between two looks at the others */

enum request_kind { REQUEST_ADD, REQUEST_REMOVE, REQUEST_SET };

struct request {
    enum request_kind kind;
    struct rh_source *source;
    int64_t commit_interval_ms, max_size_bytes;
};

struct rh_keeper {
    struct rh_thread thread;
    struct rh_keeper_options options;
    struct rh_keeper_view view;
    struct rh_store *store;
    struct rh_store_shared *shared;
    struct rh_ring *requests;            /* of the main thread */
    atomic_bool refresh_due, values_due; /* asked for by any thread, as often as it likes */
    _Atomic(struct rh_source *) removed; /* the last one that was let go of */
    int done_bell;                       /* a removal has been carried out */
    struct rh_source *sources;
    int64_t commit_us; /* the next commit; RH_NEVER while nothing waits */
    int64_t measure_us, tell_us;
    uint64_t told_dropped, told_damaged; /* what is in the log of what the store lost */
    struct rh_commit *commit;
};

static struct rh_source_limits limits_of(struct rh_keeper *keeper)
{
    struct rh_source_limits limits = {
        .payload_bytes = RH_MESSAGE_BYTES, .overhead_bytes = 512, .no_data = !keeper->options.data};
    int64_t broker = rh_gauge_get(&keeper->view.max_payload);

    if (broker > 0 && (size_t)broker < limits.payload_bytes)
        limits.payload_bytes = (size_t)broker;
    return limits;
}

static void commit_failed(struct rh_keeper *keeper, int r)
{
    rh_gauge_set(&keeper->view.failed_commits, (int64_t)rh_commit_counts(keeper->commit)->failed);
    keeper->commit_us = rh_mono_us() + RETRY_US;
    if (r == -EBADMSG && !rh_gauge_get(&keeper->view.broken)) {
        rh_log(RH_LOG_ERROR, "store", "the database is damaged; restarting to repair it");
        rh_gauge_set(&keeper->view.broken, 1);
    } else if (!rh_gauge_get(&keeper->view.failing)) {
        rh_log(RH_LOG_ERROR, "store", "cannot write: %s; readings wait in memory until it works again",
               strerror(-r));
    }
    rh_gauge_set(&keeper->view.failing, 1);
}

static void commit_worked(struct rh_keeper *keeper)
{
    const struct rh_commit_counts *counts = rh_commit_counts(keeper->commit);

    rh_gauge_set(&keeper->view.batches, (int64_t)counts->batches);
    rh_gauge_set(&keeper->view.readings, (int64_t)counts->readings);
    rh_gauge_set(&keeper->view.commits, (int64_t)counts->commits);
    if (rh_gauge_get(&keeper->view.failing))
        rh_log(RH_LOG_NOTICE, "store", "writing works again");
    rh_gauge_set(&keeper->view.failing, 0);
    rh_bell_ring(keeper->options.uplink_bell);
}

static bool settle(struct rh_keeper *keeper, int r)
{
    if (r == 0)
        commit_worked(keeper);
    else
        commit_failed(keeper, r);
    return r == 0;
}

static bool commit(struct rh_keeper *keeper, bool all)
{
    return settle(keeper, rh_commit_sources(keeper->commit, keeper->sources, all));
}

/* Empties the rings into the streams; false if something is urgent, or full, and a commit must come first. */
static bool drain(struct rh_keeper *keeper, struct rh_source *source)
{
    struct rh_source_limits limits = limits_of(keeper);

    for (int n = 0; n < TAKE_MAX; n++) {
        enum rh_take take = rh_source_take(source, &limits);

        if (take == RH_TAKE_EMPTY)
            return true;
        if (keeper->commit_us == RH_NEVER)
            keeper->commit_us = rh_mono_us() + keeper->options.commit_interval_ms * 1000;
        if (take == RH_TAKE_FULL)
            return false;
    }
    return false;
}

static void set_all(struct rh_keeper *keeper, const struct request *request)
{
    keeper->options.commit_interval_ms = request->commit_interval_ms;
    rh_store_set_max_size(keeper->store, request->max_size_bytes);
}

/* Retained values of devices that are gone. Best effort: they are said at QoS 0, to a broker that is there.
 */
static void clear_values(struct rh_keeper *keeper, const struct rh_source *source)
{
    char topic[RH_TOPIC_MAX];

    for (size_t p = 0; source->board && p < source->line->n_points; p++) {
        const struct rh_point *point = &source->line->points[p];

        if (!source->devices[point->device].gone)
            continue;
        snprintf(topic, sizeof(topic), "%s/value/%s/%s", keeper->options.root,
                 source->line->devices[point->device].name, point->name);
        if (!rh_passing_offer(keeper->options.passing, topic, "", 0))
            return;
    }
}

/* What is left of a line that has ended. A store that fails is given REMOVE_TRY_US; what it does not take
 * then is lost, and said. */
static void remove_source(struct rh_keeper *keeper, struct rh_source *source)
{
    int64_t until_us = rh_mono_us() + REMOVE_TRY_US;
    bool emptied = false, stored = false;

    while (!(emptied && stored)) {
        emptied = drain(keeper, source);
        stored = settle(keeper, rh_commit_sources(keeper->commit, keeper->sources, emptied));
        if (stored)
            continue;
        if (rh_mono_us() > until_us)
            break;
        poll(NULL, 0, RETRY_US / 10000);
    }
    if (!(emptied && stored))
        rh_log(RH_LOG_ERROR, "store", "line %s: its last readings could not be stored", source->line->name);
    settle(keeper, rh_commit_gone(keeper->commit, source));
    clear_values(keeper, source);
    for (struct rh_source **at = &keeper->sources; *at; at = &(*at)->next) {
        if (*at == source) {
            *at = source->next;
            break;
        }
    }
    atomic_store(&keeper->removed, source);
    rh_bell_ring(keeper->done_bell);
}

static void refresh(struct rh_keeper *keeper)
{
    bool all = atomic_exchange(&keeper->refresh_due, false);
    bool values = atomic_exchange(&keeper->values_due, false);

    for (struct rh_source *source = keeper->sources; source; source = source->next) {
        if (all)
            rh_source_refresh(source);
        if (values && source->board)
            rh_board_refresh(source->board);
    }
    if (all)
        keeper->commit_us = rh_mono_us();
}

static void serve_requests(struct rh_keeper *keeper)
{
    struct request request;

    refresh(keeper);
    while (rh_ring_pop(keeper->requests, &request, sizeof(request)) > 0) {
        switch (request.kind) {
        case REQUEST_ADD:
            request.source->next = keeper->sources;
            keeper->sources = request.source;
            keeper->commit_us = rh_mono_us();
            break;
        case REQUEST_REMOVE:
            remove_source(keeper, request.source);
            break;
        case REQUEST_SET:
            set_all(keeper, &request);
            break;
        }
    }
}

static bool any_due(const struct rh_keeper *keeper)
{
    for (const struct rh_source *source = keeper->sources; source; source = source->next)
        for (size_t s = 0; s < source->n_streams; s++)
            if (rh_stream_due(&source->streams[s], false))
                return true;
    return false;
}

/* Offers the values that are due; what finds no room has its turn at the next step. */
static bool show_values(struct rh_keeper *keeper, struct rh_source *source)
{
    struct rh_reading reading;

    while (source->board && rh_board_next(source->board, &reading)) {
        const struct rh_point *point = &source->line->points[reading.point];
        char topic[RH_TOPIC_MAX], bytes[RH_TEXT_MAX + 64];
        struct rh_text text;

        rh_text_init(&text, bytes, sizeof(bytes));
        snprintf(topic, sizeof(topic), "%s/value/%s/%s", keeper->options.root,
                 source->line->devices[point->device].name, point->name);
        if (rh_value_text(&text, point, &reading) &&
            !rh_passing_offer(keeper->options.passing, topic, text.at, text.len))
            return false;
        rh_board_shown(source->board, reading.point);
    }
    return true;
}

static void show_all_values(struct rh_keeper *keeper)
{
    if (!rh_gauge_get(keeper->options.connected))
        return;
    for (struct rh_source *source = keeper->sources; source; source = source->next)
        if (!show_values(keeper, source))
            return;
}

/* Losses are said when they begin, and once a minute while they go on. */
static void tell_store(struct rh_keeper *keeper, int64_t now_us)
{
    uint64_t dropped = rh_counted(&keeper->shared->dropped_batches);
    uint64_t damaged = rh_counted(&keeper->shared->damaged_batches);

    if (now_us < keeper->tell_us || (dropped == keeper->told_dropped && damaged == keeper->told_damaged))
        return;
    if (dropped > keeper->told_dropped)
        rh_log(RH_LOG_WARNING, "store",
               "it is full: %llu of the oldest messages were dropped (%llu readings so far)",
               (unsigned long long)(dropped - keeper->told_dropped),
               (unsigned long long)rh_counted(&keeper->shared->dropped_readings));
    if (damaged > keeper->told_damaged)
        rh_log(RH_LOG_ERROR, "store", "%llu messages were found damaged and are not sent",
               (unsigned long long)(damaged - keeper->told_damaged));
    keeper->told_dropped = dropped;
    keeper->told_damaged = damaged;
    keeper->tell_us = now_us + TELL_US;
}

static void step(struct rh_keeper *keeper)
{
    bool failing = rh_gauge_get(&keeper->view.failing) != 0;
    bool emptied = true;

    rh_gauge_set(&keeper->view.beat_us, rh_mono_us());
    serve_requests(keeper);
    for (struct rh_source *source = keeper->sources; source; source = source->next)
        emptied = drain(keeper, source) && emptied;
    int64_t now_us = rh_mono_us();
    if (now_us >= keeper->commit_us) {
        keeper->commit_us = RH_NEVER;
        commit(keeper, true);
    } else if (!failing && any_due(keeper)) {
        commit(keeper, false);
    }
    if (keeper->options.values)
        show_all_values(keeper);
    if (now_us >= keeper->measure_us) {
        rh_store_measure(keeper->store);
        tell_store(keeper, now_us);
        keeper->measure_us = now_us + BEAT_US;
    }
    if (!emptied && rh_gauge_get(&keeper->view.failing) == 0)
        return; /* more is waiting in a ring */
    int64_t until_us = keeper->commit_us < now_us + BEAT_US ? keeper->commit_us : now_us + BEAT_US;
    struct pollfd bell = {.fd = keeper->thread.bell, .events = POLLIN};
    if (poll(&bell, 1, rh_poll_timeout_ms(now_us, until_us)) > 0)
        rh_bell_clear(keeper->thread.bell);
}

static void *body(void *context)
{
    struct rh_keeper *keeper = context;

    while (!rh_thread_stopping(&keeper->thread))
        step(keeper);
    serve_requests(keeper);
    commit(keeper, true);
    return NULL;
}

int rh_keeper_new(const struct rh_keeper_options *options, struct rh_store *store,
                  struct rh_store_shared *shared, struct rh_keeper **ret_keeper)
{
    struct rh_keeper *keeper = calloc(1, sizeof(*keeper));

    if (!keeper)
        return -ENOMEM;
    keeper->options = *options;
    keeper->shared = shared;
    keeper->commit_us = RH_NEVER;
    keeper->done_bell = -1;
    int r = rh_thread_init(&keeper->thread);
    if (r == 0)
        r = rh_commit_new(options->gateway, options->root, store, &keeper->commit);
    if (r == 0)
        r = rh_bell_open(&keeper->done_bell);
    if (r == 0)
        r = rh_ring_new(REQUEST_RING_BYTES, keeper->thread.bell, &keeper->requests);
    if (r < 0) {
        rh_keeper_free(keeper);
        return r;
    }
    keeper->store = store;
    rh_gauge_set(&keeper->view.beat_us, rh_mono_us());
    *ret_keeper = keeper;
    return 0;
}

void rh_keeper_free(struct rh_keeper *keeper)
{
    if (!keeper)
        return;
    rh_thread_fini(&keeper->thread);
    rh_store_close(keeper->store);
    rh_ring_free(keeper->requests);
    rh_cleanup_close(&keeper->done_bell);
    rh_commit_free(keeper->commit);
    free(keeper);
}

int rh_keeper_start(struct rh_keeper *keeper)
{
    return rh_thread_start(&keeper->thread, "keeper", body, keeper);
}

int rh_keeper_bell(const struct rh_keeper *keeper)
{
    return keeper->thread.bell;
}

struct rh_keeper_view *rh_keeper_view(struct rh_keeper *keeper)
{
    return &keeper->view;
}

static void send_request(struct rh_keeper *keeper, const struct request *request)
{
    bool taken = rh_ring_offer(keeper->requests, request, sizeof(*request));
    rh_assert(taken); /* 64 KiB hold some hundred requests; the main thread makes a few per reload */
    rh_bell_ring(keeper->thread.bell);
}

void rh_keeper_add(struct rh_keeper *keeper, struct rh_source *source)
{
    send_request(keeper, &(struct request){.kind = REQUEST_ADD, .source = source});
}

int rh_keeper_remove(struct rh_keeper *keeper, struct rh_source *source)
{
    struct pollfd done = {.fd = keeper->done_bell, .events = POLLIN};
    int64_t until_us = rh_mono_us() + REMOVE_WAIT_US;

    atomic_store(&keeper->removed, NULL);
    send_request(keeper, &(struct request){.kind = REQUEST_REMOVE, .source = source});
    while (atomic_load(&keeper->removed) != source) {
        int64_t now_us = rh_mono_us();

        if (now_us >= until_us)
            return -ETIMEDOUT;
        if (poll(&done, 1, rh_poll_timeout_ms(now_us, until_us)) > 0)
            rh_bell_clear(keeper->done_bell);
    }
    return 0;
}

void rh_keeper_refresh(struct rh_keeper *keeper)
{
    atomic_store(&keeper->refresh_due, true);
    rh_bell_ring(keeper->thread.bell);
}

void rh_keeper_set(struct rh_keeper *keeper, int64_t commit_interval_ms, int64_t max_size_bytes)
{
    send_request(keeper, &(struct request){.kind = REQUEST_SET,
                                           .commit_interval_ms = commit_interval_ms,
                                           .max_size_bytes = max_size_bytes});
}

void rh_keeper_refresh_values(struct rh_keeper *keeper)
{
    atomic_store(&keeper->values_due, true);
    rh_bell_ring(keeper->thread.bell);
}
