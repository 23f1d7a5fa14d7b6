/* SPDX-License-Identifier: MIT */
/*
 * sensor.h - a station that speaks text: pushes its lines every so often, or answers a request with them.
 *
 * In a line: {n} counts the transmissions from 0, {value} is the generator's value, {nmea} the two hex
 * digits of the XOR of everything between the last '$' or '!' and the '*' before it, {sum} one byte that
 * makes the bytes of all lines sum to 0 modulo 256.
 */
#ifndef RAILSIM_SENSOR_H
#define RAILSIM_SENSOR_H

#include "tests/sim/fault.h"
#include "tests/sim/generator.h"

#define SIM_SENSOR_LINES_MAX 24
#define SIM_SENSOR_TEXT_MAX 1000 /* of all lines, as sent */

struct sim_sensor {
    char name[SIM_NAME_MAX];
    int config_line;  /* of its section, for messages */
    int64_t every_ns; /* 0: only when asked */
    char request[64];
    size_t request_len;
    int64_t turnaround_ns;
    char *line[SIM_SENSOR_LINES_MAX]; /* heap */
    size_t line_len[SIM_SENSOR_LINES_MAX];
    size_t n_lines;
    struct sim_generator value;
    int64_t decimals;
    struct sim_fault_setting faults[SIM_FAULTS];
    uint64_t n; /* transmissions */
    int64_t due_ns;
};

void sim_sensor_free(struct sim_sensor *sensor);
/* The bytes of the next transmission; returns their number. */
size_t sim_sensor_render(struct sim_sensor *sensor, int64_t elapsed_ns, struct sim_random *random,
                         uint8_t bytes[SIM_SENSOR_TEXT_MAX]);

#endif
