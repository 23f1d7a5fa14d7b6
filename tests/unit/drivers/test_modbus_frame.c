/* SPDX-License-Identifier: MIT */
/* Frames out of bytes: what is accepted, what is not, and that it does not matter how the bytes are cut up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "drivers/modbus.h"
#include "drivers/modbus_frame.h"

/* What came out, written down: "A0:02 0D.. E1:2 F77 echo desync". */
struct trace {
    struct rh_modbus_assembler assembler;
    char text[4096];
    size_t len;
};

static void note(struct trace *trace, const char *word, unsigned a, unsigned b)
{
    trace->len += (size_t)snprintf(trace->text + trace->len, sizeof trace->text - trace->len, "%s%s%u:%u",
                                   trace->len ? " " : "", word, a, b);
    assert_true(trace->len < sizeof trace->text);
}

static void on_foreign(void *context, uint8_t unit, size_t chars)
{
    note(context, "F", unit, (unsigned)chars);
}

static void begin(struct trace *trace, enum rh_modbus_framing framing)
{
    static const uint8_t request[] = {0x01, 0x03, 0x00, 0x10, 0x00, 0x02};
    uint8_t frame[RH_MODBUS_RTU_MAX];
    memset(trace, 0, sizeof *trace);
    rh_modbus_assembler_init(&trace->assembler, framing, on_foreign, trace);
    rh_modbus_assembler_begin(&trace->assembler, frame,
                              rh_modbus_rtu_request(request, sizeof request, frame));
}

static void feed(struct trace *trace, const struct rh_modbus_expected *expected, size_t n,
                 const uint8_t *bytes, size_t len)
{
    rh_modbus_feed(&trace->assembler, bytes, len);
    for (;;) {
        struct rh_modbus_frame frame;
        switch (rh_modbus_next(&trace->assembler, expected, n, &frame)) {
        case RH_MODBUS_MORE:
            return;
        case RH_MODBUS_DESYNC:
            note(trace, "desync", 0, 0);
            return;
        case RH_MODBUS_ECHO:
            note(trace, "echo", 0, 0);
            break;
        case RH_MODBUS_ANSWER:
            assert_int_equal(frame.data_bytes,
                             expected[frame.which].write ? 4 : expected[frame.which].data_bytes);
            note(trace, "A", (unsigned)frame.which, frame.data[0]);
            break;
        case RH_MODBUS_EXCEPTION:
            note(trace, "E", (unsigned)frame.which, frame.exception);
            break;
        }
    }
}

static const struct rh_modbus_expected expected[] = {
    {.transaction = 7, .unit = 1, .function = 3, .data_bytes = 4},
    {.transaction = 5, .unit = 2, .function = 3, .data_bytes = 4},
    {.transaction = 6, .unit = 2, .function = 1, .data_bytes = 1},
};

static size_t with_crc(uint8_t *frame, size_t len)
{
    uint16_t crc = rh_modbus_crc(frame, len);
    frame[len] = (uint8_t)crc;
    frame[len + 1] = (uint8_t)(crc >> 8);
    return len + 2;
}

/* "01 03 04 …" with "crc" for the CRC since the last blank "|". */
static size_t bytes_of(const char *text, uint8_t *bytes)
{
    size_t len = 0, start = 0;
    while (*text) {
        if (*text == ' ' || *text == '|') {
            start = *text == '|' ? len : start;
            text++;
        } else if (strncmp(text, "crc", 3) == 0) {
            len = start + with_crc(bytes + start, len - start);
            text += 3;
        } else {
            bytes[len++] = (uint8_t)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
            text += 2;
        }
    }
    return len;
}

static void expect(enum rh_modbus_framing framing, const char *text, const char *out)
{
    uint8_t bytes[RH_MODBUS_FEED_MAX];
    size_t len = bytes_of(text, bytes);
    struct trace whole, single;
    begin(&whole, framing);
    feed(&whole, expected, RH_COUNT(expected), bytes, len);
    rh_modbus_finish(&whole.assembler);
    assert_string_equal(whole.text, out);
    begin(&single, framing);
    for (size_t i = 0; i < len; i++)
        feed(&single, expected, RH_COUNT(expected), bytes + i, 1);
    rh_modbus_finish(&single.assembler);
    assert_string_equal(single.text, out);
    assert_int_equal(single.assembler.garbage, whole.assembler.garbage);
}

