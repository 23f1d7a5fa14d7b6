/* SPDX-License-Identifier: MIT */
/*
 * ini.c - three steps: bytes are checked, physical lines are joined to logical ones, logical lines are
 * sections or entries. A mistake never hides the next: bad bytes are read as '?', a broken header
 * still opens its section.
 */
#include "config/ini.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *file;
    char *text; /* checked copy */
    size_t len, at;
    unsigned line; /* of text[at] */
    struct rh_arena *arena;
    struct rh_report *report;
};

/* Arrays that grow inside the arena: what is outgrown stays until the arena goes. */
static void *room_for_one(struct rh_arena *arena, const void *array, size_t n, size_t size)
{
    if (n != 0 && (n & (n - 1)) != 0)
        return (void *)(uintptr_t)array;
    void *grown = rh_arena_alloc(arena, (n ? 2 * n : 1) * size);
    if (n > 0)
        memcpy(grown, array, n * size);
    return grown;
}

bool rh_ini_blank(char c)
{
    return c == ' ' || c == '\t';
}

size_t rh_ini_regex_length(const char *text, size_t len)
{
    if (len < 3 || text[0] != '/' || text[1] == '/')
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '/')
            return i + 1 == len || rh_ini_blank(text[i + 1]) ? i + 1 : 0;
    }
    return 0;
}

/* --- bytes --- */

static void report_byte(const struct reader *reader, unsigned line, size_t column, unsigned char byte)
{
    struct rh_place place = {reader->file, line, (unsigned)column};

    if (byte == 0)
        rh_report_error(reader->report, place, NULL, "NUL byte: this is not a text file");
    else if (byte < 0x80)
        rh_report_error(reader->report, place, NULL, "control character 0x%02x", byte);
    else
        rh_report_error(reader->report, place, NULL, "byte 0x%02x is not valid UTF-8", byte);
}

static bool allowed(const char *text, size_t i, size_t len)
{
    unsigned char c = (unsigned char)text[i];

    return (c >= ' ' && c != 127) || c == '\t' || c == '\n' ||
           (c == '\r' && (i + 1 == len || text[i + 1] == '\n'));
}

