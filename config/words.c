/* SPDX-License-Identifier: MIT */
/*
 * words.c - one left-to-right pass per text; every byte of the result comes from a known place of the file.
 */
#include "config/words.h"

#include <stdio.h>
#include <string.h>

/* --- words of a row --- */

/* The end of the word that starts at `at`. */
static size_t word_end(const char *text, size_t len, size_t at)
{
    bool quoted = false;
    size_t start = at;

    while (at < len && (quoted || !rh_ini_blank(text[at]))) {
        size_t regex = 0;

        if (quoted && text[at] == '\\')
            at++;
        else if (text[at] == '"')
            quoted = !quoted;
        else if (!quoted && (at == start || text[at - 1] == '='))
            regex = rh_ini_regex_length(text + at, len - at);
        at += regex > 0 ? regex : 1;
    }
    return at < len ? at : len;
}

size_t rh_words_split(const struct rh_raw *raw, struct rh_arena *arena, struct rh_raw **ret_words)
{
    const char *text = rh_raw_at(raw);
    struct rh_raw *words = NULL;
    size_t n = 0, at = 0;

    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (at = 0; at < raw->len;) {
            size_t end = word_end(text, raw->len, at);
            if (end == at) {
                at++; /* a blank */
                continue;
            }
            if (words)
                words[n] = rh_raw_slice(raw, at, end - at);
            n++;
            at = end;
        }
        if (!words)
            words = rh_arena_alloc(arena, (n + 1) * sizeof(*words));
    }
    *ret_words = words;
    return n;
}

bool rh_word_divide(const struct rh_raw *word, struct rh_raw *ret_key, struct rh_raw *ret_value)
{
    const char *text = rh_raw_at(word);
    const char *equals = NULL;

    if (rh_ini_regex_length(text, word->len) == word->len)
        return false;
    for (size_t i = 0; i < word->len && text[i] != '"' && !equals; i++)
        if (text[i] == '=')
            equals = text + i;
    if (!equals)
        return false;
    size_t at = (size_t)(equals - text);
    *ret_key = rh_raw_slice(word, 0, at);
    *ret_value = rh_raw_slice(word, at + 1, word->len - at - 1);
    return true;
}

/* --- ranges --- */

static bool parse_digits(const char *text, size_t len, unsigned *ret_value)
{
    unsigned value = 0;

    if (len < 1 || len > 9)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool rh_range_parse(const char *text, size_t len, unsigned *ret_first, unsigned *ret_last,
                    unsigned *ret_width)
{
    const char *dots = memmem(text, len, "..", 2);

    if (!dots)
        return false;
    size_t left = (size_t)(dots - text), right = len - left - 2;
    if (!parse_digits(text, left, ret_first) || !parse_digits(dots + 2, right, ret_last))
        return false;
    bool padded = (text[0] == '0' && left > 1) || (dots[2] == '0' && right > 1);
    *ret_width = padded ? (unsigned)(left > right ? left : right) : 0;
    return true;
}

/* The next {…} from `at` on: its inside. False if there is no more. */
static bool next_braces(const struct rh_raw *raw, size_t *at, struct rh_raw *ret_inside)
{
    const char *text = rh_raw_at(raw);
    const char *open = memchr(text + *at, '{', raw->len - *at);
    const char *close = open ? memchr(open, '}', raw->len - (size_t)(open - text)) : NULL;

    if (!close)
        return false;
    *ret_inside = rh_raw_slice(raw, (size_t)(open + 1 - text), (size_t)(close - open) - 1);
    *at = (size_t)(close + 1 - text);
    return true;
}

static size_t range_length(const struct rh_raw *inside, struct rh_report *report)
{
    unsigned first, last, width;
    struct rh_place place = rh_raw_place(inside, 0);
    const char *text = rh_raw_at(inside);

    place.column--; /* the brace */
    if (!rh_range_parse(text, inside->len, &first, &last, &width)) {
        rh_report_error(report, place, NULL, "{%.*s} is not a range: {1..12}", (int)inside->len, text);
        return 0;
    }
    if (last < first) {
        rh_report_error(report, place, NULL, "a range counts up: {%.*s} does not", (int)inside->len, text);
        return 0;
    }
    if (last - first >= RH_RANGE_MOST) {
        rh_report_error(report, place, NULL, "a range of %u: at most %d are allowed", last - first + 1,
                        RH_RANGE_MOST);
        return 0;
    }
    return last - first + 1;
}

size_t rh_range_count(const struct rh_raw *name, struct rh_report *report)
{
    struct rh_raw inside;
    size_t at = 0, count = 0;

    while (next_braces(name, &at, &inside)) {
        size_t n = range_length(&inside, report);

        if (n == 0)
            return 0;
        if (count != 0 && n != count) {
            rh_report_error(report, rh_raw_place(&inside, 0), NULL,
                            "ranges side by side must be equally long: %zu here, %zu before", n, count);
            return 0;
        }
        count = n;
    }
    return count == 0 ? 1 : count;
}

const char *rh_range_name(const struct rh_raw *name, size_t element, struct rh_arena *arena)
{
    const char *text = rh_raw_at(name);
    const size_t most = name->len + 16;
    char *result = rh_arena_alloc(arena, most);
    struct rh_raw inside;
    size_t at = 0, from = 0, len = 0;

    while (next_braces(name, &at, &inside)) {
        unsigned first = 0, last = 0, width = 0;
        size_t before = inside.start - name->start - 1 - from;

        memcpy(result + len, text + from, before);
        rh_range_parse(rh_raw_at(&inside), inside.len, &first, &last, &width);
        /* a..b is at least as long as either number, so this fits where the braces stood */
        len += before;
        len += (size_t)snprintf(result + len, most - len, "%0*u", (int)width, first + (unsigned)element);
        from = at;
    }
    memcpy(result + len, text + from, name->len - from);
    return result;
}
