/* SPDX-License-Identifier: MIT */
/*
 * One epoll descriptor holds the listener, the clients and the bell of the lines' answers. After everything
 * that happens to a client, settle() decides what it is polled for, or that it is over.
 */
#include "gateway/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "gateway/control_client.h"
#include "gateway/control_socket.h"
#include "gateway/version.h"

#define LINES_PER_STEP 16 /* of one client, before it is the others' turn */
#define ACCEPTS_PER_STEP 64
#define ANSWER_BYTES ((size_t)8192)            /* of anything but a status */
#define STATUS_BYTES_PER_DEVICE ((size_t)1152) /* and its line */
#define UNSENT_MAX ((size_t)1024 * 1024)       /* of all clients together, before a status is refused */
#define TELL_US 60000000                       /* between two log lines about strangers */
#define EVENTS (RH_CONTROL_CLIENTS_MAX + 2)

/* What an epoll event is about, beside the slots of the clients. */
enum { LISTENER = RH_CONTROL_CLIENTS_MAX, BELL };

struct rh_control {
    struct rh_control_options options;
    struct rh_control_desk desk;
    struct rh_control_socket socket;
    int epoll;
    bool deaf; /* out of descriptors: not listening until the next tick */
    int64_t now_us, tick_us, told_us;
    struct rh_control_client *clients[RH_CONTROL_CLIENTS_MAX];
    struct rh_control_request request; /* the one at hand */
};

