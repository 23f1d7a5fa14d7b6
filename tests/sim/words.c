/* SPDX-License-Identifier: MIT */
/*
 * words.c - cuts a line of the configuration or of a command into words.
 */
#include "tests/sim/base.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One escape after the backslash: its value, or -1; *at moves past it. */
static int escape(const char **at)
{
    static const char names[] = "rnt\\\"0", values[] = "\r\n\t\\\"\0";
    const char *found;
    uint8_t byte;
    size_t n;

    if (**at == 'x' && isxdigit((unsigned char)(*at)[1]) && isxdigit((unsigned char)(*at)[2])) {
        char pair[3] = {(*at)[1], (*at)[2], '\0'};

        *at += 3;
        return sim_parse_hex(pair, &byte, 1, &n) ? byte : -1;
    }
    found = **at != '\0' ? strchr(names, **at) : NULL;
    if (found == NULL)
        return -1;
    *at += 1;
    return (unsigned char)values[found - names];
}

/* Copies a quoted word after its first quote; returns where the line goes on, or NULL. */
static const char *quoted(const char *at, char **out)
{
    while (*at != '"') {
        int byte = (unsigned char)*at++;

        if (byte == '\\')
            byte = escape(&at);
        else if (byte == '\0')
            return NULL;
        if (byte < 0)
            return NULL;
        *(*out)++ = (char)byte;
    }
    return at + 1;
}

static const char *bare(const char *at, char **out)
{
    if (*at == '=') {
        *(*out)++ = *at++;
        return at;
    }
    while (*at != '\0' && !isspace((unsigned char)*at) && *at != '=' && *at != '"')
        *(*out)++ = *at++;
    return at;
}

bool sim_words_split(struct sim_words *words, const char *line, char *why, size_t why_cap)
{
    char *out = words->text;

    words->n = 0;
    if (strlen(line) > SIM_LINE_MAX) {
        snprintf(why, why_cap, "the line is longer than %d bytes", SIM_LINE_MAX);
        return false;
    }
    for (;;) {
        while (isspace((unsigned char)*line))
            line++;
        if (*line == '\0' || *line == '#' || *line == ';')
            return true;
        if (words->n == SIM_WORDS_MAX) {
            snprintf(why, why_cap, "more than %d words on a line", SIM_WORDS_MAX);
            return false;
        }
        words->word[words->n] = out;
        line = *line == '"' ? quoted(line + 1, &out) : bare(line, &out);
        if (line == NULL) {
            snprintf(why, why_cap,
                     "a quote is not closed, or an escape is not one of \\r \\n \\t \\\\ \\\" \\0 \\xNN");
            return false;
        }
        words->len[words->n] = (size_t)(out - words->word[words->n]);
        *out++ = '\0';
        words->n++;
    }
}
