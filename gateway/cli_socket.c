/* SPDX-License-Identifier: MIT */
/*
 * The path of the socket is read from [gateway] alone: a configuration that has mistakes elsewhere, or names
 * files that only the daemon may read, does not keep anybody from asking the daemon how it is.
 */
#include "gateway/cli_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/option.h"
#include "config/settings.h"
#include "config/source.h"
#include "config/tree.h"
#include "core/clock.h"
#include "gateway/exit_code.h"

#define PATIENCE_US (70 * INT64_C(1000000)) /* the daemon answers every command within 60 s */
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define TURN_STEPS 50 /* of 20 ms, while the daemon has no place for us */

/* ---- where ---- */

static int add_file(struct rh_tree *tree, const char *path, unsigned number)
{
    struct rh_file file;
    struct rh_ini ini;
    int r = rh_disk_read(NULL, path, &file);

    if (r < 0)
        return r;
    rh_ini_parse(path, file.text, file.len, tree->arena, tree->report, &ini);
    free(file.text);
    rh_tree_add(tree, &ini, RH_FILE_SITE, number);
    return 0;
}

static void add_drop_ins(struct rh_tree *tree, const char *path)
{
    size_t stem = strlen(path);
    const char *const *names;
    char folder[4096], file[4096 + 256];
    size_t n;

    stem -= stem > 4 && strcmp(path + stem - 4, ".ini") == 0 ? 4 : 0;
    snprintf(folder, sizeof(folder), "%.*s.d", (int)stem, path);
    if (rh_disk_list(NULL, folder, tree->arena, &names, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
        (void)!add_file(tree, rh_arena_text(tree->arena, file, strlen(file)), (unsigned)i + 1);
    }
}

static const char *default_socket(void)
{
    for (size_t i = 0; i < rh_gateway_options.n; i++)
        if (strcmp(rh_gateway_options.rows[i].name, "socket") == 0)
            return rh_gateway_options.rows[i].fallback;
    return "";
}

static void read_socket(const struct rh_tree *tree, char *path, size_t cap)
{
    const struct rh_setting *setting = rh_object_newest(rh_tree_find(tree, RH_SECTION_GATEWAY, ""), "socket");
    struct rh_plain plain;

    if (!setting)
        snprintf(path, cap, "%s", default_socket());
    else if (rh_plain_read(&setting->value, NULL, tree->arena, tree->report, &plain))
        snprintf(path, cap, "%s", strcmp(plain.text, "none") == 0 ? "" : plain.text);
}

/* 0 with the path, "" for none; or the errno of the main file. */
static int find_socket(const char *config_path, char *path, size_t cap)
{
    struct rh_arena *arena = rh_arena_new();
    struct rh_report report;
    struct rh_tree tree;

    rh_report_init(&report);
    rh_tree_init(&tree, arena, &report);
    int r = add_file(&tree, config_path, 0);
    if (r == 0) {
        add_drop_ins(&tree, config_path);
        read_socket(&tree, path, cap);
    }
    rh_report_fini(&report);
    rh_arena_free(arena);
    return r;
}

/* ---- how ---- */

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* Up to the end of the line, or of the connection. 0 or a negative errno. */
static int receive_line(int fd, char **ret_line)
{
    int64_t until_us = rh_mono_us() + PATIENCE_US;
    size_t len = 0, cap = 0;
    char *line = NULL;
    ssize_t n = 1;

    while (n > 0 && (len == 0 || line[len - 1] != '\n') && len < ANSWER_MAX) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};

        if (len + 1 >= cap) {
            cap = cap ? cap * 2 : 4096;
            line = realloc(line, cap);
            rh_assert(line);
        }
        n = poll(&readable, 1, rh_poll_timeout_ms(rh_mono_us(), until_us)) > 0
                ? read(fd, line + len, cap - len - 1)
                : 0;
        len += n > 0 ? (size_t)n : 0;
    }
    *ret_line = line;
    if (len == 0 || line[len - 1] != '\n')
        return -EPIPE;
    line[len - 1] = 0;
    return 0;
}

/* A gateway that turns us away does so before it reads: its words are there even if the request was not
 * taken. */
