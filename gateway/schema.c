/* SPDX-License-Identifier: MIT */
#include "gateway/schema.h"

#include "core/base.h"
#include "drivers/driver.h"
#include "mqtt/codec.h"
#include "mqtt/value.h"

#define PARTS_MAX 32

const struct rh_schema *rh_gateway_schema(void)
{
    static const struct rh_driver_schema *drivers[PARTS_MAX];
    static const char *formats[PARTS_MAX];
    static struct rh_schema schema = {.drivers = drivers, .formats = formats};

    rh_assert(rh_n_drivers <= PARTS_MAX && rh_n_codecs < PARTS_MAX);
    for (size_t i = 0; i < rh_n_drivers; i++)
        drivers[i] = rh_drivers[i]->schema;
    for (size_t i = 0; i < rh_n_codecs; i++)
        formats[i] = rh_codecs[i]->name;
    formats[rh_n_codecs] = RH_VALUE_FORMAT; /* no codec: it has no history */
    schema.n_drivers = rh_n_drivers;
    schema.n_formats = rh_n_codecs + 1;
    return &schema;
}
