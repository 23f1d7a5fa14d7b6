/* SPDX-License-Identifier: MIT */
/*
 * main.c - railsim: an ordered list of starts, the loop, and the exact reverse.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define EXIT_CONFIG 78

static const char usage[] =
    "railsim - simulated serial buses: Modbus RTU and TCP slaves, text sensors\n"
    "\n"
    "  railsim FILE            runs the buses of FILE until quit, SIGTERM, SIGINT, or the\n"
    "                          end of standard input (when that is the control)\n"
    "  railsim --check FILE    reads FILE, says what is wrong, opens nothing\n"
    "  railsim --example       prints a configuration with comments\n"
    "  railsim --help\n"
    "\n"
    "Exit: 0 ended as asked, 1 a port or file failed, 64 wrong use, 78 wrong configuration.\n";

static void stop(struct sim_watch *watch, uint32_t events)
{
    struct sim_loop *loop = watch->context;
    struct signalfd_siginfo info;
    ssize_t n = read(watch->fd, &info, sizeof(info));

    (void)events;
    loop->quit = n > 0 || loop->quit;
}

static int watch_signals(struct sim_loop *loop, struct sim_watch *watch)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    *watch = (struct sim_watch){signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), stop, loop};
    return watch->fd < 0 ? -errno : sim_loop_add(loop, watch);
}

static void settle(struct sim *sim)
{
    struct sched_param param = {.sched_priority = 1};

    if (sim->seed < 0)
        sim->seed = sim_now_ns() / SIM_US;
    sim->shared.random.state = (uint64_t)sim->seed;
    sim->shared.start_ns = sim_now_ns();
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (sim->realtime && sched_setscheduler(0, SCHED_RR, &param) < 0)
        fprintf(stderr, "railsim: realtime = yes: %s; going on without\n", strerror(errno));
}

static int start_buses(struct sim *sim, char *why, size_t why_cap)
{
    for (size_t i = 0; i < sim->n_buses; i++) {
        int result = sim_bus_start(sim->buses[i], why, why_cap);

        if (result < 0)
            return result;
    }
    return 0;
}

static int announce(const struct sim *sim)
{
    char buffer[16384];
    struct sim_text text;

    sim_text_init(&text, buffer, sizeof(buffer));
    sim_stats_ready(sim, &text);
    return puts(buffer) < 0 || fflush(stdout) != 0 ? -EIO : 0;
}

static void live(struct sim *sim)
{
    while (!sim->shared.loop.quit) {
        int64_t next = SIM_NEVER;

        for (size_t i = 0; i < sim->n_buses; i++) {
            int64_t due = sim_bus_run(sim->buses[i], sim_now_ns());

            next = due < next ? due : next;
        }
        sim_loop_wait(&sim->shared.loop, next);
    }
}

/* Everything but the configuration, which is read already. */
static int run(struct sim *sim)
{
    struct sim_watch signals = {.fd = -1};
    char why[512] = "start";
    int result;

    settle(sim);
    result = sim->log_path[0] != '\0' ? sim_log_open(&sim->shared.log, sim->log_path) : 0;
    if (result < 0)
        snprintf(why, sizeof(why), "log = %s: %s", sim->log_path, strerror(-result));
    if (result == 0)
        result = watch_signals(&sim->shared.loop, &signals);
    if (result == 0)
        result = sim_control_open(sim, why, sizeof(why));
    if (result == 0)
        result = start_buses(sim, why, sizeof(why));
    if (result == 0)
        result = announce(sim);
    if (result == 0)
        live(sim);
    else
        fprintf(stderr, "railsim: %s\n", why);
    sim_config_fini(sim);
    sim_control_close(sim);
    sim_loop_close(&sim->shared.loop, &signals);
    sim_log_close(&sim->shared.log);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int with_file(const char *path, bool check)
{
    static struct sim sim;
    int errors, code = EXIT_SUCCESS;

    sim.shared.log.fd = -1;
    if (sim_loop_init(&sim.shared.loop) < 0) {
        perror("railsim");
        return EXIT_FAILURE;
    }
    errors = sim_config_read(&sim, path);
    if (errors > 0) {
        fprintf(stderr, "railsim: %d error%s in the configuration\n", errors, errors == 1 ? "" : "s");
        code = EXIT_CONFIG;
    } else if (!check) {
        code = run(&sim);
    }
    sim_config_fini(&sim);
    sim_loop_fini(&sim.shared.loop);
    return code;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--example") == 0)
        return fputs(sim_example, stdout) < 0;
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        return with_file(argv[2], true);
    if (argc == 2 && argv[1][0] != '-')
        return with_file(argv[1], false);
    fputs(usage, stderr);
    return 64;
}
