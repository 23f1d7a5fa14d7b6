/* SPDX-License-Identifier: MIT */
/*
 * The control socket on a real socket and a virtual clock. The test is the line: pollers take commands and
 * never run, answers are pushed as a line would.
 *
 * The registry of this program is the fake below, linked in place of the built one.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/clock.h"
#include "gateway/audit.h"
#include "gateway/control.h"
#include "gateway/control_request.h"
#include "gateway/control_socket.h"
#include "tests/unit/gateway/home.h"

#define SECOND INT64_C(1000000)
#define PADDING 9000 /* of a status: some fill a socket */

/* ---- a driver that can do nothing ---- */

static int plan(const struct rh_line_conf *line, struct rh_plan *ret_plan)
{
    *ret_plan = (struct rh_plan){.blocks = calloc(1, sizeof(struct rh_block)),
                                 .order = calloc(line->n_points, sizeof(uint32_t)),
                                 .n_points = line->n_points};
    return 0;
}

struct rh_link {
    int unused;
};

static int open_link(const struct rh_line_conf *line, struct rh_line_counters *counters,
                     struct rh_link **ret_link)
{
    (void)line;
    (void)counters;
    *ret_link = calloc(1, sizeof(**ret_link));
    return 0;
}

static void close_link(struct rh_link *link)
{
    free(link);
}

static void disconnect_link(struct rh_link *link)
{
    (void)link;
}

static int check(const struct rh_point *point, const struct rh_value *value)
{
    (void)point;
    (void)value;
    return 0;
}

static enum rh_poll_outcome write_values(struct rh_link *link, const struct rh_command_value *values,
                                         size_t n, const struct rh_sink *sink, size_t *ret_taken,
                                         struct rh_poll_result *ret_result)
{
    (void)link;
    (void)values;
    (void)sink;
    (void)ret_result;
    *ret_taken = n;
    return RH_POLL_TIMEOUT;
}

static void single(const struct rh_line_conf *line, const uint32_t *order, uint32_t at,
                   struct rh_block *ret_block)
{
    (void)line;
    (void)order;
    *ret_block = (struct rh_block){.first = at, .count = 1};
}

static const struct rh_driver_schema schema = {.name = "fake"};
static const struct rh_driver fake = {.schema = &schema,
                                      .plan = plan,
                                      .open = open_link,
                                      .close = close_link,
                                      .disconnect = disconnect_link,
                                      .check = check,
                                      .single = single,
                                      .write = write_values};
const struct rh_driver *const rh_drivers[] = {&fake};
const size_t rh_n_drivers = 1;

const struct rh_driver *rh_driver_of(const struct rh_driver_schema *of)
{
    return of == &schema ? &fake : NULL;
}

void rh_plan_fini(struct rh_plan *of)
{
    free(of->blocks);
    free(of->order);
    *of = (struct rh_plan){0};
}

/* ---- a server of two devices: d0.p0 can be read, d0.p1 written ---- */

struct server {
    char folder[64], path[96];
    struct rh_line_conf *line;
    struct rh_ring *readings, *answers, *audits;
    int bell;
    struct rh_poller *poller;
    struct rh_routes *routes;
    struct rh_control *control;
    int64_t now_us;
    uint64_t serial; /* of the last command */
};

static void write_status(const void *context, struct rh_text *text)
{
    static char padding[PADDING + 1];

    (void)context;
    memset(padding, 'x', PADDING);
    rh_text_printf(text, "{\"padding\":\"%s\"}", padding);
}

static void make_routes(struct server *server)
{
    struct rh_poller_options options = {.line = server->line, .ring = server->readings};

    assert_int_equal(rh_poller_new(&options, &server->poller), 0);
    server->routes = rh_routes_new(2);
    assert_non_null(server->routes);
    for (size_t d = 0; d < 2; d++)
        rh_routes_add(server->routes, &server->line->devices[d], server->poller);
    rh_routes_sort(server->routes);
}

static int set_up(void **state)
{
    struct server *server = calloc(1, sizeof(*server));
    struct rh_control_options options;

    assert_non_null(server);
    snprintf(server->folder, sizeof(server->folder), "/tmp/railhead-control-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->path, sizeof(server->path), "%s/ctl.sock", server->folder);
    server->line = home_line(2, 2);
    server->line->schema = &schema;
    home_point(server->line, 0)->unit = "V";
    home_point(server->line, 1)->writable = true;
    assert_int_equal(rh_bell_open(&server->bell), 0);
    assert_int_equal(rh_ring_new(4096, -1, &server->readings), 0);
    assert_int_equal(rh_ring_new(65536, server->bell, &server->answers), 0);
    assert_int_equal(rh_ring_new(65536, -1, &server->audits), 0);
    make_routes(server);
    options = (struct rh_control_options){
        .answers = server->answers, .bell = server->bell, .audits = server->audits, .status = write_status};
    assert_int_equal(rh_control_new(&options, &server->control), 0);
    rh_control_set_routes(server->control, server->routes);
    rh_control_listen(server->control, server->path);
    server->now_us = 1000 * SECOND;
    *state = server;
    return 0;
}

static int tear_down(void **state)
{
    struct server *server = *state;

    rh_control_free(server->control);
    assert_int_equal(access(server->path, F_OK), -1);
    rh_routes_free(server->routes);
    rh_poller_free(server->poller);
    rh_ring_free(server->readings);
    rh_ring_free(server->answers);
    rh_ring_free(server->audits);
    close(server->bell);
    home_line_free(server->line);
    assert_int_equal(rmdir(server->folder), 0);
    free(server);
    return 0;
}

static bool ready(const struct server *server)
{
    struct pollfd fd = {.fd = rh_control_fd(server->control), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* Steps until nothing is left to be done now. */
static void step(struct server *server)
{
    int steps = 0;

    rh_control_step(server->control, server->now_us);
    while (ready(server)) {
        assert_true(steps++ < 1000); /* it does not spin */
        rh_control_step(server->control, server->now_us);
    }
}

static void pass(struct server *server, int64_t us)
{
    server->now_us += us;
    step(server);
}

static int join(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    step(server);
    return fd;
}

static void say(struct server *server, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    step(server);
}

/* One line; NULL: none is there yet. */
static char *hear(int fd, char *buffer, size_t cap)
{
    size_t len = 0;

    while (len + 1 < cap && recv(fd, buffer + len, 1, 0) == 1)
        if (buffer[len++] == '\n')
            break;
    buffer[len] = 0;
    return len > 0 ? buffer : NULL;
}

static bool closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static bool hears(int fd, const char *what)
{
    static char line[32768];

    return hear(fd, line, sizeof(line)) && strstr(line, what);
}

static bool hears_nothing(int fd)
{
    char line[256];

    if (hear(fd, line, sizeof(line))) {
        print_message("heard: %s", line);
        return false;
    }
    return !closed(fd);
}

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

/* ---- commands ---- */

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

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(halves_and_many),
        SERVED(lines_before_the_end),
        SERVED(limits),
        SERVED(too_many),
        SERVED(turns),
        SERVED(idle_and_stuck),
        SERVED(waiting_has_patience),
        SERVED(read_and_write),
        SERVED(refusals_are_bounded),
        SERVED(gone_while_waiting),
        SERVED(no_routes),
        SERVED(path_of_the_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
