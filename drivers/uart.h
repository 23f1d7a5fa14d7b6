/* SPDX-License-Identifier: MIT */
/*
 * uart.h - what the files of the UART driver share; nobody outside drivers/ includes it.
 *
 * One driver, described by keys, for any sensor on a serial line that is not Modbus:
 *
 *   bytes --strip--> --framing, checksum--> frames --match--> a group --fields--> readings
 *
 *   uart_line       options of the line                       (configuration time)
 *   uart_option     options of devices and groups             (configuration time)
 *   uart_framing    start, end, length, checksum, … as texts  (configuration time)
 *   uart_point      the words and options of points           (configuration time)
 *   uart_regex      the only file that knows PCRE2
 *   uart_checksum   sums and CRCs                             (pure)
 *   uart_frame      bytes to frames, with resync              (pure, fuzzed)
 *   uart_text, …    the text or bytes of a field in a frame   (pure, fuzzed)
 *   uart_value      the text or bytes of a field to a value   (pure, fuzzed)
 *   uart_decode     a frame to readings                       (pure, fuzzed)
 *   uart_silence    when a sensor has been silent too long    (pure)
 *   uart            asks and listens on an open line
 */
#ifndef RH_DRIVERS_UART_H
#define RH_DRIVERS_UART_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/reading.h"
#include "drivers/uart_checksum.h"
#include "drivers/uart_frame.h"
#include "drivers/uart_regex.h"

#define RH_UART_REQUEST_MAX 256

/* The line (rh_line_conf.options). */
struct rh_uart_line {
    const char *port;
    int64_t baud;
    int data_bits, stop_bits;
    char parity;
    int64_t timeout_ms;      /* of devices that do not say otherwise */
    char identity[PATH_MAX]; /* room for rh_uart_line_identity */
};

/* Which frames a group takes. */
enum rh_uart_match_kind {
    RH_UART_MATCH_ANY,
    RH_UART_MATCH_PREFIX, /* text; '?' is any character; at the start of the frame or behind its start mark */
    RH_UART_MATCH_BYTES,  /* these bytes at an offset */
    RH_UART_MATCH_REGEX,
};

struct rh_uart_match {
    enum rh_uart_match_kind kind;
    uint32_t at;
    const uint8_t *bytes;
    size_t len;
    const struct rh_uart_regex *regex;
};

struct rh_uart_text {
    const uint8_t *bytes;
    size_t len; /* 0: none */
};

/* A [group NAME] of a profile (rh_group_conf.options), and the device's own keys for the points of none. */
struct rh_uart_group {
    struct rh_uart_match match;
    struct rh_uart_text request; /* what makes the sensor say it; none: it speaks unasked */
};

/* A device (rh_device_conf.options). */
struct rh_uart_device {
    struct rh_uart_framing framing;
    struct rh_uart_group own;
    struct rh_uart_text init; /* sent whenever the port has been opened */
    const struct rh_uart_regex
        *until;         /* of reply=until:/regex/: frames are taken until one matches; NULL: one */
    int64_t timeout_ms; /* 0: the line's */
    int64_t retries;
    int64_t stale_after_ms; /* 0: three times the median gap, at least five seconds */
};

/* Where in a frame the value of a point is. */
enum rh_uart_source {
    RH_UART_NONE, /* its words were wrong */
    RH_UART_CSV,
    RH_UART_KEY,
    RH_UART_REGEX,
    RH_UART_RAW,
    RH_UART_COLS,
    RH_UART_BYTES,
    RH_UART_JSON,
    RH_UART_OBIS,
    RH_UART_SML,
};

/* A raw value that means "no value". */
struct rh_uart_invalid {
    const char *text;
    size_t len;
    bool number; /* it also is this number */
    double value;
};

