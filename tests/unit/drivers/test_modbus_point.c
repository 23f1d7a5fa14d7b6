/* SPDX-License-Identifier: MIT */
/* The grammar of Modbus points, word by word and option by option: what it makes of right ones, and where and
 * how it says what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/modbus.h"

#define WORDS_MAX 8
#define FIRST_COLUMN 5

/* A point as the loader would bring it: words, options, checks; everything stands on line 7. */
struct bench {
    struct rh_report report;
    struct rh_arena *arena;
    struct rh_modbus_device options;
    struct rh_device_conf device;
    struct rh_modbus_address address;
    struct rh_point point;
    bool right;
};

static struct bench bench(void)
{
    struct bench b = {.options = {.unit = 1, .turnaround_ms = 5, .max_read = 125},
                      .point = {.name = "p", .scale = {1, 0}}};
    rh_report_init(&b.report);
    b.arena = rh_arena_new();
    return b;
}

static void fini(struct bench *b)
{
    rh_report_fini(&b->report);
    rh_arena_free(b->arena);
}

static void option(struct bench *b, const char *text, unsigned column)
{
    char key[32];
    size_t len = strcspn(text, "=");
    memcpy(key, text, len);
    key[len] = '\0';
    const struct rh_option *row = rh_option_find(&rh_modbus_point_options, key);
    struct rh_option_value value = {.key = key,
                                    .text = text + len + 1,
                                    .len = strlen(text + len + 1),
                                    .place = {"f.ini", 7, column + (unsigned)len + 1},
                                    .arena = b->arena,
                                    .report = &b->report};
    assert_non_null(row);
    b->right = rh_option_set(row, &b->address, &value) && b->right;
}

/* "holding 40 u16 bits=3:1": words up to the first with '='. */
static void parse(struct bench *b, const char *text)
{
    struct rh_word words[WORDS_MAX];
    char *copy = rh_arena_text(b->arena, text, strlen(text)), *save = NULL;
    const char *options[WORDS_MAX];
    size_t n = 0, n_options = 0;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        struct rh_place place = {"f.ini", 7, FIRST_COLUMN + (unsigned)(word - copy)};
        if (strchr(word, '='))
            options[n_options++] = word;
        else
            words[n++] = (struct rh_word){.text = word, .len = strlen(word), .place = place};
    }
    struct rh_parse_context context = {b->arena, &b->report};
    b->device = (struct rh_device_conf){.name = "d", .options = &b->options, .place = {"f.ini", 3, 1}};
    b->right = rh_modbus_parse_point(words, n, &b->device, &b->point, &b->address, &context);
    for (size_t i = 0; i < n_options; i++)
        option(b, options[i], FIRST_COLUMN + (unsigned)(options[i] - copy));
    b->point.address = &b->address;
    struct rh_place row = {"f.ini", 7, 1};
    b->right = rh_modbus_check_point(&b->point, &b->device, row, &context) && b->right;
}

static void expect_right(struct bench *b, const char *text)
{
    parse(b, text);
    if (b->report.n > 0)
        fail_msg("%s: %s", text, b->report.messages[0].message);
    assert_true(b->right);
}

/* One mistake: its column, a part of its message, and the suggestion. */
static void expect_wrong(struct bench *b, const char *text, unsigned column, const char *part,
                         const char *suggestion)
{
    parse(b, text);
    if (b->report.n != 1)
        fail_msg("%s: %zu messages, first: %s", text, b->report.n,
                 b->report.n ? b->report.messages[0].message : "none");
    const struct rh_message *message = &b->report.messages[0];
    if (b->right || message->severity != RH_ERROR || message->place.column != column ||
        strstr(message->message, part) == NULL)
        fail_msg("%s: at %u: %s", text, message->place.column, message->message);
    if (suggestion == NULL)
        assert_null(message->suggestion);
    else
        assert_string_equal(message->suggestion ? message->suggestion : "none", suggestion);
}

