/* SPDX-License-Identifier: MIT */
/* From the ring into the streams: nothing lost on the way, and what a line of a thousand devices costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/commit.h"
#include "tests/unit/gateway/home.h"
#include "tests/unit/random.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static const struct rh_source_limits limits = {.payload_bytes = RH_MESSAGE_BYTES, .overhead_bytes = 512};

static struct rh_source *new_source(const struct rh_line_conf *line)
{
    struct rh_source *source = NULL;

    assert_int_equal(rh_source_new(line, -1, false, &source), 0);
    return source;
}

/* One stream for each (QoS, urgency, drop class) of a device that occurs, and no more. */
static void streams_by_kind(void **state)
{
    struct rh_line_conf *line = home_line(3, 6);

    (void)state;
    home_point(line, 1)->qos = 2;
    home_point(line, 2)->class_ = RH_CLASS_URGENT;
    home_point(line, 3)->drop_last = true;
    home_point(line, 4)->class_ = RH_CLASS_SLOW; /* slow is not urgent: with the normal ones */
    struct rh_source *source = new_source(line);
    assert_int_equal(source->n_streams, 4 + 1 + 1);
    assert_int_equal(source->stream_of[0], source->stream_of[4]);
    assert_int_equal(source->stream_of[0], source->stream_of[5]);
    for (uint32_t p = 0; p < 18; p++) {
        const struct rh_stream *stream = &source->streams[source->stream_of[p]];
        assert_int_equal(stream->device->index, p / 6);
        assert_int_equal(stream->qos, line->points[p].qos);
        assert_int_equal(stream->drop_last, line->points[p].drop_last);
        assert_int_equal(stream->urgent, line->points[p].class_ == RH_CLASS_URGENT);
    }
    rh_source_free(source);
    home_line_free(line);
}

static void what_was_taken(void **state)
{
    struct rh_line_conf *line = home_line(2, 2);

    (void)state;
    home_point(line, 3)->class_ = RH_CLASS_URGENT;
    struct rh_source *source = new_source(line);
    assert_int_equal(rh_source_take(source, &limits), RH_TAKE_EMPTY);
    home_push(source, 0, 1, 1000);
    home_push(source, 3, 1, 1001);
    home_push_state(source, 1, true);
    assert_int_equal(rh_source_take(source, &limits), RH_TAKE_READING);
    assert_int_equal(rh_source_take(source, &limits), RH_TAKE_URGENT);
    assert_int_equal(rh_source_take(source, &limits), RH_TAKE_STATE);
    assert_int_equal(rh_source_take(source, &limits), RH_TAKE_EMPTY);
    struct rh_stream *normal = &source->streams[source->stream_of[0]];
    struct rh_stream *urgent = &source->streams[source->stream_of[3]];
    assert_true(rh_stream_due(normal, true) && !rh_stream_due(normal, false));
    assert_true(rh_stream_due(urgent, true) && rh_stream_due(urgent, false));
    assert_int_equal(normal->first_wall_ms, 1000);
    rh_stream_reset(normal);
    assert_false(rh_stream_due(normal, true));
    rh_source_free(source);
    rh_source_free(NULL);
    home_line_free(line);
}

/* A reading that does not fit waits; the one behind it does not overtake. */
static void held_until_there_is_room(void **state)
{
    struct rh_line_conf *line = home_line(2, 1);
    struct rh_source *source = new_source(line);
    struct rh_stream *stream = &source->streams[source->stream_of[0]];
    int64_t n = 0, expected = 0;

    (void)state;
    for (int round = 0; round < 6; round++) {
        struct rh_reading reading;
        size_t offset = 0;

        for (int i = 0; i < 400; i++, n++)
            home_push(source, 0, n, n);
        enum rh_take take;
        while ((take = rh_source_take(source, &limits)) == RH_TAKE_READING)
            continue;
        assert_int_equal(take, RH_TAKE_FULL);
        for (int again = 0; again < 3; again++) /* the store fails meanwhile */
            assert_int_equal(rh_source_take(source, &limits), RH_TAKE_FULL);
        assert_true(rh_stream_due(stream, false));
        while (rh_packed_next(&stream->packed, &offset, &reading))
            assert_int_equal(reading.value.i64, expected++);
        rh_stream_reset(stream);
    }
    for (;;) {
        struct rh_reading reading;
        size_t offset = 0;
        enum rh_take take = rh_source_take(source, &limits);
        while (take == RH_TAKE_READING)
            take = rh_source_take(source, &limits);
        while (rh_packed_next(&stream->packed, &offset, &reading))
            assert_int_equal(reading.value.i64, expected++);
        rh_stream_reset(stream);
        if (take == RH_TAKE_EMPTY)
            break;
    }
    assert_int_equal(expected, n);
    assert_int_equal(rh_ring_dropped(source->ring), 0);
    rh_source_free(source);
    home_line_free(line);
}

