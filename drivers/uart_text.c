/* SPDX-License-Identifier: MIT */
/*
 * Text in lines: columns, keys, expressions. Bytes come from outside: every step is checked against the text.
 */
#include "drivers/uart_text.h"

#include <string.h>

static struct rh_uart_slice part(struct rh_uart_slice text, size_t from, size_t to)
{
    return (struct rh_uart_slice){text.bytes + from, to - from};
}

/* Where `what` stands from `from` on; text.len if nowhere. */
static size_t find(struct rh_uart_slice text, size_t from, const char *what, size_t len)
{
    const uint8_t *found = from <= text.len ? memmem(text.bytes + from, text.len - from, what, len) : NULL;
    return found ? (size_t)(found - text.bytes) : text.len;
}

/* ---- csv ---- */

/* Columns divided by blanks may be so by several; those before the first do not count. */
static size_t skip_blanks(const struct rh_uart_field *field, struct rh_uart_slice text, size_t at)
{
    bool blanks = field->separator_len == 1 && field->separator[0] == ' ';
    while (blanks && at < text.len && text.bytes[at] == ' ')
        at++;
    return at;
}

enum rh_uart_place rh_uart_find_column(const struct rh_uart_field *field, struct rh_uart_slice text,
                                       int64_t column, struct rh_uart_slice *ret_text)
{
    size_t from = skip_blanks(field, text, 0);
    for (int64_t i = 0;; i++) {
        size_t to = find(text, from, field->separator, field->separator_len);
        if (i == column) {
            *ret_text = part(text, from, to);
            return RH_UART_THERE;
        }
        if (to == text.len)
            return RH_UART_BROKEN;
        from = skip_blanks(field, text, to + field->separator_len);
    }
}

static enum rh_uart_place find_csv(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                   struct rh_uart_slice *ret_text)
{
    return rh_uart_find_column(field, view->text, field->at, ret_text);
}

/* ---- key ---- */

static bool is_in(uint8_t c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* What may stand before a key. */
static bool divides(uint8_t c)
{
    return is_in(c, " \t\r\n,;|&{");
}

/* The separator behind the key: its length, 0 if it is not there. Without one of its own, = or :, with
 * blanks around it. */
static size_t separator_at(const struct rh_uart_field *field, struct rh_uart_slice text, size_t at)
{
    size_t i = at;
    if (field->separator_len > 0)
        return at + field->separator_len <= text.len &&
                       memcmp(text.bytes + at, field->separator, field->separator_len) == 0
                   ? field->separator_len
                   : 0;
    while (i < text.len && is_in(text.bytes[i], " \t"))
        i++;
    return i < text.len && is_in(text.bytes[i], "=:") ? i + 1 - at : 0;
}

/* True if another key and its separator begin here: a blank in front of them ends the value before. */
static bool next_key(const struct rh_uart_field *field, struct rh_uart_slice text, size_t at)
{
    size_t i = at;
    while (i < text.len && !divides(text.bytes[i]) && separator_at(field, text, i) == 0)
        i++;
    return i > at && i < text.len && separator_at(field, text, i) > 0;
}

static size_t value_end(const struct rh_uart_field *field, struct rh_uart_slice text, size_t at)
{
    bool blanks = field->separator_len > 0 && is_in((uint8_t)field->separator[0], " \t");
    for (; at < text.len && !is_in(text.bytes[at], "\r\n,;|&}"); at++)
        if (!blanks && is_in(text.bytes[at], " \t") && next_key(field, text, at + 1))
            break;
    return at;
}

/* The first item of the name: a name inside of another word is none. */
static enum rh_uart_place find_key(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                   struct rh_uart_slice *ret_text)
{
    struct rh_uart_slice text = view->text;
    for (size_t at = find(text, 0, field->name, field->name_len); at < text.len;
         at = find(text, at + 1, field->name, field->name_len)) {
        size_t behind = at + field->name_len, separator = separator_at(field, text, behind);
        if (separator == 0 || (at > 0 && !divides(text.bytes[at - 1])))
            continue;
        size_t from = behind + separator;
        while (from < text.len && is_in(text.bytes[from], " \t"))
            from++;
        *ret_text = part(text, from, value_end(field, text, from));
        return RH_UART_THERE;
    }
    return RH_UART_ABSENT;
}

/* ---- regex, raw, cols, and the others ---- */

static enum rh_uart_place find_regex(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                     struct rh_uart_slice *ret_text)
{
    const struct rh_uart_matcher *matcher = view->match;
    size_t start, len;
    if (field->regex) {
        if (!rh_uart_matches(view->own, field->regex, view->text.bytes, view->text.len))
            return RH_UART_ABSENT;
        matcher = view->own;
    }
    if (!rh_uart_capture(matcher, field->capture, &start, &len) || start + len > view->text.len)
        return RH_UART_ABSENT;
    *ret_text = (struct rh_uart_slice){view->text.bytes + start, len};
    return RH_UART_THERE;
}

static enum rh_uart_place find_raw(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                   struct rh_uart_slice *ret_text)
{
    (void)field;
    *ret_text = view->text;
    return RH_UART_THERE;
}

static enum rh_uart_place find_cols(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                    struct rh_uart_slice *ret_text)
{
    size_t from = (size_t)field->at, to = (size_t)field->to + 1;
    if (from >= view->text.len)
        return RH_UART_BROKEN;
    *ret_text = part(view->text, from, to < view->text.len ? to : view->text.len);
    return RH_UART_THERE;
}

static enum rh_uart_place find_json(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                    struct rh_uart_slice *ret_text)
{
    return rh_uart_find_json(field, view->text, ret_text);
}

/* The trailer of a telegram may hold a code's value no more than its end mark. */
static enum rh_uart_place find_obis(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                    struct rh_uart_slice *ret_text)
{
    return rh_uart_find_obis(field, view->text, ret_text);
}

enum rh_uart_place rh_uart_find_text(const struct rh_uart_field *field, const struct rh_uart_view *view,
                                     struct rh_uart_slice *ret_text)
{
    static enum rh_uart_place (*const finders[])(const struct rh_uart_field *field,
                                                 const struct rh_uart_view *view,
                                                 struct rh_uart_slice *ret_text) = {
        [RH_UART_CSV] = find_csv,   [RH_UART_KEY] = find_key,   [RH_UART_REGEX] = find_regex,
        [RH_UART_RAW] = find_raw,   [RH_UART_COLS] = find_cols, [RH_UART_JSON] = find_json,
        [RH_UART_OBIS] = find_obis,
    };
    rh_assert(field->source < RH_COUNT(finders) && finders[field->source]);
    return finders[field->source](field, view, ret_text);
}
