/* SPDX-License-Identifier: MIT */
/*
 * request.c - three passes over bytes from outside, each of which may refuse them:
 *
 *   trim, size, UTF-8  ->  prepare: nesting, arrays, large integers  ->  JSON library, keys one by one
 *
 * The JSON library knows no integers above INT64_MAX. A request has no use for arrays, so prepare refuses
 * them and then writes such an integer as an array of its own: 18446744073709551615 becomes [-1], its bits as
 * a signed number.
 *
 * `id` and `by` are read before everything else, so that a refusal can name them. An unknown key is an error:
 * a typo in "expires" must not make a command that is good for ever.
 */
#include "mqtt/request.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define DEPTH_MAX 2
#define DIGITS_MAX 20 /* of an integer of 64 bits */
/* Each of the large integers, of 19 digits or more, grows by at most 3 bytes. */
#define PREPARED_MAX (RH_REQUEST_BYTES_MAX + RH_REQUEST_BYTES_MAX / 19 * 3 + 8)

struct why {
    char *at;
    size_t cap;
};

static enum rh_command_code refuse(const struct why *why, enum rh_command_code code, const char *format, ...)
    RH_PRINTF(3, 4);

static enum rh_command_code refuse(const struct why *why, enum rh_command_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->at, why->cap, format, args);
    va_end(args);
    return code;
}

/* ---- before the JSON library ---- */

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t string_end(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < len ? at + 1 : len;
}

static bool number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
}

/* Copies the number at `at`, an integer between INT64_MAX and UINT64_MAX as an array; where it ends. */
static size_t copy_number(const char *text, size_t len, size_t at, struct rh_text *prepared)
{
    size_t end = at;
    while (end < len && number_char(text[end]))
        end++;
    char digits[DIGITS_MAX + 1] = "";
    uint64_t value = 0;
    if (end - at <= DIGITS_MAX)
        memcpy(digits, text + at, end - at);
    if (digits[0] > '0' && digits[0] <= '9' && rh_parse_uint(digits, &value) == 0 && value > INT64_MAX)
        rh_text_printf(prepared, "[%lld]", (long long)value);
    else
        rh_text_bytes(prepared, text + at, end - at);
    return end;
}

static enum rh_command_code prepare(const char *text, size_t len, struct rh_text *prepared,
                                    const struct why *why)
{
    size_t depth = 0;
    for (size_t at = 0; at < len;) {
        size_t end = at + 1;
        depth += text[at] == '{';
        depth -= text[at] == '}' && depth > 0;
        if (depth > DEPTH_MAX)
            return refuse(why, RH_CODE_SYNTAX, "the objects are nested too deeply");
        if (text[at] == '[')
            return refuse(why, RH_CODE_TYPE, "a list has no place in a command");
        if ((text[at] >= '0' && text[at] <= '9') || text[at] == '-') {
            at = copy_number(text, len, at, prepared);
            continue;
        }
        if (text[at] == '"')
            end = string_end(text, len, at);
        rh_text_bytes(prepared, text + at, end - at);
        at = end;
    }
    return RH_CODE_NONE;
}

static json_t *load(const char *text, size_t len, enum rh_command_code *ret_code, const struct why *why)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root)
        return root;
    bool overflow = json_error_code(&error) == json_error_numeric_overflow;
    *ret_code = overflow ? refuse(why, RH_CODE_TYPE, "a number has more than 64 bits")
                         : refuse(why, RH_CODE_SYNTAX, "not valid JSON: %s", error.text);
    return NULL;
}

/* ---- values ---- */

static enum rh_command_code text_value(const char *text, size_t len, struct rh_value *value,
                                       const struct why *why)
{
    if (len > RH_TEXT_MAX)
        return refuse(why, RH_CODE_TYPE, "a text has at most %d bytes", RH_TEXT_MAX);
    *value = (struct rh_value){.kind = RH_VALUE_TEXT, .text_len = (uint8_t)len};
    if (len > 0)
        memcpy(value->text, text, len);
    return RH_CODE_NONE;
}

