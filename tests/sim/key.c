/* SPDX-License-Identifier: MIT */
#include "tests/sim/key.h"

#include <stdio.h>
#include <string.h>

static bool set_text(const struct sim_key *key, const char *word, void *at)
{
    size_t len = strlen(word);

    if (len < (size_t)key->min || len >= (size_t)key->max)
        return false;
    memcpy(at, word, len + 1);
    return true;
}

static bool set_bool(const struct sim_key *key, const char *word, void *at)
{
    (void)key;
    return sim_parse_bool(word, at);
}

static bool set_int(const struct sim_key *key, const char *word, void *at)
{
    return sim_parse_int(word, key->min, key->max, at);
}

static bool set_u16(const struct sim_key *key, const char *word, void *at)
{
    int64_t value;

    if (!sim_parse_int(word, key->min, key->max, &value))
        return false;
    *(uint16_t *)at = (uint16_t)value;
    return true;
}

static bool set_duration(const struct sim_key *key, const char *word, void *at)
{
    int64_t value;

    if (!sim_parse_duration(word, &value) || value < key->min)
        return false;
    *(int64_t *)at = value;
    return true;
}

static bool set_span(const struct sim_key *key, const char *word, void *at)
{
    int64_t *pair = at;
    const char *dots = strstr(word, "..");
    char first[32];

    (void)key;
    if (dots == NULL) {
        if (!sim_parse_duration(word, &pair[0]))
            return false;
        pair[1] = pair[0];
        return true;
    }
    if ((size_t)(dots - word) >= sizeof(first))
        return false;
    memcpy(first, word, (size_t)(dots - word));
    first[dots - word] = '\0';
    return sim_parse_duration(first, &pair[0]) && sim_parse_duration(dots + 2, &pair[1]) &&
           pair[0] <= pair[1];
}

static const struct {
    bool (*set)(const struct sim_key *key, const char *word, void *at);
    const char *form;
} kinds[] = {
    [SIM_KEY_TEXT] = {set_text, "a text that is not too long"},
    [SIM_KEY_BOOL] = {set_bool, "yes or no"},
    [SIM_KEY_INT] = {set_int, "a whole number within bounds"},
    [SIM_KEY_U16] = {set_u16, "a whole number within bounds"},
    [SIM_KEY_DURATION] = {set_duration, "a duration like 5ms"},
    [SIM_KEY_SPAN] = {set_span, "a duration like 5ms, or 2ms..8ms"},
};

bool sim_keys_set(const struct sim_key *keys, size_t n_keys, void *object, const struct sim_words *words,
                  uint64_t *seen, char *why, size_t why_cap)
{
    for (size_t i = 0; i < n_keys; i++) {
        if (strcmp(words->word[0], keys[i].name) != 0)
            continue;
        if ((*seen >> i & 1) != 0) {
            snprintf(why, why_cap, "'%s' is set twice in this section", keys[i].name);
            return false;
        }
        *seen |= 1ULL << i;
        if (words->n != 2 ||
            !kinds[keys[i].kind].set(&keys[i], words->word[1], (char *)object + keys[i].offset)) {
            snprintf(why, why_cap, "'%s' takes %s", keys[i].name, kinds[keys[i].kind].form);
            return false;
        }
        return true;
    }
    snprintf(why, why_cap, "'%s' is no key of this section", words->word[0]);
    return false;
}
