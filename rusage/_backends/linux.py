"""Linux: getrusage(2), kernel/sys.c, include/linux/task_io_accounting_ops.h.

The error of the peak: the resident set size is the sum of three per-CPU counters (file, anonymous
and shared pages), which get_mm_rss() only approximates. Each CPU may hold back fewer than
``percpu_counter_batch`` pages of each counter; that is ``max(32, 2 * num_online_cpus())``
(compute_batch_value in lib/percpu_counter.c). A negative counter reads as 0. Since commit
82241a83cd15 (6.16, and 6.12.117 of Debian) /proc/PID/status adds the counters up exactly; getrusage
does not. Before commit f1a7941243c1 (6.2) each thread held back the pages of up to 64 page faults,
any of which may map 16 pages, until it ended: a running program of 1388 KiB was seen with a peak of
4096 bytes on 5.10 and 6.1.
"""

import os
import sys

from ._base import (
    ALL,
    BLOCKS,
    INTEGRALS,
    KIB,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    SECTORS,
    TIMES,
    Backend,
    kernel_release,
)

TYPE_CHECKING = False

NAMES, NEWEST = ("linux", "android"), "7.2"

# The fields in /proc/PID/stat, and VmHWM in /proc/PID/status. Blocks are omitted, since
# /proc/PID/io includes the children that the process has waited for (wait_task_zombie in
# kernel/exit.c). Switches are omitted, since /proc does not count the switches of ended threads.
PROCESS = TIMES | {"ru_maxrss", "ru_minflt", "ru_majflt"}
UNMAINTAINED = INTEGRALS | {"ru_nswap", "ru_msgsnd", "ru_msgrcv", "ru_nsignals"}  # getrusage(2)


# --- The error of the peak ---


def rss_error(cpus: int, page: int) -> int:
    """Return the largest error of the resident set size since 6.2, in bytes: see above."""
    return 3 * cpus * max(32, 2 * cpus) * page


def present_cpus(path: str = "/sys/devices/system/cpu/present") -> int | None:
    """Return the number of CPUs that can be online, or None if unknown.

    os.cpu_count() is unsuitable: -X cpu_count overrides it, musl counts only CPUs that this thread
    may use, and containers may hide CPUs that are online.
    """
    try:
        with open(path, "rb") as file:
            text = file.read() or b""  # None: EAGAIN
        ranges = [part.split(b"-") for part in text.split(b",")]  # such as 0-3,8
        return sum(int(last[-1]) - int(last[0]) + 1 for last in ranges)
    except (OSError, ValueError):
        return None


def peak_error() -> int | None:
    """Return the largest error of a peak on this machine, in bytes.

    The result is None if the kernel does not name its CPUs.
    """
    if TYPE_CHECKING and sys.platform != "linux":
        raise NotImplementedError
    cpus = present_cpus()
    return None if cpus is None else rss_error(cpus, os.sysconf("SC_PAGESIZE"))


# --- The backend ---

SPLIT = "user and system time add up to the run time; the split between them is sampled"
PER_CPU = "inexact: with pages of 4 KiB, by up to 768 KiB on 2 CPUs, 96 MiB on 64"
AT_FIRST = "can start at the size or the peak of the process that started this one"
FALLS = "falls when the kernel splits huge pages of a mapped file"
PER_THREAD = "inexact: each running thread may hold back the pages of 64 page faults; may be 0"
# Measured on 5.10; no longer on 6.1.
SHARED = "the first write to a page of shared memory may count"


def _release_numbers(release: str) -> tuple[int, int]:
    """Return the first two numbers of a release, such as ``6.18.44-generic``; or else zeros."""
    try:
        major, minor = release.split("-", maxsplit=1)[0].split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return 0, 0


def backend(*, io_accounting: bool, release: str = NEWEST) -> Backend:
    """Return the facts about a kernel's release, with or without ``CONFIG_TASK_IO_ACCOUNTING``."""
    measured = ALL - UNMAINTAINED - (frozenset() if io_accounting else BLOCKS)
    per_cpu = _release_numbers(release) >= (6, 2)
    return Backend(
        name="Linux",
        measured={"RUSAGE_SELF": measured, "RUSAGE_CHILDREN": measured, "RUSAGE_THREAD": measured},
        maxrss_bytes=KIB,  # the kernel converts pages to KiB: kernel/sys.c
        units=dict.fromkeys(BLOCKS, SECTORS),  # bytes >> 9
        notes={
            **dict.fromkeys(TIMES, SPLIT),
            "ru_maxrss": "for a thread, the whole process's; "
            f"{AT_FIRST}; {FALLS}; " + (PER_CPU if per_cpu else PER_THREAD),
            **({} if _release_numbers(release) >= (6, 1) else {"ru_majflt": SHARED}),
            "ru_inblock": "reads served from the page cache are not counted",
            "ru_oublock": "counted when a page is dirtied, not when it is written",
        },
        process=PROCESS,
        child_peak=PEAK_AT_LEAST_PARENTS_INEXACT,
        peak="VmHWM in /proc/PID/status",
        # as exact as VmRSS: task_statm() in fs/proc/task_mmu.c
        rss="the second number of /proc/PID/statm, in pages",
        pss="Pss in /proc/PID/smaps_rollup",
        peak_error=peak_error if per_cpu else None,
        adopts_orphans=True,  # PR_SET_CHILD_SUBREAPER of prctl(2)
    )


# /proc/self/io exists if and only if the kernel keeps these counters (fs/proc/base.c). Without
# /proc they count as not measured.
_elsewhere = sys.platform not in NAMES
BACKEND = backend(
    io_accounting=_elsewhere or os.path.exists("/proc/self/io"),
    release=kernel_release(NAMES, newest=NEWEST),
)
