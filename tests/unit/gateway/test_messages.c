/* SPDX-License-Identifier: MIT */
/* The small messages, and every string in them, read back by another JSON library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/messages.h"
#include "gateway/version.h"
#include "tests/unit/random.h"

static json_t *parsed(const struct rh_text *text)
{
    json_error_t error;
    json_t *root = json_loadb(text->at, text->len, JSON_REJECT_DUPLICATES, &error);

    assert_false(text->cut);
    if (!root)
        fail_msg("%s: %s", text->at, error.text);
    return root;
}

static const char *string_of(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    assert_non_null(value);
    return value;
}

/* What a string becomes: every byte that is not part of valid UTF-8 is replaced. By code points. */
static size_t repaired(const unsigned char *bytes, size_t len, char *out)
{
    size_t n = 0;

    for (size_t at = 0; at < len;) {
        json_t *valid = NULL;
        size_t take = 0;

        while (!valid && take < 4 && at + take < len)
            valid = json_stringn((const char *)bytes + at, ++take);
        if (valid) {
            memcpy(out + n, bytes + at, take);
            n += take;
            at += take;
        } else {
            memcpy(out + n, "\xEF\xBF\xBD", 3);
            n += 3;
            at++;
        }
        json_decref(valid);
    }
    return n;
}

static void any_string(void **state)
{
    uint64_t seed = random_seed("any_string");

    (void)state;
    for (int i = 0; i < 50000; i++) {
        unsigned char bytes[24];
        char buffer[256], expected[128];
        struct rh_text text;
        size_t len = (size_t)random_below(&seed, sizeof(bytes));

        for (size_t k = 0; k < len; k++)
            bytes[k] =
                (unsigned char)(random_below(&seed, 2) ? random_next(&seed) : 0x80 | random_below(&seed, 64));
        if (i % 3 == 0 && len > 4)
            memcpy(bytes + 1, "\xE2\x82\xAC", 3);
        rh_text_init(&text, buffer, sizeof(buffer));
        rh_text_json(&text, (const char *)bytes, len);
        json_t *value = json_loadb(buffer, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!value)
            fail_msg("not JSON: %s", buffer);
        size_t n = repaired(bytes, len, expected);
        assert_int_equal(json_string_length(value), n);
        assert_memory_equal(json_string_value(value), expected, n);
        json_decref(value);
    }
}

static void status(void **state)
{
    const struct rh_status of = {
        .session = 17, .epoch = "5f3a9c21", .since_wall_ms = 1795163900000, .mqtt = 5, .tls = true};
    char buffer[512];
    struct rh_text text;

    (void)state;
    rh_text_init(&text, buffer, sizeof(buffer));
    rh_message_online(&text, &of);
    json_t *root = parsed(&text);
    assert_string_equal(string_of(root, "state"), "online");
    assert_string_equal(string_of(root, "version"), rh_version);
    assert_string_equal(string_of(root, "epoch"), "5f3a9c21");
    assert_int_equal(json_integer_value(json_object_get(root, "session")), 17);
    assert_int_equal(json_integer_value(json_object_get(root, "since")), 1795163900000);
    assert_int_equal(json_integer_value(json_object_get(root, "mqtt")), 5);
    assert_true(json_is_true(json_object_get(root, "tls")));
    assert_int_equal(rh_message_session(text.at, text.len), 17);
    json_decref(root);

    rh_text_init(&text, buffer, sizeof(buffer));
    rh_message_offline(&text, &of, "lost");
    root = parsed(&text);
    assert_string_equal(string_of(root, "state"), "offline");
    assert_string_equal(string_of(root, "reason"), "lost");
    assert_int_equal(rh_message_session(text.at, text.len), 17);
    json_decref(root);
}

static int64_t session_in(const char *payload)
{
    return rh_message_session(payload, strlen(payload));
}

static void session_of_strangers(void **state)
{
    uint64_t seed = random_seed("session_of_strangers");

    (void)state;
    assert_int_equal(session_in("{\"session\":9223372036854775807}"), INT64_MAX);
    assert_int_equal(session_in("{\"session\":0}"), 0);
    assert_int_equal(session_in("{\"session\":-5}"), -1);
    assert_int_equal(session_in("{\"session\":9223372036854775808}"), -1);
    assert_int_equal(session_in("{\"session\":\"7\"}"), -1);
    assert_int_equal(session_in("{\"session\":7.5}"), -1);
    assert_int_equal(session_in("{\"session\":7,\"session\":8}"), -1);
    assert_int_equal(session_in("{\"session\":7} trailing"), -1);
    assert_int_equal(session_in("[{\"session\":7}]"), -1);
    assert_int_equal(session_in("7"), -1);
    assert_int_equal(session_in("offline"), -1);
    assert_int_equal(session_in(""), -1);
    assert_int_equal(rh_message_session(NULL, 0), -1);
    for (int i = 0; i < 20000; i++) {
        char payload[] = "{\"state\":\"online\",\"session\":17}";
        payload[random_below(&seed, sizeof(payload) - 1)] = (char)random_next(&seed);
        assert_true(session_in(payload) >= -1);
    }
}

