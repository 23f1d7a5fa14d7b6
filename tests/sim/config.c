/* SPDX-License-Identifier: MIT */
/*
 * config.c - the file that describes the buses: sections, `key = value` lines, register lines.
 *
 * Strict: an unknown section or key, a value out of place, anything twice is an error with file and line,
 * and all of them are shown. A key that is a fault's name sets that fault; one that begins with a table's
 * name, `hole` or `exception` defines registers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/key.h"
#include "tests/sim/sim.h"

#define ERRORS_SHOWN 30
#define INCLUDE_DEPTH 4

enum section { NO_SECTION, SIM_SECTION, BUS_SECTION, SLAVE_SECTION, SENSOR_SECTION, BAD_SECTION };

struct reader {
    struct sim *sim;
    const char *path;
    int line, errors, depth;
    enum section section;
    struct sim_bus *bus;
    struct sim_slave *slave;
    struct sim_sensor *sensor;
    uint64_t seen; /* keys of the section that were set */
};

static void complain(struct reader *reader, const char *what)
{
    if (reader->errors++ < ERRORS_SHOWN)
        fprintf(stderr, "%s:%d: %s\n", reader->path, reader->line, what);
}

static const struct sim_key sim_keys[] = {
    {"log", SIM_KEY_TEXT, offsetof(struct sim, log_path), 1, SIM_PATH_MAX},
    {"control", SIM_KEY_TEXT, offsetof(struct sim, control), 1, SIM_PATH_MAX},
    {"seed", SIM_KEY_INT, offsetof(struct sim, seed), 0, INT64_MAX},
    {"realtime", SIM_KEY_BOOL, offsetof(struct sim, realtime), 0, 0},
};
static const struct sim_key bus_keys[] = {
    {"type", SIM_KEY_TEXT, offsetof(struct sim_bus, type), 1, SIM_NAME_MAX},
    {"mode", SIM_KEY_TEXT, offsetof(struct sim_bus, mode), 1, 8},
    {"baud", SIM_KEY_INT, offsetof(struct sim_bus, baud), 50, 10000000},
    {"link", SIM_KEY_TEXT, offsetof(struct sim_bus, port.link), 1, SIM_PATH_MAX},
    {"host", SIM_KEY_TEXT, offsetof(struct sim_bus, port.host), 1, 64},
    {"port", SIM_KEY_U16, offsetof(struct sim_bus, port.port), 0, 65535},
    {"manual", SIM_KEY_BOOL, offsetof(struct sim_bus, port.manual), 0, 0},
    {"echo", SIM_KEY_BOOL, offsetof(struct sim_bus, echo), 0, 0},
    {"strict", SIM_KEY_BOOL, offsetof(struct sim_bus, strict), 0, 0},
    {"defer", SIM_KEY_BOOL, offsetof(struct sim_bus, defer), 0, 0},
    {"match_speed", SIM_KEY_BOOL, offsetof(struct sim_bus, match_speed), 0, 0},
    {"absent", SIM_KEY_INT, offsetof(struct sim_bus, absent), 0, 255},
};
static const struct sim_key slave_keys[] = {
    {"turnaround", SIM_KEY_SPAN, offsetof(struct sim_slave, turnaround_min_ns), 0, 0},
    {"strict", SIM_KEY_BOOL, offsetof(struct sim_slave, strict), 0, 0},
    {"max_read", SIM_KEY_U16, offsetof(struct sim_slave, max_read), 1, 125},
    {"align", SIM_KEY_U16, offsetof(struct sim_slave, align), 0, 125},
};
static const struct sim_key sensor_keys[] = {
    {"every", SIM_KEY_DURATION, offsetof(struct sim_sensor, every_ns), 1, 0},
    {"turnaround", SIM_KEY_DURATION, offsetof(struct sim_sensor, turnaround_ns), 0, 0},
    {"decimals", SIM_KEY_INT, offsetof(struct sim_sensor, decimals), 0, 15},
};

