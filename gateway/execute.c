/* SPDX-License-Identifier: MIT */
/*
 *   IDLE --command--> WRITE --taken k--> READ BACK k times --> WRITE the rest … --> IDLE
 *   IDLE --command--> READ each point -----------------------------------------> IDLE
 *
 * `at` is the first point that has not been answered; points at..written were written by the last request.
 * Each of those is judged by itself, by what the write said and what reads back; what lies behind them is not
 * tried once a point has failed. A command has begun when a request of it was sent that the device may act
 * on: until then it can expire, and be refused for its rate or its step.
 */
#include "gateway/execute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "gateway/verify.h"

#define BUSY_FIRST_US 100000
#define BUSY_TRIES 4
#define CLOSED_TRIES 8
#define NO_POINT UINT32_MAX

/* Modbus exceptions that are no refusal. */
enum { ACCEPTED = 5, BUSY = 6, PATH_UNAVAILABLE = 10, TARGET_SILENT = 11 };

struct rh_execute {
    struct rh_execute_options options;
    struct rh_sink sink; /* captures, then passes on */
    uint32_t *slot_of;   /* point -> its place in the plan's order */
    int64_t *written_us; /* when a point was last written; 0: never */
    struct rh_command command;
    bool active, begun, failed;
    size_t at, written;
    enum rh_poll_outcome outcome; /* of the last write */
    uint8_t exception;
    bool has_old[RH_COMMAND_POINTS]; /* what the points were before the command */
    struct {
        uint8_t kind;
        uint64_t bits;
    } old[RH_COMMAND_POINTS];
    unsigned tries; /* of the transaction at hand */
    int64_t not_before_us;
    uint32_t captured_point; /* what is being read; NO_POINT between reads: late answers say nothing */
    bool captured;
    struct rh_reading capture;
};

static void sink_reading(void *context, const struct rh_reading *reading)
{
    struct rh_execute *execute = context;

    if (reading->point == execute->captured_point) {
        execute->capture = *reading;
        execute->captured = true;
    }
    execute->options.sink->reading(execute->options.sink->context, reading);
}

static void sink_late(void *context, const struct rh_block *block)
{
    struct rh_execute *execute = context;

    execute->options.sink->late(execute->options.sink->context, block);
}

static void sink_heard(void *context, uint32_t device)
{
    struct rh_execute *execute = context;

    execute->options.sink->heard(execute->options.sink->context, device);
}

int rh_execute_new(const struct rh_execute_options *options, struct rh_execute **ret_execute)
{
    struct rh_execute *execute = calloc(1, sizeof(*execute));

    if (!execute)
        return -ENOMEM;
    execute->options = *options;
    execute->sink = (struct rh_sink){
        .context = execute, .wake = -1, .heard = sink_heard, .reading = sink_reading, .late = sink_late};
    execute->slot_of = calloc(options->line->n_points + 1, sizeof(*execute->slot_of));
    execute->written_us = calloc(options->line->n_points + 1, sizeof(*execute->written_us));
    execute->captured_point = NO_POINT;
    if (!execute->slot_of || !execute->written_us) {
        rh_execute_free(execute);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < options->plan->n_points; i++)
        execute->slot_of[options->plan->order[i]] = i;
    *ret_execute = execute;
    return 0;
}

void rh_execute_free(struct rh_execute *execute)
{
    if (!execute)
        return;
    free(execute->slot_of);
    free(execute->written_us);
    free(execute);
}

/* The asker's ring is as large as all of its commands: an answer that does not fit has no reader any more. */
static void answer(struct rh_execute *execute, enum rh_command_status status, enum rh_command_code code,
                   uint8_t detail)
{
    const struct rh_command *command = &execute->command;
    struct rh_ring *ring = execute->options.answers[command->origin];
    struct rh_answer record = {.serial = command->serial,
                               .point = command->values[execute->at].point,
                               .status = (uint8_t)status,
                               .code = (uint8_t)code,
                               .detail = detail};

    record.reading = execute->capture;
    if (!execute->captured)
        record.reading = (struct rh_reading){
            .point = record.point, .quality = RH_NA, .mono_us = rh_mono_us(), .wall_ms = rh_wall_ms()};
    if (command->kind == RH_COMMAND_SET) {
        record.has_old = execute->has_old[execute->at];
        record.old.kind = execute->old[execute->at].kind;
        record.old.bits = execute->old[execute->at].bits;
    }
    execute->failed = execute->failed || status != RH_STATUS_OK;
    execute->at++;
    record.last = execute->at == command->n && !command->more;
    execute->active = execute->at < command->n;
    execute->tries = 0;
    execute->captured = false;
    if (ring)
        rh_ring_push(ring, &record, offsetof(struct rh_answer, reading) + rh_reading_size(&record.reading));
}

static void answer_rest(struct rh_execute *execute, enum rh_command_status status, enum rh_command_code code)
{
    execute->captured = false;
    while (execute->active)
        answer(execute, status, code, 0);
}

