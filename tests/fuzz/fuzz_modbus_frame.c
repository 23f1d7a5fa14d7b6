/* SPDX-License-Identifier: MIT */
/*
 * Any bytes, any open answers, cut up anyhow. Checked: what is accepted is a frame with a valid CRC (RTU) or
 * header (MBAP) that matches what was expected; and cut into single bytes the same comes out.
 *
 * Input: framing | number of expectations | 6 bytes each | length of the cuts' list | cuts | bytes
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "drivers/modbus.h"
#include "drivers/modbus_frame.h"

#define EXPECTED_MAX 5
#define EVENTS_MAX 4096

struct event {
    int kind; /* enum rh_modbus_event, or -1: foreign */
    size_t which, len;
    uint8_t first;
};

struct run {
    struct rh_modbus_assembler assembler;
    struct event events[EVENTS_MAX];
    size_t n;
    bool ended;
};

static struct run whole, single;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(struct run *run, struct event event)
{
    if (run->n < EVENTS_MAX)
        run->events[run->n++] = event;
}

static void on_foreign(void *context, uint8_t unit, size_t chars)
{
    note(context, (struct event){.kind = -1, .which = unit, .len = chars});
}

static void check(const struct run *run, enum rh_modbus_event kind, const struct rh_modbus_frame *frame,
                  const struct rh_modbus_expected *expected, size_t n)
{
    rh_assert(frame->which < n);
    const struct rh_modbus_expected *e = &expected[frame->which];
    if (kind == RH_MODBUS_EXCEPTION)
        return;
    size_t head = e->write ? 2 : 3;
    const uint8_t *start = frame->data - head;
    rh_assert(start >= run->assembler.bytes);
    rh_assert(frame->data + frame->data_bytes <= run->assembler.bytes + run->assembler.len);
    rh_assert(start[0] == e->unit && start[1] == e->function);
    rh_assert(e->write ? memcmp(frame->data, e->written, sizeof e->written) == 0 : start[2] == e->data_bytes);
    rh_assert(frame->data_bytes == (e->write ? sizeof e->written : e->data_bytes));
    if (run->assembler.framing == RH_MODBUS_FRAMING_MBAP) {
        rh_assert(start[-6] == e->transaction >> 8 && start[-5] == (e->transaction & 0xFF));
        return;
    }
    uint16_t crc = rh_modbus_crc(start, head + frame->data_bytes);
    rh_assert(frame->data[frame->data_bytes] == (crc & 0xFF));
    rh_assert(frame->data[frame->data_bytes + 1] == crc >> 8);
}

static void feed(struct run *run, const struct rh_modbus_expected *expected, size_t n, const uint8_t *bytes,
                 size_t len)
{
    if (run->ended)
        return;
    rh_modbus_feed(&run->assembler, bytes, len);
    for (;;) {
        struct rh_modbus_frame frame = {0};
        enum rh_modbus_event kind = rh_modbus_next(&run->assembler, expected, n, &frame);
        if (kind == RH_MODBUS_MORE)
            break;
        if (kind == RH_MODBUS_ANSWER || kind == RH_MODBUS_EXCEPTION)
            check(run, kind, &frame, expected, n);
        note(run, (struct event){.kind = (int)kind,
                                 .which = frame.which,
                                 .len = frame.data_bytes,
                                 .first = frame.data_bytes ? frame.data[0] : frame.exception});
        run->ended = kind == RH_MODBUS_DESYNC;
        if (run->ended)
            break;
    }
    for (size_t i = 0; i < n; i++)
        rh_assert(rh_modbus_begun(&run->assembler, &expected[i]) <= RH_MODBUS_WINDOW);
}

static void begin(struct run *run, enum rh_modbus_framing framing, const uint8_t request[6])
{
    uint8_t echo[RH_MODBUS_RTU_MAX];
    run->n = 0;
    run->ended = false;
    rh_modbus_assembler_init(&run->assembler, framing, on_foreign, run);
    rh_modbus_assembler_begin(&run->assembler, echo, rh_modbus_rtu_request(request, 6, echo));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rh_modbus_expected expected[EXPECTED_MAX];
    if (size < 2 + 6 * EXPECTED_MAX + 1)
        return 0;
    enum rh_modbus_framing framing = data[0] & 1 ? RH_MODBUS_FRAMING_MBAP : RH_MODBUS_FRAMING_RTU;
    size_t n = data[1] % (EXPECTED_MAX + 1);
    for (size_t i = 0; i < EXPECTED_MAX; i++) {
        const uint8_t *at = data + 2 + 6 * i;
        expected[i] = (struct rh_modbus_expected){.transaction = (uint16_t)(at[0] << 8 | at[1]),
                                                  .unit = at[2],
                                                  .function = at[3] & 0x7F,
                                                  .write = (at[3] & 0x80) != 0,
                                                  .data_bytes = at[4] % 251,
                                                  .written = {at[0], at[1], at[4], at[5]}};
    }
    const uint8_t *cuts = data + 2 + 6 * EXPECTED_MAX + 1;
    size_t n_cuts = cuts[-1] % 16;
    size_t rest = size - (size_t)(cuts - data);
    if (rest < n_cuts)
        return 0;
    const uint8_t *bytes = cuts + n_cuts;
    size_t len = rest - n_cuts;
    begin(&whole, framing, data + 2);
    begin(&single, framing, data + 2);
    for (size_t i = 0, k = 0; i < len; k++) {
        size_t cut = n_cuts ? (size_t)cuts[k % n_cuts] * 2 + 1 : RH_MODBUS_FEED_MAX;
        cut = cut > len - i ? len - i : cut;
        feed(&whole, expected, n, bytes + i, cut);
        i += cut;
    }
    for (size_t i = 0; i < len; i++)
        feed(&single, expected, n, bytes + i, 1);
    rh_modbus_finish(&whole.assembler);
    rh_modbus_finish(&single.assembler);
    rh_assert(whole.n == single.n);
    for (size_t i = 0; i < whole.n; i++) {
        const struct event *a = &whole.events[i], *b = &single.events[i];
        rh_assert(a->kind == b->kind && a->which == b->which && a->len == b->len && a->first == b->first);
    }
    rh_assert(whole.assembler.garbage == single.assembler.garbage);
    return 0;
}