/* From the specification of the serial line and well-known device manuals. */
static void test_crc(void **state)
{
    (void)state;
    assert_int_equal(rh_modbus_crc((const uint8_t *)"123456789", 9), 0x4B37);
    static const uint8_t senseair[] = {0xFE, 0x04, 0x00, 0x00, 0x00, 0x04, 0xE5, 0xC6};
    uint8_t frame[RH_MODBUS_RTU_MAX];
    assert_int_equal(rh_modbus_rtu_request(senseair, 6, frame), 8);
    assert_memory_equal(frame, senseair, 8);
    const struct rh_block block = {.unit = 17, .function = 3, .address = 0x6B, .length = 3};
    uint8_t request[6];
    assert_int_equal(rh_modbus_read_request(&block, request), 6);
    assert_memory_equal(request, "\x11\x03\x00\x6B\x00\x03", 6);
    uint8_t tcp[RH_MODBUS_TCP_MAX];
    assert_int_equal(rh_modbus_tcp_request(request, 6, 0x1501, tcp), 12);
    assert_memory_equal(tcp, "\x15\x01\x00\x00\x00\x06\x11\x03\x00\x6B\x00\x03", 12);
}

static void test_rtu(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"|01 03 04 AA 00 00 01 crc", "A0:170"},
        {"|01 83 02 crc", "E0:2"},
        {"|02 01 01 05 crc", "A2:5"},
        /* noise before and behind, even noise that looks like a head */
        {"00 FF 00 |01 03 04 BB 00 00 01 crc FF", "A0:187"},
        {"01 03 |01 03 04 BB 00 00 01 crc", "A0:187"},
        {"01 03 04 01 03 04 |01 03 04 BB 00 00 01 crc", "A0:187"},
        {"05 03 FA |01 03 04 BB 00 00 01 crc", "A0:187"},
        /* the echo, and the echo behind noise */
        {"|01 03 00 10 00 02 crc |01 03 04 CC 00 00 01 crc", "echo0:0 A0:204"},
        {"FF |01 03 00 10 00 02 crc 00 |01 03 04 CC 00 00 01 crc", "echo0:0 A0:204"},
        /* a second copy is another master's request */
        {"|01 03 00 10 00 02 crc |01 03 00 10 00 02 crc", "echo0:0 F1:8"},
        /* others: another unit, function, length, an exception, a write */
        {"|09 03 04 CC 00 00 01 crc |01 03 04 DD 00 00 01 crc", "F9:9 A0:221"},
        {"|01 04 04 CC 00 00 01 crc", "F1:9"},
        {"|01 03 02 CC 00 crc", "F1:7"},
        {"|09 83 02 crc |01 10 00 00 00 01 02 12 34 crc", "F9:5 F1:11"},
        {"|09 06 00 01 00 02 crc", "F9:8"},
        /* two answers that are open, in either order */
        {"|02 03 04 EE 00 00 01 crc |01 03 04 AA 00 00 01 crc", "A1:238 A0:170"},
        {"|01 03 04 AA 00 00 01 crc |02 03 04 EE 00 00 01 crc", "A0:170 A1:238"},
        /* damaged, and right behind it */
        {"|01 03 04 AA 00 00 01 12 34", ""},
        {"|01 03 04 AA 00 00 01 12 34 |01 03 04 AB 00 00 01 crc", "A0:171"},
        {"|01 03 04 AA 00", ""},
        /* data that looks like a refusal inside an answer */
        {"|01 03 04 01 83 02 C0 crc", "A0:1"},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++)
        expect(RH_MODBUS_FRAMING_RTU, rows[i].in, rows[i].out);
}

/* A whole valid refusal inside the data of an answer is data. */
static void test_refusal_inside_data(void **state)
{
    (void)state;
    const struct rh_modbus_expected wide = {.unit = 1, .function = 3, .data_bytes = 8};
    uint8_t bytes[64];
    size_t len = bytes_of("|01 03 08 07", bytes);
    len += bytes_of("|01 83 02 crc", bytes + len);
    bytes[len++] = 0;
    bytes[len++] = 1;
    len = with_crc(bytes, len);
    struct trace trace;
    begin(&trace, RH_MODBUS_FRAMING_RTU);
    feed(&trace, &wide, 1, bytes, len);
    assert_string_equal(trace.text, "A0:7");
}