static void words_of_every_kind(void **state)
{
    static const struct {
        const char *text;
        uint8_t function;
        uint16_t address;
        enum rh_type type;
        uint16_t length;
        bool words, bytes, low;
    } rows[] = {
        {"coil 3", 1, 3, RH_TYPE_BIT, 1, false, false, false},
        {"discrete 65535", 2, 65535, RH_TYPE_BIT, 1, false, false, false},
        {"input 0 f32", 4, 0, RH_TYPE_F32, 2, false, false, false},
        {"holding 0x28 s16", 3, 40, RH_TYPE_S16, 1, false, false, false},
        {"holding 40001 u16", 3, 40001, RH_TYPE_U16, 1, false, false, false},
        {"input 52 u32 CDAB", 4, 52, RH_TYPE_U32, 2, true, false, false},
        {"input 52 u64 BADC", 4, 52, RH_TYPE_U64, 4, false, true, false},
        {"input 52 u48 DCBA", 4, 52, RH_TYPE_U48, 3, true, true, false},
        {"holding 7 u8", 3, 7, RH_TYPE_U8, 1, false, false, true},
        {"holding 7 u8 lo", 3, 7, RH_TYPE_U8, 1, false, false, true},
        {"holding 7 s8 hi", 3, 7, RH_TYPE_S8, 1, false, false, false},
        {"00001", 1, 0, RH_TYPE_BIT, 1, false, false, false},
        {"19999", 2, 9998, RH_TYPE_BIT, 1, false, false, false},
        {"30053 u32 CDAB", 4, 52, RH_TYPE_U32, 2, true, false, false},
        {"40001 u16", 3, 0, RH_TYPE_U16, 1, false, false, false},
        {"465536 u16", 3, 65535, RH_TYPE_U16, 1, false, false, false},
        {"holding 65534 f32", 3, 65534, RH_TYPE_F32, 2, false, false, false},
        {"holding 60 str len=8", 3, 60, RH_TYPE_STR, 8, false, false, false},
        {"holding 60 hex BADC len=63", 3, 60, RH_TYPE_HEX, 63, false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct bench b = bench();
        expect_right(&b, rows[i].text);
        assert_int_equal(b.address.function, rows[i].function);
        assert_int_equal(b.address.address, rows[i].address);
        assert_int_equal(b.point.type, rows[i].type);
        assert_int_equal(b.address.type, rows[i].type);
        assert_int_equal(b.address.length, rows[i].length);
        assert_int_equal(b.address.swap_words, rows[i].words);
        assert_int_equal(b.address.swap_bytes, rows[i].bytes);
        assert_int_equal(b.address.low_byte, rows[i].low);
        fini(&b);
    }
}

struct mistake {
    const char *text;
    unsigned column;
    const char *part, *suggestion;
};

static void expect_mistakes(const struct mistake *mistakes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct bench b = bench();
        expect_wrong(&b, mistakes[i].text, mistakes[i].column, mistakes[i].part, mistakes[i].suggestion);
        fini(&b);
    }
}

static void mistakes_in_words(void **state)
{
    static const struct mistake mistakes[] = {
        {"holdng 40 u16", 5, "unknown table", "holding"},
        {"Input 40 u16", 5, "unknown table", "input"},
        {"xyz 40 u16", 5, "unknown table", NULL},
        {"holding", 5, "address is missing", NULL},
        {"holding forty u16", 13, "no address", NULL},
        {"holding 65536 u16", 13, "out of range", NULL},
        {"holding -1 u16", 13, "out of range", NULL},
        {"holding 99999999999999999999 u16", 13, "out of range", NULL},
        {"holding 40", 13, "type is missing", NULL},
        {"holding 40 u61", 16, "unknown type", "u16"},
        {"holding 40 float", 16, "unknown type", "f32"},
        {"holding 40 UINT16", 16, "unknown type", "u16"},
        {"holding 40 F32", 16, "unknown type", "f32"},
        {"holding 40 bit", 16, "bits=", "u16"},
        {"holding 40 time32", 16, "not built yet", NULL},
        {"holding 40 datetime", 16, "not built yet", NULL},
        {"holding 40 u32 CDBA", 20, "unknown order", "CDAB"},
        {"holding 40 u32 cdab", 20, "unknown order", "CDAB"},
        {"holding 40 u8 ABCD", 19, "hi or lo", NULL},
        {"holding 40 u8 LO", 19, "hi or lo", "lo"},
        {"holding 40 u16 hi", 20, "unknown order", NULL},
        {"holding 40 u16 ABCD more", 25, "too much", NULL},
        {"coil 3 u16", 12, "take no type", NULL},
        {"holding 65535 u32", 19, "past the end", NULL},
        {"20001 u16", 5, "no table", NULL},
        {"4001 u16", 5, "no table", NULL},
        {"4000001 u16", 5, "no table", NULL},
        {"40000 u16", 5, "count from 1", NULL},
        {"465537 u16", 5, "count from 1", NULL},
        {"40001", 5, "type is missing", NULL},
    };
    (void)state;
    expect_mistakes(mistakes, RH_COUNT(mistakes));
}

