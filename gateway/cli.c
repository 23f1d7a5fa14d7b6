/* SPDX-License-Identifier: MIT */
#include "gateway/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "gateway/daemon.h"
#include "gateway/exit_code.h"
#include "gateway/schema.h"
#include "gateway/version.h"

#define DEFAULT_CONFIG "/etc/railhead/railhead.ini"

/* Which options a verb takes. */
enum { TAKES_CONFIG = 1, TAKES_JSON = 2, TAKES_CONFIG_FORMS = 4, TAKES_SOCKET = 8 };

struct verb {
    const char *name;
    const char *summary;
    const char *example;
    unsigned takes;
    int (*run)(const struct rh_cli *cli); /* NULL: not built yet */
    const char *arguments;                /* as in its usage; NULL: none */
    int n_arguments;
};

static int run_daemon(const struct rh_cli *cli)
{
    return rh_daemon_run(cli->config_path);
}

static const struct verb verbs[] = {
    {"run", "the gateway itself, in the foreground", "railhead run -c railhead.ini", TAKES_CONFIG, run_daemon,
     NULL, 0},
    {"check", "reports every mistake in a configuration; opens no port", "railhead check -c railhead.ini",
     TAKES_CONFIG | TAKES_JSON, rh_cli_check, NULL, 0},
    {"plan", "the poll plan, block by block, and what it means", "railhead plan -c railhead.ini --json",
     TAKES_CONFIG | TAKES_JSON, rh_cli_plan, NULL, 0},
    {"config", "a commented sample, or what is in force and from which line",
     "railhead config --dump --origin", TAKES_CONFIG | TAKES_CONFIG_FORMS, rh_cli_config, NULL, 0},
    {"status", "lines, devices, store and uplink of a running gateway", "railhead status",
     TAKES_CONFIG | TAKES_JSON | TAKES_SOCKET, rh_cli_status, NULL, 0},
    {"read", "reads one point now, through the running gateway", "railhead read m07.voltage",
     TAKES_CONFIG | TAKES_JSON | TAKES_SOCKET, rh_cli_read, "DEVICE.POINT", 1},
    {"write", "writes one point, through the running gateway", "railhead write m07.setpoint 21.5",
     TAKES_CONFIG | TAKES_JSON | TAKES_SOCKET, rh_cli_write, "DEVICE.POINT VALUE", 2},
    {"scan", "finds the devices on a line", NULL, 0, NULL, NULL, 0},
    {"top", "the same as a live table", NULL, 0, NULL, NULL, 0},
    {"monitor", "the bytes on a line", NULL, 0, NULL, NULL, 0},
    {"replay", "decodes a recording", NULL, 0, NULL, NULL, 0},
    {"store", "backlog, export, dead letters, audit", NULL, 0, NULL, NULL, 0},
    {"doctor", "what is wrong with a line and what to do", NULL, 0, NULL, NULL, 0},
    {"support", "one file for whoever helps", NULL, 0, NULL, NULL, 0},
    {"lock", "locks out all writes", NULL, 0, NULL, NULL, 0},
    {"unlock", "allows writes again", NULL, 0, NULL, NULL, 0},
    {"cmd", "sends a command through the broker", NULL, 0, NULL, NULL, 0},
    {"completion", "prints a completion script for a shell", NULL, 0, NULL, NULL, 0},
};

static void print_help(FILE *out)
{
    fputs("railhead: brings readings of serial sensors to an MQTT broker, and loses none\n\n"
          "usage: railhead VERB [options]        railhead VERB --help\n\n",
          out);
    for (size_t i = 0; i < RH_COUNT(verbs); i++)
        if (verbs[i].run)
            fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
    fputs(
        "\n  --help, --version\n\nexit codes: 0 done, 1 failure, 64 usage, 69 unavailable, 74 input/output, "
        "77 permission, 78 configuration\n",
        out);
}

