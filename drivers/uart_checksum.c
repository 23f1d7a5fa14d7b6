/* SPDX-License-Identifier: MIT */
#include "drivers/uart_checksum.h"

#include <string.h>

static const struct rh_uart_crc crc16_arc = {0x8005, 0, 0, true, true};
static const struct rh_uart_crc crc16_x25 = {0x1021, 0xFFFF, 0xFFFF, true, true};
static const struct rh_uart_crc crc16_kermit = {0x1021, 0, 0, true, true};

static uint32_t mask(unsigned width)
{
    return width >= 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
}

static uint32_t reflect(uint32_t value, unsigned width)
{
    uint32_t reflected = 0;
    for (unsigned i = 0; i < width; i++)
        reflected |= (value >> i & 1) << (width - 1 - i);
    return reflected;
}

/* Bit by bit, the register's top bit at bit 31: frames are short, and any polynomial will do. */
uint32_t rh_uart_crc(const struct rh_uart_crc *crc, unsigned width, const uint8_t *bytes, size_t len)
{
    unsigned shift = 32 - width;
    uint32_t poly = crc->poly << shift, value = crc->init << shift;
    for (size_t i = 0; i < len; i++) {
        uint32_t byte = crc->refin ? reflect(bytes[i], 8) : bytes[i];
        value ^= byte << 24;
        for (int bit = 0; bit < 8; bit++)
            value = value & UINT32_C(0x80000000) ? value << 1 ^ poly : value << 1;
    }
    value >>= shift;
    if (crc->refout)
        value = reflect(value, width);
    return (value ^ crc->xorout) & mask(width);
}

static uint32_t add(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += bytes[i];
    return sum;
}

static uint32_t exclusive_or(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum ^= bytes[i];
    return sum;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* All of `len` bytes as one hexadecimal number. */
static bool hex(const uint8_t *bytes, size_t len, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++) {
        int d = digit(bytes[i]);
        if (d < 0)
            return false;
        value = value << 4 | (uint32_t)d;
    }
    *ret_value = value;
    return true;
}

/* ---- the presets ---- */

static bool nmea_right(const uint8_t *frame, size_t text_len)
{
    uint32_t said;
    return text_len >= 4 && frame[text_len - 3] == '*' && hex(frame + text_len - 2, 2, &said) &&
           said == exclusive_or(frame + 1, text_len - 4);
}

/* Behind the '!' come up to four digits, and the end of the line. */
static bool dsmr_right(const uint8_t *frame, size_t len)
{
    const uint8_t *mark = memrchr(frame, '!', len);
    size_t covered = mark ? (size_t)(mark - frame) + 1 : 0, end = covered;
    uint32_t said;
    if (!mark)
        return false;
    while (end < len && frame[end] != '\r' && frame[end] != '\n')
        end++;
    if (end == covered)
        return true; /* versions 2 and 3 have none */
    return end - covered <= 4 && hex(mark + 1, end - covered, &said) &&
           said == rh_uart_crc(&crc16_arc, 16, frame, covered);
}

static bool sml_right(const uint8_t *frame, size_t len)
{
    if (len < 3)
        return false;
    unsigned first = frame[len - 2], last = frame[len - 1];
    return rh_uart_crc(&crc16_x25, 16, frame, len - 2) == (first | last << 8) ||
           rh_uart_crc(&crc16_kermit, 16, frame, len - 2) == (first << 8 | last);
}

/* ---- the general ones ---- */

/* From a place as configured to an offset in this frame; false if there is none. */
static bool place(int64_t at, size_t len, size_t *ret_offset)
{
    if (at < 0)
        at += (int64_t)len;
    *ret_offset = (size_t)at;
    return at >= 0 && at < (int64_t)len;
}

size_t rh_uart_checksum_size(const struct rh_uart_checksum *checksum)
{
    switch (checksum->form) {
    case RH_UART_FORM_HEX:
        return (checksum->width + 3) / 4;
    case RH_UART_FORM_SDI12:
        return 3;
    case RH_UART_FORM_BE:
    case RH_UART_FORM_LE:
        break;
    }
    return (checksum->width + 7) / 8;
}

static bool read_said(const struct rh_uart_checksum *checksum, const uint8_t *at, size_t size,
                      uint32_t *ret_said)
{
    uint32_t said = 0;
    if (checksum->form == RH_UART_FORM_HEX)
        return hex(at, size, ret_said);
    for (size_t i = 0; i < size; i++) {
        if (checksum->form == RH_UART_FORM_SDI12) {
            if ((at[i] & 0xC0) != 0x40)
                return false;
            said = said << 6 | (at[i] & 0x3FU);
        } else {
            said = said << 8 | at[checksum->form == RH_UART_FORM_BE ? i : size - 1 - i];
        }
    }
    *ret_said = said;
    return true;
}

static uint32_t compute(const struct rh_uart_checksum *checksum, const uint8_t *bytes, size_t len)
{
    switch (checksum->sum) {
    case RH_UART_SUM_XOR8:
        return exclusive_or(bytes, len);
    case RH_UART_SUM_CRC:
        return rh_uart_crc(&checksum->crc, checksum->width, bytes, len);
    case RH_UART_SUM_NEG:
        return 0 - add(bytes, len);
    default:
        return add(bytes, len);
    }
}

static bool general_right(const struct rh_uart_checksum *checksum, const uint8_t *frame, size_t len)
{
    size_t from, to, at, size = rh_uart_checksum_size(checksum);
    uint32_t said;
    if (!place(checksum->from, len, &from) || !place(checksum->to, len, &to) || from > to)
        return false;
    uint32_t sum = compute(checksum, frame + from, to - from + 1) & mask(checksum->width);
    if (checksum->sum == RH_UART_SUM_ZERO)
        return sum == 0;
    return place(checksum->at, len, &at) && at + size <= len &&
           read_said(checksum, frame + at, size, &said) && said == sum;
}

bool rh_uart_checksum_right(const struct rh_uart_checksum *checksum, const uint8_t *frame, size_t len,
                            size_t text_len)
{
    switch (checksum->sum) {
    case RH_UART_SUM_NONE:
        return true;
    case RH_UART_SUM_NMEA:
        return nmea_right(frame, text_len);
    case RH_UART_SUM_DSMR:
        return dsmr_right(frame, len);
    case RH_UART_SUM_SML:
        return sml_right(frame, len);
    default:
        return general_right(checksum, frame, len);
    }
}
