/* SPDX-License-Identifier: MIT */
/*
 * global.c - [gateway], [mqtt], [store] and [commands].
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/loader.h"

#define ROOT_MOST 800 /* leaves room for the longest topic of ours below it */
#define CLIENT_ID_MOST 256

/* What fresh images call every box: two of them at one broker would take turns. */
static const char *const image_names[] = {"raspberrypi", "raspberry", "debian",   "localhost",
                                          "ubuntu",      "armbian",   "orangepi", "linux",
                                          "beaglebone",  "bookworm",  "trixie",   "rock64"};

static bool image_name(const char *name)
{
    for (size_t i = 0; i < RH_COUNT(image_names); i++)
        if (strcasecmp(name, image_names[i]) == 0)
            return true;
    return false;
}

struct rh_place rh_load_place(const struct rh_loader *loader, const struct rh_settling *settling,
                              const char *key)
{
    const struct rh_settled *said = rh_settle_said(settling, key);
    const struct rh_object *object = rh_tree_find(&loader->tree, settling->section, "");

    if (said && said->plain.place.line > 0)
        return said->plain.place;
    return object ? object->place : (struct rh_place){.file = loader->report->files[0]};
}

/* --- [gateway] --- */

static const char *host_name(struct rh_loader *loader)
{
    const char *name = loader->source->host_name ? loader->source->host_name : "";

    return rh_arena_text(loader->arena, name, strcspn(name, "."));
}

static void check_host_name(struct rh_loader *loader, const char *name)
{
    struct rh_place place = rh_load_place(loader, &loader->gateway_settling, "name");

    if (!rh_name_valid(name))
        rh_report_error(loader->report, place, NULL,
                        "the host name \"%s\" cannot name the gateway: set [gateway] name", name);
    else if (image_name(name) && !rh_brokers_loopback(&loader->mqtt.brokers))
        rh_report_error(loader->report, place, NULL,
                        "the host name \"%s\" is an image's default, and another box may have it: set "
                        "[gateway] name",
                        name);
}

static void load_gateway(struct rh_loader *loader, struct rh_gateway_conf *conf)
{
    struct rh_gateway_settings settings = {0};
    struct rh_settling *settling = &loader->gateway_settling;

    rh_settle_init(settling, loader->arena, loader->scratch, loader->report, RH_SECTION_GATEWAY);
    rh_settle_target(settling, &rh_gateway_options, &settings);
    rh_settle_object(settling, rh_tree_find(&loader->tree, RH_SECTION_GATEWAY, ""), NULL);
    conf->name = settings.name ? settings.name : host_name(loader);
    conf->socket = settings.socket;
    conf->tags = rh_load_tags(loader, settling, NULL);
}

/* After [mqtt], which the rule about host names asks. */
static void finish_gateway(struct rh_loader *loader)
{
    const struct rh_gateway_conf *conf = &loader->built->config.gateway;
    struct rh_settling *settling = &loader->gateway_settling;
    struct rh_object *object = rh_tree_find(&loader->tree, RH_SECTION_GATEWAY, "");

    if (object && rh_map_get(&object->settings, "name"))
        return; /* said, if not well: that has been reported */
    check_host_name(loader, conf->name);
    rh_settle_computed(settling, "name", conf->name, (struct rh_place){0});
}

/* --- [mqtt] --- */

/* Keys whose values hold placeholders. */
static const struct rh_substitutes *substitutes_of(const char *key, const struct rh_substitutes *gateway)
{
    static const struct rh_substitutes template = {.keep_names = true};

    if (strcmp(key, "data_topic") == 0)
        return &template;
    return strcmp(key, "root") == 0 || strcmp(key, "client_id") == 0 ? gateway : NULL;
}

static void settle_mqtt(struct rh_loader *loader, const struct rh_substitutes *gateway)
{
    const struct rh_object *object = rh_tree_find(&loader->tree, RH_SECTION_MQTT, "");

    for (size_t i = 0; object && i < object->settings.n; i++) {
        struct rh_object one = {.name = object->name};

        rh_map_init(&one.settings, loader->scratch);
        rh_map_put(&one.settings, object->settings.at[i].key, object->settings.at[i].value);
        rh_settle_object(&loader->mqtt_settling, &one, substitutes_of(object->settings.at[i].key, gateway));
    }
}

