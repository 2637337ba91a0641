"""DragonFly BSD: getrusage(2), sys/kern/kern_resource.c, schedclock() in sys/kern/kern_clock.c, uipc_socket.c.

swapout() in sys/vm/vm_glue.c updates ``ru_nswap``; calcru_proc() in kern_resource.c reports it.
"""

from ._base import (
    ALL,
    HANDLED,
    INHERITED_PEAK,
    INTEGRALS,
    KIB,
    LARGEST_OR_PARENTS,
    NO_PROCESS,
    NO_THREAD,
    PEAK_UNKNOWN,
    RECEIVED,
    SENT,
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
        "peak": INHERITED_PEAK,
        "Process": NO_PROCESS,
    },
    rss="kp_vm_rssize, in pages: fill_kinfo_proc() in sys/kern/kern_kinfo.c",
    maxrss_bytes=KIB,  # pgtok() in schedclock()
    notes={
        "ru_utime": SAMPLED,
        "ru_stime": SAMPLED,
        "ru_maxrss": "sampled at ticks of the scheduler clock: a short peak may be missed; 0 before the first tick; "
        + LARGEST_OR_PARENTS,
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
    child_peak=PEAK_UNKNOWN,
    child_peak_reason="a tick of the scheduler clock between `fork` and `exec` may sample the copy of the parent",
)
