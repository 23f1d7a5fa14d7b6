/* SPDX-License-Identifier: MIT */
/*
 * modbus_bench.h - a line of a few units by hand, and a slave in a thread that answers by script.
 *
 * Register a of unit u always holds u * 1000 + a, so that a value that comes from another unit or address
 * shows. The slave shares nothing with the daemon but the CRC.
 */
#ifndef RH_TESTS_MODBUS_BENCH_H
#define RH_TESTS_MODBUS_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "core/clock.h"
#include "drivers/modbus.h"

extern const struct rh_driver rh_driver_modbus_rtu, rh_driver_modbus_tcp, rh_driver_modbus_rtu_tcp;

#define UNITS 4
#define POINTS_PER_UNIT 24
#define GAPS_MAX 1024
#define LOG_MAX 64

/* ---- the slave ---- */

struct request {
    uint8_t unit, function;
    uint16_t address, count, transaction;
    uint8_t raw[264];
    size_t raw_len;
};

struct pending {
    int64_t due_us;
    size_t len;
    uint8_t bytes[600];
};

struct slave {
    int fd, listener;
    bool tcp, mbap;
    int stop[2];
    pthread_t thread;
    void (*_Atomic answer)(struct slave *slave, const struct request *request);
    atomic_int requests;
    atomic_int step; /* for scripts */
    unsigned seed;
    struct pending pending[32];
    size_t n_pending;
    int64_t written_us; /* end of its last answer */
    int64_t gaps_us[GAPS_MAX];
    size_t n_gaps;
    uint8_t in[600];
    size_t in_len;
    struct request log[LOG_MAX]; /* the newest; each is settled once `requests` has counted it */
};

static inline uint16_t value_of(unsigned unit, unsigned address)
{
    return (uint16_t)(unit * 1000 + address);
}

static inline size_t frame_end(const struct slave *slave, const struct request *request, uint8_t *frame,
                               size_t len)
{
    if (slave->mbap) {
        memmove(frame + 6, frame, len);
        const uint8_t header[6] = {(uint8_t)(request->transaction >> 8),
                                   (uint8_t)request->transaction,
                                   0,
                                   0,
                                   (uint8_t)(len >> 8),
                                   (uint8_t)len};
        memcpy(frame, header, 6);
        return len + 6;
    }
    uint16_t crc = rh_modbus_crc(frame, len);
    frame[len] = (uint8_t)crc;
    frame[len + 1] = (uint8_t)(crc >> 8);
    return len + 2;
}

static inline size_t good_answer(const struct slave *slave, const struct request *request, uint8_t *frame)
{
    size_t len = 3;
    frame[0] = request->unit;
    frame[1] = request->function;
    if (request->function >= 5) { /* a write: its first six bytes again */
        const uint8_t rest[] = {(uint8_t)(request->address >> 8), (uint8_t)request->address,
                                (uint8_t)(request->count >> 8), (uint8_t)request->count};
        memcpy(frame + 2, rest, sizeof rest);
        return frame_end(slave, request, frame, 6);
    }
    if (request->function <= 2) {
        for (unsigned i = 0; i < request->count; i += 8) {
            uint8_t byte = 0;
            for (unsigned k = 0; k < 8 && i + k < request->count; k++)
                byte |= (uint8_t)((value_of(request->unit, request->address + i + k) & 1) << k);
            frame[len++] = byte;
        }
    } else {
        for (unsigned i = 0; i < request->count; i++) {
            uint16_t value = value_of(request->unit, request->address + i);
            frame[len++] = (uint8_t)(value >> 8);
            frame[len++] = (uint8_t)value;
        }
    }
    frame[2] = (uint8_t)(len - 3);
    return frame_end(slave, request, frame, len);
}

static inline void send_later(struct slave *slave, int64_t delay_us, const uint8_t *bytes, size_t len)
{
    assert_true(slave->n_pending < 32 && len <= sizeof slave->pending[0].bytes);
    struct pending *pending = &slave->pending[slave->n_pending++];
    pending->due_us = rh_mono_us() + delay_us;
    pending->len = len;
    memcpy(pending->bytes, bytes, len);
}