/* The first seven bytes of this request are a valid answer to it, with the value 0xB000. */
static void test_echo_that_looks_like_an_answer(void **state)
{
    (void)state;
    static const uint8_t request[] = {0x04, 0x03, 0x02, 0xB0, 0x00, 0x01, 0x84, 0x00};
    const struct rh_modbus_expected one = {.unit = 4, .function = 3, .data_bytes = 2};
    uint8_t bytes[16];
    assert_int_equal(with_crc(memcpy(bytes, request, 8), 5), 7);
    assert_memory_equal(bytes, request, 7);
    struct trace trace;
    begin(&trace, RH_MODBUS_FRAMING_RTU);
    rh_modbus_assembler_begin(&trace.assembler, request, sizeof request);
    for (size_t i = 0; i < sizeof request; i++)
        feed(&trace, &one, 1, &request[i], 1);
    feed(&trace, &one, 1, bytes, bytes_of("|04 03 02 12 34 crc", bytes));
    assert_string_equal(trace.text, "echo0:0 A0:18");
}

static void test_mbap(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"00 07 00 00 00 07 01 03 04 AA 00 00 01", "A0:170"},
        {"00 07 00 00 00 03 01 83 02", "E0:2"},
        {"00 05 00 00 00 07 02 03 04 EE 00 00 01 00 07 00 00 00 07 01 03 04 AA 00 00 01", "A1:238 A0:170"},
        {"00 08 00 00 00 07 01 03 04 AA 00 00 01", "F1:13"}, /* id */
        {"00 07 00 00 00 07 02 03 04 AA 00 00 01", "F2:13"}, /* unit */
        {"00 07 00 00 00 07 01 04 04 AA 00 00 01", "F1:13"}, /* function */
        {"00 07 00 00 00 05 01 03 02 AA 00", "F1:11"},       /* byte count */
        {"00 07 00 00 00 08 01 03 04 AA 00 00 01 00", "F1:14"},
        {"00 07 00 00 00 02 01 83", "F1:8"},
        {"00 07 00 01 00 07 01 03 04 AA 00 00 01", "desync0:0"},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        uint8_t bytes[64];
        struct trace trace;
        begin(&trace, RH_MODBUS_FRAMING_MBAP);
        feed(&trace, expected, RH_COUNT(expected), bytes, bytes_of(rows[i].in, bytes));
        assert_string_equal(trace.text, rows[i].out);
        if (i + 1 < RH_COUNT(rows))
            expect(RH_MODBUS_FRAMING_MBAP, rows[i].in, rows[i].out);
    }
    expect(RH_MODBUS_FRAMING_MBAP, "00 07 00 00 00 FF", "desync0:0");
    expect(RH_MODBUS_FRAMING_MBAP, "00 07 00 00 00 01", "desync0:0");
}

static void test_begun(void **state)
{
    (void)state;
    struct trace trace;
    uint8_t bytes[64];
    begin(&trace, RH_MODBUS_FRAMING_RTU);
    feed(&trace, expected, 1, bytes, bytes_of("FF 01 03", bytes));
    assert_int_equal(rh_modbus_begun(&trace.assembler, &expected[0]), 0);
    feed(&trace, expected, 1, bytes, bytes_of("04 AA", bytes));
    assert_int_equal(rh_modbus_begun(&trace.assembler, &expected[0]), 4);
    feed(&trace, expected, 1, bytes, bytes_of("00 00 01 12 34", bytes));
    assert_int_equal(rh_modbus_begun(&trace.assembler, &expected[0]), 9);
    assert_int_equal(rh_modbus_begun(&trace.assembler, &expected[1]), 0);
    /* Inside a frame of others it is none. */
    begin(&trace, RH_MODBUS_FRAMING_RTU);
    feed(&trace, expected, 1, bytes, bytes_of("|09 03 06 01 03 04 00 00 01 crc", bytes));
    assert_string_equal(trace.text, "F9:11");
    assert_int_equal(rh_modbus_begun(&trace.assembler, &expected[0]), 0);
}

