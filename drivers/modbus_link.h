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
    /* Sends unit + PDU, `len` bytes, framed. 0 or a negative errno. */
    int (*send)(struct rh_link *link, const uint8_t *request, size_t len, uint16_t transaction);
};

/* One request, and what answers it. */
struct rh_modbus_request {
    struct rh_modbus_expected expected; /* but for the transaction */
    struct rh_block block;              /* of a write: no points */
    const uint32_t *order;
    size_t len;
    uint8_t bytes[RH_MODBUS_REQUEST_MAX]; /* unit + PDU */
};

/* Whether the line brings back what is sent: seen at every answer. */
enum rh_modbus_echo { RH_MODBUS_ECHO_UNKNOWN, RH_MODBUS_ECHO_YES, RH_MODBUS_ECHO_NO };

/* The transaction under way. */
struct rh_modbus_exchange {
    bool answered;
    bool echoed;  /* the request came back */
    bool repeats; /* a good answer looks like the request (functions 5 and 6) */
    enum rh_poll_outcome outcome;
    uint8_t exception;
    int64_t first_us; /* when the bytes that are looked at began to come */
    int64_t turnaround_us;
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
    enum rh_modbus_echo echo;
    unsigned echoless;   /* answers in a row without an echo */
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

/* modbus.c: one transaction, whatever it is. */
enum rh_poll_outcome rh_modbus_transact(struct rh_link *link, const struct rh_modbus_request *request,
                                        const struct rh_sink *sink, struct rh_poll_result *ret_result);
enum rh_poll_outcome rh_modbus_poll(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                    const struct rh_sink *sink, struct rh_poll_result *ret_result);
/* modbus_write.c */
enum rh_poll_outcome rh_modbus_write(struct rh_link *link, const struct rh_command_value *values, size_t n,
                                     const struct rh_sink *sink, size_t *ret_taken,
                                     struct rh_poll_result *ret_result);
/* What the assembler calls for frames of others; the context is the link. */
void rh_modbus_on_foreign(void *link, uint8_t unit, size_t chars);

#endif
