/* SPDX-License-Identifier: MIT */
/*
 * script_broker.h - a broker that speaks just enough MQTT 5 and 3.1.1 over a loopback socket to misbehave on
 * purpose, and to be the judge of what was delivered: at QoS 2 it delivers on PUBREL, not before.
 *
 * One thread, one connection at a time. What it is told before broker_start is read by its thread only; of
 * what it has seen the counts are atomic and rise after what they count was written.
 */
#ifndef RH_TESTS_SCRIPT_BROKER_H
#define RH_TESTS_SCRIPT_BROKER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "script_inbound.h"
#include "script_wire.h"

enum broker_cut {
    CUT_NEVER,
    CUT_AT_CONNECT,   /* closed instead of a CONNACK */
    CUT_MUTE,         /* CONNECT is never answered */
    CUT_AT_SUBSCRIBE, /* the subscription is made, then closed without a SUBACK */
    CUT_AT_PUBLISH,   /* the first data PUBLISH is forgotten, and closed */
    CUT_AT_PUBREC,    /* the first data PUBLISH is kept, closed instead of a PUBREC or PUBACK */
    CUT_AT_PUBREL,    /* closed when the PUBREL comes: nothing was delivered */
    CUT_AT_PUBCOMP,   /* delivered, closed instead of a PUBCOMP */
    CUT_IGNORE,       /* no cut: data is read and never answered */
    CUT_DEAF,         /* after the CONNACK nothing is read any more */
};

/* What happens on one connection; the last one goes on for all later ones. */
struct broker_turn {
    enum broker_cut cut;
    bool lose;       /* the broker has lost its session before this CONNECT */
    int connack;     /* reason code, 0: accepted */
    bool connack_v3; /* a refusal in the form of MQTT 3.1.1 */
};

#define BROKER_TURNS 8
#define BROKER_LOG 512

struct broker {
    /* told */
    struct broker_turn turns[BROKER_TURNS];
    int n_turns;
    _Atomic bool only_v3, only_v3_by_3; /* refuses MQTT 5 with 0x84; with a CONNACK of 3.1.1 */
    int receive_max, max_packet, max_qos, no_retain, keepalive_s; /* 0: not said; max_qos: value + 1 */
    int puback, pubrec, suback; /* reason codes for data and subscriptions */
    bool no_echo;
    int inbound;      /* commands sent before the SUBACK of a subscription that is not the status */
    int refuse_first; /* only so many data messages are answered with the codes above; 0: all */

    /* of the thread */
    int listener, fd;
    int stop[2]; /* a pipe: closed at the end of the test */
    unsigned port;
    pthread_t thread;
    bool v5, session, subscribed;
    int sub_qos;
    char retained[2048];
    uint16_t pending[64];
    char pending_text[64][64];
    int n_pending;
    bool cut_done;
    int answered;

    /* seen */
    pthread_mutex_t lock;
    _Atomic int connects, clean_disconnects;
    int versions[64], keepalives[64];
    char delivered[BROKER_LOG][64];
    _Atomic int n_delivered;
    struct broker_packet publishes[BROKER_LOG];
    _Atomic int n_publishes;
    _Atomic int pubrels, most_pending, pubacks;
    char filter[64]; /* of the last subscription that was not the status */
    _Atomic int filter_options;
    char farewell[64]; /* the last status that was no birth */
};

#define BROKER_STATUS "t/status"

static const struct broker_turn *broker_turn(const struct broker *b)
{
    int i = b->connects - 1;
    return &b->turns[i < b->n_turns ? i : b->n_turns ? b->n_turns - 1 : 0];
}

static void broker_send(struct broker *b, unsigned char type, const void *data, size_t len)
{
    unsigned char packet[2200];
    size_t at = broker_head(packet, type, len);
    memcpy(packet + at, data, len);
    if (send(b->fd, packet, at + len, MSG_NOSIGNAL) < 0)
        b->cut_done = true;
}

