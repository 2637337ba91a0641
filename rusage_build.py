"""Build ``rusage._rusage``, the cffi out-of-line (API mode) extension, and what goes beside it.

The C knows layouts and calls, never what a number means: the backend (``rusage/_backends``) says that, and hands it
down in a ``rusage_call``. ``python rusage_build.py --platform NAME OUT.c`` writes the C of any platform on any, so
that a cross compiler can check them all on one machine.
"""

import argparse
import os
import runpy
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from cffi import FFI
from setuptools import Extension
from setuptools.command import bdist_wheel as _bdist_wheel
from setuptools.command import build_ext as _build_ext
from setuptools.errors import CompileError, LinkError

ROOT = Path(__file__).resolve().parent
# What setuptools does not put into the sdist by itself.
SDIST = ["rusage_build.py", "rusage/**/*.[ch]", "CHANGELOG.md", "tox.ini", "benchmarks/*.py", "tests/**/*.py"]

STABLE_ABI = "cp310"
# Free-threaded and debug interpreters have no stable ABI that cffi and setuptools could build for.
HAS_STABLE_ABI = not (sysconfig.get_config_var("Py_GIL_DISABLED") or hasattr(sys, "gettotalrefcount"))

# --- What Python sees ------------------------------------------------------------------------------------------------

RECORD = """
typedef struct {
    double utime, stime;            /* seconds */
    int64_t maxrss;                 /* bytes */
    int64_t ixrss, idrss, isrss;    /* byte-seconds */
    int64_t minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
} rusage_record;

/* Whom to ask for, what the backend says of the answer, and room for it: all that a call needs, by one pointer. */
typedef struct {
    int who;
    uint32_t measured;              /* bit i: field i of the record is measured for this who */
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
"""

# The sizes of the two integer types come from the compiler: tv_usec has 4 bytes on macOS and NetBSD, tv_sec 8 with a
# 4-byte long on 32-bit musl.
TIMEVAL = """
typedef int... time_t;
typedef int... suseconds_t;
struct timeval { time_t tv_sec; suseconds_t tv_usec; ...; };
"""

TIMEVAL_WINDOWS = """
struct timeval { long tv_sec; long tv_usec; };
"""

# Partial ("...;"): musl has a tail, and glibc wraps each counter in an anonymous union.
STRUCT_RUSAGE = """
struct rusage {
    struct timeval ru_utime, ru_stime;
    long ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock, ru_oublock, ru_msgsnd,
         ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
    ...;
};
"""

# Each int returned is 0 or an errno, each other number is the result or, negative, an errno.
FUNCTIONS = """
void rusage_convert(const struct rusage *native, rusage_call *call);
void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call);
void rusage_convert_windows(const rusage_windows *native, rusage_call *call);
int rusage_get(rusage_call *call);
int64_t rusage_maxrss(const rusage_call *call);
double rusage_cputime(const rusage_call *call);
int64_t rusage_statclock_hz(void);
int64_t rusage_pagesize(void);
"""

FUNCTIONS_WAIT = """
int64_t rusage_wait4(int64_t pid, int *status, int options, rusage_call *call);
"""

# For the launcher, and for the command, which runs without Python's signal module.
FUNCTIONS_LINUX = """
#define SIGBUS ...
#define SIGKILL ...
#define SIGSEGV ...
#define SIGSYS ...
#define SIGXFSZ ...
int rusage_is_ignored(int signal);
int rusage_may_launch(void);
"""

# Of one process by its pid.
FUNCTIONS_PROCESS = """
int rusage_of_process(int pid, rusage_call *call);
"""

# GetLastError's code takes the place of errno.
FUNCTIONS_WINDOWS = """
int rusage_get_process(intptr_t handle, rusage_call *call);
"""

# --- The C, from the system's side up --------------------------------------------------------------------------------

