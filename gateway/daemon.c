/* SPDX-License-Identifier: MIT */
/* The life of the process: signals, reload, the watchdog, the health message. */
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
#include "gateway/assembly.h"
#include "gateway/control.h"
#include "gateway/exit_code.h"
#include "gateway/health.h"
#include "gateway/passing.h"
#include "gateway/schema.h"
#include "gateway/version.h"
#include "systemd/journal.h"
#include "systemd/notify.h"

#define BEAT_STALE_US (60 * INT64_C(1000000))
#define LOOK_MS 1000 /* unless systemd wants to hear more often */
#define REPORT_LINES 20
#define HEALTH_US 60000000
#define HEALTH_BYTES (RH_PASSING_BYTES - RH_TOPIC_MAX)

struct daemon {
    const char *path;
    int look_ms;       /* between two looks at the other threads */
    int signals;       /* signalfd */
    int64_t health_us; /* when the next health message is due */
    int64_t look_us;   /* when the next look is */
    struct rh_control *control;
    struct rh_assembly assembly;
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

static void open_control(struct daemon *daemon)
{
    rh_control_set_routes(daemon->control, daemon->assembly.routes);
    rh_control_listen(daemon->control, daemon->assembly.ref->config->gateway.socket);
}

static int reload(struct daemon *daemon)
{
    rh_notify_reloading();
    struct rh_config_ref *ref = load(daemon->path);
    int r = 0;

    if (!ref) {
        rh_log(RH_LOG_ERROR, "config", "%s is wrong; the configuration in force stays", daemon->path);
    } else {
        rh_control_set_routes(daemon->control, NULL);
        r = rh_assembly_apply(&daemon->assembly, ref);
        if (r == 0)
            open_control(daemon);
        if (r == 0)
            rh_log(RH_LOG_NOTICE, "config", "%s is in force", daemon->path);
    }
    rh_notify_ready();
    return r;
}

/* Once a minute, and a second after the start; from memory, like the values. */
static void say_health(struct daemon *daemon, int64_t now_us)
{
    struct rh_assembly *assembly = &daemon->assembly;
    static char payload[HEALTH_BYTES]; /* main thread only */
    char topic[RH_TOPIC_MAX];
    struct rh_text text;

    if (now_us < daemon->health_us || !rh_gauge_get(&assembly->connected))
        return;
    daemon->health_us = now_us + HEALTH_US;
    rh_text_init(&text, payload, sizeof(payload));
    rh_health_write(&text, assembly);
    snprintf(topic, sizeof(topic), "%s/health", assembly->ref->config->mqtt.root);
    if (!text.cut && !rh_passing_offer(assembly->passing, topic, text.at, text.len))
        daemon->health_us = now_us + HEALTH_US / 60;
}

static void note_day(struct rh_assembly *assembly)
{
    int64_t day = rh_wall_ms() / 86400000;

    if (assembly->day != 0 && day != assembly->day)
        assembly->written_before = rh_counted(&assembly->shared.written_bytes);
    assembly->day = day;
}

static void look_after(struct daemon *daemon)
{
    const struct rh_uplink_view *uplink = rh_uplink_view(daemon->assembly.uplink);
    struct rh_lines_view lines;
    char status[160];

    rh_lines_view(&daemon->assembly.lines, &lines);
    int64_t oldest_us = lines.oldest_beat_us;
    int64_t others_us[] = {rh_gauge_get(&uplink->beat_us),
                           rh_gauge_get(&rh_keeper_view(daemon->assembly.keeper)->beat_us)};
    for (size_t i = 0; i < RH_COUNT(others_us); i++)
        oldest_us = others_us[i] < oldest_us ? others_us[i] : oldest_us;
    if (rh_mono_us() - oldest_us < BEAT_STALE_US)
        rh_notify_watchdog();
    snprintf(status, sizeof(status), "%llu/%llu devices ok, mqtt %s, backlog %lld%s",
             (unsigned long long)lines.online, (unsigned long long)lines.devices,
             rh_gauge_get(&uplink->connected) ? "connected" : "away",
             (long long)rh_gauge_get(&daemon->assembly.shared.backlog),
             rh_gauge_get(&rh_keeper_view(daemon->assembly.keeper)->failing) ? ", the store cannot be written"
                                                                             : "");
    rh_notify_status(status);
    note_day(&daemon->assembly);
    say_health(daemon, rh_mono_us());
}

/* The signal that came, or 0. Clients of the control socket are served on the way: however much they ask, a
 * signal waits for one step of theirs at most. */
static uint32_t wait_for_signal(struct daemon *daemon)
{
    struct pollfd fds[] = {{.fd = daemon->signals, .events = POLLIN},
                           {.fd = rh_control_fd(daemon->control), .events = POLLIN}};
    struct signalfd_siginfo signal;
    int n = poll(fds, RH_COUNT(fds), rh_poll_timeout_ms(rh_mono_us(), daemon->look_us));

    rh_control_step(daemon->control, rh_mono_us());
    if (n > 0 && fds[0].revents && read(daemon->signals, &signal, sizeof(signal)) == sizeof(signal))
        return signal.ssi_signo;
    return 0;
}

/* Until a signal ends it, or a part cannot go on. */
static int serve(struct daemon *daemon)
{
    for (;;) {
        uint32_t signal = wait_for_signal(daemon);

        if (signal != 0 && signal != SIGHUP)
            return RH_EXIT_OK;
        if (signal == SIGHUP) {
            int r = reload(daemon);
            if (r < 0)
                return exit_code_of(r);
        } else if (rh_mono_us() < daemon->look_us) {
            continue;
        }
        daemon->look_us = rh_mono_us() + (int64_t)daemon->look_ms * 1000;
        look_after(daemon);
        if (rh_gauge_get(&rh_keeper_view(daemon->assembly.keeper)->broken))
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
           (unsigned long long)rh_counted(&daemon->assembly.shared.written_bytes),
           (unsigned long long)rh_counted(&daemon->assembly.shared.syncs),
           (long long)rh_gauge_get(&daemon->assembly.shared.backlog));
}

static int run(struct daemon *daemon)
{
    struct rh_assembly *assembly = &daemon->assembly;
    int r = rh_assembly_start(assembly);
    int code = RH_EXIT_OK;

    if (r < 0) {
        code = exit_code_of(r);
    } else {
        rh_log(RH_LOG_NOTICE, "gateway", "railhead %s runs as %s with %zu lines", rh_version,
               assembly->ref->config->gateway.name, assembly->lines.n);
        open_control(daemon);
        rh_notify_ready();
        code = serve(daemon);
    }
    rh_notify_stopping();
    rh_control_free(daemon->control);
    daemon->control = NULL;
    rh_assembly_quiet(assembly);
    if (assembly->keeper)
        say_goodbye(daemon, rh_keeper_view(assembly->keeper));
    rh_assembly_stop(assembly);
    return code;
}

static void write_status(const void *assembly, struct rh_text *text)
{
    rh_health_write(text, assembly);
}

static int init_control(struct daemon *daemon)
{
    struct rh_control_options options = {.answers = daemon->assembly.control_answers,
                                         .bell = daemon->assembly.control_bell,
                                         .audits = daemon->assembly.audits,
                                         .status = write_status,
                                         .context = &daemon->assembly};

    return rh_control_new(&options, &daemon->control);
}

static int start_and_run(struct daemon *daemon, struct rh_config_ref *ref)
{
    int code = RH_EXIT_FAILURE;

    daemon->signals = open_signals();
    int r = rh_assembly_init(&daemon->assembly, ref);
    if (r == 0)
        r = init_control(daemon);
    if (daemon->signals < 0 || r < 0)
        rh_log(RH_LOG_ERROR, "gateway", "cannot start: %s", strerror(r < 0 ? -r : errno));
    else
        code = run(daemon);
    rh_control_free(daemon->control);
    rh_assembly_fini(&daemon->assembly);
    rh_cleanup_close(&daemon->signals);
    return code;
}

int rh_daemon_run(const char *config_path)
{
    struct daemon daemon = {.path = config_path, .look_ms = look_interval_ms(), .signals = -1};

    mallopt(M_ARENA_MAX, 1); /* a handful of threads that hardly allocate: one heap saves memory */
    if (rh_journal_present())
        rh_log_sink(rh_journal_send);
    rh_log_init(RH_LOG_INFO);
    struct rh_config_ref *ref = load(config_path);
    return ref ? start_and_run(&daemon, ref) : RH_EXIT_CONFIG;
}
