/* SPDX-License-Identifier: MIT */
/*
 * cli_socket.h - asks a running gateway over its control socket, for the verbs that do.
 */
#ifndef RH_GATEWAY_CLI_SOCKET_H
#define RH_GATEWAY_CLI_SOCKET_H

#include <jansson.h>

#include "gateway/cli.h"

struct rh_cli_answer {
    char *line; /* as it came */
    json_t *json;
};

/* Sends one request (taken over) and waits for its answer. An exit code: RH_EXIT_OK with an answer, whatever
 * it says; else what went wrong is on stderr. */
int rh_cli_ask(const struct rh_cli *cli, json_t *request, struct rh_cli_answer *ret_answer);
void rh_cli_answer_fini(struct rh_cli_answer *answer);

/* The exit code for an answer; one that is not ok has its reason on stderr. */
int rh_cli_judge(const struct rh_cli_answer *answer);

/* May colours and the like be written to stdout? */
bool rh_cli_colours(void);

#endif
