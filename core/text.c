/* SPDX-License-Identifier: MIT */
#include "core/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rh_text_init(struct rh_text *text, char *buffer, size_t cap)
{
    rh_assert(cap >= 1);
    *text = (struct rh_text){.at = buffer, .cap = cap};
    buffer[0] = '\0';
}

void rh_text_bytes(struct rh_text *text, const void *bytes, size_t len)
{
    size_t room = text->cap - text->len - 1;

    if (len > room) {
        text->cut = true;
        len = room;
    }
    memcpy(text->at + text->len, bytes, len);
    text->len += len;
    text->at[text->len] = '\0';
}

void rh_text_put(struct rh_text *text, const char *string)
{
    rh_text_bytes(text, string, strlen(string));
}

void rh_text_char(struct rh_text *text, char c)
{
    rh_text_bytes(text, &c, 1);
}

void rh_text_vprintf(struct rh_text *text, const char *format, va_list args)
{
    size_t room = text->cap - text->len;
    int wanted = vsnprintf(text->at + text->len, room, format, args);

    rh_assert(wanted >= 0);
    if ((size_t)wanted >= room) {
        text->cut = true;
        text->len = text->cap - 1;
    } else {
        text->len += (size_t)wanted;
    }
}

void rh_text_printf(struct rh_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    rh_text_vprintf(text, format, args);
    va_end(args);
}

void rh_text_uint(struct rh_text *text, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);

    do
        digits[--n] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    rh_text_bytes(text, digits + n, sizeof(digits) - n);
}

void rh_text_int(struct rh_text *text, int64_t value)
{
    if (value < 0)
        rh_text_char(text, '-');
    rh_text_uint(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* printf and strtod follow the locale of the process; railhead never calls setlocale, so that is "C".
 * Below the normal numbers a double has fewer digits than DBL_DIG, so the search starts at one. */
static void put_shortest(struct rh_text *text, const char *digits)
{
    rh_text_put(text, digits);
    if (!strpbrk(digits, ".e"))
        rh_text_put(text, ".0");
}

void rh_text_double(struct rh_text *text, double value)
{
    char digits[40];

    for (int precision = fabs(value) < DBL_MIN ? 1 : DBL_DIG; precision <= DBL_DECIMAL_DIG; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    put_shortest(text, digits);
}

void rh_text_float(struct rh_text *text, float value)
{
    char digits[40];

    for (int precision = fabsf(value) < FLT_MIN ? 1 : FLT_DIG; precision <= FLT_DECIMAL_DIG; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, (double)value);
        if (strtof(digits, NULL) == value)
            break;
    }
    put_shortest(text, digits);
}

static void json_escape(struct rh_text *text, unsigned char c)
{
    static const char short_names[] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"'};

    if (c == '\\' || (c < sizeof(short_names) && short_names[c])) {
        rh_text_char(text, '\\');
        rh_text_char(text, c == '\\' ? '\\' : short_names[c]);
    } else if (c < ' ' || c == 127) {
        rh_text_printf(text, "\\u%04x", c);
    } else {
        rh_text_char(text, (char)c);
    }
}

void rh_text_json(struct rh_text *text, const char *string, size_t len)
{
    rh_text_char(text, '"');
    while (len > 0) {
        size_t valid = rh_utf8_valid(string, len);

        for (size_t i = 0; i < valid; i++)
            json_escape(text, (unsigned char)string[i]);
        string += valid;
        len -= valid;
        if (len == 0)
            break;
        rh_text_put(text, *string ? "\xEF\xBF\xBD" : "\\u0000");
        string++;
        len--;
    }
    rh_text_char(text, '"');
}

/* Length of one valid UTF-8 sequence at the start of `s`, 0 if there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char first_lo, first_hi, second_lo, second_hi, length;
    } rows[] = {
        {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    for (size_t r = 0; r < RH_COUNT(rows); r++) {
        if (s[0] < rows[r].first_lo || s[0] > rows[r].first_hi)
            continue;
        if (len < rows[r].length)
            return 0;
        if (rows[r].length > 1 && (s[1] < rows[r].second_lo || s[1] > rows[r].second_hi))
            return 0;
        for (size_t i = 2; i < rows[r].length; i++)
            if ((s[i] & 0xC0) != 0x80)
                return 0;
        return rows[r].length;
    }
    return 0;
}

size_t rh_utf8_valid(const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = utf8_sequence((const unsigned char *)bytes + at, len - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool rh_name_valid(const char *name)
{
    size_t len = 0;

    while (len <= RH_NAME_MAX && name_char(name[len]))
        len++;
    return len >= 1 && len <= RH_NAME_MAX && name[len] == '\0';
}
