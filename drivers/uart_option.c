/* SPDX-License-Identifier: MIT */
/*
 * Options of UART devices and of the groups of their profiles. What cannot be a frame is said here, with its
 * place in the file, and not at the first byte from the line.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/port_option.h"
#include "drivers/uart.h"

#define PATTERN_MAX 256

bool rh_uart_wrong(const struct rh_option_value *value, const char *suggestion, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rh_option_wrong(value, suggestion, format, args);
    va_end(args);
    return false;
}

static bool parse_text(const struct rh_option_value *value, void *field)
{
    return rh_uart_parse_bytes(value, RH_UART_REQUEST_MAX, field);
}

/* ---- match ---- */

static bool parse_regex(const struct rh_option_value *value, size_t skip,
                        const struct rh_uart_regex **ret_regex)
{
    char why[200];
    *ret_regex = rh_uart_regex_new(value->arena, value->text + skip, value->len - skip, why, sizeof why);
    return *ret_regex || rh_uart_wrong(value, NULL, "%s", why);
}

static bool is_regex(const struct rh_option_value *value, size_t skip)
{
    return !value->quoted && value->len >= skip + 3 && value->text[skip] == '/' &&
           value->text[value->len - 1] == '/';
}

/* "BYTES at N": the place goes into `match`, *ret_bytes is what stands before. */
static bool parse_at(const struct rh_option_value *value, struct rh_uart_match *match,
                     struct rh_option_value *ret_bytes)
{
    const char *at = value->quoted ? NULL : strstr(value->text, " at ");
    uint64_t place = 0;
    *ret_bytes = *value;
    if (!at)
        return true;
    if (rh_parse_uint(at + strlen(" at "), &place) < 0 || place >= RH_UART_FRAME_MAX)
        return rh_uart_wrong(value, NULL, "the place of the bytes must be a number: 86 at 1");
    match->at = (uint32_t)place;
    ret_bytes->len = (size_t)(at - value->text);
    ret_bytes->text = rh_arena_text(value->arena, value->text, ret_bytes->len);
    return true;
}

static bool all_hex(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF ") == strlen(text);
}

/* A /regex/, a text that frames begin with, or bytes at a place. */
static bool parse_match(const struct rh_option_value *value, void *field)
{
    struct rh_uart_match match = {.kind = RH_UART_MATCH_PREFIX};
    struct rh_option_value bytes;
    struct rh_uart_text text;
    if (is_regex(value, 0)) {
        match.kind = RH_UART_MATCH_REGEX;
        if (!parse_regex(value, 0, &match.regex))
            return false;
    } else if (!parse_at(value, &match, &bytes)) {
        return false;
    } else if (!value->quoted && all_hex(bytes.text)) {
        match.kind = RH_UART_MATCH_BYTES;
        if (!rh_uart_parse_bytes(&bytes, PATTERN_MAX, &text))
            return false;
        match.bytes = text.bytes;
        match.len = text.len;
    } else {
        if (value->len == 0 || value->len > PATTERN_MAX)
            return rh_uart_wrong(value, NULL, "must be 1 to %d characters long", PATTERN_MAX);
        match.bytes = (const uint8_t *)rh_arena_text(value->arena, value->text, value->len);
        match.len = value->len;
    }
    *(struct rh_uart_match *)field = match;
    return true;
}

/* frame, or until:/regex/ */
static bool parse_reply(const struct rh_option_value *value, void *field)
{
    struct rh_uart_device *device = field;
    size_t until = strlen("until:");
    device->until = NULL;
    if (strcmp(value->text, "frame") == 0)
        return true;
    if (strncmp(value->text, "until:", until) != 0 || !is_regex(value, until))
        return rh_uart_wrong(value, NULL, "must be frame or until:/regular expression/");
    return parse_regex(value, until, &device->until);
}

#define DEVICE(member) .offset = offsetof(struct rh_uart_device, member)
#define MATCH_ROW(place, more)                                                                               \
    {                                                                                                        \
        .name = "match", .kind = RH_OPTION_CUSTOM, .offset = place,                                          \
        .choices = "TEXT, /REGEX/ or BYTES at N", .flags = more,                                             \
        .help = "which frames it takes; in a text ? is any character", .parse = parse_match                  \
    }
#define REQUEST_ROW(place)                                                                                   \
    {                                                                                                        \
        .name = "request", .kind = RH_OPTION_CUSTOM, .offset = place, .choices = "TEXT or BYTES",            \
        .help = "what makes the sensor answer; without it the sensor speaks unasked", .parse = parse_text    \
    }

