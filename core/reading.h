/* SPDX-License-Identifier: MIT */
/*
 * reading.h - one value of one point at one time: the only thing that travels up.
 *
 * Plain data, copied, owns nothing. A value keeps what the device said: integers exactly (64 bits),
 * a 32-bit float as such, text as bytes. Scale has been applied; an enum stays its code, the codec
 * prints the label.
 */
#ifndef RH_CORE_READING_H
#define RH_CORE_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

#define RH_TEXT_MAX 255

/* How far a value may be trusted. GOOD and UNCERTAIN carry a value; the others do not. */
enum rh_quality {
    RH_GOOD,
    RH_UNCERTAIN,
    RH_STALE,
    RH_NA, /* the device says "no value" (a sentinel, NaN) */
    RH_TIMEOUT,
    RH_CRC,
    RH_EXCEPTION, /* `detail` is the Modbus exception code */
    RH_INVALID,   /* outside min..max, or not decodable */
    RH_OFFLINE,
    RH_UNSUPPORTED, /* the device refuses this point for good */
};

enum rh_value_kind {
    RH_VALUE_NONE,
    RH_VALUE_I64,
    RH_VALUE_U64,
    RH_VALUE_F64,
    RH_VALUE_F32,
    RH_VALUE_BOOL,
    RH_VALUE_TEXT
};

struct rh_value {
    uint8_t kind;     /* enum rh_value_kind */
    uint8_t text_len; /* bytes, for RH_VALUE_TEXT */
    union {
        int64_t i64;
        uint64_t u64;
        double f64; /* F64, and F32 (exactly the float's value) */
        bool boolean;
        char text[RH_TEXT_MAX + 1]; /* valid UTF-8, NUL-terminated */
    };
};

struct rh_reading {
    uint32_t point;  /* index of the point in its line's table */
    uint8_t quality; /* enum rh_quality */
    uint8_t detail;
    uint8_t urgent; /* commit and send at once */
    uint8_t unused;
    int64_t wall_ms; /* acquisition: middle of the transaction */
    int64_t mono_us;
    struct rh_value value; /* last: rings carry only the bytes in use */
};

/* Bytes of a reading that are in use: text is cut off at its length. */
size_t rh_reading_size(const struct rh_reading *reading);

/* Readings one behind the other in a block of memory, each cut to the bytes in use: how batches gather.
 * The block is the caller's. */
struct rh_packed {
    unsigned char *at; /* 8-byte aligned */
    size_t bytes, cap;
    size_t n;
};

/* False if it does not fit. */
RH_MUST_USE bool rh_packed_add(struct rh_packed *packed, const struct rh_reading *reading);

/* Copies the reading at *offset (0 for the first) and moves on; false at the end. */
bool rh_packed_next(const struct rh_packed *packed, size_t *offset, struct rh_reading *ret_reading);

/* "timeout", "exception-2", … as it stands in payloads; `buffer` of 16 bytes for the ones with a number. */
const char *rh_quality_name(const struct rh_reading *reading, char buffer[16]);

/* True if both hold the same kind and the same value. */
bool rh_value_equal(const struct rh_value *a, const struct rh_value *b);

/* The value as a double, for limits and deadbands; false for text and none. */
bool rh_value_number(const struct rh_value *value, double *ret_number);

#endif
