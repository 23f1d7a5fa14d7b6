/* SPDX-License-Identifier: MIT */
#include "tests/sim/generator.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct shape {
    const char *name;
    enum sim_shape shape;
    size_t min_args, max_args; /* numbers, without the period */
    bool period;
    const char *form;
} shapes[] = {
    {"const", SIM_CONST, 1, 1, false, "const N"},
    {"ramp", SIM_RAMP, 0, 2, false, "ramp [FROM [STEP]]"},
    {"counter", SIM_COUNTER, 0, 2, false, "counter [FROM [STEP]]"},
    {"sine", SIM_SINE, 2, 2, true, "sine MEAN AMPLITUDE PERIOD"},
    {"saw", SIM_SAW, 2, 2, true, "saw LOW HIGH PERIOD"},
    {"random", SIM_RANDOM, 0, 2, false, "random [LOW HIGH]"},
};

bool sim_number_parse(const char *string, struct sim_number *ret_number)
{
    char *end;

    errno = 0;
    ret_number->real = false;
    ret_number->whole = string[0] == '-' ? strtoll(string, &end, 0) : (int64_t)strtoull(string, &end, 0);
    if (end != string && *end == '\0' && errno == 0)
        return true;
    ret_number->real = true;
    return sim_parse_real(string, &ret_number->fraction);
}

double sim_number_real(struct sim_number number)
{
    return number.real ? number.fraction : (double)number.whole;
}

int64_t sim_number_whole(struct sim_number number)
{
    if (!number.real)
        return number.whole;
    if (!(fabs(number.fraction) < 9.2e18))
        return number.fraction < 0 ? INT64_MIN : INT64_MAX;
    return (int64_t)floor(number.fraction);
}

static struct sim_number whole(int64_t value)
{
    return (struct sim_number){.whole = value};
}

static struct sim_number real(double value)
{
    return (struct sim_number){.real = true, .fraction = value};
}

static bool parse_list(char *const *words, size_t n, struct sim_generator *generator, char *why, size_t cap)
{
    generator->list = calloc(n, sizeof(*generator->list));
    if (generator->list == NULL) {
        snprintf(why, cap, "out of memory");
        return false;
    }
    generator->n_list = n;
    for (size_t i = 0; i < n; i++) {
        if (!sim_number_parse(words[i], &generator->list[i])) {
            snprintf(why, cap, "'%s' is neither a number nor const, ramp, counter, sine, saw or random",
                     words[i]);
            sim_generator_fini(generator);
            return false;
        }
    }
    return true;
}

static bool parse_args(const struct shape *shape, char *const *words, size_t n,
                       struct sim_generator *generator)
{
    if (shape->period) {
        if (n == 0 || !sim_parse_duration(words[n - 1], &generator->period_ns) || generator->period_ns == 0)
            return false;
        n--;
    }
    if (n < shape->min_args || n > shape->max_args || (shape->shape == SIM_RANDOM && n == 1))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!sim_number_parse(words[i], &generator->arg[i]))
            return false;
    }
    if (shape->shape == SIM_RANDOM)
        return sim_number_real(generator->arg[0]) <= sim_number_real(generator->arg[1]);
    return true;
}

bool sim_generator_parse(char *const *words, size_t n, struct sim_generator *ret_generator, char *why,
                         size_t why_cap)
{
    *ret_generator = (struct sim_generator){.shape = SIM_LIST, .arg = {{0}, {.whole = 1}}};
    if (n == 0) {
        snprintf(why, why_cap, "a value is missing");
        return false;
    }
    for (size_t i = 0; i < SIM_COUNT(shapes); i++) {
        if (strcmp(words[0], shapes[i].name) != 0)
            continue;
        ret_generator->shape = shapes[i].shape;
        if (shapes[i].shape == SIM_RANDOM)
            ret_generator->arg[1].whole = 65535;
        if (!parse_args(&shapes[i], words + 1, n - 1, ret_generator)) {
            snprintf(why, why_cap, "expected: %s", shapes[i].form);
            return false;
        }
        return shapes[i].shape != SIM_CONST || parse_list(words + 1, 1, ret_generator, why, why_cap);
    }
    return parse_list(words, n, ret_generator, why, why_cap);
}

void sim_generator_fini(struct sim_generator *generator)
{
    free(generator->list);
    generator->list = NULL;
    generator->n_list = 0;
}

static struct sim_number steps(const struct sim_generator *generator, uint64_t n)
{
    const struct sim_number *arg = generator->arg;

    if (arg[0].real || arg[1].real)
        return real(sim_number_real(arg[0]) + sim_number_real(arg[1]) * (double)n);
    return whole((int64_t)((uint64_t)arg[0].whole + (uint64_t)arg[1].whole * n));
}

static struct sim_number drawn(const struct sim_generator *generator, uint64_t random)
{
    const struct sim_number *arg = generator->arg;

    if (arg[0].real || arg[1].real) {
        double low = sim_number_real(arg[0]), high = sim_number_real(arg[1]);

        return real(low + (high - low) * ((double)(random >> 11) * 0x1.0p-53));
    }
    uint64_t span = (uint64_t)arg[1].whole - (uint64_t)arg[0].whole + 1;

    return whole((int64_t)((uint64_t)arg[0].whole + (span == 0 ? random : random % span)));
}

struct sim_number sim_generator_value(const struct sim_generator *generator, size_t index, uint64_t count,
                                      int64_t elapsed_ns, uint64_t random)
{
    double a = sim_number_real(generator->arg[0]), b = sim_number_real(generator->arg[1]);
    double turn = 0;

    if (generator->period_ns > 0)
        turn = (double)(elapsed_ns % generator->period_ns) / (double)generator->period_ns;
    switch (generator->shape) {
    case SIM_LIST:
        return generator->list[index < generator->n_list ? index : generator->n_list - 1];
    case SIM_CONST:
        return generator->list[0];
    case SIM_RAMP:
        return steps(generator, index);
    case SIM_COUNTER:
        return steps(generator, count);
    case SIM_SINE:
        return real(a + b * sin(turn * 2 * M_PI));
    case SIM_SAW:
        return real(a + (b - a) * turn);
    case SIM_RANDOM:
        return drawn(generator, random);
    }
    return whole(0);
}
