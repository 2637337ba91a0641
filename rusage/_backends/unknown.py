"""Any other Unix: POSIX promises the two times; the counters are what 4.3BSD called them; memory has no known unit."""

from ._base import ALL, INTEGRALS, Backend

MEASURED = ALL - INTEGRALS - {"ru_maxrss"}

BACKEND = Backend(
    name="unknown",
    measured={"RUSAGE_SELF": MEASURED, "RUSAGE_CHILDREN": MEASURED},
    absent={
        "RUSAGE_THREAD": "whether this system can tell one thread's usage is not known",
        "wait3": "whether this system has it is not known",
        "wait4": "whether this system has it is not known",
    },
)
