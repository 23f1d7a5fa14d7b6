/* SPDX-License-Identifier: MIT */
/* script_wire.h - MQTT packets as bytes, for the scripted broker. Shares no code with the session. */
#ifndef RH_TESTS_SCRIPT_WIRE_H
#define RH_TESTS_SCRIPT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

struct broker_packet {
    unsigned char type; /* first byte */
    unsigned char data[2048];
    size_t len;
};

static bool broker_read(int fd, unsigned char *at, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool broker_packet_read(int fd, struct broker_packet *packet)
{
    if (!broker_read(fd, &packet->type, 1))
        return false;
    packet->len = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte;
        if (!broker_read(fd, &byte, 1))
            return false;
        packet->len |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return packet->len <= sizeof(packet->data) && broker_read(fd, packet->data, packet->len);
}

/* The fixed header; its length. */
static size_t broker_head(unsigned char *packet, unsigned char type, size_t len)
{
    size_t at = 1;
    packet[0] = type;
    do {
        packet[at++] = (unsigned char)((len & 0x7f) | (len > 0x7f ? 0x80 : 0));
        len >>= 7;
    } while (len);
    return at;
}

static size_t broker_property(unsigned char *at, unsigned char id, int bytes, int value)
{
    if (value == 0)
        return 0;
    *at++ = id;
    for (int i = bytes - 1; i >= 0; i--)
        *at++ = (unsigned char)(value >> (8 * i));
    return 1 + (size_t)bytes;
}

#endif
