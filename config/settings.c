/* SPDX-License-Identifier: MIT */
#include "config/settings.h"

#include <string.h>

#include "config/config.h"
#include "config/mqtt_settings.h"

#define MIB 1048576.0
#define TIB 1099511627776.0
#define DAY 86400000.0
#define TAG_ROW                                                                                              \
    {                                                                                                        \
        .name = "tag.", .kind = RH_OPTION_CUSTOM, .flags = RH_OPTION_PREFIX, .parse = rh_parse_tag,          \
        .choices = "TEXT", .help = "tag.NAME: goes into meta, and into formats that have a place for it"     \
    }
#define FIELD(type, member) .offset = offsetof(struct type, member)

/* --- [gateway] --- */

static bool parse_gateway_name(const struct rh_option_value *value, void *field)
{
    if (!rh_name_valid(value->text) || strlen(value->text) != value->len)
        return rh_value_wrong(value, NULL, "a name has letters, digits, - and _, at most 64");
    *(const char **)field = rh_arena_text(value->arena, value->text, value->len);
    return true;
}

static const struct rh_option gateway_rows[] = {
    {.name = "name",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_gateway_name,
     FIELD(rh_gateway_settings, name),
     .choices = "NAME",
     .help = "what this gateway is called in topics; the host name unless given"},
    TAG_ROW,
};
const struct rh_option_table rh_gateway_options = {gateway_rows, RH_COUNT(gateway_rows)};

/* --- [mqtt] --- */

static const struct rh_option mqtt_rows[] = {
    {.name = "broker",
     .kind = RH_OPTION_CUSTOM,
     .parse = rh_parse_brokers,
     FIELD(rh_mqtt_settings, brokers),
     .fallback = "mqtt://localhost:1883",
     .choices = "mqtt://HOST[:PORT], …",
     .help = "the broker, or several in order of preference"},
    {.name = "root",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_mqtt_settings, root),
     .fallback = "railhead/{gateway}",
     .choices = "TOPIC",
     .flags = RH_OPTION_REQUIRED,
     .help = "what all topics begin with"},
    {.name = "client_id",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_mqtt_settings, client_id),
     .fallback = "railhead-{gateway}",
     .choices = "TEXT",
     .flags = RH_OPTION_REQUIRED,
     .help = "client identifier; must be unique at the broker"},
    {.name = "username",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_mqtt_settings, username),
     .choices = "TEXT",
     .help = "user name at the broker"},
    {.name = "password_file",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_mqtt_settings, password_file),
     .choices = "PATH",
     .help = "file that holds the password; not readable by everybody"},
    {.name = "qos",
     .kind = RH_OPTION_INT,
     FIELD(rh_mqtt_settings, qos),
     .fallback = "1",
     .max = 2,
     .choices = "0, 1, 2",
     .help = "quality of service; a point may say otherwise"},
    {.name = "format",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_mqtt_settings, format),
     .fallback = "json",
     .choices = "json, …",
     .help = "payload formats of the readings"},
    {.name = "data_topic",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_mqtt_settings, data_topic),
     .fallback = "{root}/data/{device}",
     .choices = "TOPIC",
     .help = "where readings go; {root} {gateway} {device} {tag.NAME} are put in"},
    {.name = "version",
     .kind = RH_OPTION_CHOICE,
     FIELD(rh_mqtt_settings, version),
     .fallback = "auto",
     .choices = "auto|5|3.1.1",
     .help = "protocol version; auto tries 5 first"},
    {.name = "keepalive",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_mqtt_settings, keepalive_ms),
     .fallback = "60s",
     .min = 1000,
     .max = 65535000,
     .help = "longest silence before a ping"},
    {.name = "session_expiry",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_mqtt_settings, session_expiry_ms),
     .fallback = "7d",
     .max = 365 * DAY,
     .help = "how long the broker keeps the session of an absent gateway"},
    {.name = "inflight",
     .kind = RH_OPTION_INT,
     FIELD(rh_mqtt_settings, inflight),
     .fallback = "16",
     .min = 1,
     .max = 1000,
     .help = "most messages on their way at once"},
    {.name = "backoff_min",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_mqtt_settings, backoff_min_ms),
     .fallback = "1s",
     .min = 10,
     .max = 3600000,
     .help = "first pause between attempts to connect"},
    {.name = "backoff_max",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_mqtt_settings, backoff_max_ms),
     .fallback = "2min",
     .min = 10,
     .max = DAY,
     .help = "longest pause between attempts to connect"},
};
const struct rh_option_table rh_mqtt_options = {mqtt_rows, RH_COUNT(mqtt_rows)};

