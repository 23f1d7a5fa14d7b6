/* SPDX-License-Identifier: MIT */
/*
 * OBIS codes (IEC 62056-61), A-B:C.D.E*F, and where they stand in the data lines of IEC 62056-21 and DSMR:
 *
 *   1-0:1.8.1(000004.426*kWh)                       one bracket: value*unit
 *   0-1:24.2.1(170102161005W)(00000.107*m3)         M-Bus: the time of the reading, then the value
 *   0-1:24.3.0(…)(00)(60)(1)(0-1:24.2.1)(m3)CRLF
 *   (00001.001)                                     DSMR 2: the value in the line below
 *
 * A code may leave out A-B: and *F, as meters do.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/uart_text.h"

static bool read_number(const char **text, uint8_t *ret_number)
{
    unsigned number = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9' && at < *text + 3; at++)
        number = number * 10 + (unsigned)(*at - '0');
    if (at == *text || number > UINT8_MAX)
        return false;
    *text = at;
    *ret_number = (uint8_t)number;
    return true;
}

/* [A-B:]C.D[.E][*F] */
bool rh_uart_parse_obis(const char *text, uint8_t obis[6], uint8_t *ret_mask)
{
    static const char behind[] = "-:..*";
    uint8_t mask = 0;
    size_t place = strpbrk(text, "-:") ? 0 : 2;
    for (; place < 6; place++) {
        if (!read_number(&text, &obis[place]))
            return false;
        mask |= (uint8_t)(1U << place);
        if (*text == '\0')
            break;
        if (place == 3 && *text == '*')
            place++;
        if (place >= 5 || *text != behind[place])
            return false;
        text++;
    }
    *ret_mask = mask;
    return *text == '\0' && mask & 1U << 3;
}

/* The code at the start of a line is ours in all that ours says. */
static bool same_code(const struct rh_uart_field *field, struct rh_uart_slice line, size_t len)
{
    char text[32];
    uint8_t obis[6], mask;
    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, line.bytes, len);
    text[len] = '\0';
    if (!rh_uart_parse_obis(text, obis, &mask))
        return false;
    for (size_t i = 0; i < 6; i++)
        if ((field->obis_mask & 1U << i) != 0 &&
            ((mask & 1U << i) == 0 ? i != 5 && i > 1 : obis[i] != field->obis[i]))
            return false;
    return (field->obis_mask & 1U << 4) != 0 || (mask & 1U << 4) == 0;
}

/* What stands in the bracket, up to the unit. */
static struct rh_uart_slice without_unit(struct rh_uart_slice value)
{
    const uint8_t *star = memchr(value.bytes, '*', value.len);
    if (star)
        value.len = (size_t)(star - value.bytes);
    return value;
}

/* From the first bracket on: the one that is asked for. Brackets may go on in the next line. */
static enum rh_uart_place find_bracket(const struct rh_uart_field *field, struct rh_uart_slice text,
                                       struct rh_uart_slice *ret_text)
{
    bool found = false;
    size_t at = 0;
    for (uint32_t n = 0; at < text.len && text.bytes[at] == '('; n++) {
        const uint8_t *close = memchr(text.bytes + at, ')', text.len - at);
        if (!close)
            return RH_UART_BROKEN;
        size_t end = (size_t)(close - text.bytes);
        if (field->last_bracket || n == field->bracket) {
            *ret_text = without_unit((struct rh_uart_slice){text.bytes + at + 1, end - at - 1});
            found = true;
        }
        for (at = end + 1; at < text.len && (text.bytes[at] == '\r' || text.bytes[at] == '\n');)
            at++;
    }
    return found ? RH_UART_THERE : RH_UART_BROKEN;
}

enum rh_uart_place rh_uart_find_obis(const struct rh_uart_field *field, struct rh_uart_slice text,
                                     struct rh_uart_slice *ret_text)
{
    for (size_t at = 0; at < text.len;) {
        struct rh_uart_slice rest = {text.bytes + at, text.len - at};
        const uint8_t *line_end = memchr(rest.bytes, '\n', rest.len);
        size_t len = line_end ? (size_t)(line_end - rest.bytes) : rest.len;
        const uint8_t *bracket = memchr(rest.bytes, '(', len);
        size_t code = bracket ? (size_t)(bracket - rest.bytes) : 0;
        if (same_code(field, rest, code))
            return find_bracket(field, (struct rh_uart_slice){rest.bytes + code, rest.len - code}, ret_text);
        at += len + 1;
    }
    return RH_UART_ABSENT;
}
