/* SPDX-License-Identifier: MIT */
/*
 * topic.h - topics: built from a root, checked, taken apart. Pure.
 */
#ifndef RH_MQTT_TOPIC_H
#define RH_MQTT_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"

/* True if `topic` may be published to: 1..65535 bytes of valid UTF-8 without NUL, '+' or '#', with no control
 * characters and no empty first level. */
bool rh_topic_valid(const char *topic, size_t len);

/* A topic below the root, split at '/'. */
enum rh_topic_kind {
    RH_TOPIC_OTHER,
    RH_TOPIC_STATUS,
    RH_TOPIC_SET, /* cmd/<device>/<point>/set or cmd/<device>/set */
    RH_TOPIC_GET,
    RH_TOPIC_VERB,  /* cmd/gateway/<verb> */
    RH_TOPIC_FENCE, /* cmd/gateway/fence */
};

struct rh_topic_parts {
    enum rh_topic_kind kind;
    char device[RH_NAME_MAX + 1];
    char point[RH_NAME_MAX + 1]; /* or the verb; "" for a whole device */
};

/* Takes apart what arrived; bytes from outside (fuzzed). False: not below `root`, or not a topic of ours. */
bool rh_topic_parse(const char *root, const char *topic, size_t len, struct rh_topic_parts *ret_parts);

/* root + "/" + the rest; false if it does not fit or is no valid topic. */
bool rh_topic_join(struct rh_text *topic, const char *root, const char *rest);

#endif
