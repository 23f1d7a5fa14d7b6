/* SPDX-License-Identifier: MIT */
#include "drivers/port_option.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define USB_PREFIX "usb:"

bool rh_option_wrong(const struct rh_option_value *value, const char *suggestion, const char *format,
                     va_list args)
{
    char what[256];
    struct rh_text text;
    rh_text_init(&text, what, sizeof what);
    rh_text_vprintf(&text, format, args);
    rh_report_error(value->report, value->place, suggestion, "%s = \"%s\": %s", value->key, value->text,
                    what);
    return false;
}

RH_PRINTF(3, 4)
static bool wrong(const struct rh_option_value *value, const char *suggestion, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rh_option_wrong(value, suggestion, format, args);
    va_end(args);
    return false;
}

/* "0403:6001" or "0403:6001:SERIAL". */
static bool usb_valid(const char *id)
{
    for (size_t i = 0; i < 9; i++) {
        if (i == 4 ? id[i] != ':' : !isxdigit((unsigned char)id[i]))
            return false;
    }
    return id[9] == '\0' || (id[9] == ':' && id[10] != '\0');
}

static bool is_usb(const char *port)
{
    return strncmp(port, USB_PREFIX, strlen(USB_PREFIX)) == 0;
}

bool rh_port_parse(const struct rh_option_value *value, void *field)
{
    char suggestion[RH_NAME_MAX + sizeof "/dev/"];
    struct rh_text text;
    if (is_usb(value->text) && !usb_valid(value->text + strlen(USB_PREFIX)))
        return wrong(value, NULL, "an adapter is usb:VID:PID or usb:VID:PID:SERIAL, as usb:0403:6001");
    if (value->len == 0 || strlen(value->text) != value->len)
        return wrong(value, NULL, "must be a path or usb:VID:PID[:SERIAL]");
    if (!is_usb(value->text) && strchr(value->text, '/') == NULL) {
        rh_text_init(&text, suggestion, sizeof suggestion);
        rh_text_printf(&text, "/dev/%s", value->text);
        return wrong(value, text.cut ? NULL : suggestion, "must be a path or usb:VID:PID[:SERIAL]");
    }
    *(const char **)field = rh_arena_text(value->arena, value->text, value->len);
    return true;
}

bool rh_port_check(const struct rh_line_conf *line, const char *port, const struct rh_parse_context *context)
{
    struct stat found;
    if (!port || *port == '\0' || is_usb(port))
        return port && *port;
    if (stat(port, &found) < 0) {
        rh_report_warning(context->report, line->place, NULL, "[line %s]: port %s is not there (%s)",
                          line->name, port, strerror(errno));
        return true;
    }
    if (S_ISCHR(found.st_mode))
        return true;
    rh_report_error(context->report, line->place, NULL, "[line %s]: %s is not a serial port", line->name,
                    port);
    return false;
}

/* Adapters are told apart by VID and PID, whose hexadecimal digits may be written either way. */
static void usb_identity(const char *port, struct rh_text *text)
{
    size_t ids = strlen(USB_PREFIX "0403:6001");
    for (size_t i = 0; port[i] != '\0'; i++)
        rh_text_char(text, (char)(i < ids ? tolower((unsigned char)port[i]) : port[i]));
}

void rh_port_identity(const char *port, struct rh_text *text)
{
    char resolved[PATH_MAX];
    if (!port)
        return;
    if (is_usb(port))
        usb_identity(port, text);
    else
        rh_text_put(text, realpath(port, resolved) != NULL ? resolved : port);
}
