"""DragonFly BSD: getrusage(2), sys/kern/kern_resource.c, schedclock() in sys/kern/kern_clock.c, uipc_socket.c."""

from ._base import ALL, INTEGRALS, KIB, Backend

MEASURED = ALL - INTEGRALS - {"ru_nswap"}  # no writer of ru_nswap was found
SAMPLED = "added up at ticks of the statistics clock, not for fine differences"
RATE = "the kernel counts ticks of a clock whose rate it does not tell"

BACKEND = Backend(
    name="DragonFly BSD",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED},
    absent={"RUSAGE_THREAD": "its getrusage(2) knows the process and its children only"},
    maxrss_bytes=KIB,  # pgtok() in schedclock()
    notes={
        "ru_utime": SAMPLED,
        "ru_stime": SAMPLED,
        "ru_maxrss": "sampled at ticks of the scheduler's clock: a short peak is missed, and it is 0 before the "
        "first one; the largest child's for children",
        "ru_ixrss": RATE,  # not that of the statistics clock, whatever the man page says
        "ru_idrss": RATE,
        "ru_isrss": RATE,
        "ru_msgsnd": "calls that send on a socket",
        "ru_msgrcv": "calls that receive from a socket",
        "ru_nsignals": "those that a handler took",
    },
)
