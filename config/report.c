/* SPDX-License-Identifier: MIT */
#include "config/report.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define MOST_MESSAGES 1000
#define MESSAGE_BYTES 1024

void rh_report_init(struct rh_report *report)
{
    *report = (struct rh_report){0};
}

void rh_report_fini(struct rh_report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        free(report->messages[i].message);
        free(report->messages[i].suggestion);
    }
    for (size_t i = 0; i < report->n_files; i++)
        free(report->files[i]);
    free(report->messages);
    free(report->files);
    *report = (struct rh_report){0};
}

static void *grow(void *array, size_t n, size_t size)
{
    void *grown = (n & (n - 1)) ? array : reallocarray(array, n ? 2 * n : 1, size);

    rh_assert(grown);
    return grown;
}

const char *rh_report_file(struct rh_report *report, const char *file)
{
    for (size_t i = 0; i < report->n_files; i++)
        if (strcmp(report->files[i], file) == 0)
            return report->files[i];
    report->files = grow(report->files, report->n_files, sizeof(*report->files));
    char *copy = strdup(file);
    rh_assert(copy);
    report->files[report->n_files++] = copy;
    return copy;
}

static bool same_place(struct rh_place a, struct rh_place b)
{
    return a.file == b.file && a.line == b.line && a.column == b.column;
}

static bool said_before(const struct rh_report *report, struct rh_place place, enum rh_severity severity,
                        const char *message)
{
    for (size_t i = report->n; i-- > 0;) {
        const struct rh_message *other = &report->messages[i];
        if (same_place(other->place, place) && other->severity == severity &&
            strcmp(other->message, message) == 0)
            return true;
    }
    return false;
}

/* A message is one line of valid UTF-8, whatever it quotes. */
static void make_printable(char *text)
{
    size_t len = strlen(text);
    size_t at = rh_utf8_valid(text, len);

    while (at < len) {
        text[at++] = '?';
        at += rh_utf8_valid(text + at, len - at);
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = '?';
}

RH_PRINTF(5, 0)
static void add(struct rh_report *report, struct rh_place place, enum rh_severity severity,
                const char *suggestion, const char *format, va_list args)
{
    char message[MESSAGE_BYTES];

    vsnprintf(message, sizeof(message), format, args);
    make_printable(message);
    if (place.file)
        place.file = rh_report_file(report, place.file);
    if (said_before(report, place, severity, message))
        return;
    if (severity == RH_ERROR)
        report->n_errors++;
    if (report->n >= MOST_MESSAGES) {
        report->n_left_out++;
        return;
    }
    report->messages = grow(report->messages, report->n, sizeof(*report->messages));
    struct rh_message *next = &report->messages[report->n++];
    *next = (struct rh_message){.place = place, .severity = severity, .message = strdup(message)};
    rh_assert(next->message);
    if (suggestion && *suggestion) {
        next->suggestion = strdup(suggestion);
        rh_assert(next->suggestion);
        make_printable(next->suggestion);
    }
}

void rh_report_error(struct rh_report *report, struct rh_place place, const char *suggestion,
                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(report, place, RH_ERROR, suggestion, format, args);
    va_end(args);
}

void rh_report_warning(struct rh_report *report, struct rh_place place, const char *suggestion,
                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(report, place, RH_WARNING, suggestion, format, args);
    va_end(args);
}

static size_t file_rank(const struct rh_report *report, const char *file)
{
    size_t rank = 0;

    while (rank < report->n_files && report->files[rank] != file)
        rank++;
    return rank;
}

static int compare(const void *left, const void *right, void *context)
{
    const struct rh_message *a = left, *b = right;
    size_t file_a = file_rank(context, a->place.file), file_b = file_rank(context, b->place.file);

    if (file_a != file_b)
        return file_a < file_b ? -1 : 1;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return strcmp(a->message, b->message);
}

void rh_report_sort(struct rh_report *report)
{
    if (report->n > 1)
        qsort_r(report->messages, report->n, sizeof(*report->messages), compare, report);
}

static const char *severity_name(enum rh_severity severity)
{
    return severity == RH_ERROR ? "error" : "warning";
}

void rh_report_print(const struct rh_report *report, FILE *out)
{
    for (size_t i = 0; i < report->n; i++) {
        const struct rh_message *message = &report->messages[i];
        const struct rh_place *place = &message->place;

        if (place->file && place->line > 0)
            fprintf(out, "%s:%u:%u: ", place->file, place->line, place->column);
        else if (place->file)
            fprintf(out, "%s: ", place->file);
        fprintf(out, "%s: %s", severity_name(message->severity), message->message);
        if (message->suggestion)
            fprintf(out, "; did you mean \"%s\"?", message->suggestion);
        fputc('\n', out);
    }
    if (report->n_left_out > 0)
        fprintf(out, "and %zu more\n", report->n_left_out);
}

static void print_json_text(const char *key, const char *value, FILE *out)
{
    fprintf(out, "\"%s\":", key);
    if (!value) {
        fputs("null", out);
        return;
    }
    size_t len = strlen(value), cap = 6 * len + 3;
    char *buffer = malloc(cap);
    rh_assert(buffer);
    struct rh_text text;
    rh_text_init(&text, buffer, cap);
    rh_text_json(&text, value, len);
    fputs(buffer, out);
    free(buffer);
}

void rh_report_print_json(const struct rh_report *report, FILE *out)
{
    fputs("{\"errors\":[", out);
    for (size_t i = 0; i < report->n; i++) {
        const struct rh_message *message = &report->messages[i];

        fputs(i > 0 ? ",\n{" : "\n{", out);
        print_json_text("file", message->place.file, out);
        fprintf(out, ",\"line\":%u,\"column\":%u,", message->place.line, message->place.column);
        print_json_text("severity", severity_name(message->severity), out);
        fputc(',', out);
        print_json_text("message", message->message, out);
        fputc(',', out);
        print_json_text("suggestion", message->suggestion, out);
        fputc('}', out);
    }
    fputs("]}\n", out);
}
