/* SPDX-License-Identifier: MIT */
#include "gateway/control_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/audit.h"
#include "mqtt/value.h"

#define TOPIC "control"
/* A refused write costs its asker nothing and the audit trail a commit: no more than this. */
#define REFUSALS_MAX 50
#define REFUSAL_US 1000000

int rh_control_desk_set_routes(struct rh_control_desk *desk, const struct rh_routes *routes)
{
    free(desk->history);
    desk->history = routes ? calloc(routes->n_points + 1, sizeof(*desk->history)) : NULL;
    desk->routes = desk->history ? routes : NULL;
    return routes && !desk->history ? -ENOMEM : 0;
}

/* ---- answers ---- */

static void put_string(struct rh_text *text, const char *key, const char *string)
{
    rh_text_printf(text, ",\"%s\":", key);
    rh_text_json(text, string, strlen(string));
}

void rh_control_error(struct rh_text *text, const char *code, const char *message)
{
    rh_text_put(text, "{\"ok\":false");
    put_string(text, "error", message);
    put_string(text, "code", code);
    rh_text_char(text, '}');
}

static void answer_refusal(struct rh_text *text, const struct rh_refusal *refusal, const char *id)
{
    char buffer[16];
    const char *code = rh_command_code_name(refusal->code, 0, buffer);

    rh_text_put(text, "{\"ok\":false");
    put_string(text, "error", refusal->message);
    put_string(text, "code", *code ? code : rh_command_status_name(refusal->status));
    rh_text_put(text, ",\"reply\":");
    rh_refusal_reply(refusal, id, rh_wall_ms(), text);
    rh_text_char(text, '}');
}

static void answer_pending(struct rh_text *text, const struct rh_pending *pending)
{
    const struct rh_pending_point *point = &pending->points[0];
    bool ok = point->status == RH_STATUS_OK;
    char outcome[40];
    struct rh_text words;

    rh_text_init(&words, outcome, sizeof(outcome));
    rh_pending_outcome(point, &words);
    rh_text_printf(text, "{\"ok\":%s,\"reply\":", ok ? "true" : "false");
    rh_pending_reply(pending, rh_mono_us(), rh_wall_ms(), text);
    if (*point->point->unit)
        put_string(text, "unit", point->point->unit);
    if (!ok) {
        char buffer[16];
        const char *code = rh_command_code_name(point->code, point->detail, buffer);
        put_string(text, "error", outcome);
        put_string(text, "code", *code ? code : rh_command_status_name(point->status));
    }
    rh_text_char(text, '}');
}

/* ---- the audit trail ---- */

static void audit(struct rh_control_desk *desk, const struct rh_audit *row)
{
    if (!rh_audit_offer(desk->audits, row))
        rh_log(RH_LOG_WARNING, "command", "%s by %s: %s -> %s: %s; the audit trail has no room for it",
               row->point, row->by, row->old_value, row->new_value, row->outcome);
}

static void audit_pending(struct rh_control_desk *desk, const struct rh_pending *pending, const char *outcome)
{
    const struct rh_pending_point *point = &pending->points[0];
    char name[2 * RH_NAME_MAX + 2], before[48], after[300], words[40];
    struct rh_text old, new, text;

    snprintf(name, sizeof(name), "%s.%s", pending->device, point->point->name);
    rh_text_init(&old, before, sizeof(before));
    rh_text_init(&new, after, sizeof(after));
    rh_text_init(&text, words, sizeof(words));
    if (point->has_old && point->old.kind != RH_VALUE_NONE)
        rh_value_json(&old, point->point, &point->old);
    rh_value_json(&new, point->point, &point->wanted);
    if (outcome)
        rh_text_put(&text, outcome);
    else
        rh_pending_outcome(point, &text);
    audit(desk,
          &(struct rh_audit){rh_wall_ms(), TOPIC, pending->id, pending->by, name, before, after, words});
}

/* Refills with time; false when a flood has used it up. */
static bool may_audit_refusal(struct rh_control_desk *desk, int64_t now_us)
{
    int64_t earned = (now_us - desk->refill_us) / REFUSAL_US;

    if (earned > 0) {
        desk->refusals = earned < REFUSALS_MAX - desk->refusals ? desk->refusals + (int)earned : REFUSALS_MAX;
        desk->refill_us = now_us;
    }
    return desk->refusals > 0 && desk->refusals-- > 0;
}

