/* SPDX-License-Identifier: MIT */
/*
 * poller_port.c - the port of a line: opened, lost, looked for again. A connection proves itself by its first
 * valid frame; one that never does is tried again with growing pauses and is in the log once.
 */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/backoff.h"
#include "gateway/poller_inside.h"

/* For those who look on: the state of every device. */
void rh_poller_show(struct rh_poller *poller)
{
    int64_t online = 0;

    for (uint32_t d = 0; d < poller->line->n_devices; d++) {
        const struct rh_device_state *state = rh_schedule_device(poller->schedule, d);
        bool up = poller->connected && state->seen && !state->offline;
        bool down = !poller->connected || state->offline;

        rh_gauge_set(&poller->view.devices[d].known,
                     up ? RH_DEVICE_ONLINE : (down ? RH_DEVICE_OFFLINE : RH_DEVICE_UNKNOWN));
        online += up;
    }
    rh_gauge_set(&poller->view.devices_online, online);
}

static void tell_lost(struct rh_poller *poller, const char *why)
{
    if (poller->told_lost)
        return;
    rh_log(RH_LOG_ERROR, poller->part, "%s", why);
    poller->told_lost = true;
    for (uint32_t d = 0; d < poller->line->n_devices; d++) {
        poller->offline_us[d] = poller->offline_us[d] ? poller->offline_us[d] : rh_mono_us();
        rh_outlet_offline(&poller->outlet, d);
    }
    rh_poller_show(poller);
}

/* The port is gone: give the node back to the kernel at once, and look for it again soon. */
void rh_poller_lost(struct rh_poller *poller, int error)
{
    char why[96];

    poller->driver->disconnect(poller->link);
    poller->connected = false;
    rh_gauge_set(&poller->view.connected, 0);
    poller->connect_us = rh_mono_us();
    if (poller->heard) {
        rh_log(RH_LOG_WARNING, poller->part, "connection lost: %s", strerror(-error));
        return;
    }
    /* It opens and is of no use: not in a circle, and not once more into the log. */
    poller->connect_us += rh_backoff_port_us(poller->attempts++);
    snprintf(why, sizeof(why), "it can be opened, but is lost at once (%s)", strerror(-error));
    tell_lost(poller, why);
}

void rh_poller_connect(struct rh_poller *poller)
{
    char why[256] = "";
    int r = poller->driver->connect(poller->link, why, sizeof(why));

    if (r < 0) {
        poller->connect_us = rh_mono_us() + rh_backoff_port_us(poller->attempts++);
        poller->port_failed = true;
        tell_lost(poller, why[0] ? why : strerror(-r));
        return;
    }
    if (poller->attempts == 0 || poller->port_failed)
        rh_log(RH_LOG_NOTICE, poller->part, "connected");
    poller->connected = true;
    poller->heard = poller->port_failed = false;
    rh_gauge_set(&poller->view.connected, 1);
    rh_schedule_restart(poller->schedule, rh_mono_us());
    poller->outlet.dropped = true; /* all states are new to the keeper */
}
