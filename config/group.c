/* SPDX-License-Identifier: MIT */
/*
 * group.c - the [group NAME] sections of a profile: what tells the frames of one kind from those of others.
 * Each device has its own, because parameters and its address may stand in them.
 */
#include <stdio.h>
#include <string.h>

#include "config/loader.h"

static void load_group(struct rh_loader *loader, struct rh_device_build *device,
                       const struct rh_object *object, size_t at)
{
    struct rh_group_conf *group = (struct rh_group_conf *)(uintptr_t)&device->conf.groups[at];
    struct rh_substitutes substitutes = {.names = &device->parameters};
    struct rh_settling *settling = &device->groups[at];

    group->name = rh_arena_text(loader->arena, object->name, strlen(object->name));
    group->options = rh_arena_alloc(loader->arena, device->schema->group_size);
    rh_settle_init(settling, loader->arena, loader->scratch, loader->report, RH_SECTION_GROUP);
    rh_settle_target(settling, device->schema->group, group->options);
    rh_settle_object(settling, object, &substitutes);
    rh_settle_required(settling, object->written, object->place);
}

void rh_load_groups(struct rh_loader *loader, struct rh_device_build *device)
{
    const struct rh_map *sections = device->profile ? &device->profile->tree.objects[RH_SECTION_GROUP] : NULL;

    if (!sections || sections->n == 0)
        return;
    if (!device->schema->group) {
        const struct rh_object *first = sections->at[0].value;
        rh_report_error(loader->report, first->place, NULL, "driver %s knows no groups",
                        device->schema->name);
        return;
    }
    device->conf.groups = rh_arena_alloc(loader->arena, sections->n * sizeof(*device->conf.groups));
    device->groups = rh_arena_alloc(loader->scratch, sections->n * sizeof(*device->groups));
    device->conf.n_groups = sections->n;
    for (size_t i = 0; i < sections->n; i++)
        load_group(loader, device, sections->at[i].value, i);
}

uint64_t rh_load_groups_fingerprint(struct rh_loader *loader, const struct rh_device_build *device,
                                    uint64_t hash)
{
    for (size_t i = 0; i < device->conf.n_groups; i++) {
        struct rh_shown_section section =
            rh_show(&device->groups[i], device->conf.groups[i].name, NULL, loader->arena);
        hash = rh_fingerprint_section(hash, &section);
    }
    return hash;
}