static inline void send_now(struct slave *slave, const uint8_t *bytes, size_t len)
{
    slave->written_us = rh_mono_us(); /* before: held up later, it sees nothing early */
    ssize_t n = write(slave->fd, bytes, len);
    (void)n;
}

static inline void answer_good(struct slave *slave, const struct request *request)
{
    uint8_t frame[300];
    send_now(slave, frame, good_answer(slave, request, frame));
}

static inline void answer_nothing(struct slave *slave, const struct request *request)
{
    (void)slave;
    (void)request;
}

/* Of the request that `slave->in` begins with; writes of several carry their data behind a count. */
static inline size_t request_bytes(const struct slave *slave)
{
    if (slave->mbap)
        return 6 + (size_t)(slave->in[4] << 8 | slave->in[5]);
    return slave->in[1] == 15 || slave->in[1] == 16 ? 9 + (size_t)slave->in[6] : 8;
}

/* Takes requests out of what was read. Bytes that are none are dropped one by one. */
static inline bool next_request(struct slave *slave, struct request *ret_request)
{
    while (slave->in_len >= 8 && slave->in_len >= request_bytes(slave)) {
        const uint8_t *at = slave->in, *pdu = slave->mbap ? at + 6 : at;
        size_t len = request_bytes(slave);
        bool good = slave->mbap ? at[2] == 0 && at[3] == 0 && at[4] == 0
                                : rh_modbus_crc(at, len - 2) == (at[len - 2] | at[len - 1] << 8);
        if (good) {
            *ret_request = (struct request){.unit = pdu[0],
                                            .function = pdu[1],
                                            .address = (uint16_t)(pdu[2] << 8 | pdu[3]),
                                            .count = (uint16_t)(pdu[4] << 8 | pdu[5]),
                                            .transaction = (uint16_t)(at[0] << 8 | at[1]),
                                            .raw_len = len};
            memcpy(ret_request->raw, at, len);
        }
        size_t drop = good ? len : 1;
        slave->in_len -= drop;
        memmove(slave->in, slave->in + drop, slave->in_len);
        if (good)
            return true;
    }
    return false;
}

static inline bool slave_read(struct slave *slave)
{
    int64_t now_us = rh_mono_us();
    ssize_t n = read(slave->fd, slave->in + slave->in_len, sizeof slave->in - slave->in_len);
    if (n <= 0)
        return false;
    if (slave->written_us && slave->n_gaps < GAPS_MAX)
        slave->gaps_us[slave->n_gaps++] = now_us - slave->written_us;
    slave->in_len += (size_t)n;
    struct request request;
    while (next_request(slave, &request)) {
        slave->log[atomic_load(&slave->requests) % LOG_MAX] = request;
        atomic_fetch_add(&slave->requests, 1);
        atomic_load (&slave->answer)(slave, &request);
    }
    return true;
}

/* Sends what is due, in the order of its times; returns when the next is. */
static inline int64_t send_due(struct slave *slave)
{
    while (slave->n_pending > 0) {
        struct pending *first = slave->pending;
        for (size_t i = 1; i < slave->n_pending; i++)
            first = slave->pending[i].due_us < first->due_us ? &slave->pending[i] : first;
        if (first->due_us > rh_mono_us())
            return first->due_us;
        send_now(slave, first->bytes, first->len);
        *first = slave->pending[--slave->n_pending];
    }
    return RH_NEVER;
}

static inline void slave_drop(struct slave *slave)
{
    if (slave->tcp && slave->fd >= 0)
        close(slave->fd);
    slave->fd = slave->tcp ? -1 : slave->fd;
    slave->in_len = 0;
}

static inline void *slave_run(void *context)
{
    struct slave *slave = context;
    rh_clock_precise();
    for (;;) {
        int64_t next_us = send_due(slave);
        int fd = slave->fd >= 0 ? slave->fd : slave->listener;
        struct pollfd polls[2] = {{.fd = slave->stop[0], .events = POLLIN}, {.fd = fd, .events = POLLIN}};
        poll(polls, 2, rh_poll_timeout_ms(rh_mono_us(), next_us));
        if (polls[0].revents)
            return NULL;
        if (polls[1].revents == 0)
            continue;
        if (slave->fd < 0)
            slave->fd = accept(slave->listener, NULL, NULL);
        else if (slave_read(slave))
            continue;
        else if (slave->tcp)
            slave_drop(slave);
        else
            return NULL;
    }
}

