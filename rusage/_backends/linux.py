"""Linux: getrusage(2), kernel/sys.c, include/linux/task_io_accounting_ops.h.

The error of the peak: the resident set size is the sum of three per-CPU counters (file, anonymous and shared pages),
which get_mm_rss() only approximates. Each CPU may hold back fewer than ``percpu_counter_batch`` pages of each counter;
that is ``max(32, 2 * num_online_cpus())`` (compute_batch_value in lib/percpu_counter.c). A negative counter reads as 0.
Since commit 82241a83cd15 (about 6.16) /proc/PID/status adds the counters up exactly; getrusage does not.
"""

import os
import sys
import time

from ._base import ALL, BLOCKS, INTEGRALS, KIB, PEAK_AT_LEAST_PARENTS_INEXACT, SECTORS, TIMES, Backend

TYPE_CHECKING = False

# In /proc/PID/stat, and VmHWM in /proc/PID/status. Not the blocks: /proc/PID/io includes those of children that the
# process has waited for (wait_task_zombie in kernel/exit.c). Not the switches: /proc lacks those of ended threads.
PROCESS = TIMES | {"ru_maxrss", "ru_minflt", "ru_majflt"}
UNMAINTAINED = INTEGRALS | {"ru_nswap", "ru_msgsnd", "ru_msgrcv", "ru_nsignals"}  # getrusage(2)
SOURCES = {
    **dict.fromkeys(ALL, "getrusage() in kernel/sys.c"),
    **dict.fromkeys(UNMAINTAINED, "getrusage(2): unmaintained"),
    **dict.fromkeys(BLOCKS, "include/linux/task_io_accounting_ops.h, proc_pid_io(5)"),
    "ru_utime": "cputime_adjust() in kernel/sched/cputime.c",
    "ru_stime": "cputime_adjust() in kernel/sched/cputime.c",
    "ru_maxrss": "getrusage() in kernel/sys.c, exec_mmap() in fs/exec.c, lib/percpu_counter.c",
}


def uptime() -> float:
    """Return the seconds since this process was started: ``starttime`` in proc_pid_stat(5), rounded down to a tick."""
    if TYPE_CHECKING and sys.platform != "linux":
        raise NotImplementedError
    with open("/proc/self/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])  # the name before it may contain anything
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def backend(*, io_accounting: bool) -> Backend:
    """Return the facts about a kernel that was built with or without ``CONFIG_TASK_IO_ACCOUNTING``."""
    measured = ALL - UNMAINTAINED - (frozenset() if io_accounting else BLOCKS)
    return Backend(
        name="Linux",
        measured={"RUSAGE_SELF": measured, "RUSAGE_CHILDREN": measured, "RUSAGE_THREAD": measured},
        absent={},
        maxrss_bytes=KIB,  # the kernel converts pages to KiB: kernel/sys.c
        units=dict.fromkeys(BLOCKS, SECTORS),  # bytes >> 9
        notes={
            "ru_utime": "user and system time add up to the run time; the split between them is sampled",
            "ru_stime": "user and system time add up to the run time; the split between them is sampled",
            "ru_maxrss": "for a thread, that of the whole process; "
            "for children, that of the largest child, which is at least the parent's; "
            "at first, that of the process from which this one was started; "
            "inexact by up to CPUs x max(32, 2 x CPUs) pages for each of three counters "
            "(96 MiB with 64 CPUs and 4 KiB pages); may be 0",
            "ru_inblock": "reads served from the page cache are not counted",
            "ru_oublock": "counted when a page is dirtied, not when it is written",
        },
        sources=SOURCES,
        process=PROCESS,
        # exec_mmap() in fs/exec.c carries the old peak, which fork may have copied from the parent, into the new image.
        child_peak=PEAK_AT_LEAST_PARENTS_INEXACT,
        peak_file="/proc/self/status",
        uptime=uptime if os.path.exists("/proc/self/stat") else None,
    )


# /proc/self/io exists if and only if the kernel keeps these counters (fs/proc/base.c). Without /proc it is unknown.
_elsewhere = sys.platform not in ("linux", "android")
BACKEND = backend(io_accounting=_elsewhere or os.path.exists("/proc/self/io"))
