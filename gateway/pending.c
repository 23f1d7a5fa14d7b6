/* SPDX-License-Identifier: MIT */
#include "gateway/pending.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "mqtt/reply.h"

#define COMMAND_LIFE_US 30000000 /* a line that is busy for longer answers `expired` */

static size_t points_of(const struct rh_route *route, const char *point, bool set,
                        const struct rh_request *request)
{
    if (*point)
        return 1;
    return set ? request->n_values : route->device->n_points;
}

static int64_t expiry_us(const struct rh_request *request, int64_t now_us)
{
    int64_t life_us = COMMAND_LIFE_US;

    if (request->has_expires) {
        int64_t left_ms = request->expires_wall_ms - rh_wall_ms();
        life_us = left_ms < life_us / 1000 ? left_ms * 1000 : life_us;
    }
    return now_us + life_us;
}

static bool refuse_busy(struct rh_refusal *refusal, const char *line, const char *why)
{
    *refusal = (struct rh_refusal){.code = RH_CODE_BUSY, .status = RH_STATUS_REJECTED};
    snprintf(refusal->message, sizeof(refusal->message), "line %s has %s", line, why);
    return false;
}

static size_t copy_bytes(const struct rh_point *point)
{
    size_t bytes = sizeof(*point) + point->n_labels * sizeof(*point->labels) + strlen(point->name) + 1 +
                   strlen(point->unit) + 1;

    for (size_t i = 0; i < point->n_labels; i++)
        bytes += strlen(point->labels[i].label) + 1;
    return bytes;
}

/* One block: | the point | its labels | texts |; with what a reply is written from, and nothing else. */
static struct rh_point *copy_point(const struct rh_point *point)
{
    struct rh_point *copy = malloc(copy_bytes(point));

    if (!copy)
        return NULL;
    *copy = *point;
    struct rh_label *labels = (struct rh_label *)(copy + 1);
    char *text = (char *)(labels + point->n_labels);
    copy->address = NULL;
    copy->label_codes = NULL;
    copy->name = text;
    text = stpcpy(text, point->name) + 1;
    copy->unit = text;
    text = stpcpy(text, point->unit) + 1;
    copy->labels = labels;
    for (size_t i = 0; i < point->n_labels; i++) {
        labels[i] = (struct rh_label){.code = point->labels[i].code, .label = text};
        text = stpcpy(text, point->labels[i].label) + 1;
    }
    return copy;
}

static bool expect(struct rh_pending *pending, const struct rh_command *command, struct rh_refusal *refusal)
{
    for (uint16_t i = 0; i < command->n; i++) {
        struct rh_pending_point *point = &pending->points[pending->n];

        *point = (struct rh_pending_point){.wanted = command->values[i].value};
        point->point = copy_point(&pending->route->device->line->points[command->values[i].point]);
        if (!point->point)
            return refuse_busy(refusal, pending->route->device->line->name, "no memory for the command");
        pending->n++;
    }
    return true;
}

/* The points from `first` on are answered: nothing was done with them. */
static void settle(struct rh_pending *pending, size_t first, enum rh_command_status status,
                   enum rh_command_code code)
{
    for (size_t i = first; i < pending->n; i++) {
        struct rh_pending_point *point = &pending->points[i];

        if (point->answered)
            continue;
        point->answered = true;
        point->status = (uint8_t)status;
        point->code = (uint8_t)code;
        pending->answered++;
    }
}

void rh_pending_give_up(struct rh_pending *pending)
{
    settle(pending, 0, pending->set ? RH_STATUS_UNCONFIRMED : RH_STATUS_FAILED,
           pending->set ? RH_CODE_NONE : RH_CODE_TIMEOUT);
}

static bool queue(struct rh_pending *pending, const struct rh_command *command, struct rh_refusal *refusal)
{
    if (rh_poller_command(pending->route->poller, command))
        return true;
    return refuse_busy(refusal, pending->route->device->line->name, "too many commands waiting");
}

static bool begin_set(struct rh_pending *pending, const char *point, const struct rh_request *request,
                      struct rh_command *command, const struct rh_point_history *history, int64_t now_us,
                      struct rh_refusal *refusal)
{
    if (!rh_dispatch_set(pending->route, point, request, history, now_us, command, refusal))
        return false;
    if (!expect(pending, command, refusal))
        return false;
    if (!request->dry_run)
        return queue(pending, command, refusal);
    settle(pending, 0, RH_STATUS_OK, RH_CODE_NONE);
    return true;
}

/* A large device is read by several commands; what its line cannot queue any more is answered `busy`. */
static bool begin_get(struct rh_pending *pending, const char *point, const struct rh_request *request,
                      struct rh_command *command, struct rh_refusal *refusal)
{
    uint32_t first = 0;
    bool room = true;

    do {
        size_t before = pending->n;

        if (!rh_dispatch_get(pending->route, point, &first, command, refusal))
            return false;
        bool listed = expect(pending, command, refusal);
        room = room && listed && (request->dry_run || queue(pending, command, refusal));
        if (!room && before == 0)
            return false;
        if (!room)
            settle(pending, before, RH_STATUS_REJECTED, RH_CODE_BUSY);
    } while (command->more);
    if (request->dry_run)
        settle(pending, 0, RH_STATUS_OK, RH_CODE_NONE);
    return true;
}

