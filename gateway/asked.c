/* SPDX-License-Identifier: MIT */
#include "gateway/asked.h"

#include <stdio.h>
#include <string.h>

/* Below the own root only replies are published at others' wish, and nothing that leads into commands. */
static bool response_allowed(const char *root, const char *prefix, const char *topic)
{
    size_t len = strlen(root);

    if (!rh_topic_valid(topic, strlen(topic)) || strlen(topic) >= RH_TOPIC_MAX || topic[0] == '$' ||
        strstr(topic, "/cmd/"))
        return false;
    if (strncmp(topic, root, len) == 0 && topic[len] == '/' && strncmp(topic + len, "/reply/", 7) != 0)
        return false;
    return strncmp(topic, prefix, strlen(prefix)) == 0;
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
