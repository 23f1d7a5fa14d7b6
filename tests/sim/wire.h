/* SPDX-License-Identifier: MIT */
/*
 * wire.h - time on one serial line.
 *
 * What the master writes at once lasts n characters from the moment its first byte arrived; what comes
 * while that lasts is queued behind it. What the stations send becomes visible to the master character
 * by character, each at the end of its own time, handed over in chunks of at most SIM_CHUNK_NS, the
 * first and the last one exactly:
 *
 *   master   |<-- n_rx characters -->|
 *   station                          |<- turnaround ->|c0|c1|c2| ... |cn|
 *   visible                                              ^  (chunks)     ^
 *
 * Two at a time (a collision): of two stations the one that began first is heard, its overlapped
 * characters damaged; those of the other are lost. A station that talks into a request is not heard for as
 * long, and the request is damaged. With `defer` a station waits for the silence after whoever talks instead.
 */
#ifndef RAILSIM_WIRE_H
#define RAILSIM_WIRE_H

#include "tests/sim/base.h"
#include "tests/sim/slave.h"

#define SIM_SEND_MAX 1024
#define SIM_SENDS_MAX 32
#define SIM_HEARD_MAX 600
#define SIM_CHUNK_NS SIM_MS
#define SIM_EARLY_NS (50 * SIM_US) /* at most so long is waited in a loop, once per transmission */
#define SIM_PAUSE_EVERY SIZE_MAX

/* One transmission of a station, waiting or under way. */
struct sim_send {
    bool used;
    bool begun;
    bool echo;    /* the adapter gives back what it sends: never collides */
    bool damaged; /* a collision */
    uint8_t bytes[SIM_SEND_MAX];
    size_t n, sent;
    int64_t start_ns;
    int64_t pause_ns; /* after character pause_at, or after every one */
    size_t pause_at;
    int client;               /* who hears it; -1: everybody */
    struct sim_slave *slave;  /* NULL: a sensor, an echo, an injection */
    const char *sensor;       /* its name; NULL: no sensor */
    struct sim_record record; /* logged at its end, if record.outcome is set */
};

/* What the wire asks of its owner. */
struct sim_wire_ops {
    void (*deliver)(void *context, int client, uint8_t *bytes, size_t n);
    /* Just before its last bytes are delivered, or when it is cut short (sent < n). */
    void (*over)(void *context, struct sim_send *send);
};

struct sim_wire {
    double char_ns;     /* 0: no pacing, as on Modbus TCP */
    int64_t silence_ns; /* t3.5 */
    bool defer;
    const struct sim_wire_ops *ops;
    void *context;
    uint8_t heard[SIM_HEARD_MAX]; /* the request being received */
    size_t n_heard;
    int64_t heard_start_ns, heard_end_ns;
    int64_t heard_gap_ns; /* the silence before it; -1: nothing was before */
    bool heard_collided;
    int64_t last_end_ns;   /* of the last byte on the wire; 0: none yet */
    int64_t last_chunk_ns; /* when something was last handed over */
    int64_t busy_ns, worst_late_ns;
    uint64_t bytes_in, bytes_out, overflows;
    struct sim_send sends[SIM_SENDS_MAX];
};

void sim_wire_init(struct sim_wire *wire, int64_t baud, int bits, const struct sim_wire_ops *ops,
                   void *context);

/* Bytes from the master. */
void sim_wire_hear(struct sim_wire *wire, const uint8_t *bytes, size_t n, int64_t now_ns);
void sim_wire_forget(struct sim_wire *wire); /* the request was taken */

/* A free place for a transmission, or NULL (counted). Set bytes, n, start and what else is wanted. */
struct sim_send *sim_wire_send(struct sim_wire *wire);
int64_t sim_send_end_ns(const struct sim_wire *wire, const struct sim_send *send, size_t index);

/* Hands over what is due; returns when to be called next. */
int64_t sim_wire_run(struct sim_wire *wire, int64_t now_ns);
void sim_wire_cut(struct sim_wire *wire, const char *outcome); /* ends all transmissions now */

#endif
