"""Decide which values of a child's usage are its own, and which may be inherited from its parent.

Where fork and exec carry the peak over, a child's ``ru_maxrss`` may be its parent's.
``Backend.child_peak`` names the rule that a system follows; ``child_fields`` implements the rules.
A value that may be the parent's is not measured.

Grandchildren are not considered: the usage of a child includes its own children that it has waited
for, and their peaks start at the child's peak in the same way.
"""

from __future__ import annotations

import os

from .._backends import BACKEND
from .._backends._base import (
    INTEGRALS,
    PEAK_AT_LEAST_PARENTS,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    PEAK_OWN,
    PEAK_SAMPLED,
    PEAK_TOUCHED,
    PEAK_TOUCHED_SAMPLED,
    SAMPLED_RULES,
    TOUCHED,
    TOUCHED_PAGES,
    TOUCHED_RULES,
)
from .._calls import CHILD_FIELDS, new_call, usage_of
from .._getrusage import fields, getpagesize
from .._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sized

    from .._fields import RUsage

PEAK = frozenset({"ru_maxrss"})


def child_fields(
    usage: RUsage,
    *,
    isolated: bool = False,
    floor: int | None = None,
    inherited: RUsage | None = None,
) -> frozenset[str]:
    """Return the fields of a waited-for child's usage that are its own on this system.

    ``isolated``: the launcher started the child. ``floor``: the most memory that the child can have
    shown before exec; a larger peak is its own. It is ``known_peak()`` after the start or
    ``touched_before_exec()``; None if unknown, or if other code ran between fork and exec.
    ``inherited``: the result of ``read_inherited`` after the start.
    """
    rule, fields = BACKEND.child_peak, CHILD_FIELDS
    # A sample updates the peak and the integrals, which never decrease: they then include the
    # inherited part.
    may_inherit = inherited is None or any(getattr(inherited, name) for name in PEAK | INTEGRALS)
    if rule in TOUCHED_RULES or (rule == PEAK_SAMPLED and may_inherit):
        fields -= INTEGRALS
    floors = {  # of what the child may have before exec
        PEAK_OWN: 0,  # nothing
        PEAK_AT_LEAST_PARENTS: floor,  # the parent's peak
        PEAK_AT_LEAST_PARENTS_INEXACT: 0 if isolated else _with_margin(floor),  # the same, rounded
        PEAK_SAMPLED: inherited and inherited.ru_maxrss,  # samples of the parent's memory
        PEAK_TOUCHED: floor,  # what it touches itself
        PEAK_TOUCHED_SAMPLED: floor,
    }
    lowest = floors.get(rule)
    # No process has a peak of 0.
    is_own = lowest is not None and usage.ru_maxrss > max(lowest, 0)
    return fields if is_own else fields - PEAK


def _with_margin(floor: int | None) -> int | None:
    margin = peak_margin()
    return None if floor is None or margin is None else floor + margin - 1


def peak_bound(rule: str, usage: RUsage) -> int | None:
    """Return an upper bound of a child's peak, in bytes; None if unknown.

    It follows from a ``PEAK_*`` rule and the kernel's value. The value is the largest of all
    samples or faults, before and after exec, so the child's own peak is not larger. It is unknown
    if there was no sample.
    """
    return (usage.ru_maxrss or None) if rule in SAMPLED_RULES | TOUCHED_RULES else None


def keep_fields(usage: RUsage, fields: frozenset[str]) -> RUsage:
    """Return a child's usage with all fields set to 0 that are not in ``fields``."""
    missing = CHILD_FIELDS - fields
    return usage._replace(**dict.fromkeys(missing, 0)) if missing else usage


def touched_before_exec(args: object, env: Sized | None) -> int:
    """Return the most memory that subprocess touches in a child before exec, in bytes."""
    strings = (len(args) if isinstance(args, list) else 1) + len(os.environ if env is None else env)
    return TOUCHED + strings * TOUCHED_PAGES * getpagesize()


def peak_margin() -> int | None:
    """Return by how much a child's peak must exceed its parent's; None if unknown.

    It is the error of two peaks.
    """
    error = fields["ru_maxrss"].error
    return None if error is None else 2 * error


# --- FreeBSD: a child's usage after exec ---

_of_process = lib.rusage_of_process if hasattr(lib, "rusage_of_process") else None


def read_inherited(pid: int) -> RUsage | None:
    """Return a child's usage just after exec, including inherited samples; None if unknown.

    exec replaces the memory before it closes the close-on-exec pipe, which the parent sees
    (do_execve in sys/kern/kern_exec.c): earlier ticks of the statistics clock are in this reading,
    later ones sample the new program. For a child that has already ended the peak is the final one,
    which is then not larger; counters and integrals are too large, but 0 only if the final ones
    are. The rules need no more.
    """
    if _of_process is None:
        return None
    call = new_call(BACKEND, 0, CHILD_FIELDS)
    return None if _of_process(pid, call) else usage_of(call)