static void broker_connack(struct broker *b, int code)
{
    unsigned char data[64] = {0};
    data[0] = (unsigned char)(b->session && code == 0);
    data[1] = (unsigned char)code;
    if (!b->v5) {
        broker_send(b, 0x20, data, 2);
        return;
    }
    size_t n = 3;
    n += broker_property(data + n, 33, 2, b->receive_max);
    n += broker_property(data + n, 39, 4, b->max_packet);
    n += broker_property(data + n, 19, 2, b->keepalive_s);
    if (b->max_qos) {
        data[n++] = 36;
        data[n++] = (unsigned char)(b->max_qos - 1);
    }
    if (b->no_retain) {
        data[n++] = 37;
        data[n++] = 0;
    }
    data[2] = (unsigned char)(n - 3);
    broker_send(b, 0x20, data, n);
}

/* False: the connection ends here. */
static bool broker_on_connect(struct broker *b, const struct broker_packet *packet)
{
    pthread_mutex_lock(&b->lock);
    b->versions[b->connects] = packet->data[6];
    b->keepalives[b->connects] = packet->data[8] << 8 | packet->data[9];
    b->connects++;
    pthread_mutex_unlock(&b->lock);
    const struct broker_turn *turn = broker_turn(b);
    b->v5 = packet->data[6] == 5;
    b->cut_done = turn->cut == CUT_NEVER || turn->cut == CUT_DEAF;
    if (turn->lose) {
        b->session = b->subscribed = false;
        b->n_pending = 0;
    }
    if (turn->cut == CUT_AT_CONNECT)
        return false;
    if (turn->cut == CUT_MUTE)
        return true;
    int code = turn->connack;
    if (b->v5 && b->only_v3)
        code = 0x84;
    if ((b->v5 && b->only_v3_by_3) || turn->connack_v3) {
        b->v5 = false;
        code = code ? code : 1;
    }
    broker_connack(b, code);
    b->session |= code == 0;
    return code == 0;
}

static void broker_ack(struct broker *b, unsigned char type, uint16_t mid, int reason)
{
    unsigned char data[3] = {(unsigned char)(mid >> 8), (unsigned char)mid, (unsigned char)reason};
    broker_send(b, type, data, b->v5 && reason ? 3 : 2);
}

static void broker_deliver(struct broker *b, const char *text)
{
    pthread_mutex_lock(&b->lock);
    if (b->n_delivered < BROKER_LOG) {
        snprintf(b->delivered[b->n_delivered], 64, "%s", text);
        b->n_delivered++;
    }
    pthread_mutex_unlock(&b->lock);
}

static void broker_copy_status(struct broker *b, bool retain, int qos)
{
    unsigned char data[2200];
    size_t n = strlen(BROKER_STATUS);
    data[0] = 0;
    data[1] = (unsigned char)n;
    memcpy(data + 2, BROKER_STATUS, n);
    n += 2;
    if (qos) {
        data[n++] = 0x70;
        data[n++] = 1;
    }
    if (b->v5)
        data[n++] = 0;
    memcpy(data + n, b->retained, strlen(b->retained));
    if (!b->no_echo)
        broker_send(b, (unsigned char)(0x30 | qos << 1 | retain), data, n + strlen(b->retained));
}

static bool broker_cut(struct broker *b, enum broker_cut cut)
{
    if (b->cut_done || broker_turn(b)->cut != cut)
        return false;
    b->cut_done = true;
    return true;
}

static void broker_log_publish(struct broker *b, const struct broker_packet *packet)
{
    pthread_mutex_lock(&b->lock);
    if (b->n_publishes < BROKER_LOG) {
        b->publishes[b->n_publishes] = *packet;
        b->n_publishes++;
    }
    pthread_mutex_unlock(&b->lock);
}

static int broker_answer(struct broker *b, int reason)
{
    if (b->refuse_first && b->answered++ >= b->refuse_first)
        return 0;
    return reason;
}

