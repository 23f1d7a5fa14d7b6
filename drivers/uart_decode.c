/* SPDX-License-Identifier: MIT */
#include "drivers/uart_decode.h"

#include <errno.h>
#include <string.h>

#include "drivers/uart_text.h"

int rh_uart_decoder_init(struct rh_uart_decoder *decoder)
{
    decoder->match = rh_uart_matcher_new();
    decoder->own = rh_uart_matcher_new();
    if (decoder->match && decoder->own)
        return 0;
    rh_uart_decoder_fini(decoder);
    return -ENOMEM;
}

void rh_uart_decoder_fini(struct rh_uart_decoder *decoder)
{
    rh_uart_matcher_free(decoder->match);
    rh_uart_matcher_free(decoder->own);
    *decoder = (struct rh_uart_decoder){0};
}

static struct rh_uart_view view_of(const struct rh_uart_decoder *decoder, const struct rh_uart_frame *frame)
{
    return (struct rh_uart_view){.frame = {frame->bytes, frame->len},
                                 .text = {frame->bytes, frame->text_len},
                                 .match = decoder->match,
                                 .own = decoder->own};
}

/* ---- which group ---- */

static bool is_prefix(const struct rh_uart_match *match, const uint8_t *bytes, size_t len)
{
    if (len < match->len)
        return false;
    for (size_t i = 0; i < match->len; i++)
        if (match->bytes[i] != '?' && match->bytes[i] != bytes[i])
            return false;
    return true;
}

static bool takes(struct rh_uart_decoder *decoder, const struct rh_uart_match *match,
                  const struct rh_uart_frame *frame)
{
    switch (match->kind) {
    case RH_UART_MATCH_ANY:
        return true;
    case RH_UART_MATCH_PREFIX:
        return is_prefix(match, frame->bytes, frame->text_len) ||
               is_prefix(match, frame->bytes + frame->start_len, frame->text_len - frame->start_len);
    case RH_UART_MATCH_BYTES:
        return match->at + match->len <= frame->len &&
               memcmp(frame->bytes + match->at, match->bytes, match->len) == 0;
    case RH_UART_MATCH_REGEX:
        return rh_uart_matches(decoder->match, match->regex, frame->bytes, frame->text_len);
    }
    return false;
}

/* With groups, the device's own is one only if it has a match, or points. */
static bool has_own_group(const struct rh_device_conf *device)
{
    const struct rh_uart_device *options = device->options;
    if (device->n_groups == 0 || options->own.match.kind != RH_UART_MATCH_ANY)
        return true;
    for (uint32_t i = 0; i < device->n_points; i++) {
        const struct rh_uart_field *field = device->line->points[device->first_point + i].address;
        if (field->group == rh_uart_own_group(device))
            return true;
    }
    return false;
}

int rh_uart_decode_group(struct rh_uart_decoder *decoder, const struct rh_device_conf *device,
                         const struct rh_uart_frame *frame)
{
    for (uint32_t group = 0; group < device->n_groups; group++)
        if (takes(decoder, &rh_uart_group_of(device, group)->match, frame))
            return (int)group;
    uint32_t own = rh_uart_own_group(device);
    if (has_own_group(device) && takes(decoder, &rh_uart_group_of(device, own)->match, frame))
        return (int)own;
    return -1;
}

/* ---- its points ---- */

static enum rh_uart_place read_latlon(const struct rh_point *point, const struct rh_uart_view *view,
                                      struct rh_reading *reading)
{
    const struct rh_uart_field *field = point->address;
    struct rh_uart_slice degrees, hemisphere;
    if (rh_uart_find_column(field, view->text, field->at, &degrees) != RH_UART_THERE ||
        rh_uart_find_column(field, view->text, field->at + 1, &hemisphere) != RH_UART_THERE)
        return RH_UART_BROKEN;
    reading->quality = (uint8_t)rh_uart_value_of_latlon(point, degrees, hemisphere, &reading->value);
    return RH_UART_THERE;
}

static enum rh_uart_place read_bytes(const struct rh_point *point, const struct rh_uart_view *view,
                                     struct rh_reading *reading)
{
    const struct rh_uart_field *field = point->address;
    int64_t len = (int64_t)view->frame.len, at = field->at < 0 ? field->at + len : field->at;
    if (at < 0 || at + (int64_t)rh_uart_field_size(field) > len)
        return RH_UART_BROKEN;
    reading->quality = (uint8_t)rh_uart_value_of_bytes(point, view->frame.bytes + at, &reading->value);
    return RH_UART_THERE;
}

static enum rh_uart_place read_text(const struct rh_point *point, const struct rh_uart_view *view,
                                    struct rh_reading *reading)
{
    struct rh_uart_slice text;
    enum rh_uart_place place = rh_uart_find_text(point->address, view, &text);
    if (place == RH_UART_THERE)
        reading->quality = (uint8_t)rh_uart_value_of_text(point, text, &reading->value);
    return place;
}

static enum rh_uart_place read_sml(const struct rh_point *point, const struct rh_uart_view *view,
                                   struct rh_reading *reading)
{
    struct rh_uart_sml sml;
    enum rh_uart_place place = rh_uart_find_sml(point->address, view->frame, &sml);
    if (place != RH_UART_THERE)
        return place;
    enum rh_quality quality = sml.number
                                  ? rh_uart_value_of_number(point, sml.whole, sml.exponent, &reading->value)
                                  : rh_uart_value_of_text(point, sml.text, &reading->value);
    reading->quality = (uint8_t)quality;
    return place;
}

bool rh_uart_decode_point(struct rh_uart_decoder *decoder, const struct rh_point *point,
                          const struct rh_uart_frame *frame, struct rh_reading *ret_reading)
{
    const struct rh_uart_field *field = point->address;
    struct rh_uart_view view = view_of(decoder, frame);
    enum rh_uart_place place;
    *ret_reading = (struct rh_reading){.point = point->index};
    if (field->latlon)
        place = read_latlon(point, &view, ret_reading);
    else if (field->source == RH_UART_BYTES)
        place = read_bytes(point, &view, ret_reading);
    else if (field->source == RH_UART_SML)
        place = read_sml(point, &view, ret_reading);
    else
        place = read_text(point, &view, ret_reading);
    if (place == RH_UART_BROKEN)
        ret_reading->quality = RH_INVALID;
    if (ret_reading->quality != RH_GOOD)
        ret_reading->value.kind = RH_VALUE_NONE;
    ret_reading->urgent = point->class_ == RH_CLASS_URGENT;
    return place != RH_UART_ABSENT;
}
