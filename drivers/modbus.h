/* SPDX-License-Identifier: MIT */
/*
 * modbus.h - what the Modbus drivers share among themselves; nobody outside drivers/ includes it.
 *
 *   modbus_option  options of lines and devices                 (configuration time)
 *   modbus_point   the grammar of points, and their options     (configuration time)
 *   modbus_plan    wire time, blocks, costs                      (pure)
 *   modbus_value   registers to readings                         (pure, fuzzed)
 *   modbus_encode  values to registers                           (pure)
 *   modbus_frame   bytes to frames, RTU and MBAP                 (pure, fuzzed)
 *   modbus_ledger  the answers that units still owe              (pure)
 *   modbus_link    the state of an open line; line.h under it
 *   modbus         one transaction at a time on an open line
 *   modbus_write   the requests of commands
 */
#ifndef RH_DRIVERS_MODBUS_H
#define RH_DRIVERS_MODBUS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/reading.h"
#include "drivers/driver.h"

#define RH_MODBUS_READ_COILS 1
#define RH_MODBUS_READ_DISCRETE 2
#define RH_MODBUS_READ_HOLDING 3
#define RH_MODBUS_READ_INPUT 4

#define RH_MODBUS_WRITE_COIL 5
#define RH_MODBUS_WRITE_REGISTER 6
#define RH_MODBUS_WRITE_COILS 15
#define RH_MODBUS_WRITE_REGISTERS 16

#define RH_MODBUS_MAX_REGISTERS 125
#define RH_MODBUS_MAX_BITS 2000
#define RH_MODBUS_MAX_WRITE 123 /* registers */
#define RH_MODBUS_MAX_WRITE_BITS 1968

/* The line, for all three transports (rh_line_conf.options). */
struct rh_modbus_line {
    const char *port; /* modbus-rtu: path, or usb:VID:PID[:SERIAL] */
    const char *host; /* the others: host, host:port or [v6]:port; default port 502 */
    int64_t baud;
    int data_bits, stop_bits;
    char parity;             /* 'N', 'E', 'O' */
    int64_t timeout_ms;      /* from the end of a request to the start of its answer */
    char identity[PATH_MAX]; /* room for rh_modbus_line_identity */
};

/* Function 6 for one register and 16 for more, or always 16. */
enum rh_modbus_write_fc { RH_MODBUS_WRITE_FC_AUTO, RH_MODBUS_WRITE_FC_16 };

/* A device (rh_device_conf.options). */
struct rh_modbus_device {
    uint8_t unit;          /* 0..255 */
    int64_t turnaround_ms; /* the slave's own time from request to answer, for the plan */
    int64_t max_read;      /* registers per request, 1..125 */
    int64_t base;          /* 0 or 1: what addresses count from */
    int write_fc;          /* enum rh_modbus_write_fc */
};

/* A point (rh_point.address). */
struct rh_modbus_address {
    uint8_t function;        /* 1..4; 0 until its words have been understood */
    uint8_t base;            /* the device's */
    enum rh_type type;       /* the point's: its options are checked against it where they stand */
    uint16_t address;        /* 0-based, on the wire */
    uint16_t length;         /* registers, or 1 bit */
    bool swap_words;         /* CDAB, DCBA */
    bool swap_bytes;         /* BADC, DCBA */
    bool low_byte;           /* u8, s8 in the low half of the register */
    uint8_t shift, width;    /* bits=shift:width; width 0: none */
    const uint64_t *invalid; /* raw bits that mean "no value" */
    size_t n_invalid;
    bool invalid_sunspec; /* SunSpec's sentinels for the type */
    bool has_scale_reg;
    uint16_t scale_reg; /* s16 exponent of ten, same table */
};

/* What a wire type is made of. */
enum rh_modbus_kind {
    RH_MODBUS_BIT,
    RH_MODBUS_UNSIGNED,
    RH_MODBUS_SIGNED,
    RH_MODBUS_FLOAT,
    RH_MODBUS_BCD,
    RH_MODBUS_STR,
    RH_MODBUS_HEX,
    RH_MODBUS_UNBUILT,
};
struct rh_modbus_type {
    enum rh_modbus_kind kind;
    uint8_t registers; /* 0: by `len` */
    uint8_t bits;      /* that count, from the lowest: 24 of the 32 of a u24 */
};
/* modbus_value.c. */
extern const struct rh_modbus_type rh_modbus_types[RH_TYPE_COUNT];

/* modbus_option.c, modbus_point.c, modbus_point_option.c: the pieces of each driver's schema. */
extern const struct rh_option_table rh_modbus_rtu_line_options, rh_modbus_tcp_line_options,
    rh_modbus_rtu_tcp_line_options, rh_modbus_device_options, rh_modbus_point_options;
