/* SPDX-License-Identifier: MIT */
#include "gateway/schedule.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"

#define SECOND_US INT64_C(1000000)
#define FAILURES_TO_OFFLINE 3
#define PROBE_SHARE 0.03
#define FASTEST_SHARE 0.05 /* of the line, also when the periodic blocks ask for all of it */
#define BUSY_FIRST_US 100000
#define BUSY_TRIES 4

struct slot {
    struct rh_block block;
    int64_t release_us;    /* of the present period; unused for fastest blocks */
    int64_t not_before_us; /* closed, busy or unsupported until then */
    uint8_t busy;          /* exceptions 6 in this period */
    bool retried;          /* damaged answer in this period */
};

struct device {
    struct rh_device_state state;
    int64_t probe_us;   /* when the next probe is due */
    int64_t backoff_us; /* after the next failed one */
};

struct rh_schedule {
    const struct rh_driver *driver;
    const struct rh_line_conf *line;
    uint32_t *order;
    struct slot *slots;
    uint32_t n_slots, cap;
    struct device *devices;
    uint32_t n_devices;
    uint32_t turn;           /* where the round of fastest blocks goes on */
    int64_t picked_us;       /* when the block that is being polled was chosen */
    int64_t probe_gate_us;   /* no probe before: keeps their share of the line */
    int64_t fastest_gate_us; /* a fastest block goes first from then on: keeps their share of the line */
    uint64_t missed;
};

int rh_schedule_new(const struct rh_driver *driver, const struct rh_line_conf *line,
                    const struct rh_plan *plan, int64_t now_us, struct rh_schedule **ret_schedule)
{
    struct rh_schedule *schedule = calloc(1, sizeof(*schedule));

    if (!schedule)
        return -ENOMEM;
    schedule->driver = driver;
    schedule->line = line;
    schedule->order = plan->order;
    schedule->n_devices = (uint32_t)line->n_devices;
    schedule->cap = (uint32_t)plan->n_points;
    schedule->slots = calloc(plan->n_points + 1, sizeof(*schedule->slots));
    schedule->devices = calloc(line->n_devices + 1, sizeof(*schedule->devices));
    if (!schedule->slots || !schedule->devices) {
        rh_schedule_free(schedule);
        return -ENOMEM;
    }
    for (size_t i = 0; i < plan->n_blocks; i++)
        schedule->slots[i].block = plan->blocks[i];
    schedule->n_slots = (uint32_t)plan->n_blocks;
    rh_schedule_restart(schedule, now_us);
    *ret_schedule = schedule;
    return 0;
}

void rh_schedule_free(struct rh_schedule *schedule)
{
    if (!schedule)
        return;
    free(schedule->slots);
    free(schedule->devices);
    free(schedule);
}

static bool fastest(const struct slot *slot)
{
    return slot->block.period_ms == RH_PERIOD_FASTEST;
}

/* Starts are spread by the cost of the blocks before, within the block's own period. */
static void release_all(struct rh_schedule *schedule, uint32_t device, bool every, int64_t now_us)
{
    int64_t before_us = 0;

    for (uint32_t i = 0; i < schedule->n_slots; i++) {
        struct slot *slot = &schedule->slots[i];

        if (!every && slot->block.device != device)
            continue;
        slot->release_us = now_us;
        if (!fastest(slot))
            slot->release_us += before_us % (slot->block.period_ms * 1000);
        if (slot->not_before_us < now_us + RH_UNSUPPORTED_RETRY_US / 2)
            slot->not_before_us = 0; /* what is unsupported stays so */
        slot->busy = 0;
        slot->retried = false;
        before_us += slot->block.cost_us;
    }
}

void rh_schedule_restart(struct rh_schedule *schedule, int64_t now_us)
{
    for (uint32_t d = 0; d < schedule->n_devices; d++) {
        struct device *device = &schedule->devices[d];

        device->state = (struct rh_device_state){.since_us = now_us};
        device->probe_us = now_us;
        device->backoff_us = SECOND_US;
    }
    schedule->probe_gate_us = now_us;
    schedule->fastest_gate_us = now_us;
    release_all(schedule, 0, true, now_us);
}

