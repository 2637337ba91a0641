"""macOS: getrusage(2), bsd/kern/kern_resource.c and osfmk/kern/task.c of xnu-11417.

Another process: proc_pid_rusage() and PROC_PIDTASKINFO, bsd/kern/proc_info.c. Its disk I/O is in
bytes that reached a device; ``>> 9`` makes them the 512-byte units of Linux. Its peak would need
the task port.
"""

from ._base import (
    ALL,
    BLOCKS,
    CALLS,
    HANDLED,
    INTEGRALS,
    PEAK_OWN,
    SECTORS,
    SWITCHES,
    TIMES,
    Backend,
)

UNMAINTAINED = INTEGRALS | {"ru_nswap"}  # the kernel never updates them
MISNAMED = BLOCKS | SWITCHES  # the values do not match the names: see the notes
MEASURED = ALL - UNMAINTAINED - MISNAMED
CLOCK = (
    "taken at each transition between user and kernel mode; where the kernel does not split the "
    "time, as on some arm64 boards, all of it is user time"
)
OWN_PEAK = "the largest resident size of the task"
PROCESS = TIMES | BLOCKS | {"ru_minflt", "ru_majflt"}

BACKEND = Backend(
    name="macOS",
    # getrusage does not support threads; THREAD_BASIC_INFO has the two times.
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": TIMES},
    maxrss_bytes=1,  # resident_size_max of MACH_TASK_BASIC_INFO
    units=dict.fromkeys(BLOCKS, SECTORS),  # of another process
    notes={
        **dict.fromkeys(TIMES, CLOCK),
        "ru_maxrss": OWN_PEAK,
        # Of a process, both counts are limited; the sums of children are not.
        "ru_minflt": "all faults minus the major ones, which falls once all are 2**31 - 1",
        "ru_majflt": "at most 2**31 - 1 for a process",
        "ru_inblock": "the kernel counts only misses of its buffer cache",  # bio_doread
        "ru_oublock": "the kernel counts only writes of its buffer cache",
        **CALLS,
        "ru_nsignals": HANDLED,
        # _sleep
        "ru_nvcsw": "the kernel counts calls of its sleep function, whether they block or not",
        "ru_nivcsw": "the kernel counts all other switches, including voluntary ones",
    },
    process=PROCESS,
    peak="ru_maxrss",
    # The balance of the ledger phys_mem (osfmk/kern/task.c, osfmk/kern/bsd_kern.c).
    rss="resident_size of MACH_TASK_BASIC_INFO; of another process, ri_resident_size",
    child_peak=PEAK_OWN,
)
