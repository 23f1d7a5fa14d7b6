/* SPDX-License-Identifier: MIT */
/*
 * modbus_write.c - one transaction that writes: which values go into it, and its request.
 *
 *   5   one coil         unit | 05 | address(2) | FF00 or 0000
 *   6   one register     unit | 06 | address(2) | value(2)
 *   15  more coils       unit | 0F | address(2) | count(2) | bytes | bits, the first the lowest …
 *   16  more registers   unit | 10 | address(2) | count(2) | bytes | registers …
 *
 * A good answer repeats the first six bytes, whatever the function. Values share a request only where they
 * leave no gap: no register is written that no value names, and none twice.
 */
#include <string.h>

#include "drivers/modbus_link.h"

/* The registers or bits [start, end) of one request. */
struct span {
    uint32_t start, end;
};

static bool is_coil(const struct rh_modbus_address *address)
{
    return address->function == RH_MODBUS_READ_COILS;
}

/* Joins `address` to the span if it touches it and one request can carry both. */
static bool join(struct span *span, const struct rh_modbus_address *address)
{
    uint32_t start = address->address, end = start + address->length;
    uint32_t most = is_coil(address) ? RH_MODBUS_MAX_WRITE_BITS : RH_MODBUS_MAX_WRITE;
    if ((start != span->end && end != span->start) || span->end - span->start + end - start > most)
        return false;
    span->start = start < span->start ? start : span->start;
    span->end = end > span->end ? end : span->end;
    return true;
}

/* How many of the values go into one request, and its span. */
static size_t gather(const struct rh_link *link, const struct rh_command_value *values, size_t n,
                     struct span *ret_span)
{
    const struct rh_point *first = &link->conf->points[values[0].point];
    const struct rh_modbus_address *address = first->address;
    size_t taken = 1;
    *ret_span = (struct span){address->address, (uint32_t)address->address + address->length};
    for (; taken < n; taken++) {
        const struct rh_point *point = &link->conf->points[values[taken].point];
        const struct rh_modbus_address *next = point->address;
        if (point->device != first->device || next->function != address->function || !join(ret_span, next))
            break;
    }
    return taken;
}

/* The values side by side: registers as they go out, or one byte for each coil. */
static void lay_out(const struct rh_link *link, const struct rh_command_value *values, size_t n,
                    const struct span *span, uint8_t *ret_data)
{
    for (size_t i = 0; i < n; i++) {
        const struct rh_point *point = &link->conf->points[values[i].point];
        const struct rh_modbus_address *address = point->address;
        uint8_t data[2 * RH_MODBUS_MAX_WRITE];
        size_t width = is_coil(address) ? 1 : 2;
        int error = rh_modbus_encode(point, &values[i].value, data);
        rh_assert(error == 0); /* check() has said so */
        memcpy(ret_data + width * (address->address - span->start), data, width * address->length);
    }
}

static uint8_t function_of(const struct rh_modbus_address *address, const struct rh_modbus_device *device,
                           uint32_t count)
{
    if (is_coil(address))
        return count == 1 ? RH_MODBUS_WRITE_COIL : RH_MODBUS_WRITE_COILS;
    return count == 1 && device->write_fc == RH_MODBUS_WRITE_FC_AUTO ? RH_MODBUS_WRITE_REGISTER
                                                                     : RH_MODBUS_WRITE_REGISTERS;
}

static void put_u16(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

/* What stands behind the address. Returns how many bytes that is. */
static size_t put_data(uint8_t function, const uint8_t *data, uint32_t count, uint8_t *at)
{
    switch (function) {
    case RH_MODBUS_WRITE_COIL:
        put_u16(at, data[0] ? 0xFF00 : 0);
        return 2;
    case RH_MODBUS_WRITE_REGISTER:
        memcpy(at, data, 2);
        return 2;
    case RH_MODBUS_WRITE_COILS:
        put_u16(at, count);
        at[2] = (uint8_t)((count + 7) / 8);
        for (uint32_t i = 0; i < count; i++)
            at[3 + i / 8] = (uint8_t)(at[3 + i / 8] | (unsigned)data[i] << i % 8);
        return 3U + at[2];
    default:
        put_u16(at, count);
        at[2] = (uint8_t)(2 * count);
        memcpy(at + 3, data, at[2]);
        return 3U + at[2];
    }
}

/* One byte for each coil of a command, or the registers of one request. */
#define DATA_BYTES (2 * RH_MODBUS_MAX_WRITE)
_Static_assert(RH_COMMAND_POINTS <= DATA_BYTES, "every coil of a command has its byte");

static void build(const struct rh_link *link, const struct rh_command_value *values, size_t n,
                  const struct span *span, struct rh_modbus_request *ret_request)
{
    const struct rh_point *first = &link->conf->points[values[0].point];
    const struct rh_modbus_device *device = link->conf->devices[first->device].options;
    uint32_t count = span->end - span->start;
    uint8_t data[DATA_BYTES];
    uint8_t *bytes = ret_request->bytes;
    lay_out(link, values, n, span, data);
    *ret_request =
        (struct rh_modbus_request){.block = {.device = first->device,
                                             .unit = device->unit,
                                             .function = function_of(first->address, device, count),
                                             .address = (uint16_t)span->start,
                                             .length = (uint16_t)count}};
    bytes[0] = device->unit;
    bytes[1] = ret_request->block.function;
    put_u16(bytes + 2, span->start);
    ret_request->len = 4 + put_data(bytes[1], data, count, bytes + 4);
    ret_request->expected =
        (struct rh_modbus_expected){.unit = bytes[0], .function = bytes[1], .write = true};
    memcpy(ret_request->expected.written, bytes + 2, sizeof ret_request->expected.written);
}

enum rh_poll_outcome rh_modbus_write(struct rh_link *link, const struct rh_command_value *values, size_t n,
                                     const struct rh_sink *sink, size_t *ret_taken,
                                     struct rh_poll_result *ret_result)
{
    struct rh_modbus_request request;
    struct span span;
    rh_assert(n > 0 && n <= RH_COMMAND_POINTS);
    *ret_taken = gather(link, values, n, &span);
    build(link, values, *ret_taken, &span, &request);
    return rh_modbus_transact(link, &request, sink, ret_result);
}
