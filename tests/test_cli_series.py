"""``rusage -n RUNS``."""

import io
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import forked
import pytest
from command import (
    CATCHES,
    SLEEPS,
    check,
    in_words,
    member,
    new_folder,  # noqa: F401 (a fixture)
    nth,
    plain,
    python,
    record,
    started,
    text,
)
from conftest import change_signals, needs_sh
from expected import SAMPLED
from forked import RUSAGE
from terminals import WAITS, Start, press, read_until, screen, shown_by

from rusage._cli import output
from rusage._cli import run as starts
from rusage._cli.options import Options
from rusage._cli.series import HiddenOutput

MIB = 2**20


def runs_made() -> int:
    """Return how often the program of ``nth`` has run."""
    return len(Path("count").read_bytes())


def test_statistics_of_a_series() -> None:
    """The test computes them in another way; the large peak is the third run's only."""
    check(["--export", "x.json", "-n", "5", "--", *nth(3, "b'x' * (300 << 20)")])
    found = record("x.json")
    times = sorted(made["elapsed"] for made in found["runs"])
    mean = sum(times) / 5
    expected = {
        "median": times[2],
        "mean": mean,
        "stddev": (sum((time - mean) ** 2 for time in times) / 4) ** 0.5,
        "min": times[0],
        "max": times[4],
    }
    assert found["summary"]["elapsed"] == pytest.approx(expected)
    in_all = set.intersection(*(set(made["usage"]) for made in found["runs"]))
    assert found["summary"].keys() - {"elapsed", "cputime"} == in_all
    assert in_all | SAMPLED == found["runs"][0]["usage"].keys() | SAMPLED
    head, *lines = text().splitlines()
    assert head.split() == ["median", "mean", "deviation", "min", "max"]
    names = [" ".join(line.split()[:2]) for line in lines[:3]]
    assert names == ["wall time", "user time", "system time"]
    units = {"us": 1e-6, "ms": 1e-3, "s": 1}
    shown = [float(value) * units[unit] for value, unit in re.findall(r"([\d.]+) (\w+)", lines[0])]
    assert shown == pytest.approx([*expected.values()], rel=0.01)  # three digits
    assert "runs 5 of 5" in in_words()
    if "ru_maxrss" in in_all - SAMPLED:
        peaks = [made["usage"]["ru_maxrss"] for made in found["runs"]]
        assert found["summary"]["ru_maxrss"]["max"] == peaks[2] >= 300 * MIB
        assert max(peaks[:2] + peaks[3:]) < 100 * MIB


@pytest.mark.parametrize(
    ("options", "unusual", "what", "status", "counted"),
    [
        ([], "sys.exit(7)", "exit status 7", 7, [True, True, False]),
        ([], "os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)", 128 + 9, [True, True, False]),
        ([], "os.kill(os.getpid(), 2)", "signal 2 (SIGINT)", -signal.SIGINT, [True, True, False]),
        (["--ignore-failure"], "sys.exit(7)", "exit status 7", 0, [True] * 4),
        (["--warmup", "4", "--ignore-failure"], "sys.exit(7)", "exit status 7", 0, [True] * 4),
        (["--warmup", "4"], "sys.exit(7)", "exit status 7", 7, []),
    ],
    ids=str,
)
def test_runs_that_fail(
    options: list[str], unusual: str, what: str, status: int, counted: list[bool]
) -> None:
    warmup = 4 if "--warmup" in options else 0
    end = f": the series has ended: {'' if counted else 'warm-up '}run 3 ({what}); see --ignore"
    done = check(
        [*options, "-n", "4", *nth(3, unusual)],
        status,
        None,
        {"runs.*.counted": counted, "warmup": warmup if counted else 3},
        shown=f"runs {sum(counted)} of 4",
    )
    assert (end in done.stderr) == ("--ignore-failure" not in options)
    assert runs_made() == (warmup + len(counted) if counted else 3)
    assert (f"failures 1: run 3 ({what})" in in_words()) == (not warmup)