PRELUDE = r"""
#include <errno.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not _Static_assert: MSVC has that from C11 on only, and is not asked for C11. */
#define RUSAGE_ASSERT(name, condition) typedef char rusage_assert_##name[(condition) ? 1 : -1]

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
"""

HEADERS_UNIX = r"""
#include <sys/types.h>
#include <sys/time.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The values that the backends give to Python. */
RUSAGE_ASSERT(self, RUSAGE_SELF == 0);
RUSAGE_ASSERT(children, RUSAGE_CHILDREN == -1);
"""

HEADERS_MACOS = r"""
#include <mach/mach.h>
#include <pthread.h>
"""

HEADERS_SYSCTL = r"""
#include <sys/sysctl.h>
"""

HEADERS_FREEBSD = r"""
#include <sys/param.h>
#include <sys/sysctl.h>
#include <sys/user.h>
"""

HEADERS_WINDOWS = r"""
#include <winsock2.h>   /* struct timeval */
#include <windows.h>
#include <psapi.h>

RUSAGE_ASSERT(half, sizeof(((FILETIME *)0)->dwLowDateTime) == sizeof(uint32_t)
                    && sizeof(((FILETIME *)0)->dwHighDateTime) == sizeof(uint32_t));
RUSAGE_ASSERT(faults, sizeof(((PROCESS_MEMORY_COUNTERS *)0)->PageFaultCount) == sizeof(uint32_t));
RUSAGE_ASSERT(peak, sizeof(((PROCESS_MEMORY_COUNTERS *)0)->PeakWorkingSetSize) <= sizeof(uint64_t));

/* So that the rules of the other systems can be tested here too. */
struct rusage {
    struct timeval ru_utime, ru_stime;
    long ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock, ru_oublock, ru_msgsnd,
         ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};
"""

THREAD_IS_1 = r"""
RUSAGE_ASSERT(thread, RUSAGE_THREAD == 1);
"""

LWP_IS_1 = r"""
RUSAGE_ASSERT(thread, RUSAGE_LWP == 1);
"""

# What the cdef takes for granted, and Python's struct format of the record.
LAYOUT = r"""
#define RUSAGE_SIZE(type, field) sizeof(((type *)0)->field)
#define RUSAGE_LONG(field) RUSAGE_ASSERT(field, RUSAGE_SIZE(struct rusage, field) == sizeof(long))

RUSAGE_LONG(ru_maxrss);
RUSAGE_LONG(ru_ixrss);
RUSAGE_LONG(ru_idrss);
RUSAGE_LONG(ru_isrss);
RUSAGE_LONG(ru_minflt);
RUSAGE_LONG(ru_majflt);
RUSAGE_LONG(ru_nswap);
RUSAGE_LONG(ru_inblock);
RUSAGE_LONG(ru_oublock);
RUSAGE_LONG(ru_msgsnd);
RUSAGE_LONG(ru_msgrcv);
RUSAGE_LONG(ru_nsignals);
RUSAGE_LONG(ru_nvcsw);
RUSAGE_LONG(ru_nivcsw);
RUSAGE_ASSERT(ru_utime, RUSAGE_SIZE(struct rusage, ru_utime) == sizeof(struct timeval));
RUSAGE_ASSERT(ru_stime, RUSAGE_SIZE(struct rusage, ru_stime) == sizeof(struct timeval));
RUSAGE_ASSERT(long, sizeof(long) == 4 || sizeof(long) == 8);
RUSAGE_ASSERT(int, sizeof(int) == 4);
RUSAGE_ASSERT(double, sizeof(double) == 8);
RUSAGE_ASSERT(first, offsetof(rusage_record, utime) == 0 && offsetof(rusage_record, maxrss) == 2 * 8);
RUSAGE_ASSERT(last, offsetof(rusage_record, nivcsw) == 15 * 8 && sizeof(rusage_record) == 16 * 8);
"""

