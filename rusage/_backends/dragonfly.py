"""DragonFly BSD: getrusage(2), sys/kern/kern_resource.c, schedclock() in sys/kern/kern_clock.c, uipc_socket.c.

swapout() in sys/vm/vm_glue.c updates ``ru_nswap``; calcru_proc() in kern_resource.c reports it.
"""

from ._base import ALL, INTEGRALS, KIB, PEAK_UNKNOWN, Backend

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
        "RUSAGE_THREAD": "its getrusage(2) knows the process and its children only",
        "Process": "it is not supported on this system",
    },
    maxrss_bytes=KIB,  # pgtok() in schedclock()
    notes={
        "ru_utime": SAMPLED,
        "ru_stime": SAMPLED,
        "ru_maxrss": "sampled at ticks of the scheduler clock: a short peak may be missed; 0 before the first tick; "
        "for children, that of the largest child, which may be the parent's",
        "ru_ixrss": RATE,  # not the statistics clock, contrary to the man page
        "ru_idrss": RATE,
        "ru_isrss": RATE,
        "ru_nswap": "counts swap-outs of the whole process",
        "ru_msgsnd": "counts calls that send on sockets",
        "ru_msgrcv": "counts calls that receive from sockets",
        "ru_nsignals": "counts only signals caught by a handler",
    },
    sources=SOURCES,
    # schedclock() may sample the copy of the parent between fork and exec. It has not been verified that kp_ru in
    # kinfo_proc includes running threads.
    child_peak=PEAK_UNKNOWN,
)
