/* What all of the C shares: the record, the call, and the functions that one file defines for another. */

#pragma once

#include <errno.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not _Static_assert: MSVC has that from C11 on only, and is not asked for C11. */
#define RUSAGE_ASSERT(name, condition) typedef char rusage_assert_##name[(condition) ? 1 : -1]
#define RUSAGE_SIZE(type, field) sizeof(((type *)0)->field)

/* On CPython cffi's wrappers, which follow below, release the GIL around each call, and no option keeps them from it.
   Beside threads that compute in Python, getting it back takes up to a whole switch interval: 5 ms for a call of 1 us
   that cannot block. So the wrappers keep it, as CPython's own resource does; what can block releases it itself. */
#if defined(Py_PYTHON_H) && !defined(PYPY_VERSION)
#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS {
#define Py_END_ALLOW_THREADS }
#define RUSAGE_RELEASE_GIL PyThreadState *released = PyEval_SaveThread()
#define RUSAGE_RETAKE_GIL PyEval_RestoreThread(released)
#else
#define RUSAGE_RELEASE_GIL (void)0
#define RUSAGE_RETAKE_GIL (void)0
#endif

/* The fields in their order, which is that of FIELDS in Python. TIME is in seconds, PEAK in bytes, INTEGRAL in
   byte-seconds. */
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

/* Python unpacks it with the struct module: no field may have another size, and there is no padding. */
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

/* Whom to ask for, what the backend says of the answer, and room for it: all that a call needs, by one pointer. */
typedef struct {
    int who;
    uint32_t measured;              /* bit i: the field with index i is measured for this who */
    int64_t maxrss_bytes;           /* bytes in one unit of ru_maxrss */
    int64_t integral_bytes;         /* bytes in one unit of ru_ixrss, ru_idrss and ru_isrss ... */
    int64_t integral_hz;            /* ... and how many of its ticks are a second */
    rusage_record record;
} rusage_call;

/* What Windows answers, as it answers it: FILETIMEs in halves, counted in units of 100 ns. */
typedef struct {
    uint32_t user_low, user_high, kernel_low, kernel_high;
    uint64_t peak_working_set;      /* bytes */
    uint32_t page_faults;
} rusage_windows;

struct rusage;

/* convert.c */
static void rusage_convert(const struct rusage *native, rusage_call *call);
static void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call);
static void rusage_convert_windows(const rusage_windows *native, rusage_call *call);

/* What the C of each system defines, by itself or by including a file of this folder. */
static int rusage_get(rusage_call *call);
static int64_t rusage_statclock_hz(void);
static int64_t rusage_pagesize(void);
