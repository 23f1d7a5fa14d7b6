/* SPDX-License-Identifier: MIT */
/*
 * plain.c - from what is written to what is meant (words.h), and back.
 *
 * The writer is the reader's inverse: what rh_plain_write gives, rh_plain_read takes for the same text.
 */
#include <stdio.h>
#include <string.h>

#include "config/words.h"

struct reading {
    const struct rh_raw *raw;
    const struct rh_substitutes *substitutes;
    struct rh_arena *arena;
    struct rh_report *report;
    size_t at;
    bool in_quotes;
    bool ok;
    char *text;
    bool *quoted;
    size_t len, cap;
};

static void put(struct reading *reading, const char *bytes, size_t len)
{
    if (reading->len + len + 1 > reading->cap) {
        size_t cap = 2 * (reading->len + len + 1);
        char *text = rh_arena_alloc(reading->arena, cap);
        bool *quoted = rh_arena_alloc(reading->arena, cap * sizeof(bool));

        if (reading->len > 0) {
            memcpy(text, reading->text, reading->len);
            memcpy(quoted, reading->quoted, reading->len * sizeof(bool));
        }
        reading->text = text;
        reading->quoted = quoted;
        reading->cap = cap;
    }
    for (size_t i = 0; i < len; i++) {
        reading->text[reading->len] = bytes[i];
        reading->quoted[reading->len++] = reading->in_quotes;
    }
}

static void wrong(struct reading *reading, size_t at, const char *suggestion, const char *what,
                  const char *detail, size_t len)
{
    rh_report_error(reading->report, rh_raw_place(reading->raw, at), suggestion, "%.*s: %s", (int)len, detail,
                    what);
    reading->ok = false;
}

static int hex_digit(const char *text, size_t len, size_t at)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = at < len && text[at] ? strchr(digits, text[at]) : NULL;

    return found ? (int)((found - digits) % 16) : -1;
}

/* At a backslash inside quotes. */
static void read_escape(struct reading *reading)
{
    static const char names[] = "\"\\nrt", meanings[] = "\"\\\n\r\t";
    const char *text = rh_raw_at(reading->raw);
    size_t len = reading->raw->len, at = reading->at;
    const char *name = at + 1 < len ? strchr(names, text[at + 1]) : NULL;

    if (name && *name) {
        put(reading, &meanings[name - names], 1);
        reading->at += 2;
        return;
    }
    int high = hex_digit(text, len, at + 2), low = hex_digit(text, len, at + 3);
    if (at + 1 < len && text[at + 1] == 'x' && high >= 0 && low >= 0) {
        char byte = (char)(high * 16 + low);
        put(reading, &byte, 1);
        reading->at += 4;
        return;
    }
    size_t shown = len - at < 2 ? len - at : 2;
    wrong(reading, at, NULL, "unknown escape; there are \\\" \\\\ \\n \\r \\t \\xNN", text + at, shown);
    reading->at += shown;
}

static const char *nearest_name(const struct rh_map *names, const char *name)
{
    const char *candidates[64];
    size_t n = 0;

    for (size_t i = 0; names && i < names->n && n < RH_COUNT(candidates); i++)
        candidates[n++] = names->at[i].key;
    return rh_near(name, candidates, n);
}

static void read_range(struct reading *reading, size_t at, size_t len, unsigned first, unsigned last,
                       unsigned width)
{
    const char *text = rh_raw_at(reading->raw) + at;
    const struct rh_substitutes *substitutes = reading->substitutes;
    char number[24];

    if (!substitutes || substitutes->range_n == 0) {
        wrong(reading, at, NULL, "a range stands only in names and addresses", text, len);
    } else if (last < first || last - first + 1 != substitutes->range_n) {
        char what[96];
        snprintf(what, sizeof(what), "the range must be as long as that of the name (%zu)",
                 substitutes->range_n);
        wrong(reading, at, NULL, what, text, len);
    } else {
        int n = snprintf(number, sizeof(number), "%0*u", (int)width, first + (unsigned)substitutes->range_at);
        put(reading, number, (size_t)n);
    }
}

