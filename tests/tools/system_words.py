"""The systems, and what the tables say of a backend in words."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rusage._backends import unknown
from rusage._backends._base import (
    BLOCKS,
    PEAK_AT_LEAST_PARENTS,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    PEAK_OWN,
    PEAK_SAMPLED,
    PEAK_TOUCHED,
    PEAK_TOUCHED_SAMPLED,
    SWITCHES,
    TIMES,
    TOUCHED,
    TOUCHED_PAGES,
)
from rusage._fields import FIELDS

sys.path.insert(0, str(Path(__file__).parent.parent))

from expected import BACKENDS, newest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rusage._backends._base import Backend

# The newest release of each, whatever runs here.
BY_MODULE = {module: newest(module) for module in BACKENDS}
KNOWN = list(BY_MODULE.values())
ANOTHER = unknown.backend("another Unix")
SYSTEMS: list[Backend] = [*KNOWN, ANOTHER]


class Documentation(NamedTuple):
    """What only the documentation says of a system: constants in the module of the system, in capitals."""

    sources: Mapping[str, str]
    """Where the kernel updates each field, or where the system's documentation describes it."""
    clock: str = ""
    """When and how the kernel updates the user and the system time."""
    resolution: str = "microseconds"
    """The smallest difference between two readings of these times, in a word."""
    process_clock: str = ""
    """The resolution of another process's times, by ``getrusage()`` and, if it differs, ``cputime()``."""
    process_owners: str = ""
    """Whose processes can be read."""
    own_peak: str = ""
    """How the kernel updates the peak of a process itself: the part of the note on ``ru_maxrss`` that is about it."""
    child_peak_reason: str = ""
    """Why ``child_peak`` is so, in terms of fork and exec."""


def documentation(backend: Backend) -> Documentation:
    """Return what the module of a system says for the documentation."""
    module = next((module for module, each in BY_MODULE.items() if each.name == backend.name), "unknown")
    constants = vars(importlib.import_module(f"rusage._backends.{module}"))
    return Documentation(
        **{name: constants[name.upper()] for name in Documentation._fields if name.upper() in constants}
    )


SUITE, ITS_C = "the suite, on its kernel", "its C, on its kernel"
# How the description and the C of each system were tested.
TESTED = {
    "Linux": SUITE,
    "macOS": "compiled",
    "FreeBSD": SUITE,
    "OpenBSD": SUITE,
    "NetBSD": "compiled",
    "DragonFly BSD": ITS_C,
    "illumos": "compiled, with other headers",
    "Windows": "the suite, under Wine",
}


class Peak(NamedTuple):
    """A rule of ``Backend.child_peak``, in words."""

    whose: str
    """Whose peak the kernel's figure is."""
    measured: str
    """When the child's own peak is known."""
    overview: str
    """The same in the README."""


ABOVE_TOUCHED = (
    f"measured if it exceeds what a child may touch before it executes its program: {TOUCHED // 2**20} MiB, "
    f"and {TOUCHED_PAGES} pages for each argument and environment variable; the integrals are not measured"
)

PEAKS = {
    PEAK_OWN: Peak("its own", "always measured; it is the child's own", "own peak"),
    PEAK_AT_LEAST_PARENTS: Peak(
        "at least the parent's", "measured if it exceeds the largest peak of this process", "own peak if known"
    ),
    PEAK_AT_LEAST_PARENTS_INEXACT: Peak(
        "at least the parent's",
        "measured if the child was started through the launcher; "
        "otherwise only if it exceeds the largest peak of this process by more than the error of both",
        "own peak",
    ),
    PEAK_SAMPLED: Peak(
        "may be the parent's",
        "measured if it exceeds the value at the time when the child executed its program; "
        "the integrals: if they had not been sampled until then",
        "own peak if known",
    ),
    PEAK_TOUCHED: Peak("its own, also from before `exec`", ABOVE_TOUCHED, "own peak if known"),
    PEAK_TOUCHED_SAMPLED: Peak("its own, also from before `exec`", ABOVE_TOUCHED, "own peak if known"),
}

GROUPS = {
    "times": TIMES,
    "peak": {"ru_maxrss"},
    "faults": {"ru_minflt", "ru_majflt"},
    "block I/O": BLOCKS,
    "switches": SWITCHES,
    "messages": {"ru_msgsnd", "ru_msgrcv"},
    "signals": {"ru_nsignals"},
}


def row(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(head: list[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [row(head), row(["---"] * len(head)), *map(row, rows)]


def listed(fields: Iterable[str]) -> str:
    """Return names of fields, in their order."""
    return ", ".join(f"`{name}`" for name in FIELDS if name in set(fields))


def unit(backend: Backend, name: str) -> str:
    """Return what a field of the process's own usage counts, or ``-``."""
    if name not in backend.measured["RUSAGE_SELF"]:
        return "-"
    return backend.units.get(name, FIELDS[name].unit)


def grouped(fields: frozenset[str]) -> str:
    """Return groups of fields in words."""
    return ", ".join(name for name, group in GROUPS.items() if group & fields) or "-"
