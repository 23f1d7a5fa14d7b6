/* SPDX-License-Identifier: MIT */
#include "mqtt/reply.h"

#include <string.h>

#include "mqtt/value.h"

/* The key, and the comma before it unless it comes first in its object. */
static void put_key(struct rh_text *text, const char *key)
{
    if (text->len > 0 && text->at[text->len - 1] != '{')
        rh_text_char(text, ',');
    rh_text_json(text, key, strlen(key));
    rh_text_char(text, ':');
}

static void put_string(struct rh_text *text, const char *key, const char *string)
{
    if (!string || !*string)
        return;
    put_key(text, key);
    rh_text_json(text, string, strlen(string));
}

static void put_int(struct rh_text *text, const char *key, int64_t value)
{
    put_key(text, key);
    rh_text_int(text, value);
}

static void put_value(struct rh_text *text, const char *key, const struct rh_point *point,
                      const struct rh_value *value)
{
    if (!point || !value || !rh_value_finite(value))
        return;
    put_key(text, key);
    rh_value_json(text, point, value);
}

static void put_outcome(struct rh_text *text, const struct rh_reply_point *outcome)
{
    char code[16];
    put_string(text, "status", rh_command_status_name(outcome->status));
    put_string(text, "code", rh_command_code_name(outcome->code, outcome->detail, code));
    put_string(text, "message", outcome->message);
    put_value(text, "value", outcome->point, outcome->value);
    if (outcome->readback && rh_value_worth(outcome->readback))
        put_value(text, "readback", outcome->point, &outcome->readback->value);
}

static void put_points(struct rh_text *text, const struct rh_reply_point *points, size_t n)
{
    put_key(text, "values");
    rh_text_char(text, '{');
    for (size_t i = 0; i < n; i++) {
        rh_assert(points[i].point);
        put_key(text, points[i].point->name);
        rh_text_char(text, '{');
        put_outcome(text, &points[i]);
        rh_text_char(text, '}');
    }
    rh_text_char(text, '}');
}

bool rh_reply_write(struct rh_text *text, const struct rh_reply *reply)
{
    rh_text_char(text, '{');
    put_string(text, "id", reply->id);
    put_outcome(text, &reply->outcome);
    if (reply->n_points > 0)
        put_points(text, reply->points, reply->n_points);
    put_int(text, "t", reply->wall_ms);
    put_int(text, "took_ms", reply->took_ms);
    rh_text_char(text, '}');
    return !text->cut;
}

bool rh_reply_duplicate(struct rh_text *text, const char *stored, size_t len)
{
    if (len < 2 || stored[0] != '{' || stored[len - 1] != '}')
        return false;
    rh_text_bytes(text, stored, len - 1);
    rh_text_put(text, len > 2 ? ",\"duplicate\":true}" : "\"duplicate\":true}");
    return !text->cut;
}
