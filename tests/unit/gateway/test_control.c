/* SPDX-License-Identifier: MIT */
/* The control socket: its path, lines in and out, limits, time, and clients that mean harm. */
#include <sys/stat.h>

#include "gateway/control_request.h"
#include "gateway/control_socket.h"
#include "tests/unit/gateway/control_bench.h"

/* ---- framing ---- */

static void halves_and_many(void **state)
{
    struct server *server = *state;
    int fd = join(server);

    say(server, fd, "{\"verb\":");
    assert_true(hears_nothing(fd));
    say(server, fd, "\"ping\"}");
    assert_true(hears_nothing(fd));
    say(server, fd, "\n");
    assert_true(hears(fd, "{\"ok\":true,\"version\":"));
    say(server, fd, "{\"verb\":\"ping\"}\n{\"verb\":\"status\"}\n\n{\"verb\":\"ping\"}\n{\"ve");
    assert_true(hears(fd, "version"));
    assert_true(hears(fd, "padding"));
    assert_true(hears(fd, "\"code\":\"syntax\""));
    assert_true(hears(fd, "version"));
    assert_true(hears_nothing(fd));
    say(server, fd, "rb\":\"ping\"}\n");
    assert_true(hears(fd, "version"));
    shutdown(fd, SHUT_WR);
    step(server);
    assert_true(closed(fd));
    close(fd);
}

/* More lines than one step serves, and the end behind them: all are answered. */
static void lines_before_the_end(void **state)
{
    struct server *server = *state;
    int fd = join(server), n = 0;
    char lines[100 * 16 + 1] = "";

    for (int i = 0; i < 100; i++)
        memcpy(lines + (ptrdiff_t)i * 16, "{\"verb\":\"ping\"}\n", 17);
    assert_int_equal(send(fd, lines, strlen(lines), 0), (ssize_t)strlen(lines));
    shutdown(fd, SHUT_WR);
    step(server);
    while (hears(fd, "version"))
        n++;
    assert_int_equal(n, 100);
    assert_true(closed(fd));
    close(fd);
}

static void limits(void **state)
{
    struct server *server = *state;
    int fd = join(server);
    char line[RH_CONTROL_LINE_MAX + 2];

    memset(line, ' ', sizeof(line));
    memcpy(line, "{\"verb\":\"ping\"", 14);
    line[RH_CONTROL_LINE_MAX - 1] = '}';
    line[RH_CONTROL_LINE_MAX] = '\n';
    line[RH_CONTROL_LINE_MAX + 1] = 0;
    say(server, fd, line);
    assert_true(hears(fd, "version"));
    line[RH_CONTROL_LINE_MAX] = ' ';
    say(server, fd, line);
    assert_true(hears(fd, "8192"));
    assert_true(closed(fd));
    close(fd);
}

static void too_many(void **state)
{
    struct server *server = *state;
    int fds[RH_CONTROL_CLIENTS_MAX];

    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++)
        fds[i] = join(server);
    int more = join(server);
    assert_true(hears(more, "\"code\":\"busy\""));
    assert_true(closed(more));
    close(more);
    close(fds[7]);
    step(server);
    more = join(server);
    say(server, more, "{\"verb\":\"ping\"}\n");
    assert_true(hears(more, "version"));
    close(more);
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++)
        if (i != 7)
            close(fds[i]);
}

/* A flood of one client waits for its turn: in one step another is served as well. */
static void turns(void **state)
{
    struct server *server = *state;
    int flood = join(server), other = join(server);
    char lines[500 * 16 + 1] = "";

    for (int i = 0; i < 500; i++)
        memcpy(lines + (ptrdiff_t)i * 16, "{\"verb\":\"ping\"}\n", 17);
    assert_int_equal(send(flood, lines, 500 * 16, 0), 500 * 16);
    assert_int_equal(send(other, "{\"verb\":\"ping\"}\n", 16, 0), 16);
    rh_control_step(server->control, server->now_us);
    assert_true(hears(other, "version"));
    int n = 0;
    while (hears(flood, "version"))
        n++;
    assert_in_range(n, 1, 16);
    for (int before = -1; before < n;) { /* its socket holds fewer at once */
        before = n;
        step(server);
        while (hears(flood, "version"))
            n++;
    }
    assert_int_equal(n, 500);
    close(flood);
    close(other);
}

/* ---- time ---- */

static void idle_and_stuck(void **state)
{
    struct server *server = *state;
    int idle = join(server), half = join(server), stuck = join(server);

    for (int i = 0; i < 25; i++) { /* one byte a second is no request */
        say(server, half, "{");
        pass(server, SECOND);
        if (i < 1)
            say(server, stuck, "{\"verb\":\"status\"}\n{\"verb\":\"status\"}\n");
        while (i < 1 && send(stuck, "{\"verb\":\"status\"}\n", 18, MSG_NOSIGNAL) == 18)
            step(server);
    }
    assert_false(closed(idle) || closed(half));
    assert_int_equal(send(stuck, "x", 1, MSG_NOSIGNAL), -1); /* it never read */
    assert_int_equal(errno, EPIPE);
    pass(server, 4 * SECOND);
    assert_false(closed(idle) || closed(half));
    pass(server, 2 * SECOND);
    assert_true(closed(idle) && closed(half));
    close(idle);
    close(half);
    close(stuck);
}

/* ---- the socket ---- */

static void path_of_the_socket(void **state)
{
    struct server *server = *state;
    struct rh_control_socket again, moved;
    struct stat file;
    char path[128];

    assert_int_equal(stat(server->path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0660);
    assert_int_equal(rh_control_socket_open(server->path, &again), -EADDRINUSE); /* somebody answers */
    snprintf(path, sizeof(path), "%s/file", server->folder);
    FILE *precious = fopen(path, "w");
    assert_non_null(precious);
    fclose(precious);
    assert_int_equal(rh_control_socket_open(path, &again), -EADDRINUSE); /* it is no socket */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rh_control_socket_open(path, &moved), 0);
    close(moved.fd); /* as if killed: its path stays, and is replaced */
    assert_int_equal(rh_control_socket_open(path, &again), 0);
    moved.fd = -1;
    rh_control_socket_close(&moved);
    assert_int_equal(access(path, F_OK), 0);
    rh_control_socket_close(&again);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof(path), "%s/none/ctl.sock", server->folder);
    assert_int_equal(rh_control_socket_open(path, &again), -ENOENT);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    assert_int_equal(rh_control_socket_open(path, &again), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(halves_and_many),
        SERVED(lines_before_the_end),
        SERVED(limits),
        SERVED(too_many),
        SERVED(turns),
        SERVED(idle_and_stuck),
        SERVED(path_of_the_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
