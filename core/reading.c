/* SPDX-License-Identifier: MIT */
#include "core/reading.h"

#include <stdio.h>
#include <string.h>

size_t rh_reading_size(const struct rh_reading *reading)
{
    size_t payload = sizeof(int64_t);

    if (reading->value.kind == RH_VALUE_TEXT)
        payload = (size_t)reading->value.text_len + 1;
    size_t size = offsetof(struct rh_reading, value) + offsetof(struct rh_value, text) + payload;
    return (size + 7) & ~(size_t)7;
}

bool rh_packed_add(struct rh_packed *packed, const struct rh_reading *reading)
{
    size_t size = rh_reading_size(reading);

    if (packed->cap - packed->bytes < size)
        return false;
    memcpy(packed->at + packed->bytes, reading, size);
    packed->bytes += size;
    packed->n++;
    return true;
}

bool rh_packed_next(const struct rh_packed *packed, size_t *offset, struct rh_reading *ret_reading)
{
    const size_t head = offsetof(struct rh_reading, value) + offsetof(struct rh_value, text);

    if (*offset >= packed->bytes)
        return false;
    memcpy(ret_reading, packed->at + *offset, head);
    size_t size = rh_reading_size(ret_reading);
    memcpy((unsigned char *)ret_reading + head, packed->at + *offset + head, size - head);
    *offset += size;
    return true;
}

const char *rh_quality_name(const struct rh_reading *reading, char buffer[16])
{
    static const char *const names[] = {
        [RH_GOOD] = "good",       [RH_UNCERTAIN] = "uncertain", [RH_STALE] = "stale",
        [RH_NA] = "na",           [RH_TIMEOUT] = "timeout",     [RH_CRC] = "crc",
        [RH_INVALID] = "invalid", [RH_OFFLINE] = "offline",     [RH_UNSUPPORTED] = "unsupported",
        [RH_EXCEPTION] = NULL,
    };

    if (reading->quality != RH_EXCEPTION)
        return names[reading->quality];
    snprintf(buffer, 16, "exception-%u", reading->detail);
    return buffer;
}

bool rh_value_equal(const struct rh_value *a, const struct rh_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch ((enum rh_value_kind)a->kind) {
    case RH_VALUE_NONE:
        return true;
    case RH_VALUE_BOOL:
        return a->boolean == b->boolean;
    case RH_VALUE_F32:
    case RH_VALUE_F64:
        return memcmp(&a->f64, &b->f64, sizeof(a->f64)) == 0;
    case RH_VALUE_TEXT:
        return a->text_len == b->text_len && memcmp(a->text, b->text, a->text_len) == 0;
    case RH_VALUE_I64:
    case RH_VALUE_U64:
        return a->u64 == b->u64;
    }
    return false;
}

bool rh_value_number(const struct rh_value *value, double *ret_number)
{
    switch ((enum rh_value_kind)value->kind) {
    case RH_VALUE_I64:
        *ret_number = (double)value->i64;
        return true;
    case RH_VALUE_U64:
        *ret_number = (double)value->u64;
        return true;
    case RH_VALUE_F32:
    case RH_VALUE_F64:
        *ret_number = value->f64;
        return true;
    case RH_VALUE_BOOL:
        *ret_number = value->boolean ? 1.0 : 0.0;
        return true;
    case RH_VALUE_TEXT:
    case RH_VALUE_NONE:
        break;
    }
    return false;
}
