/* SPDX-License-Identifier: MIT */
/* The grammar: lines, comments, quotes, regexes, words, places; and that what is written reads back. */
#include <time.h>

#include "config/words.h"
#include "tests/unit/config/check.h"

struct parsed {
    struct rh_arena *arena;
    struct rh_report report;
    struct rh_ini ini;
};

static struct parsed parse(const char *text, size_t len)
{
    struct parsed parsed = {.arena = rh_arena_new()};

    rh_report_init(&parsed.report);
    rh_ini_parse("f", text, len, parsed.arena, &parsed.report, &parsed.ini);
    return parsed;
}

static void done(struct parsed *parsed)
{
    rh_report_fini(&parsed->report);
    rh_arena_free(parsed->arena);
}

/* The value of the only entry below "[s]". */
static const struct rh_raw *value_of(const struct parsed *parsed)
{
    assert_int_equal(parsed->ini.n, 1);
    assert_int_equal(parsed->ini.sections[0].n, 1);
    return &parsed->ini.sections[0].entries[0].value;
}

static const struct {
    const char *line, *raw;
} values[] = {
    {"k = v", "v"},
    {"k=v", "v"},
    {"k = a b  c\t", "a b  c"},
    {"k = v ; comment", "v"},
    {"k = v # comment \\", "v"},
    {"k = v;no#comment", "v;no#comment"},
    {"k = ; comment", ""},
    {"k = a=b", "a=b"},
    {"k = \"a ; b # c = d\" ; e", "\"a ; b # c = d\""},
    {"k = \"a \\\" ; b\" ; c", "\"a \\\" ; b\""},
    {"k = x=\"a ; b\" ; c", "x=\"a ; b\""},
    {"k = csv 3 \";\"", "csv 3 \";\""},
    {"k = /a # ; = \" b/ ; c", "/a # ; = \" b/"},
    {"k = x=/a ; \\/ b/ y ; c", "x=/a ; \\/ b/ y"},
    {"k = /dev/ttyUSB0 ; it's a/b", "/dev/ttyUSB0"},
    {"k = /dev/serial/by-id/x # c", "/dev/serial/by-id/x"},
    {"k = a \\\n    b", "a b"},
    {"k = a\\\n b\\\r\n\tc ; d \\", "a b c"},
    {"k = \"a\\\n b\"", "\"a b\""},
    {"k = \"a\\\\\"", "\"a\\\\\""},
    {"k = a \\\n ; comment", "a"},
    {"k = a \\", "a"},
    {"k = a\r", "a"},
};

static void lines_and_comments(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(values); i++) {
        char text[200];
        snprintf(text, sizeof(text), "\xEF\xBB\xBF# first\r\n [s]\r\n%s\n", values[i].line);
        struct parsed parsed = parse(text, strlen(text));
        assert_int_equal(parsed.report.n, 0);
        assert_string_equal(rh_raw_text(value_of(&parsed), parsed.arena), values[i].raw);
        done(&parsed);
    }
}

static void places(void **state)
{
    static const char text[] = "\xEF\xBB\xBF[s]\n  key = one \\\n\ttwo \\\n three\n";
    struct parsed parsed = parse(text, strlen(text));
    const struct rh_raw *value = value_of(&parsed);
    struct rh_raw *words;

    (void)state;
    assert_int_equal(parsed.ini.sections[0].place.column, 1);
    assert_int_equal(rh_words_split(value, parsed.arena, &words), 3);
    static const unsigned expected[][2] = {{2, 9}, {3, 2}, {4, 2}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rh_raw_place(&words[i], 0).line, expected[i][0]);
        assert_int_equal(rh_raw_place(&words[i], 0).column, expected[i][1]);
    }
    assert_int_equal(rh_raw_place(&words[2], 4).column, 6);
    done(&parsed);
}

static const struct {
    const char *value;
    const char *words[5]; /* as they are meant */
} splits[] = {
    {"a b\tc", {"a", "b", "c"}},
    {"", {NULL}},
    {"\"a b\" c", {"a b", "c"}},
    {"k=\"a b\"c d", {"k=a bc", "d"}},
    {"/a \\/ b/ c", {"/a \\/ b/", "c"}},
    {"m=/a b/ c", {"m=/a b/", "c"}},
    {"\"\\x41\\t\\\\\\\"\" \"\"", {"A\t\\\"", ""}},
    {"/dev/a /b", {"/dev/a", "/b"}},
};