/* At a brace. */
static void read_braces(struct reading *reading)
{
    const char *text = rh_raw_at(reading->raw) + reading->at;
    size_t left = reading->raw->len - reading->at, at = reading->at;
    const char *close = *text == '{' ? memchr(text, '}', left) : NULL;
    const struct rh_substitutes *substitutes = reading->substitutes;
    unsigned first, last, width;

    if (!close) {
        wrong(reading, at, NULL,
              "a brace without its other half; as a character it is \"\\x7b\" or \"\\x7d\"", text, 1);
        reading->at++;
        return;
    }
    size_t len = (size_t)(close - text) + 1;
    reading->at += len;
    if (rh_range_parse(text + 1, len - 2, &first, &last, &width)) {
        read_range(reading, at, len, first, last, width);
        return;
    }
    if (substitutes && substitutes->keep_names) {
        put(reading, text, len);
        return;
    }
    const struct rh_map *names = substitutes ? substitutes->names : NULL;
    const char *name = rh_arena_text(reading->arena, text + 1, len - 2);
    const char *meant = names ? rh_map_get(names, name) : NULL;
    if (meant)
        put(reading, meant, strlen(meant));
    else
        wrong(reading, at, nearest_name(names, name), "nothing of this name can be put in here", text, len);
}

static void read_one(struct reading *reading)
{
    const char *text = rh_raw_at(reading->raw);
    char c = text[reading->at];

    if (c == '"') {
        reading->in_quotes = !reading->in_quotes;
        reading->at++;
    } else if (c == '\\' && reading->in_quotes) {
        read_escape(reading);
    } else if (c == '{' || c == '}') {
        read_braces(reading);
    } else {
        put(reading, text + reading->at++, 1);
    }
}

bool rh_plain_read(const struct rh_raw *raw, const struct rh_substitutes *substitutes, struct rh_arena *arena,
                   struct rh_report *report, struct rh_plain *ret_plain)
{
    struct reading reading = {
        .raw = raw, .substitutes = substitutes, .arena = arena, .report = report, .ok = true};
    const char *text = rh_raw_at(raw);
    bool has_quotes = memchr(text, '"', raw->len) != NULL;
    bool regex = raw->len > 0 && rh_ini_regex_length(text, raw->len) == raw->len;

    put(&reading, "", 0);
    if (regex)
        put(&reading, text, raw->len);
    while (!regex && reading.at < raw->len)
        read_one(&reading);
    reading.text[reading.len] = '\0';
    *ret_plain = (struct rh_plain){.text = reading.text,
                                   .len = reading.len,
                                   .quoted = has_quotes && !regex ? reading.quoted : NULL,
                                   .has_quotes = has_quotes && !regex,
                                   .regex = regex,
                                   .template = substitutes && substitutes->keep_names,
                                   .place = rh_raw_place(raw, 0)};
    return reading.ok;
}

/* --- and back --- */

static bool has_meaning(unsigned char c, bool template)
{
    return c <= ' ' || c == 127 || strchr(template ? "\"" : "\"{}", c);
}

/* True if the byte may stand outside quotes. */
static bool safe(const struct rh_plain *plain, size_t i, bool row)
{
    unsigned char c = (unsigned char)plain->text[i];
    bool first = i == 0, last = i + 1 == plain->len;

    if (plain->quoted && plain->quoted[i])
        return false;
    if (c == ' ')
        return !row && !first && !last;
    if (c == '#' || c == ';')
        return !first && !rh_ini_blank(plain->text[i - 1]);
    return c == '\\' ? !last : !has_meaning(c, plain->template);
}

#define ESCAPE_MOST 5 /* "\xNN" */

static size_t escape(char out[ESCAPE_MOST], unsigned char c, bool utf8)
{
    static const char plain_names[] = "\"\\\n\r\t", names[] = "\"\\nrt";
    const char *found = c ? strchr(plain_names, c) : NULL;

    if (found)
        return (size_t)snprintf(out, ESCAPE_MOST, "\\%c", names[found - plain_names]);
    if (c < ' ' || c == 127 || c == '{' || c == '}' || (c > 127 && !utf8))
        return (size_t)snprintf(out, ESCAPE_MOST, "\\x%02x", c);
    *out = (char)c;
    return 1;
}

const char *rh_plain_write(const struct rh_plain *plain, bool row, struct rh_arena *arena)
{
    char *out = rh_arena_alloc(arena, 6 * plain->len + 3); /* "\xNN" between quotes of its own */
    size_t len = 0;
    bool quoted = false, utf8 = rh_utf8_valid(plain->text, plain->len) == plain->len;

    if (plain->regex)
        return rh_arena_text(arena, plain->text, plain->len);
    for (size_t i = 0; i < plain->len; i++) {
        if (quoted == safe(plain, i, row)) {
            out[len++] = '"';
            quoted = !quoted;
        }
        if (quoted)
            len += escape(out + len, (unsigned char)plain->text[i], utf8);
        else
            out[len++] = plain->text[i];
    }
    if (quoted || plain->len == 0)
        out[len++] = '"';
    if (plain->len == 0)
        out[len++] = '"';
    out[len] = '\0';
    return out;
}
