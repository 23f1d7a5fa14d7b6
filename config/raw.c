/* SPDX-License-Identifier: MIT */
/* Slices of logical lines (ini.h). */
#include <string.h>

#include "config/ini.h"

const char *rh_raw_at(const struct rh_raw *raw)
{
    return raw->line->text + raw->start;
}

struct rh_place rh_raw_place(const struct rh_raw *raw, size_t offset)
{
    const struct rh_ini_line *line = raw->line;
    size_t at = raw->start + offset, i = line->n_pieces - 1;

    while (i > 0 && line->pieces[i].offset > at)
        i--;
    return (struct rh_place){line->file, line->pieces[i].line,
                             line->pieces[i].column + (unsigned)(at - line->pieces[i].offset)};
}

struct rh_raw rh_raw_slice(const struct rh_raw *raw, size_t start, size_t len)
{
    return (struct rh_raw){raw->line, raw->start + start, len};
}

const char *rh_raw_text(const struct rh_raw *raw, struct rh_arena *arena)
{
    return rh_arena_text(arena, rh_raw_at(raw), raw->len);
}

struct rh_raw rh_raw_trim(struct rh_raw raw)
{
    while (raw.len > 0 && rh_ini_blank(raw.line->text[raw.start])) {
        raw.start++;
        raw.len--;
    }
    while (raw.len > 0 && rh_ini_blank(raw.line->text[raw.start + raw.len - 1]))
        raw.len--;
    return raw;
}
