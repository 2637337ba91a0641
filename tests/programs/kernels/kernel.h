/* What the made-up kernels have in common: a process whose numbers main.c can set. */

#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* The process that the kernel finds by any number but 5, which is the ID of a thread or of no process. */
static int64_t start_time = 1000;    /* microseconds from the boot, or Mach ticks */
static int64_t zombie;
static int64_t failure;         /* an errno for all calls */
static int64_t reply = 1 << 20;    /* the size of the reply is at most this */
static int64_t boot = 1000000000000000;     /* microseconds since 1970 */
static int64_t step;            /* how far the clock is set, once, after the next look at the boot time */
static int64_t layout;          /* the size of the structure that the kernel says it uses; 0: ours */
static int64_t rounding;        /* nanoseconds */
static int64_t translated, numer = 125, denom = 3, frequency = 24000000;
static int64_t ended;           /* it ended between two calls */
static int64_t exiting;         /* it has begun to exit, and is not a zombie yet */
static int64_t thread_count = 1;
static int64_t rss_units = 1234; /* pages, or what the system counts instead */

static const struct {
    const char *name;
    int64_t *value;
} variables[] = {
    {"start", &start_time},
    {"zombie", &zombie},
    {"failure", &failure},
    {"reply", &reply},
    {"boot", &boot},
    {"step", &step},
    {"layout", &layout},
    {"rounding", &rounding},
    {"translated", &translated},
    {"numer", &numer},
    {"denom", &denom},
    {"frequency", &frequency},
    {"ended", &ended},
    {"exiting", &exiting},
    {"threads", &thread_count},
    {"rss", &rss_units},
};

static inline struct timeval timeval_of(int64_t microseconds)
{
    struct timeval time = {microseconds / 1000000, microseconds % 1000000};

    return time;
}

/* kern.boottime, which is the same in all of them. */
static inline int copy_boottime(void *old, size_t *size)
{
    struct timeval time = timeval_of(boot);

    if (*size != sizeof time)
        abort();
    memcpy(old, &time, sizeof time);
    boot += step;
    step = 0;
    return 0;
}

/* Copy a structure as sysctl(3) does. */
static inline int copy_out(void *old, size_t *size, const void *structure, size_t structure_size)
{
    if (*size != structure_size)
        abort();
    errno = (int)failure;
    if (failure)
        return -1;
    if (reply < (int64_t)*size)
        *size = (size_t)reply;
    memcpy(old, structure, *size);
    return 0;
}
