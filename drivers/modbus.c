/* SPDX-License-Identifier: MIT */
/*
 * modbus.c - one transaction: silence, request, answer; and what else comes along the wire meanwhile.
 *
 *   line   ..late..|<- t3.5 ->|request|<- turnaround ->|answer|
 *                  ^          ^       ^                       ^
 *       quiet_from_us     start_us  sent_us             received_us
 *
 * Everything received, at whatever moment, goes through one assembler with one list of open answers. So an
 * answer that is late finds its own request, while the line serves other units. No value can go to the
 * wrong request as long as a unit answers within its window (modbus_ledger.c): there is never a second
 * open request with the same unit and function.
 *
 * What is sure to be a damaged answer (its head was right, but it broke off or its CRC is wrong) settles the
 * request, so that it can be tried again at once. Any other noise does not: the answer may yet come.
 */
#include <errno.h>
#include <math.h>

#include "core/clock.h"
#include "drivers/modbus_link.h"

#define BABBLE_US 500000
#define LATENCY_US 20000     /* what an adapter holds bytes back, and then some */
#define BROKEN_OFF_US 100000 /* a pause within an answer that ends it */
#define STRETCH 1.1          /* answers may have gaps between characters */
#define TIMEOUTS_MAX 3       /* of every unit, until a session is taken for dead */
#define ECHOLESS_MAX 3       /* answers without an echo, until a line that had one has none */
#define TARGET_SILENT 0x0B   /* exception: a gateway's device did not answer (in time) */

static int64_t wire_us(const struct rh_link *link, size_t chars)
{
    return llround((double)chars * link->char_us);
}

static void extend(struct rh_link *link, size_t chars)
{
    int64_t most_us = link->options->timeout_ms * 1000;
    int64_t sum_us = link->exchange.extension_us + wire_us(link, chars);
    link->exchange.extension_us = sum_us < most_us ? sum_us : most_us;
}

void rh_modbus_on_foreign(void *context, uint8_t unit, size_t chars)
{
    struct rh_link *link = context;
    rh_count(&link->counters->foreign, 1);
    rh_modbus_ledger_foreign(&link->ledger, unit, link->received_us);
    link->exchange.first_us = link->received_us;
    extend(link, chars);
}

static void deliver(const struct rh_link *link, const struct rh_modbus_owed *owed, const uint8_t *data,
                    int64_t mono_us)
{
    int64_t wall_ms = rh_wall_of(mono_us);
    for (uint32_t i = 0; i < owed->block.count; i++) {
        const struct rh_point *point = &link->conf->points[owed->order[owed->block.first + i]];
        struct rh_reading reading = {0};
        rh_modbus_decode(point, data, owed->block.address, owed->block.length, &reading);
        reading.point = point->index;
        reading.urgent = point->class_ == RH_CLASS_URGENT;
        reading.wall_ms = wall_ms;
        reading.mono_us = mono_us;
        link->sink->reading(link->sink->context, &reading);
    }
}

/* The answer to the request in flight. */
static void take_answer(struct rh_link *link, const struct rh_modbus_owed *owed,
                        const struct rh_modbus_frame *frame)
{
    link->exchange.answered = true;
    link->exchange.outcome = frame->data ? RH_POLL_OK : RH_POLL_EXCEPTION;
    link->exchange.exception = frame->exception;
    int64_t turnaround_us = link->exchange.first_us - owed->sent_us;
    link->exchange.turnaround_us = turnaround_us > 0 ? turnaround_us : 0;
    link->quiet_from_us = link->received_us; /* even where no wire took the time that a request takes */
    rh_modbus_ledger_accepted(&link->ledger, owed->block.unit, link->received_us);
    if (frame->data) {
        rh_count(&link->counters->answers, 1);
        deliver(link, owed, frame->data, owed->start_us + (link->received_us - owed->start_us) / 2);
    } else {
        rh_count(&link->counters->exceptions, 1);
    }
}

/* The answer to a request whose poll has ended. That to a write brings nothing that could be read. One that
 * was read past its window has lain in the kernel's buffer for we do not know how long: it is counted, but is
 * no value. */
static void take_late(struct rh_link *link, const struct rh_modbus_owed *owed,
                      const struct rh_modbus_frame *frame)
{
    rh_count(&link->counters->late, 1);
    extend(link, rh_modbus_answer_chars(owed->block.function, owed->block.length));
    if (!frame->data || owed->block.count == 0 || link->received_us > owed->closed_until_us)
        return;
    deliver(link, owed, frame->data, link->received_us);
    link->sink->late(link->sink->context, &owed->block);
}

