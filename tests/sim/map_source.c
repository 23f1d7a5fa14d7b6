/* SPDX-License-Identifier: MIT */
#include "tests/sim/map_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct type {
    const char *name;
    size_t width;
    bool floating;
} types[] = {{"u16", 1, false}, {"s16", 1, false}, {"u32", 2, false}, {"s32", 2, false},
             {"u64", 4, false}, {"s64", 4, false}, {"f32", 2, true},  {"f64", 4, true}};

static const struct order {
    const char *name;
    bool swap_words, swap_bytes;
} orders[] = {{"ABCD", false, false}, {"CDAB", true, false}, {"BADC", false, true}, {"DCBA", true, true}};

void sim_source_fini(struct sim_source *source)
{
    sim_generator_fini(&source->generator);
    free(source->reads);
    source->reads = NULL;
}

void sim_source_restart(struct sim_source *source)
{
    if (source->reads != NULL)
        memset(source->reads, 0, source->count / source->width * sizeof(*source->reads));
}

bool sim_source_constant(const struct sim_source *source)
{
    enum sim_shape shape = source->generator.shape;

    return shape == SIM_LIST || shape == SIM_CONST || shape == SIM_RAMP;
}

/* The words that may follow the address: a type, an order. Returns how many were taken. */
static size_t parse_type(struct sim_source *source, const struct sim_words *words, size_t at)
{
    size_t start = at;

    for (size_t i = 0; at < words->n && i < SIM_COUNT(types); i++) {
        if (strcmp(words->word[at], types[i].name) == 0) {
            source->width = types[i].width;
            source->floating = types[i].floating;
            at++;
            break;
        }
    }
    for (size_t i = 0; at < words->n && i < SIM_COUNT(orders); i++) {
        if (strcmp(words->word[at], orders[i].name) == 0) {
            source->swap_words = orders[i].swap_words;
            source->swap_bytes = orders[i].swap_bytes;
            at++;
            break;
        }
    }
    return at - start;
}

/* A text is a list of registers, two characters in each, the first one in the high byte. */
static bool parse_text(struct sim_source *source, const char *text, size_t len, char *why, size_t cap)
{
    struct sim_generator *generator = &source->generator;
    size_t n = source->count > 0 ? source->count : (len + 1) / 2;

    if (n * 2 < len || n == 0) {
        snprintf(why, cap, "the text has %zu bytes, the range holds %zu", len, n * 2);
        return false;
    }
    generator->list = calloc(n, sizeof(*generator->list));
    if (generator->list == NULL) {
        snprintf(why, cap, "out of memory");
        return false;
    }
    generator->shape = SIM_LIST;
    generator->n_list = n;
    for (size_t i = 0; i < len; i++)
        generator->list[i / 2].whole |= (int64_t)(unsigned char)text[i] << (i % 2 == 0 ? 8 : 0);
    source->count = n;
    return true;
}

/* How many cells: from the range, or as many as the list has values. */
static bool settle_count(struct sim_source *source, char *why, size_t cap)
{
    struct sim_generator *generator = &source->generator;
    size_t values;

    if (source->count == 0)
        source->count = source->width * (generator->shape == SIM_LIST ? generator->n_list : 1);
    values = source->count / source->width;
    if (source->count % source->width != 0 || source->first + source->count > 65536) {
        snprintf(why, cap, "the range does not hold a whole number of values, or passes address 65535");
        return false;
    }
    if (generator->shape == SIM_LIST && generator->n_list != values) {
        snprintf(why, cap, "%zu values for a range that holds %zu (for one value in all: const N)",
                 generator->n_list, values);
        return false;
    }
    if (generator->shape == SIM_COUNTER) {
        source->reads = calloc(values, sizeof(*source->reads));
        if (source->reads == NULL) {
            snprintf(why, cap, "out of memory");
            return false;
        }
    }
    return true;
}

static bool parse_address(struct sim_source *source, const struct sim_words *words, size_t at, char *why,
                          size_t cap)
{
    int64_t first, last;

    if (words->n < at + 2 || !sim_table_parse(words->word[at], &source->table)) {
        snprintf(why, cap, "expected: coil, discrete, holding or input, then an address or a range");
        return false;
    }
    if (!sim_parse_range(words->word[at + 1], 65535, &first, &last)) {
        snprintf(why, cap, "'%s' is not an address or a range A..B within 0..65535", words->word[at + 1]);
        return false;
    }
    source->first = (uint16_t)first;
    source->count = last < 0 ? 0 : (size_t)(last - first + 1);
    return true;
}

