/* SPDX-License-Identifier: MIT */
/* Ports: opened alone and as configured, refused with the reason, lost and found again. */
#include "modbus_bench.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "drivers/line.h"

#define ms 1000

static const struct rh_serial usual = {.baud = 9600, .data_bits = 8, .stop_bits = 1, .parity = 'N'};

/* Opens `port`, expects `error` and `words` in the message. */
static void refused(const char *port, int error, const char *words)
{
    struct rh_line line;
    struct rh_serial serial = usual;
    char why[256] = "";
    serial.port = port;
    rh_line_init(&line);
    int got = rh_line_open_serial(&line, &serial, why, sizeof why);
    print_message("%s\n", why);
    assert_int_equal(got, error);
    assert_non_null(strstr(why, words));
    assert_int_equal(line.fd, -1);
    rh_line_fini(&line);
}

static void test_what_is_no_port(void **state)
{
    (void)state;
    char folder[] = "/tmp/railhead-line-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/port", folder);
    refused(path, -ENOENT, "is the adapter plugged in?");
    assert_int_equal(symlink("/dev/ttyRailheadNone", path), 0);
    refused(path, -ENOENT, path);
    unlink(path);
    close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    refused(path, -ENOTTY, "not a tty");
    unlink(path);
    rmdir(folder);
    refused("/dev/null", -ENOTTY, "/dev/null is not a serial port");
    refused("usb:ffff:fffe:none", -ENOENT, "no adapter usb:ffff:fffe:none");
    refused("usb:12", -EINVAL, "usb:VID:PID");
}

static void test_a_port_in_use(void **state)
{
    (void)state;
    int master, tty;
    char name[64], why[256];
    struct rh_line line;
    struct rh_serial serial = usual;
    assert_int_equal(openpty(&master, &tty, name, NULL, NULL), 0);
    serial.port = name;
    rh_line_init(&line);
    assert_int_equal(rh_line_open_serial(&line, &serial, why, sizeof why), 0);
    refused(name, -EBUSY, "in use");
    rh_line_close(&line);
    assert_int_equal(rh_line_open_serial(&line, &serial, why, sizeof why), 0);
    rh_line_fini(&line);
    assert_int_equal(ioctl(tty, TIOCEXCL), 0);
    refused(name, -EBUSY, "in use by another program");
    assert_int_equal(ioctl(tty, TIOCNXCL), 0);
    assert_int_equal(flock(tty, LOCK_EX | LOCK_NB), 0);
    refused(name, -EBUSY, "holds its lock");
    close(tty);
    close(master);
}

static void test_console(void **state)
{
    (void)state;
    assert_true(rh_line_is_console("tty0 ttyS0\n", "/dev/ttyS0"));
    assert_true(rh_line_is_console("ttyAMA0\n", "/dev/ttyAMA0"));
    assert_false(rh_line_is_console("tty0 ttyS0\n", "/dev/ttyS"));
    assert_false(rh_line_is_console("tty0 ttyS01\n", "/dev/ttyS0"));
    assert_false(rh_line_is_console("", "/dev/ttyS0"));
}