LAYOUT_UNIX = r"""
RUSAGE_ASSERT(tv_sec, RUSAGE_SIZE(struct timeval, tv_sec) == sizeof(time_t) && (time_t)-1 < 0);
RUSAGE_ASSERT(tv_usec, RUSAGE_SIZE(struct timeval, tv_usec) == sizeof(suseconds_t) && sizeof(suseconds_t) >= 4);
RUSAGE_ASSERT(pid, sizeof(pid_t) == sizeof(int) && (pid_t)-1 < 0);
"""

LAYOUT_WINDOWS = r"""
RUSAGE_ASSERT(tv, RUSAGE_SIZE(struct timeval, tv_sec) == sizeof(long)
                  && RUSAGE_SIZE(struct timeval, tv_usec) == sizeof(long));
"""

CONVERT = r"""
enum { RUSAGE_BOTH_HERE = -2 };     /* the number that Linux's own header has for it; its system call refuses it */

/* A 32-bit long that has wrapped once still holds its number modulo 2^32: it is never negative here. */
static int64_t rusage_count(long value)
{
    uint64_t number = (unsigned long)value;

    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static int64_t rusage_bytes(long value, int64_t unit)
{
    int64_t number = rusage_count(value);

    return unit > 0 && number > INT64_MAX / unit ? INT64_MAX : number * unit;
}

/* ticks * bytes / hz, rounded down; whole seconds first, since the product may not fit. */
static int64_t rusage_integral(long ticks, const rusage_call *call)
{
    uint64_t number = (unsigned long)ticks, bytes, hz, sum;

    if (call->integral_bytes <= 0 || call->integral_hz <= 0)    /* no unit, or a clock of unknown rate */
        return 0;
    bytes = (uint64_t)call->integral_bytes;
    hz = (uint64_t)call->integral_hz;
    if (number / hz > (uint64_t)INT64_MAX / bytes)
        return INT64_MAX;
    sum = number / hz * bytes + number % hz * bytes / hz;
    return sum > INT64_MAX ? INT64_MAX : (int64_t)sum;
}

/* The sum of two numbers that are not negative, or the largest number. */
static int64_t rusage_sum(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* No CPU time is negative, and one that does not fit (292 000 years) is the largest number. */
static int64_t rusage_microseconds(const struct timeval *time)
{
    int64_t seconds = (int64_t)time->tv_sec, fraction = (int64_t)time->tv_usec;

    if (seconds < 0 || fraction < 0)
        return 0;
    if (seconds > INT64_MAX / 1000000)
        return INT64_MAX;
    return rusage_sum(seconds * 1000000, fraction);
}

/* One division of two exact doubles (2^53 us are 285 years) is correctly rounded; sec + usec * 1e-6 is not. */
static double rusage_quotient(int64_t number, int64_t divisor)
{
#if defined FLT_EVAL_METHOD && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 1
    /* But the x87 rounds twice, to 64 bits and then to a double's 53: one result in 5000 is the second nearest double.
       The remainder tells; it is less than the divisor, so that arithmetic modulo 2^64 has it exactly. */
    volatile double stored = (double)number / (double)divisor;
    double quotient = stored;
    uint64_t bits, fraction;
    int64_t remainder;
    int shift;

    if (number <= 0)
        return quotient;
    memcpy(&bits, &quotient, sizeof bits);
    fraction = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    shift = 1075 - (int)(bits >> 52);   /* quotient is fraction * 2^-shift */
    remainder = (int64_t)((shift < 64 ? (uint64_t)number << shift : 0) - fraction * (uint64_t)divisor);
    if (2 * remainder > divisor)
        bits++;
    else if (2 * remainder < -divisor)
        bits--;
    memcpy(&quotient, &bits, sizeof bits);
    return quotient;
#else
    return (double)number / (double)divisor;
#endif
}

static double rusage_seconds(int64_t microseconds)
{
    return rusage_quotient(microseconds, 1000000);
}

/* What is not measured is 0, whatever the kernel left in its place. */
#define MEASURED(field, value) (call->measured >> (field) & 1 ? (value) : 0)

static void rusage_convert(const struct rusage *native, rusage_call *call)
{
    rusage_record *record = &call->record;

    record->utime = MEASURED(0, rusage_seconds(rusage_microseconds(&native->ru_utime)));
    record->stime = MEASURED(1, rusage_seconds(rusage_microseconds(&native->ru_stime)));
    record->maxrss = MEASURED(2, rusage_bytes(native->ru_maxrss, call->maxrss_bytes));
    record->ixrss = MEASURED(3, rusage_integral(native->ru_ixrss, call));
    record->idrss = MEASURED(4, rusage_integral(native->ru_idrss, call));
    record->isrss = MEASURED(5, rusage_integral(native->ru_isrss, call));
    record->minflt = MEASURED(6, rusage_count(native->ru_minflt));
    record->majflt = MEASURED(7, rusage_count(native->ru_majflt));
    record->nswap = MEASURED(8, rusage_count(native->ru_nswap));
    record->inblock = MEASURED(9, rusage_count(native->ru_inblock));
    record->oublock = MEASURED(10, rusage_count(native->ru_oublock));
    record->msgsnd = MEASURED(11, rusage_count(native->ru_msgsnd));
    record->msgrcv = MEASURED(12, rusage_count(native->ru_msgrcv));
    record->nsignals = MEASURED(13, rusage_count(native->ru_nsignals));
    record->nvcsw = MEASURED(14, rusage_count(native->ru_nvcsw));
    record->nivcsw = MEASURED(15, rusage_count(native->ru_nivcsw));
}

/* Counters and times add. A peak does not: the two were not there at once, or need not have been. */
static void rusage_convert_both(const struct rusage *self, const struct rusage *children, rusage_call *call)
{
    rusage_call other = *call;
    rusage_record *record = &call->record;
    const rusage_record *more = &other.record;

    rusage_convert(self, call);
    rusage_convert(children, &other);
    record->utime = MEASURED(0, rusage_seconds(rusage_sum(rusage_microseconds(&self->ru_utime),
                                                         rusage_microseconds(&children->ru_utime))));
    record->stime = MEASURED(1, rusage_seconds(rusage_sum(rusage_microseconds(&self->ru_stime),
                                                         rusage_microseconds(&children->ru_stime))));
    if (record->maxrss < more->maxrss)
        record->maxrss = more->maxrss;
    record->ixrss = rusage_sum(record->ixrss, more->ixrss);
    record->idrss = rusage_sum(record->idrss, more->idrss);
    record->isrss = rusage_sum(record->isrss, more->isrss);
    record->minflt = rusage_sum(record->minflt, more->minflt);
    record->majflt = rusage_sum(record->majflt, more->majflt);
    record->nswap = rusage_sum(record->nswap, more->nswap);
    record->inblock = rusage_sum(record->inblock, more->inblock);
    record->oublock = rusage_sum(record->oublock, more->oublock);
    record->msgsnd = rusage_sum(record->msgsnd, more->msgsnd);
    record->msgrcv = rusage_sum(record->msgrcv, more->msgrcv);
    record->nsignals = rusage_sum(record->nsignals, more->nsignals);
    record->nvcsw = rusage_sum(record->nvcsw, more->nvcsw);
    record->nivcsw = rusage_sum(record->nivcsw, more->nivcsw);
}

/* Units of 100 ns; 2^53 of them are 28 years. */
static double rusage_filetime_seconds(uint32_t low, uint32_t high)
{
    uint64_t units = (uint64_t)high << 32 | low;

    return rusage_quotient(units > INT64_MAX ? INT64_MAX : (int64_t)units, 10000000);
}

static void rusage_convert_windows(const rusage_windows *native, rusage_call *call)
{
    rusage_record *record = &call->record;
    uint64_t peak = native->peak_working_set;

    memset(record, 0, sizeof *record);
    record->utime = MEASURED(0, rusage_filetime_seconds(native->user_low, native->user_high));
    record->stime = MEASURED(1, rusage_filetime_seconds(native->kernel_low, native->kernel_high));
    record->maxrss = MEASURED(2, peak > INT64_MAX ? INT64_MAX : (int64_t)peak);
    record->minflt = MEASURED(6, (int64_t)native->page_faults);
}
"""

