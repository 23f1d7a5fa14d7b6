/* SPDX-License-Identifier: MIT */
/*
 * checksum = ALGORITHM [over A..B] [at POS] [as FORM]
 *
 * Without the rest a checksum covers all bytes before it and stands at the end of the frame.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/uart.h"

#define CRC_PREFIX "crc:"

#define CRC(name, width, poly, init, xorout, reflected, form)                                                \
    {                                                                                                        \
        name, RH_UART_SUM_CRC, width, form,                                                                  \
        {                                                                                                    \
            poly, init, xorout, reflected, reflected                                                         \
        }                                                                                                    \
    }

/* The parameters of the CRCs are those of the catalogue of parametrised CRC algorithms; the check value of
 * each over "123456789" is in the tests. */
static const struct algorithm {
    const char *name;
    enum rh_uart_sum sum;
    unsigned width;
    enum rh_uart_sum_form form; /* unless `as` says otherwise */
    struct rh_uart_crc crc;
} algorithms[] = {
    {"none", RH_UART_SUM_NONE, 0, RH_UART_FORM_BE, {0}},
    {"nmea", RH_UART_SUM_NMEA, 0, RH_UART_FORM_BE, {0}},
    {"dsmr", RH_UART_SUM_DSMR, 0, RH_UART_FORM_BE, {0}},
    {"sml", RH_UART_SUM_SML, 0, RH_UART_FORM_BE, {0}},
    {"ve", RH_UART_SUM_ZERO, 8, RH_UART_FORM_BE, {0}},
    {"xor8", RH_UART_SUM_XOR8, 8, RH_UART_FORM_BE, {0}},
    {"sum8", RH_UART_SUM_ADD, 8, RH_UART_FORM_BE, {0}},
    {"neg-sum8", RH_UART_SUM_NEG, 8, RH_UART_FORM_BE, {0}},
    {"zero-sum8", RH_UART_SUM_ZERO, 8, RH_UART_FORM_BE, {0}},
    {"sum16", RH_UART_SUM_ADD, 16, RH_UART_FORM_BE, {0}},
    {"neg-sum16", RH_UART_SUM_NEG, 16, RH_UART_FORM_BE, {0}},
    CRC("crc16-modbus", 16, 0x8005, 0xFFFF, 0, true, RH_UART_FORM_LE),
    CRC("crc16-arc", 16, 0x8005, 0, 0, true, RH_UART_FORM_LE),
    CRC("crc16-x25", 16, 0x1021, 0xFFFF, 0xFFFF, true, RH_UART_FORM_LE),
    CRC("crc16-kermit", 16, 0x1021, 0, 0, true, RH_UART_FORM_LE),
    CRC("crc16-xmodem", 16, 0x1021, 0, 0, false, RH_UART_FORM_BE),
    CRC("crc16-ccitt-false", 16, 0x1021, 0xFFFF, 0, false, RH_UART_FORM_BE),
    CRC("crc16-sdi12", 16, 0x8005, 0, 0, true, RH_UART_FORM_SDI12),
    CRC("crc8", 8, 0x07, 0, 0, false, RH_UART_FORM_BE),
    CRC("crc32", 32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, true, RH_UART_FORM_BE),
};

static const struct {
    const char *name;
    unsigned width; /* of the checksum it is for */
    enum rh_uart_sum_form form;
} forms[] = {
    {"u8", 8, RH_UART_FORM_BE},     {"u16be", 16, RH_UART_FORM_BE},   {"u16le", 16, RH_UART_FORM_LE},
    {"u32be", 32, RH_UART_FORM_BE}, {"u32le", 32, RH_UART_FORM_LE},   {"hex2", 8, RH_UART_FORM_HEX},
    {"hex4", 16, RH_UART_FORM_HEX}, {"char", 16, RH_UART_FORM_SDI12},
};

static const char *nearest(const char *word)
{
    const char *names[RH_COUNT(algorithms)];
    for (size_t i = 0; i < RH_COUNT(algorithms); i++)
        names[i] = algorithms[i].name;
    return rh_text_nearest(word, names, RH_COUNT(algorithms));
}

static bool yes_or_no(const char *word, bool *ret_yes)
{
    static const char *const words[] = {"no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < RH_COUNT(words); i++) {
        if (strcmp(words[i], word) != 0)
            continue;
        *ret_yes = i % 2 == 1;
        return true;
    }
    return false;
}

/* The six members of crc:…, as numbers and as yes or no. */
static bool read_crc(char *word, struct rh_uart_checksum *checksum)
{
    static const size_t places[] = {0, 1, 2, 5};
    uint64_t numbers[RH_COUNT(places)] = {0};
    char *next = NULL, *parts[7];
    size_t n = 0;
    for (char *part = strtok_r(word, ",", &next); part && n < RH_COUNT(parts);
         part = strtok_r(NULL, ",", &next))
        parts[n++] = part;
    bool good = n == 6;
    for (size_t i = 0; i < RH_COUNT(places) && good; i++)
        good = rh_parse_uint(parts[places[i]], &numbers[i]) == 0 && numbers[i] <= UINT32_MAX;
    good = good && yes_or_no(parts[3], &checksum->crc.refin) && yes_or_no(parts[4], &checksum->crc.refout);
    checksum->width = (unsigned)numbers[0];
    checksum->crc.poly = (uint32_t)numbers[1];
    checksum->crc.init = (uint32_t)numbers[2];
    checksum->crc.xorout = (uint32_t)numbers[3];
    return good && checksum->width >= 8 && checksum->width <= 32;
}

