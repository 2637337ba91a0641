"""DragonFly BSD: getrusage(2), sys/kern/kern_resource.c, schedclock() in sys/kern/kern_clock.c, uipc_socket.c.

swapout() in sys/vm/vm_glue.c updates ``ru_nswap``; calcru_proc() in kern_resource.c reports it. Measured on 5.9.
"""

from ._base import (
    ALL,
    HANDLED,
    INTEGRALS,
    KIB,
    LARGEST_TOUCHED,
    NO_THREAD,
    PEAK_TOUCHED_SAMPLED,
    RECEIVED,
    SENT,
    TIMES,
    TOUCHED_PEAK,
    Backend,
)

MEASURED = ALL - INTEGRALS - {"ru_nivcsw"}
# When a process exits, exit1() in sys/kern/kern_exit.c adds the counters of all threads to the process's, and
# lwp_exit() adds the last thread's again. The parent does not know how many threads the child had.
CHILDREN = TIMES | {"ru_maxrss", "ru_nswap"}  # which belong to the process
# Samples between vfork and exec are sizes of the process's parent.
PROCESS = MEASURED - {"ru_maxrss"}
CLOCK = "counted at ticks of the statistics clock; too coarse for short intervals"
OWN_PEAK = "sampled at ticks of the scheduler clock: a short peak may be missed; 0 before the first tick"
DOUBLED = "not measured for children, since the kernel counts their last thread twice"
RATE = "the kernel counts ticks of a clock whose rate it does not report"
# fork1() in sys/kern/kern_fork.c zeroes p_ru; pmap_copy() in sys/platform/pc64/x86_64/pmap.c is empty. Measured.

BACKEND = Backend(
    name="DragonFly BSD",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": CHILDREN},
    absent={
        "RUSAGE_THREAD": NO_THREAD,
        "peak": TOUCHED_PEAK,
    },
    rss="kp_vm_rssize, in pages: fill_kinfo_proc() in sys/kern/kern_kinfo.c",
    maxrss_bytes=KIB,  # pgtok() in schedclock()
    notes={
        "ru_utime": CLOCK,
        "ru_stime": CLOCK,
        "ru_maxrss": f"{OWN_PEAK}; {LARGEST_TOUCHED}",
        "ru_ixrss": RATE,  # not the statistics clock, contrary to the man page
        "ru_idrss": RATE,
        "ru_isrss": RATE,
        **dict.fromkeys(MEASURED - CHILDREN, DOUBLED),
        "ru_nswap": "counts swap-outs of the whole process",
        "ru_msgsnd": f"{SENT}; {DOUBLED}",
        "ru_msgrcv": f"{RECEIVED}; {DOUBLED}",
        "ru_nsignals": f"{HANDLED}; {DOUBLED}",
        "ru_nivcsw": "the schedulers that the kernel uses do not count it",
    },
    process=PROCESS,
    child_peak=PEAK_TOUCHED_SAMPLED,
)
