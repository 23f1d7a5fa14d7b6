/* SPDX-License-Identifier: MIT */
#include "gateway/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

struct rh_config_ref *rh_config_ref_new(struct rh_config *config)
{
    struct rh_config_ref *ref = calloc(1, sizeof(*ref));

    if (ref)
        *ref = (struct rh_config_ref){.config = config, .users = 1};
    return ref;
}

struct rh_config_ref *rh_config_ref_take(struct rh_config_ref *ref)
{
    ref->users++;
    return ref;
}

void rh_config_ref_drop(struct rh_config_ref *ref)
{
    if (!ref || --ref->users > 0)
        return;
    rh_config_free(ref->config);
    free(ref);
}

static const struct rh_line_conf *find_line(const struct rh_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_lines; i++)
        if (strcmp(config->lines[i].name, name) == 0)
            return &config->lines[i];
    return NULL;
}

static bool has_device(const struct rh_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_lines; i++)
        for (size_t d = 0; d < config->lines[i].n_devices; d++)
            if (strcmp(config->lines[i].devices[d].name, name) == 0)
                return true;
    return false;
}

/* Devices that the new configuration no longer has lose their retained messages at the broker. */
static void mark_gone(struct rh_source *source, const struct rh_config *config)
{
    for (size_t d = 0; d < source->line->n_devices; d++)
        source->devices[d].gone = !has_device(config, source->line->devices[d].name);
}

/* A source that the keeper did not let go of in time stays allocated: a leak, not a crash. */
static void end_line(struct rh_lines *lines, struct rh_running_line *line, const struct rh_config *config)
{
    rh_poller_free(line->poller);
    if (config)
        mark_gone(line->source, config);
    if (rh_keeper_remove(lines->keeper, line->source) < 0) {
        rh_log(RH_LOG_ERROR, "keeper", "line %s: its last readings could not be stored in time",
               line->conf->name);
        return;
    }
    rh_source_free(line->source);
    rh_config_ref_drop(line->ref);
}

static int start_line(struct rh_lines *lines, const struct rh_line_conf *conf, struct rh_config_ref *ref,
                      struct rh_running_line *ret_line)
{
    struct rh_running_line line = {.conf = conf};
    int r = rh_source_new(conf, rh_keeper_bell(lines->keeper), lines->values, &line.source);

    if (r == 0) {
        struct rh_poller_options options = {.line = conf, .ring = line.source->ring};

        memcpy(options.answers, lines->answers, sizeof(options.answers));
        r = rh_poller_new(&options, &line.poller);
    }
    if (r < 0) {
        rh_source_free(line.source);
        return r;
    }
    rh_keeper_add(lines->keeper, line.source);
    line.ref = rh_config_ref_take(ref);
    r = rh_poller_start(line.poller);
    if (r < 0)
        end_line(lines, &line, NULL);
    *ret_line = line;
    return r;
}

static bool unchanged(const struct rh_running_line *line, const struct rh_config *config)
{
    const struct rh_line_conf *conf = find_line(config, line->conf->name);

    return conf && conf->fingerprint == line->conf->fingerprint;
}

/* All are asked to stop before the first is waited for. */
static size_t end_changed(struct rh_lines *lines, const struct rh_config *config)
{
    size_t kept = 0;

    for (size_t i = 0; i < lines->n; i++)
        if (!config || !unchanged(&lines->at[i], config))
            rh_poller_stop(lines->at[i].poller);
    for (size_t i = 0; i < lines->n; i++) {
        if (config && unchanged(&lines->at[i], config)) {
            lines->at[kept++] = lines->at[i];
            continue;
        }
        end_line(lines, &lines->at[i], config);
    }
    return kept;
}

static bool runs(const struct rh_lines *lines, const char *name)
{
    for (size_t i = 0; i < lines->n; i++)
        if (strcmp(lines->at[i].conf->name, name) == 0)
            return true;
    return false;
}

int rh_lines_apply(struct rh_lines *lines, struct rh_config_ref *ref)
{
    const struct rh_config *config = ref->config;
    int result = 0;

    lines->n = end_changed(lines, config);
    struct rh_running_line *at = realloc(lines->at, (config->n_lines + lines->n + 1) * sizeof(*at));
    if (!at)
        return -ENOMEM;
    lines->at = at;
    for (size_t i = 0; i < config->n_lines; i++) {
        if (runs(lines, config->lines[i].name))
            continue;
        int r = start_line(lines, &config->lines[i], ref, &lines->at[lines->n]);
        if (r < 0) {
            rh_log(RH_LOG_ERROR, "gateway", "line %s cannot be started: %s", config->lines[i].name,
                   strerror(-r));
            result = r;
        } else {
            lines->n++;
        }
    }
    return result;
}

void rh_lines_stop(struct rh_lines *lines)
{
    end_changed(lines, NULL);
    free(lines->at);
    lines->at = NULL;
    lines->n = 0;
}

void rh_lines_view(const struct rh_lines *lines, struct rh_lines_view *ret_view)
{
    *ret_view = (struct rh_lines_view){.oldest_beat_us = INT64_MAX};
    for (size_t i = 0; i < lines->n; i++) {
        const struct rh_poller_view *view = rh_poller_view(lines->at[i].poller);
        int64_t beat_us = rh_gauge_get(&view->beat_us);

        ret_view->devices += lines->at[i].conf->n_devices;
        ret_view->online += (uint64_t)rh_gauge_get(&view->devices_online);
        ret_view->polls += rh_counted(&view->polls);
        ret_view->missed += rh_counted(&view->missed);
        if (beat_us < ret_view->oldest_beat_us)
            ret_view->oldest_beat_us = beat_us;
    }
}
