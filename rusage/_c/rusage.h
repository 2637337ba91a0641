/* Shared by all C files: the fields, the structures, and the functions that one file defines for
   another. The C file of a system includes the others; before them, it defines what its system has:

   RUSAGE_HAS_ROOT       its own rusage_read_root(), for mount namespaces
   RUSAGE_HAS_RSS        its own rusage_rss()
   RUSAGE_HAS_PEAK       peaks of blocks, and rusage_forget_peaks() for a forked child
   RUSAGE_HAS_REAPER     processes that become the parents of orphans
   RUSAGE_HAS_STATCLOCK  the sysctl kern.clockrate; setting the clock moves the starts of processes
   RUSAGE_START_AT_TICK  the kernel takes the start of a process from the last tick of the clock
   RUSAGE_HAS_HANDLES    its own rusage_member_identity and rusage_tree_state (in linux/members.h)
   RUSAGE_NO_WAIT4       no wait4(2)
   RUSAGE_WAIT4          its own function in place of wait4()
   RUSAGE_GET_VALUES     its own function, beside rusage_get_values()
   RUSAGE_WAITED_ERROR   how many seconds the CPU time of waited-for children may lack
   RUSAGE_NO_PROCESS     its own codes and constants, all of those in tree.h */

#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* as Python.h does */
#endif

#include <errno.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not _Static_assert: MSVC supports that only in C11 mode, which is not its default. */
#define RUSAGE_ASSERT(name, condition) typedef char rusage_assert_##name[(condition) ? 1 : -1]

/* The fields, in the order of FIELDS in Python. TIME is in seconds, PEAK in bytes, INTEGRAL in
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

/* Python unpacks it with the struct module: every field has 8 bytes, without padding. */
#define RUSAGE_DOUBLE(name) double name;
#define RUSAGE_INT64(name) int64_t name;
typedef struct {
    RUSAGE_FIELDS(RUSAGE_DOUBLE, RUSAGE_INT64, RUSAGE_INT64, RUSAGE_INT64)
} rusage_record;

/* The same in the units of a kernel. No value is negative. */
typedef struct {
    RUSAGE_FIELDS(RUSAGE_INT64, RUSAGE_INT64, RUSAGE_INT64, RUSAGE_INT64)
} rusage_values;

#define RUSAGE_INDEX(name) RUSAGE_INDEX_##name,
enum {
    RUSAGE_FIELDS(RUSAGE_INDEX, RUSAGE_INDEX, RUSAGE_INDEX, RUSAGE_INDEX) RUSAGE_FIELD_COUNT,
};

RUSAGE_ASSERT(record, sizeof(double) == 8 && sizeof(rusage_record) == RUSAGE_FIELD_COUNT * 8);

#include "structs.cdef"

/* On CPython, cffi's wrappers (generated below this file) always release the GIL around a call.
   While other threads run Python code, reacquiring it takes up to a switch interval: 5 ms for a
   call of 1 us that cannot block. Therefore the wrappers keep the GIL, as CPython's resource module
   does; functions that can block release it themselves. */
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

/* Defined for each system. */
static int rusage_get(rusage_call *call);

/* In convert.c. */
static double rusage_quotient(int64_t number, int64_t divisor);
static void rusage_convert_values(const rusage_values *values, int64_t hz, rusage_call *call);

#ifndef _WIN32

#include <sys/types.h>
#include <sys/time.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As in rusage/_backends/_base.py. */
RUSAGE_ASSERT(self, RUSAGE_SELF == 0);
RUSAGE_ASSERT(children, RUSAGE_CHILDREN == -1);

RUSAGE_ASSERT(pid, sizeof(pid_t) == sizeof(int) && (pid_t)-1 < 0);

/* What identifies the root directory of a thread; 0 for what cannot be read or does not exist on a
   system. */
typedef struct {
    uint64_t device, inode, mount, namespace;
} rusage_root;

/* The root directory in which this package was imported. Its files must not be looked for in
   another one: the owner of that directory could put programs and modules of his own there, which
   would run with the rights of this process. */
static rusage_root rusage_first_root;

/* In unix.c. */
enum { RUSAGE_MICROSECONDS = 1000000 }; /* in a second */
static int64_t rusage_microseconds(const struct timeval *time);
static int rusage_root_changed(void);

#endif
