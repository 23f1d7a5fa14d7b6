/* SPDX-License-Identifier: MIT */
/*
 * Order of start: configuration, store, keeper, lines, uplink. The end runs the same list backwards, so that
 * every part finds those below it alive: lines push into the keeper, the keeper writes to the store, the
 * uplink reads from it.
 */
#include "gateway/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/ring.h"
#include "gateway/exit_code.h"
#include "gateway/lines.h"
#include "gateway/schema.h"
#include "gateway/uplink.h"
#include "gateway/version.h"
#include "systemd/journal.h"
#include "systemd/notify.h"

#define BEAT_STALE_US (60 * INT64_C(1000000))
#define LOOK_MS 1000 /* unless systemd wants to hear more often */
#define REPORT_LINES 20

struct daemon {
    const char *path;
    struct rh_config_ref *ref;                     /* the configuration in force */
    struct rh_config_ref *keeper_ref, *uplink_ref; /* the ones these two were started from */
    int64_t since_wall_ms;
    int look_ms;     /* between two looks at the other threads */
    int signals;     /* signalfd */
    int commit_bell; /* keeper to uplink */
    struct rh_store_shared shared;
    struct rh_keeper *keeper;
    struct rh_flights *flights;
    struct rh_lines lines;
    struct rh_uplink *uplink;
    char epoch[16];
};

static int exit_code_of(int r)
{
    if (r == -EACCES || r == -EPERM)
        return RH_EXIT_PERMISSION;
    if (r == -EIO || r == -ENOSPC || r == -EROFS || r == -ENOENT || r == -ENOTDIR || r == -EBADMSG)
        return RH_EXIT_IO;
    return r == -EPROTO ? RH_EXIT_CONFIG : RH_EXIT_FAILURE;
}

static void log_report(const struct rh_report *report)
{
    for (size_t i = 0; i < report->n && i < REPORT_LINES; i++) {
        const struct rh_message *m = &report->messages[i];

        rh_log(m->severity == RH_ERROR ? RH_LOG_ERROR : RH_LOG_WARNING, "config", "%s:%u:%u: %s%s%s%s",
               m->place.file ? m->place.file : "-", m->place.line, m->place.column, m->message,
               m->suggestion ? "; did you mean \"" : "", m->suggestion ? m->suggestion : "",
               m->suggestion ? "\"?" : "");
    }
}

static struct rh_config_ref *load(const char *path)
{
    struct rh_config_ref *ref = NULL;
    struct rh_config *config = NULL;
    struct rh_report report;

