/* SPDX-License-Identifier: MIT */
/* The fields of a journal entry. This program's sd_journal_sendv stands in for libsystemd's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>
#include <systemd/sd-journal.h>

#include "core/base.h"
#include "systemd/journal.h"

static char sent[8192];
static int answer;

#undef sd_journal_sendv
int sd_journal_sendv(const struct iovec *fields, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(sent + at, sizeof(sent) - at, "%.*s\n", (int)fields[i].iov_len,
                               (const char *)fields[i].iov_base);
    return answer;
}

static const char *entry(enum rh_log_level level, const char *part, const char *device, const char *text)
{
    const struct rh_log_event event = {.level = level, .part = part, .device = device, .text = text};

    sent[0] = '\0';
    answer = 0;
    assert_true(rh_journal_send(&event));
    return sent;
}

static void plain(void **state)
{
    (void)state;
    assert_string_equal(entry(RH_LOG_ERROR, "store", NULL, "store: cannot write"),
                        "PRIORITY=3\nSYSLOG_IDENTIFIER=railhead\nRAILHEAD_PART=store\n"
                        "MESSAGE=store: cannot write\n");
}

static void line_and_device(void **state)
{
    (void)state;
    assert_string_equal(entry(RH_LOG_NOTICE, "line rs485", "m07", "line rs485: m07 answers"),
                        "PRIORITY=5\nSYSLOG_IDENTIFIER=railhead\nRAILHEAD_PART=line\nRAILHEAD_LINE=rs485\n"
                        "RAILHEAD_DEVICE=m07\nMESSAGE=line rs485: m07 answers\n");
    assert_non_null(strstr(entry(RH_LOG_DEBUG, "lines", NULL, "x"), "RAILHEAD_PART=lines\nMESSAGE"));
}

/* The longest names and the longest line fit; the message comes last, so that it is what would be cut. */
static void longest(void **state)
{
    char name[RH_NAME_MAX + 1], part[RH_NAME_MAX + 8], text[2048], expected[2200];

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    snprintf(part, sizeof(part), "line %s", name);
    snprintf(expected, sizeof(expected), "MESSAGE=%s\n", text);
    assert_non_null(strstr(entry(RH_LOG_INFO, part, name, text), expected));
}

static void refused(void **state)
{
    const struct rh_log_event event = {.level = RH_LOG_INFO, .part = "a", .text = "a: b"};

    (void)state;
    answer = -11;
    assert_false(rh_journal_send(&event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(line_and_device),
        cmocka_unit_test(longest),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
