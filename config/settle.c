/* SPDX-License-Identifier: MIT */
#include "config/settle.h"

#include <string.h>

/* What is described but not built: a key that is silently ignored would be a lie. */
static const struct {
    enum rh_section section;
    const char *keys; /* blanks around each */
} unbuilt[] = {
    {RH_SECTION_MQTT, " alpn psk psk_file psk_identity proxy profile "},
    {RH_SECTION_LINE, " record rs485 echo late_window dtr rts low_latency "},
    {RH_SECTION_DEVICE, " write_fc block_align init on_stop failsafe_after on_uplink_loss steps "},
    {RH_SECTION_POINTS, " lease else while write_if select "},
    {RH_SECTION_PROFILE, " init block_align steps "},
};

bool rh_settle_unbuilt(enum rh_section section, const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < RH_COUNT(unbuilt); i++) {
        if (unbuilt[i].section != section)
            continue;
        for (const char *at = unbuilt[i].keys; len > 0 && (at = strstr(at, key)); at += len)
            if (at[-1] == ' ' && at[len] == ' ')
                return true;
    }
    return false;
}

void rh_settle_init(struct rh_settling *settling, struct rh_arena *arena, struct rh_arena *scratch,
                    struct rh_report *report, enum rh_section section)
{
    *settling =
        (struct rh_settling){.arena = arena, .scratch = scratch, .report = report, .section = section};
    rh_map_init(&settling->values, scratch);
    rh_map_init(&settling->wrong, scratch);
}

void rh_settle_target(struct rh_settling *settling, const struct rh_option_table *table, void *object)
{
    rh_assert(settling->n_targets < RH_TARGETS_MOST);
    settling->targets[settling->n_targets++] = (struct rh_target){table, object};
    rh_option_defaults(table, object, settling->arena);
}

const struct rh_option *rh_settle_find(const struct rh_settling *settling, const char *key)
{
    const struct rh_option *option = NULL;

    for (size_t i = 0; i < settling->n_targets && !option; i++)
        option = rh_option_find(settling->targets[i].table, key);
    return option;
}

static void remember(struct rh_settling *settling, const char *key, const struct rh_plain *plain,
                     const struct rh_option *option)
{
    struct rh_settled *settled = rh_arena_alloc(settling->scratch, sizeof(*settled));

    *settled = (struct rh_settled){.plain = *plain, .option = option};
    rh_map_put(&settling->values, rh_arena_text(settling->scratch, key, strlen(key)), settled);
}

void rh_settle_wrong(struct rh_settling *settling, const char *key)
{
    rh_map_put(&settling->wrong, rh_arena_text(settling->scratch, key, strlen(key)), settling);
}

bool rh_settle_value(struct rh_settling *settling, const char *key, const struct rh_plain *plain)
{
    for (size_t i = 0; i < settling->n_targets; i++) {
        const struct rh_target *target = &settling->targets[i];
        const struct rh_option *option = rh_option_find(target->table, key);

        if (!option)
            continue;
        struct rh_option_value value = {.key = key,
                                        .text = plain->text,
                                        .len = plain->len,
                                        .quoted = plain->quoted,
                                        .place = plain->place,
                                        .arena = settling->arena,
                                        .report = settling->report};
        if (rh_option_set(option, target->object, &value))
            remember(settling, key, plain, option);
        else
            rh_settle_wrong(settling, key);
        return true;
    }
    return false;
}

#define MOST_CANDIDATES 128

static size_t known_keys(const struct rh_settling *settling, const char *candidates[MOST_CANDIDATES])
{
    size_t n = 0;

    for (size_t t = 0; t < settling->n_targets; t++)
        for (size_t i = 0; i < settling->targets[t].table->n && n < MOST_CANDIDATES; i++)
            candidates[n++] = settling->targets[t].table->rows[i].name;
    return n;
}

bool rh_settle_near(const struct rh_settling *settling, const char *key)
{
    const char *candidates[MOST_CANDIDATES];
    size_t n = known_keys(settling, candidates);

    return rh_settle_unbuilt(settling->section, key) || rh_near(key, candidates, n);
}

void rh_settle_unknown(const struct rh_settling *settling, const char *key, const char *where,
                       struct rh_place place, const struct rh_map *more)
{
    const char *candidates[MOST_CANDIDATES];
    size_t n = known_keys(settling, candidates);

    if (rh_settle_unbuilt(settling->section, key)) {
        rh_report_error(settling->report, place, NULL, "\"%s\" in %s is not built yet", key, where);
        return;
    }
    for (size_t i = 0; more && i < more->n && n < RH_COUNT(candidates); i++)
        candidates[n++] = more->at[i].key;
    rh_report_error(settling->report, place, rh_near(key, candidates, n), "unknown key \"%s\" in %s", key,
                    where);
}

void rh_settle_object(struct rh_settling *settling, const struct rh_object *object,
                      const struct rh_substitutes *substitutes)
{
    for (size_t i = 0; object && i < object->settings.n; i++) {
        const struct rh_setting *setting = object->settings.at[i].value;

        for (; setting; setting = setting->newer) {
            struct rh_plain plain;
            bool good =
                rh_plain_read(&setting->value, substitutes, settling->scratch, settling->report, &plain);

            if (!rh_settle_find(settling, setting->key))
                rh_settle_unknown(settling, setting->written, setting->section,
                                  rh_raw_place(&setting->key_raw, 0), NULL);
            else if (good)
                rh_settle_value(settling, setting->key, &plain);
            else
                rh_settle_wrong(settling, setting->key);
        }
    }
}

void rh_settle_computed(struct rh_settling *settling, const char *key, const char *text,
                        struct rh_place origin)
{
    size_t len = strlen(text);
    struct rh_plain plain = {
        .text = rh_arena_text(settling->scratch, text, len), .len = len, .place = origin};

    remember(settling, key, &plain, rh_settle_find(settling, key));
}

const struct rh_settled *rh_settle_said(const struct rh_settling *settling, const char *key)
{
    return rh_map_get(&settling->values, key);
}

static bool is_missing(const struct rh_settling *settling, const struct rh_option *option)
{
    return (option->flags & RH_OPTION_REQUIRED) && !option->fallback &&
           !rh_settle_said(settling, option->name) && !rh_map_get(&settling->wrong, option->name);
}

void rh_settle_required(const struct rh_settling *settling, const char *where, struct rh_place place)
{
    for (size_t t = 0; t < settling->n_targets; t++) {
        const struct rh_option_table *table = settling->targets[t].table;

        for (size_t i = 0; i < table->n; i++)
            if (is_missing(settling, &table->rows[i]))
                rh_report_error(settling->report, place, NULL, "%s needs \"%s\"", where, table->rows[i].name);
    }
}
