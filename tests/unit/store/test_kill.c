/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at random moments. A child appends, and flies rows at QoS 2, telling the parent through a pipe what
 * it has been promised; the parent kills it, opens the store and compares.
 */
#include "store_test.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 40

/* What the child reports, after the call returned. */
enum promise { APPENDED, PUT, RECEIVED, DONE };

struct word {
    enum promise what;
    uint64_t number; /* seq, or row */
};

static void tell(int fd, enum promise what, uint64_t number)
{
    struct word word = {what, number};
    if (write(fd, &word, sizeof(word)) != (ssize_t)sizeof(word)) {
        _exit(3);
    }
}

static void append_numbered(struct bench *bench, int fd, unsigned n)
{
    char texts[4][24];
    struct rh_batch batches[4];
    uint64_t seq = rh_store_next_seq(bench->store);
    for (unsigned i = 0; i < n; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%llu", (unsigned long long)(seq + i));
        batches[i] = data_batch("rh/data/m1", 2, texts[i]);
    }
    if (rh_store_append(bench->store, batches, n) < 0) {
        _exit(4);
    }
    tell(fd, APPENDED, seq + n - 1);
}

static void fly_one(struct bench *bench, int fd, uint16_t mid)
{
    struct rh_outgoing message;
    if (rh_flights_next(bench->flights, bench->now_us, &message) != 1) {
        return;
    }
    struct rh_flight flight = {.mid = mid, .row = message.row, .qos = 2};
    if (rh_flight_ops.put(bench->flights, &flight) < 0) {
        _exit(5);
    }
    tell(fd, PUT, (uint64_t)message.row);
    if (mid % 3 == 0) {
        return; /* stays on its way */
    }
    if (rh_flight_ops.received(bench->flights, mid) < 0) {
        _exit(6);
    }
    tell(fd, RECEIVED, (uint64_t)message.row);
    if (mid % 3 == 1 && rh_flight_ops.done(bench->flights, mid) == 0) {
        tell(fd, DONE, (uint64_t)message.row);
    }
}

static _Noreturn void child(struct bench *bench, int fd)
{
    struct rh_flight found[1024];
    bench_open(bench);
    int n = rh_flight_ops.list(bench->flights, found, RH_COUNT(found));
    for (int i = 0; i < n; i++) {
        tell(fd, DONE, (uint64_t)found[i].row); /* before: the kill may come between the two */
        rh_flight_ops.done(bench->flights, found[i].mid);
    }
    for (uint16_t mid = 1; mid < 600; mid++) {
        append_numbered(bench, fd, 1 + mid % 4);
        fly_one(bench, fd, mid);
    }
    _exit(0);
}

struct known {
    uint64_t appended;
    uint8_t *state; /* by row: 1 + what */
};

static void hear(int fd, struct known *known)
{
    struct word word;
    while (read(fd, &word, sizeof(word)) == (ssize_t)sizeof(word)) {
        if (word.what == APPENDED) {
            known->appended = word.number;
        } else {
            assert_true(word.number < 400000);
            known->state[word.number] = (uint8_t)(1 + word.what);
        }
    }
}

/* Rows equal seq here: one epoch, data only. */
static void check(struct bench *bench, const struct known *known)
{
    struct rh_outgoing message;
    static struct rh_flight found[1024];
    bench_open(bench);
    assert_false(bench->opened.damaged);
    uint64_t next = rh_store_next_seq(bench->store);
    assert_true(next > known->appended);
    int n = rh_flight_ops.list(bench->flights, found, RH_COUNT(found));
    assert_true(n >= 0);
    for (uint64_t row = 1; row < next; row++) {
        int r = rh_flight_ops.load(bench->flights, (int64_t)row, &message);
        if (known->state[row] < 1 + RECEIVED) {
            assert_int_equal(r, 0); /* committed, and not acknowledged as far as was said */
            char number[32];        /* the payload has no end of its own */
            snprintf(number, sizeof(number), "%.*s", (int)message.len, (const char *)message.payload);
            assert_int_equal(strtoull(number, NULL, 10), row);
        }
        const struct rh_flight *flight = NULL;
        for (int i = 0; i < n; i++) {
            flight = (uint64_t)found[i].row == row ? &found[i] : flight;
        }
        if (known->state[row] == 1 + PUT) {
            assert_non_null(flight);
        }
        /* The row and its record stay and go together. */
        if (known->state[row] == 1 + RECEIVED) {
            assert_int_equal(flight != NULL, r == 0);
            assert_true(!flight || flight->received);
        }
    }
    bench_close(bench);
}

static void nothing_committed_is_lost(void **state)
{
    struct bench *bench = *state;
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    const char *given = getenv("RAILHEAD_SEED");
    seed = given ? (unsigned)strtoul(given, NULL, 10) : seed;
    print_message("seed %u\n", seed);
    struct known known = {.state = calloc(400000, 1)};
    assert_non_null(known.state);
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            child(bench, fds[1]);
        }
        close(fds[1]);
        struct timespec pause = {.tv_nsec = 1000000L * (rand_r(&seed) % 60)};
        nanosleep(&pause, NULL); /* the moment of the kill is the random thing here */
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        hear(fds[0], &known);
        close(fds[0]);
        check(bench, &known);
    }
    print_message("%d kills, %llu batches\n", ROUNDS, (unsigned long long)known.appended);
    assert_true(known.appended > 0);
    free(known.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_committed_is_lost, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
