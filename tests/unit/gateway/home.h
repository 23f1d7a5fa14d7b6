/* SPDX-License-Identifier: MIT */
/*
 * home.h - a small configuration without files, a real store in a directory of its own, and what the store
 * would have sent.
 */
#ifndef RH_TESTS_UNIT_GATEWAY_HOME_H
#define RH_TESTS_UNIT_GATEWAY_HOME_H

#include <jansson.h>
#include <stdint.h>

#include "config/config.h"
#include "gateway/source.h"
#include "store/flights.h"

/* `n_devices` devices "d0", "d1", … with `n_points` points "p0", … each; topic "t/d0". */
struct rh_line_conf *home_line(uint32_t n_devices, uint32_t n_points);
void home_line_free(struct rh_line_conf *line);
struct rh_point *home_point(struct rh_line_conf *line, uint32_t index);

struct home {
    char directory[64], path[96];
    int64_t max_size_bytes;
    struct rh_store_shared shared;
    struct rh_store *store;
};

struct home *home_new(int64_t max_size_bytes);
void home_free(struct home *home);
/* After another part has closed its store. */
void home_reopen(struct home *home);

/* One reading of a point: an integer, into the ring of the source. */
void home_push(struct rh_source *source, uint32_t point, int64_t value, int64_t wall_ms);
void home_push_text(struct rh_source *source, uint32_t point, size_t len);
void home_push_state(struct rh_source *source, uint32_t device, bool online);

/* Everything that is stored, in the order in which it would fly; it leaves the store. */
struct home_message {
    char topic[128];
    enum rh_batch_kind kind;
    int qos;
    bool retain;
    size_t len;
    char *text;
    json_t *json; /* of data and meta */
};
struct home_mail {
    struct home_message *at;
    size_t n;
};
struct home_mail home_fly(struct home *home);
void home_mail_free(struct home_mail *mail);

#endif
