/* SPDX-License-Identifier: MIT */
/*
 * modbus_frame.c - a window slides over the received bytes.
 *
 *   RTU answer      unit | function        | byte count | data … | CRC low | CRC high
 *   RTU written     unit | function        | address(2) | value or count(2) | CRC low | CRC high
 *   RTU exception   unit | function | 0x80 | code                | CRC low | CRC high
 *   MBAP            transaction(2) | protocol 0(2) | length(2) | unit | function | byte count | data …
 *
 * RTU has no start mark, so two searches run over the same bytes. The first looks, byte by byte, whether an
 * open answer ends here; it may start anywhere behind the last frame, so that noise in front costs nothing.
 * The second tells the rest apart, from left to right: frames of others, or garbage. It may wait behind a
 * length that is itself noise; it never holds up the first. Both move one byte at a time, so that the result
 * is the same however the bytes were cut up.
 *
 *        base            scan                       seen         len
 *   frames | told apart    | not told apart yet       | not seen   |
 *
 * Invariant: base <= scan <= seen <= len, scan >= seen - RH_MODBUS_LONGEST; bytes below scan that no answer
 * can reach any more are dropped by the next feed.
 */
#include "drivers/modbus_frame.h"

#include <string.h>

#include "drivers/modbus.h"

#define EXCEPTION_CHARS 5
#define EXCEPTION_BIT 0x80
#define HEAD_MAX 6 /* bytes that make an answer ours */
#define MBAP_LENGTH_MIN 2
#define MBAP_LENGTH_MAX 254

uint16_t rh_modbus_crc(const uint8_t *bytes, size_t len)
{
    /* Polynomial 0x8005 reflected, start 0xFFFF: four bits at a time. */
    static const uint16_t table[16] = {0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
                                       0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400};
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < len; i++) {
        crc = (crc >> 4) ^ table[(crc ^ bytes[i]) & 15];
        crc = (crc >> 4) ^ table[(crc ^ (unsigned)(bytes[i] >> 4)) & 15];
    }
    return (uint16_t)crc;
}

size_t rh_modbus_read_request(const struct rh_block *block, uint8_t request[6])
{
    request[0] = block->unit;
    request[1] = block->function;
    request[2] = (uint8_t)(block->address >> 8);
    request[3] = (uint8_t)block->address;
    request[4] = (uint8_t)(block->length >> 8);
    request[5] = (uint8_t)block->length;
    return 6;
}

size_t rh_modbus_rtu_request(const uint8_t *request, size_t len, uint8_t ret_frame[RH_MODBUS_RTU_MAX])
{
    rh_assert(len <= RH_MODBUS_REQUEST_MAX);
    memcpy(ret_frame, request, len);
    uint16_t crc = rh_modbus_crc(request, len);
    ret_frame[len] = (uint8_t)crc;
    ret_frame[len + 1] = (uint8_t)(crc >> 8);
    return len + RH_MODBUS_CRC_BYTES;
}

size_t rh_modbus_tcp_request(const uint8_t *request, size_t len, uint16_t transaction,
                             uint8_t ret_frame[RH_MODBUS_TCP_MAX])
{
    rh_assert(len <= RH_MODBUS_REQUEST_MAX);
    const uint8_t header[RH_MODBUS_MBAP_BYTES] = {(uint8_t)(transaction >> 8), (uint8_t)transaction, 0, 0,
                                                  (uint8_t)(len >> 8),         (uint8_t)len};
    memcpy(ret_frame, header, sizeof header);
    memcpy(ret_frame + sizeof header, request, len);
    return len + sizeof header;
}

void rh_modbus_assembler_init(struct rh_modbus_assembler *assembler, enum rh_modbus_framing framing,
                              rh_modbus_foreign *foreign, void *context)
{
    memset(assembler, 0, sizeof *assembler);
    assembler->framing = framing;
    assembler->foreign = foreign;
    assembler->context = context;
}

void rh_modbus_assembler_reset(struct rh_modbus_assembler *assembler)
{
    assembler->echo_bytes = assembler->garbage = 0;
    assembler->base = assembler->scan = assembler->seen = assembler->len = assembler->foreign_end = 0;
}

void rh_modbus_assembler_begin(struct rh_modbus_assembler *assembler, const uint8_t *echo, size_t len)
{
    rh_assert(len <= sizeof assembler->echo);
    assembler->garbage = 0;
    if (assembler->framing == RH_MODBUS_FRAMING_MBAP)
        return; /* a frame may be half received; its transaction id tells whose it is */
    rh_modbus_assembler_reset(assembler);
    memcpy(assembler->echo, echo, len);
    assembler->echo_bytes = len;
}

