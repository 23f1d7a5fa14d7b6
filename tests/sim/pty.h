/* SPDX-License-Identifier: MIT */
/*
 * pty.h - the terminal half of port.c; nobody else includes it.
 */
#ifndef RAILSIM_PTY_H
#define RAILSIM_PTY_H

#include "tests/sim/port.h"

SIM_MUST_USE int sim_pty_open(struct sim_port *port, char *why, size_t why_cap);
SIM_MUST_USE int sim_pty_renew(struct sim_port *port, char *why, size_t why_cap);
void sim_pty_close(struct sim_port *port);
void sim_pty_unlink(const struct sim_port *port); /* only if the link is ours still */
bool sim_pty_heard(const struct sim_port *port);
bool sim_pty_write(struct sim_port *port, const uint8_t *bytes, size_t n);

#endif
