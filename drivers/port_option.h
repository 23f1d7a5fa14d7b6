/* SPDX-License-Identifier: MIT */
/*
 * port_option.h - the options of a serial port that drivers have in common. Opens nothing.
 */
#ifndef RH_DRIVERS_PORT_OPTION_H
#define RH_DRIVERS_PORT_OPTION_H

#include <stdarg.h>
#include <stdbool.h>

#include "config/config.h"
#include "core/text.h"

/* Reports `key = "text": …` at the place of the value and returns false. */
bool rh_option_wrong(const struct rh_option_value *value, const char *suggestion, const char *format,
                     va_list args) RH_PRINTF(3, 0);

/* port: a path, or usb:VID:PID[:SERIAL] (const char *). */
bool rh_port_parse(const struct rh_option_value *value, void *field);

/* A warning if the port is not there, an error if it is no serial port; false after an error, and without a
 * port. */
bool rh_port_check(const struct rh_line_conf *line, const char *port, const struct rh_parse_context *context);

/* What makes the port unique: its path without symbolic links, the text itself where there is none yet. */
void rh_port_identity(const char *port, struct rh_text *text);

#endif
