/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/batch.h"
#include "gateway/passing.h"

static char buffer[RH_PASSING_BYTES];

static void expect(struct rh_ring *ring, const char *topic, const void *payload, size_t len)
{
    const char *got_topic;
    const void *got;
    size_t got_len;

    assert_true(rh_passing_take(ring, buffer, &got_topic, &got, &got_len));
    assert_string_equal(got_topic, topic);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, payload, len);
}

static void in_and_out(void **state)
{
    struct rh_ring *ring = NULL;
    const char *topic;
    const void *payload;
    static char large[RH_PASSING_BYTES];
    size_t len;

    (void)state;
    memset(large, 'x', sizeof(large));
    assert_int_equal(rh_ring_new(2 * RH_PASSING_BYTES, -1, &ring), 0);
    assert_false(rh_passing_take(ring, buffer, &topic, &payload, &len));
    assert_true(rh_passing_offer(ring, "a/b", "1", 1));
    assert_true(rh_passing_offer(ring, "gone", "", 0));
    assert_true(rh_passing_offer(ring, "nul", "a\0b", 3));
    assert_true(rh_passing_offer(ring, "l", large, sizeof(large) - 2));
    expect(ring, "a/b", "1", 1);
    expect(ring, "gone", "", 0);
    expect(ring, "nul", "a\0b", 3);
    expect(ring, "l", large, sizeof(large) - 2);
    /* What can never be sent counts as said, so that nobody tries it for ever. */
    assert_true(rh_passing_offer(ring, "l", large, sizeof(large) - 1));
    large[RH_TOPIC_MAX] = '\0';
    assert_true(rh_passing_offer(ring, large, "1", 1));
    assert_int_equal(rh_ring_count(ring), 0);
    rh_ring_free(ring);
}

static void full(void **state)
{
    struct rh_ring *ring = NULL;
    char topic[16];
    int n = 0;

    (void)state;
    assert_int_equal(rh_ring_new(4096, -1, &ring), 0);
    for (;; n++) {
        snprintf(topic, sizeof(topic), "t%d", n);
        if (!rh_passing_offer(ring, topic, "12345678", 8))
            break;
        assert_true(n < 1000);
    }
    assert_true(n > 100);
    assert_int_equal(rh_ring_dropped(ring), 0);
    expect(ring, "t0", "12345678", 8); /* none was pushed out */
    assert_true(rh_passing_offer(ring, topic, "12345678", 8));
    for (int i = 1; i <= n; i++) {
        snprintf(topic, sizeof(topic), "t%d", i);
        expect(ring, topic, "12345678", 8);
    }
    rh_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_and_out), cmocka_unit_test(full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
