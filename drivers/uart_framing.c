/* SPDX-License-Identifier: MIT */
/*
 * The keys of a framing as they stand in the file:
 *
 *   start = "$", "!"      start = 42 4D        one mark, or several of which one begins a frame
 *   end = "\r\n"          end = 77
 *   length = 9            length = u16be@2+4   all bytes of a frame; or a field of it, and what to add
 *   trailer = 1           trailer = line       what follows the end mark
 *   strip = /:[0-9A-F]+\n/
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"
#include "drivers/uart.h"

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* "42 4D", "424D": pairs of digits, blanks between pairs. False if it is anything else. */
static bool read_hex(const char *text, size_t len, uint8_t *bytes, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i += 2) {
        while (i < len && text[i] == ' ')
            i++;
        if (i == len)
            break;
        if (i + 1 >= len || digit(text[i]) < 0 || digit(text[i + 1]) < 0)
            return false;
        bytes[n++] = (uint8_t)(digit(text[i]) << 4 | digit(text[i + 1]));
    }
    *ret_n = n;
    return n > 0;
}

static bool suggest_quotes(const struct rh_option_value *value)
{
    char suggestion[80];
    struct rh_text text;
    rh_text_init(&text, suggestion, sizeof suggestion);
    rh_text_printf(&text, "\"%s\"", value->text);
    return rh_uart_wrong(value, text.cut ? NULL : suggestion,
                         "must be text in quotes, as \"\\r\\n\", or bytes, as 42 4D");
}

bool rh_uart_parse_bytes(const struct rh_option_value *value, size_t most, struct rh_uart_text *ret_text)
{
    uint8_t *bytes = rh_arena_alloc(value->arena, value->len + 1);
    size_t n = value->len;
    if (value->quoted)
        memcpy(bytes, value->text, n);
    else if (!read_hex(value->text, value->len, bytes, &n))
        return suggest_quotes(value);
    if (n < 1 || n > most)
        return rh_uart_wrong(value, NULL, "must be 1 to %zu bytes long", most);
    *ret_text = (struct rh_uart_text){bytes, n};
    return true;
}

static bool parse_mark(const struct rh_option_value *value, size_t most, struct rh_uart_mark *ret_mark)
{
    struct rh_uart_text text;
    if (!rh_uart_parse_bytes(value, most, &text))
        return false;
    *ret_mark = (struct rh_uart_mark){.len = (uint8_t)text.len};
    memcpy(ret_mark->bytes, text.bytes, text.len);
    return true;
}

bool rh_uart_parse_start(const struct rh_option_value *value, void *field)
{
    struct rh_uart_framing *framing = field;
    struct rh_option_value element;
    framing->n_starts = 0;
    for (size_t at = 0; rh_list_next(value, &at, &element);) {
        if (framing->n_starts == RH_UART_STARTS_MAX)
            return rh_uart_wrong(value, NULL, "at most %d marks", RH_UART_STARTS_MAX);
        if (!parse_mark(&element, RH_UART_START_MAX, &framing->starts[framing->n_starts]))
            return false;
        framing->n_starts++;
    }
    return true;
}

bool rh_uart_parse_end(const struct rh_option_value *value, void *field)
{
    struct rh_uart_framing *framing = field;
    return parse_mark(value, RH_UART_END_MAX, &framing->end);
}

/* The number at *text up to the first of `stops` or the end; moves on to there. */
static bool read_number(const char **text, const char *stops, uint64_t most, uint64_t *ret_number)
{
    char digits[16];
    size_t n = strcspn(*text, stops);
    if (n == 0 || n >= sizeof digits)
        return false;
    memcpy(digits, *text, n);
    digits[n] = '\0';
    *text += n;
    return rh_parse_uint(digits, ret_number) == 0 && *ret_number <= most;
}

static const struct {
    const char *name;
    uint8_t size;
    bool little;
} length_types[] = {{"u8", 1, false}, {"u16be", 2, false}, {"u16le", 2, true}};

bool rh_uart_parse_length(const struct rh_option_value *value, void *field)
{
    struct rh_uart_framing *framing = field;
    struct rh_uart_length length = {0};
    const char *text = value->text, *sign = strchr(text, '@');
    uint64_t number = 0, plus = 0;
    bool good = false;
    for (size_t i = 0; i < RH_COUNT(length_types) && sign; i++) {
        size_t n = strlen(length_types[i].name);
        if ((size_t)(sign - text) != n || strncmp(text, length_types[i].name, n) != 0)
            continue;
        length.size = length_types[i].size;
        length.little = length_types[i].little;
        text = sign + 1;
        good = read_number(&text, "+-", 4096, &number);
    }
    length.at = (uint32_t)number;
    if (!sign)
        good = read_number(&text, "", RH_UART_FRAME_MAX, &plus) && plus > 0;
    else if (good && *text)
        good = (text++, read_number(&text, "", RH_UART_FRAME_MAX, &plus));
    if (!good)
        return rh_uart_wrong(value, NULL, "must be the number of bytes, or u8@3+7, u16be@2+4, u16le@2");
    length.plus = sign && strchr(sign, '-') ? -(int64_t)plus : (int64_t)plus;
    framing->length = length;
    framing->has_length = true;
    return true;
}

bool rh_uart_parse_trailer(const struct rh_option_value *value, void *field)
{
    struct rh_uart_framing *framing = field;
    uint64_t n = 0;
    framing->trailer_line = strcmp(value->text, "line") == 0;
    if (!framing->trailer_line && (rh_parse_uint(value->text, &n) < 0 || n < 1 || n > 1024))
        return rh_uart_wrong(value, NULL, "must be a number of bytes, 1..1024, or line");
    framing->trailer = (size_t)n;
    return true;
}

bool rh_uart_parse_strip(const struct rh_option_value *value, void *field)
{
    struct rh_uart_framing *framing = field;
    char why[200];
    if (value->len < 3 || value->text[0] != '/' || value->text[value->len - 1] != '/')
        return rh_uart_wrong(value, NULL, "must be a /regular expression/");
    framing->strip = rh_uart_regex_new(value->arena, value->text, value->len, why, sizeof why);
    return framing->strip || rh_uart_wrong(value, NULL, "%s", why);
}
