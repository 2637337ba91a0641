/* Shared by all C files: the structures, and the functions that one file defines for another. */

#pragma once

#include <errno.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record.h"
#include "structs.cdef"

/* On CPython, cffi's wrappers (generated below this file) always release the GIL around a call. While other threads run
   Python code, reacquiring it takes up to a switch interval: 5 ms for a call of 1 us that cannot block. Therefore the
   wrappers keep the GIL, as CPython's resource module does; functions that can block release it themselves. */
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

struct rusage;

/* Fields that are not measured are 0, regardless of the kernel's value. */
#define MEASURED(name, value) (call->measured >> RUSAGE_INDEX_##name & 1 ? (value) : 0)

/* convert.c */
static double rusage_quotient(int64_t number, int64_t divisor);
static void rusage_convert(const struct rusage *native, rusage_call *call);
static void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call);
static void rusage_convert_windows(const rusage_windows *native, rusage_call *call);
static void rusage_convert_macos(const rusage_macos *native, rusage_call *call);

/* Defined for each system, by its own file or by one that it includes from this folder. */
static int rusage_get(rusage_call *call);
static int64_t rusage_statclock_hz(void);
static int64_t rusage_pagesize(void);
