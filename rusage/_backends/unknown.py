"""Unix systems without a module of their own.

POSIX specifies the two times, and 4.3BSD defined the counters; the units of the memory fields are
unknown.
"""

import sys

from ._base import ALL, INTEGRALS, TIMES, Backend

COUNTERS = ALL - TIMES - INTEGRALS - {"ru_maxrss"}
UNSURE = "it is unknown whether this system fills it"
ABSENT = ("RUSAGE_THREAD", "Process", "wait3", "wait4", "peak", "rss")


def backend(platform: str) -> Backend:
    """Return the backend of a system, whatever it is."""
    return Backend(
        name=platform,
        measured={"RUSAGE_SELF": TIMES | COUNTERS, "RUSAGE_CHILDREN": TIMES | COUNTERS},
        absent=dict.fromkeys(ABSENT, "it is unknown whether and how this system provides it"),
        notes=dict.fromkeys(COUNTERS, UNSURE),
        waited=frozenset(),
    )


BACKEND = backend(sys.platform)
