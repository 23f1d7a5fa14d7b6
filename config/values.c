/* SPDX-License-Identifier: MIT */
/*
 * values.c - parsers of the values that settings.c's tables need beyond the plain kinds.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/ini.h"
#include "config/settings.h"
#include "config/words.h"

bool rh_value_wrong(const struct rh_option_value *value, const char *suggestion, const char *what)
{
    rh_report_error(value->report, value->place, suggestion, "%s = \"%s\": %s", value->key, value->text,
                    what);
    return false;
}

static bool is_bare(const struct rh_option_value *value, size_t i, bool (*is)(char c))
{
    return is(value->text[i]) && !(value->quoted && value->quoted[i]);
}

static bool is_comma(char c)
{
    return c == ',';
}

bool rh_list_next(const struct rh_option_value *value, size_t *at, struct rh_option_value *ret_element)
{
    size_t start = *at, end = start;

    if (start > value->len)
        return false;
    while (end < value->len && !is_bare(value, end, is_comma))
        end++;
    *at = end + 1;
    while (start < end && is_bare(value, start, rh_ini_blank))
        start++;
    while (end > start && is_bare(value, end - 1, rh_ini_blank))
        end--;
    *ret_element = *value;
    ret_element->text = rh_arena_text(value->arena, value->text + start, end - start);
    ret_element->len = end - start;
    ret_element->quoted = value->quoted ? value->quoted + start : NULL;
    /* exact as long as no quote or escape stands before it in the list */
    if (!value->quoted && value->place.line > 0)
        ret_element->place.column += (unsigned)start;
    return true;
}

static bool label_used(const struct rh_labels *labels, int64_t code, const char *text)
{
    for (size_t i = 0; i < labels->n; i++)
        if (labels->not_a_number ? strcmp(labels->codes[i], text) == 0 : labels->at[i].code == code)
            return true;
    return false;
}

static bool parse_label(const struct rh_option_value *element, struct rh_labels *labels,
                        const char **ret_code, struct rh_label *label)
{
    char code[32];
    const char *colon = strchr(element->text, ':');

    if (!colon || colon == element->text || (size_t)(colon - element->text) >= sizeof(code))
        return rh_value_wrong(element, NULL, "must be CODE:LABEL, as in 0:off,1:auto");
    memcpy(code, element->text, (size_t)(colon - element->text));
    code[colon - element->text] = '\0';
    label->code = 0;
    if (rh_parse_int(code, &label->code) < 0 && !labels->not_a_number) {
        labels->not_a_number = element->text;
        labels->place = element->place;
    }
    *ret_code = rh_arena_text(element->arena, code, strlen(code));
    if (!colon[1])
        return rh_value_wrong(element, NULL, "the label is missing");
    if (strlen(element->text) != element->len || rh_utf8_valid(element->text, element->len) != element->len)
        return rh_value_wrong(element, NULL, "the label must be UTF-8 text");
    if (strlen(colon + 1) > 255)
        return rh_value_wrong(element, NULL, "the label is longer than 255 bytes");
    label->label = colon + 1;
    return true;
}

bool rh_parse_labels(const struct rh_option_value *value, void *field)
{
    struct rh_option_value element;
    size_t most = 1;
    bool ok = true;

    for (size_t i = 0; i < value->len; i++)
        most += value->text[i] == ',';
    struct rh_label *at = rh_arena_alloc(value->arena, most * sizeof(*at));
    const char **codes = rh_arena_alloc(value->arena, most * sizeof(*codes));
    struct rh_labels labels = {.at = at, .codes = codes};
    for (size_t from = 0; rh_list_next(value, &from, &element);) {
        struct rh_label label = {0};
        const char *code = "";

        if (!parse_label(&element, &labels, &code, &label))
            ok = false;
        else if (label_used(&labels, label.code, code))
            ok = rh_value_wrong(&element, NULL, "this code has a label already");
        else {
            codes[labels.n] = code;
            at[labels.n++] = label;
        }
    }
    if (ok)
        *(struct rh_labels *)field = labels;
    return ok;
}

bool rh_parse_period(const struct rh_option_value *value, void *field)
{
    static const struct rh_option duration = {
        .name = "interval", .kind = RH_OPTION_DURATION, .fallback = "10s", .min = 1, .max = 30.0 * 86400e3};

    if (strcmp(value->text, "fastest") == 0) {
        *(int64_t *)field = RH_PERIOD_FASTEST;
        return true;
    }
    const char *const word = "fastest";
    if (rh_near(value->text, &word, 1))
        return rh_value_wrong(value, word, "must be a duration or fastest");
    return rh_option_set(&duration, field, value);
}

bool rh_parse_built(const struct rh_option_value *value, const char *const *words, size_t n, size_t n_built,
                    int *field)
{
    char what[256] = "must be one of ";

    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(what);

        if (strcmp(words[i], value->text) == 0) {
            if (i >= n_built)
                return rh_value_wrong(value, NULL, "not built yet");
            *field = (int)i;
            return true;
        }
        if (i < n_built)
            snprintf(what + used, sizeof(what) - used, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    return rh_value_wrong(value, rh_near(value->text, words, n_built), what);
}

bool rh_parse_tag(const struct rh_option_value *value, void *field)
{
    const char *name = strchr(value->key, '.') + 1;

    (void)field;
    if (!rh_name_valid(name))
        return rh_value_wrong(value, NULL, "a tag's name has letters, digits, - and _, at most 64");
    if (value->len > 255)
        return rh_value_wrong(value, NULL, "is longer than 255 bytes");
    if (rh_utf8_valid(value->text, value->len) != value->len)
        return rh_value_wrong(value, NULL, "not valid UTF-8 text");
    for (size_t i = 0; i < value->len; i++)
        if ((unsigned char)value->text[i] < ' ' || value->text[i] == 127)
            return rh_value_wrong(value, NULL, "must not hold control characters");
    return true;
}
