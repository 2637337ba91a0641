"""Unix systems without a module of their own.

POSIX specifies the two times, and 4.3BSD defined the counters; the units of the memory fields are unknown.
"""

import sys

from ._base import ALL, INTEGRALS, NONE, TIMES, Backend

COUNTERS = ALL - TIMES - INTEGRALS - {"ru_maxrss"}
UNSURE = "it is unknown whether this system fills it"

SOURCES = {
    **dict.fromkeys(ALL, "no unit is specified"),
    **dict.fromkeys(COUNTERS, "4.3BSD"),
    **dict.fromkeys(TIMES, "POSIX"),
}

THREAD = "it is unknown whether this system reports the usage of a thread"
WAIT = "it is unknown whether this system has a usable wait4(2)"
PROCESS = "it is unknown how this system reports the usage of another process"
PEAK = "it is unknown whether this system reports a peak, and maxrss() is 0"
RSS = "it is unknown how this system reports the resident set size"
ABSENT = {"RUSAGE_THREAD": THREAD, "Process": PROCESS, "wait3": WAIT, "wait4": WAIT, "peak": PEAK, "rss": RSS}

# Systems on which only the times match their names: winsup/cygwin/resource.cc in Cygwin (ru_maxrss is the size at the
# time of the call, ru_majflt all faults), src/system/libroot/posix/sys/getrusage.c in Haiku, and
# sysdeps/mach/hurd/getrusage.c in glibc (the counters are approximate statistics of Mach).
TIMES_ONLY = {"cygwin": "Cygwin", "msys": "MSYS2", "haiku": "Haiku", "gnu0": "GNU/Hurd"}
NO_CHILDREN = {
    "haiku": "it includes children that still run",
    "gnu0": "it is 0 unless the proc server records it",
}
# Systems whose getrusage does not report usage: wasi-libc, and emscripten_syscall_stubs.c.
REFUSED = {"wasi": "its CPU time is wall-clock time", "emscripten": "its getrusage returns constants"}


def backend(platform: str) -> Backend:
    """Return the backend of a system; raise ``ImportError`` if its getrusage does not report usage."""
    if platform in REFUSED:
        raise ImportError(f"rusage does not support {platform}: {REFUSED[platform]}")
    prefix = next((prefix for prefix in TIMES_ONLY if platform.startswith(prefix)), None)
    if prefix is None:
        measured = TIMES | COUNTERS
        notes = dict.fromkeys(COUNTERS, UNSURE)
        return Backend(
            platform,
            {"RUSAGE_SELF": measured, "RUSAGE_CHILDREN": measured},
            ABSENT,
            notes=notes,
            waited=NONE,
        )
    measured_for, absent = {"RUSAGE_SELF": TIMES, "RUSAGE_CHILDREN": TIMES}, ABSENT
    if prefix in NO_CHILDREN:
        del measured_for["RUSAGE_CHILDREN"]
        absent = {**ABSENT, **dict.fromkeys(["RUSAGE_CHILDREN", "RUSAGE_BOTH"], NO_CHILDREN[prefix])}
    return Backend(TIMES_ONLY[prefix], measured_for, absent, waited=NONE)


BACKEND = backend(sys.platform)
