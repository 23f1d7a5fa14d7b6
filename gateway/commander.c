/* SPDX-License-Identifier: MIT */
/*
 * Invariant: every message on a command topic gets exactly one reply, unless the process ends first; then a
 * command with an id gets `unconfirmed` from the next process, and one without was never promised more.
 */
#include "gateway/commander.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/asked.h"
#include "gateway/fence.h"
#include "gateway/pending.h"
#include "gateway/verbs.h"
#include "mqtt/reply.h"
#include "mqtt/topic.h"
#include "mqtt/value.h"
#include "store/commands.h"

#define PENDING_MAX 32
#define REPLY_BYTES ((size_t)RH_REPLY_MAX)
#define TICK_US 60000000
#define JOB_LIFE_US 600000000 /* an answer that did not come by then is lost */

struct job {
    struct rh_pending pending;
    struct rh_asked asked;
};

struct rh_commander {
    struct rh_commander_options options;
    const struct rh_routes *routes;
    struct job jobs[PENDING_MAX];
    uint64_t serial;
    struct rh_fence fence;
    int64_t tick_us;
    struct rh_request request; /* of the message at hand: large, so not on the stack */
    struct rh_asked asked;
    char reply[REPLY_BYTES];
};

int rh_commander_new(const struct rh_commander_options *options, struct rh_commander **ret_commander)
{
    struct rh_commander *commander = calloc(1, sizeof(*commander));

    if (!commander)
        return -ENOMEM;
    commander->options = *options;
    commander->serial = (uint64_t)rh_mono_us();
    *ret_commander = commander;
    return 0;
}

void rh_commander_free(struct rh_commander *commander)
{
    if (!commander)
        return;
    for (size_t i = 0; i < PENDING_MAX; i++)
        rh_pending_end(&commander->jobs[i].pending);
    free(commander);
}

void rh_commander_set_routes(struct rh_commander *commander, const struct rh_routes *routes)
{
    commander->routes = routes;
}

/* ---- replies ---- */

static void respond(struct rh_session *session, const struct rh_asked *asked, const char *reply, size_t len)
{
    struct rh_outgoing message = {.qos = 1, .payload = reply, .len = len};
    struct rh_publish_extra extra = {.correlation = asked->correlation, .len = asked->correlation_len};

    if (!*asked->response_topic || !session || rh_session_room(session) <= 0)
        return; /* the reply topic has it; this copy is a courtesy to who is there now */
    snprintf(message.topic, sizeof(message.topic), "%s", asked->response_topic);
    rh_session_publish_extra(session, &message, &extra);
}

/* A reply that the store does not take is sent past it, if it can be sent now. */
static void send_unstored(struct rh_session *session, const struct rh_asked *asked,
                          const struct rh_text *reply)
{
    struct rh_outgoing message = {.qos = 1, .payload = reply->at, .len = reply->len};

    snprintf(message.topic, sizeof(message.topic), "%s", asked->reply_topic);
    if (session && rh_session_room(session) > 0)
        rh_session_publish(session, &message);
}

/* False: it is not in the store. */
static bool finish(struct rh_commander *commander, struct rh_session *session, const struct rh_asked *asked,
                   const char *id, const struct rh_text *reply, const struct rh_audit *audit, size_t n_audit)
{
    struct rh_finish done = {.topic = asked->topic,
                             .id = id,
                             .reply_topic = asked->reply_topic,
                             .reply = reply->at,
                             .reply_len = reply->len,
                             .wall_ms = rh_wall_ms(),
                             .audit = audit,
                             .n_audit = n_audit};
    int r = rh_commands_finish(commander->options.flights, &done);

    if (r < 0) {
        rh_log(RH_LOG_ERROR, "command", "the reply on %s cannot be stored: %s", asked->reply_topic,
               strerror(-r));
        send_unstored(session, asked, reply);
    }
    respond(session, asked, reply->at, reply->len);
    return r == 0;
}

static struct rh_text begin_reply(struct rh_commander *commander)
{
    struct rh_text text;

    rh_text_init(&text, commander->reply, sizeof(commander->reply));
    return text;
}

