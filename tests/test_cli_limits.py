"""``rusage --limit-maxrss`` and ``--limit-cputime``."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from command import new_folder, record, run  # noqa: F401 (new_folder is a fixture)
from conftest import needs_sh
from expected import SAMPLED
from forked import CHECKS

import rusage
from rusage._backends import BACKEND
from rusage._backends._base import PEAK_AT_LEAST_PARENTS_INEXACT, PEAK_SAMPLED, SAMPLED_RULES
from rusage._cli import limits, report
from rusage._cli.figures import WHOSE, Ended
from rusage._cli.options import Options
from rusage._getrusage import WAITED

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.platform == "win32":
    pytest.skip("the programs that run here need Unix", allow_module_level=True)

WITHOUT_PEAK = [*CHECKS, "no_peak"]
SAMPLED_PEAK = [*WITHOUT_PEAK[:-1], "sampled"]
ALLOCATE = [sys.executable, "-c", "b'x' * (100 * 2**20)"]
needs_peak = pytest.mark.skipif(
    "ru_maxrss" not in rusage.run(["true"]).measured | SAMPLED, reason="the peak of a child is not measured here"
)


@needs_peak
def test_peak_over_its_limit() -> None:
    """123 and a message with both figures, after the report."""
    done = run("--limit-maxrss", "50MiB", *ALLOCATE)
    assert done.returncode == 123
    complaint, *_ = done.stderr.splitlines()  # on many CPUs a note about the error follows
    assert complaint.startswith(f"rusage: {sys.executable}: peak memory ")
    assert complaint.endswith(" MiB) is over the limit of 52428800 bytes (50.0 MiB)")
    assert Path("report").read_text().split()[-3:] == ["exit", "status", "0"]
    done = run("--limit-maxrss", "10 GiB", *ALLOCATE)
    sampled = f"rusage: {sys.executable}: {SAMPLED_NOTE}\n" if BACKEND.child_peak in SAMPLED_RULES else ""
    assert (done.returncode, done.stderr) == (0, sampled)


def test_cpu_time_over_its_limit() -> None:
    """User and system time together."""
    program = "import time\nwhile time.process_time() < 0.3: pass"
    done = run("--limit-cputime", "0.1", sys.executable, "-c", program)
    assert done.returncode == 123
    assert re.search(r"CPU time \d+\.\d{6} s ", done.stderr)
    assert done.stderr.endswith(" s is over the limit of 0.100000 s\n")
    assert run("--limit-cputime", "60", sys.executable, "-c", program).returncode == 0
    assert run("--limit-cputime", "60", "sleep", "0.2").returncode == 0  # it is not the elapsed time


@needs_sh
@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -9 $$", 128 + 9), ("kill -INT $$", -2)])
def test_failure_wins_over_limits(script: str, status: int) -> None:
    """The complaint is printed all the same."""
    done = run("--limit-cputime", "0", "sh", "-c", f"i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; {script}")
    assert done.returncode == status
    assert "CPU time" in done.stderr


@needs_sh
def test_unmeasured_figure_is_125() -> None:
    """Never silent, and never taken for kept."""
    done = run("--limit-maxrss", "10GiB", "--json", "true", before=WITHOUT_PEAK)
    assert done.returncode == 125
    assert done.stderr == f"rusage: true: peak memory {WHOSE} was not measured: its limit cannot be checked\n"
    assert record()["limits"] == {"ru_maxrss": {"limit": 10 * 2**30, "exceeded": None}}
    assert run("--limit-maxrss", "10GiB", "sh", "-c", "exit 4", before=WITHOUT_PEAK).returncode == 4
    assert run("--limit-cputime", "60", "true", before=WITHOUT_PEAK).returncode == 0


@pytest.fixture
def error(monkeypatch: pytest.MonkeyPatch) -> "Callable[[int | None, str], None]":
    """Return a function that sets the error of the peak, and whose peak a child's is, as on other machines."""

    def set_error(error: "int | None", child_peak: str) -> None:
        monkeypatch.setattr(limits, "fields", {"ru_maxrss": Mock(error=error)})
        monkeypatch.setattr(limits, "BACKEND", Mock(child_peak=child_peak))

    return set_error


SAMPLED_NOTE = "peak memory is sampled: a short peak over the limit may be missed"
INEXACT = (
    "peak memory is accurate to within 98304 bytes (96.0 KiB): "
    "the true peak may be above or below the limit of 1000000 bytes (976.6 KiB)"
)