static const struct rh_option device_rows[] = {
    {.name = "start",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(framing),
     .choices = "TEXT or BYTES",
     .help = "how a frame begins; several marks are divided by commas",
     .parse = rh_uart_parse_start},
    {.name = "end",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(framing),
     .choices = "TEXT or BYTES",
     .help = "how a frame ends; a line feed if neither length nor idle is given",
     .parse = rh_uart_parse_end},
    {.name = "length",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(framing),
     .choices = "N, u8@3+7, u16be@2+4",
     .help = "all bytes of a frame; or where it says so, and what to add",
     .parse = rh_uart_parse_length},
    {.name = "trailer",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(framing),
     .choices = "N or line",
     .help = "what follows the end mark: so many bytes, or the rest of the line",
     .parse = rh_uart_parse_trailer},
    {.name = "idle",
     .kind = RH_OPTION_DURATION,
     DEVICE(framing.idle_ms),
     .min = 1,
     .max = 60000,
     .help = "a gap that ends a frame"},
    {.name = "max",
     .kind = RH_OPTION_INT,
     DEVICE(framing.max),
     .fallback = "1024",
     .min = 1,
     .max = RH_UART_FRAME_MAX,
     .help = "bytes of the longest frame"},
    {.name = "decode",
     .kind = RH_OPTION_CHOICE,
     DEVICE(framing.decode),
     .fallback = "none",
     .choices = "none|hex|sml|iec",
     .help = "what is done to the bytes of a frame before anything else"},
    {.name = "strip",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(framing),
     .choices = "/REGEX/",
     .help = "what is taken out of the stream before frames are looked for",
     .parse = rh_uart_parse_strip},
    {.name = "checksum",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(framing),
     .fallback = "none",
     .choices = "ALGORITHM [over A..B] [at POS] [as FORM]",
     .help = "what makes a frame valid",
     .parse = rh_uart_parse_checksum},
    MATCH_ROW(offsetof(struct rh_uart_device, own.match), 0),
    REQUEST_ROW(offsetof(struct rh_uart_device, own.request)),
    {.name = "reply",
     .kind = RH_OPTION_CUSTOM,
     .offset = 0,
     .fallback = "frame",
     .choices = "frame or until:/REGEX/",
     .help = "the answer to a request: one frame, or all up to one that matches",
     .parse = parse_reply},
    {.name = "timeout",
     .kind = RH_OPTION_DURATION,
     DEVICE(timeout_ms),
     .min = 1,
     .max = 60000,
     .help = "how long to wait for the whole answer; the line's unless given"},
    {.name = "retries",
     .kind = RH_OPTION_INT,
     DEVICE(retries),
     .fallback = "0",
     .max = 10,
     .help = "how often a request is sent again when no answer comes"},
    {.name = "init",
     .kind = RH_OPTION_CUSTOM,
     DEVICE(init),
     .choices = "TEXT or BYTES",
     .help = "what is sent whenever the port has been opened",
     .parse = parse_text},
    {.name = "stale_after",
     .kind = RH_OPTION_DURATION,
     DEVICE(stale_after_ms),
     .min = 1,
     .max = 86400000,
     .help = "silence after which values are stale; three times the usual gap, at least 5s"},
};
const struct rh_option_table rh_uart_device_options = {device_rows, RH_COUNT(device_rows)};

static const struct rh_option group_rows[] = {
    MATCH_ROW(offsetof(struct rh_uart_group, match), RH_OPTION_REQUIRED),
    REQUEST_ROW(offsetof(struct rh_uart_group, request)),
};
const struct rh_option_table rh_uart_group_options = {group_rows, RH_COUNT(group_rows)};

bool rh_uart_parse_address(const struct rh_word *word, struct rh_device_conf *device,
                           const struct rh_parse_context *context)
{
    (void)word;
    (void)device;
    (void)context;
    return true; /* any text: it stands for {address} */
}

/* ---- all of them together ---- */

static bool outside(int64_t at, int64_t size, int64_t len)
{
    return at < 0 ? -at > len || at + size > 0 : at + size > len;
}

/* A checksum's places are known to be wrong where all frames have the same length. */
static const char *wrong_range(const struct rh_uart_framing *framing)
{
    const struct rh_uart_checksum *checksum = &framing->checksum;
    int64_t len = framing->max;
    if (framing->has_length && framing->length.size == 0)
        len = framing->length.plus;
    if (checksum->width == 0 || framing->decode == RH_UART_DECODE_HEX)
        return NULL;
    if (outside(checksum->from, 1, len) || outside(checksum->to, 1, len))
        return "the range of the checksum reaches outside of the frame";
    if (checksum->sum != RH_UART_SUM_ZERO &&
        outside(checksum->at, (int64_t)rh_uart_checksum_size(checksum), len))
        return "the place of the checksum is outside of the frame";
    return NULL;
}

static const char *wrong_framing(const struct rh_uart_framing *framing)
{
    bool by_length = framing->has_length, trailer = framing->trailer > 0 || framing->trailer_line;
    if (trailer && by_length)
        return "length counts all bytes: it takes no trailer";
    if (trailer && framing->end.len == 0)
        return "trailer needs end";
    if (by_length && framing->length.plus > framing->max)
        return "length is greater than max";
    if (framing->max <= framing->end.len + (int64_t)framing->trailer)
        return "max leaves no room between the marks";
    if (framing->decode == RH_UART_DECODE_SML && (framing->end.len == 0 || framing->n_starts == 0))
        return "decode = sml needs start and end";
    return wrong_range(framing);
}

bool rh_uart_check_device(const struct rh_device_conf *device, const struct rh_parse_context *context)
{
    struct rh_uart_device *options = device->options;
    struct rh_uart_framing *framing = &options->framing;
    const char *wrong = wrong_framing(framing);
    if (wrong)
        rh_report_error(context->report, device->place, NULL, "device %s: %s", device->name, wrong);
    for (size_t g = 0; g < device->n_groups; g++)
        if (rh_uart_is_source(device->groups[g].name))
            rh_report_error(context->report, device->place, NULL, "[group %s] bears the name of a source",
                            device->groups[g].name);
    if (framing->end.len == 0 && !framing->has_length && framing->idle_ms == 0)
        framing->end = (struct rh_uart_mark){.len = 1, .bytes = "\n"};
    if (options->until && options->own.request.len == 0)
        rh_report_error(context->report, device->place, NULL, "device %s: reply needs request", device->name);
    return !wrong;
}

bool rh_uart_speaks(const struct rh_device_conf *device)
{
    for (uint32_t group = 0; group <= device->n_groups; group++)
        if (rh_uart_request_of(device, group)->len > 0)
            return false;
    return true;
}
