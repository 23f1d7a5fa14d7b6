/* SPDX-License-Identifier: MIT */
/*
 * modbus_link.h - one open Modbus line, whatever carries it: shared by the three Modbus drivers only.
 *
 *   modbus_rtu, modbus_tcp, modbus_rtu_tcp   what differs: how to connect and how to send
 *   modbus_link                              the state of the line: open, connect, disconnect, close
 *   modbus                                   one transaction
 */
#ifndef RH_DRIVERS_MODBUS_LINK_H
#define RH_DRIVERS_MODBUS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/driver.h"
#include "drivers/line.h"
#include "drivers/modbus.h"
#include "drivers/modbus_frame.h"
#include "drivers/modbus_ledger.h"

struct _modbus; /* libmodbus's context */

struct rh_modbus_transport {
    enum rh_modbus_framing framing;
    bool serial; /* a wire of our own: the bytes of a frame follow each other without pauses */
    /* Opens link->line. 0 or a negative errno with `why`. */
    int (*connect)(struct rh_link *link, char *why, size_t cap);
    /* Sends unit + PDU, framed. 0 or a negative errno. */
    int (*send)(struct rh_link *link, const uint8_t request[6], uint16_t transaction);
};

/* The transaction under way. */
struct rh_modbus_exchange {
    bool answered;
    enum rh_poll_outcome outcome;
    uint8_t exception;
    int64_t deadline_us;  /* of the whole answer */
    int64_t extension_us; /* wire time that others took meanwhile */
};

struct rh_link {
    const struct rh_line_conf *conf;
    const struct rh_modbus_line *options;
    struct rh_line_counters *counters;
    const struct rh_modbus_transport *transport;
    struct _modbus *rtu; /* modbus-rtu: builds and writes the requests */
    struct rh_line line;
    double char_us;        /* one character on the wire; 0 without one */
    int64_t silence_us;    /* before a request */
    int64_t quiet_from_us; /* end of the last byte, received or sent; ahead of now while a request leaves */
    int64_t received_us;   /* when the last bytes were read */
    uint16_t transaction;
    bool echoes;         /* the line has brought back a request of ours */
    bool heard;          /* since the last connect an answer has come */
    uint64_t unanswered; /* timeouts in a row, of any unit */
    const struct rh_sink *sink;
    struct rh_modbus_exchange exchange;
    struct rh_modbus_assembler assembler;
    struct rh_modbus_ledger ledger;
};

RH_MUST_USE int rh_modbus_open(const struct rh_line_conf *line, struct rh_line_counters *counters,
                               const struct rh_modbus_transport *transport, struct rh_link **ret_link);
void rh_modbus_close(struct rh_link *link);
RH_MUST_USE int rh_modbus_connect(struct rh_link *link, char *why, size_t cap);
void rh_modbus_disconnect(struct rh_link *link);
int rh_modbus_watch(struct rh_link *link);
/* For the transports on sockets: the host of the line's options, by its timeout. */
RH_MUST_USE int rh_modbus_connect_socket(struct rh_link *link, char *why, size_t cap);

/* modbus.c */
enum rh_poll_outcome rh_modbus_poll(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                    const struct rh_sink *sink, struct rh_poll_result *ret_result);
/* What the assembler calls for frames of others; the context is the link. */
void rh_modbus_on_foreign(void *link, uint8_t unit, size_t chars);

#endif