/* A default with {gateway} in it, if nothing was said. */
static void default_with_gateway(struct rh_loader *loader, const char *key, const char *prefix,
                                 const char **field)
{
    const char *gateway = loader->built->config.gateway.name;
    size_t a = strlen(prefix), b = strlen(gateway);
    char *text = rh_arena_alloc(loader->arena, a + b + 1);

    if (rh_settle_said(&loader->mqtt_settling, key))
        return;
    memcpy(text, prefix, a);
    memcpy(text + a, gateway, b);
    *field = text;
    rh_settle_computed(&loader->mqtt_settling, key, text, (struct rh_place){0});
}

static void check_names(struct rh_loader *loader)
{
    const struct rh_mqtt_settings *mqtt = &loader->mqtt;
    const char *what = rh_topic_wrong(mqtt->root, ROOT_MOST);

    loader->bad_topic = what != NULL;
    if (what)
        rh_report_error(loader->report, rh_load_place(loader, &loader->mqtt_settling, "root"), NULL,
                        "root = \"%s\": %s", mqtt->root, what);
    size_t len = strlen(mqtt->client_id);
    bool printable = true;
    for (size_t i = 0; i < len; i++)
        printable = printable && (unsigned char)mqtt->client_id[i] >= ' ' && mqtt->client_id[i] != 127;
    if (len > CLIENT_ID_MOST || !printable)
        rh_report_error(loader->report, rh_load_place(loader, &loader->mqtt_settling, "client_id"), NULL,
                        "client_id must be printable text of at most %d bytes", CLIENT_ID_MOST);
}

static bool format_known(const struct rh_schema *schema, const char *name, uint32_t *bits)
{
    for (size_t i = 0; i < schema->n_formats && i < 32; i++) {
        if (strcmp(schema->formats[i], name) != 0)
            continue;
        *bits |= 1u << i;
        return true;
    }
    return false;
}

static void load_formats(struct rh_loader *loader, uint32_t *bits)
{
    static const char *const planned[] = {"json", "value", "senml", "influx", "sparkplug", "homeassistant"};
    const struct rh_settled *said = rh_settle_said(&loader->mqtt_settling, "format");
    struct rh_option_value value = {.key = "format",
                                    .text = said ? said->plain.text : loader->mqtt.format,
                                    .quoted = said ? said->plain.quoted : NULL,
                                    .place = said ? said->plain.place : (struct rh_place){0},
                                    .arena = loader->scratch,
                                    .report = loader->report};
    struct rh_option_value name;

    value.len = strlen(value.text);
    for (size_t at = 0; rh_list_next(&value, &at, &name);) {
        bool unbuilt = false;

        if (format_known(loader->schema, name.text, bits))
            continue;
        for (size_t i = 0; i < RH_COUNT(planned); i++)
            unbuilt = unbuilt || strcmp(planned[i], name.text) == 0;
        rh_value_wrong(&name, rh_near(name.text, loader->schema->formats, loader->schema->n_formats),
                       unbuilt ? "not built yet" : "unknown format");
    }
}

/* With a tag in it the topic depends on the device, and is checked there. */
static void check_template(struct rh_loader *loader)
{
    struct rh_place place = rh_load_place(loader, &loader->mqtt_settling, "data_topic");
    const struct rh_gateway_conf *gateway = &loader->built->config.gateway;

    if (loader->bad_topic || strstr(loader->mqtt.data_topic, "{tag."))
        return;
    loader->bad_topic = !rh_data_topic(&loader->mqtt, gateway->name, "device", &gateway->tags, place,
                                       loader->scratch, loader->report);
}

static void check_tls(struct rh_loader *loader)
{
    struct rh_settling *settling = &loader->mqtt_settling;

    if (!rh_map_get(&settling->wrong, "tls")) /* else nobody knows what was meant */
        rh_brokers_check_tls(&loader->mqtt.brokers, (enum rh_tls)loader->mqtt.tls,
                             rh_load_place(loader, settling, "tls"), loader->report);
}

