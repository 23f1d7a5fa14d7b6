/* SPDX-License-Identifier: MIT */
/*
 * cli_plan.h - the plans of all lines of a configuration, for the verbs that print or judge them.
 */
#ifndef RH_GATEWAY_CLI_PLAN_H
#define RH_GATEWAY_CLI_PLAN_H

#include "config/config.h"
#include "drivers/driver.h"

/* One plan per line; NULL: no memory. Freed with rh_cli_plans_free. */
struct rh_plan *rh_cli_plans(const struct rh_config *config);
void rh_cli_plans_free(const struct rh_config *config, struct rh_plan *plans);

/* Warns of lines that are asked for more than they can carry, and says what they can. */
void rh_cli_judge_plans(const struct rh_config *config, const struct rh_plan *plans,
                        struct rh_report *report);

#endif
