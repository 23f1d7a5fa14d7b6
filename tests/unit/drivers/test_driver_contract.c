/* SPDX-License-Identifier: MIT */
/*
 * Every driver in rh_drivers[] held to the promises of drivers/driver.h. Nothing here knows a protocol: the
 * other end is mute, babbles, or goes away. What a driver's configuration looks like stands in `samples`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "core/clock.h"
#include "drivers/driver.h"

#define ms 1000
#define TIMEOUT_MS 50
#define SLACK_MS 150
#define POINTS 6

/* One per driver, by name: the address of a device and the words of its points. */
static const struct sample {
    const char *driver, *address;
    const char *points[POINTS][3];
} samples[] = {
#define MODBUS_POINTS                                                                                        \
    {                                                                                                        \
        {"holding", "0", "u16"}, {"holding", "1", "u32"}, {"holding", "3", "f32"}, {"holding", "40", "s16"}, \
            {"coil", "7", NULL}, {"coil", "8", NULL},                                                        \
    }
    {"modbus-rtu", "1", MODBUS_POINTS},
    {"modbus-tcp", "1", MODBUS_POINTS},
    {"modbus-rtu-tcp", "1", MODBUS_POINTS},
};

struct rig {
    const struct rh_driver *driver;
    struct rh_arena *arena;
    struct rh_report report;
    struct rh_line_conf line;
    struct rh_device_conf device;
    struct rh_point points[POINTS];
    struct rh_line_counters counters;
    struct rh_plan plan;
    struct rh_link *link;
    unsigned readings;
    /* the other end */
    bool socket;
    int far, near, listener;
    char place[64];
};

static void set_option(struct rig *rig, const struct rh_option_table *table, void *object, const char *key,
                       const char *text)
{
    const struct rh_option *row = rh_option_find(table, key);
    const struct rh_option_value value = {
        .key = key, .text = text, .len = strlen(text), .arena = rig->arena, .report = &rig->report};
    if (row)
        assert_true(rh_option_set(row, object, &value));
}

static const struct sample *sample_of(const char *driver)
{
    for (size_t i = 0; i < RH_COUNT(samples); i++)
        if (strcmp(samples[i].driver, driver) == 0)
            return &samples[i];
    fail_msg("the driver %s has no sample in this test", driver);
    return NULL;
}

static void add_points(struct rig *rig, const struct sample *sample)
{
    const struct rh_driver_schema *schema = rig->driver->schema;
    const struct rh_parse_context context = {rig->arena, &rig->report};
    for (uint32_t i = 0; i < POINTS; i++) {
        struct rh_word words[3] = {0};
        size_t n = 0;
        for (; n < 3 && sample->points[i][n]; n++)
            words[n] = (struct rh_word){.text = sample->points[i][n], .len = strlen(sample->points[i][n])};
        void *address = rh_arena_alloc(rig->arena, schema->address_size);
        rh_option_defaults(schema->point, address, rig->arena);
        rig->points[i] = (struct rh_point){
            .name = "p", .unit = "", .index = i, .scale = {1, 0}, .period_ms = 1000, .address = address};
        assert_true(schema->parse_point(words, n, &rig->device, &rig->points[i], address, &context));
        assert_true(schema->check_point(&rig->points[i], &rig->device, rig->device.place, &context));
    }
}

/* The line as configured, with its far end at `place`. */
static void configure(struct rig *rig, const char *place)
{
    const struct rh_driver_schema *schema = rig->driver->schema;
    const struct sample *sample = sample_of(schema->name);
    const struct rh_word address = {.text = sample->address, .len = strlen(sample->address)};
    const struct rh_parse_context context = {rig->arena, &rig->report};
    rig->line = (struct rh_line_conf){.name = "line",
                                      .schema = schema,
                                      .options = rh_arena_alloc(rig->arena, schema->line_size),
                                      .devices = &rig->device,
                                      .n_devices = 1,
                                      .points = rig->points,
                                      .n_points = POINTS};
    rig->device = (struct rh_device_conf){.name = "device",
                                          .address = sample->address,
                                          .options = rh_arena_alloc(rig->arena, schema->device_size),
                                          .n_points = POINTS,
                                          .line = &rig->line};
    rh_option_defaults(schema->line, rig->line.options, rig->arena);
    rh_option_defaults(schema->device, rig->device.options, rig->arena);
    set_option(rig, schema->line, rig->line.options, rig->socket ? "host" : "port", place);
    set_option(rig, schema->line, rig->line.options, "timeout", "50ms");
    assert_true(schema->parse_address(&address, &rig->device, &context));
    add_points(rig, sample);
}