@needs_sh
def test_program_that_cannot_be_started() -> None:
    """As in a single run; if it has run before, there is a report."""
    missing = "No such file or directory"
    check("-n 3 /no/such/program", 127, f"rusage: /no/such/program: {missing}")
    assert text() == ""
    for options, runs in ("", 1), ("--warmup 1", 0):
        Path("program").write_text("#!/bin/sh\nrm program\n")
        Path("program").chmod(0o755)
        error = f"rusage: ./program: {missing}"
        check(f"{options} -n 3 ./program", 127, error, shown=f"runs {runs} of 3")


def test_streams_of_a_series() -> None:
    """Standard input is the null device in each run; what a run prints into a pipe goes through."""
    each: list[dict[str, Any]] = [{"input": "text"}, {"preexec_fn": lambda: os.close(0)}]
    for keywords in each:
        done = check("-n 2 -- sh -c 'cat; echo out; echo err >&2'", 0, "err\nerr", **keywords)
        assert done.stdout == "out\nout\n"


STATE = """
import signal
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
numbers = sorted(signal.valid_signals())
print([number for number in numbers if signal.getsignal(number) == signal.SIG_IGN])
"""


@pytest.mark.skipif(
    platform.python_implementation() == "PyPy",
    reason="PyPy's getsignal does not know what it inherits",
)
def test_signal_state_of_each_run() -> None:
    shown = [
        subprocess.run(
            [*before, sys.executable, "-c", STATE],
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=change_signals,
        ).stdout
        for before in ([], [*RUSAGE, "-o", "report", "-n", "3"])
    ]
    assert shown[1] == shown[0] * 3


@pytest.mark.parametrize(
    ("number", "program"),
    [
        (signal.SIGTERM, SLEEPS),
        (signal.SIGTERM, CATCHES),
        (signal.SIGHUP, SLEEPS),
        (signal.SIGUSR1, CATCHES),
    ],
    ids=["SIGTERM", "caught", "SIGHUP", "SIGUSR1"],
)
@pytest.mark.parametrize("options", [[], ["--ignore-failure"]], ids=["", "ignore failure"])
def test_signal_ends_the_series(number: signal.Signals, options: list[str], program: str) -> None:
    """SIGUSR1 is for the run only."""
    words = ["-o", "report", "--json", "-n", "4", *options, *nth(3, program.format(int(number)))]
    with started(*RUSAGE, *words) as process:
        process.send_signal(number)
        status = process.wait(60)
    counted, stopped_by = member(record(), "runs.*.counted"), record()["stopped_by"]
    if number == signal.SIGUSR1:
        assert (status, counted, stopped_by) == (0, [True] * 4, None)
    else:
        assert (status, counted, stopped_by) == (128 + number, [True, True, False], number)
    assert runs_made() == len(counted)


@forked.needs_fork
def test_signal_that_no_run_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    start = starts._start  # noqa: SLF001 (patched)
    ended: list[int] = []

    def start_late(*arguments: Any) -> Any:
        process = start(*arguments)
        if not ended:
            os.kill(os.getpid(), signal.SIGUSR1)
            ended.append(process.wait())
        return process

    monkeypatch.setattr(starts, "_start", start_late)
    check(["-n", "2", "sleep", "0.3"], shown="runs 2 of 2")


@pytest.mark.parametrize("unusual", [SLEEPS, CATCHES.format(2)], ids=["", "caught"])
@pytest.mark.parametrize("options", [[], ["--ignore-failure"]], ids=["", "ignored"])
def test_ctrl_c_ends_the_series(on_terminal: Start, options: list[str], unusual: str) -> None:
    """SIGINT kills rusage after the report, so that a shell loop ends too; it is no failure."""
    words = ["-n", "9", "--show-output", *options, *nth(3, unusual)]
    _, terminal = on_terminal("TERM=xterm", *RUSAGE, *words)
    shown = press(terminal, b"\x03", f"return code {-signal.SIGINT}\r\n".encode()).decode()
    assert re.search(r"(?s)wall time.* 2 of 9\r.*stopped by +signal 2 \(SIGINT\)", shown)
    assert runs_made() == 3
    assert "failures" not in shown
    assert "\x1b[1;31m" not in shown


