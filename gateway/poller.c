/* SPDX-License-Identifier: MIT */
/*
 * The poller's day: connect, ask the schedule what is due, poll it, tell the points what came of it.
 *
 * Invariant: every point has a known quality in its filter state, and every change of it has been pushed.
 * When the ring had to drop records (the keeper is behind), the states of all devices are pushed again, so
 * that the retained `state` topics stay true.
 */
#include "gateway/poller_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/messages.h"

#define WAIT_MAX_US 1000000
#define COMMANDS_IN_ROW 2 /* then a released read has its turn */
#define COMMAND_RING_BYTES ((size_t)128 * 1024)

static void push_states(struct rh_poller *poller)
{
    poller->outlet.dropped = false;
    for (uint32_t d = 0; d < poller->line->n_devices; d++) {
        const struct rh_device_state *state = rh_schedule_device(poller->schedule, d);
        if (state->seen || state->offline)
            rh_outlet_state(&poller->outlet, d, state->seen && !state->offline);
    }
}

static void tell_device(struct rh_poller *poller, enum rh_log_level level, uint32_t d, const char *what)
{
    const struct rh_device_conf *device = &poller->line->devices[d];
    char who[2 * RH_NAME_MAX];
    struct rh_text text;

    rh_text_init(&text, who, sizeof(who));
    rh_message_device(&text, device);
    rh_log_device(level, poller->part, device->name, "%s %s", who, what);
}

static void device_online(struct rh_poller *poller, uint32_t d)
{
    int64_t away_s = (rh_mono_us() - poller->offline_us[d]) / 1000000;
    char what[64] = "answers";

    if (poller->offline_us[d] != 0)
        snprintf(what, sizeof(what), "answers again after %lld s", (long long)away_s);
    tell_device(poller, RH_LOG_NOTICE, d, what);
    poller->offline_us[d] = 0;
    rh_outlet_state(&poller->outlet, d, true);
    rh_poller_show(poller);
}

static void device_offline(struct rh_poller *poller, uint32_t d, const char *why)
{
    char what[128];

    snprintf(what, sizeof(what), "is offline: %s", why);
    tell_device(poller, RH_LOG_WARNING, d, what);
    poller->offline_us[d] = rh_mono_us();
    rh_outlet_offline(&poller->outlet, d);
    rh_poller_show(poller);
}

/* A valid frame: whoever is at the other end is worth connecting to at once. */
static void proven(struct rh_poller *poller)
{
    poller->heard = true;
    poller->told_lost = false;
    poller->attempts = 0;
}

static void sink_reading(void *context, const struct rh_reading *reading)
{
    struct rh_poller *poller = context;

    rh_outlet_reading(&poller->outlet, reading);
}

static void sink_heard(void *context, uint32_t device)
{
    struct rh_poller *poller = context;
    struct rh_poll_result heard = {.turnaround_us = -1};

    proven(poller);
    if (poller->listening)
        rh_device_stats_add(&poller->view.devices[device], RH_POLL_OK, &heard, rh_mono_us());
    if (rh_schedule_answered(poller->schedule, device, rh_mono_us()) == RH_EVENT_ONLINE)
        device_online(poller, device);
}

static void sink_silent(void *context, uint32_t device)
{
    struct rh_poller *poller = context;

    if (rh_schedule_silent(poller->schedule, device, rh_mono_us()) == RH_EVENT_OFFLINE)
        device_offline(poller, device, "nothing is heard of it");
}

static void sink_late(void *context, const struct rh_block *block)
{
    sink_heard(context, block->device);
}

static void push_quality(struct rh_poller *poller, const struct rh_block *block, enum rh_quality quality,
                         uint8_t detail)
{
    rh_outlet_quality(&poller->outlet, &poller->plan.order[block->first], block->count, quality, detail);
}