static void words(void **state)
{
    (void)state;
    for (size_t i = 0; i < RH_COUNT(splits); i++) {
        char text[100];
        struct rh_raw *found;
        snprintf(text, sizeof(text), "[s]\nk = %s\n", splits[i].value);
        struct parsed parsed = parse(text, strlen(text));
        size_t n = rh_words_split(value_of(&parsed), parsed.arena, &found), w = 0;
        for (; w < n; w++) {
            struct rh_plain plain;
            assert_non_null(splits[i].words[w]);
            assert_true(rh_plain_read(&found[w], NULL, parsed.arena, &parsed.report, &plain));
            assert_string_equal(plain.text, splits[i].words[w]);
        }
        assert_null(splits[i].words[w]);
        done(&parsed);
    }
}

static void a_line_of_any_length(void **state)
{
    const size_t len = 3000000;
    char *text = malloc(len + 100);

    (void)state;
    size_t at = (size_t)snprintf(text, len, "[s]\nk = ");
    memset(text + at, 'x', len);
    snprintf(text + at + len, 50, " y\nz = 1\n");
    struct parsed parsed = parse(text, strlen(text));
    assert_int_equal(parsed.report.n, 0);
    assert_int_equal(parsed.ini.sections[0].n, 2);
    assert_int_equal(parsed.ini.sections[0].entries[0].value.len, len + 2);
    assert_int_equal(rh_raw_place(&parsed.ini.sections[0].entries[0].value, len + 1).column, len + 6);
    done(&parsed);
    free(text);
}

static void bytes_that_are_no_text(void **state)
{
    static const char text[] = "[s]\nk = a\0b\nq = \xff\xfe\nr = \r x\ns = ok\n";
    struct parsed parsed = parse(text, sizeof(text) - 1);
    char *said = printed(&parsed.report);

    (void)state;
    assert_string_equal(said, "f:2:6: error: NUL byte: this is not a text file\n"
                              "f:3:5: error: byte 0xff is not valid UTF-8\n"
                              "f:4:5: error: control character 0x0d\n");
    assert_int_equal(parsed.ini.sections[0].n, 4);
    free(said);
    done(&parsed);
}

/* Random texts survive writing and reading, as a word of a row and as a whole value. */
static void what_is_written_reads_back(void **state)
{
    static const char letters[] = "ab \t\"\\{}#;=,/\n\x01\xff\xc3\xa4";
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 4000; round++) {
        char bytes[13], text[200];
        bool quoted[12];
        size_t len = (size_t)rand_r(&seed) % sizeof(quoted);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
            quoted[i] = true;
        }
        bytes[len] = '\0';
        struct rh_arena *arena = rh_arena_new();
        struct rh_plain plain = {.text = bytes, .len = len, .quoted = quoted, .has_quotes = true}, again;
        bool row = round % 2 == 0;
        snprintf(text, sizeof(text), "[s]\nk = %s ; c\n", rh_plain_write(&plain, row, arena));
        struct parsed parsed = parse(text, strlen(text));
        assert_int_equal(parsed.report.n, 0);
        assert_true(rh_plain_read(value_of(&parsed), NULL, parsed.arena, &parsed.report, &again));
        assert_int_equal(again.len, len);
        assert_memory_equal(again.text, bytes, len);
        done(&parsed);
        rh_arena_free(arena);
    }
}

static void ranges(void **state)
{
    static const struct {
        const char *name;
        size_t n;
        const char *last;
    } names[] = {
        {"m{01..12}", 12, "m12"},
        {"m{1..12}", 12, "m12"},
        {"{8..11}a", 4, "11a"},
        {"x{001..2}", 2, "x002"},
        {"a{1..2}b{3..4}", 2, "a2b4"},
        {"plain", 1, "plain"},
        {"a{9..10}", 2, "a10"},
        {"{0..0}", 1, "0"},
        {"a{x..y}", 0, NULL},
        {"a{1..}", 0, NULL},
        {"a{}", 0, NULL},
        {"{1..1001}", 0, NULL},
        {"{1..1000}", 1000, "1000"},
        {"{1..99999999999}", 0, NULL},
        {"a{1..2", 1, "a{1..2"},
    };

    (void)state;
    for (size_t i = 0; i < RH_COUNT(names); i++) {
        char text[100];
        snprintf(text, sizeof(text), "[s]\nk = %s\n", names[i].name);
        struct parsed parsed = parse(text, strlen(text));
        const struct rh_raw *raw = value_of(&parsed);
        assert_int_equal(rh_range_count(raw, &parsed.report), names[i].n);
        assert_int_equal(parsed.report.n, names[i].n == 0);
        if (names[i].n > 0)
            assert_string_equal(rh_range_name(raw, names[i].n - 1, parsed.arena), names[i].last);
        done(&parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_comments),
        cmocka_unit_test(places),
        cmocka_unit_test(words),
        cmocka_unit_test(a_line_of_any_length),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
