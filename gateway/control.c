/* SPDX-License-Identifier: MIT */
/*
 *   READING --whole line--> command --> WAITING --answer--> WRITING --all sent--> READING
 *                           anything else ------------------^
 *
 * A client is read from only while READING: one that asks without taking its answers stops itself. A client
 * that leaves while WAITING keeps its slot, without a descriptor, until its command has been audited.
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
#include "gateway/control_job.h"
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

struct client {
    int fd;      /* -1: gone, its command is under way */
    bool doomed; /* closed when its answer is out */
    uint32_t interest;
    int64_t since_us; /* its last whole request, answer or taken byte */
    char who[24];
    struct rh_control_job job;
    char *out; /* what could not be sent yet */
    size_t out_len, out_at;
    size_t in_len;
    char in[RH_CONTROL_LINE_MAX + 1];
};

struct rh_control {
    struct rh_control_options options;
    struct rh_control_desk desk;
    struct rh_control_socket socket;
    int epoll;
    bool deaf; /* out of descriptors: not listening until the next tick */
    int64_t now_us, tick_us, told_us;
    size_t unsent;
    struct client *clients[RH_CONTROL_CLIENTS_MAX];
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

static void forget_out(struct rh_control *control, struct client *client)
{
    control->unsent -= client->out_len - client->out_at;
    free(client->out);
    client->out = NULL;
    client->out_len = client->out_at = 0;
}

/* The descriptor at once; the rest when no command of it is under way. */
static void drop(struct rh_control *control, size_t slot)
{
    struct client *client = control->clients[slot];

    rh_cleanup_close(&client->fd);
    forget_out(control, client);
    if (client->job.pending.serial != 0)
        return;
    free(client);
    control->clients[slot] = NULL;
}

static bool reading(const struct client *client)
{
    return client->fd >= 0 && client->job.pending.serial == 0 && !client->out && !client->doomed;
}

/* False if the client was dropped. */
static bool settle(struct rh_control *control, size_t slot)
{
    struct client *client = control->clients[slot];
    uint32_t interest = (reading(client) ? EPOLLIN : 0) | (client->out ? EPOLLOUT : 0);

    if (client->job.pending.serial == 0 && (client->fd < 0 || (client->doomed && !client->out))) {
        drop(control, slot);
        return false;
    }
    if (client->fd < 0 || interest == client->interest)
        return true;
    client->interest = interest;
    if (watch(control, EPOLL_CTL_MOD, client->fd, interest, (uint32_t)slot) == 0)
        return true;
    drop(control, slot);
    return false;
}

/* What the socket takes now; a client that is gone loses the rest. */
static void send_out(struct rh_control *control, struct client *client)
{
    while (client->out) {
        ssize_t n = send(client->fd, client->out + client->out_at, client->out_len - client->out_at,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            client->doomed = true;
            forget_out(control, client);
            return;
        }
        client->out_at += (size_t)n;
        control->unsent -= (size_t)n;
        client->since_us = control->now_us;
        if (client->out_at == client->out_len)
            forget_out(control, client);
    }
}

/* Takes over the heap buffer of `text`. */
static void answer(struct rh_control *control, struct client *client, struct rh_text *text)
{
    if (text->cut) {
        text->len = 0;
        text->cut = false;
        rh_control_error(text, RH_CODE_BUSY, "the answer is too long");
    }
    text->at[text->len++] = '\n'; /* in the place of its NUL */
    client->since_us = control->now_us;
    if (client->fd < 0) {
        free(text->at);
        return;
    }
    client->out = text->at;
    client->out_len = text->len;
    client->out_at = 0;
    control->unsent += text->len;
    send_out(control, client);
}

static struct rh_text new_text(size_t cap)
{
    struct rh_text text;
    char *buffer = malloc(cap);

