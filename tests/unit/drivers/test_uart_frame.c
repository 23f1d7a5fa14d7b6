/* SPDX-License-Identifier: MIT */
/* Framing, key by key, and the resync rule: each is seen through a profile and the text of its frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/uart_checksum.h"
#include "tests/unit/random.h"
#include "uart_bench.h"

/* What comes out, and how many frames were bad. */
static void expect(const char *keys, const char *bytes, size_t len, const char *expected, uint64_t bad)
{
    struct uart_bench bench;
    char profile[512];
    snprintf(profile, sizeof profile, "[profile]\n%s[points]\nv = raw\n", keys);
    if (!uart_bench_open(&bench, profile)) {
        rh_report_print(&bench.report, stderr);
        fail();
    }
    uart_decode(&bench, (const uint8_t *)bytes, len, NULL, NULL);
    assert_string_equal(bench.said, expected);
    assert_int_equal(bench.counts.bad, bad);
    uart_bench_close(&bench);
}

#define EXPECT(keys, bytes, expected, bad) expect(keys, bytes, sizeof bytes - 1, expected, bad)

static void end_marks(void **state)
{
    (void)state;
    EXPECT("", "a\r\nb\n\n\r\nc", "0 v a\n1 v b\n2 v \n", 1);
    EXPECT("end = \"\\r\\n\"\n", "a\r\nb\nc\r\n", "0 v a\n1 v b\nc\n", 0);
    EXPECT("end = 3B\n", "a;b;", "0 v a\n1 v b\n", 0);
}

static void start_marks(void **state)
{
    (void)state;
    EXPECT("start = \"$\"\n", "xx$a\n$b\nyy\n", "0 v $a\n1 v $b\n", 1);
    EXPECT("start = \"$\", \"!\"\n", "!a\nx$b\n", "0 v !a\n1 v $b\n", 0);
    EXPECT("start = 02\nend = 03\n",
           "\x02"
           "a\x03z\x02"
           "b\x03",
           "0 v \x02"
           "a\n1 v \x02"
           "b\n",
           0);
}

static void lengths(void **state)
{
    (void)state;
    EXPECT("length = 3\n", "abcdefgh", "0 v abc\n1 v def\n", 1);
    EXPECT("start = \"<\"\nlength = u8@1+2\n",
           "<\x03"
           "abc<\x01z",
           "0 v <\x03"
           "abc\n1 v <\x01z\n",
           0);
    EXPECT("start = \"<\"\nlength = u16be@1+3\n", "<0<\x00\x01z", "0 v !invalid\n", 1); /* a NUL: no text */
    EXPECT("start = \"<\"\nlength = 4\nend = \">\"\n", "<ab>x<abc<de>", "0 v <ab\n1 v <de\n", 1);
}

static void trailers(void **state)
{
    (void)state;
    EXPECT("end = \"!\"\ntrailer = 2\n", "ab!12cd!34", "0 v ab\n1 v cd\n", 0);
    EXPECT("end = \"!\"\ntrailer = line\n", "ab!1\r\ncd!\n", "0 v ab\n1 v cd\n", 0);
}

static void overlong_lines_are_no_lines(void **state)
{
    (void)state;
    EXPECT("max = 5\n", "abcdefghij\nok\nabcd\nabcde\nz\n", "0 v ok\n1 v abcd\n2 v z\n", 2);
    EXPECT("max = 5\nstart = \"$\"\n", "$abcdefgh$ok\n", "0 v $ok\n", 1);
}

static void strip_and_decode(void **state)
{
    (void)state;
    EXPECT("strip = /:[0-9A-F]+\\n/\n", "ab:12F\nc\n:x\n", "0 v abc\n1 v :x\n", 0);
    EXPECT("start = 02\nend = 03\ndecode = hex\nchecksum = xor8\n",
           "\x02"
           "414243 \x03\x02"
           "414201\x03\x02"
           "414203\x03",
           "0 v AB\x03\n", 2);
    EXPECT("decode = iec\n", "\xE1\x62\x0A", "0 v ab\n", 0);
}

static void checksums(void **state)
{
    (void)state;
    EXPECT("checksum = nmea\nstart = \"$\"\n", "$A*41\n$A*42\n$A*\n$a*61\r\n", "0 v $A\n1 v $a\n", 2);
    EXPECT("checksum = xor8 over 0..-5 at -3 as hex2\n", "AB*03\nAB*04\n", "0 v AB*03\n", 1);
    EXPECT("checksum = sum16 over 0..1 at 2 as u16le\nlength = 4\n", "ab\xC3\x00", "0 v !invalid\n", 0);
    EXPECT("checksum = zero-sum8\nlength = 2\n", "a\x9F", "0 v !invalid\n", 0);
}