/* Whatever kind of readings come: it is the message that is full first, never the memory behind it. */
static void memory_outlasts_the_message(void **state)
{
    uint64_t seed = random_seed("memory_outlasts_the_message");

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct rh_line_conf *line = home_line(1, 1);
        struct rh_source *source = new_source(line);
        size_t most = (size_t)random_below(&seed, RH_TEXT_MAX + 1);

        while (rh_source_take(source, &limits) != RH_TAKE_FULL) {
            if (round % 3 == 0)
                home_push(source, 0, (int64_t)random_next(&seed), 0);
            else
                home_push_text(source, 0, round % 3 == 1 ? most : (size_t)random_below(&seed, most + 1));
        }
        const struct rh_stream *stream = &source->streams[0];
        assert_in_range(stream->payload_bytes, RH_MESSAGE_BYTES - 400, RH_MESSAGE_BYTES);
        assert_true(stream->packed.cap - stream->packed.bytes >= sizeof(struct rh_reading));
        rh_source_free(source);
        home_line_free(line);
    }
}

/* A broker that takes only tiny messages still gets every reading, one by one if need be. */
static void tiny_messages(void **state)
{
    const struct rh_source_limits tiny = {.payload_bytes = 10, .overhead_bytes = 512};
    struct rh_line_conf *line = home_line(1, 1);
    struct rh_source *source = new_source(line);

    (void)state;
    home_push(source, 0, 1, 0);
    home_push(source, 0, 2, 0);
    assert_int_equal(rh_source_take(source, &tiny), RH_TAKE_READING);
    assert_int_equal(rh_source_take(source, &tiny), RH_TAKE_FULL);
    rh_stream_reset(&source->streams[0]);
    assert_int_equal(rh_source_take(source, &tiny), RH_TAKE_READING);
    assert_int_equal(rh_source_take(source, &tiny), RH_TAKE_EMPTY);
    rh_source_free(source);
    home_line_free(line);
}

static void states_and_metas_due(void **state)
{
    struct rh_line_conf *line = home_line(2, 1);
    struct rh_source *source = new_source(line);
    struct rh_source_device *device = &source->devices[1];

    (void)state;
    assert_true(device->meta_due && !device->state_due); /* nothing is known to be said */
    home_push_state(source, 1, false);
    rh_source_take(source, &limits);
    assert_true(device->state_due && device->known == RH_DEVICE_OFFLINE);
    device->state_due = device->meta_due = false;
    home_push_state(source, 1, false);
    rh_source_take(source, &limits);
    assert_false(device->state_due); /* said before */
    home_push_state(source, 1, true);
    rh_source_take(source, &limits);
    assert_true(device->state_due && device->known == RH_DEVICE_ONLINE);
    device->state_due = false;
    rh_source_refresh(source);
    assert_true(device->state_due && device->meta_due);
    assert_false(source->devices[0].state_due);
    rh_source_free(source);
    home_line_free(line);
}

/* KiB of anonymous memory of this process. */
static long anonymous_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char row[256];
    long kib = -1;

    assert_non_null(file);
    while (fgets(row, sizeof(row), file))
        if (sscanf(row, "RssAnon: %ld kB", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

/* A thousand devices of ten points, with readings of some seconds gathered in each stream. */
static void thousand_devices(void **state)
{
    struct rh_line_conf *line = home_line(1000, 10);
    long before = anonymous_kib();
    struct rh_source *source = new_source(line);

    (void)state;
    for (uint32_t d = 0; d < 1000; d++) {
        for (uint32_t p = 0; p < 10; p++)
            home_push(source, d * 10 + p, 1, 0);
        while (rh_source_take(source, &limits) == RH_TAKE_READING)
            continue;
    }
    assert_int_equal(source->n_streams, 1000);
    long used = anonymous_kib() - before;
    printf("%ld KiB for 1000 devices\n", used);
    if (!SANITIZED) /* a sanitizer's allocator has memory of its own */
        assert_in_range(used, 400, 10 * 1024);
    rh_source_free(source);
    home_line_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_by_kind),
        cmocka_unit_test(what_was_taken),
        cmocka_unit_test(held_until_there_is_room),
        cmocka_unit_test(memory_outlasts_the_message),
        cmocka_unit_test(tiny_messages),
        cmocka_unit_test(states_and_metas_due),
        cmocka_unit_test(thousand_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