static inline void slave_start(struct slave *slave)
{
    assert_int_equal(pipe(slave->stop), 0);
    if (!atomic_load(&slave->answer))
        atomic_store(&slave->answer, answer_good);
    assert_int_equal(pthread_create(&slave->thread, NULL, slave_run, slave), 0);
}

static inline void slave_stop(struct slave *slave)
{
    assert_int_equal(write(slave->stop[1], "", 1), 1);
    pthread_join(slave->thread, NULL);
    close(slave->stop[0]);
    close(slave->stop[1]);
}

/* ---- the line ---- */

struct bench {
    struct slave slave;
    const struct rh_driver *driver;
    struct rh_modbus_line options;
    struct rh_modbus_device units[UNITS];
    struct rh_device_conf devices[UNITS];
    struct rh_modbus_address addresses[UNITS * POINTS_PER_UNIT];
    struct rh_point points[UNITS * POINTS_PER_UNIT];
    struct rh_line_conf conf;
    uint32_t order[UNITS * POINTS_PER_UNIT];
    struct rh_line_counters counters;
    struct rh_link *link;
    int tty; /* keeps a pty alive while the driver has it closed */
    char port[128];
    char why[256];
    /* what the sink got */
    struct rh_sink sink;
    unsigned readings, wrong, lates;
    struct rh_reading last;
    struct rh_block last_late;
    struct rh_poll_result result;
};

static inline void on_reading(void *context, const struct rh_reading *reading)
{
    struct bench *bench = context;
    const struct rh_modbus_address *address = bench->points[reading->point].address;
    unsigned unit = bench->units[bench->points[reading->point].device].unit;
    uint16_t value = value_of(unit, address->address);
    bench->readings++;
    bench->last = *reading;
    if (bench->points[reading->point].type == RH_TYPE_BIT)
        bench->wrong += reading->value.kind != RH_VALUE_BOOL || reading->value.boolean != (value & 1);
    else
        bench->wrong += reading->value.kind != RH_VALUE_U64 && reading->value.kind != RH_VALUE_I64
                            ? 1
                            : reading->value.u64 != value;
}

static inline void on_late(void *context, const struct rh_block *block)
{
    struct bench *bench = context;
    bench->lates++;
    bench->last_late = *block;
}

/* Units 1..UNITS; points are holding registers 0.. of each, the last eight discrete inputs. */
static inline void bench_conf(struct bench *bench, const struct rh_driver *driver)
{
    memset(bench, 0, sizeof *bench);
    bench->driver = driver;
    bench->tty = bench->slave.fd = bench->slave.listener = -1;
    bench->options = (struct rh_modbus_line){
        .baud = 115200, .data_bits = 8, .stop_bits = 1, .parity = 'N', .timeout_ms = 100};
    bench->conf = (struct rh_line_conf){.name = "test",
                                        .schema = driver->schema,
                                        .options = &bench->options,
                                        .devices = bench->devices,
                                        .n_devices = UNITS,
                                        .points = bench->points,
                                        .n_points = UNITS * POINTS_PER_UNIT};
    for (uint32_t d = 0; d < UNITS; d++) {
        bench->units[d] = (struct rh_modbus_device){.unit = (uint8_t)(d + 1), .max_read = 125};
        bench->devices[d] = (struct rh_device_conf){.name = "unit",
                                                    .index = d,
                                                    .options = &bench->units[d],
                                                    .line = &bench->conf,
                                                    .first_point = d * POINTS_PER_UNIT,
                                                    .n_points = POINTS_PER_UNIT};
        for (uint32_t i = 0; i < POINTS_PER_UNIT; i++) {
            uint32_t p = d * POINTS_PER_UNIT + i;
            bool bit = i >= POINTS_PER_UNIT - 8;
            bench->addresses[p] =
                (struct rh_modbus_address){.function = bit ? RH_MODBUS_READ_DISCRETE : RH_MODBUS_READ_HOLDING,
                                           .address = (uint16_t)i,
                                           .length = 1,
                                           .type = bit ? RH_TYPE_BIT : RH_TYPE_U16};
            bench->points[p] = (struct rh_point){.name = "p",
                                                 .unit = "",
                                                 .index = p,
                                                 .device = d,
                                                 .type = bit ? RH_TYPE_BIT : RH_TYPE_U16,
                                                 .scale = {1, 0},
                                                 .class_ = i == 0 ? RH_CLASS_URGENT : RH_CLASS_NORMAL,
                                                 .address = &bench->addresses[p]};
            bench->order[p] = p;
        }
    }
    bench->sink = (struct rh_sink){.context = bench, .wake = -1, .reading = on_reading, .late = on_late};
}