/* One bad byte is reported per line: a binary file has enough lines. */
static void check_bytes(const struct reader *reader)
{
    unsigned line = 1, reported = 0;
    size_t line_start = reader->at, valid_to = line_start;

    for (size_t i = reader->at; i < reader->len; i++) {
        if (i == valid_to)
            valid_to = i + rh_utf8_valid(reader->text + i, reader->len - i);
        if (i >= valid_to || !allowed(reader->text, i, reader->len)) {
            if (reported != line)
                report_byte(reader, line, i - line_start + 1, (unsigned char)reader->text[i]);
            reported = line;
            if (i >= valid_to)
                valid_to = i + 1;
            reader->text[i] = '?';
        } else if (reader->text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
}

/* --- lines --- */

#define NOT_QUOTED SIZE_MAX

/* Length of what stands at line[i] and is read as one: a regex, an escape, or a character. */
static size_t step(const char *line, size_t len, size_t i, size_t *quote)
{
    size_t regex = 0;

    if (line[i] == '"') {
        *quote = *quote == NOT_QUOTED ? i : NOT_QUOTED;
        return 1;
    }
    if (*quote != NOT_QUOTED)
        return line[i] == '\\' ? 2 : 1;
    if (line[i] == '/' && i > 0 && (rh_ini_blank(line[i - 1]) || line[i - 1] == '='))
        regex = rh_ini_regex_length(line + i, len - i);
    return regex > 0 ? regex : 1;
}

/* How much of a physical line counts: up to its comment or its final backslash. */
static size_t scan_line(const char *line, size_t len, size_t *quote, bool *ret_continues)
{
    size_t i = 0;

    *ret_continues = false;
    while (i < len) {
        bool comment = line[i] == '#' || line[i] == ';';

        if (line[i] == '\\' && i + 1 == len) {
            *ret_continues = true;
            return i;
        }
        if (comment && *quote == NOT_QUOTED && (i == 0 || rh_ini_blank(line[i - 1])))
            return i;
        i += step(line, len, i, quote);
    }
    return len;
}

struct joined {
    char *text;
    size_t len, cap;
    struct rh_ini_piece *pieces;
    size_t n_pieces;
};

static void join(const struct reader *reader, struct joined *joined, const char *bytes, size_t len,
                 size_t column)
{
    if (joined->len + len + 2 > joined->cap) {
        size_t cap = 2 * (joined->len + len + 2);
        char *text = rh_arena_alloc(reader->arena, cap);
        if (joined->len > 0)
            memcpy(text, joined->text, joined->len);
        joined->text = text;
        joined->cap = cap;
    }
    joined->pieces = room_for_one(reader->arena, joined->pieces, joined->n_pieces, sizeof(*joined->pieces));
    joined->pieces[joined->n_pieces++] =
        (struct rh_ini_piece){joined->len, reader->line, (unsigned)column + 1};
    memcpy(joined->text + joined->len, bytes, len);
    joined->len += len;
}

/* Outside quotes the joint of two lines is one blank; inside it is nothing. */
static void joint(struct joined *joined)
{
    while (joined->len > 0 && rh_ini_blank(joined->text[joined->len - 1]))
        joined->len--;
    joined->text[joined->len++] = ' ';
}

static size_t leading_blanks(const char *line, size_t len)
{
    size_t n = 0;

    while (n < len && rh_ini_blank(line[n]))
        n++;
    return n;
}

/* The physical line at the reader without its end; the reader moves on. */
static const char *take_physical(struct reader *reader, size_t *ret_len)
{
    const char *line = reader->text + reader->at;
    const char *end = memchr(line, '\n', reader->len - reader->at);
    size_t len = end ? (size_t)(end - line) : reader->len - reader->at;

    reader->at += len + (end != NULL);
    *ret_len = len > 0 && line[len - 1] == '\r' ? len - 1 : len;
    return line;
}

/* Joins the next physical line; true if the logical line goes on after it. `quote` is the column where an
 * open quote began in the line last read, `open` its place. */
static bool join_physical(struct reader *reader, struct joined *joined, size_t *quote, struct rh_place *open)
{
    size_t len;
    const char *line = take_physical(reader, &len);
    bool was_quoted = *quote != NOT_QUOTED, more;
    size_t skip = joined->n_pieces > 0 && !was_quoted ? leading_blanks(line, len) : 0;

    if (was_quoted)
        *quote = 0;
    size_t used = scan_line(line, len, quote, &more);
    if (*quote != NOT_QUOTED && (!was_quoted || *quote > 0))
        *open = (struct rh_place){reader->file, reader->line, (unsigned)*quote + 1};
    join(reader, joined, line + skip, used > skip ? used - skip : 0, skip);
    if (more && *quote == NOT_QUOTED)
        joint(joined);
    reader->line++;
    return more && reader->at < reader->len;
}

/* The next logical line; NULL at the end of the text. */
static const struct rh_ini_line *next_line(struct reader *reader)
{
    struct joined joined = {0};
    size_t quote = NOT_QUOTED;
    struct rh_place open = {0};

    if (reader->at >= reader->len)
        return NULL;
    while (join_physical(reader, &joined, &quote, &open))
        ;
    if (quote != NOT_QUOTED)
        rh_report_error(reader->report, open, NULL, "the quote that begins here is not closed on this line");
    struct rh_ini_line *result = rh_arena_alloc(reader->arena, sizeof(*result));
    joined.text[joined.len] = '\0';
    *result = (struct rh_ini_line){reader->file, joined.text, joined.len, joined.pieces, joined.n_pieces};
    return result;
}

/* --- sections and entries --- */

struct builder {
    struct rh_ini_section *sections;
    size_t n;
    bool stray_reported; /* keys before the first section */
};

static struct rh_raw next_name(const struct rh_raw *inner, size_t *at)
{
    const char *text = rh_raw_at(inner);

    while (*at < inner->len && rh_ini_blank(text[*at]))
        ++*at;
    size_t start = *at;
    while (*at < inner->len && !rh_ini_blank(text[*at]))
        ++*at;
    return rh_raw_slice(inner, start, *at - start);
}

static void add_section(struct reader *reader, struct builder *builder, const struct rh_raw *line)
{
    const char *close = memrchr(rh_raw_at(line), ']', line->len);
    size_t end = close ? (size_t)(close - rh_raw_at(line)) : line->len, at = 0;
    struct rh_raw inner = rh_raw_slice(line, 1, end - 1);

    if (!close)
        rh_report_error(reader->report, rh_raw_place(line, line->len), NULL,
                        "\"]\" is missing at the end of the section");
    else if (end + 1 < line->len)
        rh_report_error(reader->report, rh_raw_place(line, end + 1), NULL, "text after the section's \"]\"");
    struct rh_raw kind = next_name(&inner, &at), name = next_name(&inner, &at), more = next_name(&inner, &at);
    if (kind.len == 0)
        rh_report_error(reader->report, rh_raw_place(line, 0), NULL, "a section needs a kind: [line NAME]");
    if (more.len > 0)
        rh_report_error(reader->report, rh_raw_place(&more, 0), NULL,
                        "a section is [kind] or [kind name], names have no blanks");
    builder->sections =
        room_for_one(reader->arena, builder->sections, builder->n, sizeof(*builder->sections));
    builder->sections[builder->n++] =
        (struct rh_ini_section){.kind = kind, .name = name, .place = rh_raw_place(line, 0)};
}

/* Where the first '=' outside quotes is; len if there is none. */
static size_t find_equals(const char *text, size_t len)
{
    bool quoted = false;
    size_t i = 0;

    while (i < len && (quoted || text[i] != '=')) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted && text[i] == '\\')
            i++;
        i++;
    }
    return i < len ? i : len;
}

