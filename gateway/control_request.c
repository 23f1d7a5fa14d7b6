/* SPDX-License-Identifier: MIT */
/*
 * The keys of the socket's own are taken out of the object; what is left is a request as on a command topic,
 * and is judged by the same parser.
 */
#include "gateway/control_request.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

struct parse {
    struct rh_control_request *request;
    char *why;
    size_t why_cap;
};

static RH_PRINTF(3, 4) enum rh_command_code
    refuse(const struct parse *parse, enum rh_command_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(parse->why, parse->why_cap, format, args);
    va_end(args);
    return code;
}

static const struct {
    const char *name;
    bool point, value; /* it needs one; without, it takes none */
} verbs[RH_CONTROL_VERB_COUNT] = {
    [RH_CONTROL_PING] = {"ping", false, false},
    [RH_CONTROL_STATUS] = {"status", false, false},
    [RH_CONTROL_READ] = {"read", true, false},
    [RH_CONTROL_WRITE] = {"write", true, true},
};

static enum rh_command_code take_verb(const struct parse *parse, const json_t *json)
{
    const char *names[RH_CONTROL_VERB_COUNT];
    const char *word = json_string_value(json);

    if (!word)
        return refuse(parse, RH_CODE_SYNTAX, "there is no \"verb\": ping, status, read or write");
    for (size_t i = 0; i < RH_CONTROL_VERB_COUNT; i++) {
        names[i] = verbs[i].name;
        if (strcmp(word, verbs[i].name) != 0)
            continue;
        parse->request->verb = (enum rh_control_verb)i;
        return RH_CODE_NONE;
    }
    const char *near = rh_text_nearest(word, names, RH_CONTROL_VERB_COUNT);
    return refuse(parse, RH_CODE_SYNTAX, "unknown verb \"%.32s\"%s%s%s", word,
                  near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static enum rh_command_code take_point(const struct parse *parse, const json_t *json)
{
    struct rh_control_request *request = parse->request;
    const char *text = json_string_value(json), *dot = text ? strchr(text, '.') : NULL;

    if (!verbs[request->verb].point)
        return json ? refuse(parse, RH_CODE_SYNTAX, "%s takes no \"point\"", verbs[request->verb].name)
                    : RH_CODE_NONE;
    if (!dot || dot - text > RH_NAME_MAX || strlen(dot + 1) > RH_NAME_MAX)
        return refuse(parse, RH_CODE_SYNTAX, "\"point\" must name one as DEVICE.POINT");
    snprintf(request->device, sizeof(request->device), "%.*s", (int)(dot - text), text);
    snprintf(request->point, sizeof(request->point), "%s", dot + 1);
    if (!rh_name_valid(request->device) || !rh_name_valid(request->point))
        return refuse(parse, RH_CODE_SYNTAX, "\"point\" must name one as DEVICE.POINT");
    return RH_CODE_NONE;
}

static enum rh_command_code take_text(const struct parse *parse, const json_t *json)
{
    struct rh_request *command = &parse->request->command;
    const char *text = json_string_value(json);
    struct rh_request bare;

    if (!json)
        return RH_CODE_NONE;
    if (!text || *text == '{')
        return refuse(parse, RH_CODE_TYPE, "\"text\" is not a text that stands for a value");
    if (command->has_value)
        return refuse(parse, RH_CODE_SYNTAX, "\"value\" and \"text\" exclude each other");
    enum rh_command_code code =
        rh_request_parse(text, json_string_length(json), &bare, parse->why, parse->why_cap);
    if (code == RH_CODE_NONE && bare.bare) {
        command->value = bare.value;
        command->has_value = bare.has_value;
        command->bare = true;
    }
    return code;
}

/* What is left of the object. */
static enum rh_command_code take_command(const struct parse *parse, const json_t *rest)
{
    char *text = json_dumps(rest, JSON_COMPACT);

    if (!text)
        return refuse(parse, RH_CODE_BUSY, "there is no memory for it");
    enum rh_command_code code =
        rh_request_parse(text, strlen(text), &parse->request->command, parse->why, parse->why_cap);
    free(text);
    return code;
}

static enum rh_command_code check_value(const struct parse *parse)
{
    const struct rh_request *command = &parse->request->command;
    enum rh_control_verb verb = parse->request->verb;

    if (command->n_values > 0)
        return refuse(parse, RH_CODE_SYNTAX, "\"values\" is not for this socket; send one point at a time");
    if (verbs[verb].value && !command->has_value)
        return refuse(parse, RH_CODE_SYNTAX, "%s needs a \"value\"", verbs[verb].name);
    if (!verbs[verb].value && (command->has_value || command->dry_run))
        return refuse(parse, RH_CODE_SYNTAX, "%s takes no \"value\" and no \"dry_run\"", verbs[verb].name);
    return RH_CODE_NONE;
}

static enum rh_command_code take_object(const struct parse *parse, json_t *root)
{
    json_t *text = json_incref(json_object_get(root, "text"));
    enum rh_command_code code = take_verb(parse, json_object_get(root, "verb"));

    if (code == RH_CODE_NONE)
        code = take_point(parse, json_object_get(root, "point"));
    json_object_del(root, "verb");
    json_object_del(root, "point");
    json_object_del(root, "text");
    if (code == RH_CODE_NONE)
        code = take_command(parse, root);
    if (code == RH_CODE_NONE)
        code = take_text(parse, text);
    if (code == RH_CODE_NONE)
        code = check_value(parse);
    json_decref(text);
    return code;
}

enum rh_command_code rh_control_parse(const char *line, size_t len, struct rh_control_request *ret_request,
                                      char *why, size_t why_cap)
{
    struct parse parse = {ret_request, why, why_cap};
    json_error_t error;

    *ret_request = (struct rh_control_request){.verb = RH_CONTROL_PING};
    if (why_cap > 0)
        *why = 0;
    if (len > RH_CONTROL_LINE_MAX)
        return refuse(&parse, RH_CODE_SYNTAX, "a request has at most %d bytes", RH_CONTROL_LINE_MAX);
    json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        enum rh_command_code code = refuse(&parse, RH_CODE_SYNTAX, "not valid JSON: %.100s",
                                           root ? "a request is an object" : error.text);
        json_decref(root);
        return code;
    }
    enum rh_command_code code = take_object(&parse, root);
    json_decref(root);
    return code;
}
