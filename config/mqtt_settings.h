/* SPDX-License-Identifier: MIT */
/*
 * mqtt_settings.h - [mqtt] between the option table and struct rh_mqtt_conf.
 */
#ifndef RH_CONFIG_MQTT_SETTINGS_H
#define RH_CONFIG_MQTT_SETTINGS_H

#include "config/config.h"

struct rh_brokers {
    const struct rh_broker *at;
    size_t n;
};

struct rh_mqtt_settings {
    struct rh_brokers brokers;
    const char *root, *client_id, *username, *password_file, *format, *data_topic;
    int version; /* enum rh_mqtt_version */
    int64_t qos, inflight, keepalive_ms, session_expiry_ms, backoff_min_ms, backoff_max_ms;
};

/* A list of mqtt://host:port (struct rh_brokers). */
bool rh_parse_brokers(const struct rh_option_value *value, void *field);

/* True if all brokers are on this machine. */
bool rh_brokers_loopback(const struct rh_brokers *brokers);

/* What is wrong with a topic to publish to: a sentence, or NULL. */
const char *rh_topic_wrong(const char *topic, size_t most);

/* {root} {gateway} {device} {tag.x} of a template put in. NULL after a mistake, which is reported at
 * `place`. */
const char *rh_data_topic(const struct rh_mqtt_settings *mqtt, const char *gateway, const char *device,
                          const struct rh_tags *tags, struct rh_place place, struct rh_arena *arena,
                          struct rh_report *report);

#endif