/* The cheapest block of a device, or n_slots if all of its blocks must wait. */
static uint32_t probe_slot(const struct rh_schedule *schedule, uint32_t device, int64_t now_us)
{
    uint32_t best = schedule->n_slots;

    for (uint32_t i = 0; i < schedule->n_slots; i++) {
        const struct slot *slot = &schedule->slots[i];

        if (slot->block.device != device || slot->block.listens || slot->not_before_us > now_us)
            continue;
        if (best == schedule->n_slots || slot->block.cost_us < schedule->slots[best].block.cost_us)
            best = i;
    }
    return best;
}

/* The offline device that has waited longest, if a probe is due and within its share. */
static bool pick_probe(const struct rh_schedule *schedule, int64_t now_us, uint32_t *ret_slot)
{
    const struct device *chosen = NULL;

    if (schedule->probe_gate_us > now_us)
        return false;
    for (uint32_t d = 0; d < schedule->n_devices; d++) {
        const struct device *device = &schedule->devices[d];

        if (!device->state.offline || device->probe_us > now_us)
            continue;
        if (chosen && chosen->probe_us <= device->probe_us)
            continue;
        uint32_t slot = probe_slot(schedule, d, now_us);
        if (slot == schedule->n_slots)
            continue;
        chosen = device;
        *ret_slot = slot;
    }
    return chosen != NULL;
}

static bool ready(const struct rh_schedule *schedule, const struct slot *slot, int64_t now_us)
{
    bool wanted = slot->block.listens || !schedule->devices[slot->block.device].state.offline;

    return wanted && slot->not_before_us <= now_us;
}

static int64_t deadline_us(const struct slot *slot)
{
    return slot->release_us + slot->block.period_ms * 1000;
}

/* Earliest deadline first; at a tie the more urgent class, then the order of the plan. */
static bool sooner(const struct slot *a, const struct slot *b)
{
    if (deadline_us(a) != deadline_us(b))
        return deadline_us(a) < deadline_us(b);
    return a->block.class_ < b->block.class_;
}

static bool pick_released(const struct rh_schedule *schedule, int64_t now_us, uint32_t *ret_slot)
{
    const struct slot *chosen = NULL;

    for (uint32_t i = 0; i < schedule->n_slots; i++) {
        const struct slot *slot = &schedule->slots[i];

        if (fastest(slot) || slot->release_us > now_us || !ready(schedule, slot, now_us))
            continue;
        if (chosen && !sooner(slot, chosen))
            continue;
        chosen = slot;
        *ret_slot = i;
    }
    return chosen != NULL;
}

