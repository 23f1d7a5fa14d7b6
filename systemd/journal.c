/* SPDX-License-Identifier: MIT */
#include "systemd/journal.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The file and line of the call below would stand in every entry, and say nothing. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "core/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define LINE_PART "line "
#define FIELDS_MAX 6
#define TEXT_BYTES 2560 /* a log line is at most 2 KiB; the other fields hold a name each */

/* Fields as journald wants them, in one buffer. */
struct entry {
    struct iovec fields[FIELDS_MAX];
    size_t n;
    struct rh_text text;
    char buffer[TEXT_BYTES];
};

static void add(struct entry *entry, const char *name, const char *value)
{
    size_t start = entry->text.len;

    rh_assert(entry->n < FIELDS_MAX);
    rh_text_printf(&entry->text, "%s=%s", name, value);
    entry->fields[entry->n++] =
        (struct iovec){.iov_base = entry->buffer + start, .iov_len = entry->text.len - start};
}

bool rh_journal_present(void)
{
    return access(JOURNAL_SOCKET, W_OK) == 0;
}

bool rh_journal_send(const struct rh_log_event *event)
{
    const size_t prefix = sizeof(LINE_PART) - 1;
    bool of_line = strncmp(event->part, LINE_PART, prefix) == 0;
    char priority[] = {(char)('0' + event->level), '\0'};
    struct entry entry;

    entry.n = 0;
    rh_text_init(&entry.text, entry.buffer, sizeof(entry.buffer));
    add(&entry, "PRIORITY", priority);
    add(&entry, "SYSLOG_IDENTIFIER", "railhead");
    add(&entry, "RAILHEAD_PART", of_line ? "line" : event->part);
    if (of_line)
        add(&entry, "RAILHEAD_LINE", event->part + prefix);
    if (event->device)
        add(&entry, "RAILHEAD_DEVICE", event->device);
    add(&entry, "MESSAGE", event->text);
    return sd_journal_sendv(entry.fields, (int)entry.n) == 0;
}