/* Nothing was done, and why. `remembered`: the id was recorded, so its reply is kept. */
static void refuse(struct rh_commander *commander, struct rh_session *session,
                   const struct rh_refusal *refusal, bool remembered)
{
    const struct rh_request *request = &commander->request;
    struct rh_text text = begin_reply(commander);
    char outcome[64], buffer[16];
    struct rh_audit audit = {.wall_ms = rh_wall_ms(),
                             .topic = commander->asked.topic,
                             .id = request->id,
                             .by = request->by,
                             .point = "",
                             .old_value = "",
                             .new_value = "",
                             .outcome = outcome};

    const char *code = rh_command_code_name(refusal->code, 0, buffer);
    snprintf(outcome, sizeof(outcome), "%s%s%s", rh_command_status_name(refusal->status), *code ? " " : "",
             code);
    rh_log(RH_LOG_NOTICE, "command", "%s: %s: %s", commander->asked.topic, outcome, refusal->message);
    rh_refusal_reply(refusal, request->has_id ? request->id : "", rh_wall_ms(), &text);
    finish(commander, session, &commander->asked, remembered ? request->id : "", &text, &audit, 1);
}

static void refuse_code(struct rh_commander *commander, struct rh_session *session, enum rh_command_code code,
                        const char *message, bool remembered)
{
    struct rh_refusal refusal = {.code = code, .status = RH_STATUS_REJECTED};

    snprintf(refusal.message, sizeof(refusal.message), "%s", message);
    refuse(commander, session, &refusal, remembered);
}

static const struct rh_refusal too_large = {.status = RH_STATUS_FAILED,
                                            .message = "the reply is too large; ask for fewer points"};

/* One audit row per point of a set; a get and a dry run change nothing and are not audited. */
static void finish_job(struct rh_commander *commander, struct rh_session *session, struct job *job)
{
    struct rh_pending *pending = &job->pending;
    struct rh_audit audit[RH_COMMAND_POINTS];
    char points[RH_COMMAND_POINTS][2 * RH_NAME_MAX + 2], olds[RH_COMMAND_POINTS][48],
        news[RH_COMMAND_POINTS][300], outcomes[RH_COMMAND_POINTS][40];
    struct rh_text text = begin_reply(commander);
    size_t n = pending->set && !pending->dry_run ? pending->n : 0;

    for (size_t i = 0; i < n; i++) {
        const struct rh_pending_point *point = &pending->points[i];
        struct rh_text old, new, outcome;

        snprintf(points[i], sizeof(points[i]), "%s.%s", pending->device, point->point->name);
        rh_text_init(&old, olds[i], sizeof(olds[i]));
        rh_text_init(&new, news[i], sizeof(news[i]));
        rh_text_init(&outcome, outcomes[i], sizeof(outcomes[i]));
        if (point->has_old)
            rh_value_json(&old, point->point, &point->old);
        rh_value_json(&new, point->point, &point->wanted);
        rh_pending_outcome(point, &outcome);
        audit[i] = (struct rh_audit){rh_wall_ms(), job->asked.topic, pending->id, pending->by,
                                     points[i],    olds[i],          news[i],     outcomes[i]};
    }
    rh_pending_reply(pending, rh_mono_us(), rh_wall_ms(), &text);
    if (text.cut) {
        text = begin_reply(commander);
        rh_refusal_reply(&too_large, pending->id, rh_wall_ms(), &text);
    }
    finish(commander, session, &job->asked, pending->id, &text, audit, n);
    rh_pending_end(pending);
}

/* ---- what arrives ---- */

/* A process before this one began it and did not come to an end. */
static const struct rh_refusal unconfirmed = {
    .status = RH_STATUS_UNCONFIRMED,
    .message = "the gateway was interrupted while this was under way; it will not be tried again"};

static const struct rh_refusal twice = {.status = RH_STATUS_DUPLICATE,
                                        .message = "the first of this id is under way"};

