/* SPDX-License-Identifier: MIT */
/*
 * log.h - what happened, as JSON lines: one write() per event, so that a kill loses nothing that was done.
 * The fields are listed in the README.
 */
#ifndef RAILSIM_LOG_H
#define RAILSIM_LOG_H

#include "tests/sim/base.h"
#include "tests/sim/slave.h"

struct sim_log {
    int fd; /* -1: none */
};

SIM_MUST_USE int sim_log_open(struct sim_log *log, const char *path); /* 0 or a negative errno */
void sim_log_close(struct sim_log *log);
void sim_log_request(struct sim_log *log, const char *bus, const struct sim_record *record);
/* Anything else: `detail` is shown as a string when not NULL, `bytes` in hex when n > 0. */
void sim_log_event(struct sim_log *log, const char *bus, const char *event, const char *detail,
                   const uint8_t *bytes, size_t n);
/* A sensor's transmission. */
void sim_log_line(struct sim_log *log, const char *bus, const struct sim_record *record, const char *sensor,
                  const uint8_t *bytes, size_t n);

#endif
