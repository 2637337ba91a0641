"""``rusage --against FILE``."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command import check, needs_tree, new_folder, record, text  # noqa: F401 (new_folder is a fixture)
from forked import CHECKS, needs_peak

from rusage._cli import formats
from rusage._cli.run import CAN_ADOPT

USAGE = {"ru_utime": 30.0, "ru_stime": 10.0, "ru_maxrss": 1000}
RUN: dict[str, Any] = {"exit_status": 0, "elapsed": 4.0, "usage": USAGE}
if CAN_ADOPT:
    RUN["orphans"] = {"ru_maxrss": 0, "cputime": 0.0, "living": 0}
STORED: dict[str, Any] = {"version": 2, "command": ["true"], "system": formats.system(), **RUN}
MEDIANS = {
    name: {"median": value} for name, value in (USAGE | {"elapsed": 4.0, "cputime": 40.0}).items()
}
SERIES: dict[str, Any] = {
    "version": 2,
    "command": ["true"],
    "system": formats.system(),
    "runs": [RUN | {"elapsed": 9.0}, RUN, RUN],
    "summary": MEDIANS,
    "stopped_by": None,
}


def against(
    stored: Any, words: str, *expected: Any, **keywords: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command with a stored report, and check what follows."""
    content = stored if isinstance(stored, bytes) else json.dumps(stored).encode()
    Path("base.json").write_bytes(content)
    return check(["--against", "base.json", *words.split()], *expected, **keywords)


@needs_peak
@pytest.mark.parametrize("words", ["", "-n 2 "], ids=["once", "series"])
@pytest.mark.parametrize("stored", [STORED, SERIES], ids=["run", "series"])
def test_stored_figures_and_relative_limits(stored: Any, words: str) -> None:
    """A program stays far below or above the stored figures."""
    against(stored, f"{words} --export x.json --limit-cputime +1% true")
    made = record("x.json")
    peak = made["summary"]["ru_maxrss"]["median"] if words else made["usage"]["ru_maxrss"]
    change = re.escape(f"{peak / 1000 - 1:+.1%}")
    for row in (
        r"wall time .* 4 s +-\d+\.\d%",
        r"CPU time .* 40 s +-\d+\.\d%",
        rf"peak memory .* 0\.977 KiB +{change}",
    ):
        assert re.search(f"median +stored +change\n(.*\n)*{row}\n", text())
    rounded_down = "rusage: true: ... is over the limit of 1101 bytes (1.1 KiB)"
    against(stored, f"{words} --limit-maxrss +10.16% true", 123, rounded_down)


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin")
@pytest.mark.parametrize("words", [[], ["-n", "2"]], ids=["once", "series"])
def test_stored_report_on_standard_input(words: list[str]) -> None:
    check(["--against", "/dev/stdin", *words, "true"], input=json.dumps(STORED))


def test_verdict_of_a_series() -> None:
    words = "-n 3 --limit-cputime +1% --limit-maxrss 1TiB --export x.json --export x.md true"
    for stored, over in ({"ru_utime": 0.0, "ru_stime": 0.0}, True), (USAGE, False):
        status = {123 if over else 0, 125}  # without a peak
        done = against(STORED | {"usage": stored}, words, status, None)
        assert done.stderr.count("the median of 3 runs") == over
        made = record("x.json")
        assert (made["limits"].keys(), made["limits"]["cputime"]["exceeded"]) == ({"cputime"}, over)
        assert all(one["limits"].keys() == {"ru_maxrss"} for one in made["runs"])
        assert f"| median {'over the limit' if over else 'passed'} |" in Path("x.md").read_text()


@needs_tree
@pytest.mark.skipif(not CAN_ADOPT, reason="the two reports differ in orphans too")
def test_samples_in_one_report_only() -> None:
    stored = STORED | {"tree": {"rss": 2**40, "killed": False, "member_peak": 2**40}}
    line = "samples of single processes do not count: one of the two reports lacks them"
    against(stored, "--limit-cputime +10% true")
    done = against(stored, "--limit-maxrss +10% true", {0, 123, 125}, None)
    assert f"rusage: base.json: {line}\n" in done.stderr


def test_unknown_figures() -> None:
    """125 without a run if the stored one is missing, else after it."""
    message = "rusage: base.json: CPU time was not measured: its limit cannot be checked"
    against(STORED | {"usage": {}}, "--limit-cputime +10% touch made", 125, message)
    assert not Path("made").exists()
    without_peak = [*CHECKS, "no_peak"]
    against(STORED, "--limit-maxrss +10% true", 125, None, before=without_peak)


def test_other_command_or_system() -> None:
    for change in {"command": ["make", "-j4"]}, {"system": "x" * 60}:
        stored = STORED | change
        described = f"{' '.join(stored['command'])!r} on '{stored['system'][:47]}"
        against(stored, "true", 0, f"rusage: ...: {described}...")


FAILED = "a run failed, was killed or was stopped, or there is none"
NO_REPORT = "not what rusage --json writes of a run or a series, of at most 16 MiB"
REFUSED = {
    "failed": (SERIES | {"runs": [RUN, RUN | {"exit_status": None}]}, FAILED),
    "killed by --kill": (STORED | {"tree": {"rss": 1, "killed": True}}, FAILED),
    "stopped": (SERIES | {"stopped_by": 2}, FAILED),
    "no run": (SERIES | {"runs": []}, FAILED),
    "comparison": ({"version": 2, "commands": []}, NO_REPORT),
    "newer": (STORED | {"version": 3}, NO_REPORT),
    "NaN": (STORED | {"elapsed": float("nan")}, NO_REPORT),
    "huge": (STORED | {"usage": {"ru_utime": 10**400, "ru_stime": 0.0}}, NO_REPORT),
    "empty": (b"", NO_REPORT),
    "nested": (b"[" * 10**6, NO_REPORT),
    "large": (b" " * 2**24 + json.dumps(STORED).encode(), NO_REPORT),
}


@pytest.mark.parametrize(("stored", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_report(stored: Any, reason: str) -> None:
    Path("report").write_text("before")
    against(stored, "--export x.json touch made", 125, f"rusage: base.json: {reason}")
    assert (sorted(os.listdir()), text()) == (["base.json", "report"], "before")


def test_refused_file() -> None:
    files = {".": "Is a directory", "none": "No such file or directory", "/dev/zero": NO_REPORT}
    for name, reason in files.items():
        check(["--against", name, "-n", "2", "touch", "made"], 125, f"rusage: {name}: {reason}")
        assert not Path("made").exists()
