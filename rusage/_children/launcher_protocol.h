/* The protocol of rusage/_children/launcher_protocol.py: the numbers of the command line. */

#ifndef RUSAGE_LAUNCHER_PROTOCOL_H
#define RUSAGE_LAUNCHER_PROTOCOL_H

#include <stdint.h>

#include "launcher_protocol.cdef"

enum { LIMIT_NUMBERS = 5 };

/* Decimal numbers with a space between each two, and whether all that were taken are valid. */
struct numbers {
    const char *next, *end;
    int valid;
};

/* Take a number of at most max. */
static uint32_t take(struct numbers *numbers, uint32_t max)
{
    const char *text = numbers->next;
    uint64_t value = 0;

    for (; *text >= '0' && *text <= '9' && value <= max; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    if (text == numbers->next || (*text != ' ' && *text != '\0') || value > max)
        numbers->valid = 0;
    numbers->next = *text == ' ' && text[1] != '\0' ? text + 1 : text;
    return (uint32_t)value;
}

/* Take the length of a list, and then its numbers of at most max, a few for each item. */
static struct numbers take_list(struct numbers *numbers, uint32_t longest, uint32_t per_item, uint32_t max)
{
    uint32_t count = take(numbers, longest) * per_item;
    struct numbers list = {numbers->next, numbers->next, 1};

    for (; count > 0 && numbers->valid; count--)
        take(numbers, max);
    list.end = numbers->next;
    return list;
}

#endif