/* --- [store] --- */

static bool parse_durability(const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"strict", "balanced", "relaxed"};

    return rh_parse_built(value, words, RH_COUNT(words), 1, field);
}

static bool parse_when_full(const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"drop-oldest", "drop-newest"};

    return rh_parse_built(value, words, RH_COUNT(words), 1, field);
}

static bool parse_max_size(const struct rh_option_value *value, void *field)
{
    static const struct rh_option size = {
        .name = "max_size", .kind = RH_OPTION_SIZE, .fallback = "512MiB", .min = MIB, .max = 16 * TIB};

    if (strcmp(value->text, "auto") != 0)
        return rh_option_set(&size, field, value);
    *(int64_t *)field = 0;
    return true;
}

static const struct rh_option store_rows[] = {
    {.name = "path",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_store_conf, path),
     .fallback = "/var/lib/railhead/store.db",
     .choices = "PATH",
     .flags = RH_OPTION_REQUIRED,
     .help = "the database of what the broker does not have yet"},
    {.name = "durability",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_durability,
     FIELD(rh_store_conf, durability),
     .fallback = "strict",
     .choices = "strict",
     .help = "what a power cut may cost: strict, nothing that was committed"},
    {.name = "max_size",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_max_size,
     FIELD(rh_store_conf, max_size_bytes),
     .fallback = "auto",
     .choices = "auto or a size such as 512MiB",
     .help = "most the store may take; auto: 10 % of the file system, 256 MiB to 4 GiB"},
    {.name = "when_full",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_when_full,
     FIELD(rh_store_conf, when_full),
     .fallback = "drop-oldest",
     .choices = "drop-oldest",
     .help = "what goes when the store is full"},
    {.name = "commit_interval",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_store_conf, commit_interval_ms),
     .fallback = "1s",
     .min = 10,
     .max = 3600000,
     .help = "how long readings are gathered into messages and committed together"},
};
const struct rh_option_table rh_store_options = {store_rows, RH_COUNT(store_rows)};

/* --- lines, devices, profiles --- */

static const struct rh_option line_rows[] = {
    {.name = "driver",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_line_settings, driver),
     .fallback = "modbus-rtu",
     .choices = "DRIVER",
     .help = "what is spoken on the line"},
    {.name = "enabled",
     .kind = RH_OPTION_BOOL,
     FIELD(rh_line_settings, enabled),
     .fallback = "yes",
     .help = "no: checked, but not run"},
};
const struct rh_option_table rh_line_options = {line_rows, RH_COUNT(line_rows)};

static const struct rh_option device_rows[] = {
    {.name = "line",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_device_settings, line),
     .choices = "NAME",
     .help = "the line it is on; first column of a row"},
    {.name = "address",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_device_settings, address),
     .choices = "ADDRESS",
     .help = "its address on the line; second column of a row"},
    {.name = "profile",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_device_settings, profile),
     .choices = "NAME",
     .help = "the file that describes its points; third column of a row"},
    {.name = "title",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_device_settings, title),
     .choices = "TEXT",
     .help = "what people call it"},
    {.name = "interval",
     .kind = RH_OPTION_CUSTOM,
     .parse = rh_parse_period,
     FIELD(rh_device_settings, interval_ms),
     .fallback = "10s",
     .choices = "a duration or fastest",
     .help = "how often its points are read"},
    {.name = "enabled",
     .kind = RH_OPTION_BOOL,
     FIELD(rh_device_settings, enabled),
     .fallback = "yes",
     .help = "no: checked, but not polled"},
    TAG_ROW,
};
const struct rh_option_table rh_device_options = {device_rows, RH_COUNT(device_rows)};

