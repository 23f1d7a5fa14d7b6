/* SPDX-License-Identifier: MIT */
#include "core/command.h"

#include <stdio.h>

#include "core/base.h"

const char *rh_command_status_name(enum rh_command_status status)
{
    static const char *const names[] = {
        [RH_STATUS_OK] = "ok",
        [RH_STATUS_REJECTED] = "rejected",
        [RH_STATUS_FAILED] = "failed",
        [RH_STATUS_EXPIRED] = "expired",
        [RH_STATUS_DUPLICATE] = "duplicate",
        [RH_STATUS_UNCONFIRMED] = "unconfirmed",
    };

    rh_assert((size_t)status < RH_COUNT(names));
    return names[status];
}

const char *rh_command_code_name(enum rh_command_code code, uint8_t detail, char buffer[16])
{
    static const char *const names[RH_CODE_COUNT] = {
        [RH_CODE_NONE] = "",
        [RH_CODE_SYNTAX] = "syntax",
        [RH_CODE_TYPE] = "type",
        [RH_CODE_RANGE] = "range",
        [RH_CODE_STEP] = "step",
        [RH_CODE_UNKNOWN] = "unknown",
        [RH_CODE_READ_ONLY] = "read-only",
        [RH_CODE_RETAINED] = "retained",
        [RH_CODE_CLOCK] = "clock",
        [RH_CODE_LOCKED] = "locked",
        [RH_CODE_BUSY] = "busy",
        [RH_CODE_RATE] = "rate",
        [RH_CODE_TIMEOUT] = "timeout",
        [RH_CODE_CRC] = "crc",
        [RH_CODE_EXCEPTION] = NULL,
        [RH_CODE_OFFLINE] = "offline",
        [RH_CODE_VERIFY] = "verify",
    };

    rh_assert((size_t)code < RH_COUNT(names));
    if (code != RH_CODE_EXCEPTION)
        return names[code];
    snprintf(buffer, 16, "exception-%u", detail);
    return buffer;
}
