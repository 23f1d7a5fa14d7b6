/* SPDX-License-Identifier: MIT */
/* Topics from outside: what is taken apart is made of valid names, and puts together the same topic again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rejoin(const struct rh_topic_parts *parts, const char *topic, size_t len)
{
    static const char *const ends[] = {[RH_TOPIC_SET] = "set", [RH_TOPIC_GET] = "get"};
    char rest[256] = "status";
    char buffer[512];
    struct rh_text text;
    bool ended = parts->kind == RH_TOPIC_SET || parts->kind == RH_TOPIC_GET;
    if (parts->kind != RH_TOPIC_STATUS)
        snprintf(rest, sizeof(rest), "cmd/%s%s%s%s%s", parts->device, parts->point[0] ? "/" : "",
                 parts->point, ended ? "/" : "", ended ? ends[parts->kind] : "");
    rh_text_init(&text, buffer, sizeof(buffer));
    rh_assert(rh_topic_join(&text, "r/g", rest));
    rh_assert(text.len == len && memcmp(buffer, topic, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* An exact copy, so that a read past the end is seen; half of the inputs get the root put in front. */
    size_t root = size > 0 && (data[0] & 1) ? strlen("r/g/") : 0;
    size_t skip = size > 0;
    size_t len = root + size - skip;
    char *topic = malloc(len + (len == 0));
    if (!topic)
        return 0;
    memcpy(topic, "r/g/", root);
    memcpy(topic + root, data + skip, size - skip);

    struct rh_topic_parts parts;
    bool valid = rh_topic_valid(topic, len);
    if (rh_topic_parse("r/g", topic, len, &parts)) {
        rh_assert(parts.kind != RH_TOPIC_OTHER && valid);
        rejoin(&parts, topic, len);
    } else {
        rh_assert(parts.kind == RH_TOPIC_OTHER);
    }
    free(topic);
    return 0;
}
