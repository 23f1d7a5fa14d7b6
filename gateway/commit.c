/* SPDX-License-Identifier: MIT */
#include "gateway/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "gateway/messages.h"
#include "mqtt/codec.h"

#define SCRATCH_BYTES ((size_t)256 * 1024)
#define TEXT_BYTES (4 * RH_MESSAGE_BYTES) /* the longest message: a meta of very many points */
#define BATCHES_MAX 128
#define TOPIC_BYTES (2 * RH_NAME_MAX + 300)

/* The messages of the commit being made, encoded one behind the other in `scratch`. */
struct rh_commit {
    const char *gateway, *root;
    struct rh_store *store;
    struct rh_commit_counts counts;
    struct rh_batch batches[BATCHES_MAX];
    char topics[BATCHES_MAX][TOPIC_BYTES];
    struct rh_stream *streams[BATCHES_MAX]; /* to be emptied when stored */
    bool *flags[BATCHES_MAX];               /* to be cleared when stored */
    size_t n, bytes, data;
    char *scratch;
};

int rh_commit_new(const char *gateway, const char *root, struct rh_store *store,
                  struct rh_commit **ret_commit)
{
    struct rh_commit *commit = calloc(1, sizeof(*commit));

    if (!commit)
        return -ENOMEM;
    commit->gateway = gateway;
    commit->root = root;
    commit->store = store;
    commit->scratch = malloc(SCRATCH_BYTES);
    if (!commit->scratch) {
        free(commit);
        return -ENOMEM;
    }
    *ret_commit = commit;
    return 0;
}

void rh_commit_free(struct rh_commit *commit)
{
    if (!commit)
        return;
    free(commit->scratch);
    free(commit);
}

static void stored(struct rh_commit *commit)
{
    for (size_t i = 0; i < commit->n; i++) {
        commit->counts.readings += commit->batches[i].readings;
        if (commit->streams[i])
            rh_stream_reset(commit->streams[i]);
        if (commit->flags[i])
            *commit->flags[i] = false;
    }
    commit->counts.batches += commit->n;
    commit->counts.commits++;
}

static int flush(struct rh_commit *commit)
{
    int r = 0;

    if (commit->n > 0)
        r = rh_store_append(commit->store, commit->batches, commit->n);
    if (r == 0 && commit->n > 0)
        stored(commit);
    if (r < 0)
        commit->counts.failed++;
    commit->n = commit->bytes = commit->data = 0;
    return r;
}

/* Makes room for one more message: here, and in the transaction that the store can make. */
static int room(struct rh_commit *commit)
{
    size_t most = rh_store_commit_max(commit->store);

    if (most > SCRATCH_BYTES)
        most = SCRATCH_BYTES;
    if (commit->n < BATCHES_MAX && commit->bytes + TEXT_BYTES <= most)
        return 0;
    return flush(commit);
}

/* The next message's text, to be ended by add(). */
static struct rh_text begin(struct rh_commit *commit)
{
    struct rh_text text;

    rh_assert(SCRATCH_BYTES - commit->bytes >= TEXT_BYTES);
    rh_text_init(&text, commit->scratch + commit->bytes, TEXT_BYTES);
    return text;
}

static struct rh_batch *add(struct rh_commit *commit, const struct rh_text *text)
{
    struct rh_batch *batch = &commit->batches[commit->n];

    *batch = (struct rh_batch){.payload = text->at, .len = text->len, .qos = 1};
    batch->topic = commit->topics[commit->n];
    commit->streams[commit->n] = NULL;
    commit->flags[commit->n] = NULL;
    commit->bytes += text->len + 1;
    commit->n++;
    return batch;
}

