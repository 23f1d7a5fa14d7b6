/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "config/words.h"

#define SHORTEST 3 /* two letters are near to every other two */

/* "baudrat" was meant as "baud", "int" as "interval": too many edits, but one begins with the other. */
static const char *same_start(const char *word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    size_t best_len = SHORTEST - 1;

    for (size_t i = 0; i < n; i++) {
        size_t a = strlen(word), b = strlen(candidates[i]), common = a < b ? a : b;

        if (common > best_len && strncasecmp(word, candidates[i], common) == 0) {
            best = candidates[i];
            best_len = common;
        }
    }
    return best;
}

const char *rh_near(const char *word, const char *const *candidates, size_t n)
{
    const char *nearest;

    for (size_t i = 0; i < n; i++)
        if (strcasecmp(word, candidates[i]) == 0)
            return candidates[i];
    if (strlen(word) < SHORTEST)
        return NULL;
    nearest = rh_text_nearest(word, candidates, n);
    return nearest ? nearest : same_start(word, candidates, n);
}
