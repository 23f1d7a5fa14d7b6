/* SPDX-License-Identifier: MIT */
/* `railhead status`: the health message of a running gateway as a page to read. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli.h"
#include "gateway/cli_socket.h"
#include "gateway/exit_code.h"

#define BAR 10

enum mood { MOOD_PLAIN, MOOD_GOOD, MOOD_BAD };

static long long number(const json_t *object, const char *key)
{
    return (long long)json_number_value(json_object_get(object, key));
}

/* The text, padded, in the colour of its mood. */
static void put_word(const char *word, int width, enum mood mood, bool colours)
{
    static const char *const codes[] = {[MOOD_GOOD] = "\033[32m", [MOOD_BAD] = "\033[31m"};

    if (colours && mood != MOOD_PLAIN)
        printf("%s%-*s\033[0m", codes[mood], width, word);
    else
        printf("%-*s", width, word);
}

/* "3 d 4 h", "12 min 5 s": the two largest units. */
static const char *duration(long long s, char buffer[48])
{
    if (s >= 86400)
        snprintf(buffer, 48, "%lld d %lld h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        snprintf(buffer, 48, "%lld h %lld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(buffer, 48, "%lld min %lld s", s / 60, s % 60);
    else
        snprintf(buffer, 48, "%lld s", s);
    return buffer;
}

static const char *size(long long bytes, char buffer[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    double value = (double)bytes;
    size_t i = 0;

    for (; value >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
        value /= 1024;
    snprintf(buffer, 32, i ? "%.1f %s" : "%.0f %s", value, units[i]);
    return buffer;
}

/* As wide as the longest name, at least as its heading. */
static int name_width(const json_t *objects, const char *heading)
{
    size_t width = strlen(heading);
    const char *name;
    json_t *object;

    json_object_foreach((json_t *)(uintptr_t)objects, name, object) width =
        strlen(name) > width ? strlen(name) : width;
    return (int)width + 2;
}

static void print_head(const json_t *answer, const json_t *status, bool colours)
{
    const json_t *uplink = json_object_get(status, "uplink"), *store = json_object_get(status, "store");
    bool connected = json_is_true(json_object_get(uplink, "connected"));
    const char *version = json_string_value(json_object_get(answer, "version"));
    const char *clock = json_string_value(json_object_get(status, "clock"));
    char up[48], oldest[48], bytes[32], memory[32], today[32];

    printf("railhead %s, up %s, clock %s, %s of memory\n", version ? version : "?",
           duration(number(status, "uptime_s"), up), clock ? clock : "?",
           size(number(status, "rss_kib") * 1024, memory));
    fputs("uplink  ", stdout);
    put_word(connected ? "connected" : "away", 0, connected ? MOOD_GOOD : MOOD_BAD, colours);
    printf(", %lld in flight, %lld published, %lld refused, %lld connects\n", number(uplink, "inflight"),
           number(uplink, "published"), number(uplink, "refused"), number(uplink, "connects"));
    printf("store   %lld messages wait, %s, the oldest for %s; %lld dropped; %s written today\n",
           number(store, "batches"), size(number(store, "bytes"), bytes),
           duration(number(store, "oldest_s"), oldest), number(store, "dropped"),
           size(number(store, "written_today_bytes"), today));
}

/* [######....]  62 % */
static void put_load(double load)
{
    char bar[BAR + 1] = "";
    int full = (int)(load * BAR + 0.5);

    for (int i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    printf("[%s] %3.0f %%", bar, load * 100);
}

static void print_lines(const json_t *lines, bool colours)
{
    int width = name_width(lines, "LINE");
    const char *name;
    json_t *line;

    printf("\n%-*s%-11s%-18s %12s %8s %6s %7s %8s\n", width, "LINE", "PORT", "LOAD", "TRANSACTIONS",
           "TIMEOUTS", "CRC", "MISSED", "COMMANDS");
    json_object_foreach((json_t *)(uintptr_t)lines, name, line)
    {
        bool connected = json_is_true(json_object_get(line, "connected"));

        printf("%-*s", width, name);
        put_word(connected ? "open" : "missing", 11, connected ? MOOD_GOOD : MOOD_BAD, colours);
        put_load(json_number_value(json_object_get(line, "load")));
        printf(" %12lld %8lld %6lld %7lld %8lld\n", number(line, "transactions"), number(line, "timeouts"),
               number(line, "crc"), number(line, "missed"), number(line, "commands"));
    }
}

static void print_devices(const json_t *devices, bool colours)
{
    int width = name_width(devices, "DEVICE");
    const char *name;
    json_t *device;

    printf("\n%-*s%-9s%15s %10s %8s %6s %10s %9s\n", width, "DEVICE", "STATE", "LAST OK", "OK", "TIMEOUTS",
           "CRC", "EXCEPTIONS", "ANSWER");
    json_object_foreach((json_t *)(uintptr_t)devices, name, device)
    {
        const char *state = json_string_value(json_object_get(device, "state"));
        const json_t *last = json_object_get(device, "last_ok_s");
        const json_t *p50 = json_object_get(json_object_get(device, "turnaround_ms"), "p50");
        bool online = state && strcmp(state, "online") == 0, offline = state && strcmp(state, "offline") == 0;
        char ago[48];

        printf("%-*s", width, name);
        put_word(state ? state : "?", 9, online ? MOOD_GOOD : offline ? MOOD_BAD : MOOD_PLAIN, colours);
        printf("%15s %10lld %8lld %6lld %10lld",
               json_is_integer(last) ? duration(json_integer_value(last), ago) : "never",
               number(device, "ok"), number(device, "timeouts"), number(device, "crc"),
               number(device, "exceptions"));
        if (p50)
            printf(" %6.1f ms\n", json_number_value(p50));
        else
            printf(" %9s\n", "-");
    }
}

int rh_cli_status(const struct rh_cli *cli)
{
    struct rh_cli_answer answer;
    int code = rh_cli_ask(cli, json_pack("{s:s}", "verb", "status"), &answer);

    if (code != RH_EXIT_OK)
        return code;
    code = rh_cli_judge(&answer);
    const json_t *status = json_object_get(answer.json, "status");
    if (cli->json) {
        puts(answer.line);
    } else if (code == RH_EXIT_OK) {
        print_head(answer.json, status, rh_cli_colours());
        print_lines(json_object_get(status, "lines"), rh_cli_colours());
        print_devices(json_object_get(status, "devices"), rh_cli_colours());
    }
    rh_cli_answer_fini(&answer);
    return code;
}
