/* SPDX-License-Identifier: MIT */
/*
 * Any point over any answer: the first bytes make a point, the rest is what the device sent. A decoder that
 * reads beside the answer, leaves a value it does not vouch for, or text that is not text, is caught here.
 *
 *   0 type · 1 flags · 2-3 address - first · 4-5 length · 6 shift · 7 width · 8-9 scale register - first ·
 *   10 factor's exponent · 11-18 factor · 19-26 offset · 27-34 sentinel · 35- data
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/modbus.h"

#define HEAD 35

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t number(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void check(const struct rh_reading *reading)
{
    const struct rh_value *value = &reading->value;
    rh_assert((reading->quality == RH_GOOD) == (value->kind != RH_VALUE_NONE));
    rh_assert(reading->quality == RH_GOOD || reading->quality == RH_NA || reading->quality == RH_INVALID);
    if (value->kind == RH_VALUE_F64 || value->kind == RH_VALUE_F32)
        rh_assert(isfinite(value->f64));
    if (value->kind == RH_VALUE_TEXT) {
        rh_assert(value->text[value->text_len] == '\0');
        rh_assert(rh_utf8_valid(value->text, value->text_len) == value->text_len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct rh_label labels[] = {{0, "off"}, {1, "on"}};
    if (size < HEAD)
        return 0;
    uint8_t flags = bytes[1];
    uint64_t sentinel = number(bytes + 27, 8), offset_bits = number(bytes + 19, 8);
    double offset;
    memcpy(&offset, &offset_bits, sizeof offset);
    uint16_t first = (uint16_t)(bytes[2] * 257U);
    enum rh_type type = (enum rh_type)(bytes[0] % RH_TYPE_COUNT);
    struct rh_modbus_address address = {.function = type == RH_TYPE_BIT ? 1 : 3,
                                        .type = type,
                                        .address = (uint16_t)(first + (int8_t)bytes[3]),
                                        .length = (uint16_t)number(bytes + 4, 2),
                                        .swap_words = (flags & 1) != 0,
                                        .swap_bytes = (flags & 2) != 0,
                                        .low_byte = (flags & 4) != 0,
                                        .shift = bytes[6] % 64,
                                        .width = bytes[7] % 65,
                                        .invalid = &sentinel,
                                        .n_invalid = (flags & 8) != 0,
                                        .invalid_sunspec = (flags & 16) != 0,
                                        .has_scale_reg = (flags & 32) != 0,
                                        .scale_reg = (uint16_t)(first + number(bytes + 8, 2))};
    struct rh_point point = {
        .name = "p",
        .type = type,
        .scale = {(int64_t)(number(bytes + 11, 8) % 1000000000000000000), bytes[10] % 61 - 30},
        .offset = isfinite(offset) ? offset : 0,
        .labels = labels,
        .n_labels = flags & 64 ? RH_COUNT(labels) : 0,
        .address = &address};
    size_t len = size - HEAD;
    uint8_t *answer =
        malloc(len > 0 ? len : 1); /* its own block: the sanitizer sees every byte read beside it */
    size_t length = type == RH_TYPE_BIT ? len * 8 : len / 2;
    struct rh_reading reading;
    if (answer == NULL)
        return 0;
    memcpy(answer, bytes + HEAD, len);
    memset(&reading, 0xAA, sizeof reading);
    rh_modbus_decode(&point, answer, first, (uint16_t)(length > 2000 ? 2000 : length), &reading);
    check(&reading);
    free(answer);
    return 0;
}
