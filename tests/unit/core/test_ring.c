/* SPDX-License-Identifier: MIT */
/* The ring against a plain list, its bell, and two threads that lose nothing that is not counted. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/ring.h"
#include "tests/unit/random.h"

#define DEADLINE_US 20000000

static struct rh_ring *new_ring(size_t bytes, int bell)
{
    struct rh_ring *ring = NULL;

    assert_int_equal(rh_ring_new(bytes, bell, &ring), 0);
    return ring;
}

/* How often the bell was rung since it was last asked. */
static uint64_t rung(int bell)
{
    uint64_t count = 0;

    return read(bell, &count, sizeof(count)) < 0 ? 0 : count;
}

static void fill(unsigned char *bytes, size_t len, uint64_t salt)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(salt * 31 + i * 7);
}

static void bounds(void **state)
{
    struct rh_ring *ring = NULL;
    unsigned char bytes[256] = {0};

    (void)state;
    assert_int_equal(rh_ring_new(0, -1, &ring), -EINVAL);
    assert_null(ring);
    ring = new_ring(64, -1);
    assert_int_equal(rh_ring_pop(ring, bytes, sizeof(bytes)), 0);
    assert_int_equal(rh_ring_push(ring, bytes, 56), 0); /* 8 of header */
    assert_int_equal(rh_ring_push(ring, bytes, 57), 1); /* itself dropped, the other stays */
    assert_int_equal(rh_ring_count(ring), 1);
    assert_int_equal(rh_ring_push(ring, bytes, SIZE_MAX), 1);
    assert_int_equal(rh_ring_push(ring, bytes, SIZE_MAX - 8), 1);
    assert_false(rh_ring_offer(ring, bytes, SIZE_MAX - 3));
    assert_false(rh_ring_offer(ring, bytes, 1));
    assert_int_equal(rh_ring_pop(ring, bytes, 56), 56);
    assert_int_equal(rh_ring_dropped(ring), 3); /* what was refused is the caller's to count */
    rh_ring_free(ring);
    rh_ring_free(NULL);
}

/* The list that the ring is compared with. */
struct model {
    struct {
        size_t len;
        uint64_t salt;
    } at[4096];
    size_t first, n, used, cap;
    uint64_t dropped;
};

static size_t room_for(size_t len)
{
    return 8 + (len + 7) / 8 * 8;
}

static void model_remove(struct model *model)
{
    model->used -= room_for(model->at[model->first % 4096].len);
    model->first++;
    model->n--;
}

static size_t model_push(struct model *model, size_t len, uint64_t salt)
{
    size_t dropped = 0;

    if (room_for(len) > model->cap) {
        dropped = 1;
    } else {
        for (; model->cap - model->used < room_for(len); dropped++)
            model_remove(model);
        model->at[(model->first + model->n) % 4096].len = len;
        model->at[(model->first + model->n) % 4096].salt = salt;
        model->n++;
        model->used += room_for(len);
    }
    model->dropped += dropped;
    return dropped;
}

static void pop_both(struct rh_ring *ring, struct model *model)
{
    unsigned char got[2048], expected[2048];
    size_t len = rh_ring_pop(ring, got, sizeof(got));

    if (model->n == 0) {
        assert_int_equal(len, 0);
        return;
    }
    assert_int_equal(len, model->at[model->first % 4096].len);
    fill(expected, len, model->at[model->first % 4096].salt);
    assert_memory_equal(got, expected, len);
    model_remove(model);
}

static void push_both(struct rh_ring *ring, struct model *model, int bell, uint64_t *seed)
{
    unsigned char bytes[2048];
    size_t most = random_below(seed, 8) ? model->cap / 4 + 1 : model->cap + 16;
    size_t len = 1 + (size_t)random_below(seed, most);
    uint64_t salt = random_next(seed);
    bool was_empty = model->n == 0, taken = room_for(len) <= model->cap;

    fill(bytes, len, salt);
    if (random_below(seed, 3) == 0) {
        taken = room_for(len) <= model->cap - model->used;
        assert_int_equal(rh_ring_offer(ring, bytes, len), taken);
        if (taken)
            assert_int_equal(model_push(model, len, salt), 0);
    } else {
        assert_int_equal(rh_ring_push(ring, bytes, len), model_push(model, len, salt));
    }
    assert_int_equal(rung(bell), was_empty && taken);
}

/* Records of every length, small and large rings, every position of the wrap-around. */
static void like_a_list(void **state)
{
    uint64_t seed = random_seed("like_a_list");
    int bell;

    (void)state;
    assert_int_equal(rh_bell_open(&bell), 0);
    for (int round = 0; round < 60; round++) {
        size_t bytes = 64 + (size_t)random_below(&seed, 1500);
        struct rh_ring *ring = new_ring(bytes, bell);
        struct model model = {.cap = (bytes + 7) / 8 * 8};

        for (int step = 0; step < 3000; step++) {
            if (random_below(&seed, 2))
                push_both(ring, &model, bell, &seed);
            else
                pop_both(ring, &model);
            assert_int_equal(rh_ring_count(ring), model.n);
            assert_int_equal(rh_ring_dropped(ring), model.dropped);
        }
        rh_ring_free(ring);
    }
    close(bell);
}

