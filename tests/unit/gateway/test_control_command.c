/* SPDX-License-Identifier: MIT */
/* Commands over the control socket: begun, answered once, audited, and given up when lines end. */
#include "core/clock.h"
#include "gateway/audit.h"
#include "tests/unit/gateway/control_bench.h"

static void line_answers(struct server *server, uint64_t serial, uint32_t point, int64_t value)
{
    struct rh_answer record = {.serial = serial,
                               .point = point,
                               .last = true,
                               .has_old = true,
                               .old = {.kind = RH_VALUE_I64, .bits = 5},
                               .reading = {.point = point,
                                           .wall_ms = rh_wall_ms(),
                                           .mono_us = rh_mono_us(),
                                           .value = {.kind = RH_VALUE_I64, .i64 = value}}};

    rh_ring_push(server->answers, &record, sizeof(record));
    step(server);
}

/* The texts of the oldest audit row, one after the other with '|' between. */
static const char *audited(struct server *server, char *buffer, size_t cap)
{
    unsigned char record[4096];
    size_t len = rh_ring_pop(server->audits, record, sizeof(record)), at = 0;

    buffer[0] = 0;
    for (size_t i = sizeof(int64_t); i < len && at + 1 < cap; i++)
        buffer[at++] = record[i] ? (char)record[i] : '|';
    buffer[at] = 0;
    return buffer;
}

static void waiting_has_patience(void **state)
{
    struct server *server = *state;
    int fd = join(server);
    char row[512];

    say(server, fd, "{\"verb\":\"write\",\"point\":\"d0.p1\",\"value\":7,\"id\":\"a\"}\n");
    pass(server, 59 * SECOND);
    assert_true(hears_nothing(fd));
    pass(server, 2 * SECOND);
    assert_true(hears(fd, "unconfirmed"));
    assert_non_null(strstr(audited(server, row, sizeof(row)), "|a|uid "));
    assert_non_null(strstr(row, "|d0.p1||7|unconfirmed|"));
    line_answers(server, 1, 1, 7); /* too late: nobody is confused */
    assert_true(hears_nothing(fd));
    close(fd);
}

static void read_and_write(void **state)
{
    struct server *server = *state;
    int fd = join(server);
    char row[512];

    say(server, fd, "{\"verb\":\"read\",\"point\":\"d0.p0\"}\n{\"verb\":\"ping\"}\n");
    assert_true(hears_nothing(fd)); /* in their order: the ping waits as well */
    line_answers(server, 99, 0, 1);
    assert_true(hears_nothing(fd));
    line_answers(server, 1, 0, 230);
    assert_true(hears(fd, "\"readback\":230"));
    assert_true(hears(fd, "version"));
    assert_int_equal(rh_ring_count(server->audits), 0);
    say(server, fd, "{\"verb\":\"write\",\"point\":\"d0.p1\",\"text\":\"0x10\",\"by\":\"me\"}\n");
    line_answers(server, 2, 1, 16);
    assert_true(hears(fd, "{\"ok\":true,\"reply\":{\"status\":\"ok\",\"value\":16,\"readback\":16"));
    assert_non_null(strstr(audited(server, row, sizeof(row)), ": me|d0.p1|5|16|ok|"));
    say(server, fd, "{\"verb\":\"write\",\"point\":\"d0.p1\",\"value\":3,\"dry_run\":true}\n");
    assert_true(hears(fd, "{\"ok\":true"));
    say(server, fd, "{\"verb\":\"write\",\"point\":\"d0.p1\",\"value\":3,\"expires\":1}\n");
    assert_true(hears(fd, "\"code\":\"expired\""));
    assert_non_null(strstr(audited(server, row, sizeof(row)), "|d0.p1|||expired |"));
    close(fd);
}

static void refusals_are_bounded(void **state)
{
    struct server *server = *state;
    int fd = join(server);

    for (int i = 0; i < 500; i++) {
        say(server, fd, "{\"verb\":\"write\",\"point\":\"d0.p0\",\"value\":7}\n");
        assert_true(hears(fd, "\"code\":\"read-only\""));
    }
    assert_in_range(rh_ring_count(server->audits), 1, 60);
    say(server, fd, "{\"verb\":\"read\",\"point\":\"d9.p0\"}\n");
    assert_true(hears(fd, "\"code\":\"unknown\""));
    close(fd);
}

static void gone_while_waiting(void **state)
{
    struct server *server = *state;
    int fd = join(server);
    char row[512];

    say(server, fd, "{\"verb\":\"write\",\"point\":\"d0.p1\",\"value\":7}\n");
    close(fd);
    step(server);
    line_answers(server, 1, 1, 7);
    assert_non_null(strstr(audited(server, row, sizeof(row)), "|d0.p1|5|7|ok|"));
}

/* Before lines end every command of theirs is answered, and none is begun while there are no routes. */
static void no_routes(void **state)
{
    struct server *server = *state;
    int fd = join(server), other = join(server);

    say(server, fd,
        "{\"verb\":\"write\",\"point\":\"d0.p1\",\"value\":7}\n{\"verb\":\"read\",\"point\":\"d0.p0\"}\n");
    say(server, other, "{\"verb\":\"read\",\"point\":\"d0.p0\"}\n");
    rh_control_set_routes(server->control, NULL);
    rh_routes_free(server->routes);
    rh_poller_free(server->poller);
    step(server);
    assert_true(hears(fd, "unconfirmed") && hears(other, "unconfirmed"));
    assert_true(hears(fd, "\"code\":\"busy\""));
    line_answers(server, 1, 1, 7);
    assert_true(hears_nothing(fd));
    make_routes(server);
    rh_control_set_routes(server->control, server->routes);
    say(server, other, "{\"verb\":\"read\",\"point\":\"d0.p0\"}\n");
    line_answers(server, 3, 0, 1);
    assert_true(hears(other, "\"readback\":1"));
    close(fd);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(waiting_has_patience), SERVED(read_and_write), SERVED(refusals_are_bounded),
        SERVED(gone_while_waiting),   SERVED(no_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
