/* SPDX-License-Identifier: MIT */
/*
 * uart_checksum.h - the checksums of serial sensors. Pure.
 *
 * A checksum is computed over a range of a frame and compared with what stands at a place of it. Places count
 * from 0 at the frame's first byte, start and end marks included; negative ones from its end, -1 the last
 * byte. Ranges include both ends.
 */
#ifndef RH_DRIVERS_UART_CHECKSUM_H
#define RH_DRIVERS_UART_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rh_uart_sum {
    RH_UART_SUM_NONE,
    RH_UART_SUM_XOR8,
    RH_UART_SUM_ADD,  /* of the bytes, by `width` */
    RH_UART_SUM_NEG,  /* the two's complement of that */
    RH_UART_SUM_ZERO, /* the bytes add up to 0 modulo 256; there is no place to compare with */
    RH_UART_SUM_CRC,
    /* They know their own places: */
    RH_UART_SUM_NMEA, /* $…*hh: xor of what stands between $ and * */
    RH_UART_SUM_DSMR, /* /…!hhhh: CRC-16/ARC from / to !; none in versions 2 and 3 */
    RH_UART_SUM_SML,  /* …1a pp cc cc: CRC-16/X-25 low byte first, or CRC-16/KERMIT high byte first */
};

/* How the checksum is written in the frame. */
enum rh_uart_sum_form {
    RH_UART_FORM_BE,    /* `width` bits, high byte first */
    RH_UART_FORM_LE,    /* low byte first */
    RH_UART_FORM_HEX,   /* hexadecimal digits, high first */
    RH_UART_FORM_SDI12, /* 16 bits in three characters: 0x40 | 4, 6, 6 bits */
};

/* The parameters of a CRC as in Williams' "A Painless Guide to CRC Error Detection Algorithms". */
struct rh_uart_crc {
    uint32_t poly, init, xorout;
    bool refin, refout;
};

struct rh_uart_checksum {
    enum rh_uart_sum sum;
    enum rh_uart_sum_form form;
    unsigned width; /* bits: 8 or 16; a CRC's 8 to 32 */
    int64_t from, to, at;
    struct rh_uart_crc crc;
};

uint32_t rh_uart_crc(const struct rh_uart_crc *crc, unsigned width, const uint8_t *bytes, size_t len);

/* How many bytes the checksum takes in the frame. */
size_t rh_uart_checksum_size(const struct rh_uart_checksum *checksum);

/* True if the frame's checksum is right. `text_len`: the frame without its end mark and trailer. A range or
 * place outside of the frame is a wrong checksum. */
bool rh_uart_checksum_right(const struct rh_uart_checksum *checksum, const uint8_t *frame, size_t len,
                            size_t text_len);

#endif