struct sim_bus *sim_find_bus(struct sim *sim, const char *name)
{
    for (size_t i = 0; i < sim->n_buses; i++) {
        if (strcmp(sim->buses[i]->name, name) == 0)
            return sim->buses[i];
    }
    return NULL;
}

static bool name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n > 0 && n < SIM_NAME_MAX && name[n] == '\0';
}

static void open_bus(struct reader *reader, char *const *words)
{
    struct sim *sim = reader->sim;

    if (!name_valid(words[1]) || sim_find_bus(sim, words[1]) != NULL || sim->n_buses == SIM_BUSES_MAX) {
        complain(reader,
                 "a bus needs a name of its own ([A-Za-z0-9_-], at most 31), and there are at most 32");
        return;
    }
    reader->bus = sim_bus_new(words[1], &sim->shared);
    if (reader->bus == NULL) {
        complain(reader, "out of memory");
        return;
    }
    sim->buses[sim->n_buses++] = reader->bus;
    reader->bus->line = reader->line;
    reader->section = BUS_SECTION;
}

static struct sim_slave *slave_new(uint8_t unit, bool strict)
{
    struct sim_slave *slave = calloc(1, sizeof(*slave));

    if (slave == NULL)
        return NULL;
    slave->unit = unit;
    slave->strict = strict;
    slave->max_read = 125;
    slave->turnaround_min_ns = slave->turnaround_max_ns = 5 * SIM_MS;
    slave->map = sim_map_new();
    if (slave->map == NULL) {
        free(slave);
        return NULL;
    }
    return slave;
}

static void open_slave(struct reader *reader, char *const *words)
{
    struct sim_bus *bus = sim_find_bus(reader->sim, words[1]);
    int64_t unit;

    if (bus == NULL || !sim_parse_int(words[2], 0, 255, &unit) || bus->slaves[unit] != NULL) {
        complain(reader,
                 "expected: [slave BUS UNIT] with a bus from above and a unit 0..255 not used before");
        return;
    }
    reader->slave = bus->slaves[unit] = slave_new((uint8_t)unit, bus->strict);
    reader->section = reader->slave != NULL ? SLAVE_SECTION : BAD_SECTION;
}

static void open_sensor(struct reader *reader, char *const *words)
{
    struct sim_bus *bus = sim_find_bus(reader->sim, words[1]);
    struct sim_sensor *sensor;

    if (bus == NULL || !name_valid(words[2]) || bus->n_sensors == SIM_SENSORS_MAX) {
        complain(reader, "expected: [sensor BUS NAME] with a bus from above; at most 16 on a bus");
        return;
    }
    sensor = calloc(1, sizeof(*sensor));
    if (sensor == NULL)
        return;
    snprintf(sensor->name, sizeof(sensor->name), "%s", words[2]);
    sensor->value.shape = SIM_RAMP;
    sensor->decimals = 2;
    sensor->config_line = reader->line;
    reader->sensor = bus->sensors[bus->n_sensors++] = sensor;
    reader->section = SENSOR_SECTION;
}

static void open_sim(struct reader *reader, char *const *words)
{
    (void)words;
    reader->section = SIM_SECTION;
}

static void open_section(struct reader *reader, char *line)
{
    static const struct {
        const char *name;
        size_t words;
        void (*open)(struct reader *reader, char *const *words);
    } sections[] = {
        {"sim", 1, open_sim}, {"bus", 2, open_bus}, {"slave", 3, open_slave}, {"sensor", 3, open_sensor}};
    static struct sim_words words;
    char *end = strrchr(line, ']'), why[128];

    reader->section = BAD_SECTION;
    reader->seen = 0;
    if (end == NULL || end[1 + strspn(end + 1, " \t\r\n")] != '\0') {
        complain(reader, "a section ends with ']'");
        return;
    }
    *end = '\0';
    if (!sim_words_split(&words, line + 1, why, sizeof(why))) {
        complain(reader, why);
        return;
    }
    for (size_t i = 0; i < SIM_COUNT(sections); i++) {
        if (words.n == sections[i].words && strcmp(words.word[0], sections[i].name) == 0) {
            sections[i].open(reader, words.word);
            return;
        }
    }
    complain(reader, "expected: [sim], [bus NAME], [slave BUS UNIT] or [sensor BUS NAME]");
}

