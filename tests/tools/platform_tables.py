"""The tables of systems in the README and in docs/, written from the backends.

``python tests/tools/platform_tables.py`` writes each between its two marks; ``tests/test_docs.py``
checks that all are up to date.
"""

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from claims import EVIDENCE, backend_of, points
from commands import marked, replaced
from system_words import (
    APART,
    FAULTS,
    KNOWN,
    MESSAGES,
    PEAKS,
    PEAKS_OF_PROGRAMS,
    SYSTEMS,
    TESTED,
    TIERS,
    documentation,
    grouped,
    listed,
    table,
    unit,
)

from rusage._backends._base import BLOCKS, INTEGRALS, SWITCHES, TIMES, Backend
from rusage._backends._platforms import REFUSED
from rusage._calls import measured_of_a_child
from rusage._fields import FIELDS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE, README = ROOT / "docs" / "platforms.md", ROOT / "README.md"

NAMES = [
    "RUSAGE_SELF",
    "RUSAGE_CHILDREN",
    "RUSAGE_BOTH",
    "RUSAGE_THREAD",
    "wait3",
    "wait4",
    "from_native",
    "Process",
]

MEMORY = ["peak", "rss", "pss"]
OFTEN = 6  # fields
MANY = 4  # systems
NOT_RUN = "Not run: all is from the sources."

USUAL = ["x86_64", "amd64", "AMD64"]

# The columns of the overview of fields.
GROUPS: dict[str, Collection[str]] = {
    "`ru_maxrss`": ["ru_maxrss"],
    "integrals": INTEGRALS,
    "page faults": FAULTS,
    "swaps": ["ru_nswap"],
    "block I/O": BLOCKS,
    "messages": MESSAGES,
    "signals": ["ru_nsignals"],
    "context switches": SWITCHES,
}


def measured_for(backend: Backend, name: str) -> frozenset[str]:
    if name == "Process":
        return backend.process
    if name == "RUSAGE_BOTH":
        return backend.measured["RUSAGE_SELF"] & backend.measured["RUSAGE_CHILDREN"]
    if name.startswith("wait"):
        return measured_of_a_child(backend, hz=1)
    return backend.measured["RUSAGE_SELF" if name == "from_native" else name]


def missing(backend: Backend, name: str) -> str:
    """Return which of RUSAGE_SELF's fields a name lacks, if it is provided, or nothing."""
    if name in backend.absent:
        return ""
    measured = measured_for(backend, name)
    lacking = backend.measured["RUSAGE_SELF"] - measured
    if not lacking:
        return ""
    return f"only {listed(measured)}" if len(measured) < len(lacking) else f"not {listed(lacking)}"


def is_partial(backend: Backend, name: str) -> bool:
    own = backend.measured["RUSAGE_SELF"]
    return name not in MEMORY and not own <= measured_for(backend, name)


def link(backend: Backend) -> str:
    return f"[{backend.name}](#{backend.name.lower().replace(' ', '-')})"


def measured_fields() -> str:
    def cell(backend: Backend, heading: str, group: Collection[str]) -> str:
        measured = backend.measured["RUSAGE_SELF"] & set(group)
        if len(measured) < len(group):
            return listed(measured) or "-"
        (counted,) = {unit(backend, name) for name in measured}
        return "yes" if counted in heading else counted

    rows = (
        [link(backend), *(cell(backend, *group) for group in GROUPS.items())] for backend in SYSTEMS
    )
    notes = (
        f"- `{name}` on {', '.join(names)}: {note}" for (name, note), names in shared().items()
    )
    return "\n".join([*table(["system", *GROUPS], rows), "", *notes])


def provided_names() -> str:
    names = [name for name in NAMES if name not in {"RUSAGE_SELF", "wait3"}]  # wait3 is as wait4
    heads = [
        f"`{name.removeprefix('RUSAGE_')}`".replace("`wait4`", "`wait3`, `wait4`") for name in names
    ]
    rows = []
    for backend in SYSTEMS:
        cells = [
            "-" if name in backend.absent else "partly" if is_partial(backend, name) else "yes"
            for name in [*names, *MEMORY]
        ]
        rows.append([link(backend), *cells])
    return "\n".join(table(["system", *heads, *(f"`{name}()`" for name in MEMORY)], rows))


