"""The manual page, ``docs/rusage.1``, whose text is in ``tests/tools/man_page.py``."""

import re
import shutil
import subprocess
from pathlib import Path

import man_page
import pytest

from rusage._cli import gnu
from rusage._cli import help as table

MANDOC = shutil.which("mandoc") or ""
PAGE = Path(__file__).parent.parent / "docs" / "rusage.1"


def test_man_page_has_all_options() -> None:
    """Each with its letter, its name and its value; details are of options that there are."""
    shown = PAGE.read_text(encoding="utf-8")
    known = [option for group in table.OPTIONS.values() for option in group]
    for option in known:
        assert f"Fl -{option.name}{f' Ar {option.value}' if option.value else ''}\n" in shown
        assert not option.letter or f".It Fl {option.letter}" in shown
    assert man_page.DETAILS.keys() <= {option.name for option in known}


def test_man_page_has_all_letters() -> None:
    """The page lists the letters that the report replaces, and no others."""
    replaced = [chr(code) for code in range(33, 127) if gnu.report(f"%{chr(code)}", ["x"], 0, {}, 1) != f"?{chr(code)}"]
    assert list(man_page.LETTERS) == replaced


@pytest.mark.skipif(not MANDOC, reason="no mandoc(1): apt-get install mandoc")
def test_man_page_has_no_lint() -> None:
    """Not even matters of style; a page that is referred to need not be installed."""
    done = subprocess.run([MANDOC, "-T", "lint", str(PAGE)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert complaints == []
    shown = subprocess.run([MANDOC, "-T", "ascii", str(PAGE)], capture_output=True, text=True, check=True).stdout
    text = " ".join(re.sub(".\b", "", shown).split())
    assert "rusage - run a command and report its resource usage" in text
    assert "rusage -n 20 --limit-maxrss 500MiB -- ./test" in text
