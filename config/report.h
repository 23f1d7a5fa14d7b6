/* SPDX-License-Identifier: MIT */
/*
 * report.h - everything wrong with a configuration, in the form editors click on.
 *
 * A load collects all mistakes instead of stopping at the first; main prints them to stderr as
 * `file:line:column: error: message; did you mean "baud"?` or as JSON.
 */
#ifndef RH_CONFIG_REPORT_H
#define RH_CONFIG_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/base.h"

/* Where a text stands. `file` lives as long as the report (or the configuration); line and column
 * count from 1, columns in bytes. {NULL, 0, 0}: no place (a default). */
struct rh_place {
    const char *file;
    unsigned line;
    unsigned column;
};

enum rh_severity { RH_ERROR, RH_WARNING };

struct rh_message {
    struct rh_place place;
    enum rh_severity severity;
    char *message;
    char *suggestion; /* one word or value to put there instead; NULL if none is near */
};

struct rh_report {
    struct rh_message *messages;
    size_t n;
    size_t n_errors;
    size_t n_left_out; /* beyond the limit */
    char **files;      /* every file named so far, in the order they were read */
    size_t n_files;
};

/* Zero-initialised is empty. Messages and file names are copied; the same message at the same place is
 * kept once (a profile's mistake shows in every device that uses it); the report keeps at most 1000 and
 * counts the rest. */
void rh_report_init(struct rh_report *report);
void rh_report_fini(struct rh_report *report);

/* Names a file at the time it is read: fixes its place in the order. Returns the report's copy. */
const char *rh_report_file(struct rh_report *report, const char *file);

void rh_report_error(struct rh_report *report, struct rh_place place, const char *suggestion,
                     const char *format, ...) RH_PRINTF(4, 5);
void rh_report_warning(struct rh_report *report, struct rh_place place, const char *suggestion,
                       const char *format, ...) RH_PRINTF(4, 5);

/* Sorted by file (in the order they were read), line and column. */
void rh_report_sort(struct rh_report *report);
void rh_report_print(const struct rh_report *report, FILE *out);
/* {"errors":[{"file","line","column","severity","message","suggestion"}]}, suggestion null if none. */
void rh_report_print_json(const struct rh_report *report, FILE *out);

#endif
