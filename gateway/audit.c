/* SPDX-License-Identifier: MIT */
/*
 * A record of the ring:   | wall_ms, 8 bytes | topic 0 id 0 by 0 point 0 old 0 new 0 outcome 0 |
 */
#include "gateway/audit.h"

#include <string.h>

#include "core/log.h"

#define TEXTS 7
#define DRAIN_MAX 64 /* rows in one go: each is a commit, and messages wait meanwhile */

struct record {
    int64_t wall_ms;
    char texts[RH_AUDIT_BYTES];
};

bool rh_audit_offer(struct rh_ring *ring, const struct rh_audit *audit)
{
    const char *const texts[TEXTS] = {audit->topic,     audit->id,        audit->by,     audit->point,
                                      audit->old_value, audit->new_value, audit->outcome};
    struct record record = {.wall_ms = audit->wall_ms};
    size_t at = 0;

    for (size_t i = 0; i < TEXTS; i++) {
        size_t room = sizeof(record.texts) - at - (TEXTS - i), len = strlen(texts[i]);

        len = len < room ? len : room;
        memcpy(record.texts + at, texts[i], len);
        at += len + 1; /* the NUL is there already */
    }
    return rh_ring_offer(ring, &record, offsetof(struct record, texts) + at);
}

static void unpack(const struct record *record, struct rh_audit *ret_audit)
{
    const char *texts[TEXTS];
    const char *at = record->texts;

    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] = at;
        at += strlen(at) + 1;
    }
    *ret_audit = (struct rh_audit){record->wall_ms, texts[0], texts[1], texts[2],
                                   texts[3],        texts[4], texts[5], texts[6]};
}

void rh_audit_drain(struct rh_ring *ring, struct rh_flights *flights)
{
    struct record record;
    struct rh_audit audit;

    for (int n = 0; ring && n < DRAIN_MAX && rh_ring_pop(ring, &record, sizeof(record)) > 0; n++) {
        unpack(&record, &audit);
        int r = rh_commands_audit(flights, &audit);
        if (r < 0)
            rh_log(RH_LOG_ERROR, "command", "%s by %s: %s -> %s: %s; not in the audit trail: %s", audit.point,
                   audit.by, audit.old_value, audit.new_value, audit.outcome, strerror(-r));
    }
}