@needs_sh
@pytest.mark.parametrize("end", ["true", "kill -INT $$"], ids=["", "killed too"])
def test_signal_during_a_preparation(end: str) -> None:
    prepare = f"sh -c '[ ! -e prepared ] && : >prepared || {{ kill -INT $PPID; {end}; }}'"
    stopped = {"stopped_by": signal.SIGINT, "runs.*.counted": [True]}
    check(["--prepare", prepare, "-n", "9", *nth(9, "")], -signal.SIGINT, members=stopped)
    assert runs_made() == 1


@pytest.mark.parametrize("columns", [80, 27])
def test_progress_is_for_terminals(on_terminal: Start, columns: int) -> None:
    """One line that is replaced, and cut where there is less room."""
    words = ["TERM=xterm", *RUSAGE, "-n", "2", "--warmup", "1", "true"]
    parts = shown_by(on_terminal, *words, columns=columns).replace("\r\n", "\n").split("\r")
    *lines, report = [part.strip() for part in parts if part.strip()]
    runs = "warm-up run 1 of 1", "run 1 of 2, about 1 s left", "run 2 of 2, about 1 s left"
    shown = [re.sub(r"about \d+ s", "about 1 s", line) for line in lines]
    assert shown == [f"rusage: {line}"[: columns - 1].strip() for line in runs]
    assert report.startswith("\x1b[1m  ")  # the head of the table in bold
    check("-n 2 true")


def test_progress_makes_room_for_errors(on_terminal: Start) -> None:
    """The message takes the line of the progress, which here is longer."""
    words = ["NO_COLOR=1", *RUSAGE, "-n", "1", "--warmup", str(sys.maxsize), "./x"]
    first, *_ = screen(shown_by(on_terminal, *words, status=127).encode())
    assert first == "rusage: ./x: No such file or directory"


@pytest.mark.parametrize("options", [[], ["-o", "report"]], ids=["", "file"])
def test_progress_is_gone_after_ctrl_c(on_terminal: Start, options: list[str]) -> None:
    _, terminal = on_terminal("NO_COLOR=1", *RUSAGE, *options, "-n", "9", *shlex.split(WAITS))
    shown = read_until(terminal, b"ready\r\n")
    os.write(terminal, b"\x03")
    lines = screen(shown + read_until(terminal, f"return code {-signal.SIGINT}\r\n".encode()))
    report = text().splitlines() if options else lines[1:]
    assert lines[0].startswith("ready")  # over the progress line
    assert "run 1 of 9" not in "".join(lines[1:])
    assert report[0].split() == ["runs", "0", "of", "9"]
    assert not options or lines[1] == f"return code {-signal.SIGINT}"


# --- The output of the runs ---

SPEAKS = ["sh", "-c", "echo on output; echo on errors >&2"]


@pytest.mark.parametrize(
    ("options", "redirected", "output", "errors", "progress"),
    [([], "", 0, 0, 1), (["--show-output"], "", 2, 2, 0), ([], "1", 0, 0, 1), ([], "2", 0, 0, 0)],
)
def test_output_on_a_terminal_is_hidden(  # noqa: PLR0913, PLR0917 (a case)
    on_terminal: Start, options: list[str], redirected: str, output: int, errors: int, progress: int
) -> None:
    redirection = f"{redirected}>>file" if redirected else ""
    before = ["sh", "-c", f'exec "$@" {redirection}', "sh"]
    shown = shown_by(on_terminal, *before, *RUSAGE, *options, "-n", "2", *SPEAKS)
    counts = [shown.count(text) for text in ("on output", "on errors", "run 2 of 2")]
    assert counts == [output, errors, progress]
    if redirected:
        line = {"1": "on output\n", "2": "on errors\n"}[redirected]
        assert Path("file").read_text().startswith(line * 2)