static void crcs_have_their_check_values(void **state)
{
    static const struct {
        const char *definition;
        const char *hex; /* behind "123456789" */
    } rows[] = {{"crc16-modbus as u16be", "4B37"},
                {"crc16-arc as u16be", "BB3D"},
                {"crc16-x25 as u16be", "906E"},
                {"crc16-kermit as u16be", "2189"},
                {"crc16-xmodem", "31C3"},
                {"crc16-ccitt-false", "29B1"},
                {"crc8", "F4"},
                {"crc32", "CBF43926"},
                {"crc16-modbus", "374B"},
                {"crc:16,0x1021,0xFFFF,no,no,0", "29B1"},
                {"crc:16,0x8005,0,yes,yes,0 as u16le", "3DBB"},
                {"crc:8,0x31,0,yes,yes,0", "A1"},
                {"crc:32,0x04C11DB7,0xFFFFFFFF,false,false,0xFFFFFFFF", "FC891918"}};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct uart_bench bench;
        char profile[256], bytes[32] = "123456789";
        size_t n = 9;
        unsigned byte;
        for (const char *at = rows[i].hex; sscanf(at, "%2x", &byte) == 1; at += 2)
            bytes[n++] = (char)byte;
        snprintf(profile, sizeof profile, "[profile]\nlength = %zu\nchecksum = %s\n[points]\nv = cols 0-8\n",
                 n, rows[i].definition);
        assert_true(uart_bench_open(&bench, profile));
        uart_decode(&bench, (const uint8_t *)bytes, n, NULL, NULL);
        if (strcmp(bench.said, "0 v 123456789\n") != 0)
            fail_msg("%s", rows[i].definition);
        uart_bench_close(&bench);
    }
}

/* SDI-12 1.4, section 4.4.12: the response 0+3.14OqZ. */
static void crc_of_sdi12(void **state)
{
    struct uart_bench bench;
    (void)state;
    assert_true(uart_bench_open(&bench,
                                "[profile]\nend = \"\\r\\n\"\nchecksum = crc16-sdi12 over 0..-6 at -5\n"
                                "[points]\nv = cols 0-5\n"));
    uart_decode_text(&bench, "0+3.14OqZ\r\n0+3.15OqZ\r\n");
    assert_string_equal(bench.said, "0 v 0+3.14\n");
    uart_bench_close(&bench);
}

static size_t some(void *seed)
{
    return 1 + random_below(seed, 9);
}

/* Whatever comes before it, a valid frame is found; and however the bytes are cut, the same frames. */
static void a_frame_is_found_behind_any_garbage(void **state)
{
    struct uart_bench bench;
    uint64_t seed = random_seed("garbage");
    (void)state;
    assert_true(uart_bench_open(&bench, "[profile]\nstart = \"$G\"\nend = \"\\n\"\nmax = 64\nchecksum = "
                                        "crc32 over 0..-6 at -5\n[points]\nv = cols 2-4\n"));
    for (int round = 0; round < 3000; round++) {
        static const char alphabet[] = "$G\n*ab";
        char bytes[512];
        size_t n = random_below(&seed, 300), len = n;
        struct rh_uart_crc crc = {0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, true, true};
        for (size_t i = 0; i < n; i++)
            bytes[i] = alphabet[random_below(&seed, sizeof alphabet - 1)];
        memcpy(bytes + len, "$Gxyz", 5);
        uint32_t sum = rh_uart_crc(&crc, 32, (const uint8_t *)bytes + len, 5);
        len += 5;
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes[len++] = (char)(sum >> shift);
        if (memchr(bytes + len - 4, '\n', 4))
            continue;
        bytes[len++] = '\n';
        memcpy(bytes + len, "zzz\n", 4);
        len += 4;
        uart_decode(&bench, (const uint8_t *)bytes, len, some, &seed);
        assert_string_equal(bench.said, "0 v xyz\n");
    }
    uart_bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(end_marks),
                                       cmocka_unit_test(start_marks),
                                       cmocka_unit_test(lengths),
                                       cmocka_unit_test(trailers),
                                       cmocka_unit_test(overlong_lines_are_no_lines),
                                       cmocka_unit_test(strip_and_decode),
                                       cmocka_unit_test(checksums),
                                       cmocka_unit_test(crcs_have_their_check_values),
                                       cmocka_unit_test(crc_of_sdi12),
                                       cmocka_unit_test(a_frame_is_found_behind_any_garbage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