static void meta(void **state)
{
    static const struct rh_label modes[] = {{0, "off"}, {1, "auto \"eco\""}, {-1, "fault"}};
    static const struct rh_tag tags[] = {{"site", "K\xC3\xB6ln \\ \"Hall\n1\""}, {"area", ""}};
    static const struct rh_point points[] = {
        {.name = "other", .unit = "", .type = RH_TYPE_BIT},
        {.name = "voltage", .unit = "V", .type = RH_TYPE_F32, .period_ms = 10000, .scale = {1, 0}},
        {.name = "temperature",
         .unit = "\xC2\xB0"
                 "C",
         .type = RH_TYPE_S16,
         .period_ms = RH_PERIOD_FASTEST,
         .has_min = true,
         .min = -40,
         .has_max = true,
         .max = 99.5},
        {.name = "mode", .unit = "", .type = RH_TYPE_U16, .period_ms = 500, .labels = modes, .n_labels = 3},
        {.name = "energy",
         .unit = "Wh",
         .type = RH_TYPE_U64,
         .period_ms = 500,
         .counter = true,
         .has_max = true,
         .max = 1e18},
    };
    const struct rh_line_conf line = {.name = "a", .points = points, .n_points = 5};
    const struct rh_device_conf device = {.name = "m07",
                                          .title = "Chiller \"2\"",
                                          .profile = "",
                                          .address = "7",
                                          .tags = {tags, 2},
                                          .first_point = 1,
                                          .n_points = 4,
                                          .line = &line};
    char buffer[4096];
    struct rh_text text;

    (void)state;
    rh_text_init(&text, buffer, sizeof(buffer));
    rh_message_meta(&text, "hamburg-02", &device);
    json_t *root = parsed(&text), *all = json_object_get(root, "points");
    assert_string_equal(string_of(root, "gw"), "hamburg-02");
    assert_string_equal(string_of(root, "dev"), "m07");
    assert_string_equal(string_of(root, "title"), "Chiller \"2\"");
    assert_null(json_object_get(root, "profile"));
    assert_string_equal(string_of(root, "line"), "a");
    assert_int_equal(json_integer_value(json_object_get(root, "address")), 7);
    assert_string_equal(string_of(json_object_get(root, "tags"), "site"), tags[0].value);
    assert_string_equal(string_of(json_object_get(root, "tags"), "area"), "");
    assert_int_equal(json_object_size(all), 4);
    assert_null(json_object_get(all, "other"));
    json_t *point = json_object_get(all, "voltage");
    assert_string_equal(string_of(point, "type"), "f32");
    assert_string_equal(string_of(point, "unit"), "V");
    assert_int_equal(json_integer_value(json_object_get(point, "period_ms")), 10000);
    assert_null(json_object_get(point, "min"));
    point = json_object_get(all, "temperature");
    assert_true(json_is_null(json_object_get(point, "period_ms")));
    assert_int_equal(json_integer_value(json_object_get(point, "min")), -40);
    assert_true(json_real_value(json_object_get(point, "max")) == 99.5);
    point = json_object_get(all, "mode");
    assert_null(json_object_get(point, "unit"));
    assert_string_equal(string_of(json_object_get(point, "enum"), "1"), "auto \"eco\"");
    assert_string_equal(string_of(json_object_get(point, "enum"), "-1"), "fault");
    point = json_object_get(all, "energy");
    assert_string_equal(string_of(point, "kind"), "counter");
    assert_true(json_number_value(json_object_get(point, "max")) == 1e18);
    json_decref(root);

    struct rh_device_conf other = device;
    other.title = "";
    other.profile = "eastron";
    other.address = "10.0.0.7";
    other.n_points = 0;
    other.tags.n = 0;
    rh_text_init(&text, buffer, sizeof(buffer));
    rh_message_meta(&text, "g", &other);
    root = parsed(&text);
    assert_string_equal(string_of(root, "profile"), "eastron");
    assert_string_equal(string_of(root, "address"), "10.0.0.7");
    assert_null(json_object_get(root, "title"));
    json_decref(root);
    other.address = "";
    rh_text_init(&text, buffer, sizeof(buffer));
    rh_message_meta(&text, "g", &other);
    root = parsed(&text);
    assert_null(json_object_get(root, "address"));
    json_decref(root);
    rh_text_init(&text, buffer, 100);
    rh_message_meta(&text, "g", &device);
    assert_true(text.cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_string),
        cmocka_unit_test(status),
        cmocka_unit_test(session_of_strangers),
        cmocka_unit_test(meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
