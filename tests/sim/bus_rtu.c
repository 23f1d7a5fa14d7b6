/* SPDX-License-Identifier: MIT */
/*
 * bus_rtu.c - Modbus RTU, on a terminal or through a TCP socket (a serial device server).
 *
 *   unit | function | data ... | CRC low | CRC high
 *
 * A request is taken at the end of its last character when its length says that it is whole; else after
 * t3.5 of silence, which is when a frame that makes no sense is given up as well.
 */
#include <string.h>

#include "tests/sim/bus.h"

static uint16_t crc16(const uint8_t *bytes, size_t n)
{
    uint16_t crc = 0xffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (uint16_t)(crc >> 1 ^ 0xa001) : (uint16_t)(crc >> 1);
    }
    return crc;
}

static size_t frame(uint8_t unit, uint16_t id, const uint8_t *pdu, size_t len, uint8_t *ret_frame)
{
    uint16_t crc;

    (void)id;
    ret_frame[0] = unit;
    memcpy(ret_frame + 1, pdu, len);
    crc = crc16(ret_frame, len + 1);
    ret_frame[len + 1] = (uint8_t)crc;
    ret_frame[len + 2] = (uint8_t)(crc >> 8);
    return len + 3;
}

/* The length the request claims to have; 0: its function does not tell, or not yet. */
static size_t expected(const uint8_t *bytes, size_t n)
{
    static const struct {
        uint8_t function, fixed, count_at; /* count_at 0: the length is fixed */
    } lengths[] = {{1, 8, 0}, {2, 8, 0},  {3, 8, 0},  {4, 8, 0},   {5, 8, 0},
                   {6, 8, 0}, {15, 9, 6}, {16, 9, 6}, {22, 10, 0}, {23, 13, 10}};

    for (size_t i = 0; n >= 2 && i < SIM_COUNT(lengths); i++) {
        if (lengths[i].function != bytes[1])
            continue;
        if (lengths[i].count_at == 0)
            return lengths[i].fixed;
        return n > lengths[i].count_at ? (size_t)lengths[i].fixed + bytes[lengths[i].count_at] : 0;
    }
    return 0;
}

static void echo(struct sim_bus *bus, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        struct sim_send *send = sim_wire_send(&bus->wire);
        size_t part = n < SIM_SEND_MAX ? n : SIM_SEND_MAX;

        if (send == NULL)
            return;
        memcpy(send->bytes, bytes, part);
        send->n = part;
        send->start_ns = bus->wire.heard_end_ns - (int64_t)(bus->wire.char_ns * (double)n);
        send->echo = true;
        bytes += part;
        n -= part;
    }
}

static void hear(struct sim_bus *bus, int client, const uint8_t *bytes, size_t n, int64_t now_ns)
{
    (void)client;
    sim_wire_hear(&bus->wire, bytes, n, now_ns);
    if (bus->echo)
        echo(bus, bytes, n);
}

/* A station began to talk while the master did. */
static bool talked_into(const struct sim_wire *wire)
{
    for (size_t i = 0; i < SIM_SENDS_MAX; i++) {
        const struct sim_send *send = &wire->sends[i];

        if (send->used && send->begun && !send->echo && send->start_ns < wire->heard_end_ns &&
            sim_send_end_ns(wire, send, send->n - 1) > wire->heard_start_ns)
            return true;
    }
    return wire->heard_collided;
}

static bool wrong_speed(const struct sim_bus *bus)
{
    return bus->match_speed && !bus->port.tcp && sim_port_speed(&bus->port) != (uint32_t)bus->baud;
}

/* Why the frame on the wire is no request, or NULL. */
static const char *unfit(const struct sim_bus *bus)
{
    const struct sim_wire *wire = &bus->wire;

    if (wrong_speed(bus))
        return "speed";
    if (talked_into(wire))
        return "collided";
    return wire->n_heard < 4 || wire->n_heard > 256 || crc16(wire->heard, wire->n_heard) != 0 ? "garbage"
                                                                                              : NULL;
}

static void take(struct sim_bus *bus)
{
    struct sim_wire *wire = &bus->wire;
    const char *why = unfit(bus);
    struct sim_record record;
    bool early = wire->heard_gap_ns >= 0 && wire->heard_gap_ns < wire->silence_ns;

    sim_record_init(&record);
    record.request_ns = wire->heard_start_ns;
    record.request_end_ns = wire->heard_end_ns;
    record.gap_ns = wire->heard_gap_ns;
    bus->early += early ? 1 : 0;
    if (wire->heard_gap_ns >= 0 && wire->heard_gap_ns < bus->min_gap_ns)
        bus->min_gap_ns = wire->heard_gap_ns;
    if (why == NULL) {
        struct sim_request request = {wire->heard + 1, wire->n_heard - 3, wire->heard[0], 0, -1, early};

        bus->requests++;
        sim_serve(bus, &request, &record);
    } else {
        bus->collided += why[0] == 'c' ? 1 : 0;
        bus->garbage += why[0] == 'c' ? 0 : 1;
        record.outcome = why;
        record.wrote_len = wire->n_heard < SIM_PDU_MAX ? wire->n_heard : SIM_PDU_MAX;
        memcpy(record.wrote, wire->heard, record.wrote_len);
        sim_log_request(&bus->shared->log, bus->name, &record);
    }
    sim_wire_forget(wire);
}

static int64_t run(struct sim_bus *bus, int64_t now_ns)
{
    struct sim_wire *wire = &bus->wire;
    int64_t due;

    if (wire->n_heard == 0)
        return SIM_NEVER;
    due = wire->heard_end_ns;
    if (expected(wire->heard, wire->n_heard) != wire->n_heard)
        due += wire->silence_ns;
    if (due > now_ns)
        return due;
    take(bus);
    return now_ns; /* the answer may be due already */
}

const struct sim_kind sim_rtu = {.name = "rtu", .paced = true, .bytes = hear, .run = run, .frame = frame};
const struct sim_kind sim_rtu_tcp = {
    .name = "rtu-tcp", .tcp = true, .paced = true, .bytes = hear, .run = run, .frame = frame};
