/* SPDX-License-Identifier: MIT */
/*
 * driver.h - what a driver is: one const struct at the bottom of its own file.
 *
 * A driver turns blocks (one transaction each) into readings. It is driven by one thread per line,
 * the poller, which decides what is due; the driver decides how to ask, and what counts as an answer.
 * The contract test holds every driver to the promises below.
 */
#ifndef RH_DRIVERS_DRIVER_H
#define RH_DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "core/command.h"
#include "core/counter.h"
#include "core/reading.h"

/* One transaction that reads some points of one device. Plain data: copied, split, compared. `points`
 * of a block are a slice of the plan's `order`. */
struct rh_block {
    uint32_t device;       /* index in the line */
    uint32_t first, count; /* slice of rh_plan.order */
    int64_t period_ms;     /* RH_PERIOD_FASTEST or the shortest period of its points */
    enum rh_class class_;
    int64_t
        cost_us;  /* predicted time on the line, by bus.md section 1; of one that listens, the longest poll */
    bool listens; /* nothing is sent: it hears all devices that speak unasked, and is never backed off */
    /* the wire's terms: */
    uint8_t unit;
    uint8_t function;
    uint16_t address;
    uint16_t length; /* registers or bits */
};

struct rh_plan {
    struct rh_block *blocks; /* room for n_points blocks: a block may be split down to single points */
    size_t n_blocks;
    uint32_t *order; /* point indexes, block by block */
    size_t n_points;
};

enum rh_poll_outcome {
    RH_POLL_OK,        /* readings were handed over */
    RH_POLL_TIMEOUT,   /* no answer by the deadline */
    RH_POLL_GARBAGE,   /* bytes, but no valid frame: noise, CRC, truncated */
    RH_POLL_EXCEPTION, /* the device refused: `exception` */
    RH_POLL_CLOSED,    /* nothing was sent: this unit still owes an answer, until `closed_until_us` */
    RH_POLL_NOTHING, /* a listening driver heard nothing in this slice of time: it says nothing of the device
                      */
    RH_POLL_LOST,    /* the port or session is gone: disconnect(), then connect() again */
};

struct rh_poll_result {
    uint8_t exception;
    int error; /* of RH_POLL_LOST: a negative errno */
    int64_t closed_until_us;
    int64_t start_us;      /* first byte of the request */
    int64_t end_us;        /* when the line was free again */
    int64_t turnaround_us; /* end of the request on the wire to the first byte of the answer; -1: unknown */
};

/* Where readings go. Called on the poller's thread, inside poll(). `late`: this block's answer came after
 * its poll had timed out (rh_block as it was polled then). `heard`: a valid frame of this device came without
 * having been asked for. `wake` becomes readable when the poller has something else to do: a driver that only
 * listens returns then (RH_POLL_NOTHING); -1 for none. `silent`: this device, which speaks unasked, has not
 * for too long. */
struct rh_sink {
    void *context;
    int wake;
    void (*heard)(void *context, uint32_t device);
    void (*reading)(void *context, const struct rh_reading *reading);
    void (*late)(void *context, const struct rh_block *block);
    void (*silent)(void *context, uint32_t device);
};

/* Counters of a line; written by its poller's thread, read by anyone. */
struct rh_line_counters {
    rh_counter transactions, answers, timeouts, crc, foreign, late, echoes, exceptions, truncated, lost;
    rh_counter bytes_sent, bytes_received;
    rh_counter busy_us; /* time in transactions */
};

struct rh_link; /* one open line: the driver's own state */

struct rh_driver {
    const struct rh_driver_schema *schema;

    /* Pure. Plans the reads of a line; allocates ret_plan's arrays (rh_plan_fini). 0 or -ENOMEM. */
    int (*plan)(const struct rh_line_conf *line, struct rh_plan *ret_plan);
    /* Pure. Splits a block of several points in two, for bisection after an exception; recomputes the spans
     * and costs of both. */
    void (*split)(const struct rh_line_conf *line, const uint32_t *order, const struct rh_block *block,
                  struct rh_block ret_halves[2]);

    /* Allocates the line's state; touches no port. `line` and `counters` outlive the link. 0 or -ENOMEM. */
    int (*open)(const struct rh_line_conf *line, struct rh_line_counters *counters,
                struct rh_link **ret_link);
    void (*close)(struct rh_link *link);

    /* Opens the port or session. Returns within the line's timeout (at most 5 s). 0 or a negative errno,
     * with a sentence for people in `why` that names the port and what to do. */
    int (*connect)(struct rh_link *link, char *why, size_t cap);
    /* Closes the port at once, so that the kernel gives up the node; the state stays. */
    void (*disconnect)(struct rh_link *link);
    /* A descriptor that becomes readable when the port may have appeared again, or -1; never blocks. */
    int (*watch)(struct rh_link *link);

    /* One transaction: keeps the silence before the request, sends, waits at most until the timeout of
     * the device, hands readings of good answers to the sink. Never blocks another line, never exits. */
    enum rh_poll_outcome (*poll)(struct rh_link *link, const uint32_t *order, const struct rh_block *block,
                                 const struct rh_sink *sink, struct rh_poll_result *ret_result);

    /* The three below are NULL where a driver cannot write. */

    /* Pure. Can this value be put on the wire? 0, -ERANGE (the type cannot hold it), -EINVAL (another kind of
     * value is wanted), -EROFS (this point can never be written). */
    int (*check)(const struct rh_point *point, const struct rh_value *value);
    /* Pure. The block that reads one point, order[at] alone: for `get` and for reading back. */
    void (*single)(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                   struct rh_block *ret_block);
    /* One transaction that writes the first of `values` and as many behind it as one request can carry
     * without touching anything that is not named; *ret_taken, at least 1, says how many, whatever the
     * outcome. `check` has said 0 to each of them. RH_POLL_CLOSED: nothing was sent; RH_POLL_EXCEPTION but
     * for 5, 10 and 11: the device did not do it; TIMEOUT, GARBAGE and LOST: it may have done it. Late
     * answers to reads go to the sink. */
    enum rh_poll_outcome (*write)(struct rh_link *link, const struct rh_command_value *values, size_t n,
                                  const struct rh_sink *sink, size_t *ret_taken,
                                  struct rh_poll_result *ret_result);
};

void rh_plan_fini(struct rh_plan *plan);

/* The registry, from drivers.def. */
extern const struct rh_driver *const rh_drivers[];
extern const size_t rh_n_drivers;
const struct rh_driver *rh_driver_of(const struct rh_driver_schema *schema);

#endif
