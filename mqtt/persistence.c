/* SPDX-License-Identifier: MIT */
/*
 * persistence.c - the library's persistence interface, translated into flights.
 *
 * The library names its records by keys; on MQTT 5 with a "5" before the dash:
 *
 *   s-7    put: PUBLISH 7 is about to leave; removed: it is acknowledged for good
 *   sc-7   put: PUBREL 7 is about to leave, so the PUBREC was seen
 *   r-, q- inbound messages: accepted, not kept; kept.h does that for those that were handed out
 *
 * When a client is made it asks for all keys and reads the PUBLISH of each; whether a PUBREL is to be sent
 * instead it asks by the name of the sc- key. A packet is rebuilt from the stored message (packet.h) instead
 * of being stored twice.
 */
#include "mqtt/persistence.h"

#include <MQTTClientPersistence.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "mqtt/packet.h"

#define KEY_BYTES 16

/* Releases of the library up to 1.3.12 cannot free memory that they have not allocated themselves, and leave
 * it alone; later ones free it, and bring an allocator for the purpose. */
void *MQTTClient_malloc(size_t size) __attribute__((weak));

struct loan {
    struct loan *next;
    max_align_t memory[];
};

struct rh_persistence {
    MQTTClient_persistence plugin;
    struct rh_flight_table *table;
    struct loan *loans; /* memory given to the library to read */
};

static void *lend(struct rh_persistence *persistence, size_t size)
{
    if (MQTTClient_malloc)
        return MQTTClient_malloc(size);
    struct loan *loan = malloc(sizeof(*loan) + size);
    if (!loan)
        return NULL;
    loan->next = persistence->loans;
    persistence->loans = loan;
    return loan->memory;
}

void rh_persistence_reclaim(struct rh_persistence *persistence)
{
    while (persistence->loans) {
        struct loan *next = persistence->loans->next;
        free(persistence->loans);
        persistence->loans = next;
    }
}

enum key_kind { KEY_OTHER, KEY_PUBLISH, KEY_PUBREL };

static enum key_kind parse_key(const char *key, uint16_t *ret_mid)
{
    static const struct {
        const char *prefix;
        enum key_kind kind;
    } rows[] = {
        {"s-", KEY_PUBLISH},
        {"s5-", KEY_PUBLISH},
        {"sc-", KEY_PUBREL},
        {"sc5-", KEY_PUBREL},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        size_t len = strlen(rows[i].prefix);
        uint64_t mid = 0;
        if (strncmp(key, rows[i].prefix, len) != 0 || rh_parse_uint(key + len, &mid) < 0 || mid > UINT16_MAX)
            continue;
        *ret_mid = (uint16_t)mid;
        return rows[i].kind;
    }
    return KEY_OTHER;
}

static int open_(void **handle, const char *client_id, const char *uri, void *context)
{
    (void)client_id;
    (void)uri;
    *handle = context;
    return 0;
}

static int close_(void *handle)
{
    (void)handle;
    return 0;
}

static int put_(void *handle, char *key, int n, char *buffers[], int lens[])
{
    (void)buffers;
    const struct rh_persistence *persistence = handle;
    uint16_t mid = 0;
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += (size_t)lens[i];
    switch (parse_key(key, &mid)) {
    case KEY_PUBLISH:
        return rh_flight_put(persistence->table, mid, bytes);
    case KEY_PUBREL:
        return rh_flight_received(persistence->table, mid);
    case KEY_OTHER:
        break;
    }
    return 0;
}

static int get_(void *handle, char *key, char **ret_buffer, int *ret_len)
{
    struct rh_persistence *persistence = handle;
    struct rh_flight_table *table = persistence->table;
    uint16_t mid = 0;
    struct rh_flight_entry *entry = parse_key(key, &mid) == KEY_PUBLISH ? rh_flight_find(table, mid) : NULL;
    struct rh_outgoing message;
    if (!entry || rh_flight_load(table, &entry->flight, &message) < 0)
        return MQTTCLIENT_PERSISTENCE_ERROR;
    const struct rh_publish_extra *extra = entry->extra.correlation ? &entry->extra : NULL;
    size_t size = rh_packet_size(&message, extra, entry->flight.qos, table->v5);
    *ret_buffer = lend(persistence, size);
    if (!*ret_buffer)
        return MQTTCLIENT_PERSISTENCE_ERROR;
    rh_packet_publish(&message, extra, &entry->flight, message.retain && table->retain, table->v5,
                      *ret_buffer);
    *ret_len = (int)size;
    table->bytes += size - entry->bytes;
    entry->bytes = size;
    return 0;
}

/* The library removes the keys of both protocols, one after the other. */
static int remove_(void *handle, char *key)
{
    const struct rh_persistence *persistence = handle;
    uint16_t mid = 0;
    if (parse_key(key, &mid) == KEY_PUBLISH)
        rh_flight_removed(persistence->table, mid);
    return 0;
}

static int keys_(void *handle, char ***ret_keys, int *ret_n)
{
    struct rh_persistence *persistence = handle;
    struct rh_flight_table *table = persistence->table;
    *ret_keys = NULL;
    *ret_n = 0;
    if (rh_flight_check(table) < 0)
        return MQTTCLIENT_PERSISTENCE_ERROR;
    if (table->n == 0)
        return 0;
    char **keys = lend(persistence, table->n * sizeof(*keys));
    for (size_t i = 0; keys && i < table->n; i++) {
        keys[i] = lend(persistence, KEY_BYTES);
        if (!keys[i])
            return MQTTCLIENT_PERSISTENCE_ERROR;
        snprintf(keys[i], KEY_BYTES, table->v5 ? "s5-%u" : "s-%u", (unsigned)table->at[i].flight.mid);
    }
    *ret_keys = keys;
    *ret_n = keys ? (int)table->n : 0;
    return keys ? 0 : MQTTCLIENT_PERSISTENCE_ERROR;
}

static int clear_(void *handle)
{
    const struct rh_persistence *persistence = handle;
    rh_flight_cleared(persistence->table);
    return 0;
}

static int contains_(void *handle, char *key)
{
    const struct rh_persistence *persistence = handle;
    uint16_t mid = 0;
    enum key_kind kind = parse_key(key, &mid);
    const struct rh_flight_entry *entry = kind == KEY_OTHER ? NULL : rh_flight_find(persistence->table, mid);
    bool there = entry && (kind == KEY_PUBLISH || entry->flight.received);
    return there ? 0 : MQTTCLIENT_PERSISTENCE_ERROR;
}

struct rh_persistence *rh_persistence_new(struct rh_flight_table *table)
{
    struct rh_persistence *persistence = calloc(1, sizeof(*persistence));
    if (!persistence)
        return NULL;
    persistence->table = table;
    persistence->plugin = (MQTTClient_persistence){
        .context = persistence,
        .popen = open_,
        .pclose = close_,
        .pput = put_,
        .pget = get_,
        .premove = remove_,
        .pkeys = keys_,
        .pclear = clear_,
        .pcontainskey = contains_,
    };
    return persistence;
}

void rh_persistence_free(struct rh_persistence *persistence)
{
    if (!persistence)
        return;
    rh_persistence_reclaim(persistence);
    free(persistence);
}

void *rh_persistence_plugin(struct rh_persistence *persistence)
{
    return &persistence->plugin;
}