static void add_entry(struct reader *reader, struct builder *builder, const struct rh_raw *line)
{
    size_t equals = find_equals(rh_raw_at(line), line->len);

    if (builder->n == 0) {
        if (!builder->stray_reported)
            rh_report_error(reader->report, rh_raw_place(line, 0), NULL,
                            "this stands before the first [section]");
        builder->stray_reported = true;
        return;
    }
    if (equals == line->len) {
        rh_report_error(reader->report, rh_raw_place(line, 0), NULL, "\"=\" is missing: key = value");
        return;
    }
    struct rh_ini_entry entry = {.key = rh_raw_trim(rh_raw_slice(line, 0, equals)),
                                 .value =
                                     rh_raw_trim(rh_raw_slice(line, equals + 1, line->len - equals - 1))};
    if (entry.key.len == 0) {
        rh_report_error(reader->report, rh_raw_place(line, equals), NULL, "a key is missing before \"=\"");
        return;
    }
    struct rh_ini_section *section = &builder->sections[builder->n - 1];
    struct rh_ini_entry *entries =
        room_for_one(reader->arena, section->entries, section->n, sizeof(*entries));
    entries[section->n++] = entry;
    section->entries = entries;
}

void rh_ini_parse(const char *file, const char *text, size_t len, struct rh_arena *arena,
                  struct rh_report *report, struct rh_ini *ret_ini)
{
    bool bom = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    struct reader reader = {.file = file,
                            .text = rh_arena_text(arena, text, len),
                            .len = len,
                            .at = bom ? 3 : 0,
                            .line = 1,
                            .arena = arena,
                            .report = report};
    struct builder builder = {0};
    const struct rh_ini_line *line;

    check_bytes(&reader);
    while ((line = next_line(&reader))) {
        struct rh_raw raw = rh_raw_trim((struct rh_raw){line, 0, line->len});

        if (raw.len == 0)
            continue;
        if (*rh_raw_at(&raw) == '[')
            add_section(&reader, &builder, &raw);
        else
            add_entry(&reader, &builder, &raw);
    }
    *ret_ini = (struct rh_ini){builder.sections, builder.n};
}