static const struct rh_option profile_rows[] = {
    {.name = "vendor",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_profile_settings, vendor),
     .choices = "TEXT",
     .help = "who makes the device"},
    {.name = "model",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_profile_settings, model),
     .choices = "TEXT",
     .help = "what the maker calls it"},
    {.name = "signature",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_profile_settings, signature),
     .choices = "TEXT",
     .help = "what the device answers that others do not"},
};
const struct rh_option_table rh_profile_options = {profile_rows, RH_COUNT(profile_rows)};

/* --- points --- */

static bool parse_urgent(const struct rh_option_value *value, void *field)
{
    static const struct rh_option flag = {.name = "urgent", .kind = RH_OPTION_BOOL};

    return rh_option_set(&flag, field, value);
}

static bool parse_drop(const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"oldest", "last"};
    int choice = 0;
    bool ok = rh_parse_built(value, words, RH_COUNT(words), RH_COUNT(words), &choice);

    *(bool *)field = choice == 1;
    return ok;
}

static bool parse_kind(const struct rh_option_value *value, void *field)
{
    static const char *const words[] = {"gauge", "counter"};
    int choice = 0;
    bool ok = rh_parse_built(value, words, RH_COUNT(words), RH_COUNT(words), &choice);

    *(bool *)field = choice == 1;
    return ok;
}

static const struct rh_option point_rows[] = {
    {.name = "unit",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_point_settings, unit),
     .choices = "TEXT",
     .help = "physical unit of the scaled value"},
    {.name = "scale",
     .kind = RH_OPTION_DECIMAL,
     FIELD(rh_point_settings, scale),
     .fallback = "1",
     .choices = "NUMBER",
     .help = "factor from the raw to the physical value"},
    {.name = "offset",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, offset),
     .fallback = "0",
     .choices = "NUMBER",
     .help = "added after the factor"},
    {.name = "every",
     .kind = RH_OPTION_CUSTOM,
     .parse = rh_parse_period,
     FIELD(rh_point_settings, period_ms),
     .choices = "a duration or fastest",
     .help = "how often it is read; the device's interval unless given"},
    {.name = "urgent",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_urgent,
     FIELD(rh_point_settings, urgent),
     .fallback = "no",
     .choices = "yes|no",
     .flags = RH_OPTION_FLAG,
     .help = "first on the bus, committed and sent at once"},
    {.name = "deadband",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, deadband),
     .max = 1e300,
     .choices = "NUMBER",
     .help = "smaller changes are no reading; implies report=change"},
    {.name = "heartbeat",
     .kind = RH_OPTION_DURATION,
     FIELD(rh_point_settings, heartbeat_ms),
     .min = 1,
     .max = 30 * DAY,
     .choices = "a duration",
     .help = "a reading at least this often, changed or not"},
    {.name = "report",
     .kind = RH_OPTION_CHOICE,
     FIELD(rh_point_settings, report),
     .fallback = "all",
     .choices = "all|change",
     .help = "every poll is a reading, or only a change"},
    {.name = "min",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, min),
     .choices = "NUMBER",
     .help = "smaller values are invalid"},
    {.name = "max",
     .kind = RH_OPTION_NUMBER,
     FIELD(rh_point_settings, max),
     .choices = "NUMBER",
     .help = "larger values are invalid"},
    {.name = "enum",
     .kind = RH_OPTION_CUSTOM,
     .parse = rh_parse_labels,
     FIELD(rh_point_settings, labels),
     .choices = "CODE:LABEL,…",
     .help = "names of the values"},
    {.name = "qos",
     .kind = RH_OPTION_INT,
     FIELD(rh_point_settings, qos),
     .max = 2,
     .choices = "0, 1, 2",
     .help = "quality of service; that of [mqtt] unless given"},
    {.name = "drop",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_drop,
     FIELD(rh_point_settings, drop_last),
     .fallback = "oldest",
     .choices = "oldest|last",
     .help = "last: dropped last when the store is full; default of counters"},
    {.name = "kind",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_kind,
     FIELD(rh_point_settings, counter),
     .fallback = "gauge",
     .choices = "gauge|counter",
     .help = "a counter only rises"},
};
const struct rh_option_table rh_point_options = {point_rows, RH_COUNT(point_rows)};
