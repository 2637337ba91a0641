"""Linux: getrusage(2), kernel/sys.c, include/linux/task_io_accounting_ops.h."""

import os

from ._base import ALL, BLOCKS, INTEGRALS, KIB, Backend

UNMAINTAINED = INTEGRALS | {"ru_nswap", "ru_msgsnd", "ru_msgrcv", "ru_nsignals"}  # getrusage(2)


def backend(*, io_accounting: bool) -> Backend:
    """Return the facts about a kernel that was built with or without ``CONFIG_TASK_IO_ACCOUNTING``."""
    measured = ALL - UNMAINTAINED - (frozenset() if io_accounting else BLOCKS)
    return Backend(
        name="Linux",
        measured={"RUSAGE_SELF": measured, "RUSAGE_CHILDREN": measured, "RUSAGE_THREAD": measured},
        absent={},
        maxrss_bytes=KIB,  # pages, converted by the kernel: kernel/sys.c
        units={"ru_inblock": "512-byte units", "ru_oublock": "512-byte units"},  # bytes >> 9
        notes={
            "ru_utime": "user and system add up to the run time, the split between them is sampled",
            "ru_stime": "user and system add up to the run time, the split between them is sampled",
            "ru_maxrss": "the process's even for a thread, the largest child's for children; "
            "at the start it is that of the process that this one was started from",
            "ru_inblock": "what the cache answered is not counted",
            "ru_oublock": "counted when a page becomes dirty",
        },
    )


# /proc/self/io is there exactly if the kernel keeps the figures (fs/proc/base.c). Without /proc nobody can tell.
BACKEND = backend(io_accounting=os.path.exists("/proc/self/io"))
