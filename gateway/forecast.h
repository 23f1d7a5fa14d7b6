/* SPDX-License-Identifier: MIT */
/*
 * forecast.h - what a configuration means before anything is deployed: load of the lines, messages and bytes
 * per month, hours of outage that the store holds, bytes to the card. Pure.
 */
#ifndef RH_GATEWAY_FORECAST_H
#define RH_GATEWAY_FORECAST_H

#include <stddef.h>

#include "config/config.h"
#include "drivers/driver.h"

/* Above this share of its time a line cannot hold the rates it is asked for. */
#define RH_LOAD_LIMIT 0.95

struct rh_line_forecast {
    double load;     /* share of the line's time that the periodic blocks take */
    double cycle_ms; /* one pass over every block */
};

struct rh_forecast {
    double readings_per_s;
    double messages_per_s;
    double payload_bytes_per_s;
    double card_bytes_per_day; /* by the measured cost of a commit and of a message (store.md) */
    double hours_held;         /* of outage, by the smallest size the store may have */
    int64_t held_bytes;        /* that size */
};

void rh_forecast_line(const struct rh_plan *plan, struct rh_line_forecast *ret_forecast);

/* `plans`: one per line of the configuration. */
void rh_forecast(const struct rh_config *config, const struct rh_plan *plans,
                 struct rh_forecast *ret_forecast);

#endif
