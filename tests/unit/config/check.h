/* SPDX-License-Identifier: MIT */
/*
 * check.h - one way to say what a configuration must report: its messages as text, line by line.
 */
#ifndef RH_TESTS_CONFIG_CHECK_H
#define RH_TESTS_CONFIG_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/config/fake.h"

/* What rh_report_print says; the caller frees it. */
__attribute__((noinline, unused)) static char *printed(const struct rh_report *report)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    rh_report_print(report, out);
    fclose(out);
    return text;
}

/* Loads files and compares all messages. */
static inline void expect_messages(const struct fake_file *files, size_t n, const char *expected)
{
    struct rh_report report;
    struct rh_config *config = NULL;

    rh_report_init(&report);
    int r = fake_load(files, n, "box7", &report, &config);
    char *text = printed(&report);
    assert_string_equal(text, expected);
    assert_int_equal(r, report.n_errors > 0 ? -EINVAL : 0);
    assert_true((config != NULL) == (r == 0));
    free(text);
    rh_report_fini(&report);
    rh_config_free(config);
}

/* The same for one file. */
static inline void expect(const char *text, const char *expected)
{
    struct fake_file file = {.path = "/x.ini", .text = text};

    expect_messages(&file, 1, expected);
}

/* Loads files that must be right. */
static inline struct rh_config *load_good(const struct fake_file *files, size_t n)
{
    struct rh_report report;
    struct rh_config *config = NULL;

    rh_report_init(&report);
    int r = fake_load(files, n, "box7", &report, &config);
    char *text = printed(&report);
    if (r < 0)
        fail_msg("%s", text);
    free(text);
    rh_report_fini(&report);
    return config;
}

static inline struct rh_config *load_text(const char *text)
{
    struct fake_file file = {.path = "/x.ini", .text = text};

    return load_good(&file, 1);
}

static inline char *dumped(const struct rh_config *config, bool origin)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    rh_config_dump(config, origin, out);
    fclose(out);
    return text;
}

#endif
