/* SPDX-License-Identifier: MIT */
/* Command payloads from outside: what is accepted is within its bounds, and what is made of it is a value of
 * the point; what is refused says why. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/reply.h"
#include "mqtt/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rh_label labels[] = {{0, "off"}, {1, "auto"}, {-3, "manual"}};

static const struct rh_point points[] = {
    {.name = "u16", .type = RH_TYPE_U16, .scale = {1, 0}, .has_step = true, .step = 5},
    {.name = "s64", .type = RH_TYPE_S64, .scale = {1, 0}, .has_min = true, .min = -10},
    {.name = "f32", .type = RH_TYPE_F32, .scale = {1, 0}, .has_max = true, .max = 100},
    {.name = "s16", .type = RH_TYPE_S16, .scale = {1, -1}, .has_step = true, .step = 0.1},
    {.name = "bit", .type = RH_TYPE_BIT, .scale = {1, 0}},
    {.name = "mode", .type = RH_TYPE_U16, .scale = {1, 0}, .labels = labels, .n_labels = RH_COUNT(labels)},
    {.name = "str", .type = RH_TYPE_STR, .scale = {1, 0}},
};

static void check_text(const char *text, size_t max)
{
    rh_assert(strnlen(text, max + 1) <= max);
    rh_assert(rh_utf8_valid(text, strlen(text)) == strlen(text));
}

static void check_converted(const struct rh_point *point, const struct rh_value *value)
{
    double number = 0;
    if (value->kind == RH_VALUE_F64)
        rh_assert(isfinite(value->f64));
    if (value->kind == RH_VALUE_TEXT)
        check_text(value->text, RH_TEXT_MAX);
    else
        rh_assert(rh_value_number(value, &number));
    rh_assert(!point->has_min || number >= point->min);
    rh_assert(!point->has_max || number <= point->max);
    rh_assert(point->n_labels == 0 || rh_point_label(point, value->i64));
}

/* The reply to it is JSON that the next one takes as stored. */
static void answer(const struct rh_request *request, const struct rh_point *point,
                   const struct rh_value *value)
{
    static char first[8192], second[8192];
    struct rh_reply reply = {.id = request->has_id ? request->id : NULL,
                             .outcome = {.point = point, .value = value, .message = request->by}};
    struct rh_text text, again;
    rh_text_init(&text, first, sizeof(first));
    rh_text_init(&again, second, sizeof(second));
    rh_assert(rh_reply_write(&text, &reply));
    rh_assert(rh_reply_duplicate(&again, text.at, text.len));
}

static void convert(const struct rh_request *request, const struct rh_value *given)
{
    for (size_t i = 0; i < RH_COUNT(points); i++) {
        struct rh_value value = {.kind = RH_VALUE_NONE};
        if (rh_request_convert(&points[i], given, request->bare, &value) != RH_CODE_NONE)
            continue;
        check_converted(&points[i], &value);
        answer(request, &points[i], &value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rh_request request;
    char why[96];
    char *payload = malloc(size + (size == 0)); /* exact, so that a read past the end is seen */
    if (!payload)
        return 0;
    if (size > 0)
        memcpy(payload, data, size);
    enum rh_command_code code = rh_request_parse(payload, size, &request, why, sizeof(why));
    free(payload);

    rh_assert((code == RH_CODE_NONE) == (why[0] == 0));
    rh_assert(request.n_values <= RH_COMMAND_POINTS);
    rh_assert(!(request.bare && (request.json || request.has_id || request.n_values > 0)));
    check_text(request.id, RH_COMMAND_ID_MAX);
    check_text(request.by, RH_REQUEST_BY_MAX);
    if (code != RH_CODE_NONE)
        return 0;
    if (request.has_value)
        convert(&request, &request.value);
    for (size_t i = 0; i < request.n_values; i++) {
        rh_assert(rh_name_valid(request.values[i].point));
        convert(&request, &request.values[i].value);
    }
    return 0;
}