/* A point (rh_point.address). */
struct rh_uart_field {
    enum rh_uart_source source;
    enum rh_type type;    /* RH_TYPE_STR: text */
    struct rh_point *row; /* while its row is read: what nmea-latlon gives a type to */
    uint32_t group;       /* index among the device's groups; their number for none */
    int64_t at, to;       /* csv: column; cols: first and last; bytes: offset, from the end if negative */
    const char *name;     /* key, JSON pointer, OBIS code */
    size_t name_len;
    const char *separator; /* csv, key */
    size_t separator_len;
    const struct rh_uart_regex *regex; /* its own, of `regex /…/` */
    unsigned capture;
    bool little;       /* bytes: least significant first */
    size_t len;        /* bytes of a str or hex */
    bool latlon;       /* nmea-latlon: dddmm.mmmm, and the hemisphere in the column behind */
    uint8_t obis[6];   /* obis, sml: A-B:C.D.E*F */
    uint8_t obis_mask; /* which of them are said */
    uint32_t bracket;  /* obis: which of the (…) behind the code, from 0 */
    bool last_bracket; /* obis: the last one */
    const struct rh_uart_invalid *invalid;
    size_t n_invalid;
};

/* The device's own group has this index. */
static inline uint32_t rh_uart_own_group(const struct rh_device_conf *device)
{
    return (uint32_t)device->n_groups;
}

/* The group of an index; own for the last. */
static inline const struct rh_uart_group *rh_uart_group_of(const struct rh_device_conf *device,
                                                           uint32_t group)
{
    const struct rh_uart_device *options = device->options;
    return group < device->n_groups ? device->groups[group].options : &options->own;
}

/* What makes a group's sensor speak: its own request or else the device's. */
static inline const struct rh_uart_text *rh_uart_request_of(const struct rh_device_conf *device,
                                                            uint32_t group)
{
    const struct rh_uart_group *options = rh_uart_group_of(device, group);
    return options->request.len > 0 ? &options->request
                                    : &rh_uart_group_of(device, rh_uart_own_group(device))->request;
}

/* uart_line.c */
extern const struct rh_option_table rh_uart_line_options;
bool rh_uart_check_line(const struct rh_line_conf *line, const struct rh_parse_context *context);
const char *rh_uart_line_identity(const struct rh_line_conf *line);

/* uart_option.c */
extern const struct rh_option_table rh_uart_device_options, rh_uart_group_options;
bool rh_uart_parse_address(const struct rh_word *word, struct rh_device_conf *device,
                           const struct rh_parse_context *context);
bool rh_uart_check_device(const struct rh_device_conf *device, const struct rh_parse_context *context);
/* True if no group of the device has a request. */
bool rh_uart_speaks(const struct rh_device_conf *device);
/* Reports `key = "text": …` at the place of the value and returns false. */
bool rh_uart_wrong(const struct rh_option_value *value, const char *suggestion, const char *format, ...)
    RH_PRINTF(3, 4);
/* "text" in quotes, or bytes in hexadecimal; in the arena. */
bool rh_uart_parse_bytes(const struct rh_option_value *value, size_t most, struct rh_uart_text *ret_text);

/* uart_framing.c: the parsers of the framing's keys; the field is the struct rh_uart_framing. */
bool rh_uart_parse_start(const struct rh_option_value *value, void *framing);
bool rh_uart_parse_end(const struct rh_option_value *value, void *framing);
bool rh_uart_parse_length(const struct rh_option_value *value, void *framing);
bool rh_uart_parse_trailer(const struct rh_option_value *value, void *framing);
bool rh_uart_parse_strip(const struct rh_option_value *value, void *framing);
/* uart_checksum_option.c */
bool rh_uart_parse_checksum(const struct rh_option_value *value, void *framing);

/* uart_point.c, uart_point_option.c */
extern const struct rh_option_table rh_uart_point_options;
/* Bytes that a field of the source `bytes` takes. */
size_t rh_uart_field_size(const struct rh_uart_field *field);
bool rh_uart_parse_obis(const char *text, uint8_t obis[6], uint8_t *ret_mask);
/* True for csv, key, regex, … */
bool rh_uart_is_source(const char *word);
bool rh_uart_parse_point(const struct rh_word *words, size_t n, const struct rh_device_conf *device,
                         struct rh_point *point, void *address, const struct rh_parse_context *context);
bool rh_uart_check_point(const struct rh_point *point, const struct rh_device_conf *device,
                         struct rh_place place, const struct rh_parse_context *context);

#endif
