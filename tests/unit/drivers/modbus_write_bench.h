/* SPDX-License-Identifier: MIT */
/* modbus_write_bench.h - values to write on the line of modbus_bench.h. */
#ifndef RH_TESTS_MODBUS_WRITE_BENCH_H
#define RH_TESTS_MODBUS_WRITE_BENCH_H

#include "modbus_bench.h"

#define ms 1000

static inline void answer_exception(struct slave *slave, const struct request *request)
{
    uint8_t frame[20] = {request->unit, request->function | 0x80, 4};
    send_now(slave, frame, frame_end(slave, request, frame, 3));
}

/* The newest request on the wire. */
static inline const struct request *newest(struct bench *bench)
{
    int n = atomic_load(&bench->slave.requests);
    assert_true(n > 0);
    return &bench->slave.log[(n - 1) % LOG_MAX];
}

/* Makes point `at` of unit 1 something else: its table, address and type. */
static inline void set_point(struct bench *bench, uint32_t at, uint8_t function, uint16_t address,
                             enum rh_type type, uint16_t length)
{
    bench->addresses[at] =
        (struct rh_modbus_address){.function = function, .address = address, .length = length, .type = type};
    bench->points[at].type = type;
}

static inline struct rh_command_value number(uint32_t point, uint64_t value)
{
    return (struct rh_command_value){.point = point, .value = {.kind = RH_VALUE_U64, .u64 = value}};
}

static inline struct rh_command_value yes_no(uint32_t point, bool value)
{
    return (struct rh_command_value){.point = point, .value = {.kind = RH_VALUE_BOOL, .boolean = value}};
}

static inline enum rh_poll_outcome write_values(struct bench *bench, const struct rh_command_value *values,
                                                size_t n, size_t *ret_taken)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(bench->driver->check(&bench->points[values[i].point], &values[i].value), 0);
    *ret_taken = 0;
    enum rh_poll_outcome outcome =
        bench->driver->write(bench->link, values, n, &bench->sink, ret_taken, &bench->result);
    assert_in_range(*ret_taken, 1, n);
    return outcome;
}

static inline enum rh_poll_outcome write_one(struct bench *bench, uint32_t point, uint64_t value)
{
    struct rh_command_value one = number(point, value);
    size_t taken;
    return write_values(bench, &one, 1, &taken);
}

#endif
