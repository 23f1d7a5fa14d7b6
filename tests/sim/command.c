/* SPDX-License-Identifier: MIT */
/*
 * command.c - what can be asked of the running simulator. One line in, one JSON line out:
 * {"ok":true,...} or {"ok":false,"error":"..."}.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

/* One command under way: its words, and where it aims. */
struct command {
    struct sim *sim;
    struct sim_words *words;
    struct sim_bus *bus;
    struct sim_slave *slave;
    struct sim_text *reply; /* fields of a good answer, each with its comma in front */
    char why[256];
};

/* Hides the first `n` words, for parsers that begin at the first one. */
static void skip(struct sim_words *words, size_t n)
{
    words->n -= n;
    memmove(words->word, words->word + n, words->n * sizeof(words->word[0]));
    memmove(words->len, words->len + n, words->n * sizeof(words->len[0]));
}

static bool do_quit(struct command *command)
{
    command->sim->shared.loop.quit = true;
    return true;
}

static bool do_stats(struct command *command)
{
    const struct sim *sim = command->sim;
    const struct sim_bus *only =
        command->words->n > 1 ? sim_find_bus(command->sim, command->words->word[1]) : NULL;

    if (command->words->n > 1 && only == NULL) {
        snprintf(command->why, sizeof(command->why), "no bus '%s'", command->words->word[1]);
        return false;
    }
    sim_text_printf(command->reply, ",\"buses\":{");
    for (size_t i = 0, shown = 0; i < sim->n_buses; i++) {
        if (only != NULL && only != sim->buses[i])
            continue;
        if (shown++ > 0)
            sim_text_printf(command->reply, ",");
        sim_stats_bus(sim->buses[i], command->reply);
    }
    sim_text_printf(command->reply, "}");
    return true;
}

static bool do_unplug(struct command *command)
{
    sim_bus_unplug(command->bus);
    return true;
}

static bool do_plug(struct command *command)
{
    return sim_bus_start(command->bus, command->why, sizeof(command->why)) == 0;
}

static bool do_reopen(struct command *command)
{
    return sim_port_reopen(&command->bus->port, command->why, sizeof(command->why)) == 0;
}

static bool do_echo(struct command *command)
{
    if (sim_parse_bool(command->words->word[2], &command->bus->echo))
        return true;
    snprintf(command->why, sizeof(command->why), "expected: echo BUS on|off");
    return false;
}

static bool do_inject(struct command *command)
{
    uint8_t bytes[SIM_SEND_MAX];
    size_t n;

    if (!sim_parse_hex(command->words->word[2], bytes, sizeof(bytes), &n)) {
        snprintf(command->why, sizeof(command->why), "expected: inject BUS HEX, up to %d bytes",
                 SIM_SEND_MAX);
        return false;
    }
    sim_bus_inject(command->bus, bytes, n);
    return true;
}

static bool do_set(struct command *command)
{
    char note[512] = "";
    struct sim_text text;

    sim_text_init(&text, note, sizeof(note));
    for (size_t i = 2; i < command->words->n; i++)
        sim_text_printf(&text, "%s%s", i > 2 ? " " : "", command->words->word[i]);
    skip(command->words, 3);
    if (!sim_map_define(command->slave->map, command->words, command->why, sizeof(command->why)))
        return false;
    sim_log_event(&command->sim->shared.log, command->bus->name, "set", note, NULL, 0);
    return true;
}

/* hole and exception: their own name is the first word of the definition. */
static bool do_refuse(struct command *command)
{
    char *name = command->words->word[0];

    skip(command->words, 2);
    command->words->word[0] = name;
    return sim_map_define(command->slave->map, command->words, command->why, sizeof(command->why));
}

