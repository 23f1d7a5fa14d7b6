/* SPDX-License-Identifier: MIT */
#include "gateway/dispatch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static RH_PRINTF(3, 4) bool refuse(struct rh_refusal *refusal, enum rh_command_code code, const char *format,
                                   ...)
{
    va_list args;

    refusal->status = RH_STATUS_REJECTED;
    refusal->code = code;
    va_start(args, format);
    vsnprintf(refusal->message, sizeof(refusal->message), format, args);
    va_end(args);
    return false;
}

static bool expire(struct rh_refusal *refusal, const char *message)
{
    refuse(refusal, RH_CODE_NONE, "%s", message);
    refusal->status = RH_STATUS_EXPIRED;
    return false;
}

bool rh_dispatch_fresh(const struct rh_request *request, bool fenced, bool clock_synced, int64_t now_wall_ms,
                       struct rh_refusal *ret_refusal)
{
    if (request->has_expires && !clock_synced)
        return refuse(ret_refusal, RH_CODE_CLOCK,
                      "the gateway's clock is not set: it cannot tell whether this has expired");
    if (request->has_expires && request->expires_wall_ms <= now_wall_ms)
        return expire(ret_refusal, "its `expires` has passed");
    if (!fenced && !request->has_expires)
        return expire(ret_refusal,
                      "it was queued while the gateway was away; send it again, or with `expires`");
    return true;
}

/* What the point asks of every command to it, whatever the value. */
static bool may_write(const struct rh_route *route, const struct rh_point *point,
                      const struct rh_request *request, struct rh_refusal *refusal)
{
    const char *device = route->device->name;

    if (!point->writable)
        return refuse(refusal, RH_CODE_READ_ONLY,
                      "%s.%s is read-only: it needs `writable` and its device `writes = allow`", device,
                      point->name);
    if (point->critical && !(request->has_id && request->has_expires))
        return refuse(refusal, RH_CODE_SYNTAX, "%s.%s is critical: a command to it needs `id` and `expires`",
                      device, point->name);
    if (point->momentary && !request->has_id)
        return refuse(refusal, RH_CODE_SYNTAX, "%s.%s is momentary: a command to it needs an `id`", device,
                      point->name);
    return true;
}

static bool soon_again(const struct rh_route *route, const struct rh_point *point,
                       const struct rh_point_history *history, int64_t now_us)
{
    if (!history || point->min_interval_ms == 0)
        return false;
    const struct rh_point_history *mine = &history[route->first + point->index - route->device->first_point];
    return mine->written_us != 0 && now_us - mine->written_us < point->min_interval_ms * 1000;
}

static const char *conversion_text(enum rh_command_code code)
{
    switch (code) {
    case RH_CODE_RANGE:
        return "the value is outside min..max";
    case RH_CODE_STEP:
        return "the value is not a multiple of `step`";
    default:
        return "the value is of the wrong kind, or unknown";
    }
}

/* One value: kind, limits, and whether the wire can carry it. */
static bool convert(const struct rh_route *route, const struct rh_point *point, const struct rh_value *given,
                    bool bare, struct rh_command_value *ret_value, struct rh_refusal *refusal)
{
    const struct rh_driver *driver = rh_driver_of(route->device->line->schema);
    enum rh_command_code code = rh_request_convert(point, given, bare, &ret_value->value);

    ret_value->point = point->index;
    if (code != RH_CODE_NONE)
        return refuse(refusal, code, "%s.%s: %s", route->device->name, point->name, conversion_text(code));
    int r = driver->check ? driver->check(point, &ret_value->value) : -EROFS;
    if (r == -ERANGE)
        return refuse(refusal, RH_CODE_RANGE, "%s.%s: its type %s cannot hold this value",
                      route->device->name, point->name, rh_type_name(point->type));
    if (r == -EINVAL)
        return refuse(refusal, RH_CODE_TYPE, "%s.%s: a value of this kind cannot be written",
                      route->device->name, point->name);
    if (r < 0)
        return refuse(refusal, RH_CODE_READ_ONLY, "%s.%s cannot be written", route->device->name,
                      point->name);
    return true;
}

struct setting {
    const struct rh_route *route;
    const struct rh_request *request;
    const struct rh_point_history *history;
    int64_t now_us;
    struct rh_command *command;
    struct rh_refusal *refusal;
};

static bool add_set(const struct setting *set, const char *name, const struct rh_value *given)
{
    const struct rh_point *point = rh_route_point(set->route, name);
    struct rh_command_value *value = &set->command->values[set->command->n];

    if (!point)
        return refuse(set->refusal, RH_CODE_UNKNOWN, "%s has no point \"%.64s\"", set->route->device->name,
                      name);
    if (!may_write(set->route, point, set->request, set->refusal))
        return false;
    if (soon_again(set->route, point, set->history, set->now_us))
        return refuse(set->refusal, RH_CODE_RATE, "%s.%s was written less than its min_interval ago",
                      set->route->device->name, name);
    if (!convert(set->route, point, given, set->request->bare, value, set->refusal))
        return false;
    set->command->n++;
    return true;
}

bool rh_dispatch_set(const struct rh_route *route, const char *point, const struct rh_request *request,
                     const struct rh_point_history *history, int64_t now_us, struct rh_command *ret_command,
                     struct rh_refusal *ret_refusal)
{
    struct setting set = {route, request, history, now_us, ret_command, ret_refusal};

    ret_command->kind = RH_COMMAND_SET;
    ret_command->n = 0;
    ret_command->more = false;
    if (*point) {
        if (!request->has_value)
            return refuse(ret_refusal, RH_CODE_SYNTAX, "there is no `value`");
        return add_set(&set, point, &request->value);
    }
    if (request->n_values == 0)
        return refuse(ret_refusal, RH_CODE_SYNTAX,
                      "a command to a device needs `values`, an object of points and values");
    for (size_t i = 0; i < request->n_values; i++)
        if (!add_set(&set, request->values[i].point, &request->values[i].value))
            return false;
    return true;
}

bool rh_dispatch_get(const struct rh_route *route, const char *point, uint32_t *first,
                     struct rh_command *ret_command, struct rh_refusal *ret_refusal)
{
    const struct rh_device_conf *device = route->device;

    ret_command->kind = RH_COMMAND_GET;
    ret_command->n = 0;
    ret_command->more = false;
    if (!rh_driver_of(device->line->schema)->single)
        return refuse(ret_refusal, RH_CODE_TYPE, "%s only sends by itself: it cannot be asked", device->name);
    if (*point) {
        const struct rh_point *found = rh_route_point(route, point);
        if (!found)
            return refuse(ret_refusal, RH_CODE_UNKNOWN, "%s has no point \"%.64s\"", device->name, point);
        ret_command->values[ret_command->n++] = (struct rh_command_value){.point = found->index};
        return true;
    }
    if (device->n_points == 0)
        return refuse(ret_refusal, RH_CODE_UNKNOWN, "%s has no points", device->name);
    for (; *first < device->n_points && ret_command->n < RH_COMMAND_POINTS; ++*first)
        ret_command->values[ret_command->n++] =
            (struct rh_command_value){.point = device->first_point + *first};
    ret_command->more = *first < device->n_points;
    return true;
}
