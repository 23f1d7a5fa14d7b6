/* SPDX-License-Identifier: MIT */
/*
 * The driver on a pseudo-terminal: asked and listening, several devices on a line, silence, and the poller's
 * call. The other end answers from a thread of its own; nothing here sleeps to wait for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sys/eventfd.h>
#include <termios.h>

#include "core/clock.h"
#include "uart_bench.h"

struct rig {
    struct rh_report report;
    struct rh_config *config;
    char folder[32];
    const struct rh_line_conf *line;
    const struct rh_driver *driver;
    struct rh_line_counters counters;
    struct rh_plan plan;
    struct rh_link *link;
    struct rh_sink sink;
    int far, near;
    char said[4096];
    struct rh_text text;
};

static void on_reading(void *context, const struct rh_reading *reading)
{
    struct rig *rig = context;
    const struct rh_point *point = &rig->line->points[reading->point];
    char quality[16], buffer[300];
    FILE *out = fmemopen(buffer, sizeof buffer, "w");
    uart_print_value(out, point, &reading->value);
    fclose(out);
    rh_text_printf(&rig->text, "%s.%s=%s ", rig->line->devices[point->device].name, point->name,
                   reading->quality == RH_GOOD ? buffer : rh_quality_name(reading, quality));
}

static void on_heard(void *context, uint32_t device)
{
    struct rig *rig = context;
    rh_text_printf(&rig->text, "%s! ", rig->line->devices[device].name);
}

static void on_silent(void *context, uint32_t device)
{
    struct rig *rig = context;
    rh_text_printf(&rig->text, "%s? ", rig->line->devices[device].name);
}

static void on_late(void *context, const struct rh_block *block)
{
    (void)context;
    (void)block;
    fail();
}

static void open_rig(struct rig *rig, const char *devices, const char *profile)
{
    char node[64], site[1024], path[64], why[256];
    struct termios raw;
    memset(rig, 0, sizeof *rig);
    assert_int_equal(openpty(&rig->far, &rig->near, node, NULL, NULL), 0);
    tcgetattr(rig->far, &raw);
    cfmakeraw(&raw);
    tcsetattr(rig->far, TCSANOW, &raw);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/railhead-uart-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    uart_write(rig->folder, "own.ini", profile);
    snprintf(site, sizeof site,
             "[mqtt]\nbroker = mqtt://127.0.0.1\n[store]\npath = /tmp/none.db\n[line u]\ndriver = uart\n"
             "port = %s\ntimeout = 300ms\n[devices]\n%s",
             node, devices);
    uart_write(rig->folder, "site.conf", site);
    setenv("RAILHEAD_PROFILES", rig->folder, 1);
    snprintf(path, sizeof path, "%s/site.conf", rig->folder);
    rh_report_init(&rig->report);
    if (rh_config_load(path, uart_schema(), &rig->report, &rig->config) < 0) {
        rh_report_print(&rig->report, stderr);
        fail();
    }
    rig->line = &rig->config->lines[0];
    rig->driver = rh_driver_of(rig->line->schema);
    rig->sink = (struct rh_sink){.context = rig,
                                 .wake = -1,
                                 .heard = on_heard,
                                 .reading = on_reading,
                                 .late = on_late,
                                 .silent = on_silent};
    rh_text_init(&rig->text, rig->said, sizeof rig->said);
    assert_int_equal(rig->driver->plan(rig->line, &rig->plan), 0);
    assert_int_equal(rig->driver->open(rig->line, &rig->counters, &rig->link), 0);
    assert_int_equal(rig->driver->connect(rig->link, why, sizeof why), 0);
}

static void close_rig(struct rig *rig)
{
    char path[64];
    const char *const names[] = {"own.ini", "site.conf"};
    rig->driver->close(rig->link);
    rh_plan_fini(&rig->plan);
    rh_config_free(rig->config);
    rh_report_fini(&rig->report);
    close(rig->far);
    close(rig->near);
    for (size_t i = 0; i < RH_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", rig->folder, names[i]);
        unlink(path);
    }
    rmdir(rig->folder);
}

static void say(struct rig *rig, const char *text)
{
    assert_int_equal(write(rig->far, text, strlen(text)), strlen(text));
}

static enum rh_poll_outcome poll_block(struct rig *rig, size_t i)
{
    struct rh_poll_result result;
    return rig->driver->poll(rig->link, rig->plan.order, &rig->plan.blocks[i], &rig->sink, &result);
}

/* Polls until this has been said, for at most so long. */
static void listen_until(struct rig *rig, const char *expected, int64_t wait_ms)
{
    int64_t until_us = rh_mono_us() + wait_ms * 1000;
    while (strcmp(rig->said, expected) != 0 && rh_mono_us() < until_us)
        assert_int_equal(poll_block(rig, 0), RH_POLL_NOTHING);
    assert_string_equal(rig->said, expected);
    rh_text_init(&rig->text, rig->said, sizeof rig->said);
}

