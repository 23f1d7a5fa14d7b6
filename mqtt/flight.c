/* SPDX-License-Identifier: MIT */
/*
 * flight.c - what becomes of each message on its way, told to the store in time.
 *
 *   put ----------> flying ----------> PUBREC seen ----------> done | refused
 *   before a PUBLISH leaves            before the PUBREL leaves     when the library removes its record
 *
 * The library ignores what a put returns and writes to the socket next. So a record that could not be
 * written stops the socket here, before the packet leaves; the message stays in the store, the flight does
 * not exist, and the session is down.
 *
 * After a reconnect the library sends again, with the same packet ids: PUBLISH where no PUBREC was seen,
 * else PUBREL. A new session on the broker's side takes the former as new messages, so what is acknowledged
 * then is delivered, whatever the verdict. The latter it answers although it may never have delivered
 * anything: for those (`released`) the acknowledgement is held until the verdict, and on a new session they
 * are handed back to fly as new messages. The library goes on waiting for their PUBCOMP: an orphan keeps the
 * packet id until it comes or the connection ends.
 *
 * A refusal (reason code >= 0x80 in PUBACK, PUBREC or PUBCOMP, only on MQTT 5) is told before the record
 * is removed. The library ends the exchange at a refusing PUBREC and removes its record as for success.
 */
#include "mqtt/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/link.h"
#include "mqtt/persistence.h"

#define PACKET_IDS 65535
#define SPARE_ENTRIES 8 /* status messages and orphans beside the window */
#define REASON_NO_SUBSCRIBER 0x10
#define REASON_REFUSED 0x80
#define REASON_ID_NOT_FOUND 0x92

struct rh_flight_entry *rh_flight_find(const struct rh_flight_table *table, uint16_t mid)
{
    for (size_t i = 0; i < table->n; i++) {
        if (table->at[i].flight.mid == mid)
            return &table->at[i];
    }
    return NULL;
}

/* Leaves the order of the others as it is. */
static void drop(struct rh_flight_table *table, struct rh_flight_entry *entry)
{
    size_t i = (size_t)(entry - table->at);
    table->bytes -= entry->bytes;
    free((void *)(uintptr_t)entry->extra.correlation);
    table->n--;
    memmove(entry, entry + 1, (table->n - i) * sizeof(*entry));
}

/* A record could not be written: nothing more may leave on this connection. */
static int stop(struct rh_flight_table *table, int error, const char *deed)
{
    if (table->error == 0) {
        table->error = error;
        table->deed = deed;
    }
    if (table->fd >= 0)
        rh_link_stop(table->fd);
    return error;
}

/* ---- before a packet leaves ---- */

void rh_flight_begin(struct rh_flight_table *table, const struct rh_outgoing *message,
                     const struct rh_publish_extra *extra, int qos)
{
    table->in_hand = message;
    table->extra = extra;
    table->qos = qos;
    table->recorded = false;
}

bool rh_flight_end(struct rh_flight_table *table)
{
    table->in_hand = NULL;
    return table->recorded;
}

static int copy_extra(const struct rh_publish_extra *extra, struct rh_publish_extra *ret_extra)
{
    if (!extra)
        return 0;
    void *copy = malloc(extra->len + (extra->len == 0));
    if (!copy)
        return -ENOMEM;
    if (extra->len > 0)
        memcpy(copy, extra->correlation, extra->len);
    *ret_extra = (struct rh_publish_extra){.correlation = copy, .len = extra->len};
    return 0;
}

