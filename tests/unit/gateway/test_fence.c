/* SPDX-License-Identifier: MIT */
/* The fence, with a session that is the fake below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fence.h"

#define SECOND INT64_C(1000000)

static int room, published;
static enum rh_publish_outcome outcome;
static char sent[64];

int rh_session_room(const struct rh_session *session)
{
    (void)session;
    return room;
}

enum rh_publish_outcome rh_session_publish(struct rh_session *session, const struct rh_outgoing *message)
{
    (void)session;
    assert_string_equal(message->topic, "r/cmd/gateway/fence");
    assert_true(message->qos == 1 && !message->retain && message->row == 0);
    assert_true(message->len > 0 && message->len < sizeof(sent));
    memcpy(sent, message->payload, message->len);
    sent[message->len] = '\0';
    published++;
    return outcome;
}

static void the_echo_opens_it(void **state)
{
    struct rh_fence fence = {0};
    char first[64];

    (void)state;
    outcome = RH_PUBLISH_TAKEN;
    published = room = 0;
    rh_fence_arrived(&fence, "", 0); /* an empty message is nobody's echo */
    assert_false(fence.passed);
    rh_fence_step(&fence, NULL, "r", SECOND);
    rh_fence_begin(&fence, SECOND);
    rh_fence_step(&fence, NULL, "r", SECOND); /* a full window */
    assert_int_equal(published, 0);
    room = 1;
    outcome = RH_PUBLISH_FULL;
    rh_fence_step(&fence, NULL, "r", SECOND);
    outcome = RH_PUBLISH_TAKEN;
    rh_fence_step(&fence, NULL, "r", SECOND);
    rh_fence_step(&fence, NULL, "r", SECOND);
    assert_int_equal(published, 2); /* until it is taken, then no more */
    snprintf(first, sizeof(first), "%s", sent);
    rh_fence_arrived(&fence, first, strlen(first) - 1);
    rh_fence_arrived(&fence, "something else", 14);
    assert_false(fence.passed);
    rh_fence_arrived(&fence, first, strlen(first));
    assert_true(fence.passed);
    /* The next connect: what is queued comes first, the echo of before among it. */
    rh_fence_close(&fence);
    assert_false(fence.passed);
    rh_fence_arrived(&fence, first, strlen(first));
    rh_fence_arrived(&fence, "", 0);
    assert_false(fence.passed);
    rh_fence_step(&fence, NULL, "r", 2 * SECOND);
    assert_int_equal(published, 2); /* not before the session is ready */
    rh_fence_begin(&fence, 2 * SECOND);
    rh_fence_step(&fence, NULL, "r", 2 * SECOND);
    assert_string_not_equal(first, sent);
    rh_fence_arrived(&fence, first, strlen(first));
    assert_false(fence.passed);
    rh_fence_arrived(&fence, sent, strlen(sent));
    assert_true(fence.passed);
}

static void said_once_that_it_does_not_come(void **state)
{
    struct rh_fence fence = {0};

    (void)state;
    room = 1;
    outcome = RH_PUBLISH_TAKEN;
    rh_fence_step(&fence, NULL, "r", 100 * SECOND);
    assert_false(fence.told); /* none is under way */
    rh_fence_begin(&fence, 100 * SECOND);
    rh_fence_step(&fence, NULL, "r", 110 * SECOND);
    assert_false(fence.told);
    rh_fence_step(&fence, NULL, "r", 110 * SECOND + 1);
    assert_true(fence.told);
    rh_fence_begin(&fence, 200 * SECOND);
    assert_true(fence.told); /* nor again after each connect */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_echo_opens_it),
        cmocka_unit_test(said_once_that_it_does_not_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
