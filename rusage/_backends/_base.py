"""``Backend``: a declarative description of a platform's getrusage()."""

from __future__ import annotations

import os
import sys

from .._fields import FIELDS, Field

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A name has the same number on every system that defines it, which the C asserts. RUSAGE_THREAD on
# macOS and Windows and RUSAGE_BOTH everywhere are composed, with the number of other systems
# (RUSAGE_BOTH: linux/resource.h).
WHO = {"RUSAGE_SELF": 0, "RUSAGE_CHILDREN": -1, "RUSAGE_THREAD": 1, "RUSAGE_BOTH": -2}
RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD, RUSAGE_BOTH = WHO.values()

KIB = 1024  # bytes

ALL = frozenset(FIELDS)
NONE: frozenset[str] = frozenset()
TIMES = frozenset({"ru_utime", "ru_stime"})
INTEGRALS = frozenset({"ru_ixrss", "ru_idrss", "ru_isrss"})
BLOCKS = frozenset({"ru_inblock", "ru_oublock"})
SWITCHES = frozenset({"ru_nvcsw", "ru_nivcsw"})

SECTOR = 512  # bytes
SECTORS = f"{SECTOR}-byte units"
"""The unit of ``ru_inblock`` and ``ru_oublock`` where they count data instead of operations."""


# How to tell if the ru_maxrss of a waited-for child is the child's (``Backend.child_peak``), for
# rusage/_children/inherited.py.
PEAK_OWN = "own"
"""The child's own."""
PEAK_AT_LEAST_PARENTS = "at least the parent's"
"""The parent's peak is carried into the child; a larger figure is the child's own."""
PEAK_AT_LEAST_PARENTS_INEXACT = "at least the parent's, inexact"
"""As above, but both figures have an error; a child started by the launcher has its own peak."""
PEAK_SAMPLED = "sampled"
"""A sample taken before exec may be the parent's.

The kernel reports the child's usage just after exec.
"""
PEAK_TOUCHED = "touched"
"""A forked child starts without a peak.

Until exec its peak counts the memory that the child itself touches.
"""
PEAK_TOUCHED_SAMPLED = "touched, sampled"
"""As above, but only samples are counted."""
PEAK_NONE = "none"
"""There is no peak."""
FLOOR_RULES = frozenset({PEAK_AT_LEAST_PARENTS, PEAK_AT_LEAST_PARENTS_INEXACT})
"""The rules that compare a child's peak with the parent's."""
TOUCHED_RULES = frozenset({PEAK_TOUCHED, PEAK_TOUCHED_SAMPLED})
"""The rules that compare a child's peak with the memory that it can touch between fork and exec."""
SAMPLED_RULES = frozenset({PEAK_SAMPLED, PEAK_TOUCHED_SAMPLED})
"""The rules of systems that may miss a short peak."""

# The memory that a child of subprocess touches between fork and exec, at most. Code and stack: 0.5
# to 0.7 MiB, measured with CPython 3.13 on OpenBSD 7.9. The arguments and variables have at most
# 0.5 MiB (ARG_MAX). In a fragmented heap each string occupies a page of its own, and a page fault
# maps neighbouring pages too: up to 7 on OpenBSD (uvmadvice[] in sys/uvm/uvm_fault.c), and 8 on
# DragonFly BSD (vm_prefault_pages in sys/vm/vm_fault.c).
TOUCHED = 4 * 1024 * KIB
TOUCHED_PAGES = 10
"""For each argument and each environment variable."""

# Reasons and notes that several systems share.
INHERITED_PEAK = (
    "ru_maxrss, which maxrss() returns, may be the peak of the process that started this one"
)
TOUCHED_PEAK = (
    "ru_maxrss, which maxrss() returns, includes the memory that this process touched before it "
    "executed its program, after vfork(2) even the parent's"
)
NO_PEAK = "it measures no peak, and maxrss() is 0"
NO_PSS = "it does not report how many processes share a page"
NO_THREAD = "its getrusage(2) reports only the process and its children"
OF_PROCESS = ("Tree", "Sample", "Member", "record")
"""The names that exist where ``Process`` does."""
HANDLED = "counts only signals caught by a handler"
CALLS = {
    "ru_msgsnd": "counts calls that send on sockets",
    "ru_msgrcv": "counts calls that receive from sockets",
}