/* An id that is known is answered from memory. True: it is new, or there is none. */
static bool first_time(struct rh_commander *commander, struct rh_session *session, bool again)
{
    const struct rh_request *request = &commander->request;
    char stored[REPLY_BYTES];
    struct rh_text kept, text = begin_reply(commander);
    enum rh_command_seen seen;

    if (!request->has_id)
        return true;
    rh_text_init(&kept, stored, sizeof(stored));
    int r = rh_commands_begin(commander->options.flights, commander->asked.topic, request->id, rh_wall_ms(),
                              &seen, &kept);
    if (r < 0) {
        rh_log(RH_LOG_ERROR, "command", "its id cannot be recorded: %s", strerror(-r));
        refuse_code(commander, session, RH_CODE_BUSY, "the gateway cannot record the id; nothing was done",
                    false);
        return false;
    }
    if (seen == RH_SEEN_NEW)
        return true;
    if (seen == RH_SEEN_HALF_DONE) {
        refuse(commander, session, &unconfirmed, true);
        return false;
    }
    if (again) /* one delivery, made twice by the broker or by our own crash: its reply is on its way */
        return false;
    if (seen == RH_SEEN_RUNNING)
        rh_refusal_reply(&twice, request->id, rh_wall_ms(), &text);
    else if (!rh_reply_duplicate(&text, kept.at, kept.len))
        rh_text_bytes(&text, kept.at, kept.len);
    finish(commander, session, &commander->asked, "", &text, NULL, 0);
    return false;
}

static struct job *free_job(struct rh_commander *commander)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (commander->jobs[i].pending.serial == 0)
            return &commander->jobs[i];
    return NULL;
}

static void run_command(struct rh_commander *commander, struct rh_session *session,
                        const struct rh_topic_parts *parts)
{
    const struct rh_request *request = &commander->request;
    const struct rh_route *route = rh_routes_find(commander->routes, parts->device);
    struct job *job = free_job(commander);
    bool set = parts->kind == RH_TOPIC_SET;
    struct rh_refusal refusal = {0};

    if (!commander->routes || (route && !job)) {
        refuse_code(commander, session, RH_CODE_BUSY,
                    job ? "the lines are being restarted" : "too many commands are under way",
                    request->has_id);
        return;
    }
    if (!route) {
        refuse_code(commander, session, RH_CODE_UNKNOWN, "there is no such device", request->has_id);
        return;
    }
    if (!rh_pending_begin(&job->pending, route, parts->point, set, request, RH_ORIGIN_UPLINK,
                          ++commander->serial, NULL, rh_mono_us(), &refusal)) {
        refuse(commander, session, &refusal, request->has_id);
        return;
    }
    job->asked = commander->asked;
    if (job->pending.answered == job->pending.n)
        finish_job(commander, session, job);
}

static void run_verb(struct rh_commander *commander, struct rh_session *session, const char *name)
{
    struct rh_verb_context context = {.commands = commander->options.commands,
                                      .shared = commander->options.shared,
                                      .keeper = commander->options.keeper,
                                      .resend_meta = commander->options.resend_meta};
    struct rh_refusal outcome = {0};
    struct rh_text text = begin_reply(commander);

    rh_verb_run(&context, name, &commander->request, &outcome);
    if (outcome.status != RH_STATUS_OK) {
        refuse(commander, session, &outcome, commander->request.has_id);
        return;
    }
    rh_refusal_reply(&outcome, commander->request.id, rh_wall_ms(), &text);
    finish(commander, session, &commander->asked, commander->request.id, &text, NULL, 0);
}

static void carry_out(struct rh_commander *commander, struct rh_session *session,
                      const struct rh_arrival *arrival, const struct rh_topic_parts *parts)
{
    struct rh_request *request = &commander->request;
    struct rh_refusal stale = {0};
    char why[128] = "";

    rh_asked_note(&commander->asked, commander->options.mqtt->root,
                  commander->options.commands->response_prefix, arrival, parts);
    enum rh_command_code code = rh_request_parse(arrival->payload, arrival->len, request, why, sizeof(why));
    if (arrival->retain) {
        refuse_code(commander, session, RH_CODE_RETAINED,
                    "a retained command is never carried out; publish without retain", false);
        return;
    }
    if (code != RH_CODE_NONE) {
        refuse_code(commander, session, code, why, false);
        return;
    }
    if (!first_time(commander, session, arrival->dup))
        return;
    if (!rh_dispatch_fresh(request, commander->fence.passed, rh_wall_plausible(rh_wall_ms()), rh_wall_ms(),
                           &stale))
        refuse(commander, session, &stale, request->has_id);
    else if (parts->kind == RH_TOPIC_VERB)
        run_verb(commander, session, parts->point);
    else
        run_command(commander, session, parts);
}