    rh_assert(buffer);
    rh_text_init(&text, buffer, cap);
    return text;
}

static void answer_error(struct rh_control *control, struct client *client, enum rh_command_code code,
                         const char *message)
{
    struct rh_text text = new_text(ANSWER_BYTES);

    rh_control_error(&text, code, message);
    answer(control, client, &text);
}

/* ---- requests ---- */

static void put_hello(struct rh_text *text)
{
    rh_text_printf(text, "{\"ok\":true,\"version\":\"%s\"", rh_version);
}

static void do_ping(struct rh_control *control, struct client *client)
{
    struct rh_text text = new_text(ANSWER_BYTES);

    put_hello(&text);
    rh_text_char(&text, '}');
    answer(control, client, &text);
}

static void do_status(struct rh_control *control, struct client *client)
{
    size_t devices = control->desk.routes ? control->desk.routes->n : 0;

    if (control->unsent > UNSENT_MAX) {
        answer_error(control, client, RH_CODE_BUSY, "too many clients do not read their answers");
        return;
    }
    struct rh_text text = new_text(ANSWER_BYTES + devices * STATUS_BYTES_PER_DEVICE);
    put_hello(&text);
    rh_text_put(&text, ",\"status\":");
    control->options.status(control->options.context, &text);
    rh_text_char(&text, '}');
    answer(control, client, &text);
}

static void do_command(struct rh_control *control, struct client *client)
{
    struct rh_text text = new_text(ANSWER_BYTES);

    if (rh_control_job_begin(&client->job, &control->desk, &control->request, client->who, &text))
        answer(control, client, &text);
    else
        free(text.at);
}

static void handle(struct rh_control *control, struct client *client, const char *line, size_t len)
{
    static void (*const verbs[RH_CONTROL_VERB_COUNT])(struct rh_control *, struct client *) = {
        [RH_CONTROL_PING] = do_ping,
        [RH_CONTROL_STATUS] = do_status,
        [RH_CONTROL_READ] = do_command,
        [RH_CONTROL_WRITE] = do_command,
    };
    char why[160];
    enum rh_command_code code = rh_control_parse(line, len, &control->request, why, sizeof(why));

    client->since_us = control->now_us;
    if (code == RH_CODE_NONE)
        verbs[control->request.verb](control, client);
    else
        answer_error(control, client, code, why);
}

/* The lines that are there, up to the first that has to wait. */
static void serve(struct rh_control *control, struct client *client)
{
    size_t at = 0;

    for (int n = 0; reading(client); n++) {
        const char *end = memchr(client->in + at, '\n', client->in_len - at);
        if (!end)
            break;
        if (n == LINES_PER_STEP) {
            rh_bell_ring(control->options.bell); /* the rest at the next step */
            break;
        }
        handle(control, client, client->in + at, (size_t)(end - client->in) - at);
        at = (size_t)(end - client->in) + 1;
    }
    client->in_len -= at;
    memmove(client->in, client->in + at, client->in_len);
    if (reading(client) && client->in_len == sizeof(client->in)) {
        client->doomed = true;
        answer_error(control, client, RH_CODE_SYNTAX, "a request has at most 8192 bytes");
    }
}

/* A half line at its end is nobody's request. */
static void receive(struct rh_control *control, struct client *client)
{
    ssize_t n =
        recv(client->fd, client->in + client->in_len, sizeof(client->in) - client->in_len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        client->in_len += (size_t)n;
        serve(control, client);
        return;
    }
    client->doomed = true;
}

static void client_event(struct rh_control *control, size_t slot, uint32_t events)
{
    struct client *client = control->clients[slot];

    if (!client || client->fd < 0)
        return;
    if (events & EPOLLOUT) {
        send_out(control, client);
        serve(control, client);
    }
    if (events & EPOLLIN && reading(client) && client->in_len < sizeof(client->in))
        receive(control, client);
    if (settle(control, slot) && events & (EPOLLHUP | EPOLLERR) && !reading(client))
        drop(control, slot);
}

/* ---- answers of the lines ---- */

static void after_answer(struct rh_control *control, size_t slot)
{
    serve(control, control->clients[slot]);
    settle(control, slot);
}

static void take_answer(struct rh_control *control, const struct rh_answer *record)
{
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (!client || client->job.pending.serial != record->serial)
            continue;
        struct rh_text text = new_text(ANSWER_BYTES);
        if (!rh_control_job_take(&client->job, &control->desk, record, &text)) {
            free(text.at);
            return;
        }
        answer(control, client, &text);
        after_answer(control, i);
        return;
    }
}

static void give_up(struct rh_control *control, size_t slot, const char *why)
{
    struct client *client = control->clients[slot];
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
    for (size_t i = 0; i < RH_CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i])
            after_answer(control, i);
}

/* ---- those who come ---- */

static void turn_away(int fd, enum rh_command_code code, const char *message)
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
    turn_away(fd, RH_CODE_LOCKED, "permission denied: not a member of the socket's group");
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
    struct client *client = slot < RH_CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
    if (!client) {
        turn_away(fd, RH_CODE_BUSY, "too many clients; try again");
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
        if (!control->clients[i] || control->clients[i]->job.pending.serial == 0)
            continue;
        give_up(control, i,
                "the lines were restarted while this was under way: it may or may not have been done");
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
    struct client *client = control->clients[slot];
    int64_t quiet_us = control->now_us - client->since_us;

    if (client->job.pending.serial != 0) {
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
        if (control->clients[i] && control->clients[i]->job.pending.serial != 0)
            give_up(control, i, "the gateway ends: it may or may not have been done");
        if (control->clients[i])
            drop(control, i);
    }
    rh_control_socket_close(&control->socket);
    rh_cleanup_close(&control->epoll);
    free(control->desk.history);
    free(control);
}
