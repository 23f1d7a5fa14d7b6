/* SPDX-License-Identifier: MIT */
/*
 * commands.h - which commands have been seen, what was replied, and the audit trail. On the uplink's
 * connection and thread.
 *
 * An id is on disk before the bus is touched, and its reply before anybody can ask for it again: a command
 * is carried out at most once, and answered with the same words ever after (at least 24 h). An id found
 * without a reply belongs to a command that a former process did not finish.
 */
#ifndef RH_STORE_COMMANDS_H
#define RH_STORE_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

#include "core/command.h"
#include "core/text.h"
#include "store/flights.h"

#define RH_REPLY_MAX 32768

enum rh_command_seen {
    RH_SEEN_NEW,       /* recorded now, durably: carry it out */
    RH_SEEN_RUNNING,   /* being carried out, by this process */
    RH_SEEN_DONE,      /* its reply is in ret_reply */
    RH_SEEN_HALF_DONE, /* a former process began it: do not carry it out, finish it as `unconfirmed` */
};

/* Looks an id up on its topic and records it if it is new; synced. A negative errno: nothing was recorded, do
 * not carry it out (-EINVAL: topic or id empty or too long; -ENOBUFS: 100,000 ids within 24 h, or two per
 * page of a store that small; -ENOSPC: no room, not even by dropping data). `ret_reply` is appended to. */
RH_MUST_USE int rh_commands_begin(struct rh_flights *flights, const char *topic, const char *id,
                                  int64_t wall_ms, enum rh_command_seen *ret_seen, struct rh_text *ret_reply);

/* One row of the audit trail; strings may be "" and are cut at 1 KiB. */
struct rh_audit {
    int64_t wall_ms;
    const char *topic; /* or "control" for the control socket */
    const char *id;
    const char *by;    /* as claimed */
    const char *point; /* device.point */
    const char *old_value, *new_value;
    const char *outcome; /* "ok", "rejected range", … */
};

struct rh_finish {
    const char *topic;       /* the command's */
    const char *id;          /* "" for none: no memory of it is kept */
    const char *reply_topic; /* "" for none */
    const char *reply; /* the text; kept under the id, and published as a message of kind REPLY at QoS 1 */
    size_t reply_len;
    int64_t wall_ms;
    const struct rh_audit *audit; /* n_audit rows */
    size_t n_audit;
};

/* Reply, its publication and the audit rows in one synced transaction; when the store is full, data makes
 * room for them. Replies are all kept until the broker has them; they are never dropped to make room for
 * data. Of more than 1000 that wait (fewer in a small store) the oldest that the broker refused goes for the
 * new one; if it refused none, one without id is -ENOBUFS. -EEXIST: the id has its reply already; -EMSGSIZE:
 * longer than RH_REPLY_MAX. An id that was never begun, or is forgotten, is not remembered: its reply is
 * published. */
RH_MUST_USE int rh_commands_finish(struct rh_flights *flights, const struct rh_finish *finish);

/* An audit row alone (a rejected command without id, a local write). */
RH_MUST_USE int rh_commands_audit(struct rh_flights *flights, const struct rh_audit *audit);

struct rh_half_done {
    char topic[RH_TOPIC_MAX];
    char id[RH_COMMAND_ID_MAX + 1];
};

/* The oldest command that a former process began and did not finish: 1; 0: there is none. The caller finishes
 * it as `unconfirmed`. */
RH_MUST_USE int rh_commands_half_done(struct rh_flights *flights, struct rh_half_done *ret_command);

/* Forgets ids older than 24 h and all but the newest 10,000 audit rows (one per four pages of a small store);
 * at most a few rows per call, to be called every minute or so. A wall clock that steps (by more than the
 * `now` of rh_flights_next and rh_flights_tick has moved) ages nothing. Half-done commands stay. */
RH_MUST_USE int rh_commands_tick(struct rh_flights *flights, int64_t wall_ms);

#endif