/* A PUBLISH on a data topic. False: the connection ends here. */
static bool broker_on_data(struct broker *b, int qos, uint16_t mid, const char *text)
{
    if (broker_turn(b)->cut == CUT_IGNORE)
        return true;
    if (broker_cut(b, CUT_AT_PUBLISH))
        return false;
    if (qos == 0) {
        broker_deliver(b, text);
        return true;
    }
    if (qos == 1) {
        int reason = broker_answer(b, b->puback);
        if (reason < 0x80)
            broker_deliver(b, text);
        if (broker_cut(b, CUT_AT_PUBREC))
            return false;
        broker_ack(b, 0x40, mid, reason);
        return true;
    }
    int reason = broker_answer(b, b->pubrec);
    bool known = false;
    for (int i = 0; i < b->n_pending; i++)
        known |= b->pending[i] == mid;
    if (!known && reason < 0x80 && b->n_pending < 64) {
        b->pending[b->n_pending] = mid;
        snprintf(b->pending_text[b->n_pending++], 64, "%.63s", text);
        b->most_pending = b->n_pending > b->most_pending ? b->n_pending : b->most_pending;
    }
    if (broker_cut(b, CUT_AT_PUBREC))
        return false;
    broker_ack(b, 0x50, mid, reason);
    return true;
}

static bool broker_on_publish(struct broker *b, const struct broker_packet *packet)
{
    int qos = packet->type >> 1 & 3;
    size_t topic_len = (size_t)(packet->data[0] << 8 | packet->data[1]);
    size_t at = 2 + topic_len;
    uint16_t mid = 0;
    if (qos) {
        mid = (uint16_t)(packet->data[at] << 8 | packet->data[at + 1]);
        at += 2;
    }
    at += b->v5; /* no properties */
    char text[sizeof(packet->data) + 1];
    memcpy(text, packet->data + at, packet->len - at);
    text[packet->len - at] = 0;
    bool status =
        topic_len == strlen(BROKER_STATUS) && memcmp(packet->data + 2, BROKER_STATUS, topic_len) == 0;
    if (!status) {
        broker_log_publish(b, packet);
        return broker_on_data(b, qos, mid, text);
    }
    snprintf(b->retained, sizeof(b->retained), "%.2047s", text);
    pthread_mutex_lock(&b->lock);
    if (!strstr(text, "online"))
        snprintf(b->farewell, sizeof(b->farewell), "%.60s", text);
    pthread_mutex_unlock(&b->lock);
    if (b->subscribed)
        broker_copy_status(b, false, qos < b->sub_qos ? qos : b->sub_qos);
    if (qos)
        broker_ack(b, 0x40, mid, 0);
    return true;
}

static bool broker_on_pubrel(struct broker *b, const struct broker_packet *packet)
{
    uint16_t mid = (uint16_t)(packet->data[0] << 8 | packet->data[1]);
    pthread_mutex_lock(&b->lock);
    b->pubrels++;
    pthread_mutex_unlock(&b->lock);
    if (broker_cut(b, CUT_AT_PUBREL))
        return false;
    int reason = 0x92;
    for (int i = 0; i < b->n_pending; i++) {
        if (b->pending[i] != mid)
            continue;
        broker_deliver(b, b->pending_text[i]);
        b->n_pending--;
        memmove(&b->pending[i], &b->pending[i + 1], (size_t)(b->n_pending - i) * sizeof(b->pending[0]));
        memmove(&b->pending_text[i], &b->pending_text[i + 1],
                (size_t)(b->n_pending - i) * sizeof(b->pending_text[0]));
        reason = 0;
        break;
    }
    if (broker_cut(b, CUT_AT_PUBCOMP))
        return false;
    broker_ack(b, 0x70, mid, reason);
    return true;
}

/* Retained messages at a subscription: always, if it is new, never (MQTT 5.0, section 3.8.3.1). */
static bool broker_sends_retained(const struct broker *b, int handling, bool is_new)
{
    return b->retained[0] && !b->no_retain && (handling == 0 || (handling == 1 && is_new));
}

/* Packet id, properties of MQTT 5, then one filter and its options. */
static bool broker_on_commands(struct broker *b, const struct broker_packet *packet)
{
    const unsigned char *at = packet->data + 2 + b->v5;
    unsigned char suback[4] = {packet->data[0], packet->data[1], 0, 0};
    size_t len = (size_t)(at[0] << 8 | at[1]);
    snprintf(b->filter, sizeof(b->filter), "%.*s", (int)len, (const char *)at + 2);
    b->filter_options = at[2 + len];
    for (int i = 0; i < b->inbound; i++) {
        char text[32];
        unsigned char data[128];
        snprintf(text, sizeof(text), "command %d", i + 1);
        broker_send(b, 0x32, data, inbound_publish(data, b->v5, 100 + i, text));
    }
    suback[b->v5 ? 3 : 2] = (unsigned char)(b->suback ? b->suback : at[2 + len] & 3);
    broker_send(b, 0x90, suback, b->v5 ? 4 : 3);
    return true;
}