static void test_any_rate(void **state)
{
    (void)state;
    static const int64_t rates[] = {50, 9600, 12345, 115200, 250000, 2000000, 3999999};
    int master, tty;
    char name[64], why[256];
    assert_int_equal(openpty(&master, &tty, name, NULL, NULL), 0);
    for (size_t i = 0; i < RH_COUNT(rates); i++) {
        struct rh_line line;
        struct rh_serial serial = {
            .port = name, .baud = rates[i], .data_bits = 8, .stop_bits = 1, .parity = 'E'};
        int64_t actual = 0;
        rh_line_init(&line);
        assert_int_equal(rh_line_open_serial(&line, &serial, why, sizeof why), 0);
        assert_int_equal(rh_line_speed(line.fd, &actual), 0);
        assert_int_equal(actual, rates[i]);
        struct termios raw;
        assert_int_equal(tcgetattr(line.fd, &raw), 0);
        assert_int_equal(raw.c_lflag & (tcflag_t)(ICANON | ECHO | ISIG), 0);
        assert_int_equal(raw.c_cflag & (tcflag_t)HUPCL, 0);
        assert_int_equal(raw.c_oflag & (tcflag_t)OPOST, 0);
        rh_line_fini(&line);
    }
    close(tty);
    close(master);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *host, *port;
    } good[] = {{"plc", "plc", "502"},           {"plc:1502", "plc", "1502"},
                {"10.0.0.7", "10.0.0.7", "502"}, {"[fe80::1%eth0]:503", "fe80::1%eth0", "503"},
                {"[::1]", "::1", "502"},         {"::1", "::1", "502"}};
    static const char *const bad[] = {
        "", ":502", "[::1", "[]:502", "plc:", "plc:0", "plc:x", "plc:65536", "[::1]x", "[::1]:"};
    char host[RH_LINE_HOST_MAX + 1], port[6];
    for (size_t i = 0; i < RH_COUNT(good); i++) {
        assert_true(rh_line_split_address(good[i].address, 502, host, port));
        assert_string_equal(host, good[i].host);
        assert_string_equal(port, good[i].port);
    }
    for (size_t i = 0; i < RH_COUNT(bad); i++)
        assert_false(rh_line_split_address(bad[i], 502, host, port));
}

static void replug(struct bench *bench)
{
    char node[64];
    unlink(bench->port);
    assert_int_equal(openpty(&bench->slave.fd, &bench->tty, node, NULL, NULL), 0);
    assert_int_equal(symlink(node, bench->port), 0);
}

/* A port that is pulled out: lost, not there, announced by the watch, found under another node. */
static void test_unplugged_and_back(void **state)
{
    (void)state;
    struct bench bench;
    char folder[] = "/tmp/railhead-line-XXXXXX";
    assert_non_null(mkdtemp(folder));
    bench_conf(&bench, &rh_driver_modbus_rtu);
    snprintf(bench.port, sizeof bench.port, "%s/adapter", folder);
    bench.options.port = bench.port;
    replug(&bench);
    slave_start(&bench.slave);
    bench_connect(&bench);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_OK);

    slave_stop(&bench.slave);
    close(bench.tty);
    close(bench.slave.fd);
    unlink(bench.port);
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_LOST);
    assert_true(bench.result.error == -EIO || bench.result.error == -ENXIO);
    assert_int_equal(rh_counted(&bench.counters.lost), 1);
    bench.driver->disconnect(bench.link);
    assert_int_equal(bench.driver->connect(bench.link, bench.why, sizeof bench.why), -ENOENT);
    struct pollfd watch = {.fd = bench.driver->watch(bench.link), .events = POLLIN};
    assert_true(watch.fd >= 0);

    replug(&bench);
    slave_start(&bench.slave);
    assert_int_equal(poll(&watch, 1, 2000), 1);
    assert_int_equal(bench.driver->connect(bench.link, bench.why, sizeof bench.why), 0);
    assert_int_equal(poll_unit(&bench, 1, 4, 4), RH_POLL_OK);
    assert_int_equal(bench.readings, 8);
    assert_int_equal(bench.wrong, 0);
    bench_close(&bench);
    unlink(bench.port);
    rmdir(folder);
}

/* Pulled out while an answer is awaited: noticed at once, not at the timeout. */
static void unplug(struct slave *slave, const struct request *request)
{
    (void)request;
    close(slave->fd);
    slave->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void test_unplugged_during_a_request(void **state)
{
    (void)state;
    struct bench bench;
    bench_conf(&bench, &rh_driver_modbus_rtu);
    bench.options.timeout_ms = 3000;
    bench_pty(&bench);
    atomic_store(&bench.slave.answer, unplug);
    slave_start(&bench.slave);
    bench_connect(&bench);
    int64_t before_us = rh_mono_us();
    assert_int_equal(poll_unit(&bench, 1, 0, 4), RH_POLL_LOST);
    assert_true(rh_mono_us() - before_us < 1000 * ms);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_port),
        cmocka_unit_test(test_a_port_in_use),
        cmocka_unit_test(test_console),
        cmocka_unit_test(test_any_rate),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_unplugged_and_back),
        cmocka_unit_test(test_unplugged_during_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