/* Many frames and much noise, longer than the window, in random pieces: always the same. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static uint8_t bytes[6000];
    static struct trace single, cut;
    unsigned seed = (unsigned)rh_mono_us();
    print_message("seed %u\n", seed);
    for (unsigned round = 0; round < 30; round++) {
        size_t len = 0;
        while (len < sizeof bytes - 300) {
            uint8_t *at = bytes + len;
            int kind = rand_r(&seed) % 4;
            size_t n = (size_t)(rand_r(&seed) % 300);
            if (kind == 0) {
                for (size_t i = 0; i < n; i++)
                    at[i] = (uint8_t)(rand_r(&seed) % 3 ? rand_r(&seed) % 6 : rand_r(&seed));
                len += n;
            } else if (kind == 1) {
                n = n % 125;
                at[0] = (uint8_t)(rand_r(&seed) % 9), at[1] = 3, at[2] = (uint8_t)(2 * n);
                len += with_crc(at, 3 + 2 * n);
            } else {
                len += bytes_of(kind == 2 ? "|01 03 04 AA 00 00 01 crc" : "|02 03 04 EE 00 00 01 crc", at);
            }
        }
        begin(&single, RH_MODBUS_FRAMING_RTU);
        for (size_t i = 0; i < len; i++)
            feed(&single, expected, RH_COUNT(expected), bytes + i, 1);
        begin(&cut, RH_MODBUS_FRAMING_RTU);
        for (size_t i = 0, n; i < len; i += n) {
            n = 1 + (size_t)rand_r(&seed) % RH_MODBUS_FEED_MAX;
            n = n > len - i ? len - i : n;
            feed(&cut, expected, RH_COUNT(expected), bytes + i, n);
        }
        assert_string_equal(single.text, cut.text);
        assert_int_equal(single.assembler.garbage, cut.assembler.garbage);
        assert_true(single.len > 20);
    }
}

/* Answers to writes: all that was written must come back. The first copy of a request that may echo is its
 * echo; where no echo is awaited it is the answer. */
static void test_written(void **state)
{
    (void)state;
    static const struct rh_modbus_expected one = {
        .transaction = 7, .unit = 1, .function = 6, .write = true, .written = {0x00, 0x01, 0x00, 0x03}};
    static const struct {
        const char *in, *with_echo, *without;
    } rows[] = {
        {"|01 06 00 01 00 03 crc", "echo0:0", "A0:0"},
        {"|01 06 00 01 00 03 crc |01 06 00 01 00 03 crc", "echo0:0 A0:0", "A0:0 A0:0"},
        {"FF |01 06 00 01 00 03 crc 00 |01 86 03 crc", "echo0:0 E0:3", "A0:0 E0:3"},
        {"|01 06 00 02 00 03 crc", "F1:8", "F1:8"},
        {"|01 06 00 01 00 04 crc", "F1:8", "F1:8"},
        {"|02 06 00 01 00 03 crc", "F2:8", "F2:8"},
        {"|01 05 00 01 00 03 crc", "F1:8", "F1:8"},
        {"01 06 00 01 00 03 00 00", "", ""},
    };
    for (size_t i = 0; i < 2 * RH_COUNT(rows); i++) {
        uint8_t bytes[64], frame[RH_MODBUS_RTU_MAX];
        size_t len = bytes_of("|01 06 00 01 00 03 crc", frame);
        struct trace trace;
        begin(&trace, RH_MODBUS_FRAMING_RTU);
        rh_modbus_assembler_begin(&trace.assembler, frame, i % 2 == 0 ? len : 0);
        feed(&trace, &one, 1, bytes, bytes_of(rows[i / 2].in, bytes));
        rh_modbus_finish(&trace.assembler);
        assert_string_equal(trace.text, i % 2 == 0 ? rows[i / 2].with_echo : rows[i / 2].without);
    }
    struct trace trace;
    uint8_t bytes[64];
    begin(&trace, RH_MODBUS_FRAMING_RTU);
    feed(&trace, &one, 1, bytes, bytes_of("FF 01 06 00 01 00", bytes));
    assert_int_equal(rh_modbus_begun(&trace.assembler, &one), 0);
    feed(&trace, &one, 1, bytes, bytes_of("03 12", bytes));
    assert_int_equal(rh_modbus_begun(&trace.assembler, &one), 7);
    assert_true(rh_modbus_pending(&trace.assembler));
    begin(&trace, RH_MODBUS_FRAMING_MBAP);
    feed(&trace, &one, 1, bytes, bytes_of("00 07 00 00 00 06 01 06 00 01 00 04", bytes));
    feed(&trace, &one, 1, bytes, bytes_of("00 07 00 00 00 07 01 06 00 01 00 03 00", bytes));
    feed(&trace, &one, 1, bytes, bytes_of("00 07 00 00 00 06 01 06 00 01 00 03", bytes));
    assert_string_equal(trace.text, "F1:12 F1:13 A0:0");
    assert_false(rh_modbus_pending(&trace.assembler));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_rtu),
        cmocka_unit_test(test_refusal_inside_data),
        cmocka_unit_test(test_echo_that_looks_like_an_answer),
        cmocka_unit_test(test_mbap),
        cmocka_unit_test(test_begun),
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
