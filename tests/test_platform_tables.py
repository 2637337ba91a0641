"""The tables of systems in the README and on the platforms page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import guide_tables
import platform_tables
import pytest
from system_words import KNOWN, SUITE, SYSTEMS, TESTED

from rusage._fields import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

    from rusage._backends._base import Backend

# Some cells as they have to read.
FIELDS_OF = {
    "Linux": ["bytes", "-", "yes", "-", "512-byte units", "-", "-", "yes"],
    "macOS": ["bytes", "-", "yes", "-", "-", "yes", "yes", "-"],
    "Windows": ["bytes", "-", "`ru_minflt`", "-", "-", "-", "-", "-"],
}
NAMES_OF = {
    "Linux": ["yes", "yes", "yes", "yes", "yes", "partly", "yes", "yes", "yes"],
    "Windows": ["-", "-", "partly", "-", "-", "partly", "yes", "yes", "-"],
    "another Unix": ["yes", "yes", "-", "-", "yes", "-", "-", "-", "-"],
}
LINES = {
    "macOS": "- `RUSAGE_THREAD`: only `ru_utime`, `ru_stime`",
    "OpenBSD": "- `RUSAGE_THREAD`: not `ru_ixrss`, `ru_idrss`, `ru_isrss`",
    "NetBSD": "- `RUSAGE_THREAD`: not provided: its getrusage(2) reports only the process and its children",
    "illumos": "- `wait3`: only `ru_utime`, `ru_stime`",
    "Windows": "- `run`, `Popen`: the peak of a child: always measured; it is the child's own",
    "another Unix": "- `run`, `Popen`: nothing of a child",
}
GUIDES = ["peaks", "reasons", "children", "inherited", "clocks", "processes"]


def cells(line: str) -> list[str]:
    """Return the cells of a row."""
    return [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.mark.parametrize("path", platform_tables.FILES, ids=lambda path: path.name)
def test_tables_are_up_to_date(path: Path) -> None:
    """``python tests/tools/platform_tables.py`` writes them."""
    assert path.read_text(encoding="utf-8") == platform_tables.written(path)


def test_each_system_says_how_it_was_tested() -> None:
    """In its section, in the README and in the guides."""
    for backend in KNOWN:
        how = TESTED[backend.name]
        assert f"- tested: {how}" in platform_tables.section(backend)
        assert f"| {how} |" in next(
            line for line in guide_tables.summary().splitlines() if f"| {backend.name} |" in line
        )
    same = ", ".join(name for name, how in TESTED.items() if how == SUITE)
    assert f"{same}: {SUITE};" in guide_tables.tested()
    assert sum(guide_tables.tested().count(backend.name) for backend in KNOWN) == len(KNOWN) == len(TESTED)


def test_guides_have_all_systems() -> None:
    """All systems with a backend of their own; the table of other processes, all with ``Process``. No cell is empty."""
    for name in GUIDES:
        rows = [cells(line) for line in getattr(guide_tables, name)().splitlines()]
        assert all(cell for row in rows for cell in row)
        systems = [system for row in rows for system in row[0].split(", ")]
        if name in {"children", "inherited", "clocks"}:
            assert sorted(systems[2:]) == sorted(backend.name for backend in KNOWN)
        elif name == "processes":
            assert systems[2:] == [backend.name for backend in KNOWN if "Process" not in backend.absent]


@pytest.mark.parametrize(
    ("written", "expected"),
    [(platform_tables.measured_fields(), FIELDS_OF), (platform_tables.provided_names(), NAMES_OF)],
    ids=["fields", "names"],
)
def test_overview_rows(written: list[str], expected: dict[str, list[str]]) -> None:
    """A row for each system: what it measures, in which unit, and which names it has."""
    rows = {system: row for system, *row in map(cells, written[2:])}
    assert list(rows) == [backend.name for backend in SYSTEMS]
    assert expected == {system: rows[system] for system in expected}


@pytest.mark.parametrize("backend", SYSTEMS, ids=lambda backend: backend.name)
def test_section_of_a_system(backend: Backend) -> None:
    """It has each field with its source; a field without a unit is one that is not measured."""
    lines = platform_tables.section(backend)
    rows = [cells(line) for line in lines if line.startswith("| `")]
    assert re.findall(r"\w+", " ".join(names for names, *_ in rows)) == list(FIELDS)
    assert all(source for *_, source in rows)
    measured = " ".join(names for names, unit, *_ in rows if unit != "-")
    assert set(re.findall(r"\w+", measured)) == backend.measured["RUSAGE_SELF"]
    assert LINES.get(backend.name, lines[0]) in lines


def test_sections_name_the_notes() -> None:
    """Each note of a backend stands on the page."""
    text = re.sub(r"\\\*", "*", platform_tables.PAGE.read_text(encoding="utf-8"))
    assert [note for system in SYSTEMS for note in system.notes.values() if note not in text] == []