static enum rh_command_code json_value(const json_t *json, const char *key, struct rh_value *value,
                                       const struct why *why)
{
    switch (json_typeof(json)) {
    case JSON_INTEGER:
        *value = (struct rh_value){.kind = RH_VALUE_I64, .i64 = json_integer_value(json)};
        return RH_CODE_NONE;
    case JSON_ARRAY: /* prepare's */
        *value = (struct rh_value){.kind = RH_VALUE_U64,
                                   .u64 = (uint64_t)json_integer_value(json_array_get(json, 0))};
        return RH_CODE_NONE;
    case JSON_REAL:
        *value = (struct rh_value){.kind = RH_VALUE_F64, .f64 = json_real_value(json)};
        return RH_CODE_NONE;
    case JSON_TRUE:
    case JSON_FALSE:
        *value = (struct rh_value){.kind = RH_VALUE_BOOL, .boolean = json_is_true(json)};
        return RH_CODE_NONE;
    case JSON_STRING:
        return text_value(json_string_value(json), json_string_length(json), value, why);
    case JSON_NULL:
    case JSON_OBJECT:
        break;
    }
    return refuse(why, RH_CODE_TYPE, "\"%.64s\" is not a number, true, false or a text", key);
}

/* ---- keys ---- */

static enum rh_command_code short_text(const json_t *json, const char *key, char *at, size_t max,
                                       const struct why *why)
{
    if (!json_is_string(json) || json_string_length(json) == 0 || json_string_length(json) > max)
        return refuse(why, RH_CODE_TYPE, "\"%s\" is not a text of 1 to %zu bytes", key, max);
    memcpy(at, json_string_value(json), json_string_length(json) + 1);
    return RH_CODE_NONE;
}

typedef enum rh_command_code take_fn(const json_t *json, struct rh_request *request, const struct why *why);

static enum rh_command_code take_id(const json_t *json, struct rh_request *request, const struct why *why)
{
    enum rh_command_code code = short_text(json, "id", request->id, RH_COMMAND_ID_MAX, why);
    request->has_id = code == RH_CODE_NONE;
    return code;
}

static enum rh_command_code take_by(const json_t *json, struct rh_request *request, const struct why *why)
{
    return short_text(json, "by", request->by, RH_REQUEST_BY_MAX, why);
}

static enum rh_command_code take_expires(const json_t *json, struct rh_request *request,
                                         const struct why *why)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return refuse(why, RH_CODE_TYPE, "\"expires\" is not a whole number of milliseconds since 1970");
    request->has_expires = true;
    request->expires_wall_ms = json_integer_value(json);
    return RH_CODE_NONE;
}

static enum rh_command_code take_dry_run(const json_t *json, struct rh_request *request,
                                         const struct why *why)
{
    if (!json_is_boolean(json))
        return refuse(why, RH_CODE_TYPE, "\"dry_run\" is not true or false");
    request->dry_run = json_is_true(json);
    return RH_CODE_NONE;
}

static enum rh_command_code take_value(const json_t *json, struct rh_request *request, const struct why *why)
{
    enum rh_command_code code = json_value(json, "value", &request->value, why);
    request->has_value = code == RH_CODE_NONE;
    return code;
}

static enum rh_command_code take_values(const json_t *json, struct rh_request *request, const struct why *why)
{
    if (!json_is_object(json) || json_object_size(json) == 0 || json_object_size(json) > RH_COMMAND_POINTS)
        return refuse(why, RH_CODE_TYPE, "\"values\" is not an object of 1 to %d points", RH_COMMAND_POINTS);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        struct rh_request_value *entry = &request->values[request->n_values];
        if (!rh_name_valid(name))
            return refuse(why, RH_CODE_UNKNOWN, "\"%.64s\" is not the name of a point", name);
        enum rh_command_code code = json_value(value, name, &entry->value, why);
        if (code != RH_CODE_NONE)
            return code;
        snprintf(entry->point, sizeof(entry->point), "%s", name);
        request->n_values++;
    }
    return RH_CODE_NONE;
}

/* In the order in which they are read. */
static const struct {
    const char *key;
    take_fn *take;
} keys[] = {
    {"id", take_id},           {"by", take_by},       {"expires", take_expires},
    {"dry_run", take_dry_run}, {"value", take_value}, {"values", take_values},
};

