/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the whole simulator: what the configuration builds and the commands change.
 */
#ifndef RAILSIM_SIM_H
#define RAILSIM_SIM_H

#include "tests/sim/bus.h"

#define SIM_BUSES_MAX 32

struct sim {
    struct sim_shared shared;
    struct sim_bus *buses[SIM_BUSES_MAX];
    size_t n_buses;
    char log_path[SIM_PATH_MAX];
    char control[SIM_PATH_MAX]; /* "stdin", "none" or the path of a socket */
    int64_t seed;               /* -1: by the clock */
    bool realtime;              /* ask for a place before ordinary processes */
};

struct sim_bus *sim_find_bus(struct sim *sim, const char *name);

/* config.c: reads the file and what it includes. Messages go to stderr as FILE:LINE: text; returns how many.
 * Nothing is opened. */
int sim_config_read(struct sim *sim, const char *path);
void sim_config_fini(struct sim *sim);

/* command.c: one command line; writes one JSON line without its end. */
void sim_command_run(struct sim *sim, const char *line, struct sim_text *reply);

/* stats.c */
void sim_stats_bus(const struct sim_bus *bus, struct sim_text *text);
void sim_stats_ready(const struct sim *sim, struct sim_text *text);

/* control.c: where commands come from. */
SIM_MUST_USE int sim_control_open(struct sim *sim, char *why, size_t why_cap); /* 0 or a negative errno */
void sim_control_close(struct sim *sim);

extern const char sim_example[];

#endif