/* What the outcome of a poll means for the points that were asked for. */
static void tell_points(struct rh_poller *poller, const struct rh_block *block, enum rh_poll_outcome outcome,
                        const struct rh_poll_result *result, enum rh_poll_event event)
{
    if (event == RH_EVENT_OFFLINE || event == RH_EVENT_SPLIT || event == RH_EVENT_AGAIN)
        return; /* said for the whole device, or not decided yet */
    if (rh_schedule_device(poller->schedule, block->device)->offline) {
        rh_outlet_still_offline(&poller->outlet, block->device);
        return;
    }
    if (event == RH_EVENT_UNSUPPORTED)
        push_quality(poller, block, RH_UNSUPPORTED, 0);
    else if (outcome == RH_POLL_TIMEOUT)
        push_quality(poller, block, RH_TIMEOUT, 0);
    else if (outcome == RH_POLL_GARBAGE)
        push_quality(poller, block, RH_CRC, 0);
    else if (outcome == RH_POLL_EXCEPTION)
        push_quality(poller, block, RH_EXCEPTION, result->exception);
}

static void tell_event(struct rh_poller *poller, const struct rh_block *block, enum rh_poll_outcome outcome,
                       const struct rh_poll_result *result, enum rh_poll_event event)
{
    if (event == RH_EVENT_ONLINE)
        device_online(poller, block->device);
    else if (event == RH_EVENT_OFFLINE)
        device_offline(poller, block->device, rh_poll_failure_text(outcome));
    else if (event == RH_EVENT_UNSUPPORTED)
        rh_log_device(RH_LOG_WARNING, poller->part, poller->line->devices[block->device].name,
                      "%s refuses %s (exception %u); asked again every 10 min",
                      poller->line->devices[block->device].name,
                      poller->line->points[poller->plan.order[block->first]].name, result->exception);
    tell_points(poller, block, outcome, result, event);
}