static bool parse_values(struct sim_source *source, struct sim_words *words, char *why, size_t cap)
{
    size_t at = 2;
    bool done;

    if (!parse_address(source, words, 0, why, cap))
        return false;
    if (words->n == 4 && strcmp(words->word[2], "text") == 0 && source->table >= SIM_HOLDING) {
        done = parse_text(source, words->word[3], words->len[3], why, cap);
    } else {
        at += parse_type(source, words, at);
        if (source->table < SIM_HOLDING && at != 2) {
            snprintf(why, cap, "bits have no type");
            return false;
        }
        done = sim_generator_parse(words->word + at, words->n - at, &source->generator, why, cap);
    }
    return done && settle_count(source, why, cap);
}

/* hole TABLE A[..B], exception TABLE A[..B] CODE */
static bool parse_refusal(struct sim_source *source, const struct sim_words *words, char *why, size_t cap)
{
    bool exception = source->kind == SIM_SOURCE_EXCEPTION;
    int64_t code = 0;

    if (!parse_address(source, words, 1, why, cap))
        return false;
    if (words->n != (exception ? 4U : 3U) || (exception && !sim_parse_int(words->word[3], 0, 255, &code))) {
        snprintf(why, cap, "expected: hole TABLE A..B, or exception TABLE A..B CODE");
        return false;
    }
    source->count = source->count == 0 ? 1 : source->count;
    source->exception = (uint8_t)code;
    return true;
}

bool sim_source_parse(struct sim_source *ret_source, struct sim_words *words, char *why, size_t why_cap)
{
    bool done;

    *ret_source = (struct sim_source){.kind = SIM_SOURCE_VALUES, .width = 1};
    if (words->n > 0 && strcmp(words->word[0], "hole") == 0)
        ret_source->kind = SIM_SOURCE_HOLE;
    else if (words->n > 0 && strcmp(words->word[0], "exception") == 0)
        ret_source->kind = SIM_SOURCE_EXCEPTION;
    if (ret_source->kind == SIM_SOURCE_VALUES)
        done = parse_values(ret_source, words, why, why_cap);
    else
        done = parse_refusal(ret_source, words, why, why_cap);
    if (!done)
        sim_source_fini(ret_source);
    return done;
}

static uint64_t mix(uint64_t random, uint64_t a, uint64_t b)
{
    struct sim_random mixed = {random ^ (a * 0x9e3779b97f4a7c15U) ^ (b << 40)};

    return sim_random_next(&mixed);
}

/* The value's bits, as wide as its type. */
static uint64_t bits_of(const struct sim_source *source, struct sim_number number)
{
    uint64_t bits;

    if (source->table < SIM_HOLDING)
        return (uint64_t)sim_number_whole(number) & 1;
    if (!source->floating)
        return (uint64_t)sim_number_whole(number);
    if (source->width == 2) {
        float value = (float)sim_number_real(number);
        uint32_t narrow;

        memcpy(&narrow, &value, sizeof(narrow));
        return narrow;
    }
    double value = sim_number_real(number);

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

void sim_source_value(struct sim_source *source, size_t index, const struct sim_moment *moment,
                      uint16_t words[SIM_SOURCE_WORDS])
{
    uint64_t count = source->reads != NULL ? source->reads[index] : 0;
    uint64_t random = mix(moment->random, (uint64_t)source->table << 16 | source->first, index);
    struct sim_number number =
        sim_generator_value(&source->generator, index, count, moment->elapsed_ns, random);
    uint64_t bits = bits_of(source, number);

    if (source->reads != NULL && !moment->peek)
        source->reads[index]++;
    for (size_t i = 0; i < source->width; i++) {
        size_t from_high = source->swap_words ? source->width - 1 - i : i;
        uint16_t word = (uint16_t)(bits >> (16 * (source->width - 1 - from_high)));

        words[i] = source->swap_bytes ? (uint16_t)(word >> 8 | word << 8) : word;
    }
}
