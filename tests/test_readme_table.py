"""The README's table of systems and fields."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import systems

README = Path(__file__).parent.parent / "README.md"

# Some rows as they have to read, footnotes aside.
ROWS = {
    "ru_maxrss": {
        "Linux": "bytes",
        "macOS": "bytes",
        "FreeBSD": "bytes",
        "OpenBSD": "bytes",
        "NetBSD": "bytes",
        "illumos": "-",
        "Cygwin, MSYS2": "-",
        "another Unix": "-",
    },
    "ru_ixrss": {"Linux": "-", "macOS": "-", "FreeBSD": "byte-seconds", "OpenBSD": "byte-seconds", "NetBSD": "-"},
    "ru_inblock": {"Linux": "512-byte units", "macOS": "-", "FreeBSD": "operations", "illumos": "operations"},
    "ru_nvcsw": {"Linux": "switches", "macOS": "-", "FreeBSD": "switches"},
    "RUSAGE_THREAD": {
        "Linux": "yes",
        "macOS": "yes (only `ru_utime`, `ru_stime`)",
        "FreeBSD": "yes",
        "OpenBSD": "yes (not `ru_ixrss`, `ru_idrss`, `ru_isrss`)",
        "NetBSD": "- (its getrusage(2) knows the process and its children only)",
        "illumos": "yes",
    },
    "wait4": {"Linux": "yes", "FreeBSD": "yes", "illumos": "yes (only `ru_utime`, `ru_stime`)"},
}


def test_readme_table_is_up_to_date() -> None:
    """``python tests/tools/systems.py README.md`` writes it."""
    text = README.read_text(encoding="utf-8")
    assert text == systems.with_table(text)


@pytest.mark.parametrize("name", ROWS)
def test_platform_table_rows(name: str) -> None:
    """For each system what it measures, in which unit, and which names it has."""
    head, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in systems.table().splitlines()
        if line.startswith("|")
    ]
    notes = dict(re.findall(r"^(\d+)\. (.*)$", systems.table(), re.MULTILINE))
    cells = dict(zip(head, next(line for line in lines if line[0] == f"`{name}`"), strict=True))
    for system, expected in ROWS[name].items():
        said, _, number = cells[system].removesuffix("</sup>").partition("<sup>")
        assert (f"{said} ({notes[number]})" if "(" in expected else said) == expected


def test_footnotes_have_marks() -> None:
    """Each mark has its note, and each note its mark."""
    marks = set(re.findall(r"<sup>(\d+)</sup>", systems.table()))
    notes = re.findall(r"^(\d+)\. ", systems.table(), re.MULTILINE)
    assert [int(number) for number in notes] == list(range(1, len(notes) + 1))
    assert marks == set(notes)
