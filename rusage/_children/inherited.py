"""Decide which values of a child's usage are its own, and which it may have inherited from its parent.

Where fork and exec carry the peak over, a child's ``ru_maxrss`` may be its parent's. ``Backend.child_peak`` names the
rule that a system follows; ``own_fields`` implements the rules. A value that may be the parent's is not measured.

Grandchildren are not considered: the usage of a child includes that of its own children that it has waited for, and
their peaks start at the child's in the same way.
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

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._fields import RUsage

PEAK = frozenset({"ru_maxrss"})


def own_fields(  # noqa: PLR0913 (the input of all rules)
    rule: str,
    fields: frozenset[str],
    usage: RUsage,
    *,
    isolated: bool,
    floor: int | None,
    inherited: RUsage | None,
    margin: Callable[[], int | None],
) -> frozenset[str]:
    """Return those of ``fields`` whose values in a child's usage are its own, by a ``PEAK_*`` rule.

    ``isolated``, ``floor`` and ``inherited``: see ``child_fields``. ``margin``: a function such as ``peak_margin``.
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
        if inherited is None or _sampled(inherited):  # integrals never decrease: they include what was inherited
            fields -= INTEGRALS
    return fields if own and peak else fields - PEAK  # no process has a peak of 0


def _sampled(usage: RUsage) -> bool:
    """Return whether memory has been sampled, which updates the peak and the integrals."""
    return bool(usage.ru_maxrss or usage.ru_ixrss or usage.ru_idrss or usage.ru_isrss)


def child_fields(
    usage: RUsage, *, isolated: bool = False, floor: int | None = None, inherited: RUsage | None = None
) -> frozenset[str]:
    """Return the fields of a waited-for child's usage that are its own on this system.

    ``isolated``: the launcher started the child. ``floor``: the larger of two results of ``parent_peak()``, before and
    after the start; None if not called, or if other code ran between fork and exec. ``inherited``: the result of
    ``read_inherited`` after the start.
    """
    return own_fields(
        BACKEND.child_peak, WAITED, usage, isolated=isolated, floor=floor, inherited=inherited, margin=peak_margin
    )


def keep_fields(usage: RUsage, fields: frozenset[str]) -> RUsage:
    """Return a child's usage with all fields set to 0 that are not in ``fields``."""
    missing = WAITED - fields
    return usage._replace(**dict.fromkeys(missing, 0)) if missing else usage


_peak = 0


def parent_peak() -> int:
    """Return the largest known peak of this process, in bytes.

    Code that lowers the peak, such as a write to /proc/self/clear_refs, must call this first.
    """
    global _peak  # noqa: PLW0603 (must outlive a reset of the kernel's value)
    peak = max(_peak, maxrss())
    _peak = peak
    return peak


# --- The error of Linux's peak ----------------------------------------------------------------------------------------


def counters_error(cpus: int, page: int) -> int:
    """Return the maximum error of the resident set size, in bytes: see rusage/_backends/linux.py."""
    return 3 * cpus * max(32, 2 * cpus) * page


def peak_margin() -> int | None:
    """Return by how much a child's peak must exceed its parent's, the error of two readings; None if unknown.

    Before Linux 6.2 the error depended on the threads: each held back the pages of up to 64 faults, any of
    which may map several.
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
    """Return the number of CPUs that can be online, or None if unknown.

    os.cpu_count() is unsuitable: -X cpu_count overrides it, musl counts only CPUs that this thread may use, and
    containers may hide CPUs that are online.
    """
    try:
        with open(path, "rb") as file:
            ranges = [part.split(b"-") for part in file.read().split(b",")]  # such as 0-3,8
        return sum(int(last[-1]) - int(last[0]) + 1 for last in ranges)
    except (OSError, ValueError):
        return None


# --- FreeBSD: a child's usage after exec ------------------------------------------------------------------------------

_of_process = getattr(lib, "rusage_of_process", None)


def read_inherited(pid: int) -> RUsage | None:
    """Return a child's usage just after exec, including inherited samples; None if unknown.

    exec replaces the memory before it closes the close-on-exec pipe, which the parent sees (do_execve in
    sys/kern/kern_exec.c): earlier ticks of the statistics clock are in this reading, later ones sample the new program.
    For a child that has already ended this is its final usage, which no value exceeds.
    """
    if _of_process is None:
        return None
    call = new_call(BACKEND, 0, WAITED)
    return None if _of_process(pid, call) else usage_of(call)
