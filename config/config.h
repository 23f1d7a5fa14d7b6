/* SPDX-License-Identifier: MIT */
/*
 * config.h - the configuration in force: read whole, checked whole, then immutable.
 *
 * One arena owns everything below a struct rh_config. Objects that are disabled are checked and left
 * out. Every line, and the global sections, carry a fingerprint over their resolved settings:
 * on reload, what has the same fingerprint is not restarted.
 */
#ifndef RH_CONFIG_CONFIG_H
#define RH_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/option.h"
#include "config/report.h"
#include "config/schema.h"
#include "core/point.h"

struct rh_tag {
    const char *name;
    const char *value;
};

struct rh_tags {
    const struct rh_tag *at;
    size_t n;
};

struct rh_gateway_conf {
    const char *name;
    struct rh_tags tags;
    const char *socket; /* path of the control socket, "" for none */
    uint64_t fingerprint;
};

enum rh_mqtt_version { RH_MQTT_AUTO, RH_MQTT_5, RH_MQTT_311 };

struct rh_broker {
    const char *url; /* as written */
    const char *host;
    uint16_t port;
    bool tls, websocket;
};

struct rh_mqtt_conf {
    const struct rh_broker *brokers; /* in order of preference */
    size_t n_brokers;
    const char *root;      /* "{gateway}" resolved */
    const char *client_id; /* resolved */
    const char *username;
    const char *password_file; /* may be a systemd credential; "" for none */
    const char *ca_file;       /* "": the system's store */
    const char *cert_file;     /* of this client, "" for none; then there is a key as well */
    const char *key_file;      /* may be a systemd credential */
    const char *data_topic;    /* template: {root} {gateway} {device} {tag.x} */
    int64_t qos;               /* default of points */
    int64_t inflight;          /* most batches on their way at once */
    int64_t keepalive_ms;
    int64_t session_expiry_ms;
    int64_t backoff_min_ms, backoff_max_ms;
    int version;      /* enum rh_mqtt_version */
    uint32_t formats; /* bit i: schema format i */
    uint64_t fingerprint;
};

struct rh_store_conf {
    const char *path;
    int64_t max_size_bytes; /* 0: auto */
    int64_t commit_interval_ms;
    int durability; /* 0 strict; more come with store.md's levels */
    int when_full;  /* 0 drop-oldest */
    uint64_t fingerprint;
};

/* What cmd/gateway/VERB may ask for. */
enum rh_verb {
    RH_VERB_PING,
    RH_VERB_RESEND_META,
    RH_VERB_RELOAD,
    RH_VERB_LOG_LEVEL,
    RH_VERB_STORE_STAT,
    RH_VERB_COUNT,
};

struct rh_commands_conf {
    uint32_t verbs;              /* bit i: enum rh_verb i is allowed */
    const char *response_prefix; /* what a Response Topic must begin with; "": any but a command topic */
    uint64_t fingerprint;
};

/* A [group NAME] of a device's profile. */
struct rh_group_conf {
    const char *name;
    void *options; /* the driver's struct */
};

struct rh_device_conf {
    const char *name;
    const char *title;
    const char *profile;    /* "" for none */
    const char *address;    /* as written, "" for none */
    uint32_t index;         /* in its line */
    int64_t interval_ms;    /* RH_PERIOD_FASTEST or the period of its points */
    struct rh_tags tags;    /* the gateway's, overridden by its own */
    const char *data_topic; /* resolved for this device */
    void *options;          /* the driver's struct */
    const struct rh_group_conf *groups;
    size_t n_groups;
    uint32_t first_point, n_points; /* slice of the line's points */
    const struct rh_line_conf *line;
    struct rh_place place;
};

struct rh_line_conf {
    const char *name;
    const struct rh_driver_schema *schema;
    void *options; /* the driver's struct */
    const struct rh_device_conf *devices;
    size_t n_devices;
    const struct rh_point *points; /* all points of its devices, by device, in file order */
    size_t n_points;
    uint64_t fingerprint; /* of the line, its devices and their points */
    struct rh_place place;
};

struct rh_config {
    struct rh_gateway_conf gateway;
    struct rh_mqtt_conf mqtt;
    struct rh_store_conf store;
    struct rh_commands_conf commands;
    const struct rh_line_conf *lines;
    size_t n_lines;
};

/* Reads `path`, its drop-ins (the .ini files of railhead.d beside /etc/railhead/railhead.ini; of X.d for
 * X.ini) and the profiles they name, checks all of it and builds the configuration. Mistakes go to `report`;
 * *ret_config is set only when there is no error. 0, -EINVAL (see report), or the errno of the main
 * file (also reported). */
RH_MUST_USE int rh_config_load(const char *path, const struct rh_schema *schema, struct rh_report *report,
                               struct rh_config **ret_config);
void rh_config_free(struct rh_config *config);

/* What is in force as INI text, expanded; `origin`: with the file:line of each value as a comment.
 * Secrets are ***. */
void rh_config_dump(const struct rh_config *config, bool origin, FILE *out);

/* A commented sample of every option, from the tables. */
void rh_config_sample(const struct rh_schema *schema, FILE *out);

/* "ping", "resend-meta", … as in [commands] verbs and in topics. */
const char *rh_verb_name(enum rh_verb verb);

/* Where profiles are looked for: RAILHEAD_PROFILES (colon-separated) if set, else
 * /etc/railhead/profiles, the installed folder, and config/profiles of the source tree for an
 * uninstalled binary. */

#endif
