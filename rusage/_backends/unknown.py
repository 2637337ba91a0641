"""Unix systems without a module of their own.

POSIX specifies the two times, and 4.3BSD defined the counters; the units of the memory fields are unknown.
"""

import sys

from ._base import ALL, INTEGRALS, NONE, TIMES, Backend
from ._platforms import REFUSED

COUNTERS = ALL - TIMES - INTEGRALS - {"ru_maxrss"}
UNSURE = "it is unknown whether this system fills it"


THREAD = "it is unknown whether this system reports the usage of a thread"
WAIT = "it is unknown whether this system has a usable wait4(2)"
PROCESS = "it is unknown how this system reports the usage of another process"
PEAK = "it is unknown whether this system reports a peak, and maxrss() is 0"
RSS = "it is unknown how this system reports the resident set size"
ABSENT = {"RUSAGE_THREAD": THREAD, "Process": PROCESS, "wait3": WAIT, "wait4": WAIT, "peak": PEAK, "rss": RSS}


def backend(platform: str) -> Backend:
    """Return the backend of a system; raise ``ImportError`` if it is not supported."""
    for prefix, reason in REFUSED.items():
        if platform.startswith(prefix):
            raise ImportError(f"rusage does not support {platform}: {reason}")
    measured = {"RUSAGE_SELF": TIMES | COUNTERS, "RUSAGE_CHILDREN": TIMES | COUNTERS}
    return Backend(platform, measured, ABSENT, notes=dict.fromkeys(COUNTERS, UNSURE), waited=NONE)


BACKEND = backend(sys.platform)
