/* SPDX-License-Identifier: MIT */
/* The compiled code takes its memory from the arena: it goes with the configuration, nobody frees it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "drivers/uart_regex.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"

#define CAPTURES_MAX 64
#define MATCH_LIMIT 20000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 256
#define PATTERN_MAX 4096

struct rh_uart_regex {
    const pcre2_code *code;
    const char *text;
};

struct rh_uart_matcher {
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t captures; /* of the last match */
};

static void *take(PCRE2_SIZE bytes, void *arena)
{
    return rh_arena_alloc(arena, bytes);
}

static void leave(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

static pcre2_code *compile(struct rh_arena *arena, const char *pattern, size_t len, char *why, size_t cap)
{
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_general_context *general = pcre2_general_context_create(take, leave, arena);
    pcre2_compile_context *context = pcre2_compile_context_create(general);
    pcre2_set_max_pattern_length(context, PATTERN_MAX);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_NEVER_BACKSLASH_C, &error, &at, context);
    if (!code) {
        PCRE2_UCHAR message[160];
        pcre2_get_error_message(error, message, sizeof message);
        snprintf(why, cap, "%s, at character %zu", (const char *)message, at + 1);
    }
    return code;
}

const struct rh_uart_regex *rh_uart_regex_new(struct rh_arena *arena, const char *pattern, size_t len,
                                              char *why, size_t cap)
{
    bool slashes = len >= 2 && pattern[0] == '/' && pattern[len - 1] == '/';
    const pcre2_code *code = compile(arena, pattern + slashes, len - 2U * slashes, why, cap);
    if (!code)
        return NULL;
    struct rh_uart_regex *regex = rh_arena_alloc(arena, sizeof *regex);
    *regex = (struct rh_uart_regex){code, rh_arena_text(arena, pattern, len)};
    if (rh_uart_regex_groups(regex) < CAPTURES_MAX)
        return regex;
    snprintf(why, cap, "more than %d groups", CAPTURES_MAX - 1);
    return NULL;
}

unsigned rh_uart_regex_group(const struct rh_uart_regex *regex, const char *name)
{
    int group = pcre2_substring_number_from_name(regex->code, (PCRE2_SPTR)name);
    return group > 0 ? (unsigned)group : 0;
}

unsigned rh_uart_regex_groups(const struct rh_uart_regex *regex)
{
    uint32_t groups = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    return groups;
}

const char *rh_uart_regex_text(const struct rh_uart_regex *regex)
{
    return regex->text;
}

struct rh_uart_matcher *rh_uart_matcher_new(void)
{
    struct rh_uart_matcher *matcher = calloc(1, sizeof *matcher);
    if (!matcher)
        return NULL;
    matcher->data = pcre2_match_data_create(CAPTURES_MAX, NULL);
    matcher->limits = pcre2_match_context_create(NULL);
    if (!matcher->data || !matcher->limits) {
        rh_uart_matcher_free(matcher);
        return NULL;
    }
    pcre2_set_match_limit(matcher->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(matcher->limits, DEPTH_LIMIT);
    pcre2_set_heap_limit(matcher->limits, HEAP_LIMIT_KIB);
    return matcher;
}

void rh_uart_matcher_free(struct rh_uart_matcher *matcher)
{
    if (!matcher)
        return;
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->limits);
    free(matcher);
}

bool rh_uart_matches(struct rh_uart_matcher *matcher, const struct rh_uart_regex *regex, const uint8_t *bytes,
                     size_t len)
{
    int n = pcre2_match(regex->code, bytes, len, 0, 0, matcher->data, matcher->limits);
    matcher->captures = n > 0 ? (uint32_t)n : 0;
    return n > 0;
}

enum rh_uart_found rh_uart_search(struct rh_uart_matcher *matcher, const struct rh_uart_regex *regex,
                                  const uint8_t *bytes, size_t len, size_t *ret_start, size_t *ret_end)
{
    int n = pcre2_match(regex->code, bytes, len, 0, PCRE2_PARTIAL_HARD | PCRE2_NOTBOL | PCRE2_NOTEMPTY,
                        matcher->data, matcher->limits);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(matcher->data);
    matcher->captures = 0;
    if (n <= 0 && n != PCRE2_ERROR_PARTIAL)
        return RH_UART_NO_MATCH;
    *ret_start = at[0];
    *ret_end = at[1];
    return n > 0 ? RH_UART_MATCHED : RH_UART_PARTIAL;
}

bool rh_uart_capture(const struct rh_uart_matcher *matcher, unsigned group, size_t *ret_start,
                     size_t *ret_len)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(matcher->data);
    if (group >= matcher->captures || at[2 * (size_t)group] == PCRE2_UNSET ||
        at[2 * (size_t)group + 1] < at[2 * (size_t)group])
        return false;
    *ret_start = at[2 * (size_t)group];
    *ret_len = at[2 * (size_t)group + 1] - at[2 * (size_t)group];
    return true;
}