NATIVE_UNIX = r"""
static int rusage_native(int who, struct rusage *native)
{
    return getrusage(who, native) != 0 ? errno : 0;
}
"""

# The Hurd's getrusage returns the errno, and Haiku's and Emscripten's have left fields as they were.
NATIVE_UNKNOWN = r"""
static int rusage_native(int who, struct rusage *native)
{
    int result;

    memset(native, 0, sizeof *native);
    result = getrusage(who, native);
    return result < 0 ? errno : result;
}
"""

NATIVE_MACOS = r"""
enum { RUSAGE_THREAD_HERE = 1 };    /* the number other systems have for it; macOS has none */

static int rusage_native(int who, struct rusage *native)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (who != RUSAGE_THREAD_HERE)
        return getrusage(who, native) != 0 ? errno : 0;
    /* pthread's own port: unlike mach_thread_self's it takes no reference that would have to be given back. */
    if (thread_info(pthread_mach_thread_np(pthread_self()), THREAD_BASIC_INFO, (thread_info_t)&info, &count)
            != KERN_SUCCESS)
        return ENOTSUP;
    memset(native, 0, sizeof *native);
    native->ru_utime.tv_sec = info.user_time.seconds;
    native->ru_utime.tv_usec = info.user_time.microseconds;
    native->ru_stime.tv_sec = info.system_time.seconds;
    native->ru_stime.tv_usec = info.system_time.microseconds;
    return 0;
}
"""