static void learn_echo(struct rh_link *link)
{
    if (link->exchange.echoed) {
        link->echo = RH_MODBUS_ECHO_YES;
        link->echoless = 0;
    } else if (link->assembler.echo_bytes > 0 &&
               (link->echo != RH_MODBUS_ECHO_YES || ++link->echoless >= ECHOLESS_MAX)) {
        link->echo = RH_MODBUS_ECHO_NO;
    }
}

/* The request has come back. Where a good answer looks like it, what follows tells which of both it was. */
static void take_echo(struct rh_link *link)
{
    link->exchange.echoed = true;
    link->exchange.first_us = link->received_us;
    if (link->exchange.repeats)
        return;
    rh_count(&link->counters->echoes, 1);
    learn_echo(link);
}

static void learn_from_answer(struct rh_link *link)
{
    if (link->exchange.repeats && link->exchange.echoed)
        rh_count(&link->counters->echoes, 1);
    learn_echo(link);
}

static void take(struct rh_link *link, const struct rh_modbus_frame *frame)
{
    struct rh_modbus_owed *entry = &link->ledger.owed[frame->which];
    const struct rh_modbus_owed owed = *entry;
    /* The silent device behind an RTU gateway may find its voice yet, and it has no transaction id. */
    bool may_follow = frame->exception == TARGET_SILENT && link->transport->framing == RH_MODBUS_FRAMING_RTU;
    link->unanswered = 0;
    link->heard = true;
    if (owed.closed_until_us != RH_NEVER || !may_follow)
        rh_modbus_ledger_settle(&link->ledger, entry);
    else
        rh_modbus_ledger_owe(&link->ledger, entry);
    if (owed.closed_until_us != RH_NEVER) {
        take_late(link, &owed, frame);
        return;
    }
    learn_from_answer(link);
    take_answer(link, &owed, frame);
}

/* Reads what comes until the absolute time, once, and takes every frame in it. 1: bytes came; 0: the time
 * has come; negative errno: the port or session is gone. */
static int receive(struct rh_link *link, int64_t until_us)
{
    uint8_t bytes[RH_MODBUS_FEED_MAX];
    ssize_t n = rh_line_read(&link->line, until_us, bytes, sizeof bytes);
    if (n <= 0)
        return (int)n;
    link->received_us = rh_mono_us();
    if (link->quiet_from_us < link->received_us)
        link->quiet_from_us = link->received_us;
    if (!rh_modbus_pending(&link->assembler))
        link->exchange.first_us = link->received_us;
    rh_count(&link->counters->bytes_received, (uint64_t)n);
    rh_modbus_feed(&link->assembler, bytes, (size_t)n);
    for (;;) {
        struct rh_modbus_frame frame;
        switch (rh_modbus_next(&link->assembler, link->ledger.expected, link->ledger.n, &frame)) {
        case RH_MODBUS_MORE:
            return 1;
        case RH_MODBUS_DESYNC:
            return -EPROTO;
        case RH_MODBUS_ECHO:
            take_echo(link);
            break;
        case RH_MODBUS_ANSWER:
        case RH_MODBUS_EXCEPTION:
            take(link, &frame);
            break;
        }
    }
}

/* Waits until the line has been silent for long enough; what comes before is looked at. 0; 1: it is never
 * silent; or a negative errno. */
static int fall_silent(struct rh_link *link)
{
    int64_t patience_us = rh_mono_us() + BABBLE_US;
    int n;
    while ((n = receive(link, link->quiet_from_us + link->silence_us)) > 0) {
        if (rh_mono_us() > patience_us) {
            rh_count(&link->counters->foreign, 1);
            return 1;
        }
    }
    if (n < 0)
        return n;
    rh_modbus_finish(&link->assembler);
    if (link->assembler.garbage > 0)
        rh_count(&link->counters->foreign, 1);
    link->assembler.garbage = 0;
    return 0;
}

static uint16_t new_transaction(struct rh_link *link)
{
    bool taken;
    do {
        link->transaction++;
        taken = false;
        for (size_t i = 0; i < link->ledger.n; i++)
            taken = taken || link->ledger.expected[i].transaction == link->transaction;
    } while (taken);
    return link->transaction;
}

/* Sends the request and opens its entry. 0 or a negative errno. What comes back on a line without echo, and
 * looks like the request, is the answer. */