bool rh_commander_arrived(struct rh_commander *commander, struct rh_session *session,
                          const struct rh_arrival *arrival)
{
    struct rh_topic_parts parts = {.kind = RH_TOPIC_OTHER};
    rh_topic_parse(commander->options.mqtt->root, arrival->topic, strlen(arrival->topic), &parts);
    switch (parts.kind) {
    case RH_TOPIC_FENCE:
        rh_fence_arrived(&commander->fence, arrival->payload, arrival->len);
        return true;
    case RH_TOPIC_SET:
        if (arrival->retain && arrival->len == 0) /* a retained message is being cleared away */
            return true;
        carry_out(commander, session, arrival, &parts);
        return true;
    case RH_TOPIC_GET:
    case RH_TOPIC_VERB:
        carry_out(commander, session, arrival, &parts);
        return true;
    case RH_TOPIC_STATUS:
    case RH_TOPIC_OTHER:
        break;
    }
    return false;
}

/* Those that began before this time. */
static void give_up(struct rh_commander *commander, struct rh_session *session, int64_t before_us)
{
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct job *job = &commander->jobs[i];

        if (job->pending.serial == 0 || job->pending.begun_us >= before_us)
            continue;
        rh_pending_give_up(&job->pending);
        finish_job(commander, session, job);
    }
}

void rh_commander_answers(struct rh_commander *commander, struct rh_session *session)
{
    struct rh_answer answer;

    while (rh_ring_pop(commander->options.answers, &answer, sizeof(answer)) > 0) {
        for (size_t i = 0; i < PENDING_MAX; i++) {
            struct job *job = &commander->jobs[i];

            if (job->pending.serial != answer.serial)
                continue;
            if (rh_pending_take(&job->pending, &answer))
                finish_job(commander, session, job);
            break;
        }
    }
    give_up(commander, session, rh_mono_us() - JOB_LIFE_US);
}

bool rh_commander_waiting(const struct rh_commander *commander)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (commander->jobs[i].pending.serial != 0)
            return true;
    return false;
}

void rh_commander_give_up(struct rh_commander *commander, struct rh_session *session)
{
    give_up(commander, session, RH_NEVER);
}

/* ---- the session ---- */

/* A process before this one began it and did not come to an end: it may or may not have been carried out. */
static void settle_half_done(struct rh_commander *commander, struct rh_session *session)
{
    const char *root = commander->options.mqtt->root;
    struct rh_half_done half;
    struct rh_topic_parts parts;

    while (rh_commands_half_done(commander->options.flights, &half) == 1) {
        struct rh_arrival arrival = {.topic = half.topic};
        struct rh_text text = begin_reply(commander);

        rh_log(RH_LOG_WARNING, "command", "%s, id %s: unconfirmed, it was interrupted", half.topic, half.id);
        if (!rh_topic_parse(root, half.topic, strlen(half.topic), &parts))
            parts = (struct rh_topic_parts){.kind = RH_TOPIC_VERB, .point = "unknown"};
        struct rh_audit audit = {rh_wall_ms(), half.topic, half.id, "", "", "", "", "unconfirmed"};
        rh_asked_note(&commander->asked, root, "", &arrival, &parts);
        rh_refusal_reply(&unconfirmed, half.id, rh_wall_ms(), &text);
        if (!finish(commander, session, &commander->asked, half.id, &text, &audit, 1))
            return; /* after the next connect */
    }
}

void rh_commander_connecting(struct rh_commander *commander)
{
    rh_fence_close(&commander->fence);
}

void rh_commander_connected(struct rh_commander *commander, struct rh_session *session)
{
    char filter[RH_TOPIC_MAX];

    snprintf(filter, sizeof(filter), "%s/cmd/#", commander->options.mqtt->root);
    int r = rh_session_subscribe(session, filter, 1);
    if (r >= 0)
        rh_fence_begin(&commander->fence, rh_mono_us());
    else
        rh_log(RH_LOG_WARNING, "command", "%s cannot be subscribed to: %s %s", filter, strerror(-r),
               rh_session_why(session));
    settle_half_done(commander, session);
}

void rh_commander_step(struct rh_commander *commander, struct rh_session *session)
{
    int64_t now_us = rh_mono_us();

    rh_fence_step(&commander->fence, session, commander->options.mqtt->root, now_us);
    if (now_us >= commander->tick_us) {
        commander->tick_us = now_us + TICK_US;
        if (rh_commands_tick(commander->options.flights, rh_wall_ms()) < 0)
            commander->tick_us = now_us + TICK_US / 10;
    }
}