/* Everything below scan that is also out of reach of the longest answer may go. */
static void drop_old(struct rh_modbus_assembler *a)
{
    size_t reach = a->seen > RH_MODBUS_LONGEST ? a->seen - RH_MODBUS_LONGEST : 0;
    size_t drop = a->base > reach ? a->base : reach;
    if (drop > a->scan)
        drop = a->scan;
    memmove(a->bytes, a->bytes + drop, a->len - drop);
    a->base = a->base > drop ? a->base - drop : 0;
    a->foreign_end = a->foreign_end > drop ? a->foreign_end - drop : 0;
    a->scan -= drop;
    a->seen -= drop;
    a->len -= drop;
}

void rh_modbus_feed(struct rh_modbus_assembler *assembler, const uint8_t *bytes, size_t len)
{
    rh_assert(len <= RH_MODBUS_FEED_MAX && assembler->seen == assembler->len);
    drop_old(assembler);
    rh_assert(assembler->len + len <= RH_MODBUS_WINDOW);
    memcpy(assembler->bytes + assembler->len, bytes, len);
    assembler->len += len;
}

static bool crc_good(const uint8_t *frame, size_t chars)
{
    uint16_t crc = rh_modbus_crc(frame, chars - RH_MODBUS_CRC_BYTES);
    return frame[chars - 2] == (uint8_t)crc && frame[chars - 1] == (uint8_t)(crc >> 8);
}

/* What others may send, by function: requests and answers both, since another master and its slaves may
 * share the wire. A frame is `fixed` characters, or `around` and what the byte at `count_at` says. */
struct shape {
    uint8_t first, last; /* functions */
    uint8_t fixed;       /* 0: none */
    uint8_t count_at;    /* 0: none */
    uint8_t around;
};
static const struct shape shapes[] = {
    {1, 4, 8, 2, 5},
    {5, 6, 8, 0, 0},
    {15, 16, 8, 6, 9},
    {17, 17, 4, 2, 5},
    {22, 22, 10, 0, 0},
    {23, 23, 0, 2, 5},
    {1 | EXCEPTION_BIT, 127 | EXCEPTION_BIT, EXCEPTION_CHARS, 0, 0},
};

#define MORE_TO_COME SIZE_MAX

/* `chars` if a valid frame of that length is at `at`; 0: none is; MORE_TO_COME. */
static size_t frame_of(const uint8_t *at, size_t have, size_t chars)
{
    if (chars > have)
        return MORE_TO_COME;
    return chars > 0 && crc_good(at, chars) ? chars : 0;
}

/* The length of the valid frame at `at`; 0: there is none; MORE_TO_COME: more bytes may make one. */
static size_t foreign_at(const uint8_t *at, size_t have)
{
    const struct shape *shape = NULL;
    if (have < 2)
        return MORE_TO_COME;
    for (size_t i = 0; i < RH_COUNT(shapes) && !shape; i++) {
        if (at[1] >= shapes[i].first && at[1] <= shapes[i].last)
            shape = &shapes[i];
    }
    if (!shape)
        return 0;
    size_t fixed = frame_of(at, have, shape->fixed);
    if (shape->count_at == 0 || (fixed > 0 && fixed != MORE_TO_COME))
        return fixed;
    if (have <= shape->count_at)
        return MORE_TO_COME;
    size_t counted = frame_of(at, have, (size_t)shape->around + at[shape->count_at]);
    return counted > 0 ? counted : fixed;
}

/* A frame that is also the beginning of our own request is the echo, still coming in. */
static bool is_echo_so_far(const struct rh_modbus_assembler *a, const uint8_t *frame, size_t chars)
{
    return chars <= a->echo_bytes && memcmp(frame, a->echo, chars) == 0;
}

/* Tells bytes apart up to `end`; `final`: nothing follows that could complete a frame. */
static void tell_apart(struct rh_modbus_assembler *a, size_t end, bool final)
{
    while (a->scan < end) {
        const uint8_t *at = a->bytes + a->scan;
        size_t chars = foreign_at(at, end - a->scan);
        if (!final && (chars == MORE_TO_COME || is_echo_so_far(a, at, end - a->scan)))
            return;
        if (chars == 0 || chars == MORE_TO_COME) {
            a->garbage += *at != 0x00 && *at != 0xFF;
            a->scan++;
        } else {
            a->scan += chars;
            a->foreign_end = a->scan;
            a->foreign(a->context, at[0], chars);
        }
    }
}