def why_no_peak(rule: str) -> str:
    """Return why the peak of a process's program is unknown, by the rule for children."""
    if rule == PEAK_NONE:
        return NO_PEAK
    return TOUCHED_PEAK if rule in TOUCHED_RULES else INHERITED_PEAK


def note_on_peak_of_children(rule: str) -> str:
    """Return the note on ``ru_maxrss`` for children."""
    largest = "for children, the largest child's or descendant's"
    if rule in TOUCHED_RULES:
        return (
            f"{largest}; a child's includes what it touched before exec, "
            "and after vfork may be the parent's"
        )
    if rule in FLOOR_RULES:
        return f"{largest}; a child's is at least the parent's"
    return f"{largest}; a child's may be the parent's" if rule == PEAK_SAMPLED else largest


class Backend:
    """The meaning of the numbers of one system's kernel.

    ``Documentation`` in ``tests/tools/system_words.py`` has what only the pages say, such as the
    sources.
    """

    def __init__(  # noqa: PLR0913 (a fact each)
        self,
        *,
        name: str,  # the system's usual name
        measured: Mapping[str, frozenset[str]],  # what the kernel fills, by native RUSAGE_* names
        # Public names that the system cannot provide, each with the reason, which its
        # AttributeError gives. Those that follow from the other facts are added.
        absent: Mapping[str, str] = {},
        maxrss_bytes: int = 0,  # bytes in one unit of ru_maxrss; 0 where there is no peak
        # Bytes in one unit of the integrals, which count ticks of the statistics clock; 0: none.
        integral_bytes: int = 0,
        units: Mapping[str, str] = {},  # of fields that count another unit on this system
        # Peculiarities of a field on this system that its name and unit do not tell; for a field
        # that is not measured, the value that the kernel has in its place. The one on the peak of
        # children is added.
        notes: Mapping[str, str] = {},
        process: frozenset[str] = NONE,  # known of another process; empty where Process is absent
        # Known of one child that has ended; by default, the fields of all children.
        waited: frozenset[str] | None = None,
        child_peak: str = PEAK_NONE,  # whose peak a child's ru_maxrss is: a rule
        # Where the system reports the peak of the program that this process executes.
        peak: str = "",  # empty: nowhere
        rss: str = "",  # where it reports the resident set size, and in which unit; empty: unknown
        pss: str = "",  # where it reports the proportional set size; empty: nowhere
        # The largest error of ru_maxrss here, in bytes, if it is known.
        peak_error: Callable[[], int | None] | None = None,
        adopts_orphans: bool = False,  # whether a process can ask to be their parent
    ) -> None:
        children = measured.get("RUSAGE_CHILDREN", NONE)
        self.name = name
        self.measured = measured
        self.maxrss_bytes = maxrss_bytes
        self.integral_bytes = integral_bytes
        self.units = units
        self.notes = notes
        if "ru_maxrss" in children:
            note = f"{notes['ru_maxrss']}; {note_on_peak_of_children(child_peak)}"
            self.notes = {**notes, "ru_maxrss": note}
        self.process = process
        self.waited = children if waited is None else waited
        self.child_peak = child_peak
        self.peak = peak
        self.rss = rss
        self.pss = pss
        self.peak_error = peak_error
        self.adopts_orphans = adopts_orphans
        missing = {} if pss else {"pss": NO_PSS}
        if not peak:
            missing["peak"] = why_no_peak(child_peak)
        if "RUSAGE_THREAD" not in measured:
            missing["RUSAGE_THREAD"] = NO_THREAD
        if "Process" in absent:
            missing.update(dict.fromkeys(OF_PROCESS, absent["Process"]))
        self.absent = {**missing, **absent}

    def fields(self) -> dict[str, Field]:
        """Return each field's unit and meaning on this system."""
        fields = {}
        own = self.measured["RUSAGE_SELF"]
        for name, (unit, meaning) in FIELDS.items():
            known = meaning if name in own else f"not measured by {self.name}"
            words = [known, self.notes[name]] if name in self.notes else [known]
            fields[name] = Field(self.units.get(name, unit), "; ".join(words))
        fields["ru_maxrss"]._error = self.peak_error  # noqa: SLF001 (the constructor's arguments are the tuple's)
        return fields


def kernel_release(system: str | tuple[str, ...], *, newest: str) -> str:
    """Return the release of the running kernel if it is one of ``system``, otherwise ``newest``."""
    if sys.platform != "win32" and sys.platform.startswith(system):
        return os.uname().release
    return newest
