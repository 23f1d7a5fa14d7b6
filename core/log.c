/* SPDX-License-Identifier: MIT */
#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/text.h"

#define LINE_BYTES 2048

static atomic_int threshold = RH_LOG_INFO;
static atomic_bool to_journal;
static bool (*journal_sink)(const struct rh_log_event *event); /* set before threads start */

/* The variable names the device and inode of the journal's stream. It is inherited by programs whose stderr
 * has been redirected since, so it must name ours. */
static bool journal_reads(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[48];
    struct stat st;

    if (!stream || fstat(fd, &st) < 0)
        return false;
    snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, ours) == 0;
}

void rh_log_init(enum rh_log_level level)
{
    atomic_store(&to_journal, journal_reads(STDERR_FILENO));
    rh_log_level(level);
}

void rh_log_level(enum rh_log_level level)
{
    atomic_store(&threshold, (int)level);
}

static void put_prefix(struct rh_text *line, enum rh_log_level level)
{
    static const char *const names[] = {[RH_LOG_ERROR] = "error: ",
                                        [RH_LOG_WARNING] = "warning: ",
                                        [RH_LOG_NOTICE] = "",
                                        [RH_LOG_INFO] = "",
                                        [RH_LOG_DEBUG] = "debug: "};
    struct timespec now;
    struct tm local;
    char stamp[32];

    if (atomic_load(&to_journal)) {
        rh_text_printf(line, "<%d>", (int)level);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(stamp, sizeof(stamp), "%H:%M:%S", &local);
    rh_text_printf(line, "%s.%03d %s", stamp, (int)(now.tv_nsec / 1000000), names[level]);
}

void rh_log_sink(bool (*sink)(const struct rh_log_event *event))
{
    journal_sink = sink;
}

RH_PRINTF(4, 0)
static void put_event(enum rh_log_level level, const char *part, const char *device, const char *format,
                      va_list args)
{
    char buffer[LINE_BYTES];
    struct rh_text line;
    struct rh_log_event event = {.level = level, .part = part, .device = device};

    if ((int)level > atomic_load(&threshold))
        return;
    rh_text_init(&line, buffer, sizeof(buffer) - 1);
    put_prefix(&line, level);
    event.text = buffer + line.len;
    rh_text_printf(&line, "%s: ", part);
    rh_text_vprintf(&line, format, args);
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)buffer[i] < ' ' || buffer[i] == 127)
            buffer[i] = '?';
    if (atomic_load(&to_journal) && journal_sink && journal_sink(&event))
        return;
    buffer[line.len] = '\n';
    if (write(STDERR_FILENO, buffer, line.len + 1) < 0)
        return; /* nobody is left to tell */
}

void rh_log(enum rh_log_level level, const char *part, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_event(level, part, NULL, format, args);
    va_end(args);
}

void rh_log_device(enum rh_log_level level, const char *part, const char *device, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_event(level, part, device, format, args);
    va_end(args);
}
