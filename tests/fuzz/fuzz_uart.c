/* SPDX-License-Identifier: MIT */
/*
 * Any profile over any bytes: the input is the text of a profile, a NUL, and what came along the line. What
 * is no profile is refused; by what is one, the bytes are decoded twice, whole and cut up, which must give
 * the same readings. A reading that vouches for nothing, or text that is no text, is caught here.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/source.h"
#include "drivers/driver.h"
#include "drivers/uart_replay.h"

#define SITE                                                                                                 \
    "[mqtt]\nbroker = mqtt://127.0.0.1\n[line u]\ndriver = uart\nport = /dev/null\n[devices]\nd = u 1 own\n"
#define PROFILE_MAX 4096
#define BYTES_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct input {
    const char *profile;
    size_t profile_len;
};

static int read_file(void *context, const char *path, struct rh_file *ret_file)
{
    const struct input *input = context;
    bool site = strcmp(path, "/site") == 0;
    const char *text = site ? SITE : input->profile;
    size_t len = site ? strlen(SITE) : input->profile_len;
    if (!site && strcmp(path, "/p/own.ini") != 0)
        return -ENOENT;
    *ret_file = (struct rh_file){.text = malloc(len + 1), .len = len};
    if (ret_file->text == NULL)
        return -ENOMEM;
    memcpy(ret_file->text, text, len);
    return 0;
}

static int list_files(void *context, const char *folder, struct rh_arena *arena,
                      const char *const **ret_names, size_t *ret_n)
{
    (void)context;
    (void)folder;
    (void)arena;
    *ret_names = NULL;
    *ret_n = 0;
    return 0;
}

/* What came out, folded into one number. */
struct sum {
    uint64_t hash;
    size_t readings;
};

static void fold(struct sum *sum, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum->hash = (sum->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

static void check(const struct rh_reading *reading)
{
    const struct rh_value *value = &reading->value;
    rh_assert((reading->quality == RH_GOOD) == (value->kind != RH_VALUE_NONE));
    rh_assert(reading->quality == RH_GOOD || reading->quality == RH_NA || reading->quality == RH_INVALID);
    if (value->kind == RH_VALUE_F64 || value->kind == RH_VALUE_F32)
        rh_assert(isfinite(value->f64));
    if (value->kind == RH_VALUE_TEXT) {
        rh_assert(value->text[value->text_len] == '\0');
        rh_assert(rh_utf8_valid(value->text, value->text_len) == value->text_len);
    }
}

static void on_frame(void *context, const struct rh_uart_replayed *frame)
{
    struct sum *sum = context;
    fold(sum, &frame->offset, sizeof frame->offset);
    fold(sum, &frame->group, sizeof frame->group);
    for (size_t i = 0; i < frame->n; i++) {
        const struct rh_value *value = &frame->readings[i].value;
        check(&frame->readings[i]);
        fold(sum, &frame->readings[i].quality, 1);
        fold(sum, &value->kind, 1);
        if (value->kind == RH_VALUE_TEXT)
            fold(sum, value->text, value->text_len);
        else if (value->kind != RH_VALUE_NONE)
            fold(sum, &value->u64, sizeof value->u64);
        sum->readings++;
    }
}

static struct sum decode(const struct rh_device_conf *device, const uint8_t *bytes, size_t size, size_t most)
{
    struct sum sum = {.hash = UINT64_C(14695981039346656037)};
    struct rh_uart_replay *replay;
    rh_assert(rh_uart_replay_new(device, on_frame, &sum, &replay) == 0);
    for (size_t at = 0; at < size;) {
        size_t n = most == 0 ? size : 1 + (at * 7) % most;
        n = n < size - at ? n : size - at;
        uint8_t *part = malloc(n); /* its own block: the sanitizer sees every byte read beside it */
        rh_assert(part != NULL);
        memcpy(part, bytes + at, n);
        rh_uart_replay_feed(replay, part, n, 0);
        free(part);
        at += n;
    }
    struct rh_uart_replay_counts counts = rh_uart_replay_end(replay);
    fold(&sum, &counts, sizeof counts);
    rh_uart_replay_free(replay);
    return sum;
}

static const struct rh_schema *schema(void)
{
    static const struct rh_driver_schema *drivers[1];
    static const char *const formats[] = {"json"};
    static const struct rh_schema schema = {drivers, 1, formats, 1};
    for (size_t i = 0; i < rh_n_drivers; i++)
        if (strcmp(rh_drivers[i]->schema->name, "uart") == 0)
            drivers[0] = rh_drivers[i]->schema;
    return &schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const folders[] = {"/p"};
    const uint8_t *end = memchr(bytes, 0, size);
    struct rh_config *config = NULL;
    struct rh_report report;
    if (end == NULL || end - bytes > PROFILE_MAX || size > BYTES_MAX)
        return 0;
    struct input input = {(const char *)bytes, (size_t)(end - bytes)};
    const struct rh_source source = {.context = &input,
                                     .read = read_file,
                                     .list = list_files,
                                     .host_name = "fuzz",
                                     .profile_folders = folders,
                                     .n_profile_folders = 1};
    rh_report_init(&report);
    if (rh_config_load_from(&source, "/site", schema(), &report, &config) == 0) {
        const uint8_t *stream = end + 1;
        size_t len = size - input.profile_len - 1;
        const struct rh_device_conf *device = &config->lines[0].devices[0];
        struct sum whole = decode(device, stream, len, 0);
        struct sum cut = decode(device, stream, len, 13);
        rh_assert(whole.hash == cut.hash && whole.readings == cut.readings);
    }
    rh_config_free(config);
    rh_report_fini(&report);
    return 0;
}
