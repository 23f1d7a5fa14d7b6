/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "gateway/cli.h"
#include "gateway/cli_plan.h"
#include "gateway/exit_code.h"
#include "gateway/forecast.h"
#include "gateway/schema.h"

static void print_summary(const struct rh_config *config, const struct rh_plan *plans)
{
    printf("%s: %zu lines, no errors\n", config->gateway.name, config->n_lines);
    for (size_t i = 0; i < config->n_lines; i++) {
        const struct rh_line_conf *line = &config->lines[i];
        struct rh_line_forecast forecast;

        rh_forecast_line(&plans[i], &forecast);
        printf("  line %s: %zu devices, %zu points in %zu transactions, one round %.1f ms, load %.1f %%\n",
               line->name, line->n_devices, line->n_points, plans[i].n_blocks, forecast.cycle_ms,
               forecast.load * 100);
    }
}

int rh_cli_check(const struct rh_cli *cli)
{
    struct rh_report report;
    struct rh_config *config = rh_cli_load(cli, &report);
    struct rh_plan *plans = config ? rh_cli_plans(config) : NULL;
    int code = plans ? RH_EXIT_OK : RH_EXIT_CONFIG;

    if (plans)
        rh_cli_judge_plans(config, plans, &report);
    rh_report_sort(&report);
    rh_report_print(&report, stderr);
    if (cli->json)
        rh_report_print_json(&report, stdout);
    else if (plans)
        print_summary(config, plans);
    rh_report_fini(&report);
    if (config)
        rh_cli_plans_free(config, plans);
    rh_config_free(config);
    return code;
}

int rh_cli_config(const struct rh_cli *cli)
{
    struct rh_report report;

    if (cli->sample) {
        rh_config_sample(rh_gateway_schema(), stdout);
        return RH_EXIT_OK;
    }
    struct rh_config *config = rh_cli_load(cli, &report);
    rh_report_print(&report, stderr);
    rh_report_fini(&report);
    if (!config)
        return RH_EXIT_CONFIG;
    rh_config_dump(config, cli->origin, stdout);
    rh_config_free(config);
    return RH_EXIT_OK;
}
