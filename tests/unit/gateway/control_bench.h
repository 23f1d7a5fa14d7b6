/* SPDX-License-Identifier: MIT */
/*
 * control_bench.h - a control socket on a real socket and a virtual clock, for the two programs that test it.
 * The test is the line: the poller takes commands and never runs, answers are pushed as a line would.
 *
 * The registry of these programs is the fake below, linked in place of the built one; included once in each.
 */
#ifndef RH_TESTS_UNIT_GATEWAY_CONTROL_BENCH_H
#define RH_TESTS_UNIT_GATEWAY_CONTROL_BENCH_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/control.h"
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

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
