/* SPDX-License-Identifier: MIT */
#include "config/settings.h"

#include <string.h>

#include "config/config.h"
#include "config/words.h"

#define MIB 1048576.0
#define TIB 1099511627776.0
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

#define SOCKET_MOST 107 /* sockaddr_un.sun_path without its NUL */

static bool parse_socket(const struct rh_option_value *value, void *field)
{
    const char *const none = "none";

    if (strcmp(value->text, none) == 0) {
        *(const char **)field = "";
        return true;
    }
    if (memchr(value->text, '\0', value->len) || !strchr(value->text, '/'))
        return rh_value_wrong(value, rh_near(value->text, &none, 1), "must be a path, or none");
    if (value->len > SOCKET_MOST)
        return rh_value_wrong(value, NULL, "the path of a socket has at most 107 bytes");
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
    {.name = "socket",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_socket,
     FIELD(rh_gateway_settings, socket),
     .fallback = "/run/railhead/ctl.sock",
     .choices = "PATH or none",
     .help = "where `railhead status`, `read` and `write` find the daemon"},
    TAG_ROW,
};
const struct rh_option_table rh_gateway_options = {gateway_rows, RH_COUNT(gateway_rows)};

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

/* --- [commands] --- */

static const char *const verb_names[] = {[RH_VERB_PING] = "ping",
                                         [RH_VERB_RESEND_META] = "resend-meta",
                                         [RH_VERB_RELOAD] = "reload",
                                         [RH_VERB_LOG_LEVEL] = "log-level",
                                         [RH_VERB_STORE_STAT] = "store-stat",
                                         /* not built yet: */
                                         "resend",
                                         "scan"};

const char *rh_verb_name(enum rh_verb verb)
{
    rh_assert(verb < RH_VERB_COUNT);
    return verb_names[verb];
}

static bool parse_verbs(const struct rh_option_value *value, void *field)
{
    struct rh_option_value name;
    uint32_t verbs = 0;
    bool ok = true;

    for (size_t at = 0; strcmp(value->text, "none") != 0 && rh_list_next(value, &at, &name);) {
        int verb = 0;

        if (rh_parse_built(&name, verb_names, RH_COUNT(verb_names), RH_VERB_COUNT, &verb))
            verbs |= 1u << verb;
        else
            ok = false;
    }
    if (ok)
        *(uint32_t *)field = verbs;
    return ok;
}

static const struct rh_option commands_rows[] = {
    {.name = "verbs",
     .kind = RH_OPTION_CUSTOM,
     .parse = parse_verbs,
     FIELD(rh_commands_conf, verbs),
     .fallback = "ping, resend-meta",
     .choices = "ping, resend-meta, reload, log-level, store-stat, or none",
     .help = "what cmd/gateway/VERB may ask for"},
    {.name = "response_prefix",
     .kind = RH_OPTION_TEXT,
     FIELD(rh_commands_conf, response_prefix),
     .choices = "TOPIC",
     .help = "what a request's Response Topic must begin with; unless given, any but a command topic"},
};
const struct rh_option_table rh_commands_options = {commands_rows, RH_COUNT(commands_rows)};

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
    {.name = "writes",
     .kind = RH_OPTION_CHOICE,
     FIELD(rh_device_settings, writes),
     .fallback = "deny",
     .choices = "deny|allow",
     .help = "allow: commands may write its writable points"},
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
