/* SPDX-License-Identifier: MIT */
/*
 * modbus_ledger.c - what is owed, in two parallel arrays without gaps.
 *
 * Few entries are open at a time (one in flight, and the units that are late just now), so that a search
 * from the front is the quickest there is.
 *
 * What remains possible: an answer that comes after its window, while the next request of the same unit,
 * function and byte count is open, is taken for that one's. Then the true answer follows as a foreign
 * frame, and the window of that unit doubles, up to five seconds.
 */
#include "drivers/modbus_ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

int rh_modbus_ledger_init(struct rh_modbus_ledger *ledger, size_t pairs, int64_t timeout_us)
{
    memset(ledger, 0, sizeof *ledger);
    for (size_t i = 0; i < RH_MODBUS_UNITS; i++)
        ledger->accepted_us[i] = INT64_MIN / 2;
    ledger->window_us = 2 * timeout_us > RH_MODBUS_LATE_MIN_US ? 2 * timeout_us : RH_MODBUS_LATE_MIN_US;
    ledger->window_max_us = timeout_us + 1000000;
    if (ledger->window_max_us < RH_MODBUS_LATE_MAX_US)
        ledger->window_max_us = RH_MODBUS_LATE_MAX_US;
    ledger->cap = pairs ? pairs : 1;
    ledger->expected = calloc(ledger->cap, sizeof *ledger->expected);
    ledger->owed = calloc(ledger->cap, sizeof *ledger->owed);
    if (ledger->expected && ledger->owed)
        return 0;
    rh_modbus_ledger_fini(ledger);
    return -ENOMEM;
}

void rh_modbus_ledger_fini(struct rh_modbus_ledger *ledger)
{
    free(ledger->expected);
    free(ledger->owed);
    ledger->expected = NULL;
    ledger->owed = NULL;
    ledger->n = ledger->cap = 0;
}

void rh_modbus_ledger_clear(struct rh_modbus_ledger *ledger)
{
    ledger->n = 0;
}

static void remove_at(struct rh_modbus_ledger *ledger, size_t i)
{
    ledger->n--;
    ledger->expected[i] = ledger->expected[ledger->n];
    ledger->owed[i] = ledger->owed[ledger->n];
}

void rh_modbus_ledger_expire(struct rh_modbus_ledger *ledger, int64_t now_us)
{
    for (size_t i = ledger->n; i-- > 0;) {
        if (ledger->owed[i].closed_until_us <= now_us)
            remove_at(ledger, i);
    }
}

struct rh_modbus_owed *rh_modbus_ledger_find(const struct rh_modbus_ledger *ledger, uint8_t unit,
                                             uint8_t function)
{
    for (size_t i = 0; i < ledger->n; i++) {
        if (ledger->expected[i].unit == unit && ledger->expected[i].function == function)
            return &ledger->owed[i];
    }
    return NULL;
}

struct rh_modbus_owed *rh_modbus_ledger_begin(struct rh_modbus_ledger *ledger,
                                              const struct rh_modbus_expected *expected,
                                              const struct rh_modbus_owed *owed)
{
    rh_assert(ledger->n < ledger->cap);
    rh_assert(!rh_modbus_ledger_find(ledger, expected->unit, expected->function));
    size_t i = ledger->n++;
    ledger->expected[i] = *expected;
    ledger->owed[i] = *owed;
    ledger->owed[i].closed_until_us = RH_NEVER;
    return &ledger->owed[i];
}

void rh_modbus_ledger_owe(struct rh_modbus_ledger *ledger, struct rh_modbus_owed *owed)
{
    int64_t window_us = rh_modbus_ledger_window_us(ledger, owed->block.unit);
    owed->closed_until_us = owed->sent_us + window_us + owed->answer_us;
}

void rh_modbus_ledger_settle(struct rh_modbus_ledger *ledger, const struct rh_modbus_owed *owed)
{
    rh_assert(owed >= ledger->owed && owed < ledger->owed + ledger->n);
    remove_at(ledger, (size_t)(owed - ledger->owed));
}

void rh_modbus_ledger_accepted(struct rh_modbus_ledger *ledger, uint8_t unit, int64_t now_us)
{
    ledger->accepted_us[unit] = now_us;
}

void rh_modbus_ledger_foreign(struct rh_modbus_ledger *ledger, uint8_t unit, int64_t now_us)
{
    int64_t window_us = rh_modbus_ledger_window_us(ledger, unit);
    if (now_us - ledger->accepted_us[unit] < window_us && window_us < ledger->window_max_us)
        ledger->doubled[unit]++;
}

int64_t rh_modbus_ledger_window_us(const struct rh_modbus_ledger *ledger, uint8_t unit)
{
    int64_t window_us = ledger->window_us << ledger->doubled[unit];
    return window_us < ledger->window_max_us ? window_us : ledger->window_max_us;
}