static bool pick_fastest(struct rh_schedule *schedule, int64_t now_us, uint32_t *ret_slot)
{
    for (uint32_t n = 0; n < schedule->n_slots; n++) {
        uint32_t i = (schedule->turn + n) % schedule->n_slots;
        const struct slot *slot = &schedule->slots[i];

        if (!fastest(slot) || !ready(schedule, slot, now_us))
            continue;
        schedule->turn = (i + 1) % schedule->n_slots;
        *ret_slot = i;
        return true;
    }
    return false;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t next_wake(const struct rh_schedule *schedule)
{
    int64_t wake_us = RH_NEVER;

    for (uint32_t i = 0; i < schedule->n_slots; i++) {
        const struct slot *slot = &schedule->slots[i];
        const struct device *device = &schedule->devices[slot->block.device];
        int64_t at_us = later(slot->not_before_us, fastest(slot) ? 0 : slot->release_us);

        if (device->state.offline && !slot->block.listens)
            at_us = later(slot->not_before_us, later(device->probe_us, schedule->probe_gate_us));
        if (at_us < wake_us)
            wake_us = at_us;
    }
    return wake_us;
}

struct rh_pick rh_schedule_next(struct rh_schedule *schedule, int64_t now_us)
{
    struct rh_pick pick = {.kind = RH_PICK_WAIT, .until_us = RH_NEVER};

    if (pick_probe(schedule, now_us, &pick.slot))
        pick.kind = RH_PICK_PROBE;
    else if (schedule->fastest_gate_us <= now_us && pick_fastest(schedule, now_us, &pick.slot))
        pick.kind = RH_PICK_POLL;
    else if (pick_released(schedule, now_us, &pick.slot) || pick_fastest(schedule, now_us, &pick.slot))
        pick.kind = RH_PICK_POLL;
    else
        pick.until_us = next_wake(schedule);
    schedule->picked_us = now_us;
    return pick;
}

const struct rh_block *rh_schedule_block(const struct rh_schedule *schedule, uint32_t slot)
{
    rh_assert(slot < schedule->n_slots);
    return &schedule->slots[slot].block;
}

/* On to the first release after the one that has been served; those that had passed before the poll began
 * are counted, never queued. A release that comes during the poll stands: it is not late yet. */
static void advance(struct rh_schedule *schedule, struct slot *slot)
{
    int64_t now_us = schedule->picked_us;

    slot->busy = 0;
    slot->retried = false;
    if (fastest(slot))
        return;
    int64_t period_us = slot->block.period_ms * 1000;
    int64_t periods = now_us < slot->release_us ? 1 : (now_us - slot->release_us) / period_us + 1;

    slot->release_us += periods * period_us;
    if (!schedule->devices[slot->block.device].state.offline)
        schedule->missed += (uint64_t)(periods - 1);
}

static enum rh_poll_event go_online(struct rh_schedule *schedule, uint32_t d, int64_t now_us)
{
    struct device *device = &schedule->devices[d];
    bool was_offline = device->state.offline || !device->state.seen;

    device->state.failures = 0;
    device->backoff_us = SECOND_US;
    if (!was_offline)
        return RH_EVENT_NONE;
    if (device->state.offline)
        release_all(schedule, d, false, now_us);
    device->state.seen = true;
    device->state.offline = false;
    device->state.since_us = now_us;
    return RH_EVENT_ONLINE;
}

/* Counts a failure; an offline device waits twice as long as before for its next probe, at most 10 s. */
static enum rh_poll_event count_failure(struct rh_schedule *schedule, uint32_t d, int64_t now_us)
{
    struct device *device = &schedule->devices[d];
    struct rh_device_state *state = &device->state;

    state->failures++;
    if (state->offline) {
        state->missed++;
        device->probe_us = now_us + device->backoff_us;
        device->backoff_us = device->backoff_us >= 8 * SECOND_US ? 10 * SECOND_US : device->backoff_us * 2;
        return RH_EVENT_NONE;
    }
    if (state->failures < (state->seen ? FAILURES_TO_OFFLINE : 1))
        return RH_EVENT_NONE;
    *state = (struct rh_device_state){.seen = state->seen, .offline = true, .since_us = now_us, .missed = 1};
    device->probe_us = now_us + SECOND_US;
    device->backoff_us = 2 * SECOND_US;
    return RH_EVENT_OFFLINE;
}

/* Illegal function, address or value: halve the block, or give the lone point up for a while. */
static enum rh_poll_event refuse(struct rh_schedule *schedule, struct slot *slot, int64_t now_us)
{
    struct rh_block halves[2];

    if (slot->block.count == 1) {
        slot->not_before_us = now_us + RH_UNSUPPORTED_RETRY_US;
        slot->release_us = slot->not_before_us; /* what is not asked for is not missed */
        return RH_EVENT_UNSUPPORTED;
    }
    rh_assert(schedule->n_slots < schedule->cap);
    schedule->driver->split(schedule->line, schedule->order, &slot->block, halves);
    slot->block = halves[0];
    schedule->slots[schedule->n_slots] = *slot;
    schedule->slots[schedule->n_slots++].block = halves[1];
    return RH_EVENT_SPLIT;
}

/* Busy: again after 100, 200, 400, 800 ms while the period allows. */
static enum rh_poll_event wait_busy(struct rh_schedule *schedule, struct slot *slot, int64_t now_us)
{
    int64_t wait_us = (int64_t)BUSY_FIRST_US << slot->busy;
    bool in_time = fastest(slot) || now_us + wait_us < deadline_us(slot);

    if (slot->busy < BUSY_TRIES && in_time) {
        slot->busy++;
        slot->not_before_us = now_us + wait_us;
        return RH_EVENT_AGAIN;
    }
    advance(schedule, slot);
    return RH_EVENT_NONE;
}

static enum rh_poll_event done_exception(struct rh_schedule *schedule, struct slot *slot, uint8_t code,
                                         int64_t now_us)
{
    enum rh_poll_event online = RH_EVENT_NONE, event = RH_EVENT_NONE;

    if (code == 0x0A || code == 0x0B) { /* a gateway on the way says that the unit does not answer */
        advance(schedule, slot);
        return count_failure(schedule, slot->block.device, now_us);
    }
    online = go_online(schedule, slot->block.device, now_us);
    if (code >= 1 && code <= 3) /* the first sign of life has one event: the block comes again at once */
        event = online == RH_EVENT_ONLINE ? online : refuse(schedule, slot, now_us);
    else if (code == 6)
        event = wait_busy(schedule, slot, now_us);
    else
        advance(schedule, slot);
    return online != RH_EVENT_NONE ? online : event;
}

static enum rh_poll_event done_damaged(struct rh_schedule *schedule, struct slot *slot, int64_t now_us)
{
    bool online = !schedule->devices[slot->block.device].state.offline;

    if (online && !slot->retried && (fastest(slot) || now_us + slot->block.cost_us < deadline_us(slot))) {
        slot->retried = true;
        return RH_EVENT_AGAIN;
    }
    advance(schedule, slot);
    return count_failure(schedule, slot->block.device, now_us);
}

enum rh_poll_event rh_schedule_done(struct rh_schedule *schedule, uint32_t index,
                                    enum rh_poll_outcome outcome, const struct rh_poll_result *result,
                                    int64_t now_us)
{
    struct slot *slot = &schedule->slots[index];
    uint32_t device = slot->block.device;

    if (schedule->devices[device].state.offline && !slot->block.listens && outcome != RH_POLL_CLOSED)
        schedule->probe_gate_us = now_us + (int64_t)((double)(now_us - result->start_us) / PROBE_SHARE);
    if (fastest(slot) && outcome != RH_POLL_CLOSED)
        schedule->fastest_gate_us = now_us + (int64_t)((double)(now_us - result->start_us) / FASTEST_SHARE);
    if (slot->block.listens)
        return RH_EVENT_NONE; /* it says nothing of one device */
    switch (outcome) {
    case RH_POLL_OK:
        advance(schedule, slot);
        return go_online(schedule, device, now_us);
    case RH_POLL_TIMEOUT:
        advance(schedule, slot);
        return count_failure(schedule, device, now_us);
    case RH_POLL_GARBAGE:
        return done_damaged(schedule, slot, now_us);
    case RH_POLL_EXCEPTION:
        return done_exception(schedule, slot, result->exception, now_us);
    case RH_POLL_CLOSED:
        slot->not_before_us = later(result->closed_until_us, now_us + 1000);
        return RH_EVENT_NONE;
    case RH_POLL_NOTHING:
    case RH_POLL_LOST:
        break;
    }
    return RH_EVENT_NONE;
}

enum rh_poll_event rh_schedule_silent(struct rh_schedule *schedule, uint32_t device, int64_t now_us)
{
    struct rh_device_state *state = &schedule->devices[device].state;

    if (state->offline)
        return RH_EVENT_NONE;
    *state = (struct rh_device_state){.seen = state->seen, .offline = true, .since_us = now_us};
    schedule->devices[device].probe_us = now_us;
    return RH_EVENT_OFFLINE;
}

enum rh_poll_event rh_schedule_answered(struct rh_schedule *schedule, uint32_t device, int64_t now_us)
{
    return go_online(schedule, device, now_us);
}

const struct rh_device_state *rh_schedule_device(const struct rh_schedule *schedule, uint32_t device)
{
    rh_assert(device < schedule->n_devices);
    return &schedule->devices[device].state;
}

uint64_t rh_schedule_missed(const struct rh_schedule *schedule)
{
    return schedule->missed;
}
