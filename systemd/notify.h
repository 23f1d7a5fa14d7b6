/* SPDX-License-Identifier: MIT */
/*
 * notify.h - what the daemon tells systemd. Every call is silent where there is no systemd. Main thread.
 */
#ifndef RH_SYSTEMD_NOTIFY_H
#define RH_SYSTEMD_NOTIFY_H

#include <stdint.h>

/* Configuration loaded, store open, lines started. Not: broker reached. */
void rh_notify_ready(void);
void rh_notify_reloading(void);
void rh_notify_stopping(void);
/* From now on, systemd waits at least so long for what is under way, be it the start, the stop or the next
 * sign of life: before work that cannot be cut short. */
void rh_notify_extend(uint64_t microseconds);
/* One line that a person reads in `systemctl status`. */
void rh_notify_status(const char *status);
/* "I am alive": only while every thread's beat is fresh. */
void rh_notify_watchdog(void);
/* The interval systemd expects watchdog messages in, microseconds; 0 if it expects none. */
uint64_t rh_notify_watchdog_us(void);

#endif
