"""The files of the command's reports."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
from command import needs_tree, new_folder, plain  # noqa: F401 (a fixture)

thorough = pytest.mark.thorough

# --- One file, two reports ---

SPELLINGS = ["base.json", "./base.json", "{here}/base.json", "../{name}/base.json", "link.json"]
REPORTS = [("--against", "--export"), ("--against", "-o"), ("--export", "-o")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(*pair, marks=[thorough] if 0 not in pair and pair != (3, 4) else [])
        for pair in itertools.product(range(6), repeat=2)
    ],
)
def test_two_reports_in_one_file(first: int, second: int) -> None:
    """By whatever names: neither is written, and the baseline stays. A new file does not stay."""
    here = Path.cwd()
    names = [each.format(here=here, name=here.name) for each in [*SPELLINGS, "hard.json"]]
    assert plain("--export", "base.json", "true").returncode == 0
    Path("link.json").symlink_to("base.json")
    os.link("base.json", "hard.json")
    before = Path("base.json").read_bytes()
    one, other = names[first], names[second]
    for options in REPORTS:
        done = plain(options[0], one, options[1], other, "touch", "ran")
        assert done.returncode == 2
        assert "rusage: two reports cannot be in the same file: '" in done.stderr
        assert Path("base.json").read_bytes() == before
    Path("base.json").unlink()
    Path("hard.json").unlink()
    if 5 not in (first, second):
        assert plain("--export", one, "-o", other, "touch", "ran").returncode == 2
    assert sorted(os.listdir()) == ["link.json"]


def test_device_of_two_reports() -> None:
    """It may be named again."""
    Path("null.json").symlink_to(os.devnull)
    assert plain("-o", os.devnull, "--export", "null.json", "true").returncode == 0


# --- New files ---


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "x.csv", "/no/such/program"],
        ["--export", "x.csv", "/no/such/program"],
        pytest.param(["--samples", "x.csv", "/no/such/program"], marks=needs_tree),
        pytest.param(["--plot", "x.png", "true"], marks=needs_tree),
        ["--export", "x.csv", "-o", "/no/such/folder/y", "true"],
    ],
    ids=" ".join,
)
def test_new_file_without_a_report(words: list[str]) -> None:
    """It goes, and one that was there before stays."""
    Path("matplotlib.py").touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])}
    Path("link.csv").symlink_to("target.csv")
    for name in words[1], "link.csv":
        options = [words[0], name, *words[2:]] if words[0] != "--plot" else words
        done = plain(*options, env=environment)
        assert done.returncode in {125, 127}, done.stderr
        assert not Path(words[1]).exists()
        assert not Path("target.csv").exists()
    Path(words[1]).touch()
    plain(*words, env=environment)
    assert Path(words[1]).read_text() == ""
