/* SPDX-License-Identifier: MIT */
/*
 * One value out of a JSON document by its pointer (RFC 6901): /temp, /sensors/0/value, with ~1 for a slash
 * and ~0 for a tilde in a name. The document is walked once, without a tree; what is not JSON (RFC 8259)
 * gives no value. Names and strings with escapes are compared and handed on as they are written.
 */
#include <string.h>

#include "drivers/uart_text.h"

#define DEPTH_MAX 32

struct walk {
    struct rh_uart_slice text;
    size_t at;
    const char *pointer; /* what is left of it: "" when the value is reached */
    bool found;
    struct rh_uart_slice value;
};

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->text.len && memchr(" \t\r\n", walk->text.bytes[walk->at], 4))
        walk->at++;
}

static bool eat(struct walk *walk, uint8_t c)
{
    skip_blanks(walk);
    if (walk->at >= walk->text.len || walk->text.bytes[walk->at] != c)
        return false;
    walk->at++;
    return true;
}

/* Behind the opening quote: up to the closing one. */
static bool read_string(struct walk *walk, struct rh_uart_slice *ret_string)
{
    size_t start = walk->at;
    for (; walk->at < walk->text.len; walk->at++) {
        uint8_t c = walk->text.bytes[walk->at];
        if (c == '"') {
            *ret_string = (struct rh_uart_slice){walk->text.bytes + start, walk->at - start};
            walk->at++;
            return true;
        }
        if (c < ' ')
            return false;
        walk->at += c == '\\';
    }
    return false;
}

/* A number or a word: up to what ends it. */
static bool read_plain(struct walk *walk, struct rh_uart_slice *ret_value)
{
    size_t start = walk->at;
    while (walk->at < walk->text.len && !memchr(",]} \t\r\n:\"[{", walk->text.bytes[walk->at], 11))
        walk->at++;
    *ret_value = (struct rh_uart_slice){walk->text.bytes + start, walk->at - start};
    return walk->at > start;
}

/* If the pointer's next part is this name, what is left behind it; NULL if it is not. */
static const char *follow(const char *pointer, struct rh_uart_slice name)
{
    size_t i = 0;
    if (!pointer || *pointer != '/')
        return NULL;
    for (pointer++; *pointer && *pointer != '/'; pointer++, i++) {
        char c = *pointer;
        if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
            c = *++pointer == '0' ? '~' : '/';
        if (i >= name.len || name.bytes[i] != (uint8_t)c)
            return NULL;
    }
    return i == name.len ? pointer : NULL;
}

static bool read_value(struct walk *walk, const char *pointer, int depth);

static bool read_member(struct walk *walk, const char *pointer, bool object, unsigned index, int depth)
{
    char digits[12];
    struct rh_text number;
    struct rh_uart_slice name;
    if (object) {
        if (!eat(walk, '"') || !read_string(walk, &name) || !eat(walk, ':'))
            return false;
    } else {
        rh_text_init(&number, digits, sizeof digits);
        rh_text_uint(&number, index);
        name = (struct rh_uart_slice){(const uint8_t *)digits, number.len};
    }
    return read_value(walk, follow(pointer, name), depth + 1);
}

/* Behind the opening bracket. */
static bool read_members(struct walk *walk, const char *pointer, bool object, int depth)
{
    uint8_t close = object ? '}' : ']';
    if (eat(walk, close))
        return true;
    for (unsigned index = 0;; index++) {
        if (!read_member(walk, pointer, object, index, depth))
            return false;
        if (eat(walk, close))
            return true;
        if (!eat(walk, ','))
            return false;
    }
}

static bool read_value(struct walk *walk, const char *pointer, int depth)
{
    bool wanted = pointer && *pointer == '\0';
    struct rh_uart_slice value;
    if (depth > DEPTH_MAX)
        return false;
    bool object = eat(walk, '{');
    if (object || eat(walk, '['))
        return read_members(walk, pointer, object, depth);
    if (!(eat(walk, '"') ? read_string : read_plain)(walk, &value))
        return false;
    if (wanted && !walk->found) {
        walk->found = true;
        walk->value = value;
    }
    return true;
}

enum rh_uart_place rh_uart_find_json(const struct rh_uart_field *field, struct rh_uart_slice text,
                                     struct rh_uart_slice *ret_text)
{
    struct walk walk = {.text = text};
    bool whole = read_value(&walk, field->name, 0);
    skip_blanks(&walk);
    if (!whole || walk.at != text.len)
        return RH_UART_BROKEN;
    if (!walk.found)
        return RH_UART_ABSENT;
    *ret_text = walk.value;
    if (walk.value.len == 4 && memcmp(walk.value.bytes, "null", 4) == 0)
        ret_text->len = 0;
    return RH_UART_THERE;
}
