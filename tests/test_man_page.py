"""The manual page, ``docs/rusage.1``; ``test_command_options.py`` tests its list of options."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import rusage
from rusage._cli import gnu
from rusage._cli.options import EXAMPLES

pytestmark = pytest.mark.system

MANDOC = shutil.which("mandoc") or ""
PATH = Path(__file__).parent.parent / "docs" / "rusage.1"
PAGE = PATH.read_text(encoding="utf-8")


def test_man_page_has_all_letters() -> None:
    """The page lists the letters and the names that the report replaces, and no others."""
    letters = map(chr, range(33, 127))
    replaced = [letter for letter in letters if gnu.report(f"%{letter}", ["x"], 0, {}, 1) != f"?{letter}"]
    assert re.findall(r"^\.It Ql \\&%(.)$", PAGE, re.MULTILINE) == replaced
    names = re.findall(r"^\.Ql %\{(\w+)\}", PAGE, re.MULTILINE)
    assert names == ["elapsed", *rusage.fields]
    assert [name for name in names if gnu.report(f"%{{{name}}}", ["x"], 0, {}, 1) == f"?{{{name}}}"] == []


def test_man_page_has_all_examples() -> None:
    """The examples of the help, in the same order."""
    assert re.findall(r"^\.Dl (.*)$", PAGE, re.MULTILINE) == [each.replace("--", r"\-\-") for each in EXAMPLES]


@pytest.mark.parametrize("option", ["limit-tree-rss", "samples", "plot"])
def test_man_page_names_implied_option(option: str) -> None:
    """``test_cli_tree.py`` uses these options without ``--tree``."""
    _, _, text = PAGE.partition(f".It Fl -{option} Ar ")
    assert re.search(r"implies\s(?:\.Fl -|--)tree", re.split(r"(?m)^\.(?:It|El)\b", text)[0])


@pytest.mark.skipif(not MANDOC, reason="no mandoc(1): apt-get install mandoc")
def test_man_page_has_no_lint() -> None:
    """Not even matters of style; a page that is referred to need not be installed."""
    done = subprocess.run([MANDOC, "-T", "lint", str(PATH)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert complaints == []
    shown = subprocess.run([MANDOC, "-T", "ascii", str(PATH)], capture_output=True, text=True, check=True).stdout
    text = " ".join(re.sub(".\b", "", shown).split())
    assert "rusage - run a command and report its resource usage" in text
    assert "rusage -n 20 --limit-maxrss 500M -- ./test" in text
