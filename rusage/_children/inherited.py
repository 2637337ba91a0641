"""Which figures of a waited-for child are its own, and which it may have inherited from the process that started it.

Where fork and exec carry a peak over, a child's ``ru_maxrss`` may be its parent's. ``Backend.child_peak`` says which
rule a system follows; each rule is stated once, in ``own_fields``. A figure that may be the parent's is not measured.

None of this applies to grandchildren: what wait4 reports of a child includes the children that it has waited for
itself, and their peaks start from the child's in the same way.
"""

from __future__ import annotations

import os
import sys

from .._backends import BACKEND
from .._backends._base import (
    INTEGRALS,
    PEAK_AT_LEAST_PARENTS,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    PEAK_OWN,
    PEAK_SAMPLED,
    PEAK_UNKNOWN,
)
from .._getrusage import WAITED, getpagesize, maxrss, new_call, usage_of
from .._rusage import lib

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._fields import RUsage

PEAK = frozenset({"ru_maxrss"})


def own_fields(  # noqa: PLR0913 (all that a rule may need)
    rule: str,
    fields: frozenset[str],
    usage: RUsage,
    *,
    isolated: bool,
    floor: int | None,
    inherited: RUsage | None,
    margin: Callable[[], int | None],
) -> frozenset[str]:
    """Return those of ``fields`` whose figures in a child's usage are its own, by a ``PEAK_*`` rule.

    ``isolated``, ``floor`` and ``inherited`` are those of ``child_fields``, ``margin`` returns ``peak_margin()``.
    """
    peak, own = usage.ru_maxrss, False
    if rule == PEAK_UNKNOWN:
        fields -= INTEGRALS
    elif rule == PEAK_OWN or (rule == PEAK_AT_LEAST_PARENTS_INEXACT and isolated):
        own = True
    elif rule == PEAK_AT_LEAST_PARENTS:
        own = floor is not None and peak > floor
    elif rule == PEAK_AT_LEAST_PARENTS_INEXACT and floor is not None:
        error = margin()
        own = error is not None and peak >= floor + error
    elif rule == PEAK_SAMPLED:
        own = inherited is not None and peak > inherited.ru_maxrss
        if inherited is None or _sampled(inherited):  # the integrals only grow: they contain what was inherited
            fields -= INTEGRALS
    return fields if own and peak else fields - PEAK  # no process has a peak of 0


def _sampled(usage: RUsage) -> bool:
    """Return whether the clock that samples memory has ticked; at a tick it updates the peak and the integrals."""
    return bool(usage.ru_maxrss or usage.ru_ixrss or usage.ru_idrss or usage.ru_isrss)


def child_fields(
    usage: RUsage, *, isolated: bool = False, floor: int | None = None, inherited: RUsage | None = None
) -> frozenset[str]:
    """Return the fields of a waited-for child's usage that are its own on this system.

    ``isolated``: the launcher started the child. ``floor``: the larger ``parent_peak()`` of two calls, one before the
    start and one after it; None if there was none, or if other code ran between fork and exec. ``inherited``: what
    ``read_inherited`` returned after the start.
    """
    return own_fields(
        BACKEND.child_peak, WAITED, usage, isolated=isolated, floor=floor, inherited=inherited, margin=peak_margin
    )


def keep_fields(usage: RUsage, fields: frozenset[str]) -> RUsage:
    """Return a child's usage with 0 in each field that is not one of ``fields``."""
    missing = WAITED - fields
    return usage._replace(**dict.fromkeys(missing, 0)) if missing else usage


_peak = 0


def parent_peak() -> int:
    """Return the largest peak of this process known so far, in bytes.

    What lowers the peak, such as writing to /proc/self/clear_refs, must call this first.
    """
    global _peak  # noqa: PLW0603 (it outlives a reset of the kernel's figure)
    peak = max(_peak, maxrss())
    _peak = peak
    return peak


# --- The error of Linux's peak ----------------------------------------------------------------------------------------


def counters_error(cpus: int, page: int) -> int:
    """Return how far one reading of the resident set may be off, in bytes: rusage/_backends/linux.py."""
    return 3 * cpus * max(32, 2 * cpus) * page


def peak_margin() -> int | None:
    """Return by how much a child's peak must exceed its parent's: the error of two readings, or None if unknown.

    Before 6.2 it depended on the threads: each kept the pages of up to 64 faults, of which one can map several.
    """
    if sys.platform == "win32" or _release(os.uname().release) < (6, 2):
        return None
    cpus = present_cpus()
    return None if cpus is None else 2 * counters_error(cpus, getpagesize())


def _release(text: str) -> tuple[int, int]:
    """Return the first two numbers of a kernel release, such as ``6.18.44-generic``; zeros if it has none."""
    try:
        major, minor = text.split("-", maxsplit=1)[0].split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return 0, 0


def present_cpus(path: str = "/sys/devices/system/cpu/present") -> int | None:
    """Return the number of CPUs that can be online, or None if the kernel does not say.

    Not os.cpu_count(): -X cpu_count replaces it, musl counts those that this thread may use, and containers may replace
    the list of those that are online.
    """
    try:
        with open(path, "rb") as file:
            ranges = [part.split(b"-") for part in file.read().split(b",")]  # such as 0-3,8
        return sum(int(last[-1]) - int(last[0]) + 1 for last in ranges)
    except (OSError, ValueError):
        return None


# --- What FreeBSD's kernel reports ------------------------------------------------------------------------------------

_of_process = getattr(lib, "rusage_of_process", None)


def read_inherited(pid: int) -> RUsage | None:
    """Return what a child has used when its exec was seen, inherited samples included; None where that is unknown.

    exec closes the descriptor that its end is seen by after it has replaced the memory (do_execve in
    sys/kern/kern_exec.c): a tick of the statistics clock that came before is in this reading, and one that comes later
    samples the new program. Of a child that has ended already this is its last usage, so that nothing exceeds it.
    """
    if _of_process is None:
        return None
    call = new_call(BACKEND, 0, WAITED)
    return None if _of_process(pid, call) else usage_of(call)
