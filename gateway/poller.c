/* SPDX-License-Identifier: MIT */
/*
 * The poller's day: connect, ask the schedule what is due, poll it, tell the points what came of it.
 *
 * Invariant: every point has a known quality in its filter state, and every change of it has been pushed.
 * When the ring had to drop records (the keeper is behind), the states of all devices are pushed again, so
 * that the retained `state` topics stay true.
 */
#include "gateway/poller.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/filter.h"
#include "gateway/record.h"
#include "gateway/schedule.h"
#include "gateway/thread.h"

#define WAIT_MAX_US 1000000

struct rh_poller {
    struct rh_thread thread;
    char part[RH_NAME_MAX + 8]; /* "line NAME", for the log */
    const struct rh_line_conf *line;
    const struct rh_driver *driver;
    struct rh_ring *ring;
    struct rh_poller_view view;
    struct rh_plan plan;
    struct rh_link *link;
    struct rh_schedule *schedule;
    struct rh_filter_state *filters; /* one per point */
    bool connected;
    bool told_lost;     /* the loss of the port is in the log */
    bool states_due;    /* the ring dropped records: say all states again */
    unsigned attempts;  /* to connect, since the port was lost */
    int64_t connect_us; /* when to try next */
};

static void push(struct rh_poller *poller, const struct rh_record *record, size_t body)
{
    if (rh_ring_push(poller->ring, record, offsetof(struct rh_record, reading) + body) > 0)
        poller->states_due = true;
}

static void push_state(struct rh_poller *poller, uint32_t device, bool online)
{
    struct rh_record record = {.kind = RH_RECORD_DEVICE, .device = {.device = device, .online = online}};

    push(poller, &record, sizeof(record.device));
}

static void push_states(struct rh_poller *poller)
{
    poller->states_due = false;
    for (uint32_t d = 0; d < poller->line->n_devices; d++) {
        const struct rh_device_state *state = rh_schedule_device(poller->schedule, d);
        if (state->seen || state->offline)
            push_state(poller, d, state->seen && !state->offline);
    }
}

static void push_reading(struct rh_poller *poller, const struct rh_reading *reading)
{
    struct rh_record record = {.kind = RH_RECORD_READING};
    const struct rh_point *point = &poller->line->points[reading->point];

    record.reading = *reading;
    if (!rh_filter_pass(point, &poller->filters[reading->point], &record.reading))
        return;
    rh_count(&poller->view.readings, 1);
    push(poller, &record, rh_reading_size(&record.reading));
}

/* All points of a slice of the plan's order get the same bad quality, now. */
static void push_quality(struct rh_poller *poller, const struct rh_block *block, enum rh_quality quality,
                         uint8_t detail)
{
    struct rh_reading reading = {.quality = (uint8_t)quality, .detail = detail};

    reading.mono_us = rh_mono_us();
    reading.wall_ms = rh_wall_of(reading.mono_us);
    for (uint32_t i = 0; i < block->count; i++) {
        reading.point = poller->plan.order[block->first + i];
        reading.urgent = poller->line->points[reading.point].class_ == RH_CLASS_URGENT;
        push_reading(poller, &reading);
    }
}

static void push_device_quality(struct rh_poller *poller, const struct rh_device_conf *device,
                                enum rh_quality quality)
{
    struct rh_reading reading = {.quality = (uint8_t)quality};

    reading.mono_us = rh_mono_us();
    reading.wall_ms = rh_wall_of(reading.mono_us);
    for (uint32_t i = 0; i < device->n_points; i++) {
        reading.point = device->first_point + i;
        push_reading(poller, &reading);
    }
}

static void count_online(struct rh_poller *poller)
{
    int64_t online = 0;

    for (uint32_t d = 0; d < poller->line->n_devices; d++) {
        const struct rh_device_state *state = rh_schedule_device(poller->schedule, d);
        online += state->seen && !state->offline;
    }
    rh_gauge_set(&poller->view.devices_online, online);
}

static void device_online(struct rh_poller *poller, uint32_t d)
{
    const struct rh_device_conf *device = &poller->line->devices[d];

    rh_log_device(RH_LOG_NOTICE, poller->part, device->name, "%s (address %s) answers", device->name,
                  device->address);
    push_state(poller, d, true);
    count_online(poller);
}

static void device_offline(struct rh_poller *poller, uint32_t d, const char *why)
{
    const struct rh_device_conf *device = &poller->line->devices[d];

    rh_log_device(RH_LOG_WARNING, poller->part, device->name,
                  "%s (address %s) is offline: %s; asked again every 10 s at most", device->name,
                  device->address, why);
    push_device_quality(poller, device, RH_OFFLINE);
    push_state(poller, d, false);
    count_online(poller);
}

