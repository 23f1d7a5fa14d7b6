/* SPDX-License-Identifier: MIT */
/*
 * execute_bench.h - one line's executor over a device that a test scripts: eight points, each a number; what
 * the driver says to each transaction, and what the device does all the same.
 */
#ifndef RH_TESTS_UNIT_GATEWAY_EXECUTE_BENCH_H
#define RH_TESTS_UNIT_GATEWAY_EXECUTE_BENCH_H

#include "gateway/execute.h"
#include "tests/unit/gateway/home.h"

#define BENCH_POINTS 8
#define BENCH_ANSWERS 4096

struct act {
    enum rh_poll_outcome outcome; /* zero-initialised: it works */
    uint8_t exception;
    bool done;           /* a write is done although the outcome is another */
    uint8_t quality;     /* of what is read */
    int64_t closed_us;   /* until then */
    const int64_t *late; /* an answer to an earlier read of the same point comes first */
};

struct bench {
    struct rh_line_conf *line;
    struct rh_plan plan;
    struct rh_outlet outlet;
    struct rh_ring *commands, *answers[RH_ORIGIN_COUNT], *readings;
    rh_counter counted;
    struct rh_sink sink;
    struct rh_execute *execute;
    struct act (*act)(struct bench *bench, bool write); /* NULL: from the lists below, in order */
    struct act writes[16], reads[16];
    size_t n_writes, n_reads; /* transactions so far */
    size_t take;              /* values that one request takes */
    int64_t value[BENCH_POINTS];
    uint64_t serial, random;
    struct rh_answer got[BENCH_ANSWERS];
    size_t n_got;
};

struct bench *bench_new(void);
void bench_free(struct bench *bench);

/* Queues a command: SET of (point, value) pairs or GET of points; returns its serial. */
uint64_t bench_command(struct bench *bench, const struct rh_command *command);
uint64_t bench_set(struct bench *bench, int64_t (*pairs)[2], uint16_t n);
uint64_t bench_get(struct bench *bench, const uint32_t *points, uint16_t n);
/* The point is known to have this value. */
void bench_known(struct bench *bench, uint32_t point, int64_t value);
/* Steps until nothing is due; what has to wait is not waited for. False if the port was lost. */
bool bench_run(struct bench *bench);
/* Takes the answers that have come to `got`. */
void bench_take(struct bench *bench);

/* Runs, and expects exactly one answer more: this. */
void bench_expect(struct bench *bench, size_t at, uint32_t point, enum rh_command_status status,
                  enum rh_command_code code);

#endif
