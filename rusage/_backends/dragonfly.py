"""DragonFly BSD: getrusage(2), sys/kern/kern_resource.c, uipc_socket.c.

Also schedclock() in sys/kern/kern_clock.c. swapout() in sys/vm/vm_glue.c updates
``ru_nswap``; calcru_proc() in kern_resource.c reports it. Measured on 5.9.
"""

from ._base import ALL, CALLS, HANDLED, INTEGRALS, KIB, PEAK_TOUCHED_SAMPLED, TIMES, Backend

MEASURED = ALL - INTEGRALS - {"ru_nivcsw"}
# When a process exits, exit1() in sys/kern/kern_exit.c adds the counters of all threads to the
# process's, and lwp_exit() adds the last thread's again. The parent does not know how many threads
# the child had.
CHILDREN = TIMES | {"ru_maxrss", "ru_nswap"}  # which belong to the process
# Samples between vfork and exec are sizes of the process's parent.
PROCESS = MEASURED - {"ru_maxrss"}
CLOCK = "counted at ticks of the statistics clock; too coarse for short intervals"
OWN_PEAK = (
    "sampled at ticks of the scheduler clock: a short peak may be missed; 0 before the first tick"
)
DOUBLED = "not measured for children, since the kernel counts their last thread twice"
RATE = "the kernel counts ticks of a clock whose rate it does not report"
# fork1() in sys/kern/kern_fork.c zeroes p_ru; pmap_copy() in sys/platform/pc64/x86_64/pmap.c is
# empty. Measured.

BACKEND = Backend(
    name="DragonFly BSD",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": CHILDREN},
    rss="kp_vm_rssize, in pages: fill_kinfo_proc() in sys/kern/kern_kinfo.c",
    maxrss_bytes=KIB,  # pgtok() in schedclock()
    notes={
        **dict.fromkeys(TIMES, CLOCK),
        "ru_maxrss": OWN_PEAK,
        **dict.fromkeys(INTEGRALS, RATE),  # not the statistics clock, contrary to the man page
        **dict.fromkeys(MEASURED - CHILDREN, DOUBLED),
        "ru_nswap": "counts swap-outs of the whole process",
        **{name: f"{note}; {DOUBLED}" for name, note in CALLS.items()},
        "ru_nsignals": f"{HANDLED}; {DOUBLED}",
        "ru_nivcsw": "the schedulers that the kernel uses do not count it",
    },
    process=PROCESS,
    child_peak=PEAK_TOUCHED_SAMPLED,
    adopts_orphans=True,  # PROC_REAP_ACQUIRE of procctl(2)
)
