/* SPDX-License-Identifier: MIT */
/*
 * command.h - what travels down to a line, and the answers that come back. Plain data, copied.
 *
 * A command names points of one line and carries values to write, or asks for values. The line answers each
 * point of it once, in order; the last answer says so.
 */
#ifndef RH_CORE_COMMAND_H
#define RH_CORE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reading.h"

#define RH_COMMAND_POINTS 64 /* of one command */
#define RH_COMMAND_ID_MAX 128

enum rh_command_kind { RH_COMMAND_SET, RH_COMMAND_GET };

/* Who asked, and so whose ring the answers go to. */
enum rh_command_origin { RH_ORIGIN_UPLINK, RH_ORIGIN_CONTROL, RH_ORIGIN_COUNT };

struct rh_command_value {
    uint32_t point; /* index in the line */
    uint32_t unused;
    struct rh_value value; /* SET: in the point's scaled unit */
};

struct rh_command {
    uint64_t serial; /* of its origin; 0 is never used */
    uint8_t kind;    /* enum rh_command_kind */
    uint8_t origin;  /* enum rh_command_origin */
    uint16_t n;
    bool more;          /* another command with the same serial follows: its last answer is not the last */
    int64_t expires_us; /* monotonic: not begun by then, it is answered `expired`; RH_NEVER for none */
    struct rh_command_value values[RH_COMMAND_POINTS];
};

/* Bytes in use: only the first n values travel. */
static inline size_t rh_command_size(const struct rh_command *command)
{
    return offsetof(struct rh_command, values) + command->n * sizeof(command->values[0]);
}

enum rh_command_status {
    RH_STATUS_OK,
    RH_STATUS_REJECTED, /* nothing was done: `code` */
    RH_STATUS_FAILED,   /* the device or the line did not do it */
    RH_STATUS_EXPIRED,
    RH_STATUS_DUPLICATE,
    RH_STATUS_UNCONFIRMED, /* it may or may not have been done */
};

enum rh_command_code {
    RH_CODE_NONE,
    RH_CODE_SYNTAX,
    RH_CODE_TYPE,
    RH_CODE_RANGE,
    RH_CODE_STEP,
    RH_CODE_UNKNOWN,
    RH_CODE_READ_ONLY,
    RH_CODE_RETAINED,
    RH_CODE_CLOCK,
    RH_CODE_LOCKED,
    RH_CODE_BUSY,
    RH_CODE_RATE,
    /* why a device did not do it: */
    RH_CODE_TIMEOUT,
    RH_CODE_CRC,
    RH_CODE_EXCEPTION, /* `detail` is the Modbus code */
    RH_CODE_OFFLINE,   /* the port or session is gone */
    RH_CODE_VERIFY,    /* the value read back is not the one written */
    RH_CODE_COUNT,
};

struct rh_answer {
    uint64_t serial;
    uint32_t point;
    uint8_t status; /* enum rh_command_status */
    uint8_t code;   /* enum rh_command_code */
    uint8_t detail;
    bool last;    /* the command is done with this */
    bool has_old; /* SET: the number it was before is known */
    struct {
        uint8_t kind; /* enum rh_value_kind, never text */
        uint64_t bits;
    } old;
    struct rh_reading
        reading; /* GET: what was read; SET: what was read back; quality says if it is worth anything */
};

/* "ok", "rejected", …; "range", "exception-2", … (buffer of 16 for the latter), "" for none. */
const char *rh_command_status_name(enum rh_command_status status);
const char *rh_command_code_name(enum rh_command_code code, uint8_t detail, char buffer[16]);

#endif