static int watch(const struct rh_control *control, int operation, int fd, uint32_t events, uint32_t what)
{
    struct epoll_event event = {.events = events, .data.u32 = what};

    return epoll_ctl(control->epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

int rh_control_new(const struct rh_control_options *options, struct rh_control **ret_control)
{
    struct rh_control *control = calloc(1, sizeof(*control));

    if (!control)
        return -ENOMEM;
    control->options = *options;
    control->desk.audits = options->audits;
    control->socket.fd = -1;
    control->epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = control->epoll >= 0 ? watch(control, EPOLL_CTL_ADD, options->bell, EPOLLIN, BELL) : -errno;
    if (r < 0) {
        rh_control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

int rh_control_fd(const struct rh_control *control)
{
    return control->epoll;
}

/* ---- one client ---- */

/* The descriptor at once; the rest when no command of it is under way. */
static void drop(struct rh_control *control, size_t slot)
{
    struct rh_control_client *client = control->clients[slot];

    rh_control_client_hang_up(client);
    if (rh_control_client_waiting(client))
        return;
    free(client);
    control->clients[slot] = NULL;
}

static bool is_over(const struct rh_control_client *client)
{
    return !rh_control_client_waiting(client) && (client->fd < 0 || (client->doomed && !client->out));
}

/* After every change: dropped if that was all, else polled for what it waits for. */
static void settle(struct rh_control *control, size_t slot)
{
    struct rh_control_client *client = control->clients[slot];
    uint32_t interest = client->out ? EPOLLOUT : 0;

    if (rh_control_client_reading(client) && !client->eof)
        interest = EPOLLIN;
    if (is_over(client)) {
        drop(control, slot);
    } else if (client->fd >= 0 && interest != client->interest) {
        client->interest = interest;
        if (watch(control, EPOLL_CTL_MOD, client->fd, interest, (uint32_t)slot) < 0)
            drop(control, slot);
    }
}

static struct rh_text new_text(size_t cap)
{
    struct rh_text text;
    char *buffer = malloc(cap);

    rh_assert(buffer);
    rh_text_init(&text, buffer, cap);
    return text;
}

static void answer(const struct rh_control *control, struct rh_control_client *client, struct rh_text *text)
{
    if (text->cut) {
        rh_text_init(text, text->at, text->cap);
        rh_control_error(text, "busy", "the answer is too long");
    }
    rh_control_client_answer(client, text, control->now_us);
}

static void answer_error(const struct rh_control *control, struct rh_control_client *client, const char *code,
                         const char *message)
{
    struct rh_text text = new_text(ANSWER_BYTES);

    rh_control_error(&text, code, message);
    answer(control, client, &text);
}

/* ---- requests ---- */

static void do_ping(struct rh_control *control, struct rh_control_client *client)
{
    struct rh_text text = new_text(ANSWER_BYTES);

    rh_text_printf(&text, "{\"ok\":true,\"version\":\"%s\"}", rh_version);
    answer(control, client, &text);
}

static size_t unsent(const struct rh_control *control)
{
    size_t bytes = 0;

    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++)
        bytes += control->clients[i] ? rh_control_client_unsent(control->clients[i]) : 0;
    return bytes;
}

static void do_status(struct rh_control *control, struct rh_control_client *client)
{
    size_t devices = control->desk.routes ? control->desk.routes->n : 0;

    if (unsent(control) > UNSENT_MAX) {
        answer_error(control, client, "busy", "too many clients do not read their answers");
        return;
    }
    struct rh_text text = new_text(ANSWER_BYTES + devices * STATUS_BYTES_PER_DEVICE);
    rh_text_printf(&text, "{\"ok\":true,\"version\":\"%s\",\"status\":", rh_version);
    control->options.status(control->options.context, &text);
    rh_text_char(&text, '}');
    answer(control, client, &text);
}

static void do_command(struct rh_control *control, struct rh_control_client *client)
{
    struct rh_text text = new_text(ANSWER_BYTES);

    if (rh_control_job_begin(&client->job, &control->desk, &control->request, client->who, &text))
        answer(control, client, &text);
    else
        free(text.at);
}

static void handle(struct rh_control *control, struct rh_control_client *client, const char *line, size_t len)
{
    static void (*const verbs[RH_CONTROL_VERB_COUNT])(struct rh_control *, struct rh_control_client *) = {
        [RH_CONTROL_PING] = do_ping,
        [RH_CONTROL_STATUS] = do_status,
        [RH_CONTROL_READ] = do_command,
        [RH_CONTROL_WRITE] = do_command,
    };
    char why[160], buffer[16];
    enum rh_command_code code = rh_control_parse(line, len, &control->request, why, sizeof(why));

    client->since_us = control->now_us;
    if (code == RH_CODE_NONE)
        verbs[control->request.verb](control, client);
    else
        answer_error(control, client, rh_command_code_name(code, 0, buffer), why);
}

/* The lines that are there, up to the first that has to wait. A half line at the end is nobody's request. */
static void serve(struct rh_control *control, struct rh_control_client *client)
{
    size_t at = 0, len, n = 0;
    const char *line = NULL;

    while (n < LINES_PER_STEP && rh_control_client_reading(client) &&
           rh_control_client_line(client, &at, &line, &len)) {
        handle(control, client, line, len);
        n++;
    }
    rh_control_client_consume(client, at);
    if (!rh_control_client_reading(client))
        return;
    if (n == LINES_PER_STEP)
        rh_bell_ring(control->options.bell); /* the rest at the next step */
    else
        client->doomed = client->eof;
}

static void client_event(struct rh_control *control, size_t slot, uint32_t events)
{
    struct rh_control_client *client = control->clients[slot];

    if (!client || client->fd < 0)
        return;
    if (events & EPOLLOUT)
        rh_control_client_send(client, control->now_us);
    if (events & EPOLLIN && rh_control_client_reading(client) && rh_control_client_receive(client)) {
        client->doomed = true;
        answer_error(control, client, "syntax", "a request has at most 8192 bytes");
    }
    serve(control, client);
    if (events & (EPOLLHUP | EPOLLERR) && !rh_control_client_reading(client))
        drop(control, slot);
    else
        settle(control, slot);
}

/* ---- answers of the lines ---- */

static void take_answer(struct rh_control *control, const struct rh_answer *record)
{
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++) {
        struct rh_control_client *client = control->clients[i];

        if (!client || client->job.pending.serial != record->serial)
            continue;
        struct rh_text text = new_text(ANSWER_BYTES);
        if (!rh_control_job_take(&client->job, &control->desk, record, &text)) {
            free(text.at);
            return;
        }
        answer(control, client, &text);
        return;
    }
}

static void give_up(struct rh_control *control, size_t slot, const char *why)
{
    struct rh_control_client *client = control->clients[slot];
    struct rh_text text = new_text(ANSWER_BYTES);

    rh_control_job_give_up(&client->job, &control->desk, why, &text);
    answer(control, client, &text);
}

/* Rung by the lines, and by serve() for what is left over. */
static void bell_rang(struct rh_control *control)
{
    struct rh_answer record;

    rh_bell_clear(control->options.bell);
    while (rh_ring_pop(control->options.answers, &record, sizeof(record)) > 0)
        take_answer(control, &record);
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++) {
        if (!control->clients[i])
            continue;
        serve(control, control->clients[i]);
        settle(control, i);
    }
}

/* ---- those who come ---- */

static void turn_away(int fd, const char *code, const char *message)
{
    char buffer[256];
    struct rh_text text;

    rh_text_init(&text, buffer, sizeof(buffer));
    rh_control_error(&text, code, message);
    rh_text_char(&text, '\n');
    (void)!send(fd, text.at, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool admitted(struct rh_control *control, int fd, struct rh_control_peer *ret_peer)
{
    if (rh_control_peer(&control->socket, fd, ret_peer) < 0)
        return false;
    if (ret_peer->allowed)
        return true;
    turn_away(fd, "permission", "not a member of the socket's group");
    if (control->told_us == 0 || control->now_us - control->told_us > TELL_US)
        rh_log(RH_LOG_WARNING, "control", "uid %u (process %d) is not allowed to use %s",
               (unsigned)ret_peer->uid, (int)ret_peer->pid, control->socket.path);
    control->told_us = control->now_us;
    return false;
}

static bool admit(struct rh_control *control, int fd)
{
    struct rh_control_peer peer = {0};
    size_t slot = 0;

    if (!admitted(control, fd, &peer))
        return false;
    while (slot < RH_CONTROL_CLIENTS_MAX && control->clients[slot])
        slot++;
    struct rh_control_client *client = slot < RH_CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
    if (!client) {
        turn_away(fd, "busy", "too many clients; try again");
        return false;
    }
    client->fd = fd;
    client->since_us = control->now_us;
    client->interest = EPOLLIN;
    snprintf(client->who, sizeof(client->who), "uid %u", (unsigned)peer.uid);
    if (watch(control, EPOLL_CTL_ADD, fd, EPOLLIN, (uint32_t)slot) < 0) {
        free(client);
        return false;
    }
    control->clients[slot] = client;
    return true;
}

static void accept_some(struct rh_control *control)
{
    for (int n = 0; n < ACCEPTS_PER_STEP; n++) {
        int fd = accept4(control->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            control->deaf = watch(control, EPOLL_CTL_MOD, control->socket.fd, 0, LISTENER) == 0;
            return;
        }
        if (fd < 0)
            return;
        if (!admit(control, fd))
            close(fd);
    }
}

void rh_control_listen(struct rh_control *control, const char *path)
{
    if (control->socket.fd >= 0 && strcmp(path, control->socket.path) == 0)
        return;
    rh_control_socket_close(&control->socket);
    control->deaf = false;
    if (!*path)
        return;
    int r = rh_control_socket_open(path, &control->socket);
    if (r == 0)
        r = watch(control, EPOLL_CTL_ADD, control->socket.fd, EPOLLIN, LISTENER);
    if (r == 0)
        return;
    rh_log(RH_LOG_WARNING, "control",
           "no control socket %s: %s; `railhead status`, `read` and `write` do not work", path,
           r == -EADDRINUSE ? "another process answers on it, or it is no socket" : strerror(-r));
    rh_control_socket_close(&control->socket);
}

void rh_control_set_routes(struct rh_control *control, const struct rh_routes *routes)
{
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++) {
        if (!control->clients[i] || !rh_control_client_waiting(control->clients[i]))
            continue;
        give_up(control, i, "the lines were restarted meanwhile: it may or may not have been done");
        settle(control, i);
    }
    int r = rh_control_desk_set_routes(&control->desk, routes);
    if (r < 0)
        rh_log(RH_LOG_ERROR, "control", "`read` and `write` do not work: %s", strerror(-r));
    rh_bell_ring(control->options.bell); /* lines that wait in buffers */
}

/* ---- time ---- */

static void look_at_clock(struct rh_control *control, size_t slot)
{
    struct rh_control_client *client = control->clients[slot];
    int64_t quiet_us = control->now_us - client->since_us;

    if (rh_control_client_waiting(client)) {
        if (quiet_us > RH_CONTROL_PATIENCE_US) {
            give_up(control, slot, "the line did not say in time what became of it");
            settle(control, slot);
        }
    } else if (quiet_us > (client->out ? RH_CONTROL_STUCK_US : RH_CONTROL_IDLE_US)) {
        drop(control, slot);
    }
}

static void tick(struct rh_control *control)
{
    control->tick_us = control->now_us + 1000000;
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i])
            look_at_clock(control, i);
    if (control->deaf)
        control->deaf = watch(control, EPOLL_CTL_MOD, control->socket.fd, EPOLLIN, LISTENER) < 0;
}

/* Those who come are let in last: a slot is not given away while events of its former client are at hand. */
void rh_control_step(struct rh_control *control, int64_t now_us)
{
    struct epoll_event events[EVENTS];
    bool rang = false, came = false;

    control->now_us = now_us;
    int n = epoll_wait(control->epoll, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        rang = rang || events[i].data.u32 == BELL;
        came = came || events[i].data.u32 == LISTENER;
        if (events[i].data.u32 < RH_CONTROL_CLIENTS_MAX)
            client_event(control, events[i].data.u32, events[i].events);
    }
    if (rang)
        bell_rang(control);
    if (came)
        accept_some(control);
    if (now_us >= control->tick_us)
        tick(control);
}

void rh_control_free(struct rh_control *control)
{
    if (!control)
        return;
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] && rh_control_client_waiting(control->clients[i]))
            give_up(control, i, "the gateway ends: it may or may not have been done");
        if (control->clients[i])
            drop(control, i);
    }
    rh_control_socket_close(&control->socket);
    rh_cleanup_close(&control->epoll);
    free(control->desk.history);
    free(control);
}
