/* SPDX-License-Identifier: MIT */
/*
 * cli.h - the command line: one binary, one row per verb.
 */
#ifndef RH_GATEWAY_CLI_H
#define RH_GATEWAY_CLI_H

#include <stdbool.h>

#include "config/config.h"

#define RH_CLI_ARGUMENTS_MAX 2

struct rh_cli {
    const char *config_path;
    const char *socket; /* NULL: the configuration's */
    const char *arguments[RH_CLI_ARGUMENTS_MAX];
    bool json, sample, dump, origin;
};

/* Parses the arguments and runs the verb; the process's exit code. */
int rh_cli_main(int argc, char **argv);

/* The verbs that have a file of their own; each returns an exit code. */
int rh_cli_check(const struct rh_cli *cli);
int rh_cli_config(const struct rh_cli *cli);
int rh_cli_plan(const struct rh_cli *cli);
int rh_cli_status(const struct rh_cli *cli);
int rh_cli_read(const struct rh_cli *cli);
int rh_cli_write(const struct rh_cli *cli);

/* Loads for a verb: prints what is wrong to stderr (as JSON to stdout where `json`), NULL if it does not
 * load. */
struct rh_config *rh_cli_load(const struct rh_cli *cli, struct rh_report *report);

#endif
