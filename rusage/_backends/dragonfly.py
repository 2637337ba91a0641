"""DragonFly BSD: getrusage(2), sys/kern/kern_resource.c, schedclock() in sys/kern/kern_clock.c, uipc_socket.c.

swapout() in sys/vm/vm_glue.c updates ``ru_nswap``; calcru_proc() in kern_resource.c reports it.
"""

from ._base import (
    ALL,
    HANDLED,
    INTEGRALS,
    KIB,
    LARGEST_TOUCHED,
    NO_PROCESS,
    NO_THREAD,
    PEAK_TOUCHED_SAMPLED,
    RECEIVED,
    SENT,
    TOUCHED_PEAK,
    Backend,
)

MEASURED = ALL - INTEGRALS
SAMPLED = "counted at ticks of the statistics clock; too coarse for short intervals"
RATE = "the kernel counts ticks of a clock whose rate it does not report"
SOURCES = {
    **dict.fromkeys(ALL, "sys/kern/kern_resource.c"),
    **dict.fromkeys(INTEGRALS | {"ru_maxrss"}, "schedclock() in sys/kern/kern_clock.c"),
    "ru_nswap": "swapout() in sys/vm/vm_glue.c",
    "ru_msgsnd": "sys/kern/uipc_socket.c",
    "ru_msgrcv": "sys/kern/uipc_socket.c",
}

BACKEND = Backend(
    name="DragonFly BSD",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED},
    absent={
        "RUSAGE_THREAD": NO_THREAD,
        "peak": TOUCHED_PEAK,
        "Process": NO_PROCESS,
    },
    rss="kp_vm_rssize, in pages: fill_kinfo_proc() in sys/kern/kern_kinfo.c",
    maxrss_bytes=KIB,  # pgtok() in schedclock()
    notes={
        "ru_utime": SAMPLED,
        "ru_stime": SAMPLED,
        "ru_maxrss": "sampled at ticks of the scheduler clock: a short peak may be missed; 0 before the first tick; "
        + LARGEST_TOUCHED,
        "ru_ixrss": RATE,  # not the statistics clock, contrary to the man page
        "ru_idrss": RATE,
        "ru_isrss": RATE,
        "ru_nswap": "counts swap-outs of the whole process",
        "ru_msgsnd": SENT,
        "ru_msgrcv": RECEIVED,
        "ru_nsignals": HANDLED,
    },
    sources=SOURCES,
    clock=SAMPLED,
    resolution="ticks",
    # For Process, it has not been verified that kp_ru in kinfo_proc includes running threads.
    child_peak=PEAK_TOUCHED_SAMPLED,
    # fork1() in sys/kern/kern_fork.c zeroes p_ru; pmap_copy() in sys/platform/pc64/x86_64/pmap.c is empty. Measured.
    child_peak_reason="`fork` zeroes it and leaves the child without resident pages: ticks of the scheduler clock "
    "sample only pages that the child touched. "
    "After `vfork`, which this package does not use, they sample the parent's memory",
)