static void print_verb_help(const struct verb *verb)
{
    printf("railhead %s: %s\n\nusage: railhead %s [options]%s%s\n\n", verb->name, verb->summary, verb->name,
           verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
    if (!verb->run)
        puts("  not built yet");
    if (verb->takes & TAKES_CONFIG)
        puts("  -c FILE   the configuration (" DEFAULT_CONFIG
             "); its drop-ins are FILE without .ini, in .d/*.ini");
    if (verb->takes & TAKES_JSON)
        puts("  --json    one JSON document on stdout, messages on stderr");
    if (verb->takes & TAKES_SOCKET)
        puts("  --socket PATH   of the running gateway, if it is not the one in the configuration");
    if (verb->takes & TAKES_CONFIG_FORMS)
        puts("  --sample  every option with its default and what it does\n"
             "  --dump    what is in force, expanded (the default); secrets as ***\n"
             "  --origin  with --dump: the file and line of each value");
    puts("  --help    this text");
    if (verb->example)
        printf("\nexample: %s\n", verb->example);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < RH_COUNT(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int unknown_verb(const char *name)
{
    const char *names[RH_COUNT(verbs)];

    for (size_t i = 0; i < RH_COUNT(verbs); i++)
        names[i] = verbs[i].name;
    const char *near = rh_text_nearest(name, names, RH_COUNT(names));
    fprintf(stderr, "railhead: there is no verb \"%s\"%s%s%s; see railhead --help\n", name,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return RH_EXIT_USAGE;
}

enum { OPTION_JSON = 256, OPTION_SOCKET, OPTION_SAMPLE, OPTION_DUMP, OPTION_ORIGIN };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"sample", no_argument, NULL, OPTION_SAMPLE},
    {"dump", no_argument, NULL, OPTION_DUMP},
    {"origin", no_argument, NULL, OPTION_ORIGIN},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* False if this verb does not take the option. */
static bool apply_option(const struct verb *verb, int option, struct rh_cli *cli)
{
    static const struct {
        int option;
        unsigned takes;
        size_t flag; /* offset of its bool in struct rh_cli */
    } flags[] = {
        {OPTION_JSON, TAKES_JSON, offsetof(struct rh_cli, json)},
        {OPTION_SAMPLE, TAKES_CONFIG_FORMS, offsetof(struct rh_cli, sample)},
        {OPTION_DUMP, TAKES_CONFIG_FORMS, offsetof(struct rh_cli, dump)},
        {OPTION_ORIGIN, TAKES_CONFIG_FORMS, offsetof(struct rh_cli, origin)},
    };

    if (option == 'c') {
        cli->config_path = optarg;
        return verb->takes & TAKES_CONFIG;
    }
    if (option == OPTION_SOCKET) {
        cli->socket = optarg;
        return verb->takes & TAKES_SOCKET;
    }
    for (size_t i = 0; i < RH_COUNT(flags); i++) {
        if (flags[i].option == option && (verb->takes & flags[i].takes)) {
            *(bool *)((char *)cli + flags[i].flag) = true;
            return true;
        }
    }
    return false;
}

/* 0: run the verb; -1: help was asked for; else an exit code. */
static int parse_options(const struct verb *verb, int argc, char **argv, struct rh_cli *ret_cli)
{
    int c;

    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (c == 'h')
            return -1;
        if (c == '?')
            return RH_EXIT_USAGE;
        if (!apply_option(verb, c, ret_cli)) {
            fprintf(stderr, "railhead %s: it does not take \"%s\"; see railhead %s --help\n", verb->name,
                    argv[optind - 1], verb->name);
            return RH_EXIT_USAGE;
        }
    }
    return 0;
}

/* A value like -5 is no option: it is taken out of argv, to come behind the arguments that stay. */
static const char *take_negative(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++) {
        const char *found = argv[i];

        if (found[0] != '-' || !strchr("0123456789.", found[1]) || !found[1])
            continue;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof(*argv));
        --*argc;
        return found;
    }
    return NULL;
}

/* The n_arguments of the verb, no more and no fewer. */
static bool take_arguments(const struct verb *verb, int argc, char **argv, const char *negative,
                           struct rh_cli *cli)
{
    int n = 0;

    for (int i = optind; i <= argc; i++) {
        const char *argument = i < argc ? argv[i] : negative;

        if (argument && n == verb->n_arguments) {
            fprintf(stderr, "railhead %s: \"%s\" is one argument too many; see railhead %s --help\n",
                    verb->name, argument, verb->name);
            return false;
        }
        if (argument)
            cli->arguments[n++] = argument;
    }
    if (n < verb->n_arguments)
        fprintf(stderr, "railhead %s: it needs %s; see railhead %s --help\n", verb->name, verb->arguments,
                verb->name);
    return n == verb->n_arguments;
}

static bool asks_for_help(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct rh_cli cli = {.config_path = DEFAULT_CONFIG};

    if (asks_for_help(argc, argv)) {
        print_verb_help(verb);
        return RH_EXIT_OK;
    }
    if (!verb->run) {
        fprintf(stderr, "railhead %s: not built yet\n", verb->name);
        return RH_EXIT_USAGE;
    }
    const char *negative = verb->n_arguments > 0 ? take_negative(&argc, argv) : NULL;
    int r = parse_options(verb, argc, argv, &cli);
    if (r < 0) {
        print_verb_help(verb);
        return RH_EXIT_OK;
    }
    if (r > 0)
        return r;
    if (!take_arguments(verb, argc, argv, negative, &cli))
        return RH_EXIT_USAGE;
    return verb->run(&cli);
}

int rh_cli_main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return RH_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return RH_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("railhead %s\n", rh_version);
        return RH_EXIT_OK;
    }
    const struct verb *verb = find_verb(argv[1]);
    return verb ? run_verb(verb, argc - 1, argv + 1) : unknown_verb(argv[1]);
}

struct rh_config *rh_cli_load(const struct rh_cli *cli, struct rh_report *report)
{
    struct rh_config *config = NULL;

    rh_report_init(report);
    if (rh_config_load(cli->config_path, rh_gateway_schema(), report, &config) < 0)
        config = NULL;
    rh_report_sort(report);
    return config;
}
