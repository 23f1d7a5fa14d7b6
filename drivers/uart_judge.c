/* SPDX-License-Identifier: MIT */
#include "drivers/uart_judge.h"

#include <string.h>

/* The length of the start mark at the candidate, 0 without marks; MORE, FAIL or WHOLE. The first mark in the
 * order of the configuration that is not ruled out decides: that does not depend on how much is there. */
static enum rh_uart_verdict judge_start(const struct rh_uart_framing *framing, const uint8_t *at, size_t n,
                                        size_t *ret_len)
{
    *ret_len = 0;
    if (framing->n_starts == 0)
        return RH_UART_WHOLE;
    for (size_t i = 0; i < framing->n_starts; i++) {
        const struct rh_uart_mark *mark = &framing->starts[i];
        if (memcmp(at, mark->bytes, n < mark->len ? n : mark->len) != 0)
            continue;
        *ret_len = mark->len;
        return n < mark->len ? RH_UART_MORE : RH_UART_WHOLE;
    }
    return RH_UART_FAIL;
}

static enum rh_uart_verdict judge_length(const struct rh_uart_framing *framing, const uint8_t *at, size_t n,
                                         size_t *ret_total)
{
    const struct rh_uart_length *length = &framing->length;
    int64_t total = 0;
    if (n < length->at + length->size)
        return RH_UART_MORE;
    for (size_t i = 0; i < length->size; i++)
        total = total << 8 | at[length->at + (length->little ? length->size - 1U - i : i)];
    total += length->plus;
    if (total < (int64_t)(length->at + length->size + framing->end.len) || total < 1 || total > framing->max)
        return RH_UART_FAIL;
    if ((int64_t)n < total)
        return RH_UART_MORE;
    *ret_total = (size_t)total;
    const struct rh_uart_mark *end = &framing->end;
    return memcmp(at + total - end->len, end->bytes, end->len) == 0 ? RH_UART_WHOLE : RH_UART_FAIL;
}

/* SML: groups of four; 1b1b1b1b is followed by 1b1b1b1b (data) or 1a (the end). */
static enum rh_uart_verdict find_sml_end(const struct rh_uart_candidate *candidate, size_t n, size_t from,
                                         size_t *ret_end)
{
    static const uint8_t escape[4] = {0x1B, 0x1B, 0x1B, 0x1B};
    const uint8_t *at = candidate->at;
    size_t i = *candidate->searched > from ? *candidate->searched : from;
    for (; i + 5 <= n; i += 4, *candidate->searched = i) {
        if (memcmp(at + i, escape, 4) != 0)
            continue;
        if (at[i + 4] == 0x1A) {
            *ret_end = i + 5;
            return RH_UART_WHOLE;
        }
        if (i + 8 > n)
            return RH_UART_MORE;
        if (memcmp(at + i + 4, escape, 4) != 0)
            return RH_UART_FAIL;
        i += 4;
    }
    return RH_UART_MORE;
}

static enum rh_uart_verdict find_end(const struct rh_uart_candidate *candidate, size_t n, size_t from,
                                     size_t *ret_end)
{
    const struct rh_uart_mark *end = &candidate->framing->end;
    if (candidate->framing->decode == RH_UART_DECODE_SML)
        return find_sml_end(candidate, n, from, ret_end);
    if (*candidate->searched > from)
        from = *candidate->searched;
    if (n < from + end->len)
        return RH_UART_MORE;
    const uint8_t *found = memmem(candidate->at + from, n - from, end->bytes, end->len);
    if (!found) {
        *candidate->searched = n - end->len + 1;
        return RH_UART_MORE;
    }
    *ret_end = (size_t)(found - candidate->at) + end->len;
    return RH_UART_WHOLE;
}

