/* SPDX-License-Identifier: MIT */
/*
 * generator.h - where simulated values come from.
 *
 *   1 2 3                     a list, one per value; `const N` for all of a range
 *   ramp [FROM [STEP]]        along the addresses
 *   counter [FROM [STEP]]     one step at every answer that reads the value: no two answers are alike
 *   sine MEAN AMPLITUDE PERIOD, saw LOW HIGH PERIOD     over time
 *   random [LOW HIGH]         anew at every answer, by the seed
 *
 * In a register of whole numbers a fraction is rounded down.
 *
 * A value depends on nothing but its index, how often it was read, the time and the random word handed
 * in, so that the registers of one value in one answer always belong together.
 */
#ifndef RAILSIM_GENERATOR_H
#define RAILSIM_GENERATOR_H

#include "tests/sim/base.h"

enum sim_shape { SIM_LIST, SIM_CONST, SIM_RAMP, SIM_COUNTER, SIM_SINE, SIM_SAW, SIM_RANDOM };

struct sim_number {
    bool real; /* `fraction` counts, else `whole` (two's complement, so u64 fits as well) */
    int64_t whole;
    double fraction;
};

struct sim_generator {
    enum sim_shape shape;
    struct sim_number *list; /* SIM_LIST, SIM_CONST: heap */
    size_t n_list;
    struct sim_number arg[2];
    int64_t period_ns;
};

SIM_MUST_USE bool sim_generator_parse(char *const *words, size_t n, struct sim_generator *ret_generator,
                                      char *why, size_t why_cap);
void sim_generator_fini(struct sim_generator *generator);

/* `count`: how often this value was read before; `elapsed_ns`: since the simulator started. */
struct sim_number sim_generator_value(const struct sim_generator *generator, size_t index, uint64_t count,
                                      int64_t elapsed_ns, uint64_t random);

double sim_number_real(struct sim_number number);
int64_t sim_number_whole(struct sim_number number);
SIM_MUST_USE bool sim_number_parse(const char *string, struct sim_number *ret_number);

#endif
