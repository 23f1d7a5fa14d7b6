/* SPDX-License-Identifier: MIT */
#include "tests/sim/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct sim_kind *sim_kind_find(const char *name)
{
    static const struct sim_kind *const kinds[] = {&sim_rtu, &sim_tcp, &sim_rtu_tcp, &sim_uart};

    for (size_t i = 0; i < SIM_COUNT(kinds); i++) {
        if (strcmp(name, kinds[i]->name) == 0)
            return kinds[i];
    }
    return NULL;
}

static void deliver(void *context, int client, uint8_t *bytes, size_t n)
{
    struct sim_bus *bus = context;

    if (n == 0)
        return;
    if (bus->match_speed && !bus->port.tcp && sim_port_speed(&bus->port) != (uint32_t)bus->baud) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)sim_random_next(&bus->shared->random);
    }
    if (!sim_port_write(&bus->port, client, bytes, n))
        bus->unheard_now = true;
}

static void over(void *context, struct sim_send *send)
{
    struct sim_bus *bus = context;
    bool whole = send->sent == send->n;
    bool unheard = whole && send->record.outcome != NULL &&
                   (bus->unheard_now || !sim_port_heard(&bus->port, send->client));

    if (unheard) {
        send->record.outcome = "unheard";
        bus->unheard++;
    }
    bus->unheard_now = false;
    if (send->record.outcome == NULL)
        return;
    bus->answers += whole ? 1 : 0;
    if (send->slave != NULL && whole) {
        send->slave->answers++;
        send->slave->exceptions += send->record.exception != 0 ? 1 : 0;
    }
    if (send->sensor != NULL)
        sim_log_line(&bus->shared->log, bus->name, &send->record, send->sensor, send->bytes, send->n);
    else
        sim_log_request(&bus->shared->log, bus->name, &send->record);
}

static void bytes_came(void *context, int client, const uint8_t *bytes, size_t n, int64_t now_ns)
{
    struct sim_bus *bus = context;

    bus->kind->bytes(bus, client, bytes, n, now_ns);
}

static void user_gone(void *context, int client)
{
    struct sim_bus *bus = context;

    bus->gone++;
    bus->n_partial[client] = 0;
    for (size_t i = 0; bus->kind == &sim_tcp && i < SIM_SENDS_MAX; i++) {
        struct sim_send *send = &bus->wire.sends[i];

        if (send->used && send->client == client)
            send->client = SIM_CLIENTS_MAX; /* nobody: its place may be taken by another one */
    }
    sim_log_event(&bus->shared->log, bus->name, "closed", NULL, NULL, 0);
}

static const struct sim_port_ops port_ops = {bytes_came, user_gone};
static const struct sim_wire_ops wire_ops = {deliver, over};

struct sim_bus *sim_bus_new(const char *name, struct sim_shared *shared)
{
    struct sim_bus *bus = calloc(1, sizeof(*bus));

    if (bus == NULL)
        return NULL;
    snprintf(bus->name, sizeof(bus->name), "%s", name);
    snprintf(bus->mode, sizeof(bus->mode), "8N1");
    snprintf(bus->port.host, sizeof(bus->port.host), "127.0.0.1");
    bus->shared = shared;
    bus->baud = 9600;
    bus->min_gap_ns = SIM_NEVER;
    sim_port_init(&bus->port, &shared->loop, &port_ops, bus);
    return bus;
}

void sim_bus_free(struct sim_bus *bus)
{
    if (bus == NULL)
        return;
    sim_bus_unplug(bus);
    for (size_t i = 0; i < SIM_UNITS; i++) {
        if (bus->slaves[i] != NULL)
            sim_map_free(bus->slaves[i]->map);
        free(bus->slaves[i]);
    }
    for (size_t i = 0; i < bus->n_sensors; i++)
        sim_sensor_free(bus->sensors[i]);
    free(bus);
}

/* Bits of one character, start and stop included; 0: not a mode. */
static int mode_bits(const char *mode)
{
    bool right = strlen(mode) == 3 && mode[0] >= '5' && mode[0] <= '8' && strchr("NEOMS", mode[1]) != NULL &&
                 (mode[2] == '1' || mode[2] == '2');

    return right ? 1 + (mode[0] - '0') + (mode[1] != 'N') + (mode[2] - '0') : 0;
}

bool sim_bus_check(struct sim_bus *bus, char *why, size_t why_cap)
{
    int bits = mode_bits(bus->mode);

    bus->kind = sim_kind_find(bus->type);
    if (bus->kind == NULL) {
        snprintf(why, why_cap, "bus '%s' needs type = rtu, tcp, rtu-tcp or uart", bus->name);
        return false;
    }
    if (bits == 0) {
        snprintf(why, why_cap, "bus '%s': mode '%s' is not like 8N1", bus->name, bus->mode);
        return false;
    }
    if (!bus->kind->tcp && bus->port.link[0] == '\0') {
        snprintf(why, why_cap, "bus '%s' needs a link: the path at which the master opens it", bus->name);
        return false;
    }
    bus->port.tcp = bus->kind->tcp;
    sim_wire_init(&bus->wire, bus->kind->paced ? bus->baud : 0, bits, &wire_ops, bus);
    bus->wire.defer = bus->defer;
    return true;
}

int sim_bus_start(struct sim_bus *bus, char *why, size_t why_cap)
{
    int result = sim_port_plug(&bus->port, why, why_cap);

    if (result == 0)
        sim_log_event(&bus->shared->log, bus->name, "plugged", bus->port.tcp ? NULL : bus->port.node, NULL,
                      0);
    return result;
}

int64_t sim_bus_run(struct sim_bus *bus, int64_t now_ns)
{
    int64_t own, wire;

    /* The wire first: what was said until now decides how a request is understood. */
    sim_wire_run(&bus->wire, now_ns);
    own = bus->kind->run(bus, now_ns);
    wire = sim_wire_run(&bus->wire, now_ns);
    return own < wire ? own : wire;
}

void sim_bus_unplug(struct sim_bus *bus)
{
    if (!bus->port.plugged)
        return;
    sim_wire_cut(&bus->wire, "cut");
    sim_port_unplug(&bus->port);
    sim_log_event(&bus->shared->log, bus->name, "unplugged", NULL, NULL, 0);
}

void sim_bus_inject(struct sim_bus *bus, const uint8_t *bytes, size_t n)
{
    struct sim_send *send = sim_wire_send(&bus->wire);

    if (send == NULL)
        return;
    memcpy(send->bytes, bytes, n);
    send->n = n;
    send->start_ns = sim_now_ns();
    sim_log_event(&bus->shared->log, bus->name, "inject", NULL, bytes, n);
}
