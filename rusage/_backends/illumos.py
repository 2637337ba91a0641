"""illumos and Solaris: getrusage(3C), wait3(3C), usr/src/uts/common/syscall/rusagesys.c.

Read, not measured: the C and this description have not run on such a kernel.
"""

from ._base import ALL, BLOCKS, INTEGRALS, TIMES, Backend

# The man page lists units for the memory fields, but states below that they are set to 0.
UNSET = INTEGRALS | {"ru_maxrss"}
MEASURED = ALL - UNSET - {"ru_minflt"}
# wait4() in usr/src/lib/libc/port/gen/waitpid.c
WAIT = (
    "of a waited-for child: the growth of times(2) during the wait, in ticks; "
    "includes children for which other threads wait meanwhile"
)

BACKEND = Backend(
    name="illumos",
    # RUSAGE_THREAD is named RUSAGE_LWP here, with the same value.
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": MEASURED},
    absent={"Process": "rusage has no code that reads its /proc/PID/usage"},
    rss="pr_rssize in /proc/self/psinfo, in KiB: "
    "prgetpsinfo() in usr/src/uts/common/fs/proc/prsubr.c",
    notes={
        **dict.fromkeys(TIMES, WAIT),
        "ru_minflt": "the kernel does not count it",
        **dict.fromkeys(BLOCKS, "approximate"),
        "ru_msgsnd": "counts messages on streams and sockets",
        "ru_msgrcv": "counts messages on streams and sockets",
    },
    waited=TIMES,  # wait3(3C): only the two times are available
)
