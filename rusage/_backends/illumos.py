"""illumos and Solaris: getrusage(3C), wait3(3C), usr/src/uts/common/syscall/rusagesys.c."""

from ._base import ALL, INTEGRALS, PEAK_UNKNOWN, TIMES, Backend

# The man page lists units for the memory fields, but states below that they are set to 0.
MEASURED = ALL - INTEGRALS - {"ru_maxrss"}

BACKEND = Backend(
    name="illumos",
    # RUSAGE_THREAD is named RUSAGE_LWP here, with the same value.
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED, "RUSAGE_THREAD": MEASURED},
    absent={},
    notes={
        "ru_inblock": "approximate",
        "ru_oublock": "approximate",
        "ru_msgsnd": "counts messages on streams and sockets",
        "ru_msgrcv": "counts messages on streams and sockets",
    },
    waited=TIMES,  # wait3(3C): only the two times are available
    child_peak=PEAK_UNKNOWN,  # there is no peak
)
