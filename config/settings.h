/* SPDX-License-Identifier: MIT */
/*
 * settings.h - the option tables of the configuration itself: what does not belong to a driver.
 */
#ifndef RH_CONFIG_SETTINGS_H
#define RH_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/option.h"
#include "core/point.h"

struct rh_gateway_settings {
    const char *name, *socket;
};

struct rh_line_settings {
    const char *driver;
    bool enabled;
};

struct rh_device_settings {
    const char *line, *address, *profile; /* the columns of a row; "-" is none */
    const char *title;
    int64_t interval_ms;
    int writes; /* enum rh_writes */
    bool enabled;
};

enum rh_writes { RH_WRITES_DENY, RH_WRITES_ALLOW };

struct rh_profile_settings {
    const char *vendor, *model, *signature;
};

struct rh_point_settings {
    const char *unit;
    struct rh_decimal scale;
    double offset;
    int64_t period_ms;
    bool urgent;
    double deadband;
    int64_t heartbeat_ms;
    int report; /* enum rh_report_when */
    double min, max;
    struct rh_labels {
        const struct rh_label *at;
        size_t n;
        const char *const *codes; /* as written */
        const char *not_a_number; /* the first element whose code is none; NULL: all are */
        struct rh_place place;    /* of that */
    } labels;
    int64_t qos;
    bool drop_last;
    bool counter;
    bool writable, verify, critical, momentary;
    double tolerance, step, max_delta;
    int64_t min_interval_ms;
};

extern const struct rh_option_table rh_gateway_options;  /* of struct rh_gateway_settings */
extern const struct rh_option_table rh_mqtt_options;     /* of struct rh_mqtt_settings */
extern const struct rh_option_table rh_store_options;    /* of struct rh_store_conf */
extern const struct rh_option_table rh_commands_options; /* of struct rh_commands_conf */
extern const struct rh_option_table rh_line_options;     /* of struct rh_line_settings */
extern const struct rh_option_table rh_device_options;   /* of struct rh_device_settings */
extern const struct rh_option_table rh_profile_options;  /* of struct rh_profile_settings */
extern const struct rh_option_table rh_point_options;    /* of struct rh_point_settings */

/* Lists: the next element of `value` from *at on, at commas outside quotes, without blanks around it;
 * `element` takes its place, length and text (in the arena). False at the end. */
bool rh_list_next(const struct rh_option_value *value, size_t *at, struct rh_option_value *ret_element);

/* code:label,… (struct rh_labels) */
bool rh_parse_labels(const struct rh_option_value *value, void *field);
/* A duration or `fastest` (int64_t). */
bool rh_parse_period(const struct rh_option_value *value, void *field);
/* Says "key = "value": what" at the place of the value; returns false. */
bool rh_value_wrong(const struct rh_option_value *value, const char *suggestion, const char *what);
/* One of `n` words into an int; those from n_built on are "not built yet". */
bool rh_parse_built(const struct rh_option_value *value, const char *const *words, size_t n, size_t n_built,
                    int *field);
/* A tag's name and value; the field is not touched: tags are read from what was said. */
bool rh_parse_tag(const struct rh_option_value *value, void *field);

#endif
