/* SPDX-License-Identifier: MIT */
/*
 * serve.c - from a request to the transmission of its answer, with all that can go wrong on the way.
 */
#include <string.h>

#include "tests/sim/bus.h"

static void give_up(struct sim_bus *bus, struct sim_record *record, const char *outcome)
{
    record->outcome = outcome;
    sim_log_request(&bus->shared->log, bus->name, record);
}

static int64_t turnaround_ns(const struct sim_slave *slave, struct sim_random *random)
{
    int64_t span = slave->turnaround_max_ns - slave->turnaround_min_ns;

    return slave->turnaround_min_ns + (span > 0 ? (int64_t)sim_random_below(random, (uint64_t)span + 1) : 0);
}

/* Why this slave does not hear the request at all, or NULL. */
static const char *deaf(const struct sim_bus *bus, const struct sim_slave *slave, bool early)
{
    if (slave->asleep_until_ns > sim_now_ns())
        return "rebooting";
    if (sim_fault_hits(slave->faults, SIM_DEAD, &bus->shared->random))
        return "dead";
    return early && slave->strict ? "early" : NULL;
}

static size_t answer(struct sim_bus *bus, struct sim_slave *slave, const struct sim_request *request,
                     uint8_t pdu[SIM_PDU_MAX], struct sim_record *record)
{
    struct sim_moment moment = {record->request_end_ns - bus->shared->start_ns,
                                sim_random_next(&bus->shared->random), false};

    slave->requests++;
    if (sim_fault_hits(slave->faults, SIM_BUSY, &bus->shared->random)) {
        record->exception = 6;
        record->fault = "busy";
        pdu[0] = (uint8_t)(request->pdu[0] | 0x80U);
        pdu[1] = 6;
        return 2;
    }
    return sim_slave_answer(slave, request->pdu, request->len, &moment, pdu, record);
}

/* What the frame suffers on its way; sets outcome and fault. */
static void spoil(struct sim_bus *bus, const struct sim_slave *slave, struct sim_send *send)
{
    struct sim_random *random = &bus->shared->random;
    struct sim_record *record = &send->record;
    bool whole = true;

    if (sim_fault_hits(slave->faults, SIM_NOISE, random)) {
        send->n =
            sim_fault_noise(&slave->faults[SIM_NOISE], random, send->bytes, send->n, SIM_SEND_MAX, &whole);
        record->fault = "noise";
        record->outcome = whole ? record->outcome : "damaged";
    }
    if (send->n > 1 && sim_fault_hits(slave->faults, SIM_TRUNCATE, random)) {
        send->n = 1 + (size_t)sim_random_below(random, send->n - 1);
        record->fault = "truncate";
        record->outcome = "truncated";
    }
    if (sim_fault_hits(slave->faults, SIM_GAP, random)) {
        send->pause_ns = slave->faults[SIM_GAP].delay_ns;
        send->pause_at = (size_t)sim_random_below(random, send->n);
        record->fault = "gap";
    }
    if (sim_fault_hits(slave->faults, SIM_SLOW, random)) {
        send->pause_ns = slave->faults[SIM_SLOW].delay_ns;
        send->pause_at = SIM_PAUSE_EVERY;
        record->fault = "slow";
    }
}

static void transmit(struct sim_bus *bus, struct sim_slave *slave, const struct sim_request *request,
                     const uint8_t *pdu, size_t len, struct sim_record *record)
{
    struct sim_random *random = &bus->shared->random;
    struct sim_send *send = sim_wire_send(&bus->wire);
    int64_t wait = turnaround_ns(slave, random);
    uint8_t unit = request->unit;
    uint16_t id = request->id;

    if (send == NULL) {
        give_up(bus, record, "overflow");
        return;
    }
    if (sim_fault_hits(slave->faults, SIM_LATE, random)) {
        wait = slave->faults[SIM_LATE].delay_ns;
        record->fault = "late";
    }
    record->outcome = record->exception != 0 ? "exception" : "ok";
    if (sim_fault_hits(slave->faults, SIM_FOREIGN, random)) {
        unit = (uint8_t)(unit % 247 + 1);
        record->outcome = "foreign";
    }
    if (sim_fault_hits(slave->faults, SIM_WRONG_ID, random) && !bus->kind->paced) {
        id = (uint16_t)(id + 1 + sim_random_below(random, 65535));
        record->outcome = "wrongid";
    }
    send->n = bus->kind->frame(unit, id, pdu, len, send->bytes);
    send->start_ns = record->request_end_ns + wait;
    send->client = request->client;
    send->slave = bus->slaves[request->unit];
    send->record = *record;
    spoil(bus, slave, send);
}

/* Unit 0: everybody obeys, nobody answers. */
static void broadcast(struct sim_bus *bus, const struct sim_request *request, struct sim_record *record)
{
    uint8_t pdu[SIM_PDU_MAX];

    for (size_t i = 1; i < SIM_UNITS; i++) {
        struct sim_slave *slave = bus->slaves[i];

        if (slave != NULL && deaf(bus, slave, request->early) == NULL)
            answer(bus, slave, request, pdu, record);
    }
    give_up(bus, record, "broadcast");
}

static void nobody(struct sim_bus *bus, const struct sim_request *request, struct sim_record *record)
{
    struct sim_slave stand_in = {.turnaround_min_ns = SIM_MS, .turnaround_max_ns = SIM_MS};
    uint8_t pdu[2] = {(uint8_t)(request->pdu[0] | 0x80U), (uint8_t)bus->absent};

    if (bus->absent == SIM_ABSENT_SILENT) {
        give_up(bus, record, "nobody");
        return;
    }
    record->exception = pdu[1];
    transmit(bus, &stand_in, request, pdu, sizeof(pdu), record);
}

void sim_serve(struct sim_bus *bus, const struct sim_request *request, struct sim_record *record)
{
    struct sim_slave *slave = bus->slaves[request->unit];
    uint8_t pdu[SIM_PDU_MAX];
    const char *why;
    size_t len;

    record->unit = request->unit;
    record->function = request->pdu[0];
    record->id = request->id;
    if (slave == NULL && request->unit == 0 && bus->kind->paced) {
        broadcast(bus, request, record);
        return;
    }
    if (slave == NULL) {
        nobody(bus, request, record);
        return;
    }
    slave->early += request->early ? 1 : 0;
    why = deaf(bus, slave, request->early);
    if (why != NULL) {
        give_up(bus, record, why);
        return;
    }
    len = answer(bus, slave, request, pdu, record);
    if (sim_fault_hits(slave->faults, SIM_DROP, &bus->shared->random))
        give_up(bus, record, "dropped");
    else
        transmit(bus, slave, request, pdu, len, record);
}
