/* SPDX-License-Identifier: MIT */
/* Format json, to the byte; and on random batches: valid JSON, no key twice, never more bytes than promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mqtt/codec.h"

#define T0 1795163955698

static const struct rh_label modes[] = {{0, "off"}, {1, "auto"}, {-1, "say \"no\""}};

static const struct rh_point points[] = {
    {.name = "voltage", .type = RH_TYPE_F32, .scale = {1, 0}},
    {.name = "energy", .type = RH_TYPE_U32, .scale = {1, -2}},
    {.name = "relay", .type = RH_TYPE_BIT, .scale = {1, 0}},
    {.name = "mode", .type = RH_TYPE_U16, .scale = {1, 0}, .labels = modes, .n_labels = RH_COUNT(modes)},
    {.name = "count", .type = RH_TYPE_U64, .scale = {1, 0}},
    {.name = "signed", .type = RH_TYPE_S64, .scale = {1, 0}},
    {.name = "serial", .type = RH_TYPE_STR, .scale = {1, 0}},
    {.name = "tenths", .type = RH_TYPE_S16, .scale = {1, -1}},
};

struct block {
    _Alignas(8) unsigned char bytes[65536];
    struct rh_packed packed;
};

static void add(struct block *block, uint32_t point, int64_t wall_ms, int quality, struct rh_value value)
{
    struct rh_reading reading = {
        .point = point, .quality = (uint8_t)quality, .detail = 2, .wall_ms = wall_ms, .value = value};
    block->packed.at = block->bytes;
    block->packed.cap = sizeof(block->bytes);
    assert_true(rh_packed_add(&block->packed, &reading));
}

static struct rh_value f32(float value)
{
    return (struct rh_value){.kind = RH_VALUE_F32, .f64 = (double)value};
}

static struct rh_value f64(double value)
{
    return (struct rh_value){.kind = RH_VALUE_F64, .f64 = value};
}

static struct rh_value i64(int64_t value)
{
    return (struct rh_value){.kind = RH_VALUE_I64, .i64 = value};
}

static struct rh_value u64(uint64_t value)
{
    return (struct rh_value){.kind = RH_VALUE_U64, .u64 = value};
}

static struct rh_value boolean(bool value)
{
    return (struct rh_value){.kind = RH_VALUE_BOOL, .boolean = value};
}

static struct rh_value text(const char *string)
{
    struct rh_value value = {.kind = RH_VALUE_TEXT, .text_len = (uint8_t)strlen(string)};
    memcpy(value.text, string, value.text_len);
    return value;
}

static const struct rh_value none;

static const struct rh_codec *json(void)
{
    assert_int_equal(rh_n_codecs, 1);
    assert_string_equal(rh_codecs[0]->name, "json");
    return rh_codecs[0];
}

static struct rh_codec_batch batch_of(const struct block *block)
{
    return (struct rh_codec_batch){.gateway = "hamburg-02",
                                   .device = "m07",
                                   .epoch = "5f3a9c21",
                                   .seq = 812,
                                   .points = points,
                                   .readings = &block->packed};
}

static void expect(const struct block *block, enum rh_clock_state clock, const char *expected)
{
    char buffer[4096];
    struct rh_text payload;
    struct rh_codec_batch batch = batch_of(block);
    batch.clock = clock;
    rh_text_init(&payload, buffer, sizeof(buffer));
    assert_true(json()->encode(&batch, &payload));
    assert_string_equal(buffer, expected);
}

#define HEAD "{\"gw\":\"hamburg-02\",\"dev\":\"m07\",\"epoch\":\"5f3a9c21\",\"seq\":812"

static void test_shape(void **state)
{
    (void)state;
    static struct block block;
    block.packed.n = block.packed.bytes = 0;
    add(&block, 0, T0, RH_GOOD, f32(231.4f));
    add(&block, 1, T0 + 3, RH_GOOD, f64(1201.25));
    add(&block, 2, T0 + 10, RH_GOOD, boolean(true));
    add(&block, 3, T0, RH_GOOD, u64(1));
    add(&block, 0, T0 + 1000, RH_GOOD, f32(231.5f));
    add(&block, 1, T0 + 1000, RH_TIMEOUT, none);
    expect(&block, RH_CLOCK_SYNCED,
           HEAD
           ",\"readings\":[{\"t\":1795163955698,\"v\":{\"voltage\":231.4,\"energy\":1201.25,\"relay\":true,"
           "\"mode\":\"auto\"}},{\"t\":1795163956698,\"v\":{\"voltage\":231.5},\"q\":{\"energy\":\"timeout\"}"
           "}]}");
}

static void test_clock(void **state)
{
    (void)state;
    static struct block block;
    block.packed.n = block.packed.bytes = 0;
    expect(&block, RH_CLOCK_UNSYNCED, HEAD ",\"clock\":\"unsynced\",\"readings\":[]}");
    add(&block, 0, 5, RH_OFFLINE, none);
    expect(&block, RH_CLOCK_ESTIMATED,
           HEAD
           ",\"clock\":\"estimated\",\"readings\":[{\"t\":5,\"v\":{},\"q\":{\"voltage\":\"offline\"}}]}");
}

static void test_scans(void **state)
{
    (void)state;
    static struct block block;
    block.packed.n = block.packed.bytes = 0;
    add(&block, 4, T0, RH_GOOD, u64(1));
    add(&block, 5, T0 + 11, RH_GOOD, i64(2)); /* too late */
    add(&block, 5, T0 + 11, RH_GOOD, i64(3)); /* the same point again */
    add(&block, 4, T0 + 1, RH_GOOD, u64(4));  /* 10 ms before: the same scan */
    add(&block, 4, T0, RH_GOOD, u64(5));
    add(&block, 5, INT64_MIN, RH_GOOD, i64(6));
    expect(
        &block, RH_CLOCK_SYNCED,
        HEAD
        ",\"readings\":[{\"t\":1795163955698,\"v\":{\"count\":1}},{\"t\":1795163955709,\"v\":{\"signed\":2}},"
        "{\"t\":1795163955709,\"v\":{\"signed\":3,\"count\":4}},{\"t\":1795163955698,\"v\":{\"count\":5}},"
        "{\"t\":-9223372036854775808,\"v\":{\"signed\":6}}]}");
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        uint32_t point;
        int quality;
        struct rh_value value;
        const char *expected;
    } rows[] = {
        {4, RH_GOOD, {.kind = RH_VALUE_U64, .u64 = UINT64_MAX}, "{\"count\":18446744073709551615}"},
        {5, RH_GOOD, {.kind = RH_VALUE_I64, .i64 = INT64_MIN}, "{\"signed\":-9223372036854775808}"},
        {7, RH_GOOD, {.kind = RH_VALUE_I64, .i64 = 230}, "{\"tenths\":230.0}"},
        {7, RH_GOOD, {.kind = RH_VALUE_F64, .f64 = 23.1}, "{\"tenths\":23.1}"},
        {1, RH_GOOD, {.kind = RH_VALUE_U64, .u64 = 7}, "{\"energy\":7.0}"},
        {0, RH_GOOD, {.kind = RH_VALUE_F32, .f64 = 230}, "{\"voltage\":230.0}"},
        {2, RH_GOOD, {.kind = RH_VALUE_BOOL, .boolean = false}, "{\"relay\":false}"},
        {3, RH_GOOD, {.kind = RH_VALUE_U64, .u64 = 9}, "{\"mode\":9}"},
        {3, RH_GOOD, {.kind = RH_VALUE_I64, .i64 = -1}, "{\"mode\":\"say \\\"no\\\"\"}"},
        {3, RH_GOOD, {.kind = RH_VALUE_U64, .u64 = UINT64_MAX}, "{\"mode\":18446744073709551615}"},
        {6,
         RH_GOOD,
         {.kind = RH_VALUE_TEXT, .text_len = 4, .text = "a\"\n\x01"},
         "{\"serial\":\"a\\\"\\n\\u0001\"}"},
        {6, RH_GOOD, {.kind = RH_VALUE_TEXT}, "{\"serial\":\"\"}"},
        {0,
         RH_UNCERTAIN,
         {.kind = RH_VALUE_F32, .f64 = 1.5},
         "{\"voltage\":1.5},\"q\":{\"voltage\":\"uncertain\"}"},
        {0, RH_GOOD, {.kind = RH_VALUE_F64, .f64 = NAN}, "{},\"q\":{\"voltage\":\"na\"}"},
        {0, RH_UNCERTAIN, {.kind = RH_VALUE_F32, .f64 = -INFINITY}, "{},\"q\":{\"voltage\":\"na\"}"},
        {0, RH_GOOD, {.kind = RH_VALUE_NONE}, "{},\"q\":{\"voltage\":\"na\"}"},
        {0, RH_EXCEPTION, {.kind = RH_VALUE_NONE}, "{},\"q\":{\"voltage\":\"exception-2\"}"},
        {0, RH_CRC, {.kind = RH_VALUE_F32, .f64 = 1}, "{},\"q\":{\"voltage\":\"crc\"}"},
        {0, RH_INVALID, {.kind = RH_VALUE_NONE}, "{},\"q\":{\"voltage\":\"invalid\"}"},
    };
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        static struct block block;
        char expected[256];
        block.packed.n = block.packed.bytes = 0;
        add(&block, rows[i].point, 1, rows[i].quality, rows[i].value);
        snprintf(expected, sizeof(expected), HEAD ",\"readings\":[{\"t\":1,\"v\":%s}]}", rows[i].expected);
        expect(&block, RH_CLOCK_SYNCED, expected);
    }
}