CALLS_UNIX = r"""
static int rusage_get(rusage_call *call)
{
    struct rusage native, children;
    int error;

    if (call->who != RUSAGE_BOTH_HERE) {
        error = rusage_native(call->who, &native);
        if (error == 0)
            rusage_convert(&native, call);
        return error;
    }
    error = rusage_native(RUSAGE_SELF, &native);
    if (error == 0)
        error = rusage_native(RUSAGE_CHILDREN, &children);
    if (error == 0)
        rusage_convert_both(&native, &children, call);
    return error;
}

static int64_t rusage_pagesize(void)
{
    return sysconf(_SC_PAGESIZE);
}
"""

WAIT_UNIX = r"""
/* The pid, or 0 if no child was ready (all is 0 then), or a negative errno. */
static int64_t rusage_wait4(int64_t pid, int *status, int options, rusage_call *call)
{
    struct rusage native;
    pid_t child;
    int error;
    RUSAGE_RELEASE_GIL;

    memset(&native, 0, sizeof native);
    *status = 0;
    child = wait4((pid_t)pid, status, options, &native);
    error = errno;
    RUSAGE_RETAKE_GIL;
    if (child < 0)
        return -(int64_t)error;
    rusage_convert(&native, call);
    return child;
}
"""

LINUX = r"""
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Whether a signal is ignored. PyPy's signal.getsignal() does not know the dispositions from before its start. */
static int rusage_is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Whether every capability that is permitted is also ambient, that is, kept by a program without privileges of its own.
   The constants for ambient capabilities are not in every header: linux/prctl.h, since Linux 4.3. */
static int rusage_keeps_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    uint64_t permitted;
    int capability;

    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    for (capability = 0; capability < 64; capability++)
        if (permitted >> capability & 1
                && prctl(47 /* PR_CAP_AMBIENT */, 1 /* PR_CAP_AMBIENT_IS_SET */, (unsigned long)capability, 0, 0) != 1)
            return 0;
    return 1;
}

/* Whether a program that this process executes is as well protected against other processes as this process is. The
   launcher holds what this process trusts it with: it must not be traceable by a process that may not trace this one
   (ptrace(2), "Ptrace access mode checking"). */
static int rusage_may_launch(void)
{
    uid_t user, effective_user, saved_user;
    gid_t group, effective_group, saved_group;

    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1
           && getresuid(&user, &effective_user, &saved_user) == 0 && user == effective_user && user == saved_user
           && getresgid(&group, &effective_group, &saved_group) == 0 && group == effective_group && group == saved_group
           && (user == 0 || rusage_keeps_capabilities());
}
"""

