/* SPDX-License-Identifier: MIT */
#include "tests/sim/wire.h"

#include <string.h>

void sim_wire_init(struct sim_wire *wire, int64_t baud, int bits, const struct sim_wire_ops *ops,
                   void *context)
{
    memset(wire, 0, sizeof(*wire));
    wire->ops = ops;
    wire->context = context;
    wire->heard_gap_ns = -1;
    if (baud == 0)
        return;
    wire->char_ns = (double)bits * 1e9 / (double)baud;
    wire->silence_ns = baud > 19200 ? 1750 * SIM_US : (int64_t)(3.5 * wire->char_ns);
}

void sim_wire_hear(struct sim_wire *wire, const uint8_t *bytes, size_t n, int64_t now_ns)
{
    size_t room = SIM_HEARD_MAX - wire->n_heard;

    if (wire->n_heard == 0) {
        wire->heard_start_ns = now_ns;
        wire->heard_gap_ns = wire->last_end_ns == 0 ? -1 : now_ns - wire->last_end_ns;
        wire->heard_end_ns = now_ns;
        wire->heard_collided = false;
    } else if (wire->heard_end_ns < now_ns) {
        wire->heard_end_ns = now_ns;
    }
    wire->heard_end_ns += (int64_t)(wire->char_ns * (double)n);
    wire->busy_ns += (int64_t)(wire->char_ns * (double)n);
    wire->bytes_in += n;
    memcpy(wire->heard + wire->n_heard, bytes, n < room ? n : room);
    wire->n_heard += n < room ? n : room; /* more than any frame: what is cut off cannot matter */
    if (wire->last_end_ns < wire->heard_end_ns)
        wire->last_end_ns = wire->heard_end_ns;
}

void sim_wire_forget(struct sim_wire *wire)
{
    wire->n_heard = 0;
}

struct sim_send *sim_wire_send(struct sim_wire *wire)
{
    for (size_t i = 0; i < SIM_SENDS_MAX; i++) {
        struct sim_send *send = &wire->sends[i];

        if (send->used)
            continue;
        memset(send, 0, sizeof(*send));
        send->used = true;
        send->client = -1;
        sim_record_init(&send->record);
        return send;
    }
    wire->overflows++;
    return NULL;
}

int64_t sim_send_end_ns(const struct sim_wire *wire, const struct sim_send *send, size_t index)
{
    int64_t end = send->start_ns + (int64_t)(wire->char_ns * (double)(index + 1));

    if (send->pause_at == SIM_PAUSE_EVERY)
        return end + send->pause_ns * (int64_t)index;
    return index > send->pause_at ? end + send->pause_ns : end;
}

static bool overlaps(int64_t a_start, int64_t a_end, int64_t b_start, int64_t b_end)
{
    return a_start < b_end && b_start < a_end;
}

static bool spans(const struct sim_wire *wire, const struct sim_send *send, int64_t start, int64_t end)
{
    return overlaps(send->start_ns, sim_send_end_ns(wire, send, send->n - 1), start, end);
}

/* Until when someone else talks at the moment this transmission wants to begin; 0: the line is free. */
static int64_t occupied_until(const struct sim_wire *wire, const struct sim_send *send)
{
    int64_t until = wire->n_heard > 0 && wire->heard_end_ns > send->start_ns ? wire->heard_end_ns : 0;

    for (size_t i = 0; i < SIM_SENDS_MAX; i++) {
        const struct sim_send *other = &wire->sends[i];
        int64_t end;

        if (!other->used || other == send || other->echo || !other->begun)
            continue;
        end = sim_send_end_ns(wire, other, other->n - 1);
        if (end > send->start_ns && end > until)
            until = end;
    }
    return until;
}

/* What becomes of one character: heard as it is, damaged, or lost. */
enum fate { HEARD, DAMAGED, LOST };

static enum fate fate_of(struct sim_wire *wire, const struct sim_send *send, int64_t start, int64_t end)
{
    enum fate fate = HEARD;

    if (send->echo || wire->char_ns == 0)
        return HEARD;
    if (overlaps(start, end, wire->heard_start_ns, wire->heard_end_ns)) {
        wire->heard_collided = true;
        return LOST;
    }
    for (size_t i = 0; i < SIM_SENDS_MAX; i++) {
        const struct sim_send *other = &wire->sends[i];

        if (!other->used || other == send || other->echo || !spans(wire, other, start, end))
            continue;
        if (other->start_ns < send->start_ns || (other->start_ns == send->start_ns && other < send))
            return LOST;
        fate = DAMAGED;
    }
    return fate;
}

