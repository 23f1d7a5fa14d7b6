/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mqtt/topic.h"

static void test_valid(void **state)
{
    (void)state;
    static const char *const good[] = {"a",      "railhead/g/status",  "a//b", "a/",
                                       "$SYS/x", "gr\xc3\xbc\xc3\x9f", " "};
    static const char *const bad[] = {"",      "/a",           "a/+",   "a/#",       "a+b",
                                      "a\x01", "a\n",          "a\x7f", "a\xc2\x85", "\xff",
                                      "a\xc3", "\xed\xa0\x80", "#",     "a\xc0\x80"};
    for (size_t i = 0; i < RH_COUNT(good); i++)
        assert_true(rh_topic_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < RH_COUNT(bad); i++)
        assert_false(rh_topic_valid(bad[i], strlen(bad[i])));
    assert_false(rh_topic_valid("a\0b", 3));

    char *longest = malloc(65536);
    assert_non_null(longest);
    memset(longest, 'x', 65536);
    assert_true(rh_topic_valid(longest, 65535));
    assert_false(rh_topic_valid(longest, 65536));
    free(longest);
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *topic;
        enum rh_topic_kind kind;
        const char *device, *point;
    } rows[] = {
        {"r/g/status", RH_TOPIC_STATUS, "", ""},
        {"r/g/cmd/m07/setpoint/set", RH_TOPIC_SET, "m07", "setpoint"},
        {"r/g/cmd/m07/set", RH_TOPIC_SET, "m07", ""},
        {"r/g/cmd/m07/set/set", RH_TOPIC_SET, "m07", "set"},
        {"r/g/cmd/m07/setpoint/get", RH_TOPIC_GET, "m07", "setpoint"},
        {"r/g/cmd/m07/get", RH_TOPIC_GET, "m07", ""},
        {"r/g/cmd/gateway/ping", RH_TOPIC_VERB, "gateway", "ping"},
        {"r/g/cmd/gateway/set", RH_TOPIC_VERB, "gateway", "set"},
        {"r/g/cmd/gateway/fence", RH_TOPIC_FENCE, "gateway", "fence"},
        {"r/g/cmd/gateway/cpu/get", RH_TOPIC_GET, "gateway", "cpu"},
        {"r/g", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/", RH_TOPIC_OTHER, NULL, NULL},
        {"r/gx/status", RH_TOPIC_OTHER, NULL, NULL},
        {"x/g/status", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/status/x", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/statu", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/data/m07", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/m07", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd//set", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/m07//set", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/m07/set/", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/m 7/set", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/gateway/", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/m07/a/b/set", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/m07/a/write", RH_TOPIC_OTHER, NULL, NULL},
        {"r/g/cmd/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/set", RH_TOPIC_OTHER,
         NULL, NULL},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct rh_topic_parts parts;
        bool ours = rh_topic_parse("r/g", rows[i].topic, strlen(rows[i].topic), &parts);
        assert_int_equal(ours, rows[i].kind != RH_TOPIC_OTHER);
        assert_int_equal(parts.kind, rows[i].kind);
        assert_string_equal(parts.device, rows[i].device ? rows[i].device : "");
        assert_string_equal(parts.point, rows[i].point ? rows[i].point : "");
    }
    struct rh_topic_parts parts;
    assert_false(rh_topic_parse("r/g", "r/g/cmd/m\0x/set", 15, &parts));
}

static void test_join(void **state)
{
    (void)state;
    char buffer[16];
    struct rh_text text;
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_true(rh_topic_join(&text, "r/g", "data/m07"));
    assert_string_equal(buffer, "r/g/data/m07");
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_false(rh_topic_join(&text, "r/g", "data/much-too-long"));
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_false(rh_topic_join(&text, "r/g", "cmd/#"));
    rh_text_init(&text, buffer, sizeof(buffer));
    assert_false(rh_topic_join(&text, "", "status"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
