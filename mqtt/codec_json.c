/* SPDX-License-Identifier: MIT */
/*
 * codec_json.c - format json: the readings of one device as scans.
 *
 *   {"gw":"hamburg-02","dev":"m07","epoch":"5f3a9c21","seq":812[,"clock":"unsynced"],
 *    "readings":[{"t":1795163955698,"v":{"voltage":231.4},"q":{"energy":"timeout"}}, ...]}
 *
 * A scan is a run of consecutive readings taken within 10 ms of its first and without a point twice, so
 * no key stands twice in an object; `t` is the acquisition time of its first reading. A scan is written
 * in two passes over the same readings: the values, then the qualities that are not good.
 *
 * `v` is always there, empty if no reading of the scan has a value; `q` only when a quality is not good.
 * A good value needs no quality: that it is there says so.
 */
#include <string.h>

#include "mqtt/codec.h"
#include "mqtt/value.h"

#define SCAN_SPAN_MS 10
#define SCAN_READINGS_MAX 256

/* A run of readings: where it starts in the packed block, and how many it takes. */
struct scan {
    size_t offset, next;
    size_t n;
    int64_t wall_ms;
    bool marked; /* some quality is not good */
};

/* A good reading without a value, and NaN and infinities, are "na". */
static enum rh_quality quality_of(const struct rh_reading *reading)
{
    bool valued = reading->quality == RH_GOOD || reading->quality == RH_UNCERTAIN;
    return valued && !rh_value_finite(&reading->value) ? RH_NA : (enum rh_quality)reading->quality;
}

static bool joins(const struct scan *scan, const struct rh_reading *reading, const uint32_t *seen)
{
    int64_t apart_ms = 0;
    if (scan->n == SCAN_READINGS_MAX || __builtin_sub_overflow(reading->wall_ms, scan->wall_ms, &apart_ms) ||
        apart_ms > SCAN_SPAN_MS || apart_ms < -SCAN_SPAN_MS)
        return false;
    for (size_t i = 0; i < scan->n; i++) {
        if (seen[i] == reading->point)
            return false;
    }
    return true;
}

/* The scan that starts at `offset`; false at the end. */
static bool next_scan(const struct rh_packed *packed, size_t offset, struct scan *ret_scan)
{
    struct rh_reading reading;
    uint32_t seen[SCAN_READINGS_MAX];
    struct scan scan = {.offset = offset, .next = offset};
    size_t at = offset;
    while (rh_packed_next(packed, &at, &reading)) {
        if (scan.n == 0)
            scan.wall_ms = reading.wall_ms;
        else if (!joins(&scan, &reading, seen))
            break;
        seen[scan.n++] = reading.point;
        scan.marked |= quality_of(&reading) != RH_GOOD;
        scan.next = at;
    }
    *ret_scan = scan;
    return scan.n > 0;
}

static void put_string(struct rh_text *text, const char *string)
{
    rh_text_json(text, string, strlen(string));
}

static void put_key(struct rh_text *text, const char *name, bool first)
{
    if (!first)
        rh_text_char(text, ',');
    put_string(text, name);
    rh_text_char(text, ':');
}

static void put_values(struct rh_text *text, const struct rh_codec_batch *batch, const struct scan *scan)
{
    struct rh_reading reading;
    bool first = true;
    for (size_t at = scan->offset; at != scan->next && rh_packed_next(batch->readings, &at, &reading);) {
        if (!rh_value_worth(&reading))
            continue;
        const struct rh_point *point = &batch->points[reading.point];
        put_key(text, point->name, first);
        rh_value_json(text, point, &reading.value);
        first = false;
    }
}

static void put_qualities(struct rh_text *text, const struct rh_codec_batch *batch, const struct scan *scan)
{
    struct rh_reading reading;
    bool first = true;
    for (size_t at = scan->offset; at != scan->next && rh_packed_next(batch->readings, &at, &reading);) {
        reading.quality = (uint8_t)quality_of(&reading);
        if (reading.quality == RH_GOOD)
            continue;
        char buffer[16];
        put_key(text, batch->points[reading.point].name, first);
        put_string(text, rh_quality_name(&reading, buffer));
        first = false;
    }
}