CALLS_WINDOWS = r"""
enum { RUSAGE_SELF = 0, RUSAGE_THREAD = 1 };

static int rusage_get_process(intptr_t handle, rusage_call *call)
{
    HANDLE process = (HANDLE)handle;
    FILETIME created, exited, kernel, user;
    PROCESS_MEMORY_COUNTERS memory;
    rusage_windows native;

    if (!GetProcessTimes(process, &created, &exited, &kernel, &user)
            || !K32GetProcessMemoryInfo(process, &memory, sizeof memory))
        return (int)GetLastError();
    native.user_low = user.dwLowDateTime;
    native.user_high = user.dwHighDateTime;
    native.kernel_low = kernel.dwLowDateTime;
    native.kernel_high = kernel.dwHighDateTime;
    native.peak_working_set = memory.PeakWorkingSetSize;
    native.page_faults = memory.PageFaultCount;
    rusage_convert_windows(&native, call);
    return 0;
}

static int rusage_get_thread(rusage_call *call)
{
    FILETIME created, exited, kernel, user;
    rusage_windows native;

    if (!GetThreadTimes(GetCurrentThread(), &created, &exited, &kernel, &user))
        return (int)GetLastError();
    memset(&native, 0, sizeof native);
    native.user_low = user.dwLowDateTime;
    native.user_high = user.dwHighDateTime;
    native.kernel_low = kernel.dwLowDateTime;
    native.kernel_high = kernel.dwHighDateTime;
    rusage_convert_windows(&native, call);
    return 0;
}

static int rusage_get(rusage_call *call)
{
    if (call->who == RUSAGE_THREAD)
        return rusage_get_thread(call);
    return rusage_get_process((intptr_t)GetCurrentProcess(), call);
}

static int64_t rusage_pagesize(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwPageSize;     /* not dwAllocationGranularity */
}
"""

STATCLOCK_NONE = r"""
static int64_t rusage_statclock_hz(void)
{
    return 0;
}
"""

# Not sysconf(_SC_CLK_TCK): that is a constant (128 on FreeBSD, whose statistics clock ticks at 127 Hz).
STATCLOCK_SYSCTL = r"""
static int64_t rusage_statclock_hz(void)
{
    int name[2] = {CTL_KERN, KERN_CLOCKRATE};
    struct clockinfo rate;
    size_t size = sizeof rate;

    if (sysctl(name, 2, &rate, &size, NULL, 0) != 0)
        return 0;
    return rate.stathz != 0 ? rate.stathz : rate.hz;
}
"""

# sysctl kern.proc.pid. In FreeBSD's sys/kern/kern_proc.c fill_kinfo_proc_only() sets ki_rusage by rufetch() and
# calcru() to the sum of the process's threads, those that have ended included, in the units of getrusage.
# sysctl_kern_proc() finds a zombie too, by pget(): its ki_rusage is what wait4 will return, with the children that it
# has waited for.
PROCESS_FREEBSD = r"""
static int rusage_of_process(int pid, rusage_call *call)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    struct kinfo_proc process;
    size_t size = sizeof process;

    if (sysctl(name, 4, &process, &size, NULL, 0) != 0)
        return errno;
    if (size == 0)
        return ESRCH;
    /* A kernel with another layout, or not the process that was asked for. */
    if (size != sizeof process || process.ki_structsize != (int)sizeof process || process.ki_pid != pid)
        return EINVAL;
    rusage_convert(&process.ki_rusage, call);
    return 0;
}
"""

