/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - `railhead run`: the order of start, the life of the process, and the exact reverse.
 */
#ifndef RH_GATEWAY_DAEMON_H
#define RH_GATEWAY_DAEMON_H

/* Runs until SIGTERM or SIGINT; SIGHUP reloads. Returns the process's exit code. */
int rh_daemon_run(const char *config_path);

#endif
