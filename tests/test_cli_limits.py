"""``rusage --limit-maxrss`` and ``--limit-cputime``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rusage
from rusage._cli import _limits

if sys.platform == "win32":
    pytest.skip("the programs that run here are those of a Unix", allow_module_level=True)

RUSAGE = [sys.executable, "-m", "rusage"]
WITHOUT_PEAK = [sys.executable, str(Path(__file__).parent / "programs" / "command_checks.py"), "usual", "no_peak"]
ALLOCATE = [sys.executable, "-c", "b'x' * (100 * 2**20)"]
needs_peak = pytest.mark.skipif(
    "ru_maxrss" not in rusage.run(["true"]).measured, reason="the peak of a child is not measured here"
)


def run(*words: str, before: list[str] = RUSAGE) -> "subprocess.CompletedProcess[str]":
    """Run the command with a file for the report, so that standard error has only the complaints."""
    return subprocess.run([*before, "-o", "report", *words], capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


@needs_peak
def test_peak_over_its_limit() -> None:
    """123 and a message with both figures, after the report."""
    done = run("--limit-maxrss", "50MiB", *ALLOCATE)
    assert done.returncode == 123
    assert done.stderr.startswith(f"rusage: {sys.executable}: peak memory ")
    assert done.stderr.endswith(" MiB) is over the limit of 52428800 bytes (50.0 MiB)\n")
    assert Path("report").read_text().split()[-3:] == ["exit", "status", "0"]
    done = run("--limit-maxrss", "10 GiB", *ALLOCATE)
    assert (done.returncode, done.stderr) == (0, "")


def test_cpu_time_over_its_limit() -> None:
    """User and system time together."""
    program = "import time\nwhile time.process_time() < 0.3: pass"
    done = run("--limit-cputime", "0.1", sys.executable, "-c", program)
    assert done.returncode == 123
    assert "CPU time 0." in done.stderr
    assert done.stderr.endswith(" s is over the limit of 0.100000 s\n")
    assert run("--limit-cputime", "60", sys.executable, "-c", program).returncode == 0
    assert run("--limit-cputime", "60", "sleep", "0.2").returncode == 0  # it is not the elapsed time


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -9 $$", 128 + 9), ("kill -INT $$", -2)])
def test_failure_wins_over_limits(script: str, status: int) -> None:
    """The complaint is printed all the same."""
    done = run("--limit-cputime", "0", "sh", "-c", f"i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; {script}")
    assert done.returncode == status
    assert "CPU time" in done.stderr


def test_limits_of_no_program() -> None:
    """A program that cannot be started has no figures."""
    done = run("--limit-maxrss", "1", "/no/such/program")
    assert done.returncode == 127
    assert done.stderr == "rusage: /no/such/program: No such file or directory\n"


def test_unmeasured_figure_is_125() -> None:
    """Never silent, and never taken for kept."""
    done = run("--limit-maxrss", "10GiB", "--json", "true", before=WITHOUT_PEAK)
    assert done.returncode == 125
    assert done.stderr == "rusage: true: peak memory was not measured: its limit cannot be checked\n"
    assert json.loads(Path("report").read_text())["limits"] == {"ru_maxrss": {"limit": 10 * 2**30, "exceeded": None}}
    assert run("--limit-maxrss", "10GiB", "sh", "-c", "exit 4", before=WITHOUT_PEAK).returncode == 4
    assert run("--limit-cputime", "60", "true", before=WITHOUT_PEAK).returncode == 0


def test_limits_in_json() -> None:
    """Each with its limit, in the unit of the figure, and whether it was exceeded."""
    run("--limit-cputime", "1e3", "--limit-cputime", "60", "--json", "true")
    assert json.loads(Path("report").read_text())["limits"] == {"cputime": {"limit": 60.0, "exceeded": False}}
    run("--json", "true")
    assert "limits" not in json.loads(Path("report").read_text())


def test_limit_itself_is_not_over(capsys: pytest.CaptureFixture[str]) -> None:
    """A limit is the largest allowed value; of two limits, the unknown one decides."""
    usage = {"ru_maxrss": 100.0, "ru_utime": 1.0, "ru_stime": 2.0}
    assert _limits.check({"ru_maxrss": 100, "cputime": 3}, [usage], "program") == 0
    assert capsys.readouterr().err == ""
    assert _limits.check({"ru_maxrss": 100, "cputime": 2.9}, [usage], "program") == 123
    assert capsys.readouterr().err == "rusage: program: CPU time 3.000000 s is over the limit of 2.900000 s\n"
    assert _limits.check({"ru_maxrss": 1, "cputime": 9}, [{"ru_maxrss": 2}], "program") == 125
    assert len(capsys.readouterr().err.splitlines()) == 2
