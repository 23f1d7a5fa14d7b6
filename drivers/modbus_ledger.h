/* SPDX-License-Identifier: MIT */
/*
 * modbus_ledger.h - the answers that units still owe: at most one per unit and function. Pure.
 *
 * RTU answers carry no id. What makes it certain to which request an answer belongs is only that no other
 * request of its kind is open: after a timeout the pair of unit and function stays closed until the answer
 * came, or until it can no longer be expected (the window).
 *
 *   begin --answer--> settled
 *     |---timeout---> owed --late answer, or the window has passed--> settled
 */
#ifndef RH_DRIVERS_MODBUS_LEDGER_H
#define RH_DRIVERS_MODBUS_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "drivers/driver.h"
#include "drivers/modbus_frame.h"

#define RH_MODBUS_LATE_MIN_US 200000
#define RH_MODBUS_LATE_MAX_US 5000000
#define RH_MODBUS_UNITS 256

struct rh_modbus_owed {
    struct rh_block block; /* as it was polled */
    const uint32_t *order;
    int64_t start_us;        /* first byte of the request */
    int64_t sent_us;         /* its last byte has left the wire */
    int64_t answer_us;       /* how long its answer may take once it has begun */
    int64_t closed_until_us; /* RH_NEVER: in flight */
};

struct rh_modbus_ledger {
    size_t n, cap;
    struct rh_modbus_expected *expected; /* parallel to owed, as the assembler wants it */
    struct rh_modbus_owed *owed;
    int64_t window_us; /* of a unit that never answered foreign */
    int64_t window_max_us;
    uint8_t doubled[RH_MODBUS_UNITS]; /* how often a unit's window was doubled */
    int64_t accepted_us[RH_MODBUS_UNITS];
};

/* `pairs`: the most units times functions. `timeout_us`: the line's. 0 or -ENOMEM. */
RH_MUST_USE int rh_modbus_ledger_init(struct rh_modbus_ledger *ledger, size_t pairs, int64_t timeout_us);
void rh_modbus_ledger_fini(struct rh_modbus_ledger *ledger);

/* Forgets all that is owed: answers cannot come any more. */
void rh_modbus_ledger_clear(struct rh_modbus_ledger *ledger);

/* Settles what can no longer be expected. */
void rh_modbus_ledger_expire(struct rh_modbus_ledger *ledger, int64_t now_us);

/* The entry of a pair, or NULL. Valid until the next call that is not const. */
struct rh_modbus_owed *rh_modbus_ledger_find(const struct rh_modbus_ledger *ledger, uint8_t unit,
                                             uint8_t function);

/* A request goes out. Its pair must be free. */
struct rh_modbus_owed *rh_modbus_ledger_begin(struct rh_modbus_ledger *ledger,
                                              const struct rh_modbus_expected *expected,
                                              const struct rh_modbus_owed *owed);

/* Its time is up: the pair stays closed until an answer that began in the window has ended. */
void rh_modbus_ledger_owe(struct rh_modbus_ledger *ledger, struct rh_modbus_owed *owed);

/* It is answered, or will never be. */
void rh_modbus_ledger_settle(struct rh_modbus_ledger *ledger, const struct rh_modbus_owed *owed);

/* An answer of `unit` was accepted as that of the request in flight. */
void rh_modbus_ledger_accepted(struct rh_modbus_ledger *ledger, uint8_t unit, int64_t now_us);

/* `unit` sent what nobody asked for. If an answer of it was accepted less than a window ago, that may have
 * been the answer to an older request: its window doubles. */
void rh_modbus_ledger_foreign(struct rh_modbus_ledger *ledger, uint8_t unit, int64_t now_us);

/* How long after its request a unit may still begin to answer: twice the timeout, doubled with each foreign
 * answer; at least RH_MODBUS_LATE_MIN_US, at most RH_MODBUS_LATE_MAX_US or a second over the timeout. */
int64_t rh_modbus_ledger_window_us(const struct rh_modbus_ledger *ledger, uint8_t unit);

#endif