static void load_mqtt(struct rh_loader *loader, struct rh_mqtt_conf *conf)
{
    struct rh_settling *settling = &loader->mqtt_settling;
    struct rh_map names;
    struct rh_mqtt_settings *mqtt = &loader->mqtt;

    rh_map_init(&names, loader->scratch);
    rh_map_put(&names, "gateway", (void *)(uintptr_t)loader->built->config.gateway.name);
    rh_settle_init(settling, loader->arena, loader->scratch, loader->report, RH_SECTION_MQTT);
    rh_settle_target(settling, &rh_mqtt_options, mqtt);
    settle_mqtt(loader, &(struct rh_substitutes){.names = &names});
    default_with_gateway(loader, "root", "railhead/", &mqtt->root);
    default_with_gateway(loader, "client_id", "railhead-", &mqtt->client_id);
    load_formats(loader, &conf->formats);
    check_names(loader);
    check_tls(loader);
    rh_load_mqtt_files(loader);
    check_template(loader);
    if (mqtt->backoff_min_ms > mqtt->backoff_max_ms)
        rh_report_error(loader->report, rh_load_place(loader, settling, "backoff_min"), NULL,
                        "backoff_min is longer than backoff_max");
}

static void fill_mqtt(const struct rh_mqtt_settings *mqtt, struct rh_mqtt_conf *conf)
{
    uint32_t formats = conf->formats;

    *conf = (struct rh_mqtt_conf){.brokers = mqtt->brokers.at,
                                  .n_brokers = mqtt->brokers.n,
                                  .root = mqtt->root,
                                  .client_id = mqtt->client_id,
                                  .username = mqtt->username,
                                  .password_file = mqtt->password_file,
                                  .ca_file = mqtt->ca_file,
                                  .cert_file = mqtt->cert_file,
                                  .key_file = mqtt->key_file,
                                  .data_topic = mqtt->data_topic,
                                  .qos = mqtt->qos,
                                  .inflight = mqtt->inflight,
                                  .keepalive_ms = mqtt->keepalive_ms,
                                  .session_expiry_ms = mqtt->session_expiry_ms,
                                  .backoff_min_ms = mqtt->backoff_min_ms,
                                  .backoff_max_ms = mqtt->backoff_max_ms,
                                  .version = mqtt->version,
                                  .formats = formats};
}

static void load_store(struct rh_loader *loader, struct rh_store_conf *conf)
{
    struct rh_settling *settling = &loader->store_settling;

    rh_settle_init(settling, loader->arena, loader->scratch, loader->report, RH_SECTION_STORE);
    rh_settle_target(settling, &rh_store_options, conf);
    rh_settle_object(settling, rh_tree_find(&loader->tree, RH_SECTION_STORE, ""), NULL);
}

/* {root} and {gateway} may stand in topics. */
static void load_commands(struct rh_loader *loader, struct rh_commands_conf *conf)
{
    struct rh_settling *settling = &loader->commands_settling;
    struct rh_map names;

    rh_map_init(&names, loader->scratch);
    rh_map_put(&names, "gateway", (void *)(uintptr_t)loader->built->config.gateway.name);
    rh_map_put(&names, "root", (void *)(uintptr_t)loader->mqtt.root);
    rh_settle_init(settling, loader->arena, loader->scratch, loader->report, RH_SECTION_COMMANDS);
    rh_settle_target(settling, &rh_commands_options, conf);
    rh_settle_object(settling, rh_tree_find(&loader->tree, RH_SECTION_COMMANDS, ""),
                     &(struct rh_substitutes){.names = &names});
    const char *what = *conf->response_prefix ? rh_topic_wrong(conf->response_prefix, ROOT_MOST) : NULL;
    if (what)
        rh_report_error(loader->report, rh_load_place(loader, settling, "response_prefix"), NULL,
                        "response_prefix = \"%s\": %s", conf->response_prefix, what);
}

void rh_load_global(struct rh_loader *loader)
{
    struct rh_config *config = &loader->built->config;

    load_gateway(loader, &config->gateway);
    load_mqtt(loader, &config->mqtt);
    fill_mqtt(&loader->mqtt, &config->mqtt);
    load_store(loader, &config->store);
    load_commands(loader, &config->commands);
    finish_gateway(loader);
}
