/* SPDX-License-Identifier: MIT */
#include "tests/sim/slave.h"

#include <string.h>

enum { ILLEGAL_FUNCTION = 1, ILLEGAL_ADDRESS = 2, ILLEGAL_VALUE = 3 };

/* One request being served. `out` grows behind the function code. */
struct job {
    struct sim_slave *slave;
    const uint8_t *in; /* the request, from its function code on */
    size_t len;
    const struct sim_moment *moment;
    uint8_t *out;
    size_t n_out;
    struct sim_record *record;
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(struct job *job, uint16_t value)
{
    job->out[job->n_out++] = (uint8_t)(value >> 8);
    job->out[job->n_out++] = (uint8_t)value;
}

void sim_record_init(struct sim_record *record)
{
    *record = (struct sim_record){
        .gap_ns = -1, .unit = -1, .function = -1, .address = -1, .count = -1, .write_address = -1};
}

static void note_write(struct job *job, uint16_t address, const uint8_t *bytes, size_t len)
{
    job->record->write_address = address;
    memcpy(job->record->wrote, bytes, len);
    job->record->wrote_len = len;
}

static void note_span(struct job *job, uint16_t address, uint16_t count)
{
    job->record->address = address;
    job->record->count = count;
}

static uint8_t read_bits(struct job *job, enum sim_table table)
{
    uint16_t first = get16(job->in + 1), count = get16(job->in + 3), values[2000];
    uint8_t exception;

    note_span(job, first, count);
    if (count < 1 || count > 2000)
        return ILLEGAL_VALUE;
    exception = sim_map_read(job->slave->map, table, first, count, job->moment, values);
    if (exception != 0)
        return exception;
    job->out[job->n_out++] = (uint8_t)((count + 7) / 8);
    memset(job->out + job->n_out, 0, (size_t)(count + 7) / 8);
    for (size_t i = 0; i < count; i++) {
        if (values[i] != 0)
            job->out[job->n_out + i / 8] = (uint8_t)(job->out[job->n_out + i / 8] | 1U << i % 8);
    }
    job->n_out += (size_t)(count + 7) / 8;
    return 0;
}

/* 0, or why this unit refuses to read that many registers there. */
static uint8_t check_read(const struct sim_slave *slave, uint16_t first, uint16_t count)
{
    if (count < 1 || count > 125 || count > slave->max_read)
        return ILLEGAL_VALUE;
    if (slave->align > 0 && first / slave->align != (first + count - 1) / slave->align)
        return ILLEGAL_ADDRESS;
    return 0;
}

static uint8_t read_registers(struct job *job, enum sim_table table)
{
    uint16_t first = get16(job->in + 1), count = get16(job->in + 3), values[125];
    const struct sim_slave *slave = job->slave;
    uint8_t exception = check_read(slave, first, count);

    note_span(job, first, count);
    if (exception == 0)
        exception = sim_map_read(slave->map, table, first, count, job->moment, values);
    if (exception != 0)
        return exception;
    job->out[job->n_out++] = (uint8_t)(count * 2);
    for (size_t i = 0; i < count; i++)
        put16(job, values[i]);
    return 0;
}

/* Functions 5 and 6: the answer repeats the request. */
static uint8_t write_one(struct job *job, enum sim_table table)
{
    uint16_t address = get16(job->in + 1), value = get16(job->in + 3);
    uint16_t stored = table == SIM_COIL ? value == 0xff00 : value;
    uint8_t exception;

    note_span(job, address, 1);
    if (table == SIM_COIL && value != 0xff00 && value != 0)
        return ILLEGAL_VALUE;
    exception = sim_map_write(job->slave->map, table, address, 1, &stored);
    if (exception != 0)
        return exception;
    note_write(job, address, job->in + 3, 2);
    memcpy(job->out + job->n_out, job->in + 1, 4);
    job->n_out += 4;
    return 0;
}

static uint8_t write_coils(struct job *job, enum sim_table table)
{
    uint16_t first = get16(job->in + 1), count = get16(job->in + 3), values[1968];
    size_t bytes = (size_t)(count + 7) / 8;
    uint8_t exception;

    note_span(job, first, count);
    if (count < 1 || count > SIM_COUNT(values) || job->in[5] != bytes || job->len != 6 + bytes)
        return ILLEGAL_VALUE;
    for (size_t i = 0; i < count; i++)
        values[i] = job->in[6 + i / 8] >> i % 8 & 1;
    exception = sim_map_write(job->slave->map, table, first, count, values);
    if (exception != 0)
        return exception;
    note_write(job, first, job->in + 6, bytes);
    put16(job, first);
    put16(job, count);
    return 0;
}

static uint8_t write_span(struct job *job, const uint8_t *data, uint16_t first, uint16_t count)
{
    uint16_t values[123];
    uint8_t exception;

    for (size_t i = 0; i < count; i++)
        values[i] = get16(data + 2 * i);
    exception = sim_map_write(job->slave->map, SIM_HOLDING, first, count, values);
    if (exception == 0)
        note_write(job, first, data, (size_t)count * 2);
    return exception;
}

static uint8_t write_registers(struct job *job, enum sim_table table)
{
    uint16_t first = get16(job->in + 1), count = get16(job->in + 3);
    uint8_t exception;

    (void)table;
    note_span(job, first, count);
    if (count < 1 || count > 123 || job->in[5] != count * 2 || job->len != 6U + count * 2U)
        return ILLEGAL_VALUE;
    exception = write_span(job, job->in + 6, first, count);
    if (exception != 0)
        return exception;
    put16(job, first);
    put16(job, count);
    return 0;
}

/* Function 22: (old AND and) OR (or AND NOT and). */
static uint8_t mask_write(struct job *job, enum sim_table table)
{
    uint16_t address = get16(job->in + 1), keep = get16(job->in + 3), set = get16(job->in + 5), value;
    struct sim_moment moment = *job->moment;
    uint8_t exception, bytes[2];

    note_span(job, address, 1);
    moment.peek = true;
    exception = sim_map_read(job->slave->map, table, address, 1, &moment, &value);
    if (exception != 0)
        return exception;
    value = (uint16_t)((value & keep) | (set & ~keep));
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
    exception = write_span(job, bytes, address, 1);
    if (exception != 0)
        return exception;
    memcpy(job->out + job->n_out, job->in + 1, 6);
    job->n_out += 6;
    return 0;
}

/* Function 23 writes first, then reads; nothing is written when the read would fail. */
static uint8_t read_write(struct job *job, enum sim_table table)
{
    uint16_t first = get16(job->in + 1), count = get16(job->in + 3);
    uint16_t write_first = get16(job->in + 5), write_count = get16(job->in + 7);
    uint8_t exception = check_read(job->slave, first, count);

    note_span(job, first, count);
    if (write_count < 1 || write_count > 121 || job->in[9] != write_count * 2 ||
        job->len != 10U + write_count * 2U)
        return ILLEGAL_VALUE;
    if (exception == 0)
        exception = sim_map_check(job->slave->map, table, first, count);
    if (exception == 0)
        exception = write_span(job, job->in + 10, write_first, write_count);
    return exception != 0 ? exception : read_registers(job, table);
}

/* `len`: the request's exact length, or the least one when `more`. */
static const struct {
    uint8_t function;
    enum sim_table table;
    size_t len;
    bool more;
    uint8_t (*serve)(struct job *job, enum sim_table table);
} functions[] = {
    {1, SIM_COIL, 5, false, read_bits},         {2, SIM_DISCRETE, 5, false, read_bits},
    {3, SIM_HOLDING, 5, false, read_registers}, {4, SIM_INPUT, 5, false, read_registers},
    {5, SIM_COIL, 5, false, write_one},         {6, SIM_HOLDING, 5, false, write_one},
    {15, SIM_COIL, 7, true, write_coils},       {16, SIM_HOLDING, 8, true, write_registers},
    {22, SIM_HOLDING, 7, false, mask_write},    {23, SIM_HOLDING, 12, true, read_write},
};

static uint8_t serve(struct job *job)
{
    for (size_t i = 0; i < SIM_COUNT(functions); i++) {
        if (functions[i].function != job->in[0])
            continue;
        if (job->len < functions[i].len || (job->len > functions[i].len && !functions[i].more))
            return ILLEGAL_VALUE;
        return functions[i].serve(job, functions[i].table);
    }
    return ILLEGAL_FUNCTION;
}

size_t sim_slave_answer(struct sim_slave *slave, const uint8_t *request, size_t len,
                        const struct sim_moment *moment, uint8_t answer[SIM_PDU_MAX],
                        struct sim_record *record)
{
    struct job job = {slave, request, len, moment, answer, 1, record};

    record->function = request[0];
    answer[0] = request[0];
    record->exception = serve(&job);
    if (record->exception != 0) {
        answer[0] = (uint8_t)(request[0] | 0x80U);
        answer[1] = record->exception;
        return 2;
    }
    if (record->function <= 4 || record->function == 23) {
        record->data_len = job.n_out - 2;
        memcpy(record->data, answer + 2, record->data_len);
    }
    return job.n_out;
}