static int ask(struct rh_link *link, const struct rh_modbus_request *request, int64_t *ret_start_us)
{
    const struct rh_block *block = &request->block;
    uint8_t frame[RH_MODBUS_RTU_MAX];
    size_t frame_chars = rh_modbus_rtu_request(request->bytes, request->len, frame);
    size_t answer_chars = rh_modbus_answer_chars(block->function, block->length);
    bool rtu = link->transport->framing == RH_MODBUS_FRAMING_RTU;
    bool repeats = block->function == RH_MODBUS_WRITE_COIL || block->function == RH_MODBUS_WRITE_REGISTER;
    struct rh_modbus_expected expected = request->expected;
    expected.transaction = new_transaction(link);
    rh_modbus_assembler_begin(&link->assembler, frame,
                              repeats && link->echo == RH_MODBUS_ECHO_NO ? 0 : frame_chars);
    *ret_start_us = rh_mono_us();
    int error = link->transport->send(link, request->bytes, request->len, expected.transaction);
    if (error)
        return error;
    struct rh_modbus_owed owed = {.block = *block, .order = request->order, .start_us = *ret_start_us};
    owed.sent_us = rh_mono_us() + wire_us(link, frame_chars);
    owed.answer_us = llround((double)answer_chars * link->char_us * STRETCH) + LATENCY_US;
    rh_modbus_ledger_begin(&link->ledger, &expected, &owed);
    link->quiet_from_us = owed.sent_us;
    link->exchange = (struct rh_modbus_exchange){
        .repeats = repeats,
        .turnaround_us = -1,
        .deadline_us = owed.sent_us + link->options->timeout_ms * 1000 + owed.answer_us};
    rh_count(&link->counters->transactions, 1);
    rh_count(&link->counters->bytes_sent, rtu ? frame_chars : request->len + RH_MODBUS_MBAP_BYTES);
    return 0;
}

/* How much there is of a damaged answer to the request in flight; 0: nothing that is surely one. A request
 * that comes back damaged could look like one (that of a write begins as its answer does), so on a line with
 * echo it must have come back whole. */
static size_t damaged(const struct rh_link *link, const struct rh_modbus_owed *owed)
{
    const struct rh_modbus_expected *expected = &link->ledger.expected[owed - link->ledger.owed];
    bool may_echo = expected->write ? link->echo != RH_MODBUS_ECHO_NO : link->echo == RH_MODBUS_ECHO_YES;
    if (may_echo && link->assembler.echo_bytes > 0)
        return 0;
    return rh_modbus_begun(&link->assembler, expected);
}

/* When to give up: by the length of what is still to come, if the answer has begun. */
static int64_t give_up_us(const struct rh_link *link, const struct rh_modbus_owed *owed)
{
    int64_t until_us = link->exchange.deadline_us + link->exchange.extension_us;
    size_t begun = link->transport->serial ? damaged(link, owed) : 0;
    if (begun == 0)
        return until_us;
    size_t chars = rh_modbus_answer_chars(owed->block.function, owed->block.length);
    int64_t early_us = link->received_us + LATENCY_US;
    if (begun < chars)
        early_us =
            link->received_us + BROKEN_OFF_US + llround((double)(chars - begun) * link->char_us * STRETCH);
    return early_us < until_us ? early_us : until_us;
}

/* 0 when answered or given up, or a negative errno. */
static int await(struct rh_link *link, const struct rh_block *block)
{
    while (!link->exchange.answered) {
        const struct rh_modbus_owed *owed =
            rh_modbus_ledger_find(&link->ledger, block->unit, block->function);
        int n = receive(link, give_up_us(link, owed));
        if (n < 0)
            return n;
        if (n > 0)
            continue;
        rh_modbus_finish(&link->assembler); /* may find frames of others, and so more time */
        if (give_up_us(link, owed) <= rh_mono_us())
            return 0;
    }
    return 0;
}

static enum rh_poll_outcome without_answer(struct rh_link *link, const struct rh_block *block)
{
    struct rh_modbus_owed *owed = rh_modbus_ledger_find(&link->ledger, block->unit, block->function);
    size_t begun = damaged(link, owed);
    rh_line_drop_output(&link->line);
    if (begun > 0) {
        bool whole = begun >= rh_modbus_answer_chars(block->function, block->length);
        rh_count(whole ? &link->counters->crc : &link->counters->truncated, 1);
        rh_modbus_ledger_settle(&link->ledger, owed);
        return RH_POLL_GARBAGE;
    }
    rh_modbus_ledger_owe(&link->ledger, owed);
    if (link->assembler.garbage > 0) {
        rh_count(&link->counters->crc, 1);
        return RH_POLL_GARBAGE;
    }
    rh_count(&link->counters->timeouts, 1);
    link->unanswered++;
    return RH_POLL_TIMEOUT;
}

