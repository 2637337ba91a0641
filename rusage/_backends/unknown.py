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
ABSENT = {"RUSAGE_THREAD": THREAD, "Process": PROCESS, "wait3": WAIT, "wait4": WAIT}

# Systems on which only the times match their names. Haiku sets all other fields to 0, and so does the Hurd except for
# values of Mach that correspond only approximately.
TIMES_ONLY = {"cygwin": "Cygwin", "msys": "MSYS2", "haiku": "Haiku", "gnu0": "GNU/Hurd"}
CYGWIN_NOTES = {
    "ru_maxrss": "the system reports the size at the time of the call",
    "ru_majflt": "the system counts all faults as major ones",
}
MACH = "the system reports statistics of Mach that correspond only approximately"
NOTES = {
    "cygwin": CYGWIN_NOTES,
    "msys": CYGWIN_NOTES,
    "haiku": {},
    "gnu0": dict.fromkeys(["ru_minflt", "ru_majflt", "ru_msgsnd", "ru_msgrcv"], MACH),
}
FILES = {
    "cygwin": "winsup/cygwin/resource.cc in Cygwin",
    "msys": "winsup/cygwin/resource.cc in Cygwin",
    "haiku": "src/system/libroot/posix/sys/getrusage.c in Haiku",
    "gnu0": "sysdeps/mach/hurd/getrusage.c in glibc",
}
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
            sources=SOURCES,
            waited=NONE,
        )
    measured_for, absent = {"RUSAGE_SELF": TIMES, "RUSAGE_CHILDREN": TIMES}, ABSENT
    if prefix in NO_CHILDREN:
        del measured_for["RUSAGE_CHILDREN"]
        absent = {**ABSENT, **dict.fromkeys(["RUSAGE_CHILDREN", "RUSAGE_BOTH"], NO_CHILDREN[prefix])}
    sources = dict.fromkeys(ALL, FILES[prefix])
    return Backend(TIMES_ONLY[prefix], measured_for, absent, notes=NOTES[prefix], sources=sources, waited=NONE)


BACKEND = backend(sys.platform)
