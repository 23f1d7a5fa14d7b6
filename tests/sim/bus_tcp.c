/* SPDX-License-Identifier: MIT */
/*
 * bus_tcp.c - Modbus TCP: any number of requests under way, each answered to the client that sent it.
 *
 *   transaction id (2) | protocol 0 (2) | length (2): unit and PDU | unit | PDU
 *
 * A header that cannot be right (protocol, length) ends the connection: there is no way back into step.
 */
#include <string.h>

#include "tests/sim/bus.h"

#define HEADER 7 /* with the unit */

static size_t frame(uint8_t unit, uint16_t id, const uint8_t *pdu, size_t len, uint8_t *ret_frame)
{
    uint8_t header[HEADER] = {(uint8_t)(id >> 8),          (uint8_t)id, 0, 0, (uint8_t)((len + 1) >> 8),
                              (uint8_t)((len + 1) & 0xff), unit};

    memcpy(ret_frame, header, HEADER);
    memcpy(ret_frame + HEADER, pdu, len);
    return HEADER + len;
}

static void take(struct sim_bus *bus, int client, const uint8_t *bytes, size_t len, int64_t now_ns)
{
    struct sim_request request = {
        bytes + HEADER, len - HEADER, bytes[6], (uint16_t)(bytes[0] << 8 | bytes[1]), client, false};
    struct sim_record record;

    sim_record_init(&record);
    record.request_ns = record.request_end_ns = now_ns;
    bus->requests++;
    sim_serve(bus, &request, &record);
}

/* Takes one whole frame from the front of what has come; 0: not whole yet, -1: out of step. */
static int take_front(struct sim_bus *bus, int client, int64_t now_ns)
{
    uint8_t *bytes = bus->partial[client];
    size_t *n = &bus->n_partial[client];
    size_t len;

    if (*n < 6)
        return 0;
    len = (size_t)(bytes[4] << 8 | bytes[5]);
    if (bytes[2] != 0 || bytes[3] != 0 || len < 2 || len > SIM_PDU_MAX + 1)
        return -1;
    if (*n < 6 + len)
        return 0;
    take(bus, client, bytes, 6 + len, now_ns);
    *n -= 6 + len;
    memmove(bytes, bytes + 6 + len, *n);
    return 1;
}

static void hear(struct sim_bus *bus, int client, const uint8_t *bytes, size_t n, int64_t now_ns)
{
    bus->wire.bytes_in += n;
    while (n > 0) {
        size_t *have = &bus->n_partial[client];
        size_t room = SIM_MBAP_MAX - *have, part = n < room ? n : room;
        int taken;

        memcpy(bus->partial[client] + *have, bytes, part);
        *have += part;
        bytes += part;
        n -= part;
        while ((taken = take_front(bus, client, now_ns)) > 0)
            continue;
        if (taken == 0)
            continue;
        bus->garbage++;
        sim_log_event(&bus->shared->log, bus->name, "garbage", NULL, bus->partial[client], *have);
        sim_port_hang_up(&bus->port, client);
        return;
    }
}

static int64_t run(struct sim_bus *bus, int64_t now_ns)
{
    (void)bus;
    (void)now_ns;
    return SIM_NEVER;
}

const struct sim_kind sim_tcp = {.name = "tcp", .tcp = true, .bytes = hear, .run = run, .frame = frame};