static bool do_get(struct command *command)
{
    static uint16_t values[65536];
    const struct sim_shared *shared = &command->sim->shared;
    struct sim_moment moment = {sim_now_ns() - shared->start_ns, 0, true};
    enum sim_table table;
    int64_t first, last;
    uint8_t exception;

    if (!sim_table_parse(command->words->word[3], &table) ||
        !sim_parse_range(command->words->word[4], 65535, &first, &last) || last - first >= 500) {
        snprintf(command->why, sizeof(command->why), "expected: get BUS UNIT TABLE A[..B], at most 500");
        return false;
    }
    last = last < 0 ? first : last;
    exception = sim_map_read(command->slave->map, table, (uint16_t)first, (size_t)(last - first + 1), &moment,
                             values);
    if (exception != 0) {
        snprintf(command->why, sizeof(command->why), "exception %u", exception);
        return false;
    }
    sim_text_printf(command->reply, ",\"values\":[");
    for (int64_t i = 0; i <= last - first; i++)
        sim_text_printf(command->reply, "%s%u", i > 0 ? "," : "", values[i]);
    sim_text_printf(command->reply, "]");
    return true;
}

static bool do_reboot(struct command *command)
{
    int64_t away = 2 * SIM_S;

    if (command->words->n > 3 && !sim_parse_duration(command->words->word[3], &away)) {
        snprintf(command->why, sizeof(command->why), "expected: reboot BUS UNIT [DURATION]");
        return false;
    }
    command->slave->asleep_until_ns = sim_now_ns() + away;
    sim_map_reset(command->slave->map);
    return true;
}

static bool do_help(struct command *command);

enum aim { AIM_NOTHING, AIM_BUS, AIM_SLAVE };

static const struct verb {
    const char *name;
    enum aim aim;
    size_t min, max; /* words, the name included */
    bool (*run)(struct command *command);
    const char *form;
} verbs[] = {
    {"help", AIM_NOTHING, 1, 1, do_help, "help"},
    {"quit", AIM_NOTHING, 1, 1, do_quit, "quit"},
    {"stats", AIM_NOTHING, 1, 2, do_stats, "stats [BUS]"},
    {"unplug", AIM_BUS, 2, 2, do_unplug, "unplug BUS"},
    {"plug", AIM_BUS, 2, 2, do_plug, "plug BUS"},
    {"reopen", AIM_BUS, 2, 2, do_reopen, "reopen BUS"},
    {"echo", AIM_BUS, 3, 3, do_echo, "echo BUS on|off"},
    {"inject", AIM_BUS, 3, 3, do_inject, "inject BUS HEX"},
    {"set", AIM_SLAVE, 6, SIM_WORDS_MAX, do_set, "set BUS UNIT TABLE A[..B] [TYPE] [ORDER] VALUE..."},
    {"get", AIM_SLAVE, 5, 5, do_get, "get BUS UNIT TABLE A[..B]"},
    {"hole", AIM_SLAVE, 5, 5, do_refuse, "hole BUS UNIT TABLE A[..B]"},
    {"exception", AIM_SLAVE, 6, 6, do_refuse, "exception BUS UNIT TABLE A[..B] CODE (0: none)"},
    {"reboot", AIM_SLAVE, 3, 4, do_reboot, "reboot BUS UNIT [DURATION]"},
};

static bool do_help(struct command *command)
{
    sim_text_printf(command->reply, ",\"commands\":[");
    for (size_t i = 0; i < SIM_COUNT(verbs); i++)
        sim_text_printf(command->reply, "\"%s\",", verbs[i].form);
    sim_text_printf(command->reply,
                    "\"dead|drop|busy|noise|truncate|foreign|wrongid BUS UNIT|*|SENSOR SHARE|off\","
                    "\"late|gap|slow BUS UNIT|*|SENSOR DELAY [SHARE]|off\"]");
    return true;
}

static bool aim_at_bus(struct command *command)
{
    command->bus = sim_find_bus(command->sim, command->words->word[1]);
    if (command->bus == NULL)
        snprintf(command->why, sizeof(command->why), "no bus '%s'", command->words->word[1]);
    return command->bus != NULL;
}