static void add_stream(struct rh_commit *commit, const struct rh_source *source, struct rh_stream *stream)
{
    struct rh_text text = begin(commit);
    struct rh_codec_batch batch = {.gateway = commit->gateway,
                                   .device = stream->device->name,
                                   .epoch = rh_store_epoch(commit->store),
                                   .seq = rh_store_next_seq(commit->store) + commit->data,
                                   .points = source->line->points,
                                   .readings = &stream->packed};

    if (!rh_wall_plausible(rh_wall_ms()))
        batch.clock = RH_CLOCK_UNSYNCED;
    bool whole = rh_codecs[0]->encode(&batch, &text);
    rh_assert(whole); /* the stream was closed in time, by the codec's own bounds */
    struct rh_batch *message = add(commit, &text);
    commit->streams[commit->n - 1] = stream;
    commit->data++;
    message->kind = RH_BATCH_DATA;
    message->topic = stream->device->data_topic;
    message->qos = stream->qos;
    message->drop_last = stream->drop_last;
    message->readings = (uint32_t)stream->packed.n;
    message->wall_ms = stream->first_wall_ms;
}

static void add_retained(struct rh_commit *commit, const struct rh_text *text, const char *kind,
                         const char *device, bool *flag)
{
    struct rh_batch *batch = add(commit, text);
    char *topic = commit->topics[commit->n - 1];

    snprintf(topic, TOPIC_BYTES, "%s/%s/%s", commit->root, kind, device);
    commit->flags[commit->n - 1] = flag;
    batch->kind = RH_BATCH_STATE;
    batch->retain = true;
    batch->wall_ms = rh_wall_ms();
}

static void add_state(struct rh_commit *commit, const char *name, struct rh_source_device *device)
{
    struct rh_text text = begin(commit);

    rh_text_put(&text, device->known == RH_DEVICE_ONLINE ? "online" : "offline");
    add_retained(commit, &text, "state", name, &device->state_due);
}

static void add_meta(struct rh_commit *commit, const struct rh_device_conf *conf,
                     struct rh_source_device *device)
{
    struct rh_text text = begin(commit);

    rh_message_meta(&text, commit->gateway, conf);
    if (text.cut) { /* thousands of points: more than any consumer wants in one message */
        rh_log(RH_LOG_WARNING, "keeper", "%s has too many points for a meta message", conf->name);
        device->meta_due = false;
        return;
    }
    add_retained(commit, &text, "meta", conf->name, &device->meta_due);
}

static int add_devices(struct rh_commit *commit, struct rh_source *source)
{
    int r = 0;

    for (size_t d = 0; r == 0 && d < source->line->n_devices; d++) {
        struct rh_source_device *device = &source->devices[d];

        if (device->meta_due && (r = room(commit)) == 0)
            add_meta(commit, &source->line->devices[d], device);
        if (r == 0 && device->state_due && (r = room(commit)) == 0)
            add_state(commit, source->line->devices[d].name, device);
    }
    return r;
}

static int add_streams(struct rh_commit *commit, struct rh_source *source, bool urgent, bool all)
{
    int r = 0;

    for (size_t s = 0; r == 0 && s < source->n_streams; s++) {
        struct rh_stream *stream = &source->streams[s];

        if (stream->urgent == urgent && rh_stream_due(stream, all) && (r = room(commit)) == 0)
            add_stream(commit, source, stream);
    }
    return r;
}

/* Rows fly in the order in which they are stored: the urgent ones of all lines first. */
int rh_commit_sources(struct rh_commit *commit, struct rh_source *sources, bool all)
{
    int r = 0;

    for (struct rh_source *source = sources; source && r == 0; source = source->next)
        r = add_streams(commit, source, true, all);
    for (struct rh_source *source = sources; source && r == 0; source = source->next) {
        r = add_streams(commit, source, false, all);
        if (r == 0 && all)
            r = add_devices(commit, source);
    }
    return r < 0 ? r : flush(commit);
}

int rh_commit_gone(struct rh_commit *commit, const struct rh_source *source)
{
    static const char *const kinds[] = {"state", "meta"};
    int r = 0;

    for (size_t d = 0; r == 0 && d < source->line->n_devices; d++) {
        for (size_t i = 0; source->devices[d].gone && i < RH_COUNT(kinds); i++) {
            if ((r = room(commit)) < 0)
                return r;
            struct rh_text text = begin(commit);
            add_retained(commit, &text, kinds[i], source->line->devices[d].name, NULL);
        }
    }
    return flush(commit);
}

const struct rh_commit_counts *rh_commit_counts(const struct rh_commit *commit)
{
    return &commit->counts;
}
