/* SPDX-License-Identifier: MIT */
/*
 * topic.c - topics are taken apart level by level.
 *
 *   <root>/status
 *   <root>/cmd/<device>/<point>/set     a command to one point
 *   <root>/cmd/<device>/set             to several points of a device
 *   <root>/cmd/gateway/<verb>           to the gateway itself; "fence" is its own marker
 *
 * What arrives is bytes from outside: it may hold NUL, may not end in one, and is never read past `len`.
 */
#include "mqtt/topic.h"

#include <string.h>

#define TOPIC_BYTES_MAX 65535
#define LEVELS_MAX 4

struct level {
    const char *at;
    size_t len;
};

/* U+0001..U+001F, U+007F and U+0080..U+009F (C2 80 .. C2 9F): the MQTT specifications advise against them. */
static bool control_at(const char *topic, size_t len, size_t i)
{
    unsigned char byte = (unsigned char)topic[i];
    if (byte < 0x20 || byte == 0x7f)
        return true;
    return byte == 0xc2 && i + 1 < len && (unsigned char)topic[i + 1] < 0xa0;
}

bool rh_topic_valid(const char *topic, size_t len)
{
    if (len == 0 || len > TOPIC_BYTES_MAX || topic[0] == '/')
        return false;
    if (rh_utf8_valid(topic, len) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (topic[i] == '+' || topic[i] == '#' || control_at(topic, len, i))
            return false;
    }
    return true;
}

/* The number of levels; 0 if there are more than LEVELS_MAX. */
static size_t split(const char *topic, size_t len, struct level levels[LEVELS_MAX])
{
    size_t n = 0;
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && topic[i] != '/')
            continue;
        if (n == LEVELS_MAX)
            return 0;
        levels[n++] = (struct level){topic + start, i - start};
        start = i + 1;
    }
    return n;
}

static bool level_is(const struct level *level, const char *word)
{
    return level->len == strlen(word) && memcmp(level->at, word, level->len) == 0;
}

static bool copy_name(const struct level *level, char name[RH_NAME_MAX + 1])
{
    if (level->len > RH_NAME_MAX || memchr(level->at, 0, level->len))
        return false;
    memcpy(name, level->at, level->len);
    name[level->len] = 0;
    return rh_name_valid(name);
}

static enum rh_topic_kind action_of(const struct level *level)
{
    if (level_is(level, "set"))
        return RH_TOPIC_SET;
    return level_is(level, "get") ? RH_TOPIC_GET : RH_TOPIC_OTHER;
}

/* The levels from "cmd" on. */
static bool parse_command(const struct level *levels, size_t n, struct rh_topic_parts *parts)
{
    if (n < 3 || !copy_name(&levels[1], parts->device))
        return false;
    if (n == 3 && strcmp(parts->device, "gateway") == 0) {
        parts->kind = level_is(&levels[2], "fence") ? RH_TOPIC_FENCE : RH_TOPIC_VERB;
        return copy_name(&levels[2], parts->point);
    }
    if (n == 4 && !copy_name(&levels[2], parts->point))
        return false;
    parts->kind = action_of(&levels[n - 1]);
    return parts->kind != RH_TOPIC_OTHER;
}

bool rh_topic_parse(const char *root, const char *topic, size_t len, struct rh_topic_parts *ret_parts)
{
    *ret_parts = (struct rh_topic_parts){.kind = RH_TOPIC_OTHER};
    size_t root_len = strlen(root);
    if (len <= root_len + 1 || memcmp(topic, root, root_len) != 0 || topic[root_len] != '/')
        return false;

    struct level levels[LEVELS_MAX];
    size_t n = split(topic + root_len + 1, len - root_len - 1, levels);
    struct rh_topic_parts parts = {.kind = RH_TOPIC_OTHER};
    if (n == 1 && level_is(&levels[0], "status"))
        parts.kind = RH_TOPIC_STATUS;
    else if (n == 0 || !level_is(&levels[0], "cmd") || !parse_command(levels, n, &parts))
        return false;
    *ret_parts = parts;
    return true;
}

bool rh_topic_join(struct rh_text *topic, const char *root, const char *rest)
{
    rh_text_put(topic, root);
    rh_text_char(topic, '/');
    rh_text_put(topic, rest);
    return !topic->cut && rh_topic_valid(topic->at, topic->len);
}
