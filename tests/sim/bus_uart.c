/* SPDX-License-Identifier: MIT */
/*
 * bus_uart.c - sensors that speak text on a terminal: each pushes its lines, or answers its request.
 */
#include <string.h>

#include "tests/sim/bus.h"

/* One transmission of the sensor, beginning at start_ns. */
static void speak(struct sim_bus *bus, struct sim_sensor *sensor, int64_t start_ns)
{
    struct sim_random *random = &bus->shared->random;
    struct sim_send *send;
    bool whole = true;
    size_t n;

    if (sim_fault_hits(sensor->faults, SIM_DEAD, random))
        return;
    send = sim_wire_send(&bus->wire);
    if (send == NULL)
        return;
    n = sim_sensor_render(sensor, start_ns - bus->shared->start_ns, random, send->bytes);
    send->n = n;
    send->start_ns = start_ns;
    send->sensor = sensor->name;
    send->record.outcome = "ok";
    if (n == 0 || sim_fault_hits(sensor->faults, SIM_DROP, random)) {
        send->used = false;
        send->record.outcome = "dropped";
        sim_log_line(&bus->shared->log, bus->name, &send->record, sensor->name, send->bytes, n);
        return;
    }
    if (sim_fault_hits(sensor->faults, SIM_NOISE, random)) {
        send->n = sim_fault_noise(&sensor->faults[SIM_NOISE], random, send->bytes, n, SIM_SEND_MAX, &whole);
        send->record.fault = "noise";
        send->record.outcome = whole ? "ok" : "damaged";
    }
    if (n > 1 && sim_fault_hits(sensor->faults, SIM_TRUNCATE, random)) {
        send->n = 1 + (size_t)sim_random_below(random, n - 1);
        send->record.outcome = "truncated";
    }
}

/* A request counts when the last bytes heard are it, whatever came before. */
static bool asked(const struct sim_wire *wire, const struct sim_sensor *sensor)
{
    return sensor->request_len > 0 && wire->n_heard >= sensor->request_len &&
           memcmp(wire->heard + wire->n_heard - sensor->request_len, sensor->request, sensor->request_len) ==
               0;
}

static void take(struct sim_bus *bus)
{
    struct sim_wire *wire = &bus->wire;
    bool known = false;

    for (size_t i = 0; i < bus->n_sensors; i++) {
        struct sim_sensor *sensor = bus->sensors[i];

        if (!asked(wire, sensor))
            continue;
        known = true;
        speak(bus, sensor, wire->heard_end_ns + sensor->turnaround_ns);
    }
    bus->requests += known ? 1 : 0;
    bus->garbage += known ? 0 : 1;
    sim_log_event(&bus->shared->log, bus->name, known ? "asked" : "garbage", NULL, wire->heard,
                  wire->n_heard);
    sim_wire_forget(wire);
}

static void hear(struct sim_bus *bus, int client, const uint8_t *bytes, size_t n, int64_t now_ns)
{
    (void)client;
    sim_wire_hear(&bus->wire, bytes, n, now_ns);
}

static bool complete(const struct sim_bus *bus)
{
    for (size_t i = 0; i < bus->n_sensors; i++) {
        if (asked(&bus->wire, bus->sensors[i]))
            return true;
    }
    return false;
}

static int64_t run(struct sim_bus *bus, int64_t now_ns)
{
    int64_t next = SIM_NEVER;

    for (size_t i = 0; i < bus->n_sensors; i++) {
        struct sim_sensor *sensor = bus->sensors[i];

        if (sensor->every_ns == 0)
            continue;
        if (sensor->due_ns == 0)
            sensor->due_ns = now_ns;
        while (sensor->due_ns <= now_ns) {
            speak(bus, sensor, sensor->due_ns);
            sensor->due_ns += sensor->every_ns;
        }
        if (sensor->due_ns < next)
            next = sensor->due_ns;
    }
    if (bus->wire.n_heard > 0) {
        int64_t due = bus->wire.heard_end_ns + (complete(bus) ? 0 : bus->wire.silence_ns);

        if (due <= now_ns)
            take(bus);
        else if (due < next)
            next = due;
    }
    return next;
}

const struct sim_kind sim_uart = {.name = "uart", .paced = true, .bytes = hear, .run = run};
