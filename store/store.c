/* SPDX-License-Identifier: MIT */
/*
 * store.c - opening, and appending in one commit.
 *
 * An append is one transaction: rows, the next seq and the next row number. Seq in memory
 * moves only after the commit, so a failed append leaves no gap. When the page limit is met, the same
 * transaction first drops the oldest rows (bounds.c), and the goal doubles until the rows fit.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/inside.h"
#include "store/notice.h"

static const char *const texts[RH_SQL_STORE_COUNT] = {
    [RH_SQL_STREAM_FIND] =
        "SELECT id FROM stream WHERE uplink = 1 AND topic = ?1 AND qos = ?2 AND retain = ?3"
        " AND drop_last = ?4",
    [RH_SQL_STREAM_ADD] =
        "INSERT INTO stream(uplink, topic, qos, retain, drop_last) VALUES(1, ?1, ?2, ?3, ?4)",
    [RH_SQL_BATCH_ADD] = "INSERT INTO batch(id, stream, seq, n, t0, sum, payload)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [RH_SQL_NOTICE_ADD] = rh_notice_sql_add,
    /* A state of the same topic that is not on its way in this session. */
    [RH_SQL_NOTICE_REPLACE] = "DELETE FROM notice WHERE uplink = 1 AND topic = ?1 AND kind = 1"
                              " AND flying != (SELECT session FROM mark WHERE uplink = 1)"
                              " AND id NOT IN (SELECT row FROM flight WHERE uplink = 1)",
    [RH_SQL_REFUSED_ORPHANS] = "DELETE FROM refused WHERE row >= 1152921504606846976"
                               " AND row NOT IN (SELECT id FROM notice)",
    [RH_SQL_ROW] = rh_notice_sql_next_row,
    [RH_SQL_MARK] = "UPDATE mark SET seq = ?1, row = ?2 WHERE uplink = 1",
    [RH_SQL_PAGES] = "SELECT page_count FROM pragma_page_count",
    [RH_SQL_OLDEST] = "SELECT t0 FROM batch ORDER BY id LIMIT 1",
};

_Static_assert(RH_ROW_NOTICE == INT64_C(1152921504606846976), "as written in the statement above");

/* ---- opening ---- */

static const struct {
    int error;
    const char *text;
} hints[] = {
    {EROFS, "read-only file system; put [store] path on a writable one"},
    {EACCES, "no permission; the directory and the file must belong to the user railhead runs as"},
    {ENOENT, "no such directory; create it, or change [store] path"},
    {ENOTDIR, "a part of the path is not a directory"},
    {EISDIR, "is a directory; [store] path names a file"},
    {ENOSPC, "no space left on the file system"},
    {EBUSY, "another process holds the database"},
};

static int explain(int r, const char *path, char *why, size_t why_cap)
{
    const char *text = strerror(-r);
    for (size_t i = 0; i < RH_COUNT(hints); i++) {
        if (hints[i].error == -r) {
            text = hints[i].text;
        }
    }
    snprintf(why, why_cap, "%s: %s", path, text);
    return r;
}

/* Makes sure that a file is there and ours to write. An existing one is not opened: closing it would drop the
 * locks of this process on it. */
static int touch(const char *path, bool *ret_created)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    *ret_created = fd >= 0;
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (errno != EEXIST) {
        return -errno;
    }
    if (stat(path, &st) < 0 || faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    }
    *ret_created = st.st_size == 0;
    return 0;
}

/* An empty database beside a log with contents has lost its pages; SQLite would throw the log away. */
static bool emptied(const char *path)
{
    char name[PATH_MAX];
    struct stat st;
    int n = snprintf(name, sizeof(name), "%s-wal", path);
    return n > 0 && (size_t)n < sizeof(name) && stat(name, &st) == 0 && st.st_size > 0;
}

