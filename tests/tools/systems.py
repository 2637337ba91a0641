"""The README's table of systems and fields, written from the backends.

``python tests/tools/systems.py README.md`` writes it between the two marks; ``tests/test_readme_table.py`` checks that
it is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rusage._backends import unknown
from rusage._backends._base import TIMES
from rusage._fields import FIELDS
from rusage._getrusage import measured_of_a_child

sys.path.insert(0, str(Path(__file__).parent.parent))

from expected import BACKENDS, newest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rusage._backends._base import Backend

BEGIN, END = "<!-- systems -->", "<!-- /systems -->"

# The newest release of each, whatever runs here.
SYSTEMS: list[tuple[str, Backend]] = [
    *((backend.name, backend) for backend in map(newest, BACKENDS)),
    ("Cygwin, MSYS2", unknown.backend("cygwin")),
    ("another Unix", unknown.backend("unknown")),
]
OWN_TIMES_ONLY = [unknown.TIMES_ONLY[prefix] for prefix in unknown.NO_CHILDREN]
NAMES = ["RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD", "wait3", "wait4"]


class Footnotes:
    """Texts, each with a number, in the order in which they are first asked for."""

    def __init__(self) -> None:
        """Start without any."""
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """Return the mark of a text."""
        if text not in self.texts:
            self.texts.append(text)
        return f"<sup>{self.texts.index(text) + 1}</sup>"


def row(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def field_cell(backend: Backend, name: str, footnotes: Footnotes) -> str:
    """Say what a field of the process's own usage is."""
    note = backend.notes.get(name)
    mark = footnotes.mark(note) if note else ""
    if name not in backend.measured["RUSAGE_SELF"]:
        return f"-{mark}"
    return f"{backend.units.get(name, FIELDS[name].unit)}{mark}"


def measured_for(backend: Backend, name: str) -> frozenset[str] | None:
    """Return what is measured for a ``RUSAGE_*`` or by a wait; None if the system does not have it."""
    if name in backend.absent:
        return None
    if name == "RUSAGE_BOTH":
        return backend.measured["RUSAGE_SELF"] & backend.measured["RUSAGE_CHILDREN"]
    if name.startswith("wait"):
        return measured_of_a_child(backend, hz=1)
    return backend.measured[name]


def listed(fields: Iterable[str]) -> str:
    """Return names of fields as people write them, in their order."""
    return ", ".join(f"`{name}`" for name in FIELDS if name in set(fields))


def name_cell(backend: Backend, name: str, footnotes: Footnotes) -> str:
    """Say whether a system has a name, and what it measures for it."""
    measured = measured_for(backend, name)
    if measured is None:
        return f"-{footnotes.mark(backend.absent[name])}"
    own = backend.measured["RUSAGE_SELF"]
    if measured == own:
        return "yes"
    missing = own - measured
    text = f"only {listed(measured)}" if len(measured) < len(missing) else f"not {listed(missing)}"
    return f"yes{footnotes.mark(text)}"


def table() -> str:
    """Return the table of systems and fields, and its footnotes, in Markdown."""
    footnotes = Footnotes()
    lines = [row(["", *(name for name, _ in SYSTEMS)]), row(["---"] * (len(SYSTEMS) + 1))]
    for names, cell in ((FIELDS, field_cell), (NAMES, name_cell)):
        lines += [row([f"`{name}`", *(cell(backend, name, footnotes) for _, backend in SYSTEMS)]) for name in names]
    lines += ["", "`-`: not measured, and 0; for the names below the fields: not provided.", ""]
    lines += [f"{number}. {text}" for number, text in enumerate(footnotes.texts, start=1)]
    lines += ["", f"{' and '.join(OWN_TIMES_ONLY)} have only {listed(TIMES)} of `RUSAGE_SELF`."]
    lines += [f"rusage does not support {platform}: {why}." for platform, why in unknown.REFUSED.items()]
    return "\n".join(lines)


def with_table(text: str) -> str:
    """Return a text with the table between its two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Write the table into the file that is named."""
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
