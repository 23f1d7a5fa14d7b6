/* SPDX-License-Identifier: MIT */
/*
 * load.c - the order of a load: files, then what others depend on, then what depends on it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/loader.h"

int rh_load_file(struct rh_loader *loader, const char *path, enum rh_file_kind kind, struct rh_tree *tree)
{
    struct rh_file file;
    struct rh_ini ini;
    int r = loader->source->read(loader->source->context, path, &file);

    if (r < 0)
        return r;
    rh_report_file(loader->report, path);
    rh_ini_parse(rh_arena_text(loader->arena, path, strlen(path)), file.text, file.len, loader->scratch,
                 loader->report, &ini);
    free(file.text);
    rh_tree_add(tree, &ini, kind, loader->n_files++);
    return 0;
}

static const char *read_error(int error)
{
    return error == -EFBIG ? "it is larger than 16 MiB" : strerror(-error);
}

static int load_site_file(struct rh_loader *loader, const char *path)
{
    int r = rh_load_file(loader, path, RH_FILE_SITE, &loader->tree);

    if (r < 0)
        rh_report_error(loader->report, (struct rh_place){.file = path}, NULL, "cannot be read: %s",
                        read_error(r));
    return r;
}

/* railhead.ini -> railhead.d */
static const char *drop_in_folder(struct rh_loader *loader, const char *path)
{
    size_t len = strlen(path);
    bool ini = len > 4 && strcmp(path + len - 4, ".ini") == 0;
    char *folder = rh_arena_alloc(loader->scratch, len + 3);

    memcpy(folder, path, len);
    memcpy(folder + len - (ini ? 4 : 0), ".d", 3);
    return folder;
}

static const char *path_in(struct rh_arena *arena, const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    char *path = rh_arena_alloc(arena, a + b + 2);

    memcpy(path, folder, a);
    path[a] = '/';
    memcpy(path + a + 1, name, b);
    return path;
}

static void load_drop_ins(struct rh_loader *loader, const char *path)
{
    const char *folder = drop_in_folder(loader, path);
    const char *const *names;
    size_t n;
    int r = loader->source->list(loader->source->context, folder, loader->scratch, &names, &n);

    if (r < 0 && r != -ENOENT)
        rh_report_error(loader->report, (struct rh_place){.file = folder}, NULL, "cannot be read: %s",
                        strerror(-r));
    for (size_t i = 0; r == 0 && i < n; i++)
        load_site_file(loader, path_in(loader->scratch, folder, names[i]));
}

static struct rh_built_config *new_config(void)
{
    struct rh_arena *arena = rh_arena_new();
    struct rh_built_config *built = rh_arena_alloc(arena, sizeof(*built));

    built->arena = arena;
    return built;
}

int rh_config_load_from(const struct rh_source *source, const char *path, const struct rh_schema *schema,
                        struct rh_report *report, struct rh_config **ret_config)
{
    struct rh_built_config *built = new_config();
    struct rh_loader loader = {.source = source,
                               .schema = schema,
                               .report = report,
                               .arena = built->arena,
                               .scratch = rh_arena_new(),
                               .built = built};

    rh_tree_init(&loader.tree, loader.scratch, report);
    rh_map_init(&loader.profiles, loader.scratch);
    rh_map_init(&loader.lines, loader.scratch);
    rh_map_init(&loader.devices, loader.scratch);
    int r = load_site_file(&loader, path);
    if (r == 0) {
        load_drop_ins(&loader, path);
        rh_load_global(&loader);
        rh_load_lines(&loader);
        rh_load_devices(&loader);
        rh_load_finish(&loader);
        rh_report_sort(report);
        if (report->n_errors > 0)
            r = -EINVAL;
    }
    rh_arena_free(loader.scratch);
    if (r == 0)
        *ret_config = &built->config;
    else
        rh_config_free(&built->config);
    return r;
}

int rh_config_load(const char *path, const struct rh_schema *schema, struct rh_report *report,
                   struct rh_config **ret_config)
{
    char host_name[256] = "";
    struct rh_arena *arena = rh_arena_new();
    struct rh_source disk = {.read = rh_disk_read, .list = rh_disk_list, .host_name = host_name};
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    if (gethostname(host_name, sizeof(host_name) - 1) < 0)
        host_name[0] = '\0';
    disk.credentials = credentials && *credentials ? credentials : NULL;
    disk.n_profile_folders = rh_profile_folders(arena, &disk.profile_folders);
    int r = rh_config_load_from(&disk, path, schema, report, ret_config);
    rh_arena_free(arena);
    return r;
}

void rh_config_free(struct rh_config *config)
{
    if (config)
        rh_arena_free(((struct rh_built_config *)config)->arena);
}