static int talk(int fd, const char *request, char **ret_line)
{
    struct iovec parts[] = {{(char *)(uintptr_t)request, strlen(request)}, {(char[]){'\n'}, 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = RH_COUNT(parts)};

    (void)!sendmsg(fd, &message, MSG_NOSIGNAL);
    return receive_line(fd, ret_line);
}

static json_t *load_answer(const char *line)
{
    json_error_t error;
    json_t *json = json_loads(line, 0, &error);

    return json ? json : json_loads(line, JSON_DECODE_INT_AS_REAL, &error); /* above 2^63 */
}

static int converse(const char *path, const char *request, struct rh_cli_answer *answer)
{
    RH_CLEANUP(rh_cleanup_close) int fd = open_socket(path);

    if (fd < 0)
        return fd;
    int r = talk(fd, request, &answer->line);
    answer->json = r == 0 ? load_answer(answer->line) : NULL;
    if (r == 0 && !json_is_object(answer->json))
        r = -EPROTO;
    if (r < 0)
        rh_cli_answer_fini(answer);
    return r;
}

static bool turned_away(const struct rh_cli_answer *answer)
{
    const char *code = json_string_value(json_object_get(answer->json, "code"));

    return code && strcmp(code, "busy") == 0 && !json_object_get(answer->json, "reply");
}

static int say_why(const char *path, int r)
{
    if (r == -EACCES || r == -EPERM) {
        fprintf(stderr,
                "railhead: no permission for %s: be root, or a member of its group (ls -l shows it)\n", path);
        return RH_EXIT_PERMISSION;
    }
    fprintf(stderr, "railhead: no gateway answers on %s: %s\n", path, strerror(-r));
    fputs("  is it running?                  systemctl status railhead\n"
          "  with this configuration?        -c FILE, or --socket PATH\n"
          "  did it say why it could not?    journalctl -u railhead\n",
          stderr);
    return RH_EXIT_UNAVAILABLE;
}

static int say_no_configuration(const char *path, int r)
{
    fprintf(stderr, "railhead: %s cannot be read: %s; --socket PATH names the gateway without it\n", path,
            strerror(-r));
    return r == -EACCES ? RH_EXIT_PERMISSION : RH_EXIT_CONFIG;
}

/* A gateway that has no place for one more client just now is asked again for a second. */
static int ask(const char *path, const char *request, struct rh_cli_answer *ret_answer)
{
    int r = converse(path, request, ret_answer);

    for (int n = 0; r == 0 && turned_away(ret_answer) && n < TURN_STEPS; n++) {
        rh_cli_answer_fini(ret_answer);
        rh_sleep_until(rh_mono_us() + 20000);
        r = converse(path, request, ret_answer);
    }
    return r;
}

int rh_cli_ask(const struct rh_cli *cli, json_t *request, struct rh_cli_answer *ret_answer)
{
    char path[4096] = "";
    int r = 0;

    *ret_answer = (struct rh_cli_answer){0};
    if (cli->socket)
        snprintf(path, sizeof(path), "%s", cli->socket);
    else
        r = find_socket(cli->config_path, path, sizeof(path));
    if (r < 0) {
        json_decref(request);
        return say_no_configuration(cli->config_path, r);
    }
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    rh_assert(text);
    r = *path ? ask(path, text, ret_answer) : -ENOENT;
    free(text);
    return r < 0 ? say_why(*path ? path : "any socket (socket = none)", r) : RH_EXIT_OK;
}

void rh_cli_answer_fini(struct rh_cli_answer *answer)
{
    free(answer->line);
    json_decref(answer->json);
    *answer = (struct rh_cli_answer){0};
}

int rh_cli_judge(const struct rh_cli_answer *answer)
{
    static const struct {
        const char *code;
        int exit_code;
    } rows[] = {{"permission", RH_EXIT_PERMISSION}, {"busy", RH_EXIT_UNAVAILABLE}, {"syntax", RH_EXIT_USAGE}};
    const json_t *reply = json_object_get(answer->json, "reply");
    const char *code = json_string_value(json_object_get(answer->json, "code"));
    const char *error = json_string_value(json_object_get(answer->json, "error"));
    const char *message = json_string_value(json_object_get(reply, "message"));

    if (json_is_true(json_object_get(answer->json, "ok")))
        return RH_EXIT_OK;
    bool more = message && (!error || strcmp(message, error) != 0);
    fprintf(stderr, "railhead: %s%s%s\n", error ? error : "refused", more ? ": " : "", more ? message : "");
    for (size_t i = 0; code && !reply && i < RH_COUNT(rows); i++)
        if (strcmp(rows[i].code, code) == 0)
            return rows[i].exit_code;
    return RH_EXIT_FAILURE;
}

bool rh_cli_colours(void)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(none && *none) && terminal && strcmp(terminal, "dumb") != 0;
}
