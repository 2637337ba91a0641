/* For systems without getrusage(2). */

#pragma once

#include "rusage.h"

#include <winsock2.h> /* struct timeval */

/* Allows the backends of other systems to be tested here. */
#define RUSAGE_NATIVE_TIME(name) struct timeval ru_##name;
#define RUSAGE_NATIVE_LONG(name) long ru_##name;
struct rusage {
    RUSAGE_FIELDS(RUSAGE_NATIVE_TIME, RUSAGE_NATIVE_LONG, RUSAGE_NATIVE_LONG, RUSAGE_NATIVE_LONG)
};

RUSAGE_ASSERT(tv, RUSAGE_SIZE(struct timeval, tv_sec) == sizeof(long)
                      && RUSAGE_SIZE(struct timeval, tv_usec) == sizeof(long));
