"""illumos and Solaris: getrusage(3C), wait3(3C), usr/src/uts/common/syscall/rusagesys.c."""

from ._base import ALL, INTEGRALS, PEAK_UNKNOWN, TIMES, Backend

# The man page gives the memory figures units, and says below that they are set to 0.
MEASURED = ALL - INTEGRALS - {"ru_maxrss"}

BACKEND = Backend(
    name="illumos",
    # What the others call RUSAGE_THREAD is RUSAGE_LWP here, with the same number.
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": MEASURED},
    absent={},
    notes={
        "ru_inblock": "approximate",
        "ru_oublock": "approximate",
        "ru_msgsnd": "counts messages on streams and sockets",
        "ru_msgrcv": "counts messages on streams and sockets",
    },
    waited=TIMES,  # wait3(3C): only the two times are available
    child_peak=PEAK_UNKNOWN,  # there is none
)
