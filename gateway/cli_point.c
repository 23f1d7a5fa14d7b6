/* SPDX-License-Identifier: MIT */
/* `railhead read` and `railhead write`: one point, through the running gateway. */
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "gateway/cli.h"
#include "gateway/cli_socket.h"
#include "gateway/exit_code.h"

#define LIFE_MS 30000 /* a write that the line did not begin by then is not begun any more */

/* Numbers as short as they came. */
static void print_value(const json_t *value)
{
    char buffer[64] = "";
    struct rh_text text;

    rh_text_init(&text, buffer, sizeof(buffer));
    if (json_is_string(value))
        fputs(json_string_value(value), stdout);
    else if (json_is_integer(value))
        rh_text_int(&text, json_integer_value(value));
    else if (json_is_real(value))
        rh_text_double(&text, json_real_value(value));
    else
        rh_text_put(&text, json_is_true(value) ? "true" : "false");
    fputs(buffer, stdout);
}

static int print_point(const struct rh_cli_answer *answer)
{
    const json_t *reply = json_object_get(answer->json, "reply");
    const json_t *value = json_object_get(reply, "readback");
    const char *unit = json_string_value(json_object_get(answer->json, "unit"));

    if (!value) {
        fputs("railhead: it was answered, but there is no value now\n", stderr);
        return RH_EXIT_FAILURE;
    }
    print_value(value);
    printf("%s%s\n", unit ? " " : "", unit ? unit : "");
    return RH_EXIT_OK;
}

static int finish(const struct rh_cli *cli, json_t *request, bool value_due)
{
    struct rh_cli_answer answer;
    int code = rh_cli_ask(cli, request, &answer);

    if (code != RH_EXIT_OK)
        return code;
    code = rh_cli_judge(&answer);
    if (cli->json)
        puts(answer.line);
    else if (code == RH_EXIT_OK &&
             (value_due || json_object_get(json_object_get(answer.json, "reply"), "readback")))
        code = print_point(&answer);
    rh_cli_answer_fini(&answer);
    return code;
}

static json_t *begin(const char *verb, const char *point)
{
    json_t *request = json_pack("{s:s, s:s}", "verb", verb, "point", point);

    if (!request)
        fprintf(stderr, "railhead %s: \"%s\" is not valid UTF-8\n", verb, point);
    return request;
}

int rh_cli_read(const struct rh_cli *cli)
{
    json_t *request = begin("read", cli->arguments[0]);

    return request ? finish(cli, request, true) : RH_EXIT_USAGE;
}

/* Points that are critical or momentary want an id; without a set clock nobody can say when one expires. */
static void put_identity(json_t *request)
{
    const struct passwd *user = getpwuid(getuid());
    char id[64];

    snprintf(id, sizeof(id), "cli-%lld-%d", (long long)rh_wall_ms(), (int)getpid());
    json_object_set_new(request, "id", json_string(id));
    if (user && *user->pw_name && strlen(user->pw_name) < 32)
        json_object_set_new(request, "by", json_string(user->pw_name));
    if (rh_wall_plausible(rh_wall_ms()))
        json_object_set_new(request, "expires", json_integer(rh_wall_ms() + LIFE_MS));
}

int rh_cli_write(const struct rh_cli *cli)
{
    json_t *request = begin("write", cli->arguments[0]), *text = json_string(cli->arguments[1]);

    if (!request || !text) {
        if (!text)
            fputs("railhead write: the value is not valid UTF-8\n", stderr);
        json_decref(request);
        json_decref(text);
        return RH_EXIT_USAGE;
    }
    json_object_set_new(request, "text", text);
    put_identity(request);
    return finish(cli, request, false);
}