/* Takes the '=' out, so that the words of key and value stand in a row; how many belong to the key. */
static size_t split_key(struct sim_words *words)
{
    for (size_t i = 1; i < words->n; i++) {
        if (strcmp(words->word[i], "=") != 0 || words->len[i] != 1)
            continue;
        words->n--;
        memmove(words->word + i, words->word + i + 1, (words->n - i) * sizeof(words->word[0]));
        memmove(words->len + i, words->len + i + 1, (words->n - i) * sizeof(words->len[0]));
        return i;
    }
    return 0;
}

static void read_file(struct reader *reader, const char *path);

static void include(struct reader *reader, const char *name)
{
    struct reader inner = *reader;
    char path[SIM_PATH_MAX * 2];
    const char *slash = strrchr(reader->path, '/');
    int folder = name[0] != '/' && slash != NULL ? (int)(slash - reader->path + 1) : 0;

    if (reader->depth == INCLUDE_DEPTH) {
        complain(reader, "includes are nested too deeply");
        return;
    }
    snprintf(path, sizeof(path), "%.*s%s", folder, reader->path, name);
    inner.depth++;
    read_file(&inner, path);
    reader->errors = inner.errors;
    if (inner.section != reader->section)
        complain(reader, "an included file holds lines of this section, no sections of its own");
}

/* The keys of a sensor that are more than one word of a plain type. */
static bool sensor_line(struct sim_sensor *sensor, const struct sim_words *words, char *why, size_t cap)
{
    size_t len = words->len[1];

    if (strcmp(words->word[0], "request") == 0 && len > 0 && len <= sizeof(sensor->request)) {
        memcpy(sensor->request, words->word[1], len);
        sensor->request_len = len;
        return true;
    }
    if (strcmp(words->word[0], "line") != 0 || sensor->n_lines == SIM_SENSOR_LINES_MAX) {
        snprintf(why, cap, "at most %d lines, and 64 bytes of request", SIM_SENSOR_LINES_MAX);
        return false;
    }
    sensor->line[sensor->n_lines] = calloc(1, len + 1);
    if (sensor->line[sensor->n_lines] == NULL)
        return false;
    memcpy(sensor->line[sensor->n_lines], words->word[1], len);
    sensor->line_len[sensor->n_lines++] = len;
    return true;
}

static bool slave_key(struct reader *reader, struct sim_words *words, size_t key, char *why, size_t cap)
{
    enum sim_fault fault;

    if (key == 1 && sim_fault_parse(words->word[0], &fault))
        return sim_fault_set(reader->slave->faults, fault, words->word + 1, words->n - 1, why, cap);
    if (key == 1 && words->n == 2 && strcmp(words->word[0], "include") == 0) {
        include(reader, words->word[1]);
        return true;
    }
    if (key > 1 || strcmp(words->word[0], "hole") == 0 || strcmp(words->word[0], "exception") == 0)
        return sim_map_define(reader->slave->map, words, why, cap);
    return sim_keys_set(slave_keys, SIM_COUNT(slave_keys), reader->slave, words, &reader->seen, why, cap);
}

static bool sensor_key(struct reader *reader, struct sim_words *words, char *why, size_t cap)
{
    struct sim_sensor *sensor = reader->sensor;
    enum sim_fault fault;

    if (sim_fault_parse(words->word[0], &fault))
        return sim_fault_set(sensor->faults, fault, words->word + 1, words->n - 1, why, cap);
    if (strcmp(words->word[0], "value") == 0) {
        sim_generator_fini(&sensor->value);
        return sim_generator_parse(words->word + 1, words->n - 1, &sensor->value, why, cap);
    }
    if (words->n == 2 && (strcmp(words->word[0], "line") == 0 || strcmp(words->word[0], "request") == 0))
        return sensor_line(sensor, words, why, cap);
    return sim_keys_set(sensor_keys, SIM_COUNT(sensor_keys), sensor, words, &reader->seen, why, cap);
}