static void test_cut(void **state)
{
    (void)state;
    static struct block block;
    char buffer[80];
    struct rh_text payload;
    block.packed.n = block.packed.bytes = 0;
    add(&block, 0, T0, RH_GOOD, f32(1));
    struct rh_codec_batch batch = batch_of(&block);
    rh_text_init(&payload, buffer, sizeof(buffer));
    assert_false(json()->encode(&batch, &payload));
    assert_true(payload.cut);
}

/* ---- random batches ---- */

static uint64_t random_state;

static uint64_t draw(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static struct rh_value random_value(void)
{
    double wild = 0;
    uint64_t bits = random_state;
    memcpy(&wild, &bits, sizeof(wild));
    char bytes[RH_TEXT_MAX + 1] = "";
    switch (draw(8)) {
    case 0:
        return i64((int64_t)random_state);
    case 1:
        return u64(random_state);
    case 2:
        return f64(wild);
    case 3:
        return f32((float)(wild > 1e38 || wild < -1e38 ? INFINITY : wild));
    case 4:
        return boolean(draw(2));
    case 5:
        for (size_t i = 0, n = draw(RH_TEXT_MAX); i < n; i++)
            bytes[i] = (char)(1 + draw(draw(2) ? 127 : 255));
        return text(bytes);
    case 6:
        return u64(draw(3));
    default:
        return none;
    }
}

static void check(const struct block *block, size_t promised)
{
    static char buffer[1 << 20];
    struct rh_text payload;
    struct rh_codec_batch batch = batch_of(block);
    batch.clock = (enum rh_clock_state)draw(3);
    batch.seq = random_state;
    promised += json()->overhead(&batch);
    rh_text_init(&payload, buffer, sizeof(buffer));
    assert_true(json()->encode(&batch, &payload));
    assert_true(payload.len <= promised);
    json_error_t error;
    json_t *root = json_loadb(buffer, payload.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (!root)
        fail_msg("%s in %s", error.text, buffer);
    size_t values = 0;
    size_t index;
    json_t *scan;
    json_array_foreach(json_object_get(root, "readings"), index, scan)
    {
        const char *name;
        json_t *quality;
        values += json_object_size(json_object_get(scan, "v"));
        json_object_foreach(json_object_get(scan, "q"), name, quality)
        {
            bool beside = json_object_get(json_object_get(scan, "v"), name) != NULL;
            assert_int_equal(beside, strcmp(json_string_value(quality), "uncertain") == 0);
            values += !beside;
        }
    }
    assert_int_equal(values, block->packed.n); /* every reading is there once, as a value or as a quality */
    json_decref(root);
}

static void test_random(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U | 1;
    printf("seed %llu (SEED=… repeats it)\n", (unsigned long long)seed);
    random_state = seed;
    for (int round = 0; round < 300; round++) {
        static struct block block;
        block.packed.n = block.packed.bytes = 0;
        size_t promised = 0;
        int64_t wall_ms = T0;
        for (size_t i = 0, n = draw(120); i < n; i++) {
            uint32_t point = (uint32_t)draw(RH_COUNT(points));
            int quality = draw(2) ? RH_GOOD : (int)draw(RH_UNSUPPORTED + 1);
            wall_ms += draw(4) ? (int64_t)draw(5) : (int64_t)draw(2000) - 500;
            struct rh_value value = random_value();
            if (value.kind == RH_VALUE_F32 && isnan(value.f64))
                value = none;
            add(&block, point, wall_ms, quality, value);
            struct rh_reading reading = {
                .point = point, .quality = (uint8_t)quality, .wall_ms = wall_ms, .value = value};
            promised += json()->bound(&points[point], &reading);
        }
        check(&block, promised);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),  cmocka_unit_test(test_clock), cmocka_unit_test(test_scans),
        cmocka_unit_test(test_values), cmocka_unit_test(test_cut),   cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
