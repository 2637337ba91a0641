"""OpenBSD: getrusage(2), sys/kern/kern_resource.c 1.96, kern_clock.c 1.127, kern_exit.c.

Also uvm_fault.c. Measured on OpenBSD 7.7 and 7.9.
"""

from ._base import (
    ALL,
    CALLS,
    HANDLED,
    INTEGRALS,
    KIB,
    NONE,
    PEAK_TOUCHED,
    TIMES,
    Backend,
    kernel_release,
)

# Measured on 7.9: 0.84 s beside 0.818 s of precise CPU time, and 3.35 s beside 3.284 s.
CLOCK = "sampled, and so is their sum: whole ticks of the statistics clock; 0 before the first tick"
OWN_PEAK = "updated at page faults"
INTEGRAL = (
    "integral of the virtual size, sampled at ticks of the statistics clock; "
    "measured since OpenBSD 7.8, and not for a thread"
)
# fork1() in sys/kern/kern_fork.c zeroes struct proc from p_startzero to p_endzero (sys/sys/proc.h),
# where p_ru is; exec does not reset it. The integrals of a child right after exec are the parent's:
# measured on 7.9.


def backend(release: str) -> Backend:
    """Return the facts about the kernel of a release, such as ``7.8``."""
    # The integrals were not updated in February 2025, before 7.7; statclock() updated them in June
    # 2025, before 7.8.
    integrals = INTEGRALS if tuple(map(int, release.split("."))) >= (7, 8) else NONE
    measured = ALL - INTEGRALS - {"ru_nswap"}  # never updated by the kernel
    return Backend(
        name="OpenBSD",
        measured={
            "RUSAGE_SELF": measured | integrals,
            "RUSAGE_CHILDREN": measured | integrals,
            "RUSAGE_THREAD": measured,
        },
        maxrss_bytes=KIB,  # uvmfault_update_stats()
        integral_bytes=KIB,  # KiB x ticks of the statistics clock, whose rate is in kern.clockrate
        notes={
            **dict.fromkeys(TIMES, CLOCK),
            "ru_maxrss": f"{OWN_PEAK}; for a thread, the process's at the thread's own faults",
            **dict.fromkeys(INTEGRALS, INTEGRAL),
            **CALLS,
            "ru_nsignals": HANDLED,
        },
        rss="p_vm_rssize, in pages: fill_kproc() in sys/kern/kern_sysctl.c",
        process=TIMES,  # the other fields of struct kinfo_proc describe one thread
        child_peak=PEAK_TOUCHED,
    )


BACKEND = backend(kernel_release("openbsd", newest="7.9"))
