/* SPDX-License-Identifier: MIT */
/*
 * control_client.h - one connection of the control socket: lines in, answers out, never more than its buffers
 * hold. Main thread; nothing blocks.
 *
 *   READING --line--> (a command) WAITING --answer--> WRITING --all sent--> READING
 *
 * It is read from only while READING: a client that asks without taking its answers stops itself.
 */
#ifndef RH_GATEWAY_CONTROL_CLIENT_H
#define RH_GATEWAY_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"
#include "gateway/control_job.h"

struct rh_control_client {
    int fd;            /* -1: gone, its command is under way */
    bool eof;          /* it will not send more */
    bool doomed;       /* closed when its answer is out */
    uint32_t interest; /* what its descriptor is polled for */
    int64_t since_us;  /* its last whole request, answer or taken byte */
    char who[24];      /* "uid 1000" */
    struct rh_control_job job;
    char *out; /* what could not be sent yet; NULL: nothing */
    size_t out_len, out_at;
    size_t in_len;
    char in[RH_CONTROL_LINE_MAX + 1];
};

bool rh_control_client_waiting(const struct rh_control_client *client);
bool rh_control_client_reading(const struct rh_control_client *client);

/* What has arrived, into the buffer. True if the buffer is full without a line end: more than a request. */
RH_MUST_USE bool rh_control_client_receive(struct rh_control_client *client);

/* The next whole line from `*at` (0 at first) on, without its end; false if there is none. It stays where it
 * is until rh_control_client_consume(at). */
bool rh_control_client_line(const struct rh_control_client *client, size_t *at, const char **ret_line,
                            size_t *ret_len);
void rh_control_client_consume(struct rh_control_client *client, size_t at);

/* Takes over the heap buffer of `text`, adds the line end and sends what the socket takes now. One answer at
 * a time. A client that is gone loses it. */
void rh_control_client_answer(struct rh_control_client *client, struct rh_text *text, int64_t now_us);
void rh_control_client_send(struct rh_control_client *client, int64_t now_us);
size_t rh_control_client_unsent(const struct rh_control_client *client);

/* Closes the descriptor and forgets what was to be sent; the job stays. */
void rh_control_client_hang_up(struct rh_control_client *client);

#endif