static bool set_key(struct reader *reader, struct sim_words *words, size_t key, char *why, size_t cap)
{
    switch (reader->section) {
    case SIM_SECTION:
        return sim_keys_set(sim_keys, SIM_COUNT(sim_keys), reader->sim, words, &reader->seen, why, cap);
    case BUS_SECTION:
        return sim_keys_set(bus_keys, SIM_COUNT(bus_keys), reader->bus, words, &reader->seen, why, cap);
    case SLAVE_SECTION:
        return slave_key(reader, words, key, why, cap);
    case SENSOR_SECTION:
        return sensor_key(reader, words, why, cap);
    case BAD_SECTION:
        return true; /* the section's own error is enough */
    case NO_SECTION:
        break;
    }
    snprintf(why, cap, "a line before the first section");
    return false;
}

static void read_line(struct reader *reader, char *line)
{
    static struct sim_words words[INCLUDE_DEPTH + 1]; /* too large for the stack, one per open file */
    struct sim_words *now = &words[reader->depth];
    char why[256] = "";
    size_t key;

    line += strspn(line, " \t");
    if (*line == '[') {
        open_section(reader, line);
        return;
    }
    if (!sim_words_split(now, line, why, sizeof(why))) {
        complain(reader, why);
        return;
    }
    if (now->n == 0)
        return;
    key = split_key(now);
    if (key == 0 || now->n == key)
        complain(reader, "expected: key = value");
    else if (!set_key(reader, now, key, why, sizeof(why)))
        complain(reader, why);
}

static void read_file(struct reader *reader, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[SIM_LINE_MAX + 2];

    reader->path = path;
    reader->line = 0;
    if (file == NULL) {
        complain(reader, "cannot be opened");
        return;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        reader->line++;
        if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n') {
            complain(reader, "the line is too long; the rest of the file is not read");
            break;
        }
        read_line(reader, line);
    }
    fclose(file);
}

static void check_stations(struct reader *reader, struct sim_bus *bus)
{
    for (size_t unit = 0; unit < SIM_UNITS; unit++) {
        if (bus->slaves[unit] == NULL)
            continue;
        sim_map_keep(bus->slaves[unit]->map);
        if (bus->kind == &sim_uart)
            complain(reader, "a slave on a bus of type uart");
    }
    for (size_t i = 0; i < bus->n_sensors; i++) {
        const struct sim_sensor *sensor = bus->sensors[i];

        reader->line = sensor->config_line;
        if (bus->kind != &sim_uart)
            complain(reader, "a sensor on a bus that is not of type uart");
        if (sensor->n_lines == 0 || (sensor->every_ns == 0) == (sensor->request_len == 0))
            complain(reader, "a sensor needs a line, and either every or request");
    }
}

static void check_all(struct reader *reader)
{
    char why[512];

    for (size_t i = 0; i < reader->sim->n_buses; i++) {
        struct sim_bus *bus = reader->sim->buses[i];

        reader->line = bus->line;
        if (!sim_bus_check(bus, why, sizeof(why)))
            complain(reader, why);
        check_stations(reader, bus);
    }
    if (reader->sim->n_buses == 0)
        complain(reader, "no [bus NAME] section");
}

int sim_config_read(struct sim *sim, const char *path)
{
    struct reader reader = {.sim = sim};

    snprintf(sim->control, sizeof(sim->control), "stdin");
    sim->seed = -1;
    read_file(&reader, path);
    reader.path = path;
    check_all(&reader);
    return reader.errors;
}

void sim_config_fini(struct sim *sim)
{
    while (sim->n_buses > 0)
        sim_bus_free(sim->buses[--sim->n_buses]);
}
