"""The tables of systems in the README and on the platforms page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import platform_tables
import pytest
from system_words import SYSTEMS

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
