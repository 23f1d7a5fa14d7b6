/* SPDX-License-Identifier: MIT */
/*
 * broker.c - broker URLs and topics of [mqtt].
 *
 *     mqtts://host:port   mqtt://10.0.0.7   mqtts://[fe80::1]:8883
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/mqtt_settings.h"
#include "config/settings.h"
#include "config/words.h"
#include "core/batch.h"

#define MOST_BROKERS 16

static const struct scheme {
    const char *name;
    uint16_t port;
    bool tls, websocket, built;
} schemes[] = {
    {"mqtt", 1883, false, false, true},
    {"mqtts", 8883, true, false, true},
    {"ws", 80, false, true, false},
    {"wss", 443, true, true, false},
};

/* What other tools call them. */
static const char *scheme_meant(const char *name)
{
    static const char *const aliases[][2] = {
        {"tcp", "mqtt"}, {"ssl", "mqtts"}, {"tls", "mqtts"}, {"http", "ws"}, {"https", "wss"}};
    const char *names[RH_COUNT(schemes)];

    for (size_t i = 0; i < RH_COUNT(aliases); i++)
        if (strcasecmp(aliases[i][0], name) == 0)
            return aliases[i][1];
    for (size_t i = 0; i < RH_COUNT(schemes); i++)
        names[i] = schemes[i].name;
    return rh_near(name, names, RH_COUNT(names));
}

static const struct scheme *parse_scheme(const struct rh_option_value *url, const char **ret_rest)
{
    const char *mark = strstr(url->text, "://");
    char suggestion[300];

    if (!mark) {
        snprintf(suggestion, sizeof(suggestion), "mqtt://%s", url->text);
        rh_value_wrong(url, suggestion, "must be a URL");
        return NULL;
    }
    const char *name = rh_arena_text(url->arena, url->text, (size_t)(mark - url->text));
    *ret_rest = mark + 3;
    for (size_t i = 0; i < RH_COUNT(schemes); i++)
        if (strcmp(schemes[i].name, name) == 0)
            return &schemes[i];
    const char *near = scheme_meant(name);
    if (near)
        snprintf(suggestion, sizeof(suggestion), "%s%s", near, mark);
    rh_value_wrong(url, near ? suggestion : NULL, "unknown scheme: mqtt://, mqtts://");
    return NULL;
}

static bool host_good(const char *host)
{
    return *host && !strpbrk(host, " \t\"<>\\^`{|}#%,/?");
}

/* ":1883" or nothing after the host. */
static bool parse_port(const struct rh_option_value *url, const char *text, uint16_t *port)
{
    uint64_t number;

    if (!*text)
        return true;
    if (rh_parse_uint(text + 1, &number) < 0 || number < 1 || number > 65535)
        return rh_value_wrong(url, NULL, "the port must be from 1 to 65535");
    *port = (uint16_t)number;
    return true;
}

/* "host", "host:port", "[v6]:port" with an optional final slash. */
static bool parse_authority(const struct rh_option_value *url, const char *rest, struct rh_broker *broker)
{
    static const char brackets[] = "an IPv6 address stands in brackets: mqtt://[::1]:1883";
    size_t len = strlen(rest), slash = len > 0 && rest[len - 1] == '/';
    const char *text = rh_arena_text(url->arena, rest, len - slash);
    bool v6 = text[0] == '[';
    size_t host_len = strcspn(text + v6, v6 ? "]" : ":");
    const char *after = text + v6 + host_len;

    if (strpbrk(text, "/?"))
        return rh_value_wrong(url, NULL, "a broker has no path");
    if (v6 && *after++ != ']')
        return rh_value_wrong(url, NULL, brackets);
    if (strchr(text, ':') != strrchr(text, ':') && !v6)
        return rh_value_wrong(url, NULL, brackets);
    if (*after && *after != ':')
        return rh_value_wrong(url, NULL, brackets);
    broker->host = rh_arena_text(url->arena, text + v6, host_len);
    if (!host_good(broker->host))
        return rh_value_wrong(url, NULL, *broker->host ? "this is no host name" : "the host is missing");
    return parse_port(url, after, &broker->port);
}

/* A password in a message would end up in a log: the URL is not quoted here. */
static bool no_credentials(const struct rh_option_value *url, const char *rest)
{
    const char *at = strchr(rest, '@'), *colon = strchr(rest, ':');

    if (!at)
        return true;
    rh_report_error(url->report, url->place, NULL,
                    colon && colon < at
                        ? "broker: a password never stands in the URL; use username and password_file"
                        : "broker: a user name does not stand in the URL; use username");
    return false;
}

static bool parse_broker(const struct rh_option_value *url, struct rh_broker *broker)
{
    const char *rest = url->text;
    const char *mark = strstr(url->text, "://");

    if (!no_credentials(url, mark ? mark + 3 : url->text))
        return false;
    if (strlen(url->text) != url->len || rh_utf8_valid(url->text, url->len) != url->len)
        return rh_value_wrong(url, NULL, "must be a URL");
    const struct scheme *scheme = parse_scheme(url, &rest);
    if (!scheme)
        return false;
    *broker = (struct rh_broker){
        .url = url->text, .port = scheme->port, .tls = scheme->tls, .websocket = scheme->websocket};
    bool ok = parse_authority(url, rest, broker);
    if (!scheme->built) {
        char what[64];
        snprintf(what, sizeof(what), "%s:// is not built yet", scheme->name);
        return rh_value_wrong(url, NULL, what);
    }
    return ok;
}

