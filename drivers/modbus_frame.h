/* SPDX-License-Identifier: MIT */
/*
 * modbus_frame.h - bytes to Modbus frames, for RTU and for the MBAP header of TCP. Pure and incremental.
 *
 * The caller feeds what it read and tells which answers are open; the assembler hands back the frames that
 * are one of them, whatever stands around them: noise, an echo, other units' traffic. What comes out does
 * not depend on how the bytes were cut into reads.
 */
#ifndef RH_DRIVERS_MODBUS_FRAME_H
#define RH_DRIVERS_MODBUS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"

#define RH_MODBUS_REQUEST_MAX 254 /* unit and PDU */
#define RH_MODBUS_CRC_BYTES 2
#define RH_MODBUS_MBAP_BYTES 6 /* the header without the unit, which its length field counts */
#define RH_MODBUS_RTU_MAX (RH_MODBUS_REQUEST_MAX + RH_MODBUS_CRC_BYTES)
#define RH_MODBUS_TCP_MAX (RH_MODBUS_REQUEST_MAX + RH_MODBUS_MBAP_BYTES)
#define RH_MODBUS_FEED_MAX 512 /* most bytes of one feed */
#define RH_MODBUS_LONGEST 264  /* longest frame of any kind that is recognised */
#define RH_MODBUS_WINDOW 1024  /* FEED_MAX + LONGEST fit */

enum rh_modbus_framing { RH_MODBUS_FRAMING_RTU, RH_MODBUS_FRAMING_MBAP };

/* An answer that is open. At most one per unit and function. */
struct rh_modbus_expected {
    uint16_t transaction; /* MBAP only */
    uint8_t unit;
    uint8_t function;
    bool write;
    uint8_t data_bytes; /* reads: the byte count a good answer carries */
    uint8_t written[4]; /* writes: the address, and the value or count, that a good answer repeats */
};

enum rh_modbus_event {
    RH_MODBUS_MORE,      /* nothing to be said before more bytes come */
    RH_MODBUS_ANSWER,    /* a good answer to expected[which] */
    RH_MODBUS_EXCEPTION, /* the unit refused expected[which] */
    RH_MODBUS_ECHO,      /* our own request came back on the wire */
    RH_MODBUS_DESYNC,    /* the stream is no Modbus TCP any more: end the session */
};

struct rh_modbus_frame {
    size_t which;        /* index into the expectations */
    const uint8_t *data; /* the data bytes of an answer (`written` of a write); valid until the next feed */
    size_t data_bytes;
    uint8_t exception;
};

/* Told of every valid frame that is nobody's answer; `chars` is its length on the wire. */
typedef void rh_modbus_foreign(void *context, uint8_t unit, size_t chars);

struct rh_modbus_assembler {
    enum rh_modbus_framing framing;
    rh_modbus_foreign *foreign;
    void *context;
    uint8_t echo[RH_MODBUS_RTU_MAX]; /* the request that may come back */
    size_t echo_bytes;               /* 0: none is awaited */
    size_t foreign_end;              /* of the last frame of others */
    size_t garbage;                  /* bytes since begin that belong to no frame, 0x00/0xFF apart */
    size_t base;                     /* before it everything belongs to a frame */
    size_t scan;                     /* before it everything is told apart: frame or garbage */
    size_t seen;                     /* bytes looked at for answers */
    size_t len;
    uint8_t bytes[RH_MODBUS_WINDOW];
};

void rh_modbus_assembler_init(struct rh_modbus_assembler *assembler, enum rh_modbus_framing framing,
                              rh_modbus_foreign *foreign, void *context);

/* Forgets all bytes and counts: a new session. */
void rh_modbus_assembler_reset(struct rh_modbus_assembler *assembler);

/* A request goes out: what came so far cannot be its answer. RTU forgets it; `echo`, its `len` bytes on the
 * wire (0: what comes back is the answer), is skipped once if it comes back. Nothing of this holds for MBAP.
 */
void rh_modbus_assembler_begin(struct rh_modbus_assembler *assembler, const uint8_t *echo, size_t len);

/* At most RH_MODBUS_FEED_MAX bytes, after rh_modbus_next has said MORE. */
void rh_modbus_feed(struct rh_modbus_assembler *assembler, const uint8_t *bytes, size_t len);

/* The next event. Call until it says MORE (or DESYNC). The expectations may change between calls. */
enum rh_modbus_event rh_modbus_next(struct rh_modbus_assembler *assembler,
                                    const struct rh_modbus_expected *expected, size_t n,
                                    struct rh_modbus_frame *ret_frame);

/* No more bytes are awaited: tells frames from garbage up to the last byte. */
void rh_modbus_finish(struct rh_modbus_assembler *assembler);

/* True if the last bytes may be the beginning of a frame. */
bool rh_modbus_pending(const struct rh_modbus_assembler *assembler);

/* How many bytes there are of an RTU answer that has begun but is not valid (yet): from unit, function and
 * byte count (of a write: address and value) on; 0 if none has. More than the answer's length: its CRC is
 * wrong. */
size_t rh_modbus_begun(const struct rh_modbus_assembler *assembler,
                       const struct rh_modbus_expected *expected);

/* Frames a request, `len` bytes of unit and PDU, with its CRC or behind an MBAP header; returns how many
 * bytes that makes. */
size_t rh_modbus_rtu_request(const uint8_t *request, size_t len, uint8_t ret_frame[RH_MODBUS_RTU_MAX]);
size_t rh_modbus_tcp_request(const uint8_t *request, size_t len, uint16_t transaction,
                             uint8_t ret_frame[RH_MODBUS_TCP_MAX]);

#endif