static void hears_what_is_pushed(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "a = u - own\nb = u - own\n", "[profile]\n[points]\nv = raw u16\n");
    assert_int_equal(rig.plan.n_blocks, 1);
    assert_true(rig.plan.blocks[0].listens);
    say(&rig, "17\n");
    listen_until(&rig, "a! a.v=17 b! b.v=17 ", 1000);
    say(&rig, "1");
    assert_int_equal(poll_block(&rig, 0), RH_POLL_NOTHING);
    say(&rig, "8\n");
    listen_until(&rig, "a! a.v=18 b! b.v=18 ", 1000);
    close_rig(&rig);
}

static void devices_of_a_line_are_told_apart(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "a = u 1 own\nb = u 2 own\n",
             "[profile]\nmatch = \"{address}:\"\n[points]\nv = key {address} u16\n");
    say(&rig, "2:5\n1:7\n3:9\n");
    listen_until(&rig, "b! b.v=5 a! a.v=7 ", 1000);
    assert_int_equal(rh_counted(&rig.counters.foreign), 1);
    close_rig(&rig);
}

static void a_point_takes_one_reading_in_its_period(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "a = u - own\n", "[profile]\n[points]\nv = csv 0 u16\nw = csv 1 u16 every=1h\n");
    say(&rig, "1,1\n2,2\n3,3\n");
    listen_until(&rig, "a! a.v=1 a.w=1 a! a.v=2 a! a.v=3 ", 1000);
    close_rig(&rig);
}

static void silence_makes_stale_then_offline(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "a = u - own stale_after=200ms\n", "[profile]\n[points]\nv = raw u16\n");
    int64_t start_us = rh_mono_us();
    listen_until(&rig, "a? ", 2000); /* never heard */
    assert_true(rh_mono_us() - start_us >= 190000);
    say(&rig, "17\n");
    listen_until(&rig, "a! a.v=17 ", 1000);
    start_us = rh_mono_us();
    listen_until(&rig, "a.v=stale ", 2000);
    assert_true(rh_mono_us() - start_us >= 150000);
    listen_until(&rig, "a? ", 2000);
    assert_true(rh_mono_us() - start_us >= 500000);
    say(&rig, "18\n");
    listen_until(&rig, "a! a.v=18 ", 1000);
    close_rig(&rig);
}

static void the_poller_calls_it_back(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "a = u - own\n", "[profile]\n[points]\nv = raw u16\n");
    rig.sink.wake = eventfd(1, EFD_CLOEXEC);
    int64_t start_us = rh_mono_us();
    assert_int_equal(poll_block(&rig, 0), RH_POLL_NOTHING);
    assert_true(rh_mono_us() - start_us < 100000);
    close(rig.sink.wake);
    close_rig(&rig);
}

/* Answers each request once, by a table; a request that is not in it gets no answer. */
struct sensor {
    int fd, stop[2];
    struct {
        const char *request, *answer;
    } rows[4];
    pthread_t thread;
    unsigned asked;
};

