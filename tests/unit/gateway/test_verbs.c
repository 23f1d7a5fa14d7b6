/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/verbs.h"

static int resent;
static volatile sig_atomic_t hangups;
static struct rh_commands_conf conf;
static struct rh_store_shared shared;

static void resend_meta(void *keeper)
{
    assert_ptr_equal(keeper, &resent);
    resent++;
}

static void hung_up(int signal)
{
    (void)signal;
    hangups = hangups + 1;
}

static struct rh_refusal run(const char *name, const char *payload)
{
    const struct rh_verb_context context = {
        .commands = &conf, .shared = &shared, .keeper = &resent, .resend_meta = resend_meta};
    struct rh_request request;
    struct rh_refusal outcome;
    char why[128];

    assert_int_equal(rh_request_parse(payload, strlen(payload), &request, why, sizeof(why)), RH_CODE_NONE);
    rh_verb_run(&context, name, &request, &outcome);
    return outcome;
}

static void expect(const char *name, const char *payload, enum rh_command_status status,
                   enum rh_command_code code)
{
    struct rh_refusal outcome = run(name, payload);

    if (outcome.status != status || outcome.code != code)
        fail_msg("%s %s: status %u code %u: %s", name, payload, outcome.status, outcome.code,
                 outcome.message);
}

/* Each verb by its own bit, and by nothing else. */
static void only_what_is_allowed(void **state)
{
    static const char *const payloads[] = {[RH_VERB_PING] = "",
                                           [RH_VERB_RESEND_META] = "",
                                           [RH_VERB_RELOAD] = "",
                                           [RH_VERB_LOG_LEVEL] = "info",
                                           [RH_VERB_STORE_STAT] = ""};

    (void)state;
    for (enum rh_verb verb = 0; verb < RH_VERB_COUNT; verb++) {
        conf.verbs = ~(1U << verb);
        expect(rh_verb_name(verb), payloads[verb], RH_STATUS_REJECTED, RH_CODE_READ_ONLY);
        conf.verbs = 1U << verb;
        expect(rh_verb_name(verb), payloads[verb], RH_STATUS_OK, RH_CODE_NONE);
    }
    assert_int_equal(resent, 1);
    assert_int_equal(hangups, 1);
    conf.verbs = UINT32_MAX;
    expect("nonsense", "", RH_STATUS_REJECTED, RH_CODE_UNKNOWN);
    expect("", "", RH_STATUS_REJECTED, RH_CODE_UNKNOWN);
}

static void a_dry_run_does_nothing(void **state)
{
    (void)state;
    conf.verbs = UINT32_MAX;
    resent = hangups = 0;
    expect("reload", "{\"dry_run\":true}", RH_STATUS_OK, RH_CODE_NONE);
    expect("resend-meta", "{\"dry_run\":true}", RH_STATUS_OK, RH_CODE_NONE);
    assert_int_equal(hangups, 0);
    assert_int_equal(resent, 0);
}

static void log_level(void **state)
{
    (void)state;
    conf.verbs = UINT32_MAX;
    expect("log-level", "debug", RH_STATUS_OK, RH_CODE_NONE);
    expect("log-level", "{\"value\":\"warning\"}", RH_STATUS_OK, RH_CODE_NONE);
    expect("log-level", "", RH_STATUS_REJECTED, RH_CODE_RANGE);
    expect("log-level", "7", RH_STATUS_REJECTED, RH_CODE_RANGE);
    expect("log-level", "{\"value\":4}", RH_STATUS_REJECTED, RH_CODE_RANGE);
}

static void store_stat(void **state)
{
    (void)state;
    conf.verbs = UINT32_MAX;
    rh_gauge_set(&shared.backlog, 12);
    rh_gauge_set(&shared.bytes, 3456);
    struct rh_refusal outcome = run("store-stat", "");
    assert_non_null(strstr(outcome.message, "12 messages"));
    assert_non_null(strstr(outcome.message, "3456 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_allowed),
        cmocka_unit_test(a_dry_run_does_nothing),
        cmocka_unit_test(log_level),
        cmocka_unit_test(store_stat),
    };
    signal(SIGHUP, hung_up);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