static bool broker_is_status(const struct broker *b, const struct broker_packet *packet)
{
    size_t at = 4U + b->v5;
    return packet->len > at + strlen(BROKER_STATUS) &&
           memcmp(packet->data + at, BROKER_STATUS, strlen(BROKER_STATUS)) == 0;
}

static bool broker_on_subscribe(struct broker *b, const struct broker_packet *packet)
{
    if (!broker_is_status(b, packet))
        return broker_on_commands(b, packet);
    unsigned char options = packet->data[packet->len - 1];
    unsigned char suback[4] = {packet->data[0], packet->data[1], 0, 0};
    bool is_new = !b->subscribed;
    if (b->suback) {
        suback[b->v5 ? 3 : 2] = (unsigned char)(b->v5 ? b->suback : 0x80);
        broker_send(b, 0x90, suback, b->v5 ? 4 : 3);
        return true;
    }
    b->subscribed = true;
    b->sub_qos = options & 3;
    if (broker_cut(b, CUT_AT_SUBSCRIBE))
        return false;
    suback[b->v5 ? 3 : 2] = options & 3;
    broker_send(b, 0x90, suback, b->v5 ? 4 : 3);
    if (broker_sends_retained(b, options >> 4 & 3, is_new))
        broker_copy_status(b, true, b->sub_qos);
    return true;
}

static bool broker_on_packet(struct broker *b, const struct broker_packet *packet)
{
    switch (packet->type >> 4) {
    case 1:
        return broker_on_connect(b, packet);
    case 3:
        return broker_on_publish(b, packet);
    case 4:
        b->pubacks++;
        return true;
    case 6:
        return broker_on_pubrel(b, packet);
    case 8:
        return broker_on_subscribe(b, packet);
    case 12:
        broker_send(b, 0xd0, "", 0);
        return true;
    case 14:
        pthread_mutex_lock(&b->lock);
        b->clean_disconnects++;
        pthread_mutex_unlock(&b->lock);
        return false;
    default:
        return true;
    }
}

static void *broker_thread(void *context)
{
    struct broker *b = context;
    for (;;) {
        int fd = accept(b->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&b->lock);
        b->fd = fd;
        pthread_mutex_unlock(&b->lock);
        struct broker_packet packet;
        bool on = true;
        while (on && broker_packet_read(fd, &packet)) {
            on = broker_on_packet(b, &packet);
            if (packet.type >> 4 == 1 && on && broker_turn(b)->cut == CUT_DEAF)
                on = broker_read(b->stop[0], &packet.type, 1) && false;
        }
        pthread_mutex_lock(&b->lock);
        b->fd = -1;
        close(fd);
        pthread_mutex_unlock(&b->lock);
    }
}

static inline void broker_start(struct broker *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int small = 4096;
    pthread_mutex_init(&b->lock, NULL);
    b->fd = -1;
    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(b->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (pipe(b->stop) < 0 || bind(b->listener, (struct sockaddr *)&at, len) < 0 ||
        listen(b->listener, 8) < 0 || getsockname(b->listener, (struct sockaddr *)&at, &len) < 0)
        abort();
    b->port = ntohs(at.sin_port);
    if (pthread_create(&b->thread, NULL, broker_thread, b) != 0)
        abort();
}

static inline void broker_stop(struct broker *b)
{
    close(b->stop[1]);
    shutdown(b->listener, SHUT_RDWR);
    pthread_mutex_lock(&b->lock);
    if (b->fd >= 0)
        shutdown(b->fd, SHUT_RDWR);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    close(b->listener);
    close(b->stop[0]);
    pthread_mutex_destroy(&b->lock);
}
#endif
