"""The tables of systems in the README and on the platforms page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import platform_tables
import pytest

from rusage._fields import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

    from rusage._backends._base import Backend

# Some cells as they have to read.
MATRIX = {
    "ru_maxrss": {"Linux": "bytes", "macOS": "bytes", "NetBSD": "bytes", "illumos": "-", "Cygwin": "-"},
    "ru_ixrss": {"Linux": "-", "FreeBSD": "byte-seconds", "OpenBSD": "byte-seconds", "NetBSD": "-"},
    "ru_inblock": {"Linux": "512-byte units", "macOS": "-", "FreeBSD": "operations", "illumos": "operations"},
    "ru_nvcsw": {"Linux": "switches", "macOS": "-", "FreeBSD": "switches"},
    "RUSAGE_THREAD": {"Linux": "yes", "macOS": "partly", "OpenBSD": "partly", "NetBSD": "-"},
    "RUSAGE_CHILDREN": {"Linux": "yes", "Windows": "-", "Cygwin": "yes", "Haiku": "-"},
    "wait4": {"Linux": "yes", "illumos": "partly", "Windows": "-"},
}
LINES = {
    "macOS": "- `RUSAGE_THREAD`: only `ru_utime`, `ru_stime`",
    "OpenBSD": "- `RUSAGE_THREAD`: not `ru_ixrss`, `ru_idrss`, `ru_isrss`",
    "NetBSD": "- `RUSAGE_THREAD`: not provided: its getrusage(2) knows the process and its children only",
    "illumos": "- `wait3`: only `ru_utime`, `ru_stime`",
    "Windows": "- `run`, `Popen`: the peak of a child: always measured; it is the child's own",
    "Haiku": "- `run`, `Popen`: nothing of a child",
}
SUMMARY = {
    "Linux": ["bytes", "microseconds", "yes", "yes, own peak", "times, peak, faults"],
    "DragonFly BSD": ["bytes, sampled", "ticks", "-", "yes, no peak", "-"],
    "illumos": ["-", "microseconds", "yes", "times", "-"],
}


def cells(line: str) -> list[str]:
    """Return the cells of a row."""
    return [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.mark.parametrize("path", platform_tables.FILES, ids=lambda path: path.name)
def test_tables_are_up_to_date(path: Path) -> None:
    """``python tests/tools/platform_tables.py`` writes them."""
    text = path.read_text(encoding="utf-8")
    assert text == platform_tables.with_tables(text, platform_tables.FILES[path]())


@pytest.mark.parametrize("system", SUMMARY)
def test_readme_rows(system: str) -> None:
    """Peak, times, threads, children and other processes; how it was tested is not checked."""
    rows = [cells(line) for line in platform_tables.summary().splitlines()]
    row = next(row for row in rows if row[0] == system)
    assert row[1:-1] == SUMMARY[system]


@pytest.mark.parametrize("name", MATRIX)
def test_overview_rows(name: str) -> None:
    """For each system what it measures, in which unit, and which names it has."""
    head, _, *rows = [cells(line) for line in platform_tables.matrix()]
    row = dict(zip(head, next(row for row in rows if row[0] == f"`{name}`"), strict=True))
    assert MATRIX[name] == {system: row[system] for system in MATRIX[name]}


@pytest.mark.parametrize("backend", platform_tables.SYSTEMS, ids=lambda backend: backend.name)
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
    assert [note for system in platform_tables.SYSTEMS for note in system.notes.values() if note not in text] == []
