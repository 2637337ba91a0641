"""The tables of systems in the README and in docs/platforms.md, written from the backends.

``python tests/tools/platform_tables.py`` writes them between the two marks of these files;
``tests/test_platform_tables.py`` checks that they are up to date.
"""

from __future__ import annotations

import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from rusage._backends import unknown
from rusage._backends._base import (
    BLOCKS,
    INTEGRALS,
    NONE,
    PEAK_AT_LEAST_PARENTS,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    PEAK_OWN,
    PEAK_SAMPLED,
    PEAK_UNKNOWN,
    SWITCHES,
    TIMES,
)
from rusage._fields import FIELDS
from rusage._getrusage import measured_of_a_child

sys.path.insert(0, str(Path(__file__).parent.parent))

from expected import BACKENDS, newest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rusage._backends._base import Backend

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE, README = ROOT / "docs" / "platforms.md", ROOT / "README.md"
BEGIN, END = "<!-- systems -->", "<!-- /systems -->"

# The newest release of each, whatever runs here.
KNOWN = list(map(newest, BACKENDS))
TIMES_ONLY = list(map(unknown.backend, unknown.TIMES_ONLY))
ANOTHER = unknown.backend("another Unix")
SYSTEMS: list[Backend] = [*KNOWN, *TIMES_ONLY, ANOTHER]

NAMES = ["RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD", "wait3", "wait4", "from_native", "Process"]