static enum rh_uart_verdict judge_end(const struct rh_uart_candidate *candidate, size_t n,
                                      struct rh_uart_frame *frame)
{
    const struct rh_uart_framing *framing = candidate->framing;
    size_t end = 0;
    enum rh_uart_verdict verdict = find_end(candidate, n, frame->start_len, &end);
    if (verdict != RH_UART_WHOLE)
        return verdict;
    frame->text_len = end - framing->end.len;
    frame->len = end + framing->trailer;
    if (framing->trailer_line) {
        const uint8_t *line_end = memchr(candidate->at + end, '\n', n - end);
        if (!line_end)
            return RH_UART_MORE;
        frame->len = (size_t)(line_end - candidate->at) + 1;
    }
    if (frame->len > n)
        return RH_UART_MORE;
    return frame->len == framing->end.len && framing->n_starts == 0 ? RH_UART_EMPTY : RH_UART_WHOLE;
}

/* Neither length nor end mark: only a gap ends it. */
static enum rh_uart_verdict judge_gap(const struct rh_uart_candidate *candidate, size_t n,
                                      struct rh_uart_frame *frame)
{
    frame->len = frame->text_len = n;
    if (candidate->n > n)
        return RH_UART_OVERRUN;
    return candidate->gap ? RH_UART_WHOLE : RH_UART_MORE;
}

static enum rh_uart_verdict judge_rest(const struct rh_uart_candidate *candidate, size_t n,
                                       struct rh_uart_frame *frame)
{
    const struct rh_uart_framing *framing = candidate->framing;
    if (framing->has_length) {
        enum rh_uart_verdict verdict = judge_length(framing, candidate->at, n, &frame->len);
        frame->text_len = frame->len - (verdict == RH_UART_WHOLE ? framing->end.len : 0);
        return verdict;
    }
    return (framing->end.len > 0 ? judge_end : judge_gap)(candidate, n, frame);
}

/* What is looked at is cut at max, so that nothing beyond can matter. */
enum rh_uart_verdict rh_uart_judge(const struct rh_uart_candidate *candidate, struct rh_uart_frame *frame)
{
    const struct rh_uart_framing *framing = candidate->framing;
    size_t max = (size_t)framing->max, n = candidate->n < max ? candidate->n : max;
    enum rh_uart_verdict verdict = judge_start(framing, candidate->at, n, &frame->start_len);
    if (verdict == RH_UART_WHOLE)
        verdict = judge_rest(candidate, n, frame);
    if (verdict != RH_UART_MORE)
        return verdict;
    if (n == max && (framing->has_length || framing->end.len > 0))
        return RH_UART_OVERRUN;
    return candidate->gap ? RH_UART_FAIL : RH_UART_MORE;
}

static bool same_mark(const struct rh_uart_mark *a, const struct rh_uart_mark *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static bool same_length(const struct rh_uart_framing *a, const struct rh_uart_framing *b)
{
    return a->has_length == b->has_length && a->length.size == b->length.size &&
           a->length.little == b->length.little && a->length.at == b->length.at &&
           a->length.plus == b->length.plus && a->trailer == b->trailer && a->trailer_line == b->trailer_line;
}

static bool same_checksum(const struct rh_uart_checksum *a, const struct rh_uart_checksum *b)
{
    return a->sum == b->sum && a->form == b->form && a->width == b->width && a->from == b->from &&
           a->to == b->to && a->at == b->at && a->crc.poly == b->crc.poly && a->crc.init == b->crc.init &&
           a->crc.xorout == b->crc.xorout && a->crc.refin == b->crc.refin && a->crc.refout == b->crc.refout;
}

static bool same_strip(const struct rh_uart_regex *a, const struct rh_uart_regex *b)
{
    return a && b ? strcmp(rh_uart_regex_text(a), rh_uart_regex_text(b)) == 0 : a == b;
}

bool rh_uart_framing_equal(const struct rh_uart_framing *a, const struct rh_uart_framing *b)
{
    if (a->n_starts != b->n_starts || a->idle_ms != b->idle_ms || a->max != b->max || a->decode != b->decode)
        return false;
    for (size_t i = 0; i < a->n_starts; i++)
        if (!same_mark(&a->starts[i], &b->starts[i]))
            return false;
    return same_mark(&a->end, &b->end) && same_length(a, b) && same_checksum(&a->checksum, &b->checksum) &&
           same_strip(a->strip, b->strip);
}
