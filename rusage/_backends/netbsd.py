"""NetBSD: getrusage(2), sys/kern/kern_resource.c (getrusage1, calcru, ruspace)."""

from ._base import ALL, INTEGRALS, KIB, NONE, Backend, kernel_release

SPLIT = "run time is split by ticks of the statistics clock, in halves before the first one"
CURRENT = "the kernel gives the size at the time of the call"


def backend(release: str) -> Backend:
    """Return the facts about the kernel of a release, such as ``10.1``."""
    counters = ALL - INTEGRALS - {"ru_maxrss", "ru_nswap"}  # nothing writes ru_nswap
    # ruspace() came after 2015 and was there in February 2022 (kern_proc.c 1.263), in time for 10. Whether it is called
    # for a child that exits is not known.
    peak = frozenset({"ru_maxrss"}) if int(release.partition(".")[0]) >= 10 else NONE
    return Backend(
        name="NetBSD",
        measured={"RUSAGE_SELF": counters | peak, "RUSAGE_CHILDREN": counters},
        absent={"RUSAGE_THREAD": "its getrusage(2) knows the process and its children only"},
        maxrss_bytes=KIB,  # vm_rssmax << (PAGE_SHIFT - 10) in ruspace()
        notes={
            "ru_utime": SPLIT,
            "ru_stime": SPLIT,
            "ru_maxrss": "known for NetBSD 10 and later, and not for children; "
            "the current size on ports without pmap statistics",
            "ru_ixrss": CURRENT,
            "ru_idrss": CURRENT,
            "ru_isrss": CURRENT,
            "ru_msgsnd": "calls that send on a socket",
            "ru_msgrcv": "calls that receive from a socket",
        },
    )


BACKEND = backend(kernel_release("netbsd", newest="10.1"))
