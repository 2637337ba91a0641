"""Declarative description of a platform's getrusage(): what a backend is."""

from __future__ import annotations

import os
import sys

from .._fields import FIELDS, Field

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Every system that has the name has the same number, which its C asserts. RUSAGE_THREAD on macOS and Windows and
# RUSAGE_BOTH everywhere are composed; they get the number that other systems use (RUSAGE_BOTH: linux/resource.h).
RUSAGE_SELF = 0
RUSAGE_CHILDREN = -1
RUSAGE_THREAD = 1
RUSAGE_BOTH = -2
WHO = {
    "RUSAGE_SELF": RUSAGE_SELF,
    "RUSAGE_CHILDREN": RUSAGE_CHILDREN,
    "RUSAGE_THREAD": RUSAGE_THREAD,
    "RUSAGE_BOTH": RUSAGE_BOTH,
}

KIB = 1024  # bytes

ALL = frozenset(FIELDS)
NONE: frozenset[str] = frozenset()
TIMES = frozenset({"ru_utime", "ru_stime"})
INTEGRALS = frozenset({"ru_ixrss", "ru_idrss", "ru_isrss"})
BLOCKS = frozenset({"ru_inblock", "ru_oublock"})
SWITCHES = frozenset({"ru_nvcsw", "ru_nivcsw"})

SECTORS = "512-byte units"
"""The unit of ``ru_inblock`` and ``ru_oublock`` where they count amounts of data instead of operations."""


# Whose peak the ru_maxrss of a waited-for child is (``Backend.child_peak``): the rules that
# rusage/_children/inherited.py applies.
PEAK_OWN = "own"
"""The child's own."""
PEAK_AT_LEAST_PARENTS = "at least the parent's"
"""The parent's peak is carried into the child; a larger figure is the child's own."""
PEAK_AT_LEAST_PARENTS_INEXACT = "at least the parent's, inexact"
"""As above, but both figures have an error; a child started by the launcher has its own peak."""
PEAK_SAMPLED = "sampled"
"""A sample taken before exec may be the parent's; the kernel reports what the child has when its exec was seen."""
PEAK_UNKNOWN = "unknown"
"""It may be the parent's, and so may the integrals; nothing tells."""
FLOOR_RULES = frozenset({PEAK_AT_LEAST_PARENTS, PEAK_AT_LEAST_PARENTS_INEXACT})
"""The rules that compare a child's peak with the parent's."""


class Backend:
    """What the numbers of one system's kernel mean.

    ``name``: the system's usual name.
    ``measured``: for each native ``RUSAGE_*`` name, the fields that the kernel fills.
    ``absent``: public names that the system cannot provide, each with the reason, which its ``AttributeError`` gives.
    ``maxrss_bytes``: bytes in one unit of ``ru_maxrss``; 0 where there is no peak.
    ``integral_bytes``: bytes in one unit of the integrals, which count ticks of the statistics clock; 0 without them.
    ``units``: fields that count another unit on this system.
    ``notes``: what a field's name and unit do not say of its figure on this system.
    ``sources``: where the kernel updates each field, or where the system's documentation describes it.
    ``process``: the fields known of another process; empty where ``Process`` is absent.
    ``waited``: the fields known of one child that has ended, where those are not the ones of ``RUSAGE_CHILDREN``.
    ``child_peak``: whose peak a child's ``ru_maxrss`` is, one of the ``PEAK_*`` rules.
    ``peak_file``: a file with this process's own peak (``VmHWM``), where ``ru_maxrss`` may be inherited over exec.
    ``uptime``: returns the seconds since this process was started; None where the system is not asked.
    """

    def __init__(  # noqa: PLR0913 (all but three have a default)
        self,
        name: str,
        measured: Mapping[str, frozenset[str]],
        absent: Mapping[str, str],
        *,
        maxrss_bytes: int = 0,
        integral_bytes: int = 0,
        units: Mapping[str, str] = {},
        notes: Mapping[str, str] = {},
        sources: Mapping[str, str] = {},
        process: frozenset[str] = NONE,
        waited: frozenset[str] | None = None,
        child_peak: str = PEAK_UNKNOWN,
        peak_file: str = "",
        uptime: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self.measured = measured
        self.absent = absent
        self.maxrss_bytes = maxrss_bytes
        self.integral_bytes = integral_bytes
        self.units = units
        self.notes = notes
        self.sources = sources
        self.process = process
        self.waited = measured.get("RUSAGE_CHILDREN", NONE) if waited is None else waited
        self.child_peak = child_peak
        self.peak_file = peak_file
        self.uptime = uptime

    def fields(self) -> dict[str, Field]:
        """Return each field's unit and meaning on this system."""
        return {name: self._field(name, field) for name, field in FIELDS.items()}

    def _field(self, name: str, field: Field) -> Field:
        unit = self.units.get(name, field.unit)
        meaning = field.meaning if name in self.measured["RUSAGE_SELF"] else f"not measured by {self.name}"
        note = self.notes.get(name)
        return Field(unit, f"{meaning}; {note}" if note else meaning)


def kernel_release(system: str, *, newest: str) -> str:
    """Return the running kernel's release if it is that system's, else the newest one that the backend describes."""
    if sys.platform != "win32" and sys.platform.startswith(system):
        return os.uname().release
    return newest
