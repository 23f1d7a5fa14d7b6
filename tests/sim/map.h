/* SPDX-License-Identifier: MIT */
/*
 * map.h - the registers of one slave: four tables of 65536 cells, each absent, stored or generated.
 *
 * Later definitions cover earlier ones, as in the file; a write turns a cell into a stored one; a reset
 * (the slave rebooted) goes back to the definitions of the file.
 */
#ifndef RAILSIM_MAP_H
#define RAILSIM_MAP_H

#include "tests/sim/base.h"

enum sim_table { SIM_COIL, SIM_DISCRETE, SIM_HOLDING, SIM_INPUT, SIM_TABLES };
SIM_MUST_USE bool sim_table_parse(const char *name, enum sim_table *ret_table);

struct sim_map;
struct sim_map *sim_map_new(void); /* NULL: out of memory */
void sim_map_free(struct sim_map *map);

/* One definition: TABLE A[..B] [TYPE] [ORDER] then a generator or a text, or `hole TABLE A[..B]`, or
 * `exception TABLE A[..B] CODE` (code 0 takes it away). */
SIM_MUST_USE bool sim_map_define(struct sim_map *map, struct sim_words *words, char *why, size_t why_cap);
void sim_map_keep(struct sim_map *map);  /* what is defined up to here comes back at a reset */
void sim_map_reset(struct sim_map *map); /* forgets writes, later definitions and counts */

/* What the generators of one answer see. */
struct sim_moment {
    int64_t elapsed_ns;
    uint64_t random; /* one draw per answer; values of random generators derive from it */
    bool peek;       /* counters are shown, not moved on */
};

/* Values (bits: 0 or 1), or a Modbus exception code: 2 for a cell that is not there. 0: done. */
uint8_t sim_map_read(struct sim_map *map, enum sim_table table, uint16_t first, size_t count,
                     const struct sim_moment *moment, uint16_t *ret_values);
uint8_t sim_map_write(struct sim_map *map, enum sim_table table, uint16_t first, size_t count,
                      const uint16_t *values);
/* The same answer as sim_map_write would give, without writing. */
uint8_t sim_map_check(const struct sim_map *map, enum sim_table table, uint16_t first, size_t count);

#endif