static void mistakes_in_options(void **state)
{
    static const struct mistake mistakes[] = {
        {"holding 40 u16 bits=3", 25, "SHIFT:WIDTH", "3:1"},
        {"holding 40 u16 bits=x:1", 25, "SHIFT:WIDTH", NULL},
        {"holding 40 u16 bits=3:", 25, "SHIFT:WIDTH", NULL},
        {"holding 40 u16 bits=3:0", 25, "does not fit", NULL},
        {"holding 40 u16 bits=16:1", 25, "does not fit", NULL},
        {"holding 40 u16 bits=15:2", 25, "does not fit", NULL},
        {"holding 40 u16 bits=18446744073709551615:2", 25, "does not fit", NULL},
        {"holding 40 f32 bits=3:1", 25, "for integers, not for f32", NULL},
        {"coil 40 bits=3:1", 18, "for integers, not for bit", NULL},
        {"holding 40 u16 len=2", 24, "for str and hex", NULL},
        {"holding 40 str len=126", 24, "1..125", NULL},
        {"holding 40 hex len=64", 24, "1..63", NULL},
        {"holding 40 str len=0", 24, "1..125", NULL},
        {"holding 65530 str len=7", 27, "past the end", NULL},
        {"holding 40 str", 1, "need len=", NULL},
        {"holding 40 u16 invalid=0x8000,x", 35, "raw bits", NULL},
        {"holding 40 u16 invalid=0x8000,", 35, "raw bits", NULL},
        {"holding 40 u16 invalid=0x10000", 28, "does not fit into u16", NULL},
        {"holding 40 u16 invalid=-32769", 28, "does not fit into u16", NULL},
        {"holding 40 u16 invalid=SunSpec", 28, "raw bits", "sunspec"},
        {"holding 40 bcd16 invalid=sunspec", 30, "types of SunSpec", NULL},
        {"holding 40 str invalid=1 len=2", 28, "for numbers", NULL},
        {"coil 40 invalid=1", 21, "for numbers", NULL},
        {"holding 40 f32 scale_reg=41", 30, "for integers", NULL},
        {"holding 40 s16 scale_reg=65536", 30, "0..65535", NULL},
        {"holding 40 s16 scale_reg=165", 1, "126 registers", NULL},
        {"holding 200 s16 scale_reg=75", 1, "126 registers", NULL},
    };
    (void)state;
    expect_mistakes(mistakes, RH_COUNT(mistakes));
}

static void options_do_what_they_say(void **state)
{
    struct bench b = bench();
    (void)state;
    expect_right(&b, "holding 40 s32 bits=30:2 invalid=0x80000000,-1,65535 scale_reg=164");
    assert_int_equal(b.address.shift, 30);
    assert_int_equal(b.address.width, 2);
    assert_int_equal(b.address.n_invalid, 3);
    assert_true(b.address.invalid[0] == 0x80000000 && b.address.invalid[1] == UINT64_MAX);
    assert_true(b.address.invalid[2] == 65535);
    assert_true(b.address.has_scale_reg);
    assert_int_equal(b.address.scale_reg, 164);
    fini(&b);
    b = bench();
    expect_right(&b, "holding 40 u64 bits=0:64 invalid=sunspec,0xFFFFFFFFFFFFFFFE");
    assert_true(b.address.invalid_sunspec);
    assert_true(b.address.invalid[0] == UINT64_MAX - 1);
    fini(&b);
    b = bench();
    char many[] = "holding 0 u16 "
                  "invalid=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                  "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";
    expect_wrong(&b, many, 27, "at most 64", NULL);
    fini(&b);
    many[strlen(many) - 2] = '\0';
    b = bench();
    expect_right(&b, many);
    assert_int_equal(b.address.n_invalid, 64);
    fini(&b);
    b = bench();
    expect_right(&b, "input 0 f32 invalid=-9999,0x7F000000");
    assert_true(b.address.invalid[0] == 0xC61C3C00 && b.address.invalid[1] == 0x7F000000);
    fini(&b);
}

static void bases_of_addresses(void **state)
{
    struct bench b = bench();
    (void)state;
    b.options.base = 1;
    expect_right(&b, "holding 65536 s16 scale_reg=65535");
    assert_int_equal(b.address.address, 65535);
    assert_int_equal(b.address.scale_reg, 65534);
    expect_right(&b, "40001 u16");
    assert_int_equal(b.address.address, 0);
    fini(&b);
    static const struct mistake mistakes[] = {
        {"holding 0 u16", 13, "1..65536 with base=1", NULL},
        {"holding 65537 u16", 13, "1..65536 with base=1", NULL},
        {"holding 1 u16 scale_reg=0", 29, "1..65536", NULL},
    };
    for (size_t i = 0; i < RH_COUNT(mistakes); i++) {
        b = bench();
        b.options.base = 1;
        expect_wrong(&b, mistakes[i].text, mistakes[i].column, mistakes[i].part, NULL);
        fini(&b);
    }
}