def test_hidden_output_goes_into_a_pipe(on_terminal: Start) -> None:
    """It does not fill up."""
    program = """if True:
        import os, stat
        with open("kinds", "a") as file:
            print([stat.S_ISFIFO(os.fstat(stream).st_mode) for stream in (1, 2)], file=file)
        for stream in [1, 2] * 100:
            os.write(stream, bytes(2**16))
        os.write(1, b"".join(b"\\n%d\\xff\\x1b" % number for number in range(12)))
        raise SystemExit(3)
    """
    for words in ["--ignore-failure"], ["--show-output"], []:
        shown = shown_by(
            on_terminal, "NO_COLOR=1", *RUSAGE, "-n", "2", *words, *python(program), status=""
        )
        lines = [rf"rusage: | {number}\xff\x1b" for number in range(2, 12)]
        expected = "\r\n".join(["; see --ignore-failure", *lines, ""])
        assert (expected in shown) == (words == [])
    kinds = Path("kinds").read_text().splitlines()
    assert kinds == ["[True, True]"] * 2 + ["[False, False]"] + ["[True, True]"]


def test_last_lines_of_hidden_output(monkeypatch: pytest.MonkeyPatch) -> None:
    read = os.read
    monkeypatch.setattr("os.read", lambda *each: threading.Event().wait(0.1) or read(*each))
    monkeypatch.setattr("os.isatty", bool)
    for number in 0, 1:  # of processes that run on
        hidden = HiddenOutput(Options({}))
        for stream in 0, 1:
            pipe = hidden.for_next()[stream] or 0
            os.write(pipe, b"line %d\n" % stream)
        others = [os.dup(pipe) for _ in range(number)]
        assert hidden.last_lines() == ["line 1"]
        assert hidden.is_read.is_set() == (not others)
        for other in others:
            os.close(other)


def test_command_before_each_run() -> None:
    words = "-n 3 --warmup 1 sh -c 'echo run >> log'"
    check(
        ["--prepare", "sh -c 'echo prepared >> log'", *shlex.split(words)],
        members={"runs.*.counted": [True] * 3},
    )
    assert Path("log").read_text() == "prepared\nrun\n" * 4


@pytest.mark.parametrize(
    ("prepare", "status", "reason"),
    [
        ("false x", 1, "the series has ended: the preparation failed (exit status 1)"),
        ("/no/such/program x", 127, "No such file or directory"),
    ],
)
def test_failing_preparation(prepare: str, status: int, reason: str) -> None:
    for words in "-n 3 --warmup 1 true", "--compare --ignore-failure true false":
        check(["--prepare", prepare, *words.split()], status, f"rusage: {prepare}: {reason}")


@pytest.mark.parametrize(
    ("words", "red"),
    [
        ("false", "exit status +1"),
        ("-n 2 false", "failures +1: run 1 .*"),
        ("-n 2 --compare true false", "failures +1: run 1 of command 2 .*"),
        ("--limit-cputime 0 true", "rusage: true: CPU time .*"),
        ("/no/such/program", "rusage: .*: No such file or directory"),
        ("--nonsense", "rusage: option --nonsense not recognized"),
    ],
)
def test_failures_are_red_on_a_terminal(on_terminal: Start, words: str, red: str) -> None:
    for wish in "TERM=xterm", "TERM=dumb", "NO_COLOR=1":
        shown = shown_by(on_terminal, "TERM=xterm", wish, *RUSAGE, *words.split(), status="")
        is_red = re.search(rf"\x1b\[1;31m{red}\x1b\[0m", shown) is not None
        assert (is_red, "\x1b" in shown) == (wish == "TERM=xterm",) * 2
    assert "\x1b" not in plain(*words.split()).stderr


def test_progress_on_a_terminal_that_becomes_narrower(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    for width, line in (100, "x" * 120), (40, "y"), (40, ""):
        monkeypatch.setattr(output, "width_of", lambda _, width=width: width)
        output.show_progress(line)
    assert [len(each) for each in terminal.getvalue().split("\r") if each] == [99, 39, 1]
