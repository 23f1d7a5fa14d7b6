/* SPDX-License-Identifier: MIT */
/*
 * modbus_rtu.c - Modbus RTU on a serial port.
 *
 * libmodbus frames and writes the requests, on a descriptor that stays ours: its modbus_close() would put
 * back terminal settings that it never read, so a context is only ever freed. It receives nothing, because
 * after one late answer it would give every later read the answer of the one before.
 */
#include <errno.h>
#include <modbus.h>

#include "drivers/modbus_link.h"

static int connect_port(struct rh_link *link, char *why, size_t cap)
{
    const struct rh_serial serial = {.port = link->options->port,
                                     .baud = link->options->baud,
                                     .data_bits = link->options->data_bits,
                                     .stop_bits = link->options->stop_bits,
                                     .parity = link->options->parity};
    int error = rh_line_open_serial(&link->line, &serial, why, cap);
    if (!error)
        modbus_set_socket(link->rtu, link->line.fd);
    return error;
}

static int send_request(struct rh_link *link, const uint8_t *request, size_t len, uint16_t transaction)
{
    (void)transaction;
    if (modbus_send_raw_request(link->rtu, request, (int)len) == (int)len + RH_MODBUS_CRC_BYTES)
        return 0;
    if (errno == EAGAIN)
        return -ETIMEDOUT; /* the port takes nothing any more */
    return errno > 0 && errno < MODBUS_ENOBASE ? -errno : -EIO;
}

static const struct rh_modbus_transport transport = {
    .framing = RH_MODBUS_FRAMING_RTU, .serial = true, .connect = connect_port, .send = send_request};

static void close_link(struct rh_link *link)
{
    if (link)
        modbus_free(link->rtu);
    rh_modbus_close(link);
}

static int open_link(const struct rh_line_conf *line, struct rh_line_counters *counters,
                     struct rh_link **ret_link)
{
    int error = rh_modbus_open(line, counters, &transport, ret_link);
    if (error)
        return error;
    struct rh_link *link = *ret_link;
    link->rtu = modbus_new_rtu(link->options->port, (int)link->options->baud, link->options->parity,
                               link->options->data_bits, link->options->stop_bits);
    if (link->rtu)
        return 0;
    close_link(link);
    return -ENOMEM;
}

static const struct rh_driver_schema schema = {
    .name = "modbus-rtu",
    .help = "Modbus RTU on a serial port (RS-485, RS-232)",
    .line = &rh_modbus_rtu_line_options,
    .device = &rh_modbus_device_options,
    .point = &rh_modbus_point_options,
    .line_size = sizeof(struct rh_modbus_line),
    .device_size = sizeof(struct rh_modbus_device),
    .address_size = sizeof(struct rh_modbus_address),
    .parse_address = rh_modbus_parse_address,
    .parse_point = rh_modbus_parse_point,
    .check_point = rh_modbus_check_point,
    .overlaps = rh_modbus_overlaps,
    .check_line = rh_modbus_check_serial_line,
    .line_identity = rh_modbus_line_identity,
};

const struct rh_driver rh_driver_modbus_rtu = {
    .schema = &schema,
    .plan = rh_modbus_plan,
    .split = rh_modbus_split,
    .open = open_link,
    .close = close_link,
    .connect = rh_modbus_connect,
    .disconnect = rh_modbus_disconnect,
    .watch = rh_modbus_watch,
    .poll = rh_modbus_poll,
    .check = rh_modbus_check,
    .single = rh_modbus_single,
    .write = rh_modbus_write,
};
