/* SPDX-License-Identifier: MIT */
/* The drivers that are built, one line each in drivers.def. */
#include <stdlib.h>

#include "core/base.h"
#include "drivers/driver.h"

#define RH_DRIVER(name) extern const struct rh_driver rh_driver_##name;
#include "drivers/drivers.def"
#undef RH_DRIVER

const struct rh_driver *const rh_drivers[] = {
#define RH_DRIVER(name) &rh_driver_##name,
#include "drivers/drivers.def"
#undef RH_DRIVER
};
const size_t rh_n_drivers = RH_COUNT(rh_drivers);

const struct rh_driver *rh_driver_of(const struct rh_driver_schema *schema)
{
    for (size_t i = 0; i < rh_n_drivers; i++)
        if (rh_drivers[i]->schema == schema)
            return rh_drivers[i];
    return NULL;
}

void rh_plan_fini(struct rh_plan *plan)
{
    free(plan->blocks);
    free(plan->order);
    *plan = (struct rh_plan){0};
}
