/* SPDX-License-Identifier: MIT */
/*
 * modbus_rtu_tcp.c - RTU frames through a TCP session: a serial device server that passes bytes on as they
 * are.
 *
 * Behind it is a serial line with all its rules: silence before a request, answers without an id. Requests
 * are framed here and not by libmodbus, which would raise SIGPIPE when the session has ended.
 */
#include "drivers/modbus_link.h"

static int send_request(struct rh_link *link, const uint8_t *request, size_t len, uint16_t transaction)
{
    uint8_t frame[RH_MODBUS_RTU_MAX];
    (void)transaction;
    return rh_line_write(&link->line, frame, rh_modbus_rtu_request(request, len, frame));
}

static const struct rh_modbus_transport transport = {
    .framing = RH_MODBUS_FRAMING_RTU, .connect = rh_modbus_connect_socket, .send = send_request};

static int open_link(const struct rh_line_conf *line, struct rh_line_counters *counters,
                     struct rh_link **ret_link)
{
    return rh_modbus_open(line, counters, &transport, ret_link);
}

static const struct rh_driver_schema schema = {
    .name = "modbus-rtu-tcp",
    .help = "Modbus RTU frames over TCP (serial device servers)",
    .line = &rh_modbus_rtu_tcp_line_options,
    .device = &rh_modbus_device_options,
    .point = &rh_modbus_point_options,
    .line_size = sizeof(struct rh_modbus_line),
    .device_size = sizeof(struct rh_modbus_device),
    .address_size = sizeof(struct rh_modbus_address),
    .parse_address = rh_modbus_parse_address,
    .parse_point = rh_modbus_parse_point,
    .check_point = rh_modbus_check_point,
    .overlaps = rh_modbus_overlaps,
    .check_line = rh_modbus_check_socket_line,
    .line_identity = rh_modbus_line_identity,
};

const struct rh_driver rh_driver_modbus_rtu_tcp = {
    .schema = &schema,
    .plan = rh_modbus_plan,
    .split = rh_modbus_split,
    .open = open_link,
    .close = rh_modbus_close,
    .connect = rh_modbus_connect,
    .disconnect = rh_modbus_disconnect,
    .watch = rh_modbus_watch,
    .poll = rh_modbus_poll,
    .check = rh_modbus_check,
    .single = rh_modbus_single,
    .write = rh_modbus_write,
};