static void put_scan(struct rh_text *text, const struct rh_codec_batch *batch, const struct scan *scan)
{
    rh_text_put(text, scan->offset == 0 ? "{\"t\":" : ",{\"t\":");
    rh_text_int(text, scan->wall_ms);
    rh_text_put(text, ",\"v\":{");
    put_values(text, batch, scan);
    rh_text_char(text, '}');
    if (scan->marked) {
        rh_text_put(text, ",\"q\":{");
        put_qualities(text, batch, scan);
        rh_text_char(text, '}');
    }
    rh_text_char(text, '}');
}

static bool encode(const struct rh_codec_batch *batch, struct rh_text *payload)
{
    static const char *const clocks[] = {
        [RH_CLOCK_SYNCED] = "",
        [RH_CLOCK_UNSYNCED] = ",\"clock\":\"unsynced\"",
        [RH_CLOCK_ESTIMATED] = ",\"clock\":\"estimated\"",
    };
    rh_text_put(payload, "{\"gw\":");
    put_string(payload, batch->gateway);
    rh_text_put(payload, ",\"dev\":");
    put_string(payload, batch->device);
    rh_text_put(payload, ",\"epoch\":");
    put_string(payload, batch->epoch);
    rh_text_put(payload, ",\"seq\":");
    rh_text_uint(payload, batch->seq);
    rh_text_put(payload, clocks[batch->clock]);
    rh_text_put(payload, ",\"readings\":[");
    struct scan scan = {.next = 0};
    while (next_scan(batch->readings, scan.next, &scan))
        put_scan(payload, batch, &scan);
    rh_text_put(payload, "]}");
    return !payload->cut;
}

/* Quotes, and six bytes for everything that may have to be escaped or replaced. */
static size_t string_bound(const char *string, size_t len)
{
    size_t bytes = 2;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)string[i];
        bytes += c >= 0x20 && c < 0x7f && c != '"' && c != '\\' ? 1 : 6;
    }
    return bytes;
}

static size_t value_bound(const struct rh_point *point, const struct rh_value *value)
{
    size_t bytes = 32; /* any number: at most 24 characters and ".0" */
    if (value->kind == RH_VALUE_TEXT)
        bytes = string_bound(value->text, value->text_len);
    for (size_t i = 0; i < point->n_labels; i++) {
        size_t label = string_bound(point->labels[i].label, strlen(point->labels[i].label));
        bytes = label > bytes ? label : bytes;
    }
    return bytes;
}

/* As if the reading stood alone in a scan: ,{"t":-9223372036854775808,"v":{"name":value},"q":{"name":"..."}}
 */
static size_t bound(const struct rh_point *point, const struct rh_reading *reading)
{
    size_t entry = sizeof ",{\"t\":-9223372036854775808,\"v\":{},\"q\":{}}";
    size_t key = string_bound(point->name, strlen(point->name)) + sizeof ",:";
    if (rh_value_worth(reading))
        entry += key + value_bound(point, &reading->value);
    if (quality_of(reading) != RH_GOOD)
        entry += key + sizeof "\"exception-255\"" + 2;
    return entry;
}

static size_t overhead(const struct rh_codec_batch *batch)
{
    return sizeof "{\"gw\":,\"dev\":,\"epoch\":,\"seq\":18446744073709551615,\"clock\":\"estimated\","
                  "\"readings\":[]}" +
           string_bound(batch->gateway, strlen(batch->gateway)) +
           string_bound(batch->device, strlen(batch->device)) +
           string_bound(batch->epoch, strlen(batch->epoch));
}

const struct rh_codec rh_codec_json = {
    .name = "json",
    .encode = encode,
    .bound = bound,
    .overhead = overhead,
};
