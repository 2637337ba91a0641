"""FreeBSD: getrusage(2), sys/kern/kern_resource.c, statclock() in sys/kern/kern_clock.c; measured on 15.1."""

from ._base import ALL, KIB, PEAK_SAMPLED, Backend

MEASURED = ALL - {"ru_nswap"}  # nothing in the kernel of FreeBSD 15 counts it
SPLIT = "run time is split by ticks of the statistics clock; before the first one all of it is system time"
INTEGRAL = (
    "its virtual size, sampled at ticks of the statistics clock; 0 before the first one; "
    "for children it may contain the parent's"
)

BACKEND = Backend(
    name="FreeBSD",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": MEASURED},
    absent={},
    maxrss_bytes=KIB,  # pgtok() in statclock()
    integral_bytes=KIB,  # KiB x ticks of the statistics clock: 127 a second here, kern.clockrate tells
    notes={
        "ru_utime": SPLIT,
        "ru_stime": SPLIT,
        "ru_maxrss": "sampled at ticks of the statistics clock: a short peak is missed, and it is 0 before the first "
        "one; for children the largest child's, which may be the parent's; "
        "the process's at the thread's own ticks for a thread",
        "ru_ixrss": INTEGRAL,
        "ru_idrss": INTEGRAL,
        "ru_isrss": INTEGRAL,
        "ru_nswap": "nothing in the kernel counts it any more",
        "ru_msgsnd": "calls that send on a socket or pipe",
        "ru_msgrcv": "calls that receive from a socket or pipe",
        "ru_nsignals": "those that a handler took",
        "ru_nvcsw": "a yield is a voluntary one",
    },
    # statclock() may sample the copy of the parent between fork and exec, and exec resets nothing (measured).
    child_peak=PEAK_SAMPLED,
)
