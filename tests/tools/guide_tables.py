"""The tables of systems in the README and in the guides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system_words import BY_MODULE, KNOWN, PEAKS, SYSTEMS, TESTED, documentation, grouped, listed, table, unit

from rusage._backends._base import INTEGRALS, NONE, SAMPLED_RULES
from rusage._fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rusage._backends._base import Backend

# --- The README -------------------------------------------------------------------------------------------------------


def of_threads(backend: Backend) -> str:
    """Return what is measured for a thread."""
    measured = backend.measured.get("RUSAGE_THREAD", NONE)
    if backend.measured["RUSAGE_SELF"] - measured <= INTEGRALS and measured:
        return "yes"
    return grouped(measured)


def of_children(backend: Backend) -> str:
    """Return what is measured for a child."""
    counters = backend.waited - {"ru_maxrss"}
    others = "yes" if backend.measured["RUSAGE_SELF"] - backend.waited <= INTEGRALS else grouped(counters)
    return f"{others}, {PEAKS[backend.child_peak].overview}" if "ru_maxrss" in backend.waited else others


def summary() -> str:
    """Return the table of the README."""
    rows = []
    for backend in BY_MODULE.values():
        peak = unit(backend, "ru_maxrss")
        if backend.child_peak in SAMPLED_RULES:
            peak += ", sampled"
        others = grouped(backend.process)
        own_peak = "-" if "peak" in backend.absent else "yes"
        usage = [documentation(backend).resolution, of_threads(backend), of_children(backend), others]
        rows.append([backend.name, peak, own_peak, *usage, TESTED[backend.name]])
    head = ["", "`maxrss()`", "`peak()`", "times", "threads", "children", "other processes", "how it was tested"]
    return "\n".join(table(head, rows))


# --- The guides -------------------------------------------------------------------------------------------------------


def merged(head: list[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is the system; systems of which the same is said share a row."""
    systems: dict[tuple[str, ...], list[str]] = {}
    for system, *said in rows:
        systems.setdefault(tuple(said), []).append(system)
    return "\n".join(table(["system", *head], ([", ".join(names), *said] for said, names in systems.items())))


def own_peak(backend: Backend) -> str:
    """Return how a system updates the peak of a process."""
    return documentation(backend).own_peak if "ru_maxrss" in backend.measured["RUSAGE_SELF"] else "not measured"


def peaks() -> str:
    """Return how each system updates the peak; where its error is known, the page has a section of its own."""
    return merged(["`ru_maxrss`"], ((each.name, own_peak(each)) for each in SYSTEMS if each.peak_error is None))


def reasons() -> str:
    """Return why a field is not measured that the kernel has."""
    rows = []
    for backend in SYSTEMS:
        fields: dict[str, list[str]] = {}
        for name in FIELDS:
            if name in backend.notes and name not in backend.measured["RUSAGE_SELF"]:
                fields.setdefault(backend.notes[name], []).append(name)
        rows += [(backend.name, listed(names), note) for note, names in fields.items()]
    return merged(["field", "reason"], rows)


def known_peak(backend: Backend) -> str:
    """Return when the peak of a child is measured."""
    if "ru_maxrss" in backend.waited:
        return PEAKS[backend.child_peak].measured
    return f"not measured; only {listed(backend.waited)} are"


def children() -> str:
    """Return when the peak of a child is measured on each system."""
    return merged(["a child's `ru_maxrss`"], ((each.name, known_peak(each)) for each in KNOWN))


def inherited_peak(backend: Backend) -> str:
    """Return whose peak the kernel reports for a child, and why."""
    if "ru_maxrss" in backend.waited:
        return f"{PEAKS[backend.child_peak].whose}: {documentation(backend).child_peak_reason}"
    return "not measured"


def inherited() -> str:
    """Return whose peak each kernel reports for a child."""
    return merged(["the peak of a child"], ((each.name, inherited_peak(each)) for each in KNOWN))


def tested() -> str:
    """Return how the statements about each system were tested, in sentences."""
    systems: dict[str, list[str]] = {}
    for name, how in TESTED.items():
        systems.setdefault(how, []).append(name)
    parts = [f"{', '.join(names)}: {how}" for how, names in systems.items()]
    return (
        f"How these statements were tested: {'; '.join(parts)}. What was only compiled rests on the systems' sources."
    )


def clocks() -> str:
    """Return how each kernel updates the times."""
    return merged(["user and system time"], ((each.name, documentation(each).clock) for each in KNOWN))


def processes() -> str:
    """Return what is known of other processes."""
    head = ["fields of another process", "clock of `getrusage()`, of `cputime()`", "whose processes"]
    rows = []
    for each in KNOWN:
        if each.process:
            words = documentation(each)
            rows.append((each.name, grouped(each.process), words.process_clock, words.process_owners))
    return merged(head, rows)