def together(said: Mapping[str, str]) -> list[str]:
    """Return a list with an entry for each text, and the names of which it is said."""
    names: dict[str, list[str]] = {}
    for name, text in said.items():
        names.setdefault(text, []).append(f"`{name}`")
    return [f"- {', '.join(same)}: {text}" for text, same in names.items()]


def noted(backend: Backend, name: str) -> list[str]:
    return backend.notes.get(name, "").replace("*", r"\*").split("; ")


def shared() -> dict[tuple[str, str], list[str]]:
    """Return the notes on a field that many systems share, each with these systems."""
    systems: dict[tuple[str, str], list[str]] = {}
    for backend in KNOWN:
        for name in FIELDS:
            for note in noted(backend, name):
                systems.setdefault((name, note), []).append(backend.name)
    return {said: names for said, names in systems.items() if said[1] and len(names) >= MANY}


def section(backend: Backend) -> str:
    sources = documentation(backend).sources
    above = shared()
    notes = {
        name: [note for note in noted(backend, name) if (name, note) not in above]
        for name in FIELDS
    }
    # What is said of many fields is said below the table.
    often = {
        note: ", ".join(f"`{name}`" for name in FIELDS if note in notes[name])
        for note, number in Counter(chain.from_iterable(notes.values())).items()
        if note and number > OFTEN
    }
    clock = documentation(backend).clock
    # Fields of which the same is known share a row.
    fields: dict[tuple[str, ...], list[str]] = {}
    for name in FIELDS:
        note = "; ".join(note for note in notes[name] if note not in often)
        if name in TIMES and clock.startswith(note):
            note = ""  # the table of the clocks, in docs/accuracy.md, says it
        note = "; ".join(filter(None, [not_measured(backend, name), note]))
        if note:
            fields.setdefault((note, sources[name]), []).append(f"`{name}`")
    rows = ([", ".join(names), *known] for known, names in fields.items())
    links = [f"[{name}](evidence/{path.name})" for name, path in kernels(backend).items()]
    lines = [
        f"Run on {', '.join(links)}. {seen(backend)}" if links else NOT_RUN,
        "",
        *table(["field", "note", "source"], rows),
        "",
    ]
    names = [name for name in NAMES if name != "Process"]  # its table is in docs/monitoring.md
    said = {name: lacking for name in names if (lacking := missing(backend, name))}
    said |= {f"{name}()": getattr(backend, name) for name in MEMORY if name not in backend.absent}
    lines += [f"- {names}: {note}" for note, names in often.items()]
    return "\n".join([*lines, *together(said)])


def not_measured(backend: Backend, name: str) -> str:
    """Return that a field is not measured, and the unit of one that only Process measures."""
    if name in backend.measured["RUSAGE_SELF"]:
        return ""
    if name in backend.process:
        return f"not measured; `Process`: {backend.units[name]}"
    return "not measured"


def kernels(backend: Backend) -> dict[str, Path]:
    """Return the evidence about a system's kernels, each by the name of the release."""
    found = {}
    for path in sorted(EVIDENCE.glob("*.json")):
        system, release, machine = path.stem.split("-")
        if system != "Wine" and backend_of(system, "") is backend:
            found[" ".join([release, *([machine] * (machine not in USUAL))])] = path
    return found


def shown(backend: Backend, field: str) -> dict[str, list[str]]:
    releases = {name: points(path, backend, field) for name, path in kernels(backend).items()}
    return {name: said for name, said in releases.items() if said}


