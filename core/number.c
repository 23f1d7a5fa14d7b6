/* SPDX-License-Identifier: MIT */
/* The strict number parsers of text.h, and its spelling help. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

int rh_parse_uint(const char *string, uint64_t *ret_value)
{
    unsigned base = 10;
    uint64_t value = 0;

    if (string[0] == '0' && (string[1] == 'x' || string[1] == 'X')) {
        base = 16;
        string += 2;
    }
    if (!*string)
        return -EINVAL;
    for (; *string; string++) {
        unsigned d = (unsigned)hex_value(*string);
        if (d >= base)
            return -EINVAL;
        if (value > (UINT64_MAX - d) / base)
            return -ERANGE;
        value = value * base + d;
    }
    *ret_value = value;
    return 0;
}

int rh_parse_int(const char *string, int64_t *ret_value)
{
    bool negative = string[0] == '-';
    uint64_t magnitude;
    int r = rh_parse_uint(string + negative, &magnitude);

    if (r < 0)
        return r;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return -ERANGE;
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

int rh_parse_double(const char *string, double *ret_value)
{
    char *end;
    size_t sign = string[0] == '-' || string[0] == '+';

    if (!digit(string[sign]) && !(string[sign] == '.' && digit(string[sign + 1])))
        return -EINVAL; /* keeps out blanks, "inf", "nan" */
    if (strpbrk(string, "xXpP"))
        return -EINVAL;
    double value = strtod(string, &end);
    if (*end)
        return -EINVAL;
    if (!isfinite(value))
        return -ERANGE;
    *ret_value = value;
    return 0;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* A number, digits and at most one point, then a unit; the product is rounded to a whole number. */
static int parse_with_unit(const char *string, const struct unit *units, size_t n_units, int64_t *ret_value)
{
    char number[32];
    size_t len = strspn(string, "0123456789.");
    double value;

    if (len == 0 || len >= sizeof(number))
        return -EINVAL;
    memcpy(number, string, len);
    number[len] = '\0';
    if (rh_parse_double(number, &value) < 0)
        return -EINVAL;
    if (!string[len])
        return -ENOMSG;
    for (size_t i = 0; i < n_units; i++) {
        if (strcmp(string + len, units[i].name) != 0)
            continue;
        value *= (double)units[i].factor;
        if (value > 9e15)
            return -ERANGE;
        *ret_value = (int64_t)llround(value);
        return 0;
    }
    return -EBADR;
}

int rh_parse_duration(const char *string, int64_t *ret_ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
    };

    return parse_with_unit(string, units, RH_COUNT(units), ret_ms);
}

int rh_parse_size(const char *string, int64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"B", 1},
        {"KiB", 1024},
        {"MiB", 1048576},
        {"GiB", 1073741824},
    };

    return parse_with_unit(string, units, RH_COUNT(units), ret_bytes);
}

/* After the 'e': a sign if need be, then decimal digits and nothing else. */
static int parse_exponent(const char *string, int *ret_exponent)
{
    bool negative = *string == '-';
    int exponent = 0;

    string += *string == '-' || *string == '+';
    if (!*string)
        return -EINVAL;
    for (; digit(*string); string++)
        exponent = exponent > 30 ? exponent : exponent * 10 + (*string - '0');
    if (*string)
        return -EINVAL;
    if (exponent > 30)
        return -ERANGE;
    *ret_exponent = negative ? -exponent : exponent;
    return 0;
}

/* Digits with at most one point into an integer; how many came after the point. */
static int parse_mantissa(const char *string, size_t len, int64_t *ret_mantissa, int *ret_after)
{
    int64_t mantissa = 0;
    int after = -1;
    bool any = false;

    for (size_t i = 0; i < len; i++) {
        if (string[i] == '.' && after < 0) {
            after = 0;
            continue;
        }
        if (!digit(string[i]))
            return -EINVAL;
        if (mantissa > 99999999999999999)
            return -ERANGE;
        mantissa = mantissa * 10 + (string[i] - '0');
        any = true;
        after += after >= 0;
    }
    *ret_mantissa = mantissa;
    *ret_after = after > 0 ? after : 0;
    return any ? 0 : -EINVAL;
}

int rh_parse_decimal(const char *string, struct rh_decimal *ret_value)
{
    bool negative = string[0] == '-';
    const char *digits = string + negative;
    size_t len = strcspn(digits, "eE");
    int64_t mantissa;
    int after, exponent = 0;
    int r = parse_mantissa(digits, len, &mantissa, &after);

    if (r == 0 && digits[len])
        r = parse_exponent(digits + len + 1, &exponent);
    if (r < 0)
        return r;
    exponent -= after;
    for (; mantissa != 0 && mantissa % 10 == 0; mantissa /= 10)
        exponent++;
    *ret_value =
        (struct rh_decimal){.mantissa = negative ? -mantissa : mantissa, .exponent = mantissa ? exponent : 0};
    return 0;
}

#define NEAREST_MAX 64

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) between two short words. */
static unsigned edits(const char *a, const char *b)
{
    unsigned rows[3][NEAREST_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > NEAREST_MAX || lb > NEAREST_MAX)
        return NEAREST_MAX;
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *now = rows[i % 3], *up = rows[(i - 1) % 3];

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

            best = least(best, least(up[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, rows[(i - 2) % 3][j - 2] + 1);
            now[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *rh_text_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word);
    unsigned limit = len < 3 ? 1 : (len / 3 > 3 ? 3 : (unsigned)(len / 3)), best = limit + 1;
    const char *nearest = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned d = edits(word, candidates[i]);
        if (d < best) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
