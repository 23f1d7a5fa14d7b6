/* SPDX-License-Identifier: MIT */
/*
 * bus.h - one simulated bus: a port, a wire, and the stations on it.
 */
#ifndef RAILSIM_BUS_H
#define RAILSIM_BUS_H

#include "tests/sim/log.h"
#include "tests/sim/port.h"
#include "tests/sim/sensor.h"
#include "tests/sim/slave.h"
#include "tests/sim/wire.h"

#define SIM_SENSORS_MAX 16
#define SIM_UNITS 256
#define SIM_MBAP_MAX 260
#define SIM_ABSENT_SILENT 0

struct sim_bus;

/* What differs between the types of bus. */
struct sim_kind {
    const char *name;
    bool tcp;   /* a listener instead of a terminal */
    bool paced; /* characters take their time */
    void (*bytes)(struct sim_bus *bus, int client, const uint8_t *bytes, size_t n, int64_t now_ns);
    /* Does what is due; returns when to be called next. */
    int64_t (*run)(struct sim_bus *bus, int64_t now_ns);
    /* A slave's PDU as this bus carries it; returns its length. */
    size_t (*frame)(uint8_t unit, uint16_t id, const uint8_t *pdu, size_t len, uint8_t *ret_frame);
};
const struct sim_kind *sim_kind_find(const char *name);

/* What all buses share. */
struct sim_shared {
    struct sim_loop loop;
    struct sim_log log;
    struct sim_random random;
    int64_t start_ns;
};

struct sim_bus {
    char name[SIM_NAME_MAX];
    const struct sim_kind *kind;
    struct sim_shared *shared;
    struct sim_port port;
    struct sim_wire wire;
    /* as configured */
    int line; /* of its section, for messages */
    char type[SIM_NAME_MAX], mode[8];
    int64_t baud;
    bool echo, match_speed, strict, defer;
    int64_t absent; /* exception for units that are not there; SIM_ABSENT_SILENT: no answer */
    /* stations */
    struct sim_slave *slaves[SIM_UNITS];
    struct sim_sensor *sensors[SIM_SENSORS_MAX];
    size_t n_sensors;
    /* MBAP: what has come of a frame, per client */
    uint8_t partial[SIM_CLIENTS_MAX][SIM_MBAP_MAX];
    size_t n_partial[SIM_CLIENTS_MAX];
    /* counts */
    uint64_t requests, answers, early, garbage, collided, unheard, gone;
    bool unheard_now;   /* the transmission being handed over found nobody */
    int64_t min_gap_ns; /* SIM_NEVER: none seen */
};

struct sim_bus *sim_bus_new(const char *name, struct sim_shared *shared); /* NULL: out of memory */
void sim_bus_free(struct sim_bus *bus);
/* After the configuration: builds the wire and opens the port. */
SIM_MUST_USE bool sim_bus_check(struct sim_bus *bus, char *why, size_t why_cap);
SIM_MUST_USE int sim_bus_start(struct sim_bus *bus, char *why, size_t why_cap);
int64_t sim_bus_run(struct sim_bus *bus, int64_t now_ns);
void sim_bus_unplug(struct sim_bus *bus);
void sim_bus_inject(struct sim_bus *bus, const uint8_t *bytes, size_t n);

/* serve.c: one request for `unit`; queues the answer, or logs why there is none. */
struct sim_request {
    const uint8_t *pdu;
    size_t len;
    uint8_t unit;
    uint16_t id;
    int client;
    bool early;
};
void sim_serve(struct sim_bus *bus, const struct sim_request *request, struct sim_record *record);

extern const struct sim_kind sim_rtu, sim_rtu_tcp, sim_tcp, sim_uart;

#endif