/* Notes what the points are before they are written; false if one would change by more than it may. */
static bool note_old(struct rh_execute *execute)
{
    bool allowed = true;

    for (uint16_t i = 0; i < execute->command.n; i++) {
        const struct rh_command_value *wanted = &execute->command.values[i];
        const struct rh_point *point = &execute->options.line->points[wanted->point];
        struct rh_value old = {0};
        double change = 0, number = 0;
        bool known = rh_outlet_number(execute->options.outlet, wanted->point, &old);

        execute->has_old[i] = known;
        execute->old[i].kind = old.kind;
        execute->old[i].bits = old.kind == RH_VALUE_BOOL ? old.boolean : old.u64;
        if (point->max_delta > 0 && rh_value_number(&wanted->value, &number))
            allowed = allowed && known && rh_verify_distance(&old, &wanted->value, &change) &&
                      change <= point->max_delta;
    }
    return allowed;
}

static bool too_soon(const struct rh_execute *execute, int64_t now_us)
{
    for (uint16_t i = 0; i < execute->command.n; i++) {
        uint32_t p = execute->command.values[i].point;
        int64_t interval_us = execute->options.line->points[p].min_interval_ms * 1000;

        if (execute->written_us[p] != 0 && now_us - execute->written_us[p] < interval_us)
            return true;
    }
    return false;
}

/* False: it has been answered, and nothing was done. */
static bool may_go_on(struct rh_execute *execute, int64_t now_us)
{
    bool set = execute->command.kind == RH_COMMAND_SET;

    if (execute->begun)
        return true;
    bool allowed = !set || note_old(execute);
    if (now_us > execute->command.expires_us)
        answer_rest(execute, RH_STATUS_EXPIRED, RH_CODE_NONE);
    else if (set && too_soon(execute, now_us))
        answer_rest(execute, RH_STATUS_REJECTED, RH_CODE_RATE);
    else if (!allowed)
        answer_rest(execute, RH_STATUS_REJECTED, RH_CODE_RANGE);
    return execute->active;
}

/* The next command of the ring; false if there is none. */
static bool take_next(struct rh_execute *execute)
{
    do {
        if (rh_ring_pop(execute->options.commands, &execute->command, sizeof(execute->command)) == 0)
            return false;
    } while (execute->command.n == 0);
    execute->active = true;
    execute->begun = execute->failed = execute->captured = false;
    execute->at = execute->written = 0;
    execute->tries = 0;
    execute->not_before_us = 0;
    return true;
}

bool rh_execute_due(struct rh_execute *execute, int64_t now_us)
{
    while (!execute->active || !may_go_on(execute, now_us))
        if (!execute->active && !take_next(execute))
            return false;
    return now_us >= execute->not_before_us;
}

int64_t rh_execute_wake_us(const struct rh_execute *execute)
{
    return execute->active ? execute->not_before_us : RH_NEVER;
}

static enum rh_command_code code_of(enum rh_poll_outcome outcome)
{
    switch (outcome) {
    case RH_POLL_GARBAGE:
        return RH_CODE_CRC;
    case RH_POLL_EXCEPTION:
        return RH_CODE_EXCEPTION;
    case RH_POLL_LOST:
        return RH_CODE_OFFLINE;
    case RH_POLL_OK:
    case RH_POLL_TIMEOUT:
    case RH_POLL_CLOSED:
    case RH_POLL_NOTHING:
        break;
    }
    return RH_CODE_TIMEOUT;
}

/* True if the same transaction is to be tried again a little later: the unit still owes an answer, or it is
 * busy (exception 6). */
static bool try_again(struct rh_execute *execute, enum rh_poll_outcome outcome,
                      const struct rh_poll_result *result)
{
    bool busy = outcome == RH_POLL_EXCEPTION && result->exception == BUSY;

    if (outcome == RH_POLL_CLOSED && execute->tries < CLOSED_TRIES)
        execute->not_before_us = result->closed_until_us;
    else if (busy && execute->tries < BUSY_TRIES)
        execute->not_before_us = rh_mono_us() + ((int64_t)BUSY_FIRST_US << execute->tries);
    else
        return false;
    execute->tries++;
    return true;
}

/* The device said no, or was not even asked. */
static bool refused(enum rh_poll_outcome outcome, uint8_t exception)
{
    if (outcome == RH_POLL_EXCEPTION)
        return exception != ACCEPTED && exception != PATH_UNAVAILABLE && exception != TARGET_SILENT;
    return outcome == RH_POLL_CLOSED;
}

static void note_written(struct rh_execute *execute, size_t taken)
{
    int64_t now_us = rh_mono_us();

    for (size_t i = 0; i < taken; i++)
        execute->written_us[execute->command.values[execute->at + i].point] = now_us;
}

/* Writes what one request takes; false if that has to wait. */
static bool write_next(struct rh_execute *execute, enum rh_poll_outcome *ret_outcome,
                       struct rh_poll_result *ret_result)
{
    const struct rh_command *command = &execute->command;
    size_t taken = 1;