static void init(struct rig *rig, const struct rh_driver *driver)
{
    memset(rig, 0, sizeof *rig);
    rig->driver = driver;
    rig->socket = rh_option_find(driver->schema->line, "host") != NULL;
    rig->far = rig->near = rig->listener = -1;
    rig->arena = rh_arena_new();
    rh_report_init(&rig->report);
}

static void listen_there(struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(rig->listener, 4), 0);
    assert_int_equal(getsockname(rig->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(rig->place, sizeof rig->place, "127.0.0.1:%u", ntohs(address.sin_port));
}

/* Opens and connects a line whose far end is `rig->far`. */
static void connected(struct rig *rig, const struct rh_driver *driver)
{
    char why[256];
    init(rig, driver);
    if (rig->socket)
        listen_there(rig);
    else
        assert_int_equal(openpty(&rig->far, &rig->near, rig->place, NULL, NULL), 0);
    configure(rig, rig->place);
    assert_int_equal(driver->plan(&rig->line, &rig->plan), 0);
    assert_int_equal(driver->open(&rig->line, &rig->counters, &rig->link), 0);
    assert_int_equal(driver->connect(rig->link, why, sizeof why), 0);
    if (rig->socket)
        rig->far = accept(rig->listener, NULL, NULL);
    assert_true(rig->far >= 0);
}

static void fini(struct rig *rig)
{
    const int fds[] = {rig->far, rig->near, rig->listener};
    rig->driver->close(rig->link);
    rh_plan_fini(&rig->plan);
    rh_report_fini(&rig->report);
    rh_arena_free(rig->arena);
    for (size_t i = 0; i < RH_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void on_reading(void *context, const struct rh_reading *reading)
{
    struct rig *rig = context;
    (void)reading;
    rig->readings++;
}

static void on_late(void *context, const struct rh_block *block)
{
    (void)context;
    (void)block;
}

static void on_heard(void *context, uint32_t device)
{
    (void)context;
    (void)device;
}

static enum rh_poll_outcome poll_block(struct rig *rig, size_t i, struct rh_poll_result *ret_result)
{
    const struct rh_sink sink = {
        .context = rig, .wake = -1, .heard = on_heard, .reading = on_reading, .late = on_late};
    return rig->driver->poll(rig->link, rig->plan.order, &rig->plan.blocks[i], &sink, ret_result);
}

static size_t open_files(void)
{
    size_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* ---- the promises ---- */

static void is_complete(const struct rh_driver *driver)
{
    const struct rh_driver_schema *schema = driver->schema;
    const bool parts[] = {schema->name && *schema->name,
                          schema->help && *schema->help,
                          schema->line,
                          schema->device,
                          schema->point,
                          schema->line_size,
                          schema->device_size,
                          schema->address_size,
                          schema->parse_point,
                          schema->check_point,
                          schema->check_line,
                          schema->line_identity,
                          driver->plan,
                          driver->split,
                          driver->open,
                          driver->close,
                          driver->connect,
                          driver->disconnect,
                          driver->watch,
                          driver->poll};
    for (size_t i = 0; i < RH_COUNT(parts); i++)
        assert_true(parts[i]);
    assert_ptr_equal(rh_driver_of(schema), driver);
}

/* Each point in exactly one block; halves of a block are its points, in order. */
static void plans_every_point_once(const struct rh_driver *driver)
{
    struct rig rig;
    unsigned seen[POINTS] = {0};
    connected(&rig, driver);
    assert_int_equal(rig.plan.n_points, POINTS);
    assert_in_range(rig.plan.n_blocks, 1, POINTS);
    for (size_t i = 0; i < rig.plan.n_blocks; i++) {
        const struct rh_block *block = &rig.plan.blocks[i];
        assert_true(block->count > 0 && block->first + block->count <= POINTS && block->cost_us > 0);
        for (uint32_t k = 0; k < block->count; k++)
            seen[rig.plan.order[block->first + k]]++;
        if (block->count < 2)
            continue;
        struct rh_block halves[2];
        driver->split(&rig.line, rig.plan.order, block, halves);
        assert_int_equal(halves[0].first, block->first);
        assert_int_equal(halves[1].first, block->first + halves[0].count);
        assert_int_equal(halves[0].count + halves[1].count, block->count);
        assert_true(halves[0].count > 0 && halves[1].count > 0);
    }
    for (size_t i = 0; i < POINTS; i++)
        assert_int_equal(seen[i], 1);
    fini(&rig);
}

/* Open touches no port; connect says in time what is wrong; without a port a poll is LOST and no crash. */
static void lives_without_a_port(const struct rh_driver *driver)
{
    struct rig rig;
    char why[256] = "";
    init(&rig, driver);
    const char *place = rig.socket ? "127.0.0.1:1" : "/dev/ttyRailheadNone";
    configure(&rig, place);
    assert_int_equal(driver->plan(&rig.line, &rig.plan), 0);
    driver->close(NULL);
    assert_int_equal(driver->open(&rig.line, &rig.counters, &rig.link), 0);
    int64_t before_us = rh_mono_us();
    for (int i = 0; i < 2; i++) {
        assert_true(driver->connect(rig.link, why, sizeof why) < 0);
        assert_non_null(strstr(why, rig.socket ? "127.0.0.1" : place));
    }
    (void)driver->watch(rig.link);
    assert_true(driver->watch(rig.link) >= -1);
    driver->disconnect(rig.link);
    driver->disconnect(rig.link);
    struct rh_poll_result result;
    assert_int_equal(poll_block(&rig, 0, &result), RH_POLL_LOST);
    assert_true(result.error < 0);
    assert_true(rh_mono_us() - before_us < 2 * (TIMEOUT_MS + SLACK_MS) * ms);
    assert_int_equal(rig.readings, 0);
    fini(&rig);
}

/* By its deadline, without a reading; and what is closed was not sent again. */
static void returns_in_time_from_the_mute(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    connected(&rig, driver);
    int64_t before_us = rh_mono_us();
    enum rh_poll_outcome outcome = poll_block(&rig, 0, &result);
    int64_t after_us = rh_mono_us();
    assert_true(outcome == RH_POLL_TIMEOUT || outcome == RH_POLL_NOTHING);
    assert_true(after_us - before_us <= (TIMEOUT_MS + SLACK_MS) * ms);
    assert_true(before_us <= result.start_us && result.start_us <= result.end_us &&
                result.end_us <= after_us);
    if (outcome == RH_POLL_TIMEOUT) {
        assert_true(after_us - before_us >= TIMEOUT_MS * ms);
        assert_int_equal(rh_counted(&rig.counters.transactions), 1);
        assert_int_equal(rh_counted(&rig.counters.timeouts), 1);
    }
    uint64_t sent = rh_counted(&rig.counters.bytes_sent);
    outcome = poll_block(&rig, 0, &result);
    if (outcome == RH_POLL_CLOSED) {
        assert_true(result.closed_until_us > after_us && result.closed_until_us < after_us + 10000 * ms);
        assert_int_equal(rh_counted(&rig.counters.bytes_sent), sent);
    }
    assert_int_equal(rig.readings, 0);
    fini(&rig);
}

struct babbler {
    int fd, stop;
    unsigned seed;
};

static void *babble(void *context)
{
    struct babbler *babbler = context;
    struct pollfd stop = {.fd = babbler->stop, .events = POLLIN};
    while (poll(&stop, 1, 1) == 0) {
        uint8_t noise[40];
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)rand_r(&babbler->seed);
        if (send(babbler->fd, noise, sizeof noise, MSG_NOSIGNAL) < 0 && write(babbler->fd, noise, 40) < 0)
            break;
    }
    return NULL;
}

/* Noise without end is no reading, and no poll without end. */
static void makes_nothing_of_noise(const struct rh_driver *driver)
{
    struct rig rig;
    int stop[2];
    pthread_t thread;
    connected(&rig, driver);
    assert_int_equal(pipe(stop), 0);
    struct babbler babbler = {rig.far, stop[0], (unsigned)rh_mono_us()};
    print_message("seed %u\n", babbler.seed);
    assert_int_equal(pthread_create(&thread, NULL, babble, &babbler), 0);
    for (int i = 0; i < 3; i++) {
        struct rh_poll_result result;
        int64_t before_us = rh_mono_us();
        enum rh_poll_outcome outcome = poll_block(&rig, 0, &result);
        assert_int_not_equal(outcome, RH_POLL_OK);
        assert_true(rh_mono_us() - before_us < (500 + 2 * TIMEOUT_MS + SLACK_MS) * ms);
        if (outcome == RH_POLL_LOST)
            break;
    }
    assert_int_equal(rig.readings, 0);
    assert_int_equal(write(stop[1], "", 1), 1);
    pthread_join(thread, NULL);
    close(stop[0]);
    close(stop[1]);
    fini(&rig);
}

/* The far end goes: LOST, in time, and nothing stays open but what was. */
static void notices_the_end(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    size_t before = open_files();
    connected(&rig, driver);
    close(rig.far);
    rig.far = -1;
    int64_t before_us = rh_mono_us();
    enum rh_poll_outcome outcome = poll_block(&rig, 0, &result);
    for (size_t i = 1; outcome != RH_POLL_LOST && i < rig.plan.n_blocks; i++)
        outcome = poll_block(&rig, i, &result);
    assert_int_equal(outcome, RH_POLL_LOST);
    assert_true(result.error < 0);
    assert_true(rh_mono_us() - before_us < (TIMEOUT_MS + SLACK_MS) * ms);
    assert_int_equal(rh_counted(&rig.counters.lost), 1);
    driver->disconnect(rig.link);
    assert_int_equal(rig.readings, 0);
    fini(&rig);
    assert_int_equal(open_files(), before);
}

/* After open the polling path allocates nothing. (Under sanitizers mallinfo2 tells nothing.) */
static void polls_without_allocating(const struct rh_driver *driver)
{
    struct rig rig;
    struct rh_poll_result result;
    connected(&rig, driver);
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < rig.plan.n_blocks; i++)
        poll_block(&rig, i, &result);
    assert_int_equal(mallinfo2().uordblks, before);
    fini(&rig);
}

static void for_each(void (*promise)(const struct rh_driver *driver))
{
    assert_true(rh_n_drivers > 0);
    for (size_t i = 0; i < rh_n_drivers; i++) {
        print_message("%s\n", rh_drivers[i]->schema->name);
        promise(rh_drivers[i]);
    }
}

#define PROMISE(name)                                                                                        \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        for_each(name);                                                                                      \
    }
PROMISE(is_complete)
PROMISE(plans_every_point_once)
PROMISE(lives_without_a_port)
PROMISE(returns_in_time_from_the_mute)
PROMISE(makes_nothing_of_noise)
PROMISE(notices_the_end)
PROMISE(polls_without_allocating)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_complete),
        cmocka_unit_test(test_plans_every_point_once),
        cmocka_unit_test(test_lives_without_a_port),
        cmocka_unit_test(test_returns_in_time_from_the_mute),
        cmocka_unit_test(test_makes_nothing_of_noise),
        cmocka_unit_test(test_notices_the_end),
        cmocka_unit_test(test_polls_without_allocating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
