/* SPDX-License-Identifier: MIT */
/*
 * key.h - tables of `key = value`: name, kind, where it goes, bounds.
 */
#ifndef RAILSIM_KEY_H
#define RAILSIM_KEY_H

#include "tests/sim/base.h"

enum sim_key_kind {
    SIM_KEY_TEXT,     /* char[max] */
    SIM_KEY_BOOL,     /* bool */
    SIM_KEY_INT,      /* int64_t in min..max */
    SIM_KEY_U16,      /* uint16_t in min..max */
    SIM_KEY_DURATION, /* int64_t ns, at least min */
    SIM_KEY_SPAN,     /* two int64_t ns: "5ms" or "2ms..8ms" */
};

struct sim_key {
    const char *name;
    enum sim_key_kind kind;
    size_t offset;
    int64_t min, max;
};

/* words: the key, then its value. `seen` holds a bit per key that was set: twice is an error. */
SIM_MUST_USE bool sim_keys_set(const struct sim_key *keys, size_t n_keys, void *object,
                               const struct sim_words *words, uint64_t *seen, char *why, size_t why_cap);

#endif
