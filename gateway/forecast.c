/* SPDX-License-Identifier: MIT */
#include "gateway/forecast.h"

#include <string.h>

#define DAY_S 86400.0
#define AUTO_SIZE (INT64_C(256) << 20) /* the least that max_size = auto allows itself */
#define ENVELOPE_BYTES 90              /* {"gw":…,"readings":[]} and the topic */
#define SCAN_BYTES 26                  /* {"t":1795163955698,"v":{}}, */
#define VALUE_BYTES 10                 /* "":231.4, beside the name */
/* Bytes to the device, fitted to the measurements of tools/bench: with 1024-byte pages a commit costs about
 * 8 KiB (log, checkpoint, removal), a message in it a fifth more than twice its size, and QoS 2 two synced
 * records. */
#define COMMIT_BYTES 8300.0
#define MESSAGE_FACTOR 1.7
#define QOS2_BYTES 13400.0

void rh_forecast_line(const struct rh_plan *plan, struct rh_line_forecast *ret_forecast)
{
    *ret_forecast = (struct rh_line_forecast){0};
    for (size_t i = 0; i < plan->n_blocks; i++) {
        const struct rh_block *block = &plan->blocks[i];

        ret_forecast->cycle_ms += (double)block->cost_us / 1000;
        if (block->period_ms != RH_PERIOD_FASTEST)
            ret_forecast->load += (double)block->cost_us / 1000 / (double)block->period_ms;
    }
}

/* How often a block at `interval = fastest` comes round, in the time that the others leave. */
static double fastest_rate(const struct rh_plan *plan)
{
    struct rh_line_forecast line;
    double round_s = 0;

    rh_forecast_line(plan, &line);
    for (size_t i = 0; i < plan->n_blocks; i++)
        if (plan->blocks[i].period_ms == RH_PERIOD_FASTEST)
            round_s += (double)plan->blocks[i].cost_us / 1e6;
    double left = 1 - line.load;
    return round_s > 0 && left > 0.05 ? left / round_s : 0;
}

struct device_rates {
    double scans, readings, bytes; /* per second, without the envelope */
    int qos;
};

static void add_block(const struct rh_line_conf *line, const struct rh_plan *plan,
                      const struct rh_block *block, struct device_rates *rates)
{
    double rate = fastest_rate(plan);

    if (block->period_ms != RH_PERIOD_FASTEST)
        rate = 1000.0 / (double)block->period_ms;
    rates->scans += rate;
    rates->bytes += rate * SCAN_BYTES;
    for (uint32_t i = 0; i < block->count; i++) {
        const struct rh_point *point = &line->points[plan->order[block->first + i]];

        rates->readings += rate;
        rates->bytes += rate * (double)(VALUE_BYTES + strlen(point->name));
        rates->qos = point->qos > rates->qos ? point->qos : rates->qos;
    }
}

static void add_device(const struct rh_config *config, const struct device_rates *rates,
                       struct rh_forecast *forecast)
{
    double commits = 1000.0 / (double)config->store.commit_interval_ms;
    double messages = rates->scans < commits ? rates->scans : commits;
    double bytes = rates->bytes + messages * ENVELOPE_BYTES;

    forecast->readings_per_s += rates->readings;
    forecast->messages_per_s += messages;
    forecast->payload_bytes_per_s += bytes;
    forecast->card_bytes_per_day +=
        DAY_S * (bytes * MESSAGE_FACTOR + (rates->qos == 2 ? messages * QOS2_BYTES : 0));
}

static void add_line(const struct rh_config *config, const struct rh_line_conf *line,
                     const struct rh_plan *plan, struct rh_forecast *forecast)
{
    for (uint32_t d = 0; d < line->n_devices; d++) {
        struct device_rates rates = {0};

        for (size_t i = 0; i < plan->n_blocks; i++)
            if (plan->blocks[i].device == d)
                add_block(line, plan, &plan->blocks[i], &rates);
        add_device(config, &rates, forecast);
    }
}

void rh_forecast(const struct rh_config *config, const struct rh_plan *plans,
                 struct rh_forecast *ret_forecast)
{
    struct rh_forecast forecast = {.held_bytes = config->store.max_size_bytes};

    for (size_t i = 0; i < config->n_lines; i++)
        add_line(config, &config->lines[i], &plans[i], &forecast);
    double commits = 1000.0 / (double)config->store.commit_interval_ms;
    if (forecast.messages_per_s < commits)
        commits = forecast.messages_per_s;
    forecast.card_bytes_per_day += DAY_S * commits * COMMIT_BYTES;
    if (forecast.held_bytes == 0)
        forecast.held_bytes = AUTO_SIZE;
    if (forecast.payload_bytes_per_s > 0)
        forecast.hours_held = (double)forecast.held_bytes * 0.8 / forecast.payload_bytes_per_s / 3600;
    *ret_forecast = forecast;
}