static void sink_reading(void *context, const struct rh_reading *reading)
{
    push_reading(context, reading);
}

static void sink_heard(void *context, uint32_t device)
{
    struct rh_poller *poller = context;

    if (rh_schedule_answered(poller->schedule, device, rh_mono_us()) == RH_EVENT_ONLINE)
        device_online(poller, device);
}

static void sink_late(void *context, const struct rh_block *block)
{
    sink_heard(context, block->device);
}

/* What the outcome of a poll means for the points that were asked for. */
static void tell_points(struct rh_poller *poller, const struct rh_block *block, enum rh_poll_outcome outcome,
                        const struct rh_poll_result *result, enum rh_poll_event event)
{
    if (event == RH_EVENT_OFFLINE || event == RH_EVENT_SPLIT || event == RH_EVENT_AGAIN)
        return; /* said for the whole device, or not decided yet */
    if (rh_schedule_device(poller->schedule, block->device)->offline)
        return;
    if (event == RH_EVENT_UNSUPPORTED)
        push_quality(poller, block, RH_UNSUPPORTED, 0);
    else if (outcome == RH_POLL_TIMEOUT)
        push_quality(poller, block, RH_TIMEOUT, 0);
    else if (outcome == RH_POLL_GARBAGE)
        push_quality(poller, block, RH_CRC, 0);
    else if (outcome == RH_POLL_EXCEPTION)
        push_quality(poller, block, RH_EXCEPTION, result->exception);
}

static const char *failure_text(enum rh_poll_outcome outcome)
{
    switch (outcome) {
    case RH_POLL_GARBAGE:
        return "only damaged answers";
    case RH_POLL_EXCEPTION:
        return "the gateway in front of it says that it does not answer";
    case RH_POLL_OK:
    case RH_POLL_TIMEOUT:
    case RH_POLL_CLOSED:
    case RH_POLL_NOTHING:
    case RH_POLL_LOST:
        break;
    }
    return "no answer";
}

static void tell_event(struct rh_poller *poller, const struct rh_block *block, enum rh_poll_outcome outcome,
                       const struct rh_poll_result *result, enum rh_poll_event event)
{
    if (event == RH_EVENT_ONLINE)
        device_online(poller, block->device);
    else if (event == RH_EVENT_OFFLINE)
        device_offline(poller, block->device, failure_text(outcome));
    else if (event == RH_EVENT_UNSUPPORTED)
        rh_log_device(RH_LOG_WARNING, poller->part, poller->line->devices[block->device].name,
                      "%s refuses %s (exception %u); asked again every 10 min",
                      poller->line->devices[block->device].name,
                      poller->line->points[poller->plan.order[block->first]].name, result->exception);
    tell_points(poller, block, outcome, result, event);
}

/* The port is gone: give the node back to the kernel at once, and look for it again soon. */
static void lose_port(struct rh_poller *poller, int error)
{
    poller->driver->disconnect(poller->link);
    poller->connected = false;
    poller->attempts = 0;
    poller->connect_us = rh_mono_us();
    rh_gauge_set(&poller->view.connected, 0);
    rh_log(RH_LOG_WARNING, poller->part, "connection lost: %s", strerror(-error));
}

/* 250 ms four times, then 1, 2, 5 s. */
static int64_t connect_pause_us(unsigned attempts)
{
    static const int64_t pauses_ms[] = {250, 250, 250, 250, 1000, 2000, 5000};
    size_t last = RH_COUNT(pauses_ms) - 1;

    return pauses_ms[attempts < last ? attempts : last] * 1000;
}

static void tell_lost(struct rh_poller *poller, const char *why)
{
    rh_log(RH_LOG_ERROR, poller->part, "%s", why);
    poller->told_lost = true;
    for (uint32_t d = 0; d < poller->line->n_devices; d++) {
        push_device_quality(poller, &poller->line->devices[d], RH_OFFLINE);
        push_state(poller, d, false);
    }
    rh_gauge_set(&poller->view.devices_online, 0);
}

static void try_connect(struct rh_poller *poller)
{
    char why[256] = "";
    int r = poller->driver->connect(poller->link, why, sizeof(why));

    if (r < 0) {
        poller->connect_us = rh_mono_us() + connect_pause_us(poller->attempts++);
        if (!poller->told_lost)
            tell_lost(poller, why[0] ? why : strerror(-r));
        return;
    }
    rh_log(RH_LOG_NOTICE, poller->part, "connected");
    poller->connected = true;
    poller->told_lost = false;
    rh_gauge_set(&poller->view.connected, 1);
    rh_schedule_restart(poller->schedule, rh_mono_us());
    poller->states_due = true;
}

