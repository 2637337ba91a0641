"""NetBSD: getrusage(2), sys/kern/kern_resource.c (getrusage1, calcru, ruspace).

exit1() in sys/kern/kern_exit.c also calls ruspace(), and ruadd() keeps the larger peak: wait4
reports the child's peak, and ``RUSAGE_CHILDREN`` the peak of the largest child.
"""

from ._base import (
    ALL,
    CALLS,
    INTEGRALS,
    KIB,
    NONE,
    PEAK_AT_LEAST_PARENTS,
    SWITCHES,
    TIMES,
    Backend,
    kernel_release,
)

CLOCK = "run time is split by ticks of the statistics clock; before the first tick, into two halves"
OWN_PEAK = (
    "updated at page faults, since NetBSD 9; on ports without pmap statistics, the current size"
)
CURRENT = "the kernel reports the size at the time of the call"
# fill_kproc2() in sys/kern/kern_proc.c adds up the switches of living threads only. The peak may be
# the peak of the process that forked this one.
PROCESS = ALL - INTEGRALS - SWITCHES - {"ru_maxrss", "ru_nswap"}


def backend(release: str) -> Backend:
    """Return the facts about the kernel of a release, such as ``10.1``."""
    # The kernel never updates ru_nswap. ruspace() was added between kern_resource.c 1.177 (8 April
    # 2018) and 1.181 (13 May 2018), before NetBSD 9: see docs/evidence.
    peak = frozenset({"ru_maxrss"}) if int(release.partition(".")[0]) >= 9 else NONE
    measured = ALL - INTEGRALS - {"ru_maxrss", "ru_nswap"} | peak
    return Backend(
        name="NetBSD",
        measured={"RUSAGE_SELF": measured, "RUSAGE_CHILDREN": measured},
        absent={} if peak else {"peak": "it measures no peak before NetBSD 9, and maxrss() is 0"},
        maxrss_bytes=KIB,  # vm_rssmax << (PAGE_SHIFT - 10) in ruspace()
        notes={
            **dict.fromkeys(TIMES, CLOCK),
            "ru_maxrss": OWN_PEAK,
            **(dict.fromkeys(INTEGRALS, CURRENT) if peak else {}),  # ruspace() too
            **CALLS,
        },
        process=PROCESS,
        rss="p_vm_rssize, in pages: fill_kproc2() in sys/kern/kern_proc.c",
        child_peak=PEAK_AT_LEAST_PARENTS,
    )


BACKEND = backend(kernel_release("netbsd", newest="10.1"))
