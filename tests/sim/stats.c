/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/sim/sim.h"

static void count(struct sim_text *text, const char *name, uint64_t value)
{
    sim_text_printf(text, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void units(const struct sim_bus *bus, struct sim_text *text)
{
    const char *comma = "";

    sim_text_printf(text, ",\"units\":{");
    for (size_t i = 0; i < SIM_UNITS; i++) {
        const struct sim_slave *slave = bus->slaves[i];

        if (slave == NULL)
            continue;
        sim_text_printf(text, "%s\"%zu\":{\"requests\":%llu", comma, i, (unsigned long long)slave->requests);
        count(text, "answers", slave->answers);
        count(text, "exceptions", slave->exceptions);
        count(text, "early", slave->early);
        sim_text_printf(text, "}");
        comma = ",";
    }
    sim_text_printf(text, "}");
}

void sim_stats_bus(const struct sim_bus *bus, struct sim_text *text)
{
    int64_t elapsed = sim_now_ns() - bus->shared->start_ns;

    sim_text_json(text, bus->name, strlen(bus->name));
    sim_text_printf(text, ":{\"type\":\"%s\",\"plugged\":%s,\"open\":%s", bus->kind->name,
                    bus->port.plugged ? "true" : "false",
                    bus->port.plugged && sim_port_heard(&bus->port, -1) ? "true" : "false");
    count(text, "requests", bus->requests);
    count(text, "answers", bus->answers);
    count(text, "early", bus->early);
    if (bus->min_gap_ns == SIM_NEVER)
        sim_text_printf(text, ",\"min_gap_us\":null");
    else
        sim_text_printf(text, ",\"min_gap_us\":%.1f", (double)bus->min_gap_ns / 1e3);
    sim_text_printf(text, ",\"silence_us\":%.1f,\"char_us\":%.3f", (double)bus->wire.silence_ns / 1e3,
                    bus->wire.char_ns / 1e3);
    count(text, "garbage", bus->garbage);
    count(text, "collided", bus->collided);
    count(text, "unheard", bus->unheard);
    count(text, "closed", bus->gone);
    count(text, "bytes_in", bus->wire.bytes_in);
    count(text, "bytes_out", bus->wire.bytes_out);
    count(text, "lost_bytes", bus->port.lost);
    count(text, "overflows", bus->wire.overflows);
    count(text, "busy_us", (uint64_t)(bus->wire.busy_ns / SIM_US));
    count(text, "elapsed_us", (uint64_t)(elapsed / SIM_US));
    sim_text_printf(text, ",\"busy\":%.4f", (double)bus->wire.busy_ns / (double)elapsed);
    count(text, "worst_late_us", (uint64_t)(bus->wire.worst_late_ns / SIM_US));
    count(text, "speed", sim_port_speed(&bus->port));
    units(bus, text);
    sim_text_printf(text, "}");
}

void sim_stats_ready(const struct sim *sim, struct sim_text *text)
{
    sim_text_printf(text, "{\"ready\":true,\"seed\":%llu,\"buses\":{", (unsigned long long)sim->seed);
    for (size_t i = 0; i < sim->n_buses; i++) {
        const struct sim_bus *bus = sim->buses[i];

        sim_text_printf(text, "%s\"%s\":{\"type\":\"%s\"", i > 0 ? "," : "", bus->name, bus->kind->name);
        if (bus->kind->tcp) {
            sim_text_printf(text, ",\"host\":\"%s\",\"port\":%u}", bus->port.host, bus->port.bound);
        } else {
            sim_text_printf(text, ",\"link\":");
            sim_text_json(text, bus->port.link, strlen(bus->port.link));
            sim_text_printf(text, ",\"node\":\"%s\"}", bus->port.node);
        }
    }
    sim_text_printf(text, "}}");
}
