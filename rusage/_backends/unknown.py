"""Unix systems without a module of their own.

POSIX specifies the two times, and 4.3BSD defined the counters; the units of the memory fields are unknown.
"""

import sys

from ._base import ALL, INTEGRALS, NONE, TIMES, Backend

COUNTERS = ALL - TIMES - INTEGRALS - {"ru_maxrss"}
UNSURE = "it is unknown whether this system fills it"

THREAD = "it is unknown whether this system reports the usage of a thread"
WAIT = "it is unknown whether this system has a usable wait4(2)"
ABSENT = {"RUSAGE_THREAD": THREAD, "wait3": WAIT, "wait4": WAIT}

# Systems on which only the times match their names. Cygwin (winsup/cygwin/resource.cc) reports the current size as the
# peak and all faults as major ones. Haiku (libroot's getrusage.c) sets all other fields to 0, and so does the Hurd
# (glibc, sysdeps/mach/hurd/getrusage.c) except for values of Mach that correspond only approximately.
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
            platform, {"RUSAGE_SELF": measured, "RUSAGE_CHILDREN": measured}, ABSENT, notes=notes, waited=NONE
        )
    name = TIMES_ONLY[prefix]
    if prefix in NO_CHILDREN:
        why = NO_CHILDREN[prefix]
        return Backend(
            name, {"RUSAGE_SELF": TIMES}, {**ABSENT, "RUSAGE_CHILDREN": why, "RUSAGE_BOTH": why}, waited=NONE
        )
    return Backend(name, {"RUSAGE_SELF": TIMES, "RUSAGE_CHILDREN": TIMES}, ABSENT, waited=NONE)


BACKEND = backend(sys.platform)