/* Bytes [start, seen) are a frame of ours. Foreign frames that seemed to reach into it lose. */
static void take(struct rh_modbus_assembler *a, size_t start)
{
    tell_apart(a, start, true);
    a->base = a->scan = a->seen;
}

/* What the answer begins with: unit, function and byte count, or what was written. Returns its length. */
static size_t head_of(const struct rh_modbus_expected *expected, uint8_t ret_head[HEAD_MAX])
{
    ret_head[0] = expected->unit;
    ret_head[1] = expected->function;
    ret_head[2] = expected->data_bytes;
    if (!expected->write)
        return 3;
    memcpy(ret_head + 2, expected->written, sizeof expected->written);
    return HEAD_MAX;
}

/* On a serial line. */
static size_t answer_chars(const struct rh_modbus_expected *expected)
{
    return expected->write ? HEAD_MAX + RH_MODBUS_CRC_BYTES
                           : (size_t)3 + expected->data_bytes + RH_MODBUS_CRC_BYTES;
}

/* A good answer, whose unit stands at `unit`. */
static struct rh_modbus_frame answer_of(const struct rh_modbus_expected *expected, size_t which,
                                        const uint8_t *unit)
{
    return (struct rh_modbus_frame){.which = which,
                                    .data = unit + (expected->write ? 2 : 3),
                                    .data_bytes =
                                        expected->write ? sizeof expected->written : expected->data_bytes};
}

/* Does an RTU frame of `chars` with this head end at the last byte seen? */
static bool ends_here(const struct rh_modbus_assembler *a, const uint8_t *head, size_t n_head, size_t chars)
{
    if (a->seen < a->base + chars)
        return false;
    const uint8_t *frame = a->bytes + a->seen - chars;
    return memcmp(frame, head, n_head) == 0 && crc_good(frame, chars) && !is_echo_so_far(a, frame, chars);
}

/* Is an open answer, told by its head, still coming in at `scan`? Then its data may look like anything. */
static bool inside_answer(const struct rh_modbus_assembler *a, const struct rh_modbus_expected *expected,
                          size_t n)
{
    const uint8_t *at = a->bytes + a->scan;
    size_t have = a->seen - a->scan;
    for (size_t i = 0; i < n; i++) {
        uint8_t head[HEAD_MAX];
        size_t n_head = head_of(&expected[i], head);
        if (have >= n_head && have < answer_chars(&expected[i]) && memcmp(at, head, n_head) == 0)
            return true;
    }
    return false;
}

static enum rh_modbus_event rtu_match(struct rh_modbus_assembler *a,
                                      const struct rh_modbus_expected *expected, size_t n,
                                      struct rh_modbus_frame *ret_frame)
{
    bool no_refusal = inside_answer(a, expected, n);
    for (size_t i = 0; i < n; i++) {
        const uint8_t refusal[2] = {expected[i].unit, expected[i].function | EXCEPTION_BIT};
        uint8_t head[HEAD_MAX];
        size_t n_head = head_of(&expected[i], head), chars = answer_chars(&expected[i]);
        if (ends_here(a, head, n_head, chars)) {
            size_t start = a->seen - chars;
            *ret_frame = answer_of(&expected[i], i, a->bytes + start);
            take(a, start);
            return RH_MODBUS_ANSWER;
        }
        if (!no_refusal && ends_here(a, refusal, sizeof refusal, EXCEPTION_CHARS)) {
            size_t start = a->seen - EXCEPTION_CHARS;
            *ret_frame = (struct rh_modbus_frame){.which = i, .exception = a->bytes[start + 2]};
            take(a, start);
            return RH_MODBUS_EXCEPTION;
        }
    }
    return RH_MODBUS_MORE;
}

/* True, once per request, when its bytes have just come back. */
static bool echo_match(struct rh_modbus_assembler *a)
{
    if (a->echo_bytes == 0 || a->seen < a->base + a->echo_bytes)
        return false;
    size_t start = a->seen - a->echo_bytes;
    if (memcmp(a->bytes + start, a->echo, a->echo_bytes) != 0)
        return false;
    take(a, start);
    a->echo_bytes = 0;
    return true;
}

