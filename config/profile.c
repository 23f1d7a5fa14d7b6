/* SPDX-License-Identifier: MIT */
/*
 * profile.c - device types: found by name, read once, shared by their devices.
 *
 * What is wrong in the text of a profile is reported at its place in the profile's file, once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/loader.h"

#define SITE_PROFILES "/etc/railhead/profiles"

/* --- where they are --- */

/* True if this program runs from where it was installed: PREFIX/bin beside PREFIX/share/railhead/profiles. */
static bool installed(void)
{
    static const char share[] = "/share/railhead/profiles", folder[] = RAILHEAD_INSTALLED_PROFILES;
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    size_t folder_len = sizeof(folder) - 1, share_len = sizeof(share) - 1;

    if (len < 0 || folder_len < share_len || strcmp(folder + folder_len - share_len, share) != 0)
        return false;
    size_t prefix = folder_len - share_len;
    program[len] = '\0';
    return strncmp(program, folder, prefix) == 0 && strncmp(program + prefix, "/bin/", 5) == 0;
}

static size_t split_folders(const char *list, struct rh_arena *arena, const char **folders, size_t most)
{
    size_t n = 0;

    while (*list && n < most) {
        size_t len = strcspn(list, ":");
        if (len > 0)
            folders[n++] = rh_arena_text(arena, list, len);
        list += len + (list[len] == ':');
    }
    return n;
}

size_t rh_profile_folders(struct rh_arena *arena, const char *const **ret_folders)
{
    const size_t most = 32;
    const char **folders = rh_arena_alloc(arena, most * sizeof(*folders));
    const char *list = getenv("RAILHEAD_PROFILES");
    size_t n = 0;

    *ret_folders = folders;
    if (list && *list)
        return split_folders(list, arena, folders, most);
    folders[n++] = SITE_PROFILES;
    if (!installed() && access(RAILHEAD_SOURCE_PROFILES, F_OK) == 0)
        folders[n++] = RAILHEAD_SOURCE_PROFILES;
    folders[n++] = RAILHEAD_INSTALLED_PROFILES;
    return n;
}

/* --- parameters --- */

static bool parse_bounds(const char *text, struct rh_parameter *parameter)
{
    const char *dots = strstr(text, "..");
    char low[40];

    if (!dots || (size_t)(dots - text) >= sizeof(low))
        return false;
    memcpy(low, text, (size_t)(dots - text));
    low[dots - text] = '\0';
    parameter->bounded = true;
    return rh_parse_double(low, &parameter->min) == 0 && rh_parse_double(dots + 2, &parameter->max) == 0 &&
           parameter->min <= parameter->max;
}

bool rh_load_parameter(struct rh_loader *loader, const struct rh_parameter *parameter, const char *name,
                       const char *text, struct rh_place place)
{
    double number;

    if (!*text) {
        rh_report_error(loader->report, place, NULL, "parameter %s has no value", name);
        return false;
    }
    if (!parameter->bounded)
        return true;
    if (rh_parse_double(text, &number) == 0 && number >= parameter->min && number <= parameter->max)
        return true;
    rh_report_error(loader->report, place, NULL,
                    "parameter %s = \"%s\": must be a number from %.15g to %.15g", name, text, parameter->min,
                    parameter->max);
    return false;
}

static void check_parameter_name(struct rh_loader *loader, const struct rh_setting *setting)
{
    struct rh_place place = rh_raw_place(&setting->key_raw, 0);

    if (!rh_name_valid(setting->key))
        rh_report_error(loader->report, place, NULL, "\"%s\" is not a name: letters, digits, - and _",
                        setting->key);
    if (rh_option_find(&rh_device_options, setting->key) || rh_option_find(&rh_profile_options, setting->key))
        rh_report_error(loader->report, place, NULL, "\"%s\" is a key of every device: name it otherwise",
                        setting->key);
}

/* What follows the default: bounds and a help text, both optional. */
static void parse_parameter_rest(struct rh_loader *loader, struct rh_parameter *parameter,
                                 const struct rh_plain *words, size_t n)
{
    if (n > 1 && !words[1].has_quotes && !parse_bounds(words[1].text, parameter)) {
        parameter->bounded = false;
        rh_report_error(loader->report, words[1].place, NULL, "\"%s\" is not a pair of bounds: 1..100",
                        words[1].text);
    }
    if (n > 2 && !words[2].has_quotes)
        rh_report_error(loader->report, words[2].place, NULL, "a parameter's text stands in quotes");
}

