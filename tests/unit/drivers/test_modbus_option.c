/* SPDX-License-Identifier: MIT */
/* Options of Modbus lines and devices: defaults, bounds, what is wrong with them, and what makes a line
 * unique. Opens no port. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/modbus.h"

static struct rh_report report;
static struct rh_arena *arena;
static struct rh_modbus_line line_options;
static const struct rh_driver_schema rtu = {.name = "modbus-rtu"}, tcp = {.name = "modbus-tcp"};
static struct rh_line_conf line;

static int setup(void **state)
{
    (void)state;
    rh_report_init(&report);
    arena = rh_arena_new();
    line_options = (struct rh_modbus_line){0};
    line = (struct rh_line_conf){
        .name = "a", .schema = &rtu, .options = &line_options, .place = {"f.ini", 4, 1}};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rh_report_fini(&report);
    rh_arena_free(arena);
    return 0;
}

static bool set(const struct rh_option_table *table, void *object, const char *key, const char *text)
{
    struct rh_option_value value = {.key = key,
                                    .text = text,
                                    .len = strlen(text),
                                    .place = {"f.ini", 5, 9},
                                    .arena = arena,
                                    .report = &report};
    const struct rh_option *row = rh_option_find(table, key);
    assert_non_null(row);
    return rh_option_set(row, object, &value);
}

static bool set_line(const char *key, const char *text)
{
    return set(key[0] == 'h' ? &rh_modbus_tcp_line_options : &rh_modbus_rtu_line_options, &line_options, key,
               text);
}

static const struct rh_message *last(void)
{
    assert_true(report.n > 0);
    return &report.messages[report.n - 1];
}

static void defaults(void **state)
{
    struct rh_modbus_device device = {0};
    (void)state;
    rh_option_defaults(&rh_modbus_rtu_line_options, &line_options, arena);
    assert_int_equal(line_options.baud, 19200);
    assert_int_equal(line_options.data_bits, 8);
    assert_int_equal(line_options.parity, 'E');
    assert_int_equal(line_options.stop_bits, 1);
    assert_int_equal(line_options.timeout_ms, 500);
    rh_option_defaults(&rh_modbus_device_options, &device, arena);
    assert_int_equal(device.turnaround_ms, 5);
    assert_int_equal(device.max_read, 125);
    assert_int_equal(device.base, 0);
    assert_int_equal(device.write_fc, RH_MODBUS_WRITE_FC_AUTO);
    assert_true(set(&rh_modbus_device_options, &device, "write_fc", "16"));
    assert_int_equal(device.write_fc, RH_MODBUS_WRITE_FC_16);
    assert_false(set(&rh_modbus_device_options, &device, "write_fc", "6"));
}

static void required_options(void **state)
{
    (void)state;
    assert_true(rh_option_find(&rh_modbus_rtu_line_options, "port")->flags & RH_OPTION_REQUIRED);
    assert_true(rh_option_find(&rh_modbus_tcp_line_options, "host")->flags & RH_OPTION_REQUIRED);
    assert_true(rh_option_find(&rh_modbus_rtu_tcp_line_options, "host")->flags & RH_OPTION_REQUIRED);
    assert_non_null(rh_option_find(&rh_modbus_rtu_tcp_line_options, "baud"));
    assert_null(rh_option_find(&rh_modbus_tcp_line_options, "baud"));
    assert_null(rh_option_find(&rh_modbus_tcp_line_options, "port"));
}

static void modes(void **state)
{
    (void)state;
    assert_true(set_line("mode", "8N2"));
    assert_int_equal(line_options.parity, 'N');
    assert_int_equal(line_options.stop_bits, 2);
    assert_true(set_line("mode", "8O1"));
    assert_int_equal(line_options.parity, 'O');
    assert_int_equal(report.n, 0);
    assert_false(set_line("mode", "7E1"));
    assert_string_equal(last()->suggestion, "8E1");
    assert_non_null(strstr(last()->message, "8 data bits"));
    assert_int_equal(last()->place.column, 9);
    assert_false(set_line("mode", "8n1"));
    assert_string_equal(last()->suggestion, "8N1");
    static const char *const wrong[] = {"", "8", "8N", "8N3", "8N11", "6N1", "8X1", "N81", "8 1"};
    for (size_t i = 0; i < RH_COUNT(wrong); i++)
        assert_false(set_line("mode", wrong[i]));
    assert_int_equal(line_options.parity, 'O');
}

static void rates_and_times(void **state)
{
    static const char *const rates[] = {"0", "12", "49", "4000001", "-9600", "9600.5", "fast"};
    struct rh_modbus_device device = {0};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rates); i++)
        assert_false(set_line("baud", rates[i]));
    assert_true(set_line("baud", "50") && set_line("baud", "250000") && set_line("baud", "4000000"));
    assert_true(set_line("timeout", "1ms") && set_line("timeout", "60s"));
    assert_false(set_line("timeout", "0ms") || set_line("timeout", "61s") || set_line("timeout", "500"));
    assert_true(set(&rh_modbus_device_options, &device, "turnaround", "0ms"));
    assert_false(set(&rh_modbus_device_options, &device, "turnaround", "11s"));
    assert_true(set(&rh_modbus_device_options, &device, "max_read", "1"));
    assert_false(set(&rh_modbus_device_options, &device, "max_read", "126"));
    assert_false(set(&rh_modbus_device_options, &device, "max_read", "0"));
    assert_true(set(&rh_modbus_device_options, &device, "base", "1"));
    assert_false(set(&rh_modbus_device_options, &device, "base", "2"));
}

static void ports(void **state)
{
    static const char *const right[] = {"/dev/ttyUSB0", "usb:0403:6001", "usb:0403:6001:B1", "./pty"};
    static const char *const wrong[] = {
        "", "usb:", "usb:0403", "usb:0403:6001:", "usb:04030:6001", "usb:g403:6001"};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(right); i++)
        assert_true(set_line("port", right[i]));
    assert_string_equal(line_options.port, "./pty");
    for (size_t i = 0; i < RH_COUNT(wrong); i++)
        assert_false(set_line("port", wrong[i]));
    assert_false(set_line("port", "ttyUSB0"));
    assert_string_equal(last()->suggestion, "/dev/ttyUSB0");
}

static void hosts(void **state)
{
    static const char *const right[] = {"plc", "plc:502", "10.0.0.7:1502", "[fe80::1]:502", "[::1]"};
    static const char *const wrong[] = {"",        ":502",     "plc:", "plc:0",         "plc:65536",
                                        "plc:abc", "[fe80::1", "p lc", "tcp://plc:502", "[::1]x"};
    (void)state;
    for (size_t i = 0; i < RH_COUNT(right); i++)
        assert_true(set_line("host", right[i]));
    for (size_t i = 0; i < RH_COUNT(wrong); i++)
        if (set_line("host", wrong[i]))
            fail_msg("\"%s\" was taken", wrong[i]);
}

static bool unit(bool serial, const char *text, struct rh_modbus_device *device)
{
    struct rh_device_conf conf = {.name = "d", .options = device};
    struct rh_word word = {.text = text, .len = strlen(text), .place = {"f.ini", 6, 13}};
    struct rh_parse_context context = {arena, &report};
    bool right = serial ? rh_modbus_parse_address(&word, &conf, &context)
                        : rh_modbus_parse_tcp_address(&word, &conf, &context);
    assert_true(right || last()->place.column == 13);
    return right;
}

static void units(void **state)
{
    struct rh_modbus_device device = {0};
    (void)state;
    assert_true(unit(true, "1", &device) && device.unit == 1);
    assert_true(unit(true, "0xFE", &device) && device.unit == 254);
    assert_true(unit(false, "0", &device) && device.unit == 0);
    assert_true(unit(false, "255", &device) && device.unit == 255);
    assert_false(unit(true, "0", &device));
    assert_non_null(strstr(last()->message, "broadcast"));
    assert_false(unit(true, "256", &device) || unit(false, "-1", &device) || unit(false, "-", &device) ||
                 unit(true, "", &device) || unit(true, "one", &device));
}

static bool check(void)
{
    struct rh_parse_context context = {arena, &report};
    return line.schema == &rtu ? rh_modbus_check_serial_line(&line, &context)
                               : rh_modbus_check_socket_line(&line, &context);
}

static void ports_that_are_not_there(void **state)
{
    (void)state;
    line_options.port = "/dev/no-such-port";
    assert_true(check());
    assert_int_equal(report.n, 1);
    assert_int_equal(report.n_errors, 0);
    assert_int_equal(last()->place.line, 4);
    line_options.port = "/";
    assert_false(check());
    assert_int_equal(report.n_errors, 1);
    line_options.port = "usb:0403:6001";
    assert_true(check());
    line_options.port = "/dev/null"; /* a character device: the rest is found when it is opened */
    assert_true(check());
    assert_int_equal(report.n, 2);
}

