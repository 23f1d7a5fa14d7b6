/* SPDX-License-Identifier: MIT */
#include "gateway/asked.h"

#include <stdio.h>
#include <string.h>

#include "core/base.h"

/* What the gateway itself says below its root nobody else may have it say. */
static bool own_topic(const char *root, const char *topic)
{
    static const char *const levels[] = {"status", "data", "value", "state", "meta", "health", "cmd"};
    size_t len = strlen(root);

    if (strncmp(topic, root, len) != 0 || topic[len] != '/')
        return false;
    for (size_t i = 0; i < RH_COUNT(levels); i++) {
        size_t n = strlen(levels[i]);
        const char *level = topic + len + 1;

        if (strncmp(level, levels[i], n) == 0 && (level[n] == '/' || level[n] == '\0'))
            return true;
    }
    return false;
}

static bool response_allowed(const char *root, const char *prefix, const char *topic)
{
    if (!rh_topic_valid(topic, strlen(topic)) || strlen(topic) >= RH_TOPIC_MAX || topic[0] == '$')
        return false;
    return !strstr(topic, "/cmd/") && !own_topic(root, topic) && strncmp(topic, prefix, strlen(prefix)) == 0;
}

void rh_asked_note(struct rh_asked *asked, const char *root, const char *prefix,
                   const struct rh_arrival *arrival, const struct rh_topic_parts *parts)
{
    bool verb = parts->kind == RH_TOPIC_VERB;

    *asked = (struct rh_asked){0};
    snprintf(asked->topic, sizeof(asked->topic), "%s", arrival->topic);
    snprintf(asked->reply_topic, sizeof(asked->reply_topic), "%s/reply/%s%s%s", root,
             verb ? "gateway" : parts->device, *parts->point ? "/" : "", parts->point);
    if (arrival->response_topic && response_allowed(root, prefix, arrival->response_topic))
        snprintf(asked->response_topic, sizeof(asked->response_topic), "%s", arrival->response_topic);
    if (arrival->correlation && arrival->correlation_len <= sizeof(asked->correlation)) {
        memcpy(asked->correlation, arrival->correlation, arrival->correlation_len);
        asked->correlation_len = arrival->correlation_len;
    }
}