bool rh_parse_brokers(const struct rh_option_value *value, void *field)
{
    struct rh_broker *at = rh_arena_alloc(value->arena, MOST_BROKERS * sizeof(*at));
    struct rh_place *places = rh_arena_alloc(value->arena, MOST_BROKERS * sizeof(*places));
    struct rh_option_value url;
    size_t n = 0;
    bool ok = true;

    for (size_t from = 0; rh_list_next(value, &from, &url);) {
        if (n == MOST_BROKERS)
            return rh_value_wrong(&url, NULL, "at most 16 brokers");
        places[n] = url.place;
        if (parse_broker(&url, &at[n]))
            n++;
        else
            ok = false;
    }
    if (ok)
        *(struct rh_brokers *)field = (struct rh_brokers){at, places, n};
    return ok;
}

static bool loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool rh_brokers_loopback(const struct rh_brokers *brokers)
{
    for (size_t i = 0; i < brokers->n; i++)
        if (!loopback(brokers->at[i].host))
            return false;
    return true;
}

/* The same broker under the other scheme; a port that is the scheme's own is left out. */
static void other_scheme(const struct rh_broker *broker, char *url, size_t size)
{
    const struct scheme *from = &schemes[broker->tls], *to = &schemes[!broker->tls];
    bool v6 = strchr(broker->host, ':') != NULL;
    int len = snprintf(url, size, v6 ? "%s://[%s]" : "%s://%s", to->name, broker->host);

    if (broker->port != from->port && len > 0 && (size_t)len < size)
        snprintf(url + len, size - (size_t)len, ":%u", broker->port);
}

/* What is wrong with a broker's scheme under `tls =`, or NULL. */
static const char *scheme_wrong(const struct rh_broker *broker, enum rh_tls tls)
{
    if (broker->tls)
        return tls == RH_TLS_NO ? "tls = no contradicts this" : NULL;
    if (tls == RH_TLS_YES)
        return "tls = yes forbids plain text";
    if (tls == RH_TLS_AUTO && !loopback(broker->host))
        return "everybody on the way can read and change plain text; if it must be, say tls = no";
    return NULL;
}

void rh_brokers_check_tls(const struct rh_brokers *brokers, enum rh_tls tls, struct rh_place place,
                          struct rh_report *report)
{
    for (size_t i = 0; i < brokers->n; i++) {
        const struct rh_broker *broker = &brokers->at[i];
        const char *wrong = scheme_wrong(broker, tls);
        char suggestion[300];

        if (!wrong)
            continue;
        other_scheme(broker, suggestion, sizeof(suggestion));
        rh_report_error(report, brokers->places[i].line > 0 ? brokers->places[i] : place, suggestion,
                        "broker = \"%s\": %s", broker->url, wrong);
    }
}

/* --- topics --- */

const char *rh_topic_wrong(const char *topic, size_t most)
{
    size_t len = strlen(topic);

    if (len == 0 || topic[0] == '/')
        return "the first level of a topic must not be empty";
    if (len > most)
        return "the topic is too long";
    if (strpbrk(topic, "+#"))
        return "a topic to publish to has no wildcards + and #";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)topic[i] < ' ' || topic[i] == 127)
            return "a topic has no control characters";
    return rh_utf8_valid(topic, len) == len ? NULL : "a topic is UTF-8 text";
}

static const char *tag_of(const struct rh_tags *tags, const char *name)
{
    for (size_t i = 0; i < tags->n; i++)
        if (strcmp(tags->at[i].name, name) == 0)
            return tags->at[i].value;
    return NULL;
}

/* What a placeholder stands for; NULL and a reported mistake if nothing. */
static const char *placeholder(const struct rh_mqtt_settings *mqtt, const char *gateway, const char *device,
                               const struct rh_tags *tags, const char *name, struct rh_place place,
                               struct rh_report *report)
{
    static const char *const names[] = {"root", "gateway", "device"};
    const char *const values[] = {mqtt->root, gateway, device};

    for (size_t i = 0; i < RH_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return values[i];
    if (strncmp(name, "tag.", 4) == 0) {
        const char *value = tag_of(tags, name + 4);
        if (!value)
            rh_report_error(report, place, NULL, "data_topic: device \"%s\" has no %s", device, name);
        return value;
    }
    rh_report_error(report, place, rh_near(name, names, RH_COUNT(names)),
                    "data_topic: unknown placeholder {%s}", name);
    return NULL;
}

const char *rh_data_topic(const struct rh_mqtt_settings *mqtt, const char *gateway, const char *device,
                          const struct rh_tags *tags, struct rh_place place, struct rh_arena *arena,
                          struct rh_report *report)
{
    char buffer[RH_TOPIC_MAX + 1];
    struct rh_text topic;

    rh_text_init(&topic, buffer, sizeof(buffer));
    for (const char *at = mqtt->data_topic; *at;) {
        size_t plain = strcspn(at, "{");

        rh_text_bytes(&topic, at, plain);
        at += plain;
        const char *close = strchr(at, '}');
        if (!*at || !close)
            break;
        const char *name = rh_arena_text(arena, at + 1, (size_t)(close - at) - 1);
        const char *value = placeholder(mqtt, gateway, device, tags, name, place, report);
        if (!value)
            return NULL;
        rh_text_put(&topic, value);
        at = close + 1;
    }
    const char *what = rh_topic_wrong(buffer, RH_TOPIC_MAX - 1);
    if (what) {
        rh_report_error(report, place, NULL, "data_topic: %s: \"%s\" of device \"%s\"", what, buffer, device);
        return NULL;
    }
    return rh_arena_text(arena, buffer, topic.len);
}