/* The unit: 1..255 on serial lines and what carries their frames, 0..255 for modbus-tcp. */
bool rh_modbus_parse_address(const struct rh_word *word, struct rh_device_conf *device,
                             const struct rh_parse_context *context);
bool rh_modbus_parse_tcp_address(const struct rh_word *word, struct rh_device_conf *device,
                                 const struct rh_parse_context *context);
bool rh_modbus_parse_point(const struct rh_word *words, size_t n, const struct rh_device_conf *device,
                           struct rh_point *point, void *address, const struct rh_parse_context *context);
bool rh_modbus_check_point(const struct rh_point *point, const struct rh_device_conf *device,
                           struct rh_place place, const struct rh_parse_context *context);
/* True if both have a register or bit in common. */
bool rh_modbus_overlaps(const struct rh_point *a, const struct rh_point *b);
bool rh_modbus_check_serial_line(const struct rh_line_conf *line, const struct rh_parse_context *context);
bool rh_modbus_check_socket_line(const struct rh_line_conf *line, const struct rh_parse_context *context);
/* The port's path without symbolic links, the text itself where there is none yet; host:port for sockets. */
const char *rh_modbus_line_identity(const struct rh_line_conf *line);
/* Reports `key = "text": …` at the place of the value and returns false. */
bool rh_modbus_wrong(const struct rh_option_value *value, const char *suggestion, const char *format, ...)
    RH_PRINTF(3, 4);

/* modbus_plan.c. The registers or bits [start, end) that must come in one answer: the point, and its scale
 * register with what lies between. */
void rh_modbus_span(const struct rh_modbus_address *address, uint32_t *ret_start, uint32_t *ret_end);
/* Wire time in microseconds, as doubles so that nothing is lost in sums. */
enum rh_modbus_wire { RH_MODBUS_WIRE_RTU, RH_MODBUS_WIRE_TCP };
/* Bits of one character on the line: start + data + parity + stop. */
int rh_modbus_char_bits(const struct rh_modbus_line *line);
double rh_modbus_char_us(const struct rh_modbus_line *line);
/* The silence before a request: 3.5 characters, 1750 us above 19200 baud; 0 on TCP sockets. */
double rh_modbus_silence_us(const struct rh_modbus_line *line, enum rh_modbus_wire wire);
/* Characters of an answer, unit and CRC included (RTU). */
size_t rh_modbus_answer_chars(uint8_t function, uint16_t length);
/* One whole transaction by bus.md section 1, with 50 us for the host. */
int64_t rh_modbus_cost_us(const struct rh_modbus_line *line, enum rh_modbus_wire wire,
                          const struct rh_modbus_device *device, uint8_t function, uint16_t length);
int rh_modbus_plan(const struct rh_line_conf *line, struct rh_plan *ret_plan);
void rh_modbus_split(const struct rh_line_conf *line, const uint32_t *order, const struct rh_block *block,
                     struct rh_block ret_halves[2]);
void rh_modbus_single(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                      struct rh_block *ret_block);
/* RTU and RTU-over-TCP pace by the line's baud; modbus-tcp has no character time. */
enum rh_modbus_wire rh_modbus_wire_of(const struct rh_line_conf *line);

/* modbus_value.c: decodes one point out of the data bytes of an answer. `data` starts at register or bit
 * `first` of the point's table and holds `length` registers (2 bytes each, big-endian) or bits. Sets value,
 * quality and detail; times are the caller's. Never fails: what cannot be decoded is RH_INVALID. */
void rh_modbus_decode(const struct rh_point *point, const uint8_t *data, uint16_t first, uint16_t length,
                      struct rh_reading *ret_reading);

/* modbus_encode.c: one value as it goes out: the registers of the point, 2 bytes each, or 0 or 1 in one byte
 * for a coil. 0, or why not: -EROFS, -EINVAL, -ERANGE as driver.h has it for `check`. */
RH_MUST_USE int rh_modbus_encode(const struct rh_point *point, const struct rh_value *value,
                                 uint8_t ret_data[2 * RH_MODBUS_MAX_WRITE]);
int rh_modbus_check(const struct rh_point *point, const struct rh_value *value);
/* False: the point can never be written (-EROFS). */
bool rh_modbus_can_write(const struct rh_point *point);

/* modbus_frame.c */
uint16_t rh_modbus_crc(const uint8_t *bytes, size_t len);
/* Writes unit, function, address, count (PDU with unit, no CRC) for a read; returns its 6 bytes. */
size_t rh_modbus_read_request(const struct rh_block *block, uint8_t request[6]);

#endif
