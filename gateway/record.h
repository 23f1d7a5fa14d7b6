/* SPDX-License-Identifier: MIT */
/*
 * record.h - what a poller's ring carries to the keeper: readings, and devices coming and going.
 */
#ifndef RH_GATEWAY_RECORD_H
#define RH_GATEWAY_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/reading.h"

enum rh_record_kind { RH_RECORD_READING, RH_RECORD_DEVICE };

struct rh_record {
    uint32_t kind; /* enum rh_record_kind */
    uint32_t unused;
    union {
        struct rh_reading reading; /* cut to the bytes in use */
        struct {
            uint32_t device; /* index in the line */
            bool online;
        } device;
    };
};

#endif
