/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line per event, on stderr, with the priority in front where journald reads stderr.
 *
 * Library code does not log; the one who decides logs, once, on a change of state. Any thread.
 * The level is set before threads start and may change later (an atomic).
 */
#ifndef RH_CORE_LOG_H
#define RH_CORE_LOG_H

#include <stdbool.h>

#include "core/base.h"

enum rh_log_level {
    RH_LOG_ERROR = 3,
    RH_LOG_WARNING = 4,
    RH_LOG_NOTICE = 5,
    RH_LOG_INFO = 6,
    RH_LOG_DEBUG = 7
};

/* Reads JOURNAL_STREAM once: with journald behind stderr lines carry "<N>", else a clock time. */
void rh_log_init(enum rh_log_level level);
void rh_log_level(enum rh_log_level level);

/* "part: message" in one write(2), cut at 2 KiB; control characters come out as '?'. */
void rh_log(enum rh_log_level level, const char *part, const char *format, ...) RH_PRINTF(3, 4);

/* The same for a message about one device; its name is a field of the journal, not put into the text. */
void rh_log_device(enum rh_log_level level, const char *part, const char *device, const char *format, ...)
    RH_PRINTF(4, 5);

/* A finished line, borrowed for the call. */
struct rh_log_event {
    enum rh_log_level level;
    const char *part;
    const char *device; /* NULL: not about a device */
    const char *text;   /* "part: message", without line end */
};

/* Where journald reads stderr, `sink` is offered every line first; when it returns false the line goes to
 * stderr as ever. Set before threads start, for good (NULL: none); called by any thread; must not log. */
void rh_log_sink(bool (*sink)(const struct rh_log_event *event));

#endif
