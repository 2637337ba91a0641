"""FreeBSD: getrusage(2), sys/kern/kern_resource.c, statclock() in sys/kern/kern_clock.c.

Measured on 15.1.
"""

from ._base import ALL, BLOCKS, HANDLED, INTEGRALS, KIB, PEAK_SAMPLED, TIMES, Backend

MEASURED = ALL - {"ru_nswap"}  # the kernel of FreeBSD 15 never updates it
# Samples between fork and exec are sizes of the process's parent.
PROCESS = MEASURED - INTEGRALS - {"ru_maxrss"}
CLOCK = (
    "run time is split by ticks of the statistics clock; "
    "before the first tick, all of it is system time"
)
OWN_PEAK = (
    "sampled at ticks of the statistics clock: a short peak may be missed; 0 before the first tick"
)
INTEGRAL = (
    "integral of the virtual size of text, data or stack, without memory from mmap(2) and "
    "malloc(3); sampled at ticks of the statistics clock; 0 before the first tick; "
    "for children, may include the parent's"
)

BACKEND = Backend(
    name="FreeBSD",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": MEASURED},
    maxrss_bytes=KIB,  # pgtok() in statclock()
    integral_bytes=KIB,  # KiB x ticks of the statistics clock, usually 127 Hz: see kern.clockrate
    notes={
        **dict.fromkeys(TIMES, CLOCK),
        "ru_maxrss": f"{OWN_PEAK}; for a thread, the process's at the thread's own ticks",
        **dict.fromkeys(INTEGRALS, INTEGRAL),
        "ru_nswap": "the kernel no longer counts it",
        **dict.fromkeys(BLOCKS, "OpenZFS counts its own reads and writes of records"),
        "ru_msgsnd": "counts calls that send on sockets or pipes",
        "ru_msgrcv": "counts calls that receive from sockets or pipes",
        "ru_nsignals": HANDLED,
        "ru_nvcsw": "a yield counts as voluntary",
    },
    process=PROCESS,
    rss="ki_rssize, in pages: fill_kinfo_proc_only() in sys/kern/kern_proc.c",
    child_peak=PEAK_SAMPLED,
    adopts_orphans=True,  # PROC_REAP_ACQUIRE of procctl(2)
)
