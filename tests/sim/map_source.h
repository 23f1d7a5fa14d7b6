/* SPDX-License-Identifier: MIT */
/*
 * map_source.h - one definition of a register map: which cells, and what they say.
 */
#ifndef RAILSIM_MAP_SOURCE_H
#define RAILSIM_MAP_SOURCE_H

#include "tests/sim/generator.h"
#include "tests/sim/map.h"

#define SIM_SOURCE_WORDS 4 /* registers of the widest value */

enum sim_source_kind { SIM_SOURCE_VALUES, SIM_SOURCE_HOLE, SIM_SOURCE_EXCEPTION };

struct sim_source {
    enum sim_source_kind kind;
    enum sim_table table;
    uint16_t first;
    size_t count;      /* cells */
    size_t width;      /* cells of one value */
    uint8_t exception; /* SIM_SOURCE_EXCEPTION */
    bool floating, swap_words, swap_bytes;
    struct sim_generator generator;
    uint64_t *reads; /* per value, of counters only */
};

SIM_MUST_USE bool sim_source_parse(struct sim_source *ret_source, struct sim_words *words, char *why,
                                   size_t why_cap);
void sim_source_fini(struct sim_source *source);
void sim_source_restart(struct sim_source *source);
bool sim_source_constant(const struct sim_source *source);

/* The cells of value `index`. Moves its counter on, unless the moment is a peek. */
void sim_source_value(struct sim_source *source, size_t index, const struct sim_moment *moment,
                      uint16_t words[SIM_SOURCE_WORDS]);

#endif
