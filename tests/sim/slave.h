/* SPDX-License-Identifier: MIT */
/*
 * slave.h - one Modbus unit: takes a request PDU, gives the answer's PDU, and says what it did.
 *
 * It knows functions 1 to 6, 15, 16, 22 and 23 as the Modbus Application Protocol 1.1b3 gives them: the
 * function is judged first (exception 1), then counts and lengths (3), then addresses (2). It knows
 * nothing of frames or of time on the wire.
 */
#ifndef RAILSIM_SLAVE_H
#define RAILSIM_SLAVE_H

#include "tests/sim/fault.h"
#include "tests/sim/map.h"

#define SIM_PDU_MAX 253

struct sim_slave {
    uint8_t unit;
    int64_t turnaround_min_ns, turnaround_max_ns;
    bool strict;       /* ignores a request that comes before t3.5 */
    uint16_t max_read; /* registers of one read; more is exception 3 */
    uint16_t align;    /* a read must stay inside a group of so many registers; 0: no groups */
    struct sim_map *map;
    struct sim_fault_setting faults[SIM_FAULTS];
    int64_t asleep_until_ns; /* rebooting */
    uint64_t requests, answers, exceptions, early;
};

/* What became of a request, for the log. All static texts. */
struct sim_record {
    int64_t request_ns, request_end_ns; /* first byte arrived; last byte ended on the wire */
    int64_t gap_ns;                     /* the silence before it; -1 when nothing was before */
    int64_t answer_ns, answer_end_ns;   /* 0: no answer */
    const char *outcome, *fault;
    int unit, function;     /* -1: not known */
    int32_t address, count; /* of the read, or of the write if there is no read; -1: none */
    int32_t write_address;  /* -1: nothing written */
    uint16_t id;            /* transaction id of Modbus TCP */
    uint8_t exception;
    uint8_t data[SIM_PDU_MAX], wrote[SIM_PDU_MAX]; /* as on the wire */
    size_t data_len, wrote_len;
};
void sim_record_init(struct sim_record *record);

/* The answer's PDU for a request PDU (at least one byte). Fills function, address, count, exception, data and
 * what was written. Returns the answer's length, 2 for an exception. */
size_t sim_slave_answer(struct sim_slave *slave, const uint8_t *request, size_t len,
                        const struct sim_moment *moment, uint8_t answer[SIM_PDU_MAX],
                        struct sim_record *record);

#endif