static enum rh_modbus_event rtu_next(struct rh_modbus_assembler *a, const struct rh_modbus_expected *expected,
                                     size_t n, struct rh_modbus_frame *ret_frame)
{
    while (a->seen < a->len) {
        a->seen++;
        if (echo_match(a))
            return RH_MODBUS_ECHO;
        enum rh_modbus_event event = rtu_match(a, expected, n, ret_frame);
        if (event != RH_MODBUS_MORE)
            return event;
        tell_apart(a, a->seen, false);
    }
    return RH_MODBUS_MORE;
}

/* `unit` points at the unit of a whole frame, `length` is what the header says. */
static enum rh_modbus_event mbap_match(const uint8_t *unit, size_t length, uint16_t transaction,
                                       const struct rh_modbus_expected *expected, size_t n,
                                       struct rh_modbus_frame *ret_frame)
{
    for (size_t i = 0; i < n; i++) {
        const struct rh_modbus_expected *e = &expected[i];
        if (e->transaction != transaction || e->unit != unit[0])
            continue;
        if (length == 3 && unit[1] == (e->function | EXCEPTION_BIT)) {
            *ret_frame = (struct rh_modbus_frame){.which = i, .exception = unit[2]};
            return RH_MODBUS_EXCEPTION;
        }
        uint8_t head[HEAD_MAX];
        size_t n_head = head_of(e, head);
        if (length == answer_chars(e) - RH_MODBUS_CRC_BYTES && memcmp(unit, head, n_head) == 0) {
            *ret_frame = answer_of(e, i, unit);
            return RH_MODBUS_ANSWER;
        }
    }
    return RH_MODBUS_MORE;
}

static enum rh_modbus_event mbap_next(struct rh_modbus_assembler *a,
                                      const struct rh_modbus_expected *expected, size_t n,
                                      struct rh_modbus_frame *ret_frame)
{
    while (a->len - a->base >= RH_MODBUS_MBAP_BYTES) {
        const uint8_t *at = a->bytes + a->base;
        size_t length = (size_t)at[4] << 8 | at[5];
        if (at[2] != 0 || at[3] != 0 || length < MBAP_LENGTH_MIN || length > MBAP_LENGTH_MAX) {
            a->seen = a->len;
            return RH_MODBUS_DESYNC;
        }
        if (a->len - a->base < RH_MODBUS_MBAP_BYTES + length)
            break;
        a->base += RH_MODBUS_MBAP_BYTES + length;
        a->scan = a->seen = a->base;
        uint16_t transaction = (uint16_t)(at[0] << 8 | at[1]);
        enum rh_modbus_event event =
            mbap_match(at + RH_MODBUS_MBAP_BYTES, length, transaction, expected, n, ret_frame);
        if (event != RH_MODBUS_MORE)
            return event;
        a->foreign(a->context, at[RH_MODBUS_MBAP_BYTES], RH_MODBUS_MBAP_BYTES + length);
    }
    a->seen = a->len;
    a->scan = a->base;
    return RH_MODBUS_MORE;
}

enum rh_modbus_event rh_modbus_next(struct rh_modbus_assembler *assembler,
                                    const struct rh_modbus_expected *expected, size_t n,
                                    struct rh_modbus_frame *ret_frame)
{
    if (assembler->framing == RH_MODBUS_FRAMING_MBAP)
        return mbap_next(assembler, expected, n, ret_frame);
    return rtu_next(assembler, expected, n, ret_frame);
}

void rh_modbus_finish(struct rh_modbus_assembler *assembler)
{
    if (assembler->framing == RH_MODBUS_FRAMING_RTU)
        tell_apart(assembler, assembler->seen, true);
}

static size_t last_end(const struct rh_modbus_assembler *a)
{
    return a->base > a->foreign_end ? a->base : a->foreign_end;
}

bool rh_modbus_pending(const struct rh_modbus_assembler *assembler)
{
    return assembler->len > last_end(assembler);
}

size_t rh_modbus_begun(const struct rh_modbus_assembler *assembler, const struct rh_modbus_expected *expected)
{
    uint8_t head[HEAD_MAX];
    size_t n_head = head_of(expected, head);
    if (assembler->framing != RH_MODBUS_FRAMING_RTU)
        return 0;
    for (size_t at = last_end(assembler); at + n_head <= assembler->seen; at++) {
        if (memcmp(assembler->bytes + at, head, n_head) == 0)
            return assembler->seen - at;
    }
    return 0;
}