    rh_report_init(&report);
    int r = rh_config_load(path, rh_gateway_schema(), &report, &config);
    rh_report_sort(&report);
    log_report(&report);
    rh_report_fini(&report);
    if (r == 0)
        ref = rh_config_ref_new(config);
    return ref;
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

static int open_store(struct daemon *daemon, struct rh_store **ret_store)
{
    const struct rh_config *config = daemon->ref->config;
    struct rh_store_options options = {.path = config->store.path,
                                       .gateway = config->gateway.name,
                                       .max_size_bytes = config->store.max_size_bytes};
    struct rh_store_opened opened = {0};
    char why[512] = "";
    int r = rh_store_open(&options, &daemon->shared, ret_store, &opened, why, sizeof(why));

    if (r < 0) {
        rh_log(RH_LOG_ERROR, "store", "%s", why[0] ? why : strerror(-r));
        return r;
    }
    tell_opened(config->store.path, &opened);
    snprintf(daemon->epoch, sizeof(daemon->epoch), "%s", rh_store_epoch(*ret_store));
    r = rh_flights_open(config->store.path, &daemon->shared, &daemon->flights, why, sizeof(why));
    if (r < 0) {
        rh_log(RH_LOG_ERROR, "store", "%s", why[0] ? why : strerror(-r));
        rh_store_close(*ret_store);
    }
    return r;
}

static int start_keeper(struct daemon *daemon)
{
    const struct rh_config *config = daemon->ref->config;
    struct rh_keeper_options options = {.gateway = config->gateway.name,
                                        .root = config->mqtt.root,
                                        .commit_interval_ms = config->store.commit_interval_ms,
                                        .uplink_bell = daemon->commit_bell};
    struct rh_store *store;
    int r = open_store(daemon, &store);

    if (r < 0)
        return r;
    r = rh_keeper_new(&options, store, &daemon->shared, &daemon->keeper);
    if (r < 0) {
        rh_store_close(store);
        return r;
    }
    daemon->keeper_ref = rh_config_ref_take(daemon->ref);
    daemon->lines.keeper = daemon->keeper;
    return rh_keeper_start(daemon->keeper);
}

static void session_lost(void *keeper)
{
    rh_keeper_refresh(keeper);
}

static int start_uplink(struct daemon *daemon)
{
    struct rh_uplink_options options = {.mqtt = &daemon->ref->config->mqtt,
                                        .epoch = daemon->epoch,
                                        .since_wall_ms = daemon->since_wall_ms,
                                        .keeper = daemon->keeper,
                                        .session_lost = session_lost,
                                        .commit_bell = daemon->commit_bell,
                                        .max_payload = &rh_keeper_view(daemon->keeper)->max_payload};
    int r = rh_uplink_new(&options, daemon->flights, &daemon->uplink);

    if (r < 0)
        return r;
    daemon->uplink_ref = rh_config_ref_take(daemon->ref);
    return rh_uplink_start(daemon->uplink);
}

static void stop_uplink(struct daemon *daemon)
{
    rh_uplink_free(daemon->uplink);
    rh_config_ref_drop(daemon->uplink_ref);
    daemon->uplink = NULL;
    daemon->uplink_ref = NULL;
}

static int start(struct daemon *daemon)
{
    int r = start_keeper(daemon);

    if (r == 0)
        r = rh_lines_apply(&daemon->lines, daemon->ref);
    if (r == 0)
        r = start_uplink(daemon);
    return r;
}

static void stop(struct daemon *daemon)
{
    rh_lines_stop(&daemon->lines);
    stop_uplink(daemon);
    rh_keeper_free(daemon->keeper);
    rh_config_ref_drop(daemon->keeper_ref);
    rh_flights_close(daemon->flights);
    daemon->keeper = NULL;
    daemon->keeper_ref = NULL;
    daemon->flights = NULL;
}

/* What every message or the store itself depends on: then everything is started anew. */
static bool foundations_changed(const struct rh_config *old, const struct rh_config *new)
{
    return old->gateway.fingerprint != new->gateway.fingerprint ||
           strcmp(old->store.path, new->store.path) != 0 || strcmp(old->mqtt.root, new->mqtt.root) != 0 ||
           strcmp(old->mqtt.data_topic, new->mqtt.data_topic) != 0 || old->mqtt.qos != new->mqtt.qos ||
           old->mqtt.formats != new->mqtt.formats;
}

/* Only what changed is restarted; the store and its backlog stay. */
static int apply(struct daemon *daemon, const struct rh_config *old)
{
    const struct rh_config *new = daemon->ref->config;

    if (foundations_changed(old, new)) {
        stop(daemon);
        return start(daemon);
    }
    if (old->store.fingerprint != new->store.fingerprint)
        rh_keeper_set(daemon->keeper, new->store.commit_interval_ms, new->store.max_size_bytes);
    int r = rh_lines_apply(&daemon->lines, daemon->ref);
    if (r < 0 || old->mqtt.fingerprint == new->mqtt.fingerprint)
        return r;
    stop_uplink(daemon);
    return start_uplink(daemon);
}

static int reload(struct daemon *daemon)
{
    rh_notify_reloading();
    struct rh_config_ref *old = daemon->ref, *ref = load(daemon->path);
    int r = 0;

    if (!ref) {
        rh_log(RH_LOG_ERROR, "config", "%s is wrong; the configuration in force stays", daemon->path);
    } else {
        daemon->ref = ref;
        r = apply(daemon, old->config);
        rh_config_ref_drop(old);
        if (r == 0)
            rh_log(RH_LOG_NOTICE, "config", "%s is in force", daemon->path);
    }
    rh_notify_ready();
    return r;
}

static void look_after(struct daemon *daemon)
{
    const struct rh_uplink_view *uplink = rh_uplink_view(daemon->uplink);
    struct rh_lines_view lines;
    char status[160];

    rh_lines_view(&daemon->lines, &lines);
    int64_t oldest_us = lines.oldest_beat_us;
    int64_t others_us[] = {rh_gauge_get(&uplink->beat_us),
                           rh_gauge_get(&rh_keeper_view(daemon->keeper)->beat_us)};
    for (size_t i = 0; i < RH_COUNT(others_us); i++)
        oldest_us = others_us[i] < oldest_us ? others_us[i] : oldest_us;
    if (rh_mono_us() - oldest_us < BEAT_STALE_US)
        rh_notify_watchdog();
    snprintf(status, sizeof(status), "%llu/%llu devices ok, mqtt %s, backlog %lld",
             (unsigned long long)lines.online, (unsigned long long)lines.devices,
             rh_gauge_get(&uplink->connected) ? "connected" : "away",
             (long long)rh_gauge_get(&daemon->shared.backlog));
    rh_notify_status(status);
}

/* Until a signal ends it, or a part cannot go on. */
static int serve(struct daemon *daemon)
{
    struct pollfd fd = {.fd = daemon->signals, .events = POLLIN};

    for (;;) {
        struct signalfd_siginfo signal;

        if (poll(&fd, 1, daemon->look_ms) > 0 &&
            read(daemon->signals, &signal, sizeof(signal)) == sizeof(signal)) {
            if (signal.ssi_signo != SIGHUP)
                return RH_EXIT_OK;
            int r = reload(daemon);
            if (r < 0)
                return exit_code_of(r);
        }
        look_after(daemon);
        if (rh_gauge_get(&rh_keeper_view(daemon->keeper)->broken))
            return RH_EXIT_IO;
    }
}

/* Three times in a watchdog's interval, so that one look may come late. */
static int look_interval_ms(void)
{
    uint64_t watchdog_us = rh_notify_watchdog_us();

    return watchdog_us > 0 && watchdog_us / 3000 < LOOK_MS ? (int)(watchdog_us / 3000) + 1 : LOOK_MS;
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void say_goodbye(const struct daemon *daemon, const struct rh_keeper_view *view)
{
    rh_log(RH_LOG_NOTICE, "gateway",
           "stopped: %lld readings in %lld messages, %llu bytes in %llu syncs to the device, "
           "%lld messages wait for the broker",
           (long long)rh_gauge_get(&view->readings), (long long)rh_gauge_get(&view->batches),
           (unsigned long long)rh_counted(&daemon->shared.written_bytes),
           (unsigned long long)rh_counted(&daemon->shared.syncs),
           (long long)rh_gauge_get(&daemon->shared.backlog));
}

static int run(struct daemon *daemon)
{
    int r = start(daemon);
    int code = RH_EXIT_OK;

    if (r < 0) {
        code = exit_code_of(r);
    } else {
        rh_log(RH_LOG_NOTICE, "gateway", "railhead %s runs as %s with %zu lines", rh_version,
               daemon->ref->config->gateway.name, daemon->lines.n);
        rh_notify_ready();
        code = serve(daemon);
    }
    rh_notify_stopping();
    rh_lines_stop(&daemon->lines);
    stop_uplink(daemon);
    if (daemon->keeper)
        say_goodbye(daemon, rh_keeper_view(daemon->keeper));
    stop(daemon);
    return code;
}

int rh_daemon_run(const char *config_path)
{
    struct daemon daemon = {
        .path = config_path, .look_ms = look_interval_ms(), .signals = -1, .commit_bell = -1};

    mallopt(M_ARENA_MAX, 1); /* a handful of threads that hardly allocate: one heap saves memory */
    if (rh_journal_present())
        rh_log_sink(rh_journal_send);
    rh_log_init(RH_LOG_INFO);
    daemon.since_wall_ms = rh_wall_ms();
    daemon.ref = load(config_path);
    if (!daemon.ref)
        return RH_EXIT_CONFIG;
    daemon.signals = open_signals();
    if (daemon.signals < 0 || rh_bell_open(&daemon.commit_bell) < 0)
        return RH_EXIT_FAILURE;
    int code = run(&daemon);
    rh_config_ref_drop(daemon.ref);
    rh_cleanup_close(&daemon.signals);
    rh_cleanup_close(&daemon.commit_bell);
    return code;
}