static void small_reads(void **state)
{
    struct bench b = bench();
    (void)state;
    b.options.max_read = 1;
    expect_right(&b, "coil 7");
    expect_right(&b, "holding 7 s16 bits=0:1");
    expect_wrong(&b, "holding 7 u32", 1, "takes 2 registers", NULL);
    fini(&b);
    b = bench();
    b.options.max_read = 4;
    expect_wrong(&b, "holding 7 str len=5", 1, "takes 5 registers", NULL);
    fini(&b);
}

static void every_mistake_is_reported(void **state)
{
    struct bench b = bench();
    (void)state;
    parse(&b, "holdng 70000 u61 CDAB more");
    assert_false(b.right);
    assert_int_equal(b.report.n, 4);
    assert_int_equal(b.address.function, 0);
    fini(&b);
    b = bench();
    parse(&b, "holding 7 str invalid=1 bits=9 scale_reg=x");
    assert_int_equal(b.report.n, 4); /* and len is missing */
    fini(&b);
    b = bench();
    parse(&b, "");
    assert_false(b.right);
    assert_int_equal(b.report.messages[0].place.line, 3); /* the device */
    fini(&b);
}

static const struct rh_label labels[] = {{0, "off"}, {1, "on"}};

static void set_scale(struct rh_point *point)
{
    point->scale.exponent = -1;
}

static void set_offset(struct rh_point *point)
{
    point->offset = 1;
}

static void set_labels(struct rh_point *point)
{
    point->labels = labels;
    point->n_labels = RH_COUNT(labels);
}

static void set_scaled_labels(struct rh_point *point)
{
    set_labels(point);
    set_scale(point);
}

static void set_deadband(struct rh_point *point)
{
    point->deadband = 0.5;
}

static void set_min(struct rh_point *point)
{
    point->has_min = true;
}

static void set_crossed(struct rh_point *point)
{
    point->has_min = point->has_max = true;
    point->min = 2;
    point->max = 1;
}

static void set_writable(struct rh_point *point)
{
    point->writable = true;
}

static void what_holds_for_all_together(void **state)
{
    static const struct {
        const char *text;
        void (*set)(struct rh_point *point);
        const char *part; /* NULL: right */
    } rows[] = {
        {"coil 3", set_scale, "a single bit"},
        {"holding 3 u16 bits=3:1", set_offset, "a single bit"},
        {"holding 3 u16 bits=3:2", set_offset, NULL},
        {"holding 3 str len=2", set_scale, "text takes no scale"},
        {"holding 3 hex len=2", set_offset, "text takes no scale"},
        {"holding 3 f32", set_labels, "enum="},
        {"holding 3 str len=2", set_labels, "enum="},
        {"holding 3 u16", set_labels, NULL},
        {"coil 3", set_labels, NULL},
        {"holding 3 u16", set_scaled_labels, "enum= names raw values"},
        {"holding 3 str len=2", set_deadband, "deadband"},
        {"holding 3 u16", set_deadband, NULL},
        {"holding 3 str len=2", set_min, "no min or max"},
        {"holding 3 u16", set_min, NULL},
        {"holding 3 u16", set_crossed, "min is greater than max"},
        {"holding 3 u16", set_writable, NULL},
        {"coil 3", set_writable, NULL},
        {"discrete 3", set_writable, "cannot be written"},
        {"input 3 u16", set_writable, "cannot be written"},
        {"30003 u16", set_writable, "cannot be written"},
        {"holding 3 u16 bits=3:1", set_writable, "not built yet"},
        {"holding 3 u8 hi", set_writable, "u8 and s8 are read-only"},
        {"holding 3 u16 scale_reg=4", set_writable, "read-only"},
        {"holding 3 str len=123", set_writable, NULL},
        {"holding 3 str len=124", set_writable, "123 registers"},
    };
    (void)state;
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        struct bench b = bench();
        rows[i].set(&b.point);
        if (rows[i].part != NULL)
            expect_wrong(&b, rows[i].text, 1, rows[i].part, NULL);
        else
            expect_right(&b, rows[i].text);
        fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_every_kind),       cmocka_unit_test(mistakes_in_words),
        cmocka_unit_test(mistakes_in_options),       cmocka_unit_test(options_do_what_they_say),
        cmocka_unit_test(bases_of_addresses),        cmocka_unit_test(small_reads),
        cmocka_unit_test(every_mistake_is_reported), cmocka_unit_test(what_holds_for_all_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
