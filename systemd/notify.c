/* SPDX-License-Identifier: MIT */
#include "systemd/notify.h"

#include <systemd/sd-daemon.h>

#include "core/clock.h"

void rh_notify_ready(void)
{
    sd_notify(0, "READY=1");
}

/* MONOTONIC_USEC lets systemd tell this reload from a former one. */
void rh_notify_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)rh_mono_us());
}

void rh_notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void rh_notify_extend(uint64_t microseconds)
{
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)microseconds);
}

void rh_notify_status(const char *status)
{
    sd_notifyf(0, "STATUS=%s", status);
}

void rh_notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}

uint64_t rh_notify_watchdog_us(void)
{
    uint64_t interval_us = 0;

    return sd_watchdog_enabled(0, &interval_us) > 0 ? interval_us : 0;
}
