"""Unixes without a module of their own.

POSIX promises the two times; the counters are what 4.3BSD called them; memory has no unit that is known.
"""

import sys

from ._base import ALL, INTEGRALS, NONE, TIMES, Backend

COUNTERS = ALL - TIMES - INTEGRALS - {"ru_maxrss"}
UNSURE = "it is unknown whether this system fills it"

THREAD = "it is unknown whether this system reports the usage of a thread"
WAIT = "it is unknown whether this system has a usable wait4(2)"
ABSENT = {"RUSAGE_THREAD": THREAD, "wait3": WAIT, "wait4": WAIT}

# Known to fill nothing else with what its name says. Cygwin (winsup/cygwin/resource.cc) has the current size for the
# peak and all faults for the major ones; Haiku (libroot's getrusage.c) leaves the rest 0, as the Hurd does (glibc,
# sysdeps/mach/hurd/getrusage.c) but for figures of Mach that map approximately, and are 0 where Mach has none.
TIMES_ONLY = {"cygwin": "Cygwin", "msys": "MSYS2", "haiku": "Haiku", "gnu0": "GNU/Hurd"}
NO_CHILDREN = {
    "haiku": "it includes children that still run",
    "gnu0": "it is 0 unless the proc server records it",
}
# Known to answer with something else than usage: wasi-libc, and emscripten_syscall_stubs.c.
REFUSED = {"wasi": "its CPU time is wall-clock time", "emscripten": "its getrusage returns constants"}


def backend(platform: str) -> Backend:
    """Return what is known of a system; ``ImportError`` if that is that its figures are none."""
    if platform in REFUSED:
        raise ImportError(f"rusage cannot tell anything true on {platform}: {REFUSED[platform]}")
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