static enum rh_command_code check_key(const char *key, const struct why *why)
{
    const char *names[RH_COUNT(keys)];
    for (size_t i = 0; i < RH_COUNT(keys); i++) {
        if (strcmp(keys[i].key, key) == 0)
            return RH_CODE_NONE;
        names[i] = keys[i].key;
    }
    const char *near = rh_text_nearest(key, names, RH_COUNT(names));
    return refuse(why, RH_CODE_SYNTAX,
                  near ? "unknown key \"%.64s\"; did you mean \"%s\"?" : "unknown key \"%.64s\"", key, near);
}

static enum rh_command_code take_object(json_t *root, struct rh_request *request, const struct why *why)
{
    enum rh_command_code first = RH_CODE_NONE;
    for (size_t i = 0; i < RH_COUNT(keys) && first == RH_CODE_NONE; i++) {
        const json_t *json = json_object_get(root, keys[i].key);
        if (json)
            first = keys[i].take(json, request, why);
    }
    const char *key;
    json_t *json;
    json_object_foreach(root, key, json)
    {
        if (first == RH_CODE_NONE)
            first = check_key(key, why);
    }
    if (first == RH_CODE_NONE && request->has_value && request->n_values > 0)
        return refuse(why, RH_CODE_SYNTAX, "\"value\" and \"values\" exclude each other");
    return first;
}

/* ---- the two forms ---- */

/* Of an object that was refused before its keys were looked at: what the refusal can name. */
static void take_names(const char *text, size_t len, struct rh_request *request)
{
    char nowhere[1];
    const struct why ignored = {nowhere, sizeof(nowhere)};
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    const json_t *id = json_object_get(root, "id"), *by = json_object_get(root, "by");
    if (id)
        (void)take_id(id, request, &ignored);
    if (by)
        (void)take_by(by, request, &ignored);
    json_decref(root);
}

static enum rh_command_code parse_object(const char *text, size_t len, struct rh_request *request,
                                         const struct why *why)
{
    char buffer[PREPARED_MAX];
    struct rh_text prepared;
    rh_text_init(&prepared, buffer, sizeof(buffer));
    request->json = true;
    enum rh_command_code code = prepare(text, len, &prepared, why);
    rh_assert(code != RH_CODE_NONE || !prepared.cut);
    json_t *root = code == RH_CODE_NONE ? load(prepared.at, prepared.len, &code, why) : NULL;
    if (root)
        code = take_object(root, request, why);
    else
        take_names(text, len, request);
    json_decref(root);
    return code;
}

/* A text in quotes is a JSON string; everything else stands as it is. */
static enum rh_command_code parse_bare(const char *text, size_t len, struct rh_request *request,
                                       const struct why *why)
{
    enum rh_command_code code = RH_CODE_NONE;
    request->bare = true;
    if (len == 0)
        return RH_CODE_NONE;
    json_t *string = text[0] == '"' ? load(text, len, &code, why) : NULL;
    if (string)
        code = text_value(json_string_value(string), json_string_length(string), &request->value, why);
    else if (code == RH_CODE_NONE)
        code = text_value(text, len, &request->value, why);
    json_decref(string);
    request->has_value = code == RH_CODE_NONE;
    return code;
}

enum rh_command_code rh_request_parse(const void *payload, size_t len, struct rh_request *ret_request,
                                      char *why, size_t why_cap)
{
    const struct why reason = {why, why_cap};
    const char *text = payload;
    *ret_request = (struct rh_request){.json = false};
    if (why_cap > 0)
        why[0] = 0;
    if (len > RH_REQUEST_BYTES_MAX)
        return refuse(&reason, RH_CODE_SYNTAX, "the payload is too large: more than %d bytes",
                      RH_REQUEST_BYTES_MAX);
    while (len > 0 && blank(text[len - 1]))
        len--;
    while (len > 0 && blank(*text)) {
        text++;
        len--;
    }
    if (len > 0 && rh_utf8_valid(text, len) != len)
        return refuse(&reason, RH_CODE_SYNTAX, "the payload is not valid UTF-8 without NUL");
    if (len > 0 && text[0] == '{')
        return parse_object(text, len, ret_request, &reason);
    return parse_bare(text, len, ret_request, &reason);
}
