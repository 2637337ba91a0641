/* The fields, and the record that holds their values. */

#pragma once

#include <stdint.h>

/* Not _Static_assert: MSVC supports that only in C11 mode, which is not its default. */
#define RUSAGE_ASSERT(name, condition) typedef char rusage_assert_##name[(condition) ? 1 : -1]
#define RUSAGE_SIZE(type, field) sizeof(((type *)0)->field)

/* The fields, in the order of FIELDS in Python. TIME is in seconds, PEAK in bytes, INTEGRAL in byte-seconds. */
#define RUSAGE_FIELDS(TIME, PEAK, INTEGRAL, COUNT) \
    TIME(utime)                                    \
    TIME(stime)                                    \
    PEAK(maxrss)                                   \
    INTEGRAL(ixrss)                                \
    INTEGRAL(idrss)                                \
    INTEGRAL(isrss)                                \
    COUNT(minflt)                                  \
    COUNT(majflt)                                  \
    COUNT(nswap)                                   \
    COUNT(inblock)                                 \
    COUNT(oublock)                                 \
    COUNT(msgsnd)                                  \
    COUNT(msgrcv)                                  \
    COUNT(nsignals)                                \
    COUNT(nvcsw)                                   \
    COUNT(nivcsw)

/* Python unpacks it with the struct module: every field has 8 bytes, without padding. */
#define RUSAGE_DOUBLE(name) double name;
#define RUSAGE_INT64(name) int64_t name;
typedef struct {
    RUSAGE_FIELDS(RUSAGE_DOUBLE, RUSAGE_INT64, RUSAGE_INT64, RUSAGE_INT64)
} rusage_record;

#define RUSAGE_INDEX(name) RUSAGE_INDEX_##name,
enum {
    RUSAGE_FIELDS(RUSAGE_INDEX, RUSAGE_INDEX, RUSAGE_INDEX, RUSAGE_INDEX) RUSAGE_FIELD_COUNT,
};

RUSAGE_ASSERT(record, sizeof(double) == 8 && sizeof(rusage_record) == RUSAGE_FIELD_COUNT * 8);
