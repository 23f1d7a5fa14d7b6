/* SPDX-License-Identifier: MIT */
/*
 * uart.c - the driver: it asks, or it listens.
 *
 *   ask      request -> bytes -> the frame of the answer, or the time has come; again `retries` times
 *   listen   bytes -> whatever frames come, until one has, or the poller has something else to do
 *
 * A sensor that speaks unasked is never waited for: when it falls silent its values become stale, then it is
 * offline, and the first frame it sends brings it back.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>

#include "core/clock.h"
#include "drivers/uart_link.h"

#define READ_MAX 4096
#define SEVEN_BITS 7

/* 1: bytes came; 0: the time has come, or the poller calls (*ret_called); negative errno: the port is gone.
 */
static int receive(struct rh_link *link, int64_t until_us, int wake, bool *ret_called)
{
    uint8_t bytes[READ_MAX];
    struct pollfd fds[2] = {{.fd = link->line.fd, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
    int64_t now_us = rh_mono_us(), left_us = until_us > now_us ? until_us - now_us : 0;
    struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    int ready = ppoll(fds, 2, &left, NULL);
    if (ready < 0)
        return errno == EINTR ? 0 : -errno;
    *ret_called = fds[1].revents != 0;
    if (fds[0].revents == 0)
        return 0;
    ssize_t n = rh_line_read(&link->line, now_us, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 ? (int)n : 0;
    rh_count(&link->counters->bytes_received, (uint64_t)n);
    for (ssize_t i = 0; i < n && link->options->data_bits == SEVEN_BITS; i++)
        bytes[i] &= 0x7F;
    rh_uart_deliver(link, bytes, (size_t)n, rh_mono_us());
    return 1;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Once round: waits at most until the absolute time, takes what comes, and what gaps end. */
static int take_some(struct rh_link *link, int64_t until_us, int wake, bool *ret_called)
{
    int n = receive(link, sooner(until_us, rh_uart_next_gap_us(link)), wake, ret_called);
    if (n == 0)
        rh_uart_deliver_gaps(link, rh_mono_us());
    return n;
}

static int hear(struct rh_link *link, int64_t until_us)
{
    bool called = false;
    int n = 0;
    while (n >= 0 && !called && link->exchange.taken == 0) {
        int64_t now_us = rh_mono_us(), silent_us = rh_uart_tell_silent(link, now_us);
        if (now_us >= until_us)
            return 0;
        n = take_some(link, sooner(until_us, silent_us), link->sink->wake, &called);
    }
    return n < 0 ? n : 0;
}

static int64_t timeout_us(const struct rh_link *link, const struct rh_device_conf *device)
{
    const struct rh_uart_device *options = device->options;
    return 1000 * (options->timeout_ms > 0 ? options->timeout_ms : link->options->timeout_ms);
}

/* What came before the request is no answer to it: it is for those who listen. */
static int pass_over(struct rh_link *link)
{
    bool called = false;
    int n;
    link->exchange = (struct rh_uart_exchange){.device = RH_UART_NOBODY, .period_ms = -1};
    while ((n = receive(link, 0, -1, &called)) > 0 && link->exchange.bytes < 4 * READ_MAX)
        ;
    return n < 0 ? n : 0;
}

/* One request and what follows. 0 or a negative errno. */
static int ask_once(struct rh_link *link, const struct rh_block *block)
{
    const struct rh_device_conf *device = &link->conf->devices[block->device];
    uint32_t group = block->function == 0 ? rh_uart_own_group(device) : block->function - 1U;
    const struct rh_uart_text *request = rh_uart_request_of(device, group);
    bool called = false;
    int n = pass_over(link);
    if (n < 0)
        return n;
    if (!link->units[block->device].listens)
        rh_uart_framer_reset(link->streams[link->units[block->device].stream].framer);
    link->exchange = (struct rh_uart_exchange){
        .device = block->device, .request = block->function, .period_ms = block->period_ms};
    n = rh_line_write(&link->line, request->bytes, request->len);
    rh_count(&link->counters->transactions, 1);
    rh_count(&link->counters->bytes_sent, request->len);
    int64_t until_us =
        rh_mono_us() + llround((double)request->len * link->char_us) + timeout_us(link, device);
    while (n >= 0 && !link->exchange.answered && rh_mono_us() < until_us)
        n = take_some(link, until_us, -1, &called);
    return n < 0 ? n : 0;
}

/* 0 or a negative errno; link->exchange tells the rest. */
static int ask(struct rh_link *link, const struct rh_block *block)
{
    const struct rh_uart_device *options = link->conf->devices[block->device].options;
    int error = 0;
    for (int64_t left = options->retries; left >= 0 && !error; left--) {
        error = ask_once(link, block);
        if (link->exchange.answered)
            return error;
        rh_line_drop_output(&link->line);
    }
    return error;
}

static enum rh_poll_outcome outcome_of(struct rh_link *link, bool listens)
{
    if (listens)
        return RH_POLL_NOTHING;
    if (link->exchange.answered)
        return RH_POLL_OK;
    if (link->exchange.bytes > 0 && link->exchange.frames == 0)
        return RH_POLL_GARBAGE;
    rh_count(&link->counters->timeouts, 1);
    return RH_POLL_TIMEOUT;
}

enum rh_poll_outcome rh_uart_poll(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                  const struct rh_sink *sink, struct rh_poll_result *ret_result)
{
    (void)order;
    *ret_result = (struct rh_poll_result){.start_us = rh_mono_us()};
    link->sink = sink;
    link->exchange = (struct rh_uart_exchange){.device = RH_UART_NOBODY, .period_ms = -1};
    int error = -ENODEV;
    if (link->line.fd >= 0)
        error = block->listens ? hear(link, ret_result->start_us + block->cost_us) : ask(link, block);
    ret_result->end_us = rh_mono_us();
    if (!block->listens)
        rh_count(&link->counters->busy_us, (uint64_t)(ret_result->end_us - ret_result->start_us));
    if (!error)
        return outcome_of(link, block->listens);
    ret_result->error = error;
    rh_count(&link->counters->lost, 1);
    return RH_POLL_LOST;
}

static const struct rh_driver_schema schema = {
    .name = "uart",
    .help = "any sensor on a serial line that is described by its frames and fields",
    .line = &rh_uart_line_options,
    .device = &rh_uart_device_options,
    .point = &rh_uart_point_options,
    .group = &rh_uart_group_options,
    .line_size = sizeof(struct rh_uart_line),
    .device_size = sizeof(struct rh_uart_device),
    .address_size = sizeof(struct rh_uart_field),
    .group_size = sizeof(struct rh_uart_group),
    .address_optional = true,
    .text_labels = true,
    .parse_address = rh_uart_parse_address,
    .parse_point = rh_uart_parse_point,
    .check_device = rh_uart_check_device,
    .check_point = rh_uart_check_point,
    .check_line = rh_uart_check_line,
    .line_identity = rh_uart_line_identity,
    .speaks = rh_uart_speaks,
};

const struct rh_driver rh_driver_uart = {
    .schema = &schema,
    .plan = rh_uart_plan,
    .split = rh_uart_split,
    .open = rh_uart_open,
    .close = rh_uart_close,
    .connect = rh_uart_connect,
    .disconnect = rh_uart_disconnect,
    .watch = rh_uart_watch,
    .poll = rh_uart_poll,
};
