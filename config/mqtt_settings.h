/* SPDX-License-Identifier: MIT */
/*
 * mqtt_settings.h - [mqtt] between the option table and struct rh_mqtt_conf.
 */
#ifndef RH_CONFIG_MQTT_SETTINGS_H
#define RH_CONFIG_MQTT_SETTINGS_H

#include "config/config.h"

struct rh_brokers {
    const struct rh_broker *at;
    const struct rh_place *places; /* of each */
    size_t n;
};

enum rh_tls { RH_TLS_AUTO, RH_TLS_YES, RH_TLS_NO };

struct rh_mqtt_settings {
    struct rh_brokers brokers;
    const char *root, *client_id, *username, *password_file, *format, *data_topic;
    const char *ca_file, *cert_file, *key_file;
    int tls;     /* enum rh_tls */
    int version; /* enum rh_mqtt_version */
    int64_t qos, inflight, keepalive_ms, session_expiry_ms, backoff_min_ms, backoff_max_ms;
};

/* A list of mqtt://host:port (struct rh_brokers). */
bool rh_parse_brokers(const struct rh_option_value *value, void *field);

/* True if all brokers are on this machine. */
bool rh_brokers_loopback(const struct rh_brokers *brokers);

/* Schemes against `tls =`: reports plain text where it is not allowed, and contradictions, at the place of
 * the broker (or at `place`, if it is a default). */
void rh_brokers_check_tls(const struct rh_brokers *brokers, enum rh_tls tls, struct rh_place place,
                          struct rh_report *report);

/* What is wrong with a topic to publish to: a sentence, or NULL. */
const char *rh_topic_wrong(const char *topic, size_t most);

/* {root} {gateway} {device} {tag.x} of a template put in. NULL after a mistake, which is reported at
 * `place`. */
const char *rh_data_topic(const struct rh_mqtt_settings *mqtt, const char *gateway, const char *device,
                          const struct rh_tags *tags, struct rh_place place, struct rh_arena *arena,
                          struct rh_report *report);

#endif
