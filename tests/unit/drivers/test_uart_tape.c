/* SPDX-License-Identifier: MIT */
/*
 * Every tape under tests/tapes/PROFILE/ decodes to the readings beside it: fed whole, a byte at a time, in
 * random cuts, with garbage before it; and with any one bit turned no reading comes out that is not expected,
 * where the profile has a checksum.
 *
 *   NAME.tape     "# where it is from", then lines "MICROSECONDS HEX"
 *   NAME.expect   "FRAME POINT VALUE", a line each; an integer's label, !quality for no value
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "drivers/uart.h"
#include "tests/unit/random.h"
#include "uart_bench.h"

#define TAPE_MAX 65536
#define GARBAGE_MAX 300

struct tape {
    struct uart_bench bench;
    char path[256];
    uint8_t bytes[GARBAGE_MAX + TAPE_MAX];
    size_t len; /* behind GARBAGE_MAX bytes of room */
    char *expected;
};

static void read_tape(struct tape *tape)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *file = fopen(tape->path, "r");
    assert_non_null(file);
    tape->len = 0;
    while (getline(&line, &cap, file) > 0) {
        unsigned byte;
        int n, used = 0;
        long long time_us;
        if (line[0] == '#' || sscanf(line, "%lld %n", &time_us, &used) < 1)
            continue;
        for (const char *at = line + used; sscanf(at, "%2x%n", &byte, &n) == 1; at += n) {
            assert_true(tape->len < TAPE_MAX);
            tape->bytes[GARBAGE_MAX + tape->len++] = (uint8_t)byte;
        }
    }
    free(line);
    fclose(file);
}

static void read_expected(struct tape *tape)
{
    char path[256];
    size_t len;
    snprintf(path, sizeof path, "%.*s.expect", (int)(strlen(tape->path) - strlen(".tape")), tape->path);
    FILE *file = fopen(path, "r"), *out = open_memstream(&tape->expected, &len);
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        fputc(c, out);
    fclose(file);
    fclose(out);
}

static void same(const struct tape *tape, const char *how)
{
    if (strcmp(tape->bench.said, tape->expected) != 0)
        fail_msg("%s, %s:\n%s\ninstead of\n%s", tape->path, how, tape->bench.said, tape->expected);
}

static size_t one(void *context)
{
    (void)context;
    return 1;
}

static size_t some(void *seed)
{
    return 1 + random_below(seed, 40);
}

/* The lines of `said` without their frame numbers are lines of `expected` without theirs. */
static void nothing_new(const struct tape *tape, size_t bit)
{
    const char *at = tape->bench.said;
    for (const char *end; (end = strchr(at, '\n')); at = end + 1) {
        char line[600];
        const char *blank = strchr(at, ' ');
        snprintf(line, sizeof line, "%.*s", (int)(end - blank) + 1, blank);
        if (!strstr(tape->expected, line))
            fail_msg("%s: bit %zu turned gives%s", tape->path, bit, line);
    }
}

static bool has_checksum(const struct tape *tape)
{
    const struct rh_uart_device *options = uart_device(&tape->bench)->options;
    return options->framing.checksum.sum != RH_UART_SUM_NONE;
}

static bool has_start(const struct tape *tape)
{
    const struct rh_uart_device *options = uart_device(&tape->bench)->options;
    return options->framing.n_starts > 0 && has_checksum(tape);
}

static void turn_bits(struct tape *tape, uint64_t *seed)
{
    size_t bits = 8 * tape->len, step = bits > 4000 ? bits / 2000 : 1;
    for (size_t bit = random_below(seed, step); bit < bits; bit += step) {
        uint8_t *byte = &tape->bytes[GARBAGE_MAX + bit / 8];
        *byte ^= (uint8_t)(1U << bit % 8);
        uart_decode(&tape->bench, tape->bytes + GARBAGE_MAX, tape->len, NULL, NULL);
        nothing_new(tape, bit);
        *byte ^= (uint8_t)(1U << bit % 8);
    }
}

/* Where a checksum has eight bits, one frame in 256 that noise begins is right by chance: this noise begins
 * none. */
static void add_garbage(struct tape *tape, uint64_t *seed)
{
    const struct rh_uart_device *options = uart_device(&tape->bench)->options;
    uint8_t mark = options->framing.starts[0].bytes[0];
    for (int round = 0; round < 20; round++) {
        size_t n = random_below(seed, GARBAGE_MAX);
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = (uint8_t)random_next(seed);
            tape->bytes[GARBAGE_MAX - n + i] = byte == mark ? (uint8_t)~byte : byte;
        }
        uart_decode(&tape->bench, tape->bytes + GARBAGE_MAX - n, n + tape->len, some, seed);
        same(tape, "garbage before");
    }
}

static void play(const char *path)
{
    static struct tape tape;
    char profile[64];
    uint64_t seed = random_seed(path);
    const char *name = path + strlen(RAILHEAD_SOURCE "/tests/tapes/");
    snprintf(tape.path, sizeof tape.path, "%s", path);
    snprintf(profile, sizeof profile, "%.*s", (int)strcspn(name, "/"), name);
    assert_true(uart_bench_open(&tape.bench, profile));
    read_tape(&tape);
    read_expected(&tape);
    uart_decode(&tape.bench, tape.bytes + GARBAGE_MAX, tape.len, NULL, NULL);
    same(&tape, "whole");
    uart_decode(&tape.bench, tape.bytes + GARBAGE_MAX, tape.len, one, NULL);
    same(&tape, "a byte at a time");
    for (int i = 0; i < 20; i++) {
        uart_decode(&tape.bench, tape.bytes + GARBAGE_MAX, tape.len, some, &seed);
        same(&tape, "in random cuts");
    }
    if (has_start(&tape))
        add_garbage(&tape, &seed);
    if (has_checksum(&tape))
        turn_bits(&tape, &seed);
    free(tape.expected);
    uart_bench_close(&tape.bench);
}

static void tapes(void **state)
{
    glob_t found;
    (void)state;
    assert_int_equal(glob(RAILHEAD_SOURCE "/tests/tapes/*/*.tape", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 10);
    for (size_t i = 0; i < found.gl_pathc; i++)
        play(found.gl_pathv[i]);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