static void *answer(void *context)
{
    struct sensor *sensor = context;
    char heard[256];
    size_t n = 0;
    struct pollfd fds[2] = {{.fd = sensor->fd, .events = POLLIN}, {.fd = sensor->stop[0], .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        ssize_t more = read(sensor->fd, heard + n, sizeof heard - 1 - n);
        n += more > 0 ? (size_t)more : 0;
        heard[n] = '\0';
        if (n == 0 || heard[n - 1] != '\n')
            continue;
        sensor->asked++;
        for (size_t i = 0; i < RH_COUNT(sensor->rows) && sensor->rows[i].request; i++)
            if (strcmp(heard, sensor->rows[i].request) == 0)
                assert_true(write(sensor->fd, sensor->rows[i].answer, strlen(sensor->rows[i].answer)) > 0);
        n = 0;
    }
    return NULL;
}

static void start_sensor(struct sensor *sensor, int fd)
{
    sensor->fd = fd;
    assert_int_equal(pipe(sensor->stop), 0);
    assert_int_equal(pthread_create(&sensor->thread, NULL, answer, sensor), 0);
}

static void stop_sensor(struct sensor *sensor)
{
    assert_int_equal(write(sensor->stop[1], "", 1), 1);
    pthread_join(sensor->thread, NULL);
    close(sensor->stop[0]);
    close(sensor->stop[1]);
}

static void asks_and_takes_the_answer(void **state)
{
    struct rig rig;
    struct sensor sensor = {.rows = {{"R1\n", "busy\nv=5\nv=6\n"}, {"R2\n", "v=7\n"}}};
    (void)state;
    open_rig(
        &rig, "a = u 1 own\nb = u 2 own\nc = u 3 own retries=2\n",
        "[profile]\nrequest = \"R{address}\\n\"\nmatch = v=\ntimeout = 200ms\n[points]\nv = key v u16\n");
    start_sensor(&sensor, rig.far);
    assert_int_equal(rig.plan.n_blocks, 3);
    say(&rig, "v=1\n"); /* nobody asked for it */
    assert_int_equal(poll_block(&rig, 0), RH_POLL_OK);
    assert_string_equal(rig.said, "a.v=5 ");
    assert_int_equal(poll_block(&rig, 1), RH_POLL_OK);
    assert_string_equal(rig.said, "a.v=5 b.v=7 ");
    int64_t start_us = rh_mono_us();
    assert_int_equal(poll_block(&rig, 2), RH_POLL_TIMEOUT);
    assert_in_range(rh_mono_us() - start_us, 600000, 900000);
    assert_int_equal(rh_counted(&rig.counters.transactions), 5);
    stop_sensor(&sensor);
    assert_int_equal(sensor.asked, 5);
    close_rig(&rig);
}

static void takes_all_frames_until_the_last(void **state)
{
    struct rig rig;
    struct sensor sensor = {.rows = {{"?\n", "v=1\nv=2\nOK\n"}}};
    (void)state;
    open_rig(&rig, "a = u - own\n",
             "[profile]\nrequest = \"?\\n\"\nmatch = v=\nreply = until:/^OK/\n[points]\nv = key v u16\n");
    start_sensor(&sensor, rig.far);
    assert_int_equal(poll_block(&rig, 0), RH_POLL_OK);
    assert_string_equal(rig.said, "a.v=1 a.v=2 ");
    stop_sensor(&sensor);
    close_rig(&rig);
}

static void a_gap_ends_a_frame(void **state)
{
    struct rig rig;
    (void)state;
    open_rig(&rig, "a = u - own\n", "[profile]\nidle = 50ms\n[points]\nv = raw\n");
    say(&rig, "hello");
    listen_until(&rig, "a! a.v=hello ", 1000);
    say(&rig, "you");
    listen_until(&rig, "a! a.v=you ", 1000);
    close_rig(&rig);
}

static void says_hello_whenever_the_port_opens(void **state)
{
    struct rig rig;
    char heard[8] = "", why[256];
    (void)state;
    open_rig(&rig, "a = u - own\n", "[profile]\ninit = \"hi\\n\"\n[points]\nv = raw\n");
    assert_int_equal(read(rig.far, heard, 3), 3);
    assert_int_equal(rig.driver->connect(rig.link, why, sizeof why), 0);
    assert_int_equal(read(rig.far, heard + 3, 3), 3);
    assert_string_equal(heard, "hi\nhi\n");
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hears_what_is_pushed),
                                       cmocka_unit_test(devices_of_a_line_are_told_apart),
                                       cmocka_unit_test(a_point_takes_one_reading_in_its_period),
                                       cmocka_unit_test(silence_makes_stale_then_offline),
                                       cmocka_unit_test(the_poller_calls_it_back),
                                       cmocka_unit_test(asks_and_takes_the_answer),
                                       cmocka_unit_test(takes_all_frames_until_the_last),
                                       cmocka_unit_test(a_gap_ends_a_frame),
                                       cmocka_unit_test(says_hello_whenever_the_port_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
