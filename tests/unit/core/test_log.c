/* SPDX-License-Identifier: MIT */
/* One line per event, whole, on stderr. */
#include <fcntl.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/log.h"

static int reader = -1, kept = -1;

/* stderr becomes a pipe that the test reads. */
static int catch_stderr(void **state)
{
    int ends[2];

    (void)state;
    kept = dup(STDERR_FILENO);
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        return -1;
    close(ends[1]);
    reader = ends[0];
    unsetenv("JOURNAL_STREAM");
    rh_log_init(RH_LOG_INFO);
    return 0;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(reader);
    return 0;
}

static const char *written(void)
{
    static char buffer[8192];
    ssize_t n = read(reader, buffer, sizeof(buffer) - 1);

    buffer[n > 0 ? n : 0] = '\0';
    return buffer;
}

static void expect(const char *pattern)
{
    const char *line = written();
    regex_t regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int r = regexec(&regex, line, 0, NULL, 0);
    regfree(&regex);
    if (r != 0)
        fail_msg("%s does not match %s", line, pattern);
}

#define STAMP "^[0-2][0-9]:[0-5][0-9]:[0-6][0-9][.][0-9]{3} "

static void by_hand(void **state)
{
    (void)state;
    rh_log(RH_LOG_NOTICE, "line a", "unit %d answers", 7);
    expect(STAMP "line a: unit 7 answers\n$");
    rh_log(RH_LOG_ERROR, "store", "cannot write");
    expect(STAMP "error: store: cannot write\n$");
    rh_log(RH_LOG_WARNING, "store", "slow");
    expect(STAMP "warning: store: slow\n$");
}

static void level(void **state)
{
    (void)state;
    rh_log(RH_LOG_DEBUG, "a", "b");
    assert_string_equal(written(), "");
    rh_log_level(RH_LOG_DEBUG);
    rh_log(RH_LOG_DEBUG, "a", "b");
    expect(STAMP "debug: a: b\n$");
    rh_log_level(RH_LOG_ERROR);
    rh_log(RH_LOG_WARNING, "a", "b");
    assert_string_equal(written(), "");
}

/* The journal is behind stderr only if the variable names this very stream. */
static void journal(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    rh_log_init(RH_LOG_INFO);
    rh_log(RH_LOG_WARNING, "part", "message");
    assert_string_equal(written(), "<4>part: message\n");
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1); /* inherited from elsewhere, stderr redirected since */
    rh_log_init(RH_LOG_INFO);
    rh_log(RH_LOG_WARNING, "part", "message");
    expect(STAMP "warning: part: message\n$");
    unsetenv("JOURNAL_STREAM");
}

static void nothing_but_one_line(void **state)
{
    char text[4000];

    (void)state;
    rh_log_init(RH_LOG_INFO);
    rh_log(RH_LOG_INFO, "a", "%s", "two\nlines\tand \x1b[31mred\x7f");
    expect(STAMP "a: two[?]lines[?]and [?]\\[31mred[?]\n$");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    rh_log(RH_LOG_INFO, "a", "%s", text);
    const char *line = written();
    assert_in_range(strlen(line), 2000, 2048);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static struct rh_log_event taken;
static char taken_text[256];
static bool takes;

static bool sink(const struct rh_log_event *event)
{
    taken = *event;
    snprintf(taken_text, sizeof(taken_text), "%s", event->text);
    return takes;
}

/* A sink gets what would stand on stderr, where the journal reads stderr; what it does not take stands there.
 */
static void sink_before_stderr(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    rh_log_sink(sink);
    taken_text[0] = '\0';
    rh_log(RH_LOG_INFO, "part", "by hand");
    assert_string_equal(taken_text, "");
    expect(STAMP "part: by hand\n$");
    setenv("JOURNAL_STREAM", stream, 1);
    rh_log_init(RH_LOG_INFO);
    takes = true;
    rh_log_device(RH_LOG_WARNING, "line a", "m07", "%s is\noffline", "m07");
    assert_string_equal(written(), "");
    assert_string_equal(taken_text, "line a: m07 is?offline");
    assert_string_equal(taken.device, "m07");
    assert_int_equal(taken.level, RH_LOG_WARNING);
    takes = false;
    rh_log(RH_LOG_NOTICE, "part", "message");
    assert_null(taken.device);
    assert_string_equal(written(), "<5>part: message\n");
    rh_log(RH_LOG_DEBUG, "part", "below the level");
    assert_string_equal(taken_text, "part: message");
    rh_log_sink(NULL);
    unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_hand, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(level, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(journal, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(sink_before_stderr, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(nothing_but_one_line, catch_stderr, release_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
