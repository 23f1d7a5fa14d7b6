/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ini - any bytes as a configuration: read, split, load. What loads is dumped, and the dump must load to
 * the same fingerprints. A second file after a line "%%" is the profile "p" (and a drop-in).
 */
#include <stdint.h>
#include <stdio.h>

#include "config/words.h"
#include "tests/unit/config/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load(const char *text, size_t len, const char *profile, struct rh_config **ret_config)
{
    const struct fake_file files[] = {{.path = "/profiles/p.ini", .text = profile},
                                      {.path = "/x.d/a.ini", .text = "[store]\nmax_size = 1MiB\n"},
                                      {.path = "/x.ini", .text = text, .len = len}};
    struct rh_report report;

    rh_report_init(&report);
    int r = fake_load(files, RH_COUNT(files), "box7", &report, ret_config);
    rh_assert((r == 0) == (report.n_errors == 0));
    for (size_t i = 0; i < report.n; i++)
        rh_assert(report.messages[i].place.file);
    rh_report_fini(&report);
    return r;
}

static void dump_and_load(const struct rh_config *config, const char *profile)
{
    struct rh_config *again = NULL;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    rh_config_dump(config, true, out);
    fclose(out);
    rh_assert(load(text, len, profile, &again) == 0);
    rh_assert(config->gateway.fingerprint == again->gateway.fingerprint);
    rh_assert(config->mqtt.fingerprint == again->mqtt.fingerprint);
    rh_assert(config->n_lines == again->n_lines);
    for (size_t i = 0; i < config->n_lines; i++)
        rh_assert(config->lines[i].fingerprint == again->lines[i].fingerprint);
    rh_config_free(again);
    free(text);
}

/* Words lie inside their value, in order, and every place is inside the file. */
static void check_words(const char *text, size_t len)
{
    struct rh_arena *arena = rh_arena_new();
    struct rh_report report;
    struct rh_ini ini;

    rh_report_init(&report);
    rh_ini_parse("f", text, len, arena, &report, &ini);
    for (size_t s = 0; s < ini.n; s++) {
        for (size_t e = 0; e < ini.sections[s].n; e++) {
            const struct rh_raw *value = &ini.sections[s].entries[e].value;
            struct rh_raw *words;
            size_t n = rh_words_split(value, arena, &words), end = value->start;

            for (size_t w = 0; w < n; w++) {
                struct rh_plain plain;
                rh_assert(words[w].start >= end && words[w].len > 0);
                end = words[w].start + words[w].len;
                rh_plain_read(&words[w], NULL, arena, &report, &plain);
                rh_assert(plain.place.line >= 1 && plain.place.column >= 1);
            }
            rh_assert(end <= value->start + value->len);
        }
    }
    rh_report_fini(&report);
    rh_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rh_config *config = NULL;
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    char *mark = memmem(text, size, "\n%%\n", 4);
    const char *profile = mark ? mark + 4 : "[profile]\n";
    size_t len = mark ? (size_t)(mark + 1 - text) : size;

    check_words(text, len);
    if (len > 0 && *profile && load(text, len, profile, &config) == 0)
        dump_and_load(config, profile);
    rh_config_free(config);
    free(text);
    return 0;
}
