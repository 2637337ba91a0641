"""What a backend is: the facts about one system's kernel, and nothing that runs."""

from __future__ import annotations

import os
import sys

from .._fields import FIELDS, Field, NamedTuple

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from collections.abc import Mapping

# The same numbers on every system that has the name; the C of each asserts it. macOS and Windows have no number for
# THREAD and no system has BOTH: those are composed, and get the number that others (BOTH: a header of Linux) give them.
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


class Backend(NamedTuple):
    """The facts about a kernel's figures."""

    name: str
    """The system, as people call it."""
    measured: Mapping[str, frozenset[str]]
    """Each native ``RUSAGE_*`` name of the system with the fields really filled for it."""
    absent: Mapping[str, str]
    """Each name that the system cannot have honestly, and why: the words of its ``AttributeError``."""
    maxrss_bytes: int = 0
    """Bytes in one unit of ``ru_maxrss``; 0 where there is no peak."""
    integral_bytes: int = 0
    """Bytes in one unit of the integrals, which count ticks of the statistics clock; 0 where there are none."""
    units: Mapping[str, str] = {}
    """The unit of a field that counts something else here than elsewhere."""
    notes: Mapping[str, str] = {}
    """What must be known of a field's figure on this system beyond its name and unit."""
    waited: frozenset[str] | None = None
    """The fields known of one child that has ended, where those are not the ones that ``RUSAGE_CHILDREN`` has."""

    child_peak: str = PEAK_UNKNOWN
    """Whose peak a child's ``ru_maxrss`` is: one of the ``PEAK_*`` rules."""

    def fields(self) -> dict[str, Field]:
        """Return each field's unit and meaning on this system."""
        return {name: self._field(name, field) for name, field in FIELDS.items()}

    def _field(self, name: str, field: Field) -> Field:
        unit = self.units.get(name, field.unit)
        meaning = field.meaning if name in self.measured["RUSAGE_SELF"] else f"not measured by {self.name}"
        note = self.notes.get(name)
        return Field(unit, f"{meaning}; {note}" if note else meaning)


def kernel_release(system: str, *, newest: str) -> str:
    """Return the release of the kernel that runs if it is that system's, else the newest whose facts are told."""
    if sys.platform != "win32" and sys.platform.startswith(system):
        return os.uname().release
    return newest