static void poll_once(struct rh_poller *poller, uint32_t slot)
{
    const struct rh_sink sink = {.context = poller,
                                 .wake = poller->thread.bell,
                                 .heard = sink_heard,
                                 .reading = sink_reading,
                                 .late = sink_late};
    struct rh_block block = *rh_schedule_block(poller->schedule, slot);
    struct rh_poll_result result = {.start_us = rh_mono_us()};
    enum rh_poll_outcome outcome =
        poller->driver->poll(poller->link, poller->plan.order, &block, &sink, &result);

    rh_count(&poller->view.polls, 1);
    if (outcome == RH_POLL_LOST) {
        lose_port(poller, result.error);
        return;
    }
    enum rh_poll_event event = rh_schedule_done(poller->schedule, slot, outcome, &result, rh_mono_us());
    tell_event(poller, &block, outcome, &result, event);
}

/* Waits for the bell, the port's appearance, or the time; never longer than a beat. */
static void wait_until(struct rh_poller *poller, int64_t until_us)
{
    int64_t now_us = rh_mono_us();
    struct pollfd fds[2] = {
        {.fd = poller->thread.bell, .events = POLLIN},
        {.fd = poller->connected ? -1 : poller->driver->watch(poller->link), .events = POLLIN}};

    if (until_us > now_us + WAIT_MAX_US)
        until_us = now_us + WAIT_MAX_US;
    struct timespec left = {.tv_sec = (time_t)((until_us - now_us) / 1000000),
                            .tv_nsec = (long)((until_us - now_us) % 1000000) * 1000};
    if (until_us <= now_us || ppoll(fds, 2, &left, NULL) <= 0)
        return;
    if (fds[0].revents)
        rh_bell_clear(poller->thread.bell);
    if (fds[1].revents)
        poller->connect_us = rh_mono_us();
}

static void step(struct rh_poller *poller)
{
    int64_t now_us = rh_mono_us();

    rh_gauge_set(&poller->view.beat_us, now_us);
    if (!poller->connected) {
        if (now_us >= poller->connect_us)
            try_connect(poller);
        if (!poller->connected)
            wait_until(poller, poller->connect_us);
        return;
    }
    if (poller->states_due)
        push_states(poller);
    struct rh_pick pick = rh_schedule_next(poller->schedule, now_us);
    if (pick.kind == RH_PICK_WAIT)
        wait_until(poller, pick.until_us);
    else
        poll_once(poller, pick.slot);
}

static void *body(void *context)
{
    struct rh_poller *poller = context;

    rh_clock_precise();
    while (!rh_thread_stopping(&poller->thread))
        step(poller);
    poller->driver->disconnect(poller->link);
    return NULL;
}

static int build(struct rh_poller *poller)
{
    int r = poller->driver->plan(poller->line, &poller->plan);

    if (r == 0)
        r = poller->driver->open(poller->line, &poller->view.line, &poller->link);
    if (r == 0)
        r = rh_schedule_new(poller->driver, poller->line, &poller->plan, rh_mono_us(), &poller->schedule);
    if (r < 0)
        return r;
    poller->filters = calloc(poller->line->n_points + 1, sizeof(*poller->filters));
    return poller->filters ? 0 : -ENOMEM;
}

int rh_poller_new(const struct rh_line_conf *line, struct rh_ring *ring, struct rh_poller **ret_poller)
{
    struct rh_poller *poller = calloc(1, sizeof(*poller));

    if (!poller)
        return -ENOMEM;
    snprintf(poller->part, sizeof(poller->part), "line %s", line->name);
    poller->line = line;
    poller->ring = ring;
    poller->driver = rh_driver_of(line->schema);
    rh_gauge_set(&poller->view.beat_us, rh_mono_us());
    int r = rh_thread_init(&poller->thread);
    if (r == 0)
        r = build(poller);
    if (r < 0) {
        rh_poller_free(poller);
        return r;
    }
    *ret_poller = poller;
    return 0;
}

int rh_poller_start(struct rh_poller *poller)
{
    char name[16];

    snprintf(name, sizeof(name), "line-%.10s", poller->line->name);
    return rh_thread_start(&poller->thread, name, body, poller);
}

void rh_poller_stop(struct rh_poller *poller)
{
    rh_thread_stop(&poller->thread);
}

void rh_poller_free(struct rh_poller *poller)
{
    if (!poller)
        return;
    rh_thread_fini(&poller->thread);
    rh_schedule_free(poller->schedule);
    if (poller->link)
        poller->driver->close(poller->link);
    rh_plan_fini(&poller->plan);
    free(poller->filters);
    free(poller);
}

const struct rh_poller_view *rh_poller_view(const struct rh_poller *poller)
{
    return &poller->view;
}

const struct rh_line_conf *rh_poller_line(const struct rh_poller *poller)
{
    return poller->line;
}
