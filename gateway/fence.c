/* SPDX-License-Identifier: MIT */
#include "gateway/fence.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"

#define PATIENCE_US 10000000

void rh_fence_close(struct rh_fence *fence)
{
    fence->passed = fence->due = false;
    fence->nonce[0] = '\0';
}

void rh_fence_begin(struct rh_fence *fence, int64_t now_us)
{
    snprintf(fence->nonce, sizeof(fence->nonce), "%016llx%016llx", (unsigned long long)now_us,
             (unsigned long long)rh_wall_ms() ^ (unsigned long long)(uintptr_t)fence << 16);
    fence->passed = false;
    fence->due = true;
    fence->since_us = now_us;
}

void rh_fence_arrived(struct rh_fence *fence, const void *payload, size_t len)
{
    if (*fence->nonce && len == strlen(fence->nonce) && memcmp(payload, fence->nonce, len) == 0)
        fence->passed = true;
}

void rh_fence_step(struct rh_fence *fence, struct rh_session *session, const char *root, int64_t now_us)
{
    struct rh_outgoing message = {.qos = 1, .payload = fence->nonce, .len = strlen(fence->nonce)};

    if (fence->due && rh_session_room(session) > 0) {
        snprintf(message.topic, sizeof(message.topic), "%s/cmd/gateway/fence", root);
        fence->due = rh_session_publish(session, &message) != RH_PUBLISH_TAKEN;
    }
    if (!*fence->nonce || fence->passed || fence->told || now_us - fence->since_us <= PATIENCE_US)
        return;
    rh_log(
        RH_LOG_WARNING, "command",
        "the fence on %s/cmd/gateway/fence does not come back (an access rule?): commands without `expires` "
        "are answered `expired`",
        root);
    fence->told = true;
}