    *ret_outcome =
        execute->options.driver->write(execute->options.link, &command->values[execute->at],
                                       command->n - execute->at, &execute->sink, &taken, ret_result);
    if (try_again(execute, *ret_outcome, ret_result))
        return false;
    if (!refused(*ret_outcome, ret_result->exception))
        note_written(execute, taken);
    execute->begun = true;
    execute->tries = 0;
    execute->outcome = *ret_outcome;
    execute->exception = ret_result->exception;
    execute->written = execute->at + taken;
    return true;
}

/* What the write said and what reads back, together: `read` is how that went. A write that may have been done
 * and cannot be looked at is neither done nor failed. */
static void judge(struct rh_execute *execute, enum rh_poll_outcome read)
{
    const struct rh_command_value *wanted = &execute->command.values[execute->at];
    const struct rh_point *point = &execute->options.line->points[wanted->point];
    bool accepted = execute->outcome == RH_POLL_OK ||
                    (execute->outcome == RH_POLL_EXCEPTION && execute->exception == ACCEPTED);
    bool found = execute->captured;
    bool same = found && execute->capture.quality == RH_GOOD &&
                rh_verify_same(point, &wanted->value, &execute->capture.value);

    if (same || (accepted && !point->verify))
        answer(execute, RH_STATUS_OK, RH_CODE_NONE, 0);
    else if (accepted && found)
        answer(execute, RH_STATUS_FAILED, RH_CODE_VERIFY, 0);
    else if (accepted)
        answer(execute, RH_STATUS_UNCONFIRMED, code_of(read), 0);
    else if (execute->outcome == RH_POLL_LOST)
        answer(execute, RH_STATUS_UNCONFIRMED, RH_CODE_OFFLINE, 0);
    else
        answer(execute, RH_STATUS_FAILED, code_of(execute->outcome), execute->exception);
}

/* The port went: what was written cannot be read back any more, the rest is not done. */
static void abandon(struct rh_execute *execute)
{
    execute->captured = false;
    while (execute->active && execute->at < execute->written)
        judge(execute, RH_POLL_LOST);
    answer_rest(execute, RH_STATUS_FAILED, RH_CODE_OFFLINE);
}

void rh_execute_refuse_all(struct rh_execute *execute)
{
    do
        abandon(execute);
    while (rh_execute_due(execute, rh_mono_us()) || execute->active);
}

/* Reads the point at hand; false if that has to wait. */
static bool read_point(struct rh_execute *execute, enum rh_poll_outcome *ret_outcome,
                       struct rh_poll_result *ret_result)
{
    struct rh_block block;
    uint32_t point = execute->command.values[execute->at].point;

    execute->captured = false;
    execute->captured_point = point;
    execute->options.driver->single(execute->options.line, execute->options.plan->order,
                                    execute->slot_of[point], &block);
    *ret_outcome = execute->options.driver->poll(execute->options.link, execute->options.plan->order, &block,
                                                 &execute->sink, ret_result);
    execute->captured_point = NO_POINT;
    execute->captured = execute->captured && *ret_outcome == RH_POLL_OK; /* else it was a late answer */
    if (try_again(execute, *ret_outcome, ret_result))
        return false;
    execute->begun = true;
    execute->tries = 0;
    return true;
}

static enum rh_poll_outcome step_set(struct rh_execute *execute, struct rh_poll_result *ret_result)
{
    enum rh_poll_outcome outcome;

    if (execute->at < execute->written) {
        if (!read_point(execute, &outcome, ret_result) || outcome == RH_POLL_LOST)
            return outcome;
        judge(execute, outcome);
    } else {
        if (!write_next(execute, &outcome, ret_result) || !refused(outcome, ret_result->exception))
            return outcome; /* read back next */
        while (execute->active && execute->at < execute->written)
            judge(execute, outcome);
    }
    if (execute->failed && execute->at == execute->written)
        answer_rest(execute, RH_STATUS_REJECTED, RH_CODE_NONE);
    return outcome;
}

static enum rh_poll_outcome step_get(struct rh_execute *execute, struct rh_poll_result *ret_result)
{
    enum rh_poll_outcome outcome;

    if (!read_point(execute, &outcome, ret_result) || outcome == RH_POLL_LOST)
        return outcome;
    if (execute->captured)
        answer(execute, RH_STATUS_OK, RH_CODE_NONE, 0);
    else
        answer(execute, RH_STATUS_FAILED, code_of(outcome), ret_result->exception);
    return outcome;
}

enum rh_poll_outcome rh_execute_step(struct rh_execute *execute, struct rh_poll_result *ret_result)
{
    rh_assert(execute->active);
    enum rh_poll_outcome outcome = execute->command.kind == RH_COMMAND_SET ? step_set(execute, ret_result)
                                                                           : step_get(execute, ret_result);
    if (outcome == RH_POLL_LOST)
        rh_execute_refuse_all(execute);
    return outcome;
}
