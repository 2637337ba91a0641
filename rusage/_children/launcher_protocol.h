/* The protocol of rusage/_children/launcher_protocol.py: its numbers, and the words of the command line. */

#ifndef RUSAGE_LAUNCHER_PROTOCOL_H
#define RUSAGE_LAUNCHER_PROTOCOL_H

#include <stdint.h>

#include "launcher_protocol.cdef"

enum { LIMIT_WORDS = 5 };

/* Words of the command line that are decimal numbers, and whether all that were taken are valid. */
struct words {
    char **next, **end;
    int valid;
};

/* Take a number of at most max. */
static uint32_t take(struct words *words, uint32_t max)
{
    const char *text = words->next < words->end ? *words->next++ : "";
    uint64_t value = 0;

    if (*text == '\0')
        words->valid = 0;
    for (; *text >= '0' && *text <= '9' && value <= max; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    if (*text != '\0' || value > max)
        words->valid = 0;
    return (uint32_t)value;
}

/* Take the length of a list, and then its numbers of at most max, a few for each item. */
static struct words take_list(struct words *words, uint32_t longest, uint32_t per_item, uint32_t max)
{
    uint32_t count = take(words, longest) * per_item;
    struct words list = {words->next, words->next, 1};

    for (; count > 0 && words->valid; count--)
        take(words, max);
    list.end = words->next;
    return list;
}

#endif
