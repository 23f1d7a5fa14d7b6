/* SPDX-License-Identifier: MIT */
#include "gateway/cli_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/cli.h"
#include "gateway/exit_code.h"
#include "gateway/forecast.h"

#define MONTH_S (30.4375 * 86400)

struct rh_plan *rh_cli_plans(const struct rh_config *config)
{
    struct rh_plan *plans = calloc(config->n_lines + 1, sizeof(*plans));

    for (size_t i = 0; plans && i < config->n_lines; i++) {
        if (rh_driver_of(config->lines[i].schema)->plan(&config->lines[i], &plans[i]) < 0) {
            rh_cli_plans_free(config, plans);
            return NULL;
        }
    }
    return plans;
}

void rh_cli_plans_free(const struct rh_config *config, struct rh_plan *plans)
{
    for (size_t i = 0; plans && i < config->n_lines; i++)
        rh_plan_fini(&plans[i]);
    free(plans);
}

void rh_cli_judge_plans(const struct rh_config *config, const struct rh_plan *plans, struct rh_report *report)
{
    for (size_t i = 0; i < config->n_lines; i++) {
        struct rh_line_forecast line;

        rh_forecast_line(&plans[i], &line);
        if (line.load > RH_LOAD_LIMIT)
            rh_report_warning(
                report, config->lines[i].place, NULL,
                "line %s is asked for %.0f %% of its time: one round of its %zu transactions takes %.0f ms; "
                "it can carry this with intervals %.2f times as long",
                config->lines[i].name, line.load * 100, plans[i].n_blocks, line.cycle_ms,
                line.load / RH_LOAD_LIMIT);
    }
}

static void print_block(const struct rh_line_conf *line, const struct rh_block *block)
{
    char period[32] = "fastest";

    if (block->period_ms != RH_PERIOD_FASTEST)
        snprintf(period, sizeof(period), "%.3f s", (double)block->period_ms / 1000);
    printf("  %-16s %4u %4u %7u %6u %9.3f ms %12s", line->devices[block->device].name, block->unit,
           block->function, block->address, block->length, (double)block->cost_us / 1000, period);
    if (block->period_ms != RH_PERIOD_FASTEST)
        printf(" %7.2f %%", (double)block->cost_us / 10 / (double)block->period_ms);
    putchar('\n');
}

static void print_line(const struct rh_line_conf *line, const struct rh_plan *plan)
{
    struct rh_line_forecast forecast;

    rh_forecast_line(plan, &forecast);
    printf("line %s (%s): %zu devices, %zu points, %zu transactions, one round %.1f ms, load %.1f %%\n",
           line->name, line->schema->name, line->n_devices, line->n_points, plan->n_blocks, forecast.cycle_ms,
           forecast.load * 100);
    printf("  %-16s %4s %4s %7s %6s %12s %12s %9s\n", "device", "unit", "fc", "address", "count", "cost",
           "period", "load");
    for (size_t b = 0; b < plan->n_blocks; b++)
        print_block(line, &plan->blocks[b]);
}

static void print_meaning(const struct rh_forecast *forecast)
{
    printf("\n%.4g readings/s in %.4g messages/s: about %.3g million messages and %.0f MB a month\n",
           forecast->readings_per_s, forecast->messages_per_s, forecast->messages_per_s * MONTH_S / 1e6,
           forecast->payload_bytes_per_s * MONTH_S / 1e6);
    printf("the store (%lld MiB at least) holds about %.0f hours of outage; about %.0f MB a day are written "
           "to the card\n",
           (long long)(forecast->held_bytes >> 20), forecast->hours_held, forecast->card_bytes_per_day / 1e6);
}

static void print_text(const struct rh_config *config, const struct rh_plan *plans)
{
    struct rh_forecast forecast;

    for (size_t i = 0; i < config->n_lines; i++)
        print_line(&config->lines[i], &plans[i]);
    rh_forecast(config, plans, &forecast);
    print_meaning(&forecast);
}

static void print_json_block(const struct rh_line_conf *line, const struct rh_block *block)
{
    printf("{\"device\":\"%s\",\"unit\":%u,\"function\":%u,\"address\":%u,\"count\":%u,\"cost_ms\":%.3f,"
           "\"period_ms\":",
           line->devices[block->device].name, block->unit, block->function, block->address, block->length,
           (double)block->cost_us / 1000);
    if (block->period_ms == RH_PERIOD_FASTEST)
        printf("null}");
    else
        printf("%lld}", (long long)block->period_ms);
}

static void print_json_line(const struct rh_line_conf *line, const struct rh_plan *plan)
{
    struct rh_line_forecast forecast;

    rh_forecast_line(plan, &forecast);
    printf("{\"line\":\"%s\",\"load\":%.6f,\"cycle_ms\":%.3f,\"transactions\":%zu,\"blocks\":[", line->name,
           forecast.load, forecast.cycle_ms, plan->n_blocks);
    for (size_t b = 0; b < plan->n_blocks; b++) {
        fputs(b ? "," : "", stdout);
        print_json_block(line, &plan->blocks[b]);
    }
    printf("]}");
}

static void print_json(const struct rh_config *config, const struct rh_plan *plans)
{
    struct rh_forecast forecast;

    printf("{\"lines\":[");
    for (size_t i = 0; i < config->n_lines; i++) {
        fputs(i ? "," : "", stdout);
        print_json_line(&config->lines[i], &plans[i]);
    }
    rh_forecast(config, plans, &forecast);
    printf("],\"readings_per_s\":%.6g,\"messages_per_month\":%.0f,\"bytes_per_month\":%.0f,"
           "\"outage_hours_held\":%.1f,\"card_bytes_per_day\":%.0f}\n",
           forecast.readings_per_s, forecast.messages_per_s * MONTH_S, forecast.payload_bytes_per_s * MONTH_S,
           forecast.hours_held, forecast.card_bytes_per_day);
}

int rh_cli_plan(const struct rh_cli *cli)
{
    struct rh_report report;
    struct rh_config *config = rh_cli_load(cli, &report);
    struct rh_plan *plans = config ? rh_cli_plans(config) : NULL;

    if (plans)
        rh_cli_judge_plans(config, plans, &report);
    rh_report_print(&report, stderr);
    rh_report_fini(&report);
    if (plans && cli->json)
        print_json(config, plans);
    else if (plans)
        print_text(config, plans);
    if (config)
        rh_cli_plans_free(config, plans);
    rh_config_free(config);
    return plans ? RH_EXIT_OK : RH_EXIT_CONFIG;
}
