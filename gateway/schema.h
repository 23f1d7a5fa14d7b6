/* SPDX-License-Identifier: MIT */
/*
 * schema.h - where the tables of drivers and codecs meet the configuration.
 */
#ifndef RH_GATEWAY_SCHEMA_H
#define RH_GATEWAY_SCHEMA_H

#include "config/schema.h"

/* Built once, before threads; lives as long as the process. */
const struct rh_schema *rh_gateway_schema(void);

#endif
