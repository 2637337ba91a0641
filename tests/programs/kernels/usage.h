/* The struct rusage of the made-up kernels that have one in their records. */

#pragma once

#include <sys/resource.h>

#include "kernel.h"

static inline void count(struct rusage *usage, long first, long difference)
{
    long *const counters[] = {
        &usage->ru_minflt,  &usage->ru_majflt, &usage->ru_nswap,  &usage->ru_inblock,
        &usage->ru_oublock, &usage->ru_msgsnd, &usage->ru_msgrcv, &usage->ru_nsignals,
        &usage->ru_nvcsw,   &usage->ru_nivcsw,
    };
    int i;

    for (i = 0; i < 10; i++)
        *counters[i] = first + i * difference;
}

static inline void fill_usage(struct rusage *usage, int64_t user, int64_t system)
{
    usage->ru_utime = timeval_of(user);
    usage->ru_stime = timeval_of(system);
    usage->ru_maxrss = 4242;
    usage->ru_ixrss = 21;
    usage->ru_idrss = 22;
    usage->ru_isrss = 23;
}

static inline int made_getrusage(int who, struct rusage *usage)
{
    fill_usage(usage, 0, 500001);
    count(usage, 31, 1);
    usage->ru_utime.tv_sec = kernel.seconds;
    usage->ru_utime.tv_usec = kernel.fraction;
    usage->ru_nvcsw = kernel.counter;
    usage->ru_minflt += who == RUSAGE_CHILDREN ? 1000 : 0;
    return 0;
}
#define getrusage(who, usage) made_getrusage(who, usage)