int rh_flight_put(struct rh_flight_table *table, uint16_t mid, size_t bytes)
{
    if (rh_flight_find(table, mid))
        return 0; /* sent again: the record is there */
    const struct rh_outgoing *message = table->in_hand;
    if (!message || table->recorded || table->n == table->cap)
        return stop(table, -EPROTO, "named");
    struct rh_flight_entry entry = {.bytes = bytes,
                                    .flight = {.mid = mid, .row = message->row, .qos = table->qos}};
    int rc = copy_extra(table->extra, &entry.extra);
    if (rc == 0 && message->row)
        rc = table->ops->put(table->store, &entry.flight);
    if (rc < 0) {
        free((void *)(uintptr_t)entry.extra.correlation);
        return stop(table, rc, "recorded");
    }
    if (message->row == 0 && message->kind == RH_BATCH_STATE) {
        table->status_mid = mid;
        table->status_done = false;
        table->status_reason = 0;
    }
    table->recorded = true;
    table->at[table->n++] = entry;
    table->bytes += bytes;
    return 0;
}

int rh_flight_received(struct rh_flight_table *table, uint16_t mid)
{
    struct rh_flight_entry *entry = rh_flight_find(table, mid);
    if (!entry)
        return stop(table, -EPROTO, "named");
    if (entry->flight.received || entry->flight.row == 0)
        return 0;
    int rc = table->ops->received(table->store, mid);
    if (rc < 0)
        return stop(table, rc, "recorded as received");
    entry->flight.received = true;
    return 0;
}

/* ---- the end of a flight ---- */

void rh_flight_reason(struct rh_flight_table *table, uint16_t mid, int reason, bool comp)
{
    struct rh_flight_entry *entry = rh_flight_find(table, mid);
    if (!entry)
        return;
    table->counters->no_subscriber += reason == REASON_NO_SUBSCRIBER && entry->flight.row;
    /* "Packet identifier not found" to a PUBREL sent again: the exchange was complete before. */
    bool over = comp && reason == REASON_ID_NOT_FOUND && entry->released;
    entry->reason = over ? 0 : reason;
}

static void finish_status(struct rh_flight_table *table, struct rh_flight_entry *entry)
{
    if (entry->flight.mid == table->status_mid) {
        table->status_done = true;
        table->status_reason = entry->reason >= REASON_REFUSED ? entry->reason : 0;
    }
    drop(table, entry);
}

static void finish(struct rh_flight_table *table, struct rh_flight_entry *entry)
{
    uint16_t mid = entry->flight.mid;
    bool refused = entry->reason >= REASON_REFUSED;
    int rc =
        refused ? table->ops->refused(table->store, mid, entry->reason) : table->ops->done(table->store, mid);
    if (rc < 0) {
        stop(table, rc, "acknowledged");
        return;
    }
    table->counters->refused += refused;
    table->counters->acknowledged += !refused;
    drop(table, entry);
}

void rh_flight_removed(struct rh_flight_table *table, uint16_t mid)
{
    struct rh_flight_entry *entry = rh_flight_find(table, mid);
    if (!entry)
        return;
    if (entry->orphan)
        drop(table, entry);
    else if (entry->flight.row == 0)
        finish_status(table, entry);
    else if (entry->released && table->unsure)
        entry->held = true;
    else
        finish(table, entry);
}

static void hand_back(struct rh_flight_table *table, struct rh_flight_entry *entry)
{
    int rc = table->ops->again(table->store, entry->flight.mid);
    if (rc < 0) {
        stop(table, rc, "handed back");
        return;
    }
    table->counters->resent++;
    if (entry->held)
        drop(table, entry);
    else
        entry->orphan = true;
}

void rh_flight_settle(struct rh_flight_table *table, bool kept)
{
    table->unsure = false;
    for (size_t i = table->n; i > 0; i--) {
        struct rh_flight_entry *entry = &table->at[i - 1];
        bool released = entry->released;
        entry->released = false;
        if (released && !kept)
            hand_back(table, entry);
        else if (entry->held)
            finish(table, entry);
    }
}

/* The library forgets all flights because the session ends with the connection: they are to fly again. */
void rh_flight_cleared(struct rh_flight_table *table)
{
    for (size_t i = table->n; i > 0; i--) {
        struct rh_flight_entry *entry = &table->at[i - 1];
        entry->held = true;
        if (entry->flight.row && !entry->orphan)
            hand_back(table, entry);
        else
            drop(table, entry);
    }
}