static void poll_once(struct rh_poller *poller, uint32_t slot)
{
    struct rh_block block = *rh_schedule_block(poller->schedule, slot);
    struct rh_poll_result result = {.start_us = rh_mono_us()};
    poller->listening = block.listens;
    enum rh_poll_outcome outcome =
        poller->driver->poll(poller->link, poller->plan.order, &block, &poller->sink, &result);

    poller->commands_in_row = 0;
    if (block.listens)
        rh_bell_clear(poller->thread.bell); /* it ended the poll; what it rang for is looked at next */
    rh_count(&poller->view.polls, 1);
    if (outcome == RH_POLL_LOST) {
        rh_poller_lost(poller, result.error);
        return;
    }
    if (outcome == RH_POLL_OK || outcome == RH_POLL_EXCEPTION)
        proven(poller);
    enum rh_poll_event event = rh_schedule_done(poller->schedule, slot, outcome, &result, rh_mono_us());
    if (!block.listens)
        rh_device_stats_add(&poller->view.devices[block.device], outcome, &result, rh_mono_us());
    atomic_store(&poller->view.missed, rh_schedule_missed(poller->schedule));
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

/* Commands go ahead of polls, but two in a row at most while a read is due. */
static bool command_first(struct rh_poller *poller, const struct rh_pick *pick, int64_t now_us)
{
    if (!poller->execute || !rh_execute_due(poller->execute, now_us))
        return false;
    return poller->commands_in_row < COMMANDS_IN_ROW || pick->kind == RH_PICK_WAIT;
}

static void command_once(struct rh_poller *poller)
{
    struct rh_poll_result result = {.start_us = rh_mono_us()};

    poller->commands_in_row++;
    rh_count(&poller->view.commands, 1);
    if (rh_execute_step(poller->execute, &result) == RH_POLL_LOST)
        rh_poller_lost(poller, result.error);
}

static void step_away(struct rh_poller *poller, int64_t now_us)
{
    if (now_us >= poller->connect_us)
        rh_poller_connect(poller);
    if (poller->connected)
        return;
    if (poller->execute)
        rh_execute_refuse_all(poller->execute);
    wait_until(poller, poller->connect_us);
}

static int64_t wake_us(const struct rh_poller *poller, const struct rh_pick *pick)
{
    int64_t command_us = poller->execute ? rh_execute_wake_us(poller->execute) : RH_NEVER;

    return command_us < pick->until_us ? command_us : pick->until_us;
}

static void step(struct rh_poller *poller)
{
    int64_t now_us = rh_mono_us();

    rh_gauge_set(&poller->view.beat_us, now_us);
    if (!poller->connected) {
        step_away(poller, now_us);
        return;
    }
    if (poller->outlet.dropped)
        push_states(poller);
    struct rh_pick pick = rh_schedule_next(poller->schedule, now_us);
    if (command_first(poller, &pick, now_us))
        command_once(poller);
    else if (pick.kind == RH_PICK_WAIT)
        wait_until(poller, wake_us(poller, &pick));
    else
        poll_once(poller, pick.slot);
}

static void *body(void *context)
{
    struct rh_poller *poller = context;

    rh_clock_precise();
    while (!rh_thread_stopping(&poller->thread))
        step(poller);
    if (poller->execute)
        rh_execute_refuse_all(poller->execute); /* whoever asked is not left waiting */
    poller->driver->disconnect(poller->link);
    return NULL;
}

static int build_execute(struct rh_poller *poller, const struct rh_poller_options *options)
{
    struct rh_execute_options execute = {.driver = poller->driver,
                                         .line = poller->line,
                                         .link = poller->link,
                                         .plan = &poller->plan,
                                         .outlet = &poller->outlet,
                                         .sink = &poller->sink};

    if (!poller->driver->write)
        return 0;
    int r = rh_ring_new(COMMAND_RING_BYTES, poller->thread.bell, &poller->commands);
    if (r < 0)
        return r;
    execute.commands = poller->commands;
    memcpy(execute.answers, options->answers, sizeof(execute.answers));
    return rh_execute_new(&execute, &poller->execute);
}

static int build(struct rh_poller *poller, const struct rh_poller_options *options)
{
    int r = poller->driver->plan(poller->line, &poller->plan);

    poller->sink = (struct rh_sink){.context = poller,
                                    .wake = poller->thread.bell,
                                    .heard = sink_heard,
                                    .reading = sink_reading,
                                    .late = sink_late,
                                    .silent = sink_silent};
    if (r == 0)
        r = poller->driver->open(poller->line, &poller->view.line, &poller->link);
    if (r == 0)
        r = rh_schedule_new(poller->driver, poller->line, &poller->plan, rh_mono_us(), &poller->schedule);
    if (r == 0)
        r = build_execute(poller, options);
    if (r == 0)
        r = rh_outlet_init(&poller->outlet, poller->line, options->ring, &poller->view.readings);
    return r;
}

int rh_poller_new(const struct rh_poller_options *options, struct rh_poller **ret_poller)
{
    struct rh_poller *poller = calloc(1, sizeof(*poller));

    if (!poller)
        return -ENOMEM;
    poller->line = options->line;
    snprintf(poller->part, sizeof(poller->part), "line %s", poller->line->name);
    poller->driver = rh_driver_of(poller->line->schema);
    rh_gauge_set(&poller->view.beat_us, rh_mono_us());
    poller->offline_us = calloc(poller->line->n_devices + 1, sizeof(*poller->offline_us));
    poller->view.devices = calloc(poller->line->n_devices + 1, sizeof(*poller->view.devices));
    int r = rh_thread_init(&poller->thread);
    if (r == 0)
        r = poller->view.devices && poller->offline_us ? build(poller, options) : -ENOMEM;
    if (r < 0) {
        rh_poller_free(poller);
        return r;
    }
    *ret_poller = poller;
    return 0;
}

bool rh_poller_command(struct rh_poller *poller, const struct rh_command *command)
{
    return poller->commands && rh_ring_offer(poller->commands, command, rh_command_size(command));
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
    rh_execute_free(poller->execute);
    rh_ring_free(poller->commands);
    if (poller->link)
        poller->driver->close(poller->link);
    rh_plan_fini(&poller->plan);
    rh_outlet_fini(&poller->outlet);
    free(poller->view.devices);
    free(poller->offline_us);
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