/* ct = 1 1..10000 "current transformer ratio" */
static void load_parameter(struct rh_loader *loader, struct rh_profile *profile,
                           const struct rh_setting *setting)
{
    struct rh_parameter *parameter = rh_arena_alloc(loader->scratch, sizeof(*parameter));
    struct rh_raw *raw;
    struct rh_plain words[3] = {{.text = ""}};
    size_t n = rh_words_split(&setting->value, loader->scratch, &raw);

    check_parameter_name(loader, setting);
    if (n < 1 || n > RH_COUNT(words))
        rh_report_error(loader->report, rh_raw_place(n > 3 ? &raw[3] : &setting->value, 0), NULL,
                        "a parameter is its default, bounds and a text: %s = 1 1..100 \"help\"",
                        setting->key);
    for (size_t i = 0; i < n && i < RH_COUNT(words); i++)
        if (!rh_plain_read(&raw[i], NULL, loader->scratch, loader->report, &words[i]))
            return;
    parameter->fallback = words[0].text;
    parse_parameter_rest(loader, parameter, words, n);
    if (n > 0)
        rh_load_parameter(loader, parameter, setting->key, parameter->fallback, words[0].place);
    rh_map_put(&profile->parameters, setting->key, parameter);
    rh_map_put(&profile->defaults, setting->key, (void *)(uintptr_t)parameter->fallback);
}

/* --- one profile --- */

static void load_sections(struct rh_loader *loader, struct rh_profile *profile)
{
    const struct rh_object *parameters = rh_tree_find(&profile->tree, RH_SECTION_PARAMETERS, "");
    const struct rh_object *about = rh_tree_find(&profile->tree, RH_SECTION_PROFILE, "");
    struct rh_profile_settings settings;
    struct rh_settling settling;

    for (size_t i = 0; parameters && i < parameters->settings.n; i++)
        load_parameter(loader, profile, parameters->settings.at[i].value);
    rh_settle_init(&settling, loader->scratch, loader->scratch, loader->report, RH_SECTION_PROFILE);
    rh_settle_target(&settling, &rh_profile_options, &settings);
    struct rh_object own = {.name = ""};
    rh_map_init(&own.settings, loader->scratch);
    for (size_t i = 0; about && i < about->settings.n; i++)
        if (rh_settle_find(&settling, about->settings.at[i].key))
            rh_map_put(&own.settings, about->settings.at[i].key, about->settings.at[i].value);
    rh_settle_object(&settling, &own, &(struct rh_substitutes){.names = &profile->defaults});
    if (!about)
        rh_report_error(loader->report, (struct rh_place){.file = profile->path}, NULL,
                        "a profile needs a section [profile]");
}

static void unknown_profile(struct rh_loader *loader, const char *name, struct rh_place place)
{
    const char *found[512];
    size_t n_found = 0;

    for (size_t f = 0; f < loader->source->n_profile_folders; f++) {
        const char *const *names;
        size_t n;

        if (loader->source->list(loader->source->context, loader->source->profile_folders[f], loader->scratch,
                                 &names, &n) < 0)
            continue;
        for (size_t i = 0; i < n && n_found < RH_COUNT(found); i++)
            found[n_found++] = rh_arena_text(loader->scratch, names[i], strlen(names[i]) - strlen(".ini"));
    }
    rh_report_error(loader->report, place, rh_near(name, found, n_found), "unknown profile \"%s\"", name);
}

/* Tries the folders in order; 0, -ENOENT, or another errno of the first file that is there. */
static int read_profile(struct rh_loader *loader, struct rh_profile *profile)
{
    int r = -ENOENT;

    for (size_t f = 0; f < loader->source->n_profile_folders && r == -ENOENT; f++) {
        const char *folder = loader->source->profile_folders[f];
        size_t most = strlen(folder) + strlen(profile->name) + sizeof("/.ini");
        char *path = rh_arena_alloc(loader->scratch, most);

        snprintf(path, most, "%s/%s.ini", folder, profile->name);
        profile->path = path;
        r = rh_load_file(loader, path, RH_FILE_PROFILE, &profile->tree);
    }
    return r;
}

const struct rh_profile *rh_load_profile(struct rh_loader *loader, const char *name, struct rh_place place)
{
    struct rh_profile *profile = rh_map_get(&loader->profiles, name);

    if (profile)
        return profile;
    if (!rh_name_valid(name)) {
        rh_report_error(loader->report, place, NULL, "\"%s\" is not the name of a profile", name);
        return NULL;
    }
    profile = rh_arena_alloc(loader->scratch, sizeof(*profile));
    profile->name = rh_arena_text(loader->scratch, name, strlen(name));
    rh_map_init(&profile->parameters, loader->scratch);
    rh_map_init(&profile->defaults, loader->scratch);
    rh_tree_init(&profile->tree, loader->scratch, loader->report);
    int r = read_profile(loader, profile);
    if (r == -ENOENT)
        unknown_profile(loader, name, place);
    else if (r < 0)
        rh_report_error(loader->report, place, NULL, "profile %s cannot be read: %s", profile->path,
                        strerror(-r));
    if (r < 0)
        return NULL;
    load_sections(loader, profile);
    rh_map_put(&loader->profiles, profile->name, profile);
    return profile;
}