@pytest.mark.parametrize(
    ("limited", "usage", "status", "notes"),
    [
        ({"ru_maxrss": 1000000}, {"ru_maxrss": 901696}, 0, []),
        ({"ru_maxrss": 1000000}, {"ru_maxrss": 901697}, 0, [INEXACT]),
        ({"ru_maxrss": 1000000}, {"ru_maxrss": 1000000}, 0, [INEXACT]),
        ({"ru_maxrss": 1000000}, {"ru_maxrss": 1000001}, 123, [INEXACT]),
        ({"ru_maxrss": 1000000}, {"ru_maxrss": 1098304}, 123, []),
        ({"cputime": 3}, {"ru_utime": 1.0, "ru_stime": 2.0}, 0, []),
        ({"cputime": 2.9}, {"ru_utime": 1.0, "ru_stime": 2.0}, 123, []),
        ({"ru_maxrss": 1, "cputime": 9}, {"ru_maxrss": 10**6}, 125, []),
        ({"cputime": 9, "ru_maxrss": 1}, {"ru_maxrss": 10**6}, 125, []),
    ],
    ids=str,
)
def test_limits_of_known_figures(  # noqa: PLR0913, PLR0917 (a case and two fixtures)
    error: "Callable[[int | None, str], None]",
    capsys: pytest.CaptureFixture[str],
    limited: "dict[str, float]",
    usage: "dict[str, float]",
    status: int,
    notes: "list[str]",
) -> None:
    """A limit is the largest allowed value; of two, the unknown one decides. A note is printed once for a series."""
    error(98304, PEAK_AT_LEAST_PARENTS_INEXACT)
    assert limits.check(limited, [Ended(0, usage, 0.1, None)] * 2, "program") == status
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if ": run " not in line] == [f"rusage: program: {note}" for note in notes]
    error(None, PEAK_AT_LEAST_PARENTS_INEXACT)
    limits.check(limited, [Ended(0, usage, 0.1, None)] * 2, "program")
    assert [line for line in capsys.readouterr().err.splitlines() if ": run " not in line] == []


@pytest.mark.parametrize(
    ("usage", "bound", "status", "exceeded"),
    [
        ({"ru_maxrss": 99}, 99, 0, False),
        ({"ru_maxrss": 101}, 101, 123, True),
        ({}, 100, 0, False),
        ({}, 101, 125, None),
        ({}, None, 125, None),
    ],
    ids=["own", "own, over", "bound within", "bound over", "no sample"],
)
@pytest.mark.parametrize("rule", sorted(SAMPLED_RULES))
def test_limit_of_a_sampled_peak(  # noqa: PLR0913, PLR0917 (a case and two fixtures)
    error: "Callable[[int | None, str], None]",
    capsys: pytest.CaptureFixture[str],
    usage: "dict[str, float]",
    bound: "int | None",
    status: int,
    exceeded: "bool | None",
    rule: str,
) -> None:
    """A peak that may be the parent's is at least the child's: within the limit it decides, and no report has it."""
    error(None, rule)
    result = Ended(0, usage, 0.1, bound)
    assert limits.check({"ru_maxrss": 100}, [result], "program") == status
    assert (f"rusage: program: {SAMPLED_NOTE}\n" in capsys.readouterr().err) == (status == 0)
    assert limits.judge({"ru_maxrss": 100}, result)["ru_maxrss"].over == exceeded
    assert "101" not in report.of_run(["program"], Ended(0, {}, 0.5, 101), Options(), None)


@pytest.mark.skipif("ru_maxrss" not in WAITED, reason="this system reports no peak of a child")
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["once", "series"])
@pytest.mark.parametrize(("limit", "status", "exceeded"), [("10TiB", 0, False), ("1", 125, None)])
def test_figure_of_the_kernel_is_not_reported(
    options: "list[str]", limit: str, status: int, *, exceeded: "bool | None"
) -> None:
    """It may be the parent's: the command compares it with the limit, and does not show it."""
    done = run(*options, "--limit-maxrss", limit, "--json", *ALLOCATE, before=SAMPLED_PEAK)
    assert (done.returncode, SAMPLED_NOTE in done.stderr) == (status, status == 0)
    found = record()
    for each in found.get("runs", [found]):
        assert each["limits"]["ru_maxrss"]["exceeded"] == exceeded
        assert "ru_maxrss" not in each["usage"]
    assert "ru_maxrss" not in found.get("summary", {})


@needs_sh
@pytest.mark.skipif(BACKEND.child_peak != PEAK_SAMPLED, reason="the peak of a child is not sampled here")
def test_limit_of_real_sampled_programs() -> None:
    """A program that runs for many ticks of the clock has a sample, but for one that no tick has hit."""
    program = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"
    statuses = [run("--limit-maxrss", "1GiB", "sh", "-c", program).returncode for _ in range(20)]
    assert {*statuses} <= {0, 125}
    assert statuses.count(0) >= 15
