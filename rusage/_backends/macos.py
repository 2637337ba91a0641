"""macOS and iOS: getrusage(2), bsd/kern/kern_resource.c and osfmk/kern/task.c of xnu-11417."""

from ._base import ALL, BLOCKS, INTEGRALS, PEAK_OWN, SWITCHES, TIMES, Backend

UNMAINTAINED = INTEGRALS | {"ru_nswap"}  # nothing in the kernel writes them
MISNAMED = BLOCKS | SWITCHES  # kept, but not what the names say: see the notes
MEASURED = ALL - UNMAINTAINED - MISNAMED
CLAMPED = "stops at 2**31 - 1"

BACKEND = Backend(
    name="macOS",
    # No getrusage for a thread: THREAD_BASIC_INFO has its two times.
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": TIMES},
    absent={},
    maxrss_bytes=1,  # resident_size_max of MACH_TASK_BASIC_INFO
    notes={
        "ru_utime": "all of the time where the kernel does not split it, as on some arm64 boards",
        "ru_stime": "0 where the kernel does not split the time, as on some arm64 boards",
        "ru_maxrss": "the largest child's for children",
        "ru_minflt": CLAMPED,
        "ru_majflt": CLAMPED,
        "ru_inblock": "the kernel counts misses of its buffer cache only",  # bio_doread
        "ru_oublock": "the kernel counts writes of its buffer cache only",
        "ru_msgsnd": "calls that send on a socket",
        "ru_msgrcv": "calls that receive from a socket",
        "ru_nsignals": "those that a handler took",
        "ru_nvcsw": "the kernel counts its own calls of sleep, whether they block or not",  # _sleep
        "ru_nivcsw": "the kernel counts all other switches, voluntary ones among them",
    },
    child_peak=PEAK_OWN,  # exec makes a new task, whose ledger starts at 0 (task_create_internal)
)