/* Takes the characters that end by `until_ns` off the transmission; returns how many are heard. */
static size_t take_due(struct sim_wire *wire, struct sim_send *send, int64_t until_ns, uint8_t *out)
{
    size_t n = 0;

    while (send->sent < send->n) {
        int64_t end = sim_send_end_ns(wire, send, send->sent);
        uint8_t byte = send->bytes[send->sent];
        enum fate fate;

        if (end > until_ns)
            break;
        fate = fate_of(wire, send, end - (int64_t)wire->char_ns, end);
        if (fate != LOST)
            out[n++] = fate == DAMAGED ? (uint8_t)(byte ^ 0x5a) : byte;
        send->damaged = send->damaged || fate != HEARD;
        send->sent++;
        wire->busy_ns += send->echo ? 0 : (int64_t)wire->char_ns;
    }
    return n;
}

static void conclude(struct sim_wire *wire, struct sim_send *send, const char *outcome, int64_t end_ns)
{
    if (outcome != NULL && send->record.outcome != NULL)
        send->record.outcome = outcome;
    send->record.answer_ns = send->begun ? send->start_ns : 0;
    send->record.answer_end_ns = send->begun ? end_ns : 0;
    wire->ops->over(wire->context, send);
}

/*
 * The last character is what a master measures: for it the wake-up is a little early, and the rest is waited
 * out. In that time the answer goes to the log, so that whatever a master has received is in the log already.
 */
static void hand_over(struct sim_wire *wire, struct sim_send *send, int64_t now_ns)
{
    int64_t last = sim_send_end_ns(wire, send, send->n - 1);
    bool ends = last - now_ns <= SIM_EARLY_NS;
    uint8_t out[SIM_SEND_MAX];
    size_t before = send->sent, n = take_due(wire, send, ends ? last : now_ns, out);

    if (send->sent == before)
        return;
    if (ends) {
        conclude(wire, send, send->damaged ? "collided" : NULL, now_ns > last ? now_ns : last);
        while (now_ns < last)
            now_ns = sim_now_ns();
    }
    /* Before the write, not after: this thread may lose the processor in it, and the master must not be
     * called early for that. */
    wire->last_chunk_ns = sim_now_ns();
    wire->ops->deliver(wire->context, send->client, out, n);
    wire->bytes_out += n;
    if (ends && wire->last_chunk_ns - last > wire->worst_late_ns)
        wire->worst_late_ns = wire->last_chunk_ns - last;
    if (wire->last_end_ns < wire->last_chunk_ns)
        wire->last_end_ns = wire->last_chunk_ns; /* when it was true, on time or not */
}

/* Begins what is to begin now; false when it has to wait for the line. */
static bool begin(struct sim_wire *wire, struct sim_send *send)
{
    int64_t until = wire->defer && !send->echo ? occupied_until(wire, send) : 0;

    if (until != 0) {
        send->start_ns = until + wire->silence_ns;
        return false;
    }
    send->begun = true;
    return true;
}

static int64_t next_ns(const struct sim_wire *wire, const struct sim_send *send)
{
    int64_t end, last;

    if (!send->begun)
        return send->start_ns;
    end = sim_send_end_ns(wire, send, send->sent);
    last = sim_send_end_ns(wire, send, send->n - 1) - SIM_EARLY_NS;
    if (send->sent > 0 && end < wire->last_chunk_ns + SIM_CHUNK_NS)
        end = wire->last_chunk_ns + SIM_CHUNK_NS;
    return end < last ? end : last;
}

int64_t sim_wire_run(struct sim_wire *wire, int64_t now_ns)
{
    int64_t next = SIM_NEVER;

    for (size_t i = 0; i < SIM_SENDS_MAX; i++) {
        struct sim_send *send = &wire->sends[i];

        if (send->used && (send->begun || (send->start_ns <= now_ns && begin(wire, send))))
            hand_over(wire, send, now_ns);
    }
    for (size_t i = 0; i < SIM_SENDS_MAX; i++) { /* only now, so that a collision sees both */
        struct sim_send *send = &wire->sends[i];

        if (send->used && send->sent == send->n)
            send->used = false;
        else if (send->used && next_ns(wire, send) < next)
            next = next_ns(wire, send);
    }
    return next;
}

void sim_wire_cut(struct sim_wire *wire, const char *outcome)
{
    for (size_t i = 0; i < SIM_SENDS_MAX; i++) {
        if (wire->sends[i].used)
            conclude(wire, &wire->sends[i], outcome, sim_now_ns());
        wire->sends[i].used = false;
    }
    wire->n_heard = 0;
}
