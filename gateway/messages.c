/* SPDX-License-Identifier: MIT */
#include "gateway/messages.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/point.h"
#include "gateway/version.h"

static void put_string(struct rh_text *text, const char *key, const char *value)
{
    rh_text_json(text, key, strlen(key));
    rh_text_char(text, ':');
    rh_text_json(text, value, strlen(value));
}

void rh_message_online(struct rh_text *text, const struct rh_status *status)
{
    rh_text_printf(text, "{\"state\":\"online\",\"session\":%lld,\"version\":\"%s\",\"epoch\":\"%s\",",
                   (long long)status->session, rh_version, status->epoch);
    rh_text_printf(text, "\"since\":%lld,\"mqtt\":%d,\"tls\":%s}", (long long)status->since_wall_ms,
                   status->mqtt, status->tls ? "true" : "false");
}

void rh_message_offline(struct rh_text *text, const struct rh_status *status, const char *reason)
{
    rh_text_printf(text, "{\"state\":\"offline\",\"reason\":\"%s\",\"session\":%lld,\"epoch\":\"%s\"}",
                   reason, (long long)status->session, status->epoch);
}

int64_t rh_message_session(const void *payload, size_t len)
{
    json_t *root = json_loadb(payload, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *session = json_object_get(root, "session");
    int64_t number = json_is_integer(session) ? (int64_t)json_integer_value(session) : -1;

    json_decref(root);
    return number < 0 ? -1 : number;
}

/* A limit as the user would write it: whole numbers without a point. */
static void put_number(struct rh_text *text, const char *key, double value)
{
    rh_text_printf(text, ",\"%s\":", key);
    if (trunc(value) == value && fabs(value) < 1e15)
        rh_text_int(text, (int64_t)value);
    else
        rh_text_double(text, value);
}

static void put_enum(struct rh_text *text, const struct rh_point *point)
{
    rh_text_put(text, ",\"enum\":{");
    for (size_t i = 0; i < point->n_labels; i++) {
        rh_text_put(text, i ? "," : "");
        if (point->type == RH_TYPE_STR)
            rh_text_json(text, point->label_codes[i], strlen(point->label_codes[i]));
        else
            rh_text_printf(text, "\"%lld\"", (long long)point->labels[i].code);
        rh_text_char(text, ':');
        rh_text_json(text, point->labels[i].label, strlen(point->labels[i].label));
    }
    rh_text_char(text, '}');
}

static void put_point(struct rh_text *text, const struct rh_point *point)
{
    rh_text_json(text, point->name, strlen(point->name));
    rh_text_printf(text, ":{\"type\":\"%s\"", rh_type_name(point->type));
    if (*point->unit) {
        rh_text_char(text, ',');
        put_string(text, "unit", point->unit);
    }
    if (point->counter)
        rh_text_put(text, ",\"kind\":\"counter\"");
    if (point->writable)
        rh_text_put(text, ",\"writable\":true");
    if (point->has_min)
        put_number(text, "min", point->min);
    if (point->has_max)
        put_number(text, "max", point->max);
    if (point->has_step)
        put_number(text, "step", point->step);
    if (point->n_labels)
        put_enum(text, point);
    if (point->period_ms == RH_PERIOD_FASTEST)
        rh_text_put(text, ",\"period_ms\":null}");
    else
        rh_text_printf(text, ",\"period_ms\":%lld}", (long long)point->period_ms);
}

static void put_address(struct rh_text *text, const char *address)
{
    uint64_t number;

    if (!*address)
        return;
    rh_text_put(text, ",\"address\":");
    if (rh_parse_uint(address, &number) == 0)
        rh_text_uint(text, number);
    else
        rh_text_json(text, address, strlen(address));
}

void rh_message_meta(struct rh_text *text, const char *gateway, const struct rh_device_conf *device)
{
    rh_text_char(text, '{');
    put_string(text, "gw", gateway);
    rh_text_char(text, ',');
    put_string(text, "dev", device->name);
    if (*device->title) {
        rh_text_char(text, ',');
        put_string(text, "title", device->title);
    }
    if (*device->profile) {
        rh_text_char(text, ',');
        put_string(text, "profile", device->profile);
    }
    rh_text_char(text, ',');
    put_string(text, "line", device->line->name);
    put_address(text, device->address);
    rh_text_put(text, ",\"tags\":{");
    for (size_t i = 0; i < device->tags.n; i++) {
        rh_text_put(text, i ? "," : "");
        put_string(text, device->tags.at[i].name, device->tags.at[i].value);
    }
    rh_text_put(text, "},\"points\":{");
    for (uint32_t i = 0; i < device->n_points; i++) {
        rh_text_put(text, i ? "," : "");
        put_point(text, &device->line->points[device->first_point + i]);
    }
    rh_text_put(text, "}}");
}

void rh_message_device(struct rh_text *text, const struct rh_device_conf *device)
{
    rh_text_put(text, device->name);
    if (*device->address)
        rh_text_printf(text, " (address %s)", device->address);
}