static enum rh_poll_outcome lost(struct rh_link *link, int error, struct rh_poll_result *result)
{
    for (size_t i = 0; i < link->ledger.n; i++) {
        if (link->ledger.owed[i].closed_until_us == RH_NEVER)
            rh_modbus_ledger_owe(&link->ledger, &link->ledger.owed[i]);
    }
    rh_count(&link->counters->lost, 1);
    result->error = error;
    return RH_POLL_LOST;
}

/* A session that gave answers and gives none any more may be half open: a new one is worth a try. One that
 * never gave any is not; nobody may be there behind a gateway that lives. */
static bool fallen_mute(const struct rh_link *link)
{
    return !link->transport->serial && link->heard &&
           link->unanswered >= TIMEOUTS_MAX * link->conf->n_devices;
}

/* Before the first answer of a connection nobody knows whether the line has an echo. What came back then, and
 * looks like an answer, and is followed by no other one, is taken for the answer. */
static void take_copy(struct rh_link *link, const struct rh_block *block)
{
    struct rh_modbus_owed *entry = rh_modbus_ledger_find(&link->ledger, block->unit, block->function);
    const struct rh_modbus_owed owed = *entry;
    const struct rh_modbus_frame frame = {.data = link->assembler.echo};
    if (!link->exchange.repeats || !link->exchange.echoed || link->echo != RH_MODBUS_ECHO_UNKNOWN)
        return;
    rh_modbus_ledger_settle(&link->ledger, entry);
    take_answer(link, &owed, &frame);
}

/* The exchange after the line is free for it. */
static enum rh_poll_outcome exchange(struct rh_link *link, const struct rh_modbus_request *request,
                                     struct rh_poll_result *result)
{
    int error = ask(link, request, &result->start_us);
    if (!error)
        error = await(link, &request->block);
    if (error)
        return lost(link, error, result);
    if (!link->exchange.answered)
        take_copy(link, &request->block);
    result->turnaround_us = link->exchange.turnaround_us;
    if (link->exchange.answered) {
        result->exception = link->exchange.exception;
        return link->exchange.outcome;
    }
    enum rh_poll_outcome outcome = without_answer(link, &request->block);
    if (fallen_mute(link))
        return lost(link, -ETIMEDOUT, result);
    return outcome;
}

enum rh_poll_outcome rh_modbus_transact(struct rh_link *link, const struct rh_modbus_request *request,
                                        const struct rh_sink *sink, struct rh_poll_result *ret_result)
{
    int64_t now_us = rh_mono_us();
    *ret_result = (struct rh_poll_result){.start_us = now_us, .end_us = now_us, .turnaround_us = -1};
    link->sink = sink;
    link->exchange = (struct rh_modbus_exchange){0};
    if (link->line.fd < 0)
        return lost(link, -ENOTCONN, ret_result);
    int error = fall_silent(link);
    now_us = rh_mono_us();
    ret_result->end_us = now_us;
    if (error < 0)
        return lost(link, error, ret_result);
    if (error > 0)
        return RH_POLL_GARBAGE;
    rh_modbus_ledger_expire(&link->ledger, now_us);
    const struct rh_modbus_owed *owed =
        rh_modbus_ledger_find(&link->ledger, request->block.unit, request->block.function);
    if (owed) {
        ret_result->closed_until_us = owed->closed_until_us;
        return RH_POLL_CLOSED;
    }
    enum rh_poll_outcome outcome = exchange(link, request, ret_result);
    ret_result->end_us = link->exchange.answered ? link->received_us : rh_mono_us();
    rh_count(&link->counters->busy_us, (uint64_t)(ret_result->end_us - ret_result->start_us));
    link->assembler.garbage = 0;
    return outcome;
}

enum rh_poll_outcome rh_modbus_poll(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                    const struct rh_sink *sink, struct rh_poll_result *ret_result)
{
    size_t chars = rh_modbus_answer_chars(block->function, block->length);
    struct rh_modbus_request request = {.block = *block, .order = order};
    request.expected = (struct rh_modbus_expected){
        .unit = block->unit, .function = block->function, .data_bytes = (uint8_t)(chars - 5)};
    request.len = rh_modbus_read_request(block, request.bytes);
    return rh_modbus_transact(link, &request, sink, ret_result);
}
