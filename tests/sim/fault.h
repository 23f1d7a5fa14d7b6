/* SPDX-License-Identifier: MIT */
/*
 * fault.h - what can go wrong with a slave, each with a share of its answers (0..1), switchable at run time.
 *
 *   dead [SHARE]                 hears nothing, does nothing
 *   drop SHARE                   does what it was asked, but the answer is lost
 *   late DELAY [SHARE]           answers after DELAY instead of its turnaround
 *   busy [SHARE]                 exception 6
 *   noise SHARE [before|after|flip]   random bytes around the answer, or turned bits inside it
 *   truncate SHARE               only the first bytes of the answer
 *   foreign SHARE                the answer bears another unit's number (and a right CRC)
 *   wrongid SHARE                Modbus TCP: another transaction id
 *   gap DELAY [SHARE]            one pause of DELAY somewhere inside the answer
 *   slow DELAY [SHARE]           a pause of DELAY after every character of the answer
 * SHARE is a number, a percentage, or on / off.
 */
#ifndef RAILSIM_FAULT_H
#define RAILSIM_FAULT_H

#include "tests/sim/base.h"

enum sim_fault {
    SIM_DEAD,
    SIM_DROP,
    SIM_LATE,
    SIM_BUSY,
    SIM_NOISE,
    SIM_TRUNCATE,
    SIM_FOREIGN,
    SIM_WRONG_ID,
    SIM_GAP,
    SIM_SLOW,
    SIM_FAULTS
};

enum sim_noise { SIM_NOISE_ANY, SIM_NOISE_BEFORE, SIM_NOISE_AFTER, SIM_NOISE_FLIP };

struct sim_fault_setting {
    double share;
    int64_t delay_ns;
    enum sim_noise noise;
};

SIM_MUST_USE bool sim_fault_parse(const char *name, enum sim_fault *ret_fault);
SIM_MUST_USE bool sim_fault_set(struct sim_fault_setting faults[SIM_FAULTS], enum sim_fault fault,
                                char *const *words, size_t n, char *why, size_t why_cap);
bool sim_fault_hits(const struct sim_fault_setting faults[SIM_FAULTS], enum sim_fault fault,
                    struct sim_random *random);

/* Random bytes before or after, or turned bits; returns the new length. Says in ret_whole whether a
 * complete right frame is still among the bytes. */
size_t sim_fault_noise(const struct sim_fault_setting *noise, struct sim_random *random, uint8_t *bytes,
                       size_t n, size_t cap, bool *ret_whole);

#endif