SCALARS = r"""
static int64_t rusage_maxrss(const rusage_call *call)
{
    rusage_call answer = *call;
    int error = rusage_get(&answer);

    return error != 0 ? -(int64_t)error : answer.record.maxrss;
}

static double rusage_cputime(const rusage_call *call)
{
    rusage_call answer = *call;
    int error = rusage_get(&answer);

    return error != 0 ? -error : answer.record.utime + answer.record.stime;
}
"""

# --- The platforms ---------------------------------------------------------------------------------------------------


class Platform(NamedTuple):
    """What the extension is made of on one platform."""

    cdef: list[str]
    source: list[str]


CDEF_UNIX = [RECORD, TIMEVAL, STRUCT_RUSAGE, FUNCTIONS]


def unix(  # noqa: PLR0913 (all by keyword, most for one platform)
    headers: str = "",
    *,
    functions: str = "",
    native: str = NATIVE_UNIX,
    statclock: str = STATCLOCK_NONE,
    process: str = "",
    wait: bool = True,
) -> Platform:
    """Return a Unix: what it has beyond the common headers and functions, and what of it is its own."""
    cdef = [*CDEF_UNIX, functions, FUNCTIONS_WAIT] if wait else [*CDEF_UNIX, functions]
    calls = [native, CALLS_UNIX, WAIT_UNIX] if wait else [native, CALLS_UNIX]
    return Platform(
        cdef,
        [PRELUDE, HEADERS_UNIX, headers, RECORD, LAYOUT, LAYOUT_UNIX, CONVERT, *calls, statclock, process, SCALARS],
    )


PLATFORMS = {
    "linux": unix(THREAD_IS_1 + LINUX, functions=FUNCTIONS_LINUX),
    "macos": unix(HEADERS_MACOS, native=NATIVE_MACOS),
    "freebsd": unix(
        HEADERS_FREEBSD + THREAD_IS_1,
        functions=FUNCTIONS_PROCESS,
        statclock=STATCLOCK_SYSCTL,
        process=PROCESS_FREEBSD,
    ),
    "openbsd": unix(HEADERS_SYSCTL + THREAD_IS_1, statclock=STATCLOCK_SYSCTL),
    "netbsd": unix(),
    "dragonfly": unix(),
    "illumos": unix(LWP_IS_1),
    "windows": Platform(
        [RECORD, TIMEVAL_WINDOWS, STRUCT_RUSAGE, FUNCTIONS, FUNCTIONS_WINDOWS],
        [PRELUDE, HEADERS_WINDOWS, RECORD, LAYOUT, LAYOUT_WINDOWS, CONVERT, CALLS_WINDOWS, STATCLOCK_NONE, SCALARS],
    ),
    # Not every Unix has wait4.
    "unknown": unix(native=NATIVE_UNKNOWN, wait=False),
}


def this_platform() -> str:
    """Return the key in ``PLATFORMS`` of the system that this interpreter runs on."""
    backends = runpy.run_path(str(ROOT / "rusage" / "_backends" / "_platforms.py"))
    name: str = backends["backend_name"](sys.platform)
    return name


def builder(platform: str) -> FFI:
    """Return the cffi builder of the extension for a platform."""
    ffi = FFI()
    ffi.cdef("".join(PLATFORMS[platform].cdef))
    ffi.set_source("rusage._rusage", "".join(PLATFORMS[platform].source))
    return ffi


ffibuilder = builder(this_platform())

# --- The launcher ----------------------------------------------------------------------------------------------------