bool rh_pending_begin(struct rh_pending *pending, const struct rh_route *route, const char *point, bool set,
                      const struct rh_request *request, enum rh_command_origin origin, uint64_t serial,
                      const struct rh_point_history *history, int64_t now_us, struct rh_refusal *ret_refusal)
{
    struct rh_command command = {
        .serial = serial, .origin = (uint8_t)origin, .expires_us = expiry_us(request, now_us)};

    *pending = (struct rh_pending){.serial = serial,
                                   .set = set,
                                   .whole_device = !*point,
                                   .dry_run = request->dry_run,
                                   .route = route,
                                   .begun_us = now_us};
    snprintf(pending->device, sizeof(pending->device), "%s", route->device->name);
    snprintf(pending->id, sizeof(pending->id), "%s", request->has_id ? request->id : "");
    snprintf(pending->by, sizeof(pending->by), "%s", request->by);
    pending->points = calloc(points_of(route, point, set, request) + 1, sizeof(*pending->points));
    bool begun =
        pending->points || refuse_busy(ret_refusal, route->device->line->name, "no memory for the command");
    if (begun)
        begun = set ? begin_set(pending, point, request, &command, history, now_us, ret_refusal)
                    : begin_get(pending, point, request, &command, ret_refusal);
    if (!begun)
        rh_pending_end(pending);
    return begun;
}

bool rh_pending_take(struct rh_pending *pending, const struct rh_answer *answer)
{
    for (size_t i = 0; i < pending->n; i++) {
        struct rh_pending_point *point = &pending->points[i];

        if (point->answered || point->point->index != answer->point)
            continue;
        point->answered = true;
        point->status = answer->status;
        point->code = answer->code;
        point->detail = answer->detail;
        point->has_old = answer->has_old;
        point->old.kind = answer->old.kind;
        point->old.u64 = answer->old.bits;
        if (point->old.kind == RH_VALUE_BOOL)
            point->old.boolean = answer->old.bits != 0;
        point->reading = answer->reading;
        pending->answered++;
        break;
    }
    return pending->answered == pending->n;
}

static const char *code_text(enum rh_command_status status, enum rh_command_code code)
{
    static const char *const texts[RH_CODE_COUNT] = {
        [RH_CODE_BUSY] = "the line has too many commands waiting",
        [RH_CODE_RANGE] = "it would change by more than max_delta, or its present value is not known yet",
        [RH_CODE_RATE] = "it was written less than its min_interval ago",
        [RH_CODE_TIMEOUT] = "the device did not answer: a write may or may not have been carried out",
        [RH_CODE_CRC] = "only damaged answers came: a write may or may not have been carried out",
        [RH_CODE_EXCEPTION] = "the device refused",
        [RH_CODE_OFFLINE] = "the line is not connected, or is being restarted; nothing was done",
        [RH_CODE_VERIFY] = "what was read back is not what was written",
    };

    if (status == RH_STATUS_EXPIRED)
        return "it waited too long for the line";
    if (status == RH_STATUS_UNCONFIRMED)
        return "it may have been written: it could not be read back";
    if (status == RH_STATUS_REJECTED && code == RH_CODE_NONE)
        return "not tried: an earlier point failed";
    return status == RH_STATUS_OK ? NULL : texts[code];
}

static struct rh_reply_point reply_point(const struct rh_pending *pending,
                                         const struct rh_pending_point *point)
{
    bool read = point->reading.mono_us != 0;

    return (struct rh_reply_point){
        .point = point->point,
        .status = point->status,
        .code = point->code,
        .detail = point->detail,
        .message = pending->dry_run ? "dry run: nothing was written" : code_text(point->status, point->code),
        .value = pending->set ? &point->wanted : (read ? &point->reading.value : NULL),
        .readback = read ? &point->reading : NULL,
    };
}

/* Of a device: the first point that is not ok speaks for all. */
static struct rh_reply_point whole(const struct rh_reply_point *points, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (points[i].status != RH_STATUS_OK)
            return (struct rh_reply_point){.status = points[i].status,
                                           .code = points[i].code,
                                           .detail = points[i].detail,
                                           .message = points[i].message};
    return (struct rh_reply_point){.status = RH_STATUS_OK};
}

void rh_pending_reply(const struct rh_pending *pending, int64_t now_us, int64_t wall_ms, struct rh_text *text)
{
    struct rh_reply_point *points = calloc(pending->n + 1, sizeof(*points));
    struct rh_reply reply = {.id = *pending->id ? pending->id : NULL,
                             .wall_ms = wall_ms,
                             .took_ms = (now_us - pending->begun_us) / 1000};

    rh_assert(points);
    for (size_t i = 0; i < pending->n; i++)
        points[i] = reply_point(pending, &pending->points[i]);
    if (pending->whole_device) {
        reply.outcome = whole(points, pending->n);
        reply.points = points;
        reply.n_points = pending->n;
    } else {
        reply.outcome = points[0];
        if (pending->points[0].reading.mono_us != 0)
            reply.wall_ms = pending->points[0].reading.wall_ms;
    }
    rh_reply_write(text, &reply);
    free(points);
}

void rh_pending_outcome(const struct rh_pending_point *point, struct rh_text *text)
{
    char buffer[16];
    const char *code = rh_command_code_name(point->code, point->detail, buffer);

    rh_text_printf(text, "%s%s%s", rh_command_status_name(point->status), *code ? " " : "", code);
}

void rh_pending_end(struct rh_pending *pending)
{
    for (size_t i = 0; i < pending->n; i++)
        free(pending->points[i].point);
    free(pending->points);
    *pending = (struct rh_pending){0};
}

void rh_refusal_reply(const struct rh_refusal *refusal, const char *id, int64_t wall_ms, struct rh_text *text)
{
    struct rh_reply reply = {
        .id = *id ? id : NULL,
        .outcome = {.status = refusal->status, .code = refusal->code, .message = refusal->message},
        .wall_ms = wall_ms,
    };

    rh_reply_write(text, &reply);
}
