/* SPDX-License-Identifier: MIT */
/*
 * kept.c - a short list of messages, each as one block of bytes:
 *
 *   | QoS 1 | flags 1 | lengths: topic 2, response topic 2, correlation 2, payload 4 |
 *   | topic | NUL | response topic | NUL | correlation | payload |
 *
 * Lengths are big-endian. A block comes from the store, so it is read with care; one that is not whole is
 * dropped.
 */
#include "mqtt/kept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define KEPT_MAX 256
#define KEPT_BYTES_MAX ((size_t)512 * 1024)
#define HEAD_BYTES 12
#define KEY "a-" /* then a number that rises */

enum { FLAG_RETAIN = 1, FLAG_DUP = 2, FLAG_RESPONSE = 4, FLAG_CORRELATION = 8 };

/* ---- as bytes ---- */

static unsigned char *put_number(unsigned char *at, size_t value, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--)
        *at++ = (unsigned char)(value >> (8 * (i - 1)));
    return at;
}

static size_t get_number(const unsigned char *at, unsigned bytes)
{
    size_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static unsigned char *put_bytes(unsigned char *at, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

static void *encode(const struct rh_arrival *arrival, size_t *ret_len)
{
    const char *response = arrival->response_topic ? arrival->response_topic : "";
    size_t topic_len = strlen(arrival->topic);
    size_t response_len = strlen(response);
    *ret_len = HEAD_BYTES + topic_len + 1 + response_len + 1 + arrival->correlation_len + arrival->len;
    unsigned char *bytes = malloc(*ret_len);
    if (!bytes)
        return NULL;
    bytes[0] = (unsigned char)arrival->qos;
    bytes[1] = (unsigned char)((arrival->retain ? FLAG_RETAIN : 0) | (arrival->dup ? FLAG_DUP : 0) |
                               (arrival->response_topic ? FLAG_RESPONSE : 0) |
                               (arrival->correlation ? FLAG_CORRELATION : 0));
    unsigned char *at = put_number(bytes + 2, topic_len, 2);
    at = put_number(at, response_len, 2);
    at = put_number(at, arrival->correlation_len, 2);
    at = put_number(at, arrival->len, 4);
    at = put_bytes(at, arrival->topic, topic_len + 1);
    at = put_bytes(at, response, response_len + 1);
    at = put_bytes(at, arrival->correlation, arrival->correlation_len);
    put_bytes(at, arrival->payload, arrival->len);
    return bytes;
}

static bool decode(const struct rh_kept_entry *entry, struct rh_arrival *ret_arrival)
{
    const unsigned char *bytes = entry->bytes;
    if (entry->len < HEAD_BYTES)
        return false;
    size_t topic_len = get_number(bytes + 2, 2);
    size_t response_len = get_number(bytes + 4, 2);
    size_t correlation_len = get_number(bytes + 6, 2);
    size_t len = get_number(bytes + 8, 4);
    if (entry->len != HEAD_BYTES + topic_len + 1 + response_len + 1 + correlation_len + len)
        return false;
    const char *topic = (const char *)bytes + HEAD_BYTES;
    const char *response = topic + topic_len + 1;
    if (strnlen(topic, topic_len + 1) != topic_len || strnlen(response, response_len + 1) != response_len)
        return false;
    *ret_arrival = (struct rh_arrival){
        .topic = topic,
        .payload = response + response_len + 1 + correlation_len,
        .len = len,
        .qos = bytes[0],
        .retain = bytes[1] & FLAG_RETAIN,
        .dup = bytes[1] & FLAG_DUP,
        .response_topic = bytes[1] & FLAG_RESPONSE ? response : NULL,
        .correlation = bytes[1] & FLAG_CORRELATION ? response + response_len + 1 : NULL,
        .correlation_len = correlation_len,
    };
    return true;
}

/* ---- the list ---- */

/* Takes the bytes over, or frees them. */
static bool append(struct rh_kept *kept, const char *key, void *bytes, size_t len)
{
    if (!bytes || kept->n == KEPT_MAX || len > KEPT_BYTES_MAX - kept->bytes) {
        free(bytes);
        return false;
    }
    struct rh_kept_entry *entry = &kept->at[kept->n++];
    snprintf(entry->key, sizeof(entry->key), "%s", key);
    entry->bytes = bytes;
    entry->len = len;
    kept->bytes += len;
    return true;
}

static void forget_first(struct rh_kept *kept)
{
    kept->bytes -= kept->at[0].len;
    free(kept->at[0].bytes);
    kept->n--;
    memmove(&kept->at[0], &kept->at[1], kept->n * sizeof(kept->at[0]));
}

static int read_one(struct rh_kept *kept, const char *key)
{
    const void *bytes = NULL;
    size_t len = 0;
    uint64_t number = 0;
    int rc = kept->ops->kept_load(kept->store, key, &bytes, &len);
    void *copy = rc < 0 ? NULL : malloc(len + (len == 0));
    if (!copy)
        return rc < 0 ? rc : -ENOMEM;
    put_bytes(copy, bytes, len);
    if (len > 1)
        ((unsigned char *)copy)[1] |= FLAG_DUP; /* it may have been handed over before that process ended */
    (void)append(kept, key, copy, len);
    if (strncmp(key, KEY, strlen(KEY)) == 0 && rh_parse_uint(key + strlen(KEY), &number) == 0 &&
        number > kept->last)
        kept->last = number;
    return 0;
}

static int read_former(struct rh_kept *kept)
{
    char(*keys)[RH_KEPT_KEY_BYTES] = calloc(KEPT_MAX, sizeof(*keys));
    int n = keys ? kept->ops->kept_list(kept->store, keys, KEPT_MAX) : -ENOMEM;
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc == 0 && i < n; i++)
        rc = read_one(kept, keys[i]);
    free(keys);
    return rc;
}

int rh_kept_open(struct rh_kept *kept, const struct rh_flight_ops *ops, void *store)
{
    *kept = (struct rh_kept){.ops = ops, .store = store};
    kept->at = calloc(KEPT_MAX, sizeof(*kept->at));
    int rc = kept->at ? 0 : -ENOMEM;
    if (rc == 0 && ops->kept_list)
        rc = read_former(kept);
    if (rc < 0)
        rh_kept_close(kept);
    return rc;
}

void rh_kept_close(struct rh_kept *kept)
{
    while (kept->n > 0)
        forget_first(kept);
    free(kept->at);
    kept->at = NULL;
}

bool rh_kept_add(struct rh_kept *kept, const struct rh_arrival *arrival, bool durable)
{
    size_t len = 0;
    void *bytes = encode(arrival, &len);
    char key[RH_KEPT_KEY_BYTES] = "";
    bool stored = durable && kept->ops->keep;
    if (stored)
        snprintf(key, sizeof(key), KEY "%llu", (unsigned long long)++kept->last % 1000000000000ULL);
    if (!append(kept, key, bytes, len))
        return false;
    if (stored)
        (void)kept->ops->keep(kept->store, key, bytes, len);
    return true;
}

bool rh_kept_first(struct rh_kept *kept, struct rh_arrival *ret_arrival)
{
    while (kept->n > 0 && !decode(&kept->at[0], ret_arrival))
        rh_kept_drop_first(kept);
    return kept->n > 0;
}

void rh_kept_drop_first(struct rh_kept *kept)
{
    if (kept->at[0].key[0] && kept->ops->release)
        (void)kept->ops->release(kept->store, kept->at[0].key);
    forget_first(kept);
}