# A program of its own, on Linux only: rusage/_launch.py says what it is for, and starts it.
LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rusage", "_launcher.c")
LAUNCHER_FLAGS = [
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-pie",
    "-fomit-frame-pointer",
]
# One segment: each takes the kernel time to load.
LAUNCHER_LINK_FLAGS = ["-static", "-no-pie", "-nostdlib", "-s", "-Wl,-z,noseparate-code", "-Wl,--build-id=none"]

# --- The build commands ----------------------------------------------------------------------------------------------


class build_ext(_build_ext.build_ext):  # noqa: N801 (the name is setuptools')
    """Write the C source of the extension, then compile it."""

    def build_extension(self, ext: Extension) -> None:
        """Build the one extension there is; its sources are made here."""
        ext.py_limited_api = HAS_STABLE_ABI
        if not HAS_STABLE_ABI:
            ext.define_macros.append(("_CFFI_NO_LIMITED_API", None))
        source = os.path.join(self.build_temp, "_rusage.c")
        os.makedirs(self.build_temp, exist_ok=True)
        ffibuilder.emit_c_code(source)
        ext.sources = [source]
        super().build_extension(ext)

    def build_extensions(self) -> None:
        """Build the launcher too, where there is one."""
        super().build_extensions()
        if this_platform() == "linux":
            self._build_launcher()

    def _build_launcher(self) -> None:
        """Build the program beside the extension. Failure is fatal: without it a child's peak is unavailable."""
        output = self._launcher(self.build_lib)
        try:  # without a C library, on the processors that rusage/_nolibc.h lists
            objects = self.compiler.compile(
                [LAUNCHER],
                output_dir=self.build_temp,
                macros=[("RUSAGE_NO_LIBC", None)],
                extra_postargs=LAUNCHER_FLAGS,
            )
            self.compiler.link_executable(objects, output, extra_preargs=LAUNCHER_LINK_FLAGS)
        except (CompileError, LinkError):
            objects = self.compiler.compile([LAUNCHER], output_dir=self.build_temp)
            self.compiler.link_executable(objects, output)

    def _launcher(self, folder: str) -> str:
        return os.path.join(folder, "rusage", "_launcher")

    def get_source_files(self) -> list[str]:
        """Return the files for the sdist: all that the build, the tests and tox need."""
        files = {str(path.relative_to(ROOT)) for pattern in SDIST for path in ROOT.glob(pattern)}
        return sorted({*super().get_source_files(), *files})

    def copy_extensions_to_source(self) -> None:
        """Put the launcher beside the extension in an editable installation too."""
        super().copy_extensions_to_source()
        if this_platform() == "linux":
            self.copy_file(self._launcher(self.build_lib), self._launcher(""))

    def get_outputs(self) -> list[str]:
        """Name the launcher with the rest of what was built."""
        launcher = {self._launcher(self.build_lib)} if this_platform() == "linux" else set()
        return sorted({*super().get_outputs(), *launcher})

    def get_output_mapping(self) -> dict[str, str]:
        """Say where each file that was built belongs in the source tree."""
        mapping = super().get_output_mapping()
        if self.inplace and this_platform() == "linux":
            mapping[self._launcher(self.build_lib)] = self._launcher("")
        return mapping


class bdist_wheel(_bdist_wheel.bdist_wheel):  # noqa: N801 (the name is setuptools')
    """Tag the wheel for the stable ABI, where there is one."""

    def finalize_options(self) -> None:
        """Set the option here: a fixed one in pyproject.toml would break the free-threaded builds."""
        if HAS_STABLE_ABI:
            self.py_limited_api = STABLE_ABI
        super().finalize_options()


def main() -> None:
    """Write the C source of the extension for a platform."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--platform", choices=PLATFORMS, default=this_platform(), help="default: %(default)s")
    parser.add_argument("output", metavar="OUT.c")
    arguments = parser.parse_args()
    builder(arguments.platform).emit_c_code(arguments.output)


if __name__ == "__main__":
    main()
