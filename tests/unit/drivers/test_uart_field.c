/* SPDX-License-Identifier: MIT */
/* Each source and type, on frames that are written out here, with the values that a person reads in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "uart_bench.h"

static void expect(const char *profile, const char *bytes, size_t len, const char *expected)
{
    struct uart_bench bench;
    if (!uart_bench_open(&bench, profile)) {
        rh_report_print(&bench.report, stderr);
        fail();
    }
    uart_decode(&bench, (const uint8_t *)bytes, len, NULL, NULL);
    assert_string_equal(bench.said, expected);
    uart_bench_close(&bench);
}

#define EXPECT(profile, bytes, expected) expect(profile, bytes, sizeof bytes - 1, expected)

static void columns(void **state)
{
    (void)state;
    EXPECT("[profile]\n[points]\na = csv 0 f64\nb = csv 1 s16\nc = csv 2\nd = csv 3 u8\n",
           "1.50,-7, x y ,\r\n2e3,+5,,300\n1\n",
           "0 a 1.5\n0 b -7\n0 c x y\n0 d !na\n1 a 2000.0\n1 b 5\n1 c \n1 d !invalid\n"
           "2 a 1.0\n2 b !invalid\n2 c !invalid\n2 d !invalid\n");
    EXPECT("[profile]\n[points]\na = csv 1 \";\" f64\n", "x;2.25;3\n", "0 a 2.25\n");
    EXPECT("[profile]\n[points]\na = csv 1 \" \" u16\n", "  12    345 6\n", "0 a 345\n");
    EXPECT("[profile]\n[points]\na = csv 1 \"\\t\" u16\n", "1\t\t3\n", "0 a !na\n");
}

static void keys(void **state)
{
    (void)state;
    EXPECT("[profile]\n[points]\nt = key temp f64\nh = key hum u8\nx = key um u8\n",
           "temp=21.5 hum=40\nhum: 41, temp : -3 C\nnothing\n", "0 t 21.5\n0 h 40\n1 t -3.0\n1 h 41\n");
    EXPECT("[profile]\n[points]\na = key Acc \" \" f64\nt = key TotalAcc \" \" f64\n",
           "Acc  0.01 mm, EventAcc  0.02 mm, TotalAcc  1.25 mm\n", "0 a 0.01\n0 t 1.25\n");
}

static void expressions(void **state)
{
    (void)state;
    EXPECT("mt-sics", "S S     100.00 g\r\nS D      -0.25 g\r\nS I\r\nES\r\n",
           "0 weight 100.0\n0 stable yes\n1 weight -0.25\n1 stable no\n");
    EXPECT("[profile]\n[points]\na = regex /T=(-?[0-9.]+)/ f64\nb = regex /H\\d{1,2}/\n", "xT=4.5y\nH77\n",
           "0 a 4.5\n1 b H77\n");
}

static void raw_and_columns_of_characters(void **state)
{
    (void)state;
    EXPECT("[profile]\n[points]\na = raw f64\n", " 12.75 V\r\n12.75V\n1 2\n",
           "0 a 12.75\n1 a !invalid\n2 a !invalid\n");
    EXPECT("[profile]\n[points]\na = cols 2-4 u16\nb = cols 8-20\nc = cols 30-31\n", "AB 42CDEFG\n",
           "0 a 42\n0 b FG\n0 c !invalid\n");
}

static void json(void **state)
{
    (void)state;
    EXPECT("[profile]\n[points]\na = json /t f64\nb = json /s/1/v u8\nc = json /n/x\nd = json /k~1y\n",
           "{\"t\": 21.5, \"s\":[{\"v\":1},{\"v\":2}], \"n\":{\"x\":\"hi\"}, \"k/y\":true}\n"
           "{\"t\":null}\n{\"t\":1}x\n[1\n",
           "0 a 21.5\n0 b 2\n0 c hi\n0 d true\n1 a !na\n2 a !invalid\n2 b !invalid\n2 c !invalid\n2 d "
           "!invalid\n3 a !invalid\n3 b !invalid\n3 c !invalid\n3 d !invalid\n");
}

static void binary(void **state)
{
    (void)state;
    EXPECT(
        "[profile]\nlength = 12\nstart = AA\n[points]\na = bytes 1 u16be\nb = bytes 1 u16le\nc = bytes 3 s8\n"
        "d = bytes 4 f32be\ne = bytes -4 s24le invalid=-1\nf = bytes 1 hex len=3\ng = bytes 8 u8 scale=0.1 "
        "offset=-40\nh = bytes 8 u8 enum=200:hot\n",
        "\xAA\x01\x02\xFE\x41\xBC\x00\x00\xC8\xFF\xFF\xFF",
        "0 a 258\n0 b 513\n0 c -2\n0 d 23.5\n0 e -56\n0 f 0102fe\n0 g -20.0\n0 h hot\n");
}

static void no_value(void **state)
{
    (void)state;
    EXPECT("[profile]\n[points]\na = csv 0 f64 invalid=-999.9,\"---\"\nb = csv 1 invalid=n/a\n",
           "-999.90,n/a\n---,ok\nnan,\n", "0 a !na\n0 b !na\n1 a !na\n1 b ok\n2 a !na\n2 b \n");
}

static void groups_first_match_wins(void **state)
{
    (void)state;
    EXPECT(
        "[profile]\nend = \"\\n\"\n[group A]\nmatch = A?1,\n[group B]\nmatch = \"A\"\n[points]\nx = A csv 1 "
        "u8\ny = B "
        "csv 1 u8\n",
        "AX1,3\nAX2,4\nBX1,5\n", "0 x 3\n1 y 4\n");
}

static void positions(void **state)
{
    (void)state;
    EXPECT("[profile]\n[points]\nlat = csv 0 nmea-latlon\nlon = csv 2 nmea-latlon\n",
           "4807.038,N,01131.000,E\n4807.038,S,01131.000,W\n,,,\n4860.0,N,18100.0,E\n",
           "0 lat 48.1173\n0 lon 11.516666667\n1 lat -48.1173\n1 lon -11.516666667\n2 lat !na\n2 lon !na\n"
           "3 lat !invalid\n3 lon !invalid\n");
}

static void wrong(const char *profile, const char *message)
{
    struct uart_bench bench;
    char *said = NULL;
    size_t len;
    assert_false(uart_bench_open(&bench, profile));
    FILE *out = open_memstream(&said, &len);
    rh_report_print(&bench.report, out);
    fclose(out);
    if (!strstr(said, message))
        fail_msg("\"%s\" is not in:\n%s", message, said);
    free(said);
    uart_bench_close(&bench);
}

static void mistakes_are_found_with_their_line(void **state)
{
    (void)state;
    wrong("[profile]\nend = \\n\n[points]\na = raw\n",
          "own.ini:2:7: error: end = \"\\n\": must be text in quotes");
    wrong("[profile]\nmatch = /(/\n[points]\na = raw\n",
          "own.ini:2:9: error: match = \"/(/\": missing closing");
    wrong("[profile]\nmatch = /x/\n[points]\na = regex y\n",
          "own.ini:4:11: error: match = /x/ has no group (?<y>");
    wrong("[profile]\n[points]\na = regex y\n", "regex y needs match");
    wrong("[profile]\nlength = 9\nchecksum = sum8 over 0..9 at 8\n[points]\na = bytes 0 u8\n",
          "the range of the checksum reaches outside of the frame");
    wrong("[profile]\nlength = 9\n[points]\na = bytes 8 u16be\n",
          "own.ini:4:1: error: point a lies beyond the end");
    wrong("[profile]\nchecksum = crc17\n[points]\na = raw\n", "unknown checksum \"crc17\"");
    wrong("[profile]\nchecksum = sum8 at 8 as u16be\n[points]\na = raw\n", "as u16be: must be");
    wrong("[profile]\n[points]\na = csv x\n", "\"x\": the column must be a number, 0..1000");
    wrong("[profile]\n[points]\na = cvs 1\n", "did you mean \"csv\"?");
    wrong("[profile]\n[points]\na = bytes 1\n", "the type (u8, u16be, …) is missing");
    wrong("[profile]\n[points]\na = csv 1 u16be\n", "unknown type \"u16be\"");
    wrong("[profile]\n[points]\na = raw scale=2\n", "text takes no scale or offset");
    wrong("[profile]\n[points]\na = raw u8 enum=x:y\n", "a code of enum= is no whole number");
    wrong("[profile]\n[group csv]\nmatch = x\n[points]\na = csv csv 1\n", "bears the name of a source");
    wrong("[profile]\n[group g]\n[points]\na = g csv 1\n", "[group g] needs \"match\"");
    wrong("[profile]\nsteps = x\n[points]\na = raw\n", "not built yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),     cmocka_unit_test(keys),
        cmocka_unit_test(expressions), cmocka_unit_test(raw_and_columns_of_characters),
        cmocka_unit_test(json),        cmocka_unit_test(binary),
        cmocka_unit_test(no_value),    cmocka_unit_test(groups_first_match_wins),
        cmocka_unit_test(positions),   cmocka_unit_test(mistakes_are_found_with_their_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
