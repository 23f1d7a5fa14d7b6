/* SPDX-License-Identifier: MIT */
#include "gateway/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool rh_control_client_waiting(const struct rh_control_client *client)
{
    return client->job.pending.serial != 0;
}

bool rh_control_client_reading(const struct rh_control_client *client)
{
    return client->fd >= 0 && !client->out && !client->doomed && !rh_control_client_waiting(client);
}

bool rh_control_client_receive(struct rh_control_client *client)
{
    size_t room = sizeof(client->in) - client->in_len;
    ssize_t n = recv(client->fd, client->in + client->in_len, room, MSG_DONTWAIT);

    if (n > 0)
        client->in_len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        client->eof = true;
    return client->in_len == sizeof(client->in) && !memchr(client->in, '\n', client->in_len);
}

bool rh_control_client_line(const struct rh_control_client *client, size_t *at, const char **ret_line,
                            size_t *ret_len)
{
    const char *start = client->in + *at, *end = memchr(start, '\n', client->in_len - *at);

    if (!end)
        return false;
    *ret_line = start;
    *ret_len = (size_t)(end - start);
    *at += *ret_len + 1;
    return true;
}

void rh_control_client_consume(struct rh_control_client *client, size_t at)
{
    client->in_len -= at;
    memmove(client->in, client->in + at, client->in_len);
}

static void forget_out(struct rh_control_client *client)
{
    free(client->out);
    client->out = NULL;
    client->out_len = client->out_at = 0;
}

void rh_control_client_send(struct rh_control_client *client, int64_t now_us)
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
            forget_out(client);
            return;
        }
        client->since_us = now_us;
        client->out_at += (size_t)n;
        if (client->out_at == client->out_len)
            forget_out(client);
    }
}

void rh_control_client_answer(struct rh_control_client *client, struct rh_text *text, int64_t now_us)
{
    rh_assert(!client->out);
    text->at[text->len++] = '\n'; /* in the place of its NUL */
    client->out = text->at;
    client->out_len = text->len;
    client->since_us = now_us;
    if (client->fd < 0)
        forget_out(client);
    rh_control_client_send(client, now_us);
}

size_t rh_control_client_unsent(const struct rh_control_client *client)
{
    return client->out_len - client->out_at;
}

void rh_control_client_hang_up(struct rh_control_client *client)
{
    rh_cleanup_close(&client->fd);
    forget_out(client);
}
