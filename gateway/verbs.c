/* SPDX-License-Identifier: MIT */
#include "gateway/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

static void ping(const struct rh_verb_context *context, const struct rh_request *request,
                 struct rh_refusal *outcome)
{
    (void)context;
    (void)request;
    outcome->message[0] = '\0';
}

static void resend_meta(const struct rh_verb_context *context, const struct rh_request *request,
                        struct rh_refusal *outcome)
{
    (void)request;
    context->resend_meta(context->keeper);
    outcome->message[0] = '\0';
}

/* The main thread reloads, as it does for SIGHUP. */
static void reload(const struct rh_verb_context *context, const struct rh_request *request,
                   struct rh_refusal *outcome)
{
    (void)context;
    (void)request;
    kill(getpid(), SIGHUP);
    snprintf(outcome->message, sizeof(outcome->message), "the configuration is being read again");
}

static void log_level(const struct rh_verb_context *context, const struct rh_request *request,
                      struct rh_refusal *outcome)
{
    static const struct {
        const char *name;
        enum rh_log_level level;
    } levels[] = {{"error", RH_LOG_ERROR},
                  {"warning", RH_LOG_WARNING},
                  {"notice", RH_LOG_NOTICE},
                  {"info", RH_LOG_INFO},
                  {"debug", RH_LOG_DEBUG}};

    (void)context;
    for (size_t i = 0; i < RH_COUNT(levels); i++) {
        if (request->value.kind == RH_VALUE_TEXT && strcmp(request->value.text, levels[i].name) == 0) {
            rh_log_level(levels[i].level);
            return;
        }
    }
    outcome->status = RH_STATUS_REJECTED;
    outcome->code = RH_CODE_RANGE;
    snprintf(outcome->message, sizeof(outcome->message),
             "the value is one of error, warning, notice, info, debug");
}

static void store_stat(const struct rh_verb_context *context, const struct rh_request *request,
                       struct rh_refusal *outcome)
{
    const struct rh_store_shared *shared = context->shared;

    (void)request;
    snprintf(outcome->message, sizeof(outcome->message),
             "%lld messages in %lld bytes wait, %llu were dropped", (long long)rh_gauge_get(&shared->backlog),
             (long long)rh_gauge_get(&shared->bytes),
             (unsigned long long)rh_counted(&shared->dropped_batches));
}

static const struct {
    enum rh_verb verb;
    void (*run)(const struct rh_verb_context *context, const struct rh_request *request,
                struct rh_refusal *outcome);
} verbs[] = {
    {RH_VERB_PING, ping},           {RH_VERB_RESEND_META, resend_meta}, {RH_VERB_RELOAD, reload},
    {RH_VERB_LOG_LEVEL, log_level}, {RH_VERB_STORE_STAT, store_stat},
};

void rh_verb_run(const struct rh_verb_context *context, const char *name, const struct rh_request *request,
                 struct rh_refusal *ret_outcome)
{
    *ret_outcome = (struct rh_refusal){.status = RH_STATUS_OK};
    for (size_t i = 0; i < RH_COUNT(verbs); i++) {
        if (strcmp(rh_verb_name(verbs[i].verb), name) != 0)
            continue;
        if (context->commands->verbs & 1U << verbs[i].verb) {
            if (!request->dry_run)
                verbs[i].run(context, request, ret_outcome);
            return;
        }
        *ret_outcome = (struct rh_refusal){.status = RH_STATUS_REJECTED, .code = RH_CODE_READ_ONLY};
        snprintf(ret_outcome->message, sizeof(ret_outcome->message), "[commands] verbs does not allow \"%s\"",
                 name);
        return;
    }
    *ret_outcome = (struct rh_refusal){.status = RH_STATUS_REJECTED, .code = RH_CODE_UNKNOWN};
    snprintf(ret_outcome->message, sizeof(ret_outcome->message), "there is no verb \"%.64s\"", name);
}