static void bell_rings_once_per_emptiness(void **state)
{
    unsigned char bytes[100] = {0};
    int bell;

    (void)state;
    assert_int_equal(rh_bell_open(&bell), 0);
    struct rh_ring *ring = new_ring(128, bell);
    rh_ring_push(ring, bytes, 10);
    assert_int_equal(rung(bell), 1);
    rh_ring_push(ring, bytes, 10);
    assert_int_equal(rung(bell), 0);
    assert_int_equal(rh_ring_push(ring, bytes, 100), 2); /* drops both: it was not empty, the bell had rung */
    assert_int_equal(rung(bell), 0);
    assert_false(rh_ring_offer(ring, bytes, 100));
    assert_int_equal(rh_ring_pop(ring, bytes, sizeof(bytes)), 100);
    assert_int_equal(rung(bell), 0);
    rh_ring_push(ring, bytes, 200); /* never inside: nothing to fetch */
    assert_int_equal(rung(bell), 0);
    assert_true(rh_ring_offer(ring, bytes, 1));
    assert_int_equal(rung(bell), 1);
    rh_bell_ring(bell);
    rh_bell_ring(bell);
    rh_bell_clear(bell);
    assert_int_equal(rung(bell), 0);
    rh_bell_clear(bell);
    rh_bell_ring(-1);
    rh_bell_clear(-1);
    rh_ring_free(ring);
    close(bell);
}

/* --- threads --- */

struct record {
    uint32_t producer, len;
    uint64_t number;
    unsigned char rest[240];
};

struct meeting {
    struct rh_ring *ring;
    int bell;
    uint64_t records;
    bool offer, waits;
    atomic_uint producers, done;
    atomic_bool stuck;
    atomic_uint_fast64_t refused;
    uint64_t seed;
};

/* Everything that was pushed is fetched although nothing follows it: no wake-up may be lost. */
static void wait_until_empty(struct meeting *meeting)
{
    int64_t deadline_us = rh_mono_us() + DEADLINE_US;

    while (rh_ring_count(meeting->ring) > 0 && !atomic_load(&meeting->stuck)) {
        if (rh_mono_us() > deadline_us)
            atomic_store(&meeting->stuck, true);
        sched_yield();
    }
}

static void *produce(void *context)
{
    struct meeting *meeting = context;
    struct record record = {.producer = atomic_fetch_add(&meeting->producers, 1)};
    uint64_t seed = meeting->seed + record.producer;

    for (uint64_t i = 0; i < meeting->records && !atomic_load(&meeting->stuck); i++) {
        size_t rest = (size_t)random_below(&seed, sizeof(record.rest) + 1);

        record.number = i;
        record.len = (uint32_t)(offsetof(struct record, rest) + rest);
        fill(record.rest, rest, i);
        if (!meeting->offer)
            rh_ring_push(meeting->ring, &record, record.len);
        else if (!rh_ring_offer(meeting->ring, &record, record.len))
            atomic_fetch_add(&meeting->refused, 1);
        if (meeting->waits && random_below(&seed, 50) == 0)
            wait_until_empty(meeting);
    }
    wait_until_empty(meeting);
    atomic_fetch_add(&meeting->done, 1);
    rh_bell_ring(meeting->bell);
    return NULL;
}

/* Order kept, bytes whole; returns how many came. */
static uint64_t consume(struct meeting *meeting, unsigned producers)
{
    uint64_t next[4] = {0}, came = 0;
    unsigned char expected[240];
    struct record record;

    for (;;) {
        bool last = atomic_load(&meeting->done) == producers;
        size_t len;

        while ((len = rh_ring_pop(meeting->ring, &record, sizeof(record))) > 0) {
            size_t rest = len - offsetof(struct record, rest);

            assert_int_equal(record.len, len);
            assert_true(record.number >= next[record.producer]);
            next[record.producer] = record.number + 1;
            fill(expected, rest, record.number);
            assert_memory_equal(record.rest, expected, rest);
            came++;
        }
        if (last)
            return came;
        struct pollfd fd = {.fd = meeting->bell, .events = POLLIN};
        assert_int_equal(poll(&fd, 1, 2 * DEADLINE_US / 1000), 1);
        rh_bell_clear(meeting->bell);
    }
}

static void meet(unsigned producers, size_t bytes, uint64_t records, bool offer, bool waits)
{
    struct meeting meeting = {.records = records, .offer = offer, .waits = waits};
    pthread_t threads[4];

    meeting.seed = random_seed("meet");
    assert_int_equal(rh_bell_open(&meeting.bell), 0);
    meeting.ring = new_ring(bytes, meeting.bell);
    for (unsigned i = 0; i < producers; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &meeting), 0);
    uint64_t came = consume(&meeting, producers);
    for (unsigned i = 0; i < producers; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&meeting.stuck));
    assert_int_equal(came + rh_ring_dropped(meeting.ring) + atomic_load(&meeting.refused),
                     producers * records);
    if (offer)
        assert_int_equal(rh_ring_dropped(meeting.ring), 0);
    rh_ring_free(meeting.ring);
    close(meeting.bell);
}

static void two_threads(void **state)
{
    (void)state;
    meet(1, 4096, 60000, false, true);
    meet(1, 64 * 1024, 60000, false, false);
    meet(1, 1024, 30000, true, true);
}

static void several_producers(void **state)
{
    (void)state;
    meet(3, 8192, 20000, false, false);
    meet(3, 600, 20000, true, false);
}

static void bugs_end_the_process(void **state)
{
    unsigned char bytes[32] = {0};
    int status = 0;

    (void)state;
    struct rh_ring *ring = new_ring(128, -1);
    rh_ring_push(ring, bytes, 32);
    for (int bug = 0; bug < 2; bug++) {
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGABRT, SIG_DFL);
            if (!freopen("/dev/null", "w", stderr))
                _exit(1);
            if (bug == 0)
                rh_ring_pop(ring, bytes, 31); /* it does not fit into the buffer */
            else
                rh_ring_push(ring, bytes, 0); /* it would look like an empty ring */
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
    rh_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(like_a_list),
        cmocka_unit_test(two_threads),
        cmocka_unit_test(bell_rings_once_per_emptiness),
        cmocka_unit_test(several_producers),
        cmocka_unit_test(bugs_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
