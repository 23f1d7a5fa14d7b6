/* SPDX-License-Identifier: MIT */
/* Options of a UART line: port, rate and frame of its characters. */
#include <ctype.h>
#include <string.h>

#include "drivers/port_option.h"
#include "drivers/uart.h"

/* The field is the whole line: "7E1" goes into three members. */
static bool parse_mode(const struct rh_option_value *value, void *field)
{
    struct rh_uart_line *line = field;
    const char *text = value->text;
    if (value->len != 3 || strchr("5678", text[0]) == NULL || strchr("NEOneo", text[1]) == NULL ||
        strchr("12", text[2]) == NULL)
        return rh_uart_wrong(value, NULL,
                             "must be data bits, parity N, E or O, and stop bits: 8N1, 7E1, 8E1, 8N2");
    char right[] = {text[0], (char)toupper((unsigned char)text[1]), text[2], '\0'};
    if (text[1] != right[1])
        return rh_uart_wrong(value, right, "the parity is a capital letter");
    line->data_bits = text[0] - '0';
    line->parity = text[1];
    line->stop_bits = text[2] - '0';
    return true;
}

#define FIELD(member) .offset = offsetof(struct rh_uart_line, member)

static const struct rh_option rows[] = {
    {.name = "port",
     .kind = RH_OPTION_CUSTOM,
     FIELD(port),
     .choices = "path or usb:VID:PID[:SERIAL]",
     .flags = RH_OPTION_REQUIRED,
     .help = "the serial port; names under /dev/serial/by-id stay the same",
     .parse = rh_port_parse},
    {.name = "baud",
     .kind = RH_OPTION_INT,
     FIELD(baud),
     .fallback = "19200",
     .min = 50,
     .max = 4000000,
     .help = "bits per second on the serial line"},
    {.name = "mode",
     .kind = RH_OPTION_CUSTOM,
     .offset = 0,
     .fallback = "8E1",
     .choices = "8N1, 7E1, 8E1, 8N2, …",
     .help = "data bits, parity (N none, E even, O odd) and stop bits",
     .parse = parse_mode},
    {.name = "timeout",
     .kind = RH_OPTION_DURATION,
     FIELD(timeout_ms),
     .fallback = "500ms",
     .min = 1,
     .max = 60000,
     .help = "how long to wait for the whole answer to a request"},
};
const struct rh_option_table rh_uart_line_options = {rows, RH_COUNT(rows)};

bool rh_uart_check_line(const struct rh_line_conf *line, const struct rh_parse_context *context)
{
    const struct rh_uart_line *options = line->options;
    return rh_port_check(line, options->port, context);
}

const char *rh_uart_line_identity(const struct rh_line_conf *line)
{
    struct rh_uart_line *options = line->options;
    struct rh_text text;
    rh_text_init(&text, options->identity, sizeof options->identity);
    rh_port_identity(options->port, &text);
    return options->identity;
}