static void audit_refusal(struct rh_control_desk *desk, const struct rh_control_request *request,
                          const struct rh_refusal *refusal)
{
    char name[2 * RH_NAME_MAX + 2], outcome[64], buffer[16];

    if (!may_audit_refusal(desk, rh_mono_us()))
        return;
    snprintf(name, sizeof(name), "%s.%s", request->device, request->point);
    snprintf(outcome, sizeof(outcome), "%s %s", rh_command_status_name(refusal->status),
             rh_command_code_name(refusal->code, 0, buffer));
    audit(desk, &(struct rh_audit){rh_wall_ms(), TOPIC, request->command.id, request->command.by, name, "",
                                   "", outcome});
}

/* ---- from begin to end ---- */

static void finish(struct rh_control_job *job, struct rh_text *text)
{
    answer_pending(text, &job->pending);
    rh_pending_end(&job->pending);
}

static void note_written(struct rh_control_desk *desk, const struct rh_pending *pending, int64_t now_us)
{
    const struct rh_point *point = pending->points[0].point;

    desk->history[pending->route->first + point->index - pending->route->device->first_point].written_us =
        now_us;
}

static bool refuse(struct rh_refusal *refusal, enum rh_command_code code, const char *message)
{
    refusal->status = RH_STATUS_REJECTED;
    refusal->code = code;
    snprintf(refusal->message, sizeof(refusal->message), "%s", message);
    return false;
}

static bool try_begin(struct rh_control_job *job, struct rh_control_desk *desk,
                      const struct rh_control_request *request, struct rh_refusal *refusal)
{
    const struct rh_request *command = &request->command;
    const struct rh_route *route = rh_routes_find(desk->routes, request->device);
    bool set = request->verb == RH_CONTROL_WRITE;
    int64_t now_us = rh_mono_us();

    if (!desk->routes)
        return refuse(refusal, RH_CODE_BUSY, "the lines are being restarted");
    if (!route)
        return refuse(refusal, RH_CODE_UNKNOWN, "there is no such device");
    if (!rh_dispatch_fresh(command, true, rh_wall_plausible(rh_wall_ms()), rh_wall_ms(), refusal))
        return false;
    if (!rh_pending_begin(&job->pending, route, request->point, set, command, RH_ORIGIN_CONTROL,
                          ++desk->serial, desk->history, now_us, refusal))
        return false;
    if (set && !command->dry_run)
        note_written(desk, &job->pending, now_us);
    return true;
}

/* Who asks, as the kernel says, and as claimed. */
static void sign(struct rh_request *command, const char *who)
{
    char claimed[sizeof(command->by)];

    memcpy(claimed, command->by, sizeof(claimed));
    int len = snprintf(command->by, sizeof(command->by), "%s%s", who, *claimed ? ": " : "");
    if (len > 0 && (size_t)len < sizeof(command->by))
        snprintf(command->by + len, sizeof(command->by) - (size_t)len, "%s", claimed);
    command->by[rh_utf8_valid(command->by, strlen(command->by))] = 0;
}

bool rh_control_job_begin(struct rh_control_job *job, struct rh_control_desk *desk,
                          struct rh_control_request *request, const char *who, struct rh_text *text)
{
    struct rh_refusal refusal = {0};

    sign(&request->command, who);
    if (!try_begin(job, desk, request, &refusal)) {
        if (request->verb == RH_CONTROL_WRITE)
            audit_refusal(desk, request, &refusal);
        answer_refusal(text, &refusal, request->command.id);
        return true;
    }
    if (job->pending.answered < job->pending.n)
        return false;
    finish(job, text); /* a dry run */
    return true;
}

bool rh_control_job_take(struct rh_control_job *job, struct rh_control_desk *desk,
                         const struct rh_answer *answer, struct rh_text *text)
{
    if (!rh_pending_take(&job->pending, answer))
        return false;
    if (job->pending.set)
        audit_pending(desk, &job->pending, NULL);
    finish(job, text);
    return true;
}

void rh_control_job_give_up(struct rh_control_job *job, struct rh_control_desk *desk, const char *why,
                            struct rh_text *text)
{
    struct rh_refusal refusal = {.status = RH_STATUS_UNCONFIRMED};

    snprintf(refusal.message, sizeof(refusal.message), "%s", why);
    if (job->pending.set)
        audit_pending(desk, &job->pending, rh_command_status_name(RH_STATUS_UNCONFIRMED));
    answer_refusal(text, &refusal, job->pending.id);
    rh_pending_end(&job->pending);
}
