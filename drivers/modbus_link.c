/* SPDX-License-Identifier: MIT */
/*
 * modbus_link.c - the state of a Modbus line: everything is allocated by open, connections come and go.
 *
 * What units owe outlives a serial connection, for a device answers late whether or not we had the port
 * closed meanwhile. A Modbus TCP session takes its answers with it.
 */
#include "drivers/modbus_link.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/clock.h"

#define SILENCE_MIN_US 1750
#define CONNECT_MAX_US 5000000
#define FUNCTIONS 8 /* 1 to 6, 15, 16 */
#define MODBUS_TCP_PORT 502

int rh_modbus_open(const struct rh_line_conf *line, struct rh_line_counters *counters,
                   const struct rh_modbus_transport *transport, struct rh_link **ret_link)
{
    struct rh_link *link = calloc(1, sizeof *link);
    if (!link)
        return -ENOMEM;
    link->conf = line;
    link->options = line->options;
    link->counters = counters;
    link->transport = transport;
    rh_line_init(&link->line);
    enum rh_modbus_wire wire = rh_modbus_wire_of(line);
    if (wire == RH_MODBUS_WIRE_RTU) {
        link->char_us = rh_modbus_char_us(link->options);
        link->silence_us = llround(ceil(rh_modbus_silence_us(link->options, wire)));
        if (link->silence_us < SILENCE_MIN_US)
            link->silence_us = SILENCE_MIN_US;
    }
    rh_modbus_assembler_init(&link->assembler, transport->framing, rh_modbus_on_foreign, link);
    int error =
        rh_modbus_ledger_init(&link->ledger, line->n_devices * FUNCTIONS, link->options->timeout_ms * 1000);
    if (error) {
        free(link);
        return error;
    }
    *ret_link = link;
    return 0;
}

void rh_modbus_close(struct rh_link *link)
{
    if (!link)
        return;
    rh_line_fini(&link->line);
    rh_modbus_ledger_fini(&link->ledger);
    free(link);
}

int rh_modbus_connect(struct rh_link *link, char *why, size_t cap)
{
    rh_modbus_disconnect(link);
    rh_line_watch_drain(&link->line);
    int error = link->transport->connect(link, why, cap);
    if (error)
        return error;
    rh_modbus_assembler_reset(&link->assembler);
    if (link->transport->framing == RH_MODBUS_FRAMING_MBAP)
        rh_modbus_ledger_clear(&link->ledger);
    link->quiet_from_us = link->received_us = rh_mono_us();
    link->unanswered = 0;
    link->heard = false;
    link->echo = RH_MODBUS_ECHO_UNKNOWN;
    return 0;
}

void rh_modbus_disconnect(struct rh_link *link)
{
    rh_line_close(&link->line);
}

int rh_modbus_watch(struct rh_link *link)
{
    return link->options->port ? rh_line_watch(&link->line, link->options->port) : -1;
}

int rh_modbus_connect_socket(struct rh_link *link, char *why, size_t cap)
{
    int64_t wait_us = link->options->timeout_ms * 1000;
    if (wait_us > CONNECT_MAX_US)
        wait_us = CONNECT_MAX_US;
    return rh_line_open_socket(&link->line, link->options->host, MODBUS_TCP_PORT, rh_mono_us() + wait_us, why,
                               cap);
}