static void identities_of_sockets(void **state)
{
    static const char *const rows[][2] = {{"PLC", "plc:502"},
                                          {"plc:502", "plc:502"},
                                          {"10.0.0.7:1502", "10.0.0.7:1502"},
                                          {"[FE80::1]", "fe80::1:502"}};
    (void)state;
    line.schema = &tcp;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        line_options.host = rows[i][0];
        assert_string_equal(rh_modbus_line_identity(&line), rows[i][1]);
    }
    assert_true(check());
}

static void identities_of_ports(void **state)
{
    char folder[] = "/tmp/rh-port-XXXXXX", link[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s/by-id", folder);
    assert_int_equal(symlink("/dev/null", link), 0);
    line_options.port = link;
    assert_string_equal(rh_modbus_line_identity(&line), "/dev/null");
    unlink(link);
    assert_string_equal(rh_modbus_line_identity(&line), link);
    rmdir(folder);
    line_options.port = "usb:0403:60AB:Bx1";
    assert_string_equal(rh_modbus_line_identity(&line), "usb:0403:60ab:Bx1");
    line_options.port = NULL;
    assert_string_equal(rh_modbus_line_identity(&line), "");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(defaults),
        CASE(required_options),
        CASE(modes),
        CASE(rates_and_times),
        CASE(ports),
        CASE(hosts),
        CASE(units),
        CASE(ports_that_are_not_there),
        CASE(identities_of_sockets),
        CASE(identities_of_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