/* A block of `count` points of unit 1.. beginning at point `at`. */
static inline struct rh_block block_of(unsigned unit, uint32_t at, uint32_t count)
{
    return (struct rh_block){.device = unit - 1,
                             .first = (unit - 1) * POINTS_PER_UNIT + at,
                             .count = count,
                             .unit = (uint8_t)unit,
                             .function =
                                 at >= POINTS_PER_UNIT - 8 ? RH_MODBUS_READ_DISCRETE : RH_MODBUS_READ_HOLDING,
                             .address = (uint16_t)at,
                             .length = (uint16_t)count};
}

static inline enum rh_poll_outcome bench_poll(struct bench *bench, const struct rh_block *block)
{
    return bench->driver->poll(bench->link, bench->order, block, &bench->sink, &bench->result);
}

static inline enum rh_poll_outcome poll_unit(struct bench *bench, unsigned unit, uint32_t at, uint32_t count)
{
    struct rh_block block = block_of(unit, at, count);
    return bench_poll(bench, &block);
}

static inline void bench_connect(struct bench *bench)
{
    assert_int_equal(bench->driver->open(&bench->conf, &bench->counters, &bench->link), 0);
    if (bench->driver->connect(bench->link, bench->why, sizeof bench->why) != 0)
        fail_msg("connect: %s", bench->why);
    rh_clock_precise();
}

/* A raw pty; its other end is the port. */
static inline void bench_pty(struct bench *bench)
{
    assert_int_equal(openpty(&bench->slave.fd, &bench->tty, bench->port, NULL, NULL), 0);
    struct termios raw;
    tcgetattr(bench->tty, &raw);
    cfmakeraw(&raw);
    tcsetattr(bench->tty, TCSANOW, &raw);
    bench->options.port = bench->port;
}

static inline void bench_open_rtu(struct bench *bench,
                                  void (*answer)(struct slave *slave, const struct request *request))
{
    bench_conf(bench, &rh_driver_modbus_rtu);
    bench_pty(bench);
    atomic_store(&bench->slave.answer, answer);
    slave_start(&bench->slave);
    bench_connect(bench);
}

/* The slave listens on loopback; the line's host is its address. */
static inline void bench_open_socket(struct bench *bench, const struct rh_driver *driver,
                                     void (*answer)(struct slave *slave, const struct request *request))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bench_conf(bench, driver);
    bench->slave.tcp = true;
    bench->slave.mbap = driver == &rh_driver_modbus_tcp;
    bench->slave.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bench->slave.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bench->slave.listener, 4), 0);
    assert_int_equal(getsockname(bench->slave.listener, (struct sockaddr *)&address, &len), 0);
    snprintf(bench->port, sizeof bench->port, "127.0.0.1:%u", ntohs(address.sin_port));
    bench->options.host = bench->port;
    atomic_store(&bench->slave.answer, answer);
    slave_start(&bench->slave);
    bench_connect(bench);
}

static inline void bench_close(struct bench *bench)
{
    const int fds[] = {bench->tty, bench->slave.listener};
    slave_stop(&bench->slave);
    bench->driver->close(bench->link);
    if (bench->slave.fd >= 0)
        close(bench->slave.fd);
    for (size_t i = 0; i < RH_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

#endif