PEAK_OF_A_CHILD = {
    PEAK_OWN: "the peak of a child: always measured; it is the child's own",
    PEAK_AT_LEAST_PARENTS: "the peak of a child: measured if it exceeds the largest peak of this process",
    PEAK_AT_LEAST_PARENTS_INEXACT: "the peak of a child: measured if the child was started through the launcher; "
    "otherwise only if it exceeds the largest peak of this process by more than the error of both",
    PEAK_SAMPLED: "the peak of a child: measured if it exceeds the value at the time when the child executed its "
    "program; the integrals: if they had not been sampled until then",
    PEAK_UNKNOWN: "the peak and the integrals of a child: not measured, since they may be the parent's",
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


def measured_for(backend: Backend, name: str) -> frozenset[str]:
    """Return what is measured for a ``RUSAGE_*``, by a wait or by ``from_native``."""
    if name == "Process":
        return backend.process
    if name == "RUSAGE_BOTH":
        return backend.measured["RUSAGE_SELF"] & backend.measured["RUSAGE_CHILDREN"]
    if name.startswith("wait"):
        return measured_of_a_child(backend, hz=1)
    return backend.measured["RUSAGE_SELF" if name == "from_native" else name]


def missing(backend: Backend, name: str) -> str:
    """Return why a name is not provided, or which fields of the process's own usage it lacks, or nothing."""
    if name in backend.absent:
        return f"not provided: {backend.absent[name]}"
    measured = measured_for(backend, name)
    if name == "Process":
        return listed(measured)  # which may be more than of this process
    lacking = backend.measured["RUSAGE_SELF"] - measured
    if not lacking:
        return ""
    return f"only {listed(measured)}" if len(measured) < len(lacking) else f"not {listed(lacking)}"


def provided(backend: Backend, name: str) -> str:
    """Say in one word whether the system has a name."""
    if name in backend.absent:
        return "-"
    return "partly" if missing(backend, name) else "yes"


def matrix() -> list[str]:
    """Return the overview: fields and names by systems."""
    cells = [[f"`{name}`", *(unit(backend, name) for backend in SYSTEMS)] for name in FIELDS]
    cells += [[f"`{name}`", *(provided(backend, name) for backend in SYSTEMS)] for name in NAMES]
    return table(["", *(backend.name for backend in SYSTEMS)], cells)


def section(backend: Backend) -> list[str]:
    """Return what is known about one system."""
    described = [
        (unit(backend, name), backend.notes.get(name, "").replace("*", r"\*"), backend.sources[name]) for name in FIELDS
    ]
    # Neighbours of which the same is known share a row.
    groups = groupby(zip(described, FIELDS, strict=True), itemgetter(0))
    fields = [[", ".join(f"`{name}`" for _, name in group), *known] for known, group in groups]
    whole = [f"`{name}`" for name in NAMES if not missing(backend, name)]
    lines = [f"## {backend.name}", "", *table(["field", "unit", "note", "source"], fields), ""]
    lines += [f"- {', '.join(whole)}: all fields that have a unit above"]
    lines += [f"- `{name}`: {why}" for name in NAMES if (why := missing(backend, name))]
    return [*lines, f"- {child(backend)}", ""]


def child(backend: Backend) -> str:
    """Return what ``run`` and ``Popen`` measure."""
    if "ru_maxrss" in backend.waited:
        return f"`run`, `Popen`: {PEAK_OF_A_CHILD[backend.child_peak]}"
    return f"`run`, `Popen`: {listed(backend.waited) or 'nothing'} of a child"


def tables() -> str:
    """Return the generated part of the page."""
    lines = ["## Overview", "", *matrix(), ""]
    lines += ["`partly`: with fewer fields than `RUSAGE_SELF`; see the section of the system.", ""]
    for backend in SYSTEMS:
        lines += section(backend)
    lines += ["## Systems that are not supported", ""]
    lines += [f"- {platform}: {why}" for platform, why in unknown.REFUSED.items()]
    return "\n".join(lines)


# What the backends do not say in one word: the resolution of the times, and what of the suite has been run.
RESOLUTION = {"OpenBSD": "ticks", "DragonFly BSD": "ticks", "Windows": "15.6 ms"}
TESTED = {
    "Linux": "the suite",
    "FreeBSD": "the suite of November 2026",
    "Windows": "the suite, under Wine",
    "DragonFly BSD": "compiled, with other headers",
    "illumos": "compiled, with other headers",
}
GROUPS = {
    "times": TIMES,
    "peak": {"ru_maxrss"},
    "faults": {"ru_minflt", "ru_majflt"},
    "block I/O": BLOCKS,
    "switches": SWITCHES,
    "messages": {"ru_msgsnd", "ru_msgrcv"},
}
CHILDREN = {
    PEAK_OWN: "yes, own peak",
    PEAK_AT_LEAST_PARENTS: "yes, own peak if known",
    PEAK_AT_LEAST_PARENTS_INEXACT: "yes, own peak",
    PEAK_SAMPLED: "yes, own peak if known",
    PEAK_UNKNOWN: "yes, no peak",
}


def grouped(fields: frozenset[str]) -> str:
    """Return groups of fields in words."""
    return ", ".join(name for name, group in GROUPS.items() if group & fields) or "-"


def of_threads(backend: Backend) -> str:
    """Return what is measured for a thread."""
    measured = backend.measured.get("RUSAGE_THREAD", NONE)
    if backend.measured["RUSAGE_SELF"] - measured <= INTEGRALS and measured:
        return "yes"
    return grouped(measured)


def of_children(backend: Backend) -> str:
    """Return what is measured for a child."""
    return CHILDREN[backend.child_peak] if "ru_maxrss" in backend.waited else grouped(backend.waited)


def summary() -> str:
    """Return the table of the README."""
    rows = []
    for backend in KNOWN:
        peak = unit(backend, "ru_maxrss")
        if "sampled" in backend.notes.get("ru_maxrss", ""):
            peak += ", sampled"
        times = RESOLUTION.get(backend.name, "microseconds")
        others = grouped(backend.process)
        tested = TESTED.get(backend.name, "compiled")
        rows.append([backend.name, peak, times, of_threads(backend), of_children(backend), others, tested])
    head = ["", "peak", "times", "threads", "children", "other processes", "how it was tested"]
    return "\n".join(table(head, rows))


def with_tables(text: str, generated: str) -> str:
    """Return a text with generated tables between its two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}"


FILES = {PAGE: tables, README: summary}


def main() -> None:
    """Write the tables into both files."""
    for path, generate in FILES.items():
        path.write_text(with_tables(path.read_text(encoding="utf-8"), generate()), encoding="utf-8")


if __name__ == "__main__":
    main()
