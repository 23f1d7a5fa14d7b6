/* SPDX-License-Identifier: MIT */
/*
 * journal.h - log lines with fields, so that `journalctl RAILHEAD_LINE=rs485` finds what belongs together.
 *
 *   MESSAGE            "line rs485: meter (address 1) answers", as it would stand on stderr
 *   PRIORITY           3 error, 4 warning, 5 notice, 6 info, 7 debug
 *   RAILHEAD_PART      who says it: line, store, mqtt, keeper, config, gateway
 *   RAILHEAD_LINE      the line's name, if a line says it
 *   RAILHEAD_DEVICE    the device's name, if it is about one
 *   SYSLOG_IDENTIFIER  railhead
 *
 * Any thread.
 */
#ifndef RH_SYSTEMD_JOURNAL_H
#define RH_SYSTEMD_JOURNAL_H

#include <stdbool.h>

#include "core/log.h"

/* True where journald takes entries with fields. Without it libsystemd drops them and reports success. */
bool rh_journal_present(void);

/* A sink for rh_log_sink. False when journald did not take the entry. */
bool rh_journal_send(const struct rh_log_event *event);

#endif
