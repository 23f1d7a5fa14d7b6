/* SPDX-License-Identifier: MIT */
#include "tests/sim/fault.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool delay; /* a duration before the share */
} faults_known[SIM_FAULTS] = {
    [SIM_DEAD] = {"dead", false},       [SIM_DROP] = {"drop", false},
    [SIM_LATE] = {"late", true},        [SIM_BUSY] = {"busy", false},
    [SIM_NOISE] = {"noise", false},     [SIM_TRUNCATE] = {"truncate", false},
    [SIM_FOREIGN] = {"foreign", false}, [SIM_WRONG_ID] = {"wrongid", false},
    [SIM_GAP] = {"gap", true},          [SIM_SLOW] = {"slow", true},
};

bool sim_fault_parse(const char *name, enum sim_fault *ret_fault)
{
    for (size_t i = 0; i < SIM_FAULTS; i++) {
        if (strcmp(name, faults_known[i].name) == 0) {
            *ret_fault = (enum sim_fault)i;
            return true;
        }
    }
    return false;
}

static bool parse_noise(const char *word, enum sim_noise *ret_noise)
{
    static const char *const names[] = {"any", "before", "after", "flip"};

    for (size_t i = 0; i < SIM_COUNT(names); i++) {
        if (strcmp(word, names[i]) == 0) {
            *ret_noise = (enum sim_noise)i;
            return true;
        }
    }
    return false;
}

static const char *form_of(enum sim_fault fault)
{
    if (fault == SIM_NOISE)
        return "SHARE [before|after|flip]";
    return faults_known[fault].delay ? "DELAY [SHARE]" : "SHARE";
}

static bool parse_setting(enum sim_fault fault, char *const *words, size_t n,
                          struct sim_fault_setting *setting)
{
    size_t at = 0;

    if (faults_known[fault].delay && (at >= n || !sim_parse_duration(words[at++], &setting->delay_ns)))
        return false;
    if (at < n && !sim_parse_share(words[at++], &setting->share))
        return false;
    if (at < n && fault == SIM_NOISE && !parse_noise(words[at++], &setting->noise))
        return false;
    return at == n;
}

bool sim_fault_set(struct sim_fault_setting faults[SIM_FAULTS], enum sim_fault fault, char *const *words,
                   size_t n, char *why, size_t why_cap)
{
    struct sim_fault_setting setting = {.share = 1};
    bool on;

    if (n == 1 && sim_parse_bool(words[0], &on) && !on) {
        faults[fault].share = 0;
        return true;
    }
    if (!parse_setting(fault, words, n, &setting)) {
        snprintf(why, why_cap, "expected: %s %s, or off", faults_known[fault].name, form_of(fault));
        return false;
    }
    faults[fault] = setting;
    return true;
}

bool sim_fault_hits(const struct sim_fault_setting faults[SIM_FAULTS], enum sim_fault fault,
                    struct sim_random *random)
{
    double share = faults[fault].share;

    return share > 0 && (share >= 1 || sim_random_share(random) < share);
}

/* What a line at rest or a transceiver turning on gives: 00, FF, or anything. */
static uint8_t garbage(struct sim_random *random)
{
    static const uint8_t usual[] = {0x00, 0xff};
    uint64_t kind = sim_random_below(random, 4);

    return kind < 2 ? usual[kind] : (uint8_t)sim_random_next(random);
}

size_t sim_fault_noise(const struct sim_fault_setting *noise, struct sim_random *random, uint8_t *bytes,
                       size_t n, size_t cap, bool *ret_whole)
{
    enum sim_noise kind = noise->noise;
    size_t extra = 1 + (size_t)sim_random_below(random, 4);

    if (kind == SIM_NOISE_ANY)
        kind = (enum sim_noise)(1 + sim_random_below(random, 3));
    *ret_whole = kind != SIM_NOISE_FLIP;
    if (kind == SIM_NOISE_FLIP) {
        size_t bit = (size_t)sim_random_below(random, n * 8);

        for (size_t i = 0; i < extra && bit < n * 8; i++, bit++) /* a burst: the CRC always finds it */
            bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1U << bit % 8);
        return n;
    }
    if (extra > cap - n)
        extra = cap - n;
    if (kind == SIM_NOISE_BEFORE)
        memmove(bytes + extra, bytes, n);
    for (size_t i = 0; i < extra; i++)
        bytes[(kind == SIM_NOISE_BEFORE ? 0 : n) + i] = garbage(random);
    return n + extra;
}
