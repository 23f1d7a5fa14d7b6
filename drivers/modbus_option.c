/* SPDX-License-Identifier: MIT */
/*
 * Options of Modbus lines and devices. What depends on the hardware (does this port know that rate?) is
 * found when the port is opened; what can never be is said here, at its place in the file. No port and
 * no socket is opened.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/line.h"
#include "drivers/modbus.h"
#include "drivers/port_option.h"

#define MODBUS_TCP_PORT 502

bool rh_modbus_wrong(const struct rh_option_value *value, const char *suggestion, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rh_option_wrong(value, suggestion, format, args);
    va_end(args);
    return false;
}

static bool parse_host(const struct rh_option_value *value, void *field)
{
    char host[256], port[6];
    if (!rh_line_split_address(value->text, MODBUS_TCP_PORT, host, port) ||
        strlen(value->text) != value->len || strpbrk(host, " \t/@[]") != NULL)
        return rh_modbus_wrong(value, NULL,
                               "must be a name or an address, with a port 1..65535 if it is not 502: "
                               "plc, 10.0.0.7:502, [fe80::1]:502");
    *(const char **)field = rh_arena_text(value->arena, value->text, value->len);
    return true;
}

/* The field is the whole line: "8E1" goes into three members. */
static bool parse_mode(const struct rh_option_value *value, void *field)
{
    struct rh_modbus_line *line = field;
    const char *text = value->text;
    if (value->len != 3 || strchr("78", text[0]) == NULL || strchr("NEOneo", text[1]) == NULL ||
        strchr("12", text[2]) == NULL)
        return rh_modbus_wrong(value, NULL,
                               "must be data bits, parity N, E or O, and stop bits: 8E1, 8N1, 8O1, 8N2");
    char right[] = {'8', (char)toupper((unsigned char)text[1]), text[2], '\0'};
    if (text[0] != '8')
        return rh_modbus_wrong(value, right, "Modbus RTU needs 8 data bits");
    if (text[1] != right[1])
        return rh_modbus_wrong(value, right, "the parity is a capital letter");
    line->data_bits = 8;
    line->parity = text[1];
    line->stop_bits = text[2] - '0';
    return true;
}

#define PORT_ROW                                                                                             \
    {                                                                                                        \
        .name = "port", .kind = RH_OPTION_CUSTOM, .offset = offsetof(struct rh_modbus_line, port),           \
        .choices = "path or usb:VID:PID[:SERIAL]", .flags = RH_OPTION_REQUIRED,                              \
        .help = "the serial port; names under /dev/serial/by-id stay the same", .parse = rh_port_parse       \
    }
#define HOST_ROW                                                                                             \
    {                                                                                                        \
        .name = "host", .kind = RH_OPTION_CUSTOM, .offset = offsetof(struct rh_modbus_line, host),           \
        .choices = "host[:port]", .flags = RH_OPTION_REQUIRED,                                               \
        .help = "the other end of the session; port 502 unless given", .parse = parse_host                   \
    }
#define BAUD_ROW                                                                                             \
    {                                                                                                        \
        .name = "baud", .kind = RH_OPTION_INT, .offset = offsetof(struct rh_modbus_line, baud),              \
        .fallback = "19200", .min = 50, .max = 4000000, .help = "bits per second on the serial line"         \
    }
#define MODE_ROW                                                                                             \
    {                                                                                                        \
        .name = "mode", .kind = RH_OPTION_CUSTOM, .offset = 0, .fallback = "8E1",                            \
        .choices = "8E1, 8N1, 8O1, 8N2, …",                                                                  \
        .help = "data bits, parity (N none, E even, O odd) and stop bits", .parse = parse_mode               \
    }
#define TIMEOUT_ROW                                                                                          \
    {                                                                                                        \
        .name = "timeout", .kind = RH_OPTION_DURATION,                                                       \
        .offset = offsetof(struct rh_modbus_line, timeout_ms), .fallback = "500ms", .min = 1, .max = 60000,  \
        .help = "how long to wait for an answer to begin"                                                    \
    }