/* crc:width,poly,init,refin,refout,xorout */
static bool parse_crc(const struct rh_option_value *value, char *word, struct rh_uart_checksum *checksum)
{
    checksum->sum = RH_UART_SUM_CRC;
    checksum->form = RH_UART_FORM_BE;
    return read_crc(word + strlen(CRC_PREFIX), checksum) ||
           rh_uart_wrong(value, NULL,
                         "must be crc:width,poly,init,refin,refout,xorout with a width of 8 to 32, as "
                         "crc:16,0x1021,0xFFFF,no,no,0");
}

static bool parse_algorithm(const struct rh_option_value *value, char *word,
                            struct rh_uart_checksum *checksum)
{
    if (strncmp(word, CRC_PREFIX, strlen(CRC_PREFIX)) == 0)
        return parse_crc(value, word, checksum);
    for (size_t i = 0; i < RH_COUNT(algorithms); i++) {
        if (strcmp(algorithms[i].name, word) != 0)
            continue;
        *checksum = (struct rh_uart_checksum){.sum = algorithms[i].sum,
                                              .form = algorithms[i].form,
                                              .width = algorithms[i].width,
                                              .crc = algorithms[i].crc};
        return true;
    }
    return rh_uart_wrong(value, nearest(word), "unknown checksum \"%s\"", word);
}

static bool parse_place(const char *text, int64_t *ret_place)
{
    return rh_parse_int(text, ret_place) == 0 && *ret_place >= -RH_UART_FRAME_MAX &&
           *ret_place < RH_UART_FRAME_MAX;
}

static bool parse_over(char *word, struct rh_uart_checksum *checksum)
{
    char *dots = strstr(word, "..");
    if (!dots)
        return false;
    *dots = '\0';
    return parse_place(word, &checksum->from) && parse_place(dots + 2, &checksum->to) &&
           ((checksum->from < 0) != (checksum->to < 0) || checksum->from <= checksum->to);
}

static bool parse_form(const char *word, struct rh_uart_checksum *checksum)
{
    for (size_t i = 0; i < RH_COUNT(forms); i++) {
        if (strcmp(forms[i].name, word) != 0)
            continue;
        bool fits = (checksum->width + 7) / 8 == (forms[i].width + 7) / 8;
        checksum->form = forms[i].form;
        return fits;
    }
    return false;
}

/* "over A..B" or "at POS" */
static bool parse_pair(const struct rh_option_value *value, const char *key, char *word,
                       struct rh_uart_checksum *checksum)
{
    bool place = strcmp(key, "at") == 0 && checksum->sum != RH_UART_SUM_ZERO;
    if (strcmp(key, "over") != 0 && !place)
        return rh_uart_wrong(value, NULL, "\"%s\" does not belong here", key);
    if (place ? parse_place(word, &checksum->at) : parse_over(word, checksum))
        return true;
    return rh_uart_wrong(value, NULL, "%s %s: must be %s", key, word,
                         place ? "a place as -2" : "a range as 0..-3");
}

/* The words behind the algorithm, in pairs; the form first, for the size decides where it stands. */
static bool parse_rest(const struct rh_option_value *value, char **words, size_t n,
                       struct rh_uart_checksum *checksum)
{
    for (size_t i = 0; i < n; i += 2)
        if (strcmp(words[i], "as") == 0 && !parse_form(words[i + 1], checksum))
            return rh_uart_wrong(value, NULL, "as %s: must be u8, u16be, u16le, hex2, hex4 or char, and fit",
                                 words[i + 1]);
    int64_t size = (int64_t)rh_uart_checksum_size(checksum);
    checksum->from = 0;
    checksum->to = checksum->sum == RH_UART_SUM_ZERO ? -1 : -size - 1;
    checksum->at = -size;
    for (size_t i = 0; i < n; i += 2)
        if (strcmp(words[i], "as") != 0 && !parse_pair(value, words[i], words[i + 1], checksum))
            return false;
    return true;
}

bool rh_uart_parse_checksum(const struct rh_option_value *value, void *field)
{
    struct rh_uart_framing *framing = field;
    struct rh_uart_checksum checksum = {0};
    char *words[8], *next = NULL;
    char *text = rh_arena_text(value->arena, value->text, value->len);
    size_t n = 0;
    for (char *word = strtok_r(text, " \t", &next); word && n < RH_COUNT(words);
         word = strtok_r(NULL, " \t", &next))
        words[n++] = word;
    if (n % 2 == 0)
        return rh_uart_wrong(value, NULL, "must be ALGORITHM [over A..B] [at POS] [as FORM]");
    if (!parse_algorithm(value, words[0], &checksum))
        return false;
    bool preset = checksum.width == 0;
    if (preset && n > 1)
        return rh_uart_wrong(value, NULL, "%s knows its own places: it takes no %s", words[0], words[1]);
    if (!preset && !parse_rest(value, words + 1, n - 1, &checksum))
        return false;
    framing->checksum = checksum;
    return true;
}