static bool aim_at_slave(struct command *command)
{
    int64_t unit;

    if (!aim_at_bus(command))
        return false;
    if (sim_parse_int(command->words->word[2], 0, SIM_UNITS - 1, &unit))
        command->slave = command->bus->slaves[unit];
    if (command->slave == NULL)
        snprintf(command->why, sizeof(command->why), "no unit '%s' on bus '%s'", command->words->word[2],
                 command->bus->name);
    return command->slave != NULL;
}

static bool fault_of(struct command *command, enum sim_fault fault, struct sim_fault_setting *faults)
{
    struct sim_words *words = command->words;

    return sim_fault_set(faults, fault, words->word + 3, words->n - 3, command->why, sizeof(command->why));
}

/* The settings of all stations of the bus that the third word means; returns how many. */
static size_t fault_targets(struct command *command, struct sim_fault_setting **targets)
{
    const char *whom = command->words->word[2];
    bool all = strcmp(whom, "*") == 0;
    int64_t unit = -1;
    size_t n = 0;

    if (!sim_parse_int(whom, 0, SIM_UNITS - 1, &unit))
        unit = -1;
    for (size_t i = 0; i < SIM_UNITS; i++) {
        if (command->bus->slaves[i] != NULL && (all || (int64_t)i == unit))
            targets[n++] = command->bus->slaves[i]->faults;
    }
    for (size_t i = 0; i < command->bus->n_sensors; i++) {
        if (all || strcmp(whom, command->bus->sensors[i]->name) == 0)
            targets[n++] = command->bus->sensors[i]->faults;
    }
    return n;
}

/* FAULT BUS UNIT|*|SENSOR SETTING... */
static bool run_fault(struct command *command, enum sim_fault fault)
{
    struct sim_fault_setting *targets[SIM_UNITS + SIM_SENSORS_MAX];
    size_t n;

    if (command->words->n < 4) {
        snprintf(command->why, sizeof(command->why), "expected: FAULT BUS UNIT|*|SENSOR SETTING");
        return false;
    }
    if (!aim_at_bus(command))
        return false;
    n = fault_targets(command, targets);
    if (n == 0)
        snprintf(command->why, sizeof(command->why), "no unit or sensor '%s' on bus '%s'",
                 command->words->word[2], command->bus->name);
    for (size_t i = 0; i < n; i++) {
        if (!fault_of(command, fault, targets[i]))
            return false;
    }
    return n > 0;
}

static bool run(struct command *command)
{
    const char *name = command->words->n > 0 ? command->words->word[0] : "";
    enum sim_fault fault;

    for (size_t i = 0; i < SIM_COUNT(verbs); i++) {
        const struct verb *verb = &verbs[i];

        if (strcmp(verb->name, name) != 0)
            continue;
        if (command->words->n < verb->min || command->words->n > verb->max) {
            snprintf(command->why, sizeof(command->why), "expected: %s", verb->form);
            return false;
        }
        if (verb->aim == AIM_BUS && !aim_at_bus(command))
            return false;
        if (verb->aim == AIM_SLAVE && !aim_at_slave(command))
            return false;
        return verb->run(command);
    }
    if (sim_fault_parse(name, &fault))
        return run_fault(command, fault);
    snprintf(command->why, sizeof(command->why), "no command '%s' (help lists them)", name);
    return false;
}

void sim_command_run(struct sim *sim, const char *line, struct sim_text *reply)
{
    static struct sim_words words;
    struct command command = {.sim = sim, .words = &words, .reply = reply, .why = "failed"};
    size_t start = reply->len;

    sim_text_printf(reply, "{\"ok\":true");
    if (sim_words_split(&words, line, command.why, sizeof(command.why)) && run(&command)) {
        sim_text_printf(reply, "}");
        return;
    }
    reply->len = start;
    sim_text_printf(reply, "{\"ok\":false,\"error\":");
    sim_text_json(reply, command.why, strlen(command.why));
    sim_text_printf(reply, "}");
}