/* What may be done before it is clear that the file is ours and sound: reading. */
static int look(struct rh_store *store, struct rh_store_opened *opened, int *ret_version)
{
    store->lost_commits = rh_wal_lost_commits(store->path);
    int r = rh_db_open(&store->db, store->path, store->shared);
    r = r < 0 ? r : rh_schema_inspect(&store->db, ret_version);
    if (r == -EPROTO) {
        opened->newer_schema = *ret_version;
        sqlite3_db_config(store->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    return r < 0 || opened->created ? r : rh_rescue_check(&store->db);
}

static int prepare(struct rh_store *store, int version)
{
    int r = version > 0 ? 0 : rh_schema_layout(&store->db);
    r = r < 0 ? r : rh_bounds_apply(store);
    r = r < 0 ? r : rh_db_configure(&store->db);
    r = r < 0 ? r : rh_schema_migrate(&store->db, version);
    r = r < 0 ? r : rh_drop_prepare(&store->dropper, &store->db);
    return r < 0 ? r : rh_db_prepare(&store->db, texts, RH_SQL_STORE_COUNT, store->sql);
}

static int bring_up(struct rh_store *store, const struct rh_store_options *options,
                    struct rh_store_opened *opened)
{
    int version = 0;
    int r = touch(store->path, &opened->created);
    if (r == 0 && opened->created && emptied(store->path)) {
        r = -EBADMSG;
    }
    r = r < 0 ? r : look(store, opened, &version);
    r = r < 0 ? r : prepare(store, version);
    return r < 0 ? r : rh_identity_load(store, options, opened);
}

static void bring_down(struct rh_store *store)
{
    rh_db_finalize(store->sql, RH_SQL_STORE_COUNT);
    rh_drop_finalize(&store->dropper);
    rh_db_close(&store->db);
}

/* Opens; a damaged file goes aside, a new one takes its place, and what can be read moves over. */
static int open_or_rescue(struct rh_store *store, const struct rh_store_options *options,
                          struct rh_store_opened *opened)
{
    int r = bring_up(store, options, opened);
    if (r != -EBADMSG) {
        return r;
    }
    bring_down(store);
    opened->damaged = true;
    r = rh_rescue_quarantine(store->path, opened);
    r = r < 0 ? r : bring_up(store, options, opened);
    return r < 0 ? r : rh_salvage(store, opened->quarantine, opened);
}

static int explain_open(int r, const struct rh_store *store, const struct rh_store_opened *opened, char *why,
                        size_t why_cap)
{
    if (r == -EPROTO && opened->newer_schema) {
        snprintf(why, why_cap, "%s: written by a newer railhead (schema %d, this one knows %d)", store->path,
                 opened->newer_schema, RH_SCHEMA_VERSION);
        return r;
    }
    if (r == -EBUSY && store->lock < 0) {
        snprintf(why, why_cap, "%s: another railhead uses this store; give each gateway its own [store] path",
                 store->path);
        return r;
    }
    if (r == -EPROTO) {
        snprintf(why, why_cap, "%s: is the database of another program", store->path);
        return r;
    }
    return explain(r, store->path, why, why_cap);
}

int rh_store_open(const struct rh_store_options *options, struct rh_store_shared *shared,
                  struct rh_store **ret_store, struct rh_store_opened *ret_opened, char *why, size_t why_cap)
{
    *ret_opened = (struct rh_store_opened){0};
    struct rh_store *store = calloc(1, sizeof(*store));
    if (!store) {
        return explain(-ENOMEM, options->path, why, why_cap);
    }
    store->shared = shared;
    int n = snprintf(store->path, sizeof(store->path), "%s", options->path);
    store->cap_bytes = rh_bounds_cap(store->path, options->max_size_bytes);
    int r = n > 0 && (size_t)n < sizeof(store->path) ? 0 : -ENAMETOOLONG;
    store->lock = -1;
    r = r < 0 ? r : rh_store_claim(store->path, &store->lock);
    r = r < 0 ? r : open_or_rescue(store, options, ret_opened);
    r = r < 0 ? r : rh_bounds_count(store);
    if (r < 0) {
        explain_open(r, store, ret_opened, why, why_cap);
        rh_store_close(store);
        return r;
    }
    ret_opened->backlog = rh_gauge_get(&shared->backlog);
    rh_store_measure(store);
    *ret_store = store;
    return 0;
}

void rh_store_close(struct rh_store *store)
{
    if (store) {
        bring_down(store);
        rh_cleanup_close(&store->lock);
        free(store);
    }
}

const char *rh_store_epoch(const struct rh_store *store)
{
    return store->epoch;
}

uint64_t rh_store_next_seq(const struct rh_store *store)
{
    return store->next_seq;
}

/* ---- appending ---- */

struct append {
    struct rh_store *store;
    const struct rh_batch *batches;
    size_t n;
    int64_t goal_pages; /* to drop first */
    uint64_t seq;
    int64_t row;
    int64_t replaced;
    struct rh_drop drop;
};

static int find_stream(struct rh_store *store, const struct rh_batch *batch, int64_t *ret_id)
{
    int64_t qos = batch->qos, retain = batch->retain, drop_last = batch->drop_last;
    sqlite3_stmt *find = store->sql[RH_SQL_STREAM_FIND];
    int r = rh_db_step(&store->db, find, "tiii", batch->topic, qos, retain, drop_last);
    if (r == 1) {
        *ret_id = sqlite3_column_int64(find, 0);
        rh_db_end(find);
        return 0;
    }
    if (r == 0) {
        r = rh_db_run(&store->db, store->sql[RH_SQL_STREAM_ADD], "tiii", batch->topic, qos, retain,
                      drop_last);
        *ret_id = sqlite3_last_insert_rowid(store->db.handle);
    }
    return r;
}

static int add_data(struct append *job, const struct rh_batch *batch)
{
    struct rh_store *store = job->store;
    int64_t stream = 0;
    int r = find_stream(store, batch, &stream);
    if (r < 0) {
        return r;
    }
    int64_t row = job->row++;
    uint64_t seq = job->seq++;
    return rh_db_run(&store->db, store->sql[RH_SQL_BATCH_ADD], "iiiiiib", row, stream, (int64_t)seq,
                     (int64_t)batch->readings, batch->wall_ms, rh_row_sum(batch, row, seq), batch->payload,
                     batch->len);
}

static int replace_state(struct append *job, const struct rh_batch *batch)
{
    struct rh_store *store = job->store;
    int r = rh_db_run(&store->db, store->sql[RH_SQL_NOTICE_REPLACE], "t", batch->topic);
    int64_t replaced = r < 0 ? 0 : rh_db_changes(&store->db);
    job->replaced += replaced;
    return r < 0 || replaced == 0 ? r : rh_db_run(&store->db, store->sql[RH_SQL_REFUSED_ORPHANS], "");
}

static int add_notice(struct append *job, const struct rh_batch *batch)
{
    struct rh_store *store = job->store;
    int r = batch->kind == RH_BATCH_STATE ? replace_state(job, batch) : 0;
    if (r < 0) {
        return r;
    }
    int64_t row = RH_ROW_NOTICE | job->row++;
    return rh_notice_add(&store->db, store->sql[RH_SQL_NOTICE_ADD], batch, row);
}

static int append_work(void *context)
{
    struct append *job = context;
    struct rh_store *store = job->store;
    job->seq = store->next_seq;
    job->replaced = 0;
    job->drop = (struct rh_drop){0};
    int r = rh_notice_next_row(&store->db, store->sql[RH_SQL_ROW], &job->row);
    if (r == 0 && job->goal_pages) {
        r = rh_bounds_drop(store, job->goal_pages, &job->drop);
    }
    for (size_t i = 0; r == 0 && i < job->n; i++) {
        const struct rh_batch *batch = &job->batches[i];
        r = batch->kind == RH_BATCH_DATA ? add_data(job, batch) : add_notice(job, batch);
    }
    return r < 0 ? r : rh_db_run(&store->db, store->sql[RH_SQL_MARK], "ii", (int64_t)job->seq, job->row);
}

static int admit(const struct rh_store *store, const struct rh_batch *batches, size_t n, int64_t *ret_pages)
{
    size_t bytes = 0;
    *ret_pages = 8; /* marks, a new stream, inner pages */
    for (size_t i = 0; i < n; i++) {
        if (strlen(batches[i].topic) >= RH_TOPIC_MAX) {
            return -EINVAL;
        }
        bytes += batches[i].len;
        *ret_pages += (int64_t)(batches[i].len / RH_DB_PAGE_BYTES) + 2;
    }
    return bytes > rh_store_commit_max(store) ? -EFBIG : 0;
}

static void committed(struct append *job)
{
    struct rh_store *store = job->store;
    store->next_seq = job->seq;
    int64_t added = (int64_t)job->n - job->replaced;
    atomic_fetch_add_explicit(&store->shared->backlog, added, memory_order_relaxed);
    if (job->goal_pages) {
        rh_drop_committed(&store->dropper, &job->drop);
    }
}

int rh_store_append(struct rh_store *store, const struct rh_batch *batches, size_t n)
{
    struct append job = {.store = store, .batches = batches, .n = n};
    int64_t pages;
    int r = admit(store, batches, n, &pages);
    if (r < 0 || n == 0) {
        return r;
    }
    r = store->shrinking ? rh_bounds_shrink(store) : 0;
    if (r < 0) {
        return r;
    }
    for (;;) {
        r = rh_db_transact(&store->db, RH_DB_DURABLE, append_work, &job);
        atomic_store(&store->shared->dropping, 0);
        if (r != -ENOSPC || store->db.tap.full != RH_FULL_PAGES || job.drop.exhausted) {
            break;
        }
        job.goal_pages = job.goal_pages ? job.goal_pages * 2 : pages;
    }
    if (r == 0) {
        committed(&job);
    }
    return r;
}