static const struct rh_option rtu_rows[] = {PORT_ROW, BAUD_ROW, MODE_ROW, TIMEOUT_ROW};
static const struct rh_option tcp_rows[] = {HOST_ROW, TIMEOUT_ROW};
static const struct rh_option rtu_tcp_rows[] = {HOST_ROW, BAUD_ROW, MODE_ROW, TIMEOUT_ROW};

const struct rh_option_table rh_modbus_rtu_line_options = {rtu_rows, RH_COUNT(rtu_rows)};
const struct rh_option_table rh_modbus_tcp_line_options = {tcp_rows, RH_COUNT(tcp_rows)};
const struct rh_option_table rh_modbus_rtu_tcp_line_options = {rtu_tcp_rows, RH_COUNT(rtu_tcp_rows)};

static const struct rh_option device_rows[] = {
    {.name = "turnaround",
     .kind = RH_OPTION_DURATION,
     .offset = offsetof(struct rh_modbus_device, turnaround_ms),
     .fallback = "5ms",
     .min = 0,
     .max = 10000,
     .help = "from the end of a request to the start of the device's answer, for the plan"},
    {.name = "max_read",
     .kind = RH_OPTION_INT,
     .offset = offsetof(struct rh_modbus_device, max_read),
     .fallback = "125",
     .min = 1,
     .max = RH_MODBUS_MAX_REGISTERS,
     .help = "the most registers the device answers in one request"},
    {.name = "base",
     .kind = RH_OPTION_INT,
     .offset = offsetof(struct rh_modbus_device, base),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "what the addresses of its points count from, 0 or 1"},
    {.name = "write_fc",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(struct rh_modbus_device, write_fc),
     .fallback = "auto",
     .choices = "auto|16",
     .help = "how one register is written: by function 6 (auto), or by 16 as several are"},
};
const struct rh_option_table rh_modbus_device_options = {device_rows, RH_COUNT(device_rows)};

static bool parse_unit(const struct rh_word *word, unsigned lowest, struct rh_device_conf *device,
                       const struct rh_parse_context *context)
{
    struct rh_modbus_device *options = device->options;
    uint64_t unit = 0;
    if (rh_parse_uint(word->text, &unit) < 0 || unit > UINT8_MAX) {
        rh_report_error(context->report, word->place, NULL,
                        "the address of a Modbus device is its unit, %u..255", lowest);
        return false;
    }
    if (unit < lowest) {
        rh_report_error(context->report, word->place, NULL,
                        "unit 0 is broadcast on a serial line: nobody answers; a device is 1..255");
        return false;
    }
    options->unit = (uint8_t)unit;
    return true;
}

bool rh_modbus_parse_address(const struct rh_word *word, struct rh_device_conf *device,
                             const struct rh_parse_context *context)
{
    return parse_unit(word, 1, device, context);
}

bool rh_modbus_parse_tcp_address(const struct rh_word *word, struct rh_device_conf *device,
                                 const struct rh_parse_context *context)
{
    return parse_unit(word, 0, device, context);
}

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

bool rh_modbus_check_serial_line(const struct rh_line_conf *line, const struct rh_parse_context *context)
{
    const struct rh_modbus_line *options = line->options;
    return rh_port_check(line, options->port, context);
}

bool rh_modbus_check_socket_line(const struct rh_line_conf *line, const struct rh_parse_context *context)
{
    const struct rh_modbus_line *options = line->options;
    (void)context;
    return given(options->host);
}

static void socket_identity(const char *address, struct rh_text *text)
{
    char host[256], port[6];
    if (!rh_line_split_address(address, MODBUS_TCP_PORT, host, port)) {
        rh_text_put(text, address);
        return;
    }
    for (size_t i = 0; host[i] != '\0'; i++)
        rh_text_char(text, (char)tolower((unsigned char)host[i]));
    rh_text_printf(text, ":%s", port);
}

const char *rh_modbus_line_identity(const struct rh_line_conf *line)
{
    struct rh_modbus_line *options = line->options;
    struct rh_text text;
    rh_text_init(&text, options->identity, sizeof options->identity);
    if (given(options->host))
        socket_identity(options->host, &text);
    else
        rh_port_identity(options->port, &text);
    return options->identity;
}