def seen(backend: Backend) -> str:
    """Return which measured fields the kernels showed: all, with what is not so."""
    only: dict[str, list[str]] = {}
    for name in FIELDS:
        releases = shown(backend, name)
        if name in backend.measured["RUSAGE_SELF"] and len(releases) < len(kernels(backend)):
            on = f"only on {', '.join(releases)}" if releases else "on none"
            only.setdefault(on, []).append(name)
    exceptions = "; ".join(f"{listed(names)} ({on})" for on, names in only.items())
    return f"Seen there: all measured fields{f', except {exceptions}' if exceptions else ''}."


def children() -> str:
    found: dict[str, list[str]] = {}
    for backend in SYSTEMS:
        said = f"never; {listed(backend.waited) or 'nothing'} of a child"
        if "ru_maxrss" in backend.waited:
            said = PEAKS[backend.child_peak]
        found.setdefault(said, []).append(backend.name)
    return "\n".join(f"- {', '.join(systems)}: {said}" for said, systems in found.items())


# --- The guides ---


def merged(head: list[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is the system; systems with the same texts share a row."""
    systems: dict[tuple[str, ...], list[str]] = {}
    for system, *said in rows:
        systems.setdefault(tuple(said), []).append(system)
    rows = ([", ".join(names), *said] for said, names in systems.items())
    return "\n".join(table(["system", *head], rows))


def tiers() -> str:
    rows = []
    for number, meaning in TIERS.items():
        names = [
            f"{name} ({word})" if word else name
            for name, (its_tier, word) in TESTED.items()
            if its_tier == number
        ]
        rows.append([str(number), meaning, "; ".join([*names, *APART[number]])])
    return "\n".join(table(["tier", "meaning", "systems"], rows))


def clocks() -> str:
    return merged(
        ["user and system time"], ((each.name, documentation(each).clock) for each in KNOWN)
    )


def processes() -> str:
    head = [
        "fields of another process",
        "clock of `getrusage()`, of `cputime()`",
        "whose processes",
    ]
    systems = ((each, documentation(each)) for each in KNOWN if each.process)
    rows = (
        (each.name, grouped(each.process), words.process_clock, words.process_owners)
        for each, words in systems
    )
    return merged(head, rows)


def command() -> str:
    def where(has: Callable[[Backend], bool]) -> list[str]:
        return ["yes" if has(each) else "-" for each in KNOWN]

    rows = {
        "peak memory, `--limit-maxrss`": [PEAKS_OF_PROGRAMS[each.child_peak] for each in KNOWN],
        "figures include children that were waited for": where(
            lambda each: "wait4" not in each.absent
        ),
        "`--tree`, `--samples`, `--plot`, `--limit-tree-rss`, `--kill`, `--pid`": where(
            lambda each: "Tree" not in each.absent
        ),
        "`--pid` has the peak": where(lambda each: "ru_maxrss" in each.process),
        "`--pss`, `--limit-tree-pss`": where(lambda each: "pss" not in each.absent),
        "[orphans](limits.md#orphans) count": where(lambda each: each.adopts_orphans),
        "[signals](#signals) are forwarded": where(lambda each: each.name != "Windows"),
    }
    head = ["", *(each.name for each in KNOWN)]
    return "\n".join(table(head, ([name, *cells] for name, cells in rows.items())))


# --- The files ---

DOCS = ROOT / "docs"
TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    PAGE: {
        "fields": measured_fields,
        "names": provided_names,
        "peaks": children,
        "tiers": tiers,
        **{each.name: functools.partial(section, each) for each in SYSTEMS},
        "refused": lambda: "\n".join(together(REFUSED)),
    },
    README: {"systems": lambda: tiers().replace("](../", "](")},
    DOCS / "command-reference.md": {"command": command},
    DOCS / "accuracy.md": {"clocks": clocks},
    DOCS / "monitoring.md": {"processes": processes},
}


def written(path: Path) -> str:
    return replaced(path, *(marked(name, generate()) for name, generate in TABLES[path].items()))


def main() -> None:
    for path in TABLES:
        path.write_text(written(path), encoding="utf-8")


if __name__ == "__main__":
    main()