/* ---- the next connection ---- */

/* Of a flight that waits for its PUBCOMP only the packet id matters any more. */
int rh_flight_load(struct rh_flight_table *table, const struct rh_flight *flight,
                   struct rh_outgoing *ret_message)
{
    int rc = table->ops->load(table->store, flight->row, ret_message);
    if (rc != -ENOENT || !flight->received)
        return rc;
    *ret_message = (struct rh_outgoing){.row = flight->row, .qos = flight->qos, .topic = "-"};
    return 0;
}

int rh_flight_check(struct rh_flight_table *table)
{
    struct rh_outgoing message;
    for (size_t i = table->n; i > 0; i--) {
        struct rh_flight_entry *entry = &table->at[i - 1];
        int rc = rh_flight_load(table, &entry->flight, &message);
        if (rc == -ENOENT) {
            rc = table->ops->done(table->store, entry->flight.mid);
            drop(table, entry);
        }
        if (rc < 0)
            return stop(table, rc, "read again");
    }
    return 0;
}

void rh_flight_restart(struct rh_flight_table *table, bool v5)
{
    for (size_t i = table->n; i > 0; i--) {
        struct rh_flight_entry *entry = &table->at[i - 1];
        if (entry->flight.row == 0 || entry->orphan) {
            drop(table, entry);
            continue;
        }
        entry->restored = true;
        entry->released = entry->flight.received;
        entry->held = false;
        entry->reason = 0;
    }
    table->v5 = v5;
    table->unsure = true;
    table->fd = -1;
    table->in_hand = NULL;
    table->status_mid = 0;
    table->status_done = false;
    table->status_reason = 0;
    table->error = 0;
}

/* ---- the table ---- */

static int read_former(struct rh_flight_table *table, size_t inflight)
{
    RH_CLEANUP(rh_cleanup_free)
    struct rh_flight *former = calloc(PACKET_IDS, sizeof(*former));
    if (!former)
        return -ENOMEM;
    int n = table->ops->list(table->store, former, PACKET_IDS);
    if (n < 0)
        return n;
    table->cap = (size_t)n + inflight + SPARE_ENTRIES;
    table->at = calloc(table->cap, sizeof(*table->at));
    if (!table->at)
        return -ENOMEM;
    for (int i = 0; i < n; i++)
        table->at[table->n++].flight = former[i];
    return 0;
}

int rh_flight_open(struct rh_flight_table *table, const struct rh_flight_ops *ops, void *store,
                   struct rh_session_counters *counters, size_t inflight)
{
    *table =
        (struct rh_flight_table){.ops = ops, .store = store, .counters = counters, .fd = -1, .retain = true};
    int rc = rh_kept_open(&table->kept, ops, store);
    if (rc == 0)
        rc = read_former(table, inflight);
    table->persistence = rc == 0 ? rh_persistence_new(table) : NULL;
    if (table->persistence)
        return 0;
    rh_flight_close(table);
    return rc < 0 ? rc : -ENOMEM;
}

void rh_flight_close(struct rh_flight_table *table)
{
    rh_persistence_free(table->persistence);
    while (table->n > 0)
        drop(table, &table->at[table->n - 1]);
    free(table->at);
    rh_kept_close(&table->kept);
    table->persistence = NULL;
    table->at = NULL;
}

size_t rh_flight_rows(const struct rh_flight_table *table)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++)
        n += table->at[i].flight.row != 0;
    return n;
}

size_t rh_flight_restored(const struct rh_flight_table *table)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++)
        n += table->at[i].restored && !table->at[i].orphan;
    return n;
}

size_t rh_flight_unanswered(const struct rh_flight_table *table)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++)
        n += !table->at[i].held;
    return n;
}
