"""``rusage --tree``, ``--limit-tree-rss``, ``--kill``, ``--samples``, ``--plot`` and ``--pid``."""

import contextlib
import errno
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import forked
import pytest
from command import (
    MISSING,
    check,
    in_words,
    new_folder,  # noqa: F401 (a fixture)
    nth,
    plain,
    python,
    record,
    started_in_folder,
    table,
    text,
    tree_of,
    validated,
)
from conftest import alone, become_nobody, root
from forked import RUSAGE
from terminals import Start, screen, shown_by

import rusage
from rusage._backends import BACKEND
from rusage._cli.figures import Series, run_record
from rusage._cli.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

if not hasattr(rusage, "Tree"):
    pytest.skip("this system has no Tree", allow_module_level=True)

from rusage._cli import comparison, formats, report, sampling
from rusage._cli.run import CAN_ADOPT
from rusage._cli.sampling import Sampling
from rusage._cli.table import of_runs

PROGRAM = [sys.executable, str(Path(__file__).parent / "programs" / "tree_of_processes.py")]
MIB = 2**20


def test_memory_of_all_processes() -> None:
    check(
        ["--samples", "samples.csv", *PROGRAM, "8", "20"],
        members={
            "tree.processes": 9,
            "tree.interval": 0.01,
            "tree.unread": 0,
            "tree.killed": False,
            "units.tree_rss": "bytes",
        },
        shown=" MiB in 9 processes after ...; sampled every 10 ms",
    )
    found = record("x.json")
    largest = found["tree"]
    assert 160 * MIB <= largest["rss"] < 1000 * MIB
    assert 20 * MIB <= largest["largest_member"]["rss"] <= largest["member_peak"] < 100 * MIB
    assert found["usage"].get("ru_maxrss", 0) < 100 * MIB
    assert 0 < largest["elapsed"] < found["elapsed"]
    rows = table("samples.csv")
    for name in "elapsed (seconds)", "cputime (seconds)":
        column = [float(row[name]) for row in rows]
        assert column == sorted(column)
    assert max(int(row["rss (bytes)"]) for row in rows) == largest["rss"]
    assert max(int(row["processes"]) for row in rows) == 9
    check([*PROGRAM, "1", "1"])
    assert "tree" not in in_words()


# The kernel's peak may be too small by its error, where that is known; the program is process 2.
SMALL, LOWERED = "the peak may be up to 4 KiB too small", ": the kernel has lowered it"
WAITED = ": nobody has waited for it, or the kernel has lowered its peak"
OTHER = "; in another sample, one process had 64 KiB"


def test_sample_above_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, size, largest, pid, expected in (
        (4096, 12288, 12288, 1, [SMALL]),
        (4096, 12289, 16384, 1, [WAITED]),
        (4096, 12289, 12289, 2, [LOWERED]),
        (4096, 8192, 8192, 2, []),
        (None, 12288, 65536, 2, []),
        (4096, 12289, 65536, 1, [WAITED, OTHER]),
        (60000, 4096, 65536, 2, []),
    ):
        monkeypatch.setattr(report, "fields", {"ru_maxrss": Mock(error=error)})
        sample, members = rusage.Sample(0.1, size, 0.0, 1, 0, None), [rusage.Member(pid, size, 0.0)]
        peak = tree_of(sample, members=members, pid=2, member_peak=largest)
        run = run_record(0, {"ru_maxrss": 8192}, 1.0, None, peak)
        shown = " ".join(report.of_run(Series(["x"], [run]), Options({"tree": True}), None).split())
        assert [words for words in (SMALL, WAITED, LOWERED, OTHER) if words in shown] == expected


def test_odd_name_in_reports() -> None:
    sample = rusage.Sample(0.1, 1, 0.0, 1, 0, None)
    members = (rusage.Member(7, 2**20, 0.0, os.fsdecode(b"a|`\n\t\x1b[1m\xff")),)
    peak = tree_of(sample, members=members)
    series, options = Series(["x"], [run_record(0, {}, 1.0, None, peak)]), Options({"tree": True})
    shown = r"a|`\n\t\x1b[1m\xff"
    assert f"largest processes  7  1 MiB  {shown}\n" in report.of_run(series, options, None)
    cell = shown.replace("|", "\\|")
    assert f"| 7 `` {cell} `` 1 MiB |" in formats.markdown_of_runs([series], options, None)
    assert peak["largest_members"] == [{"pid": 7, "rss": 2**20, "name": "a|`\n\t\x1b[1m\\xff"}]


# --- Orphans ---

adopts = pytest.mark.skipif(
    not CAN_ADOPT, reason="this system gives no orphans to another process than init"
)

# Hold 60 MiB for 20 s, whatever SIGTERM says.
HOLD = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); "
    "block = bytearray(b'x') * (60 << 20); open('held', 'w'); time.sleep(20)"
)
# Use CPU time, and then close the pipe that the program reads to the end.
BURN = "import time\nwhile time.process_time() < 0.3: pass"


def in_background(code: str) -> str:
    return f"( {sys.executable} -S -c {shlex.quote(code)} & )"


@adopts
@forked.needs_fork
@pytest.mark.parametrize(
    ("interval", "then", "status"),
    [("0.01", "sleep 20", None), ("60", "until [ -e held ]; do sleep 0.1; done", 0)],
    ids=["", "at the end"],
)
def test_orphans_are_limited_and_killed(
    interval: str, then: str, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "KILL_GRACE", 0.1)
    words = ["--json", "--interval", interval, "--limit-tree-rss", "40MiB", "--kill", "sh", "-c"]
    began = time.monotonic()
    check(
        [*words, f"{in_background(HOLD)}; {then}"],
        123,
        "rusage: sh: ... bytes ... is over the limit of ...: its processes got signals",
        {"exit_status": status, "tree.killed": True},
    )
    assert time.monotonic() - began < 15
    assert record()["tree"]["rss"] > 40 * MIB


@adopts
def test_cpu_time_of_orphans() -> None:
    code = f"""
import subprocess, time
subprocess.run(["sh", "-c", {(in_background(BURN) + " | cat")!r}])
time.sleep(0.1)
while time.process_time() < 0.3: pass
"""
    before = rusage.cputime(rusage.RUSAGE_CHILDREN)
    check(["--interval", "0.25", "--samples", "samples.csv", *python(code)])
    with_the_command = rusage.cputime(rusage.RUSAGE_CHILDREN) - before
    last = table("samples.csv")[-1]
    assert 0.595 < float(last["cputime (seconds)"]) < with_the_command


# A thousand children end at once when the last one has the last end of the pipe.
MANY = (
    "import os; r, w = os.pipe(); "
    "[os.fork() or (os.close(w), os.read(r, 1), os._exit(0)) for _ in range(1000)]"
)
ORPHANS = {
    "zombie": "( true & )",
    "nested": f"{shlex.join(RUSAGE)} --tree -o inner sh -c '( sleep 0.2 & ); sleep 0.1'",
    "signal to a group": "( setsid sleep 60 & echo $! >pid ); "
    "until kill -- -$(cat pid); do sleep 0.05; done",
    "many": f"{sys.executable} -S -c {shlex.quote(MANY)}",
}


@adopts
@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="processes have no list of children here"
)
@pytest.mark.parametrize("script", ORPHANS.values(), ids=ORPHANS)
def test_orphans_are_waited_for(script: str) -> None:
    """Those of a command within the command become the outer one's at its end."""
    others = '[ "$(cat /proc/$PPID/task/*/children)" != "$$ " ]'
    wait = f"n=0; while {others}; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done"
    check(["--tree", "sh", "-c", f"{script}; {wait}"], errors=None)
    assert script != ORPHANS["nested"] or "tree memory" in Path("inner").read_text()


@adopts
def test_orphans_of_earlier_runs() -> None:
    words = "--json --tree -n 3 --show-output sh -c '( sleep 9 & ); sleep 1'"
    line = "that it may have left were not sampled: other processes are left from before"
    check(words, 0, f"rusage: sh: ...{line}")
    assert all(one["tree"]["processes"] <= 4 for one in record()["runs"])


def test_program_that_ends_before_the_second_sample() -> None:
    """The first one finds a program that has not done anything, the last one its orphans."""
    missing = "tree memory not measured: the program ended before the second sample"
    for command in "true", "sh -c 'sleep 1 & exit 0'":
        check(f"--tree --interval 100 {command}", shown=missing)
    check("--samples samples.csv --interval 100 true", members={"tree": MISSING})
    assert len(Path("samples.csv").read_text().splitlines()) == 1
    assert plain("-o", "-", "--samples", "./-", "true").returncode == 0  # not the same file
    printed = check("--samples - --interval 100 true").stdout
    assert printed == Path("samples.csv").read_text()
    # Of this run: samples may miss a short peak.
    done = check("--json --limit-tree-rss 1 --interval 100 true", {123, 125}, None)
    assert done.returncode == (123 if "ru_maxrss" in record()["usage"] else 125)


@forked.needs_fork
@pytest.mark.parametrize("samples", [0, 3])
def test_tree_that_cannot_be_sampled(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit cannot be checked, unless one process exceeds it."""
    read, taken = rusage.Tree._read_into, iter(range(samples))  # noqa: SLF001 (what a sample calls)

    def read_first(*arguments: Any) -> Any:
        if next(taken, None) is None:
            Path("failed").touch()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return read(*arguments)

    monkeypatch.setattr(rusage.Tree, "_read_into", read_first)
    waits = "import os, sys, time\nwhile not os.path.exists('failed'): time.sleep(0.01)\n"

    def check_sampled(
        options: str, status: int | set[int], end: str = "", **checks: Any
    ) -> subprocess.CompletedProcess[str]:
        Path("failed").unlink(missing_ok=True)
        return check([*options.split(), *python(waits + end)], status, **checks)

    with program("time.sleep(0.5)") as process:
        done = plain("--pid", str(process.pid), "--samples", "samples.csv")
    reason = os.strerror(errno.EMFILE)
    assert (done.returncode, done.stderr) == (0 if samples else 125, f"rusage: --pid: {reason}\n")
    assert Path("samples.csv").exists() == (samples > 0)  # a new file without a report goes
    if samples:
        assert len(Path("samples.csv").read_text().splitlines()) == samples + 1
    message = f"the tree {'could no longer' if samples else 'cannot'} be sampled: {reason}"
    check_sampled(
        "--json --limit-tree-rss 1TiB",
        125,
        errors=f"rusage: {sys.executable}: {message}\nrusage: ...its limit cannot be checked",
        members={"tree": MISSING, "limits.tree_rss.exceeded": None},
    )
    if "pss" not in BACKEND.absent:
        check_sampled("--limit-tree-pss 1TiB", 125, errors=None)
    missing = f"tree memory not measured: {message}"
    check_sampled("--tree", 3, "sys.exit(3)", errors=None, shown=missing)
    for kill in "", "--kill":
        done = check_sampled(f"--json --limit-tree-rss 1 {kill}", {123, 125}, errors=None)
        is_over = samples or "ru_maxrss" in record()["usage"]  # of a short run not on each system
        assert done.returncode == (123 if is_over else 125)


@forked.needs_fork
def test_times_count_from_the_start_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    opens = rusage.Tree.__init__

    def open_late(*arguments: Any) -> None:
        time.sleep(0.3)
        opens(*arguments)
        Path("opened").touch()

    monkeypatch.setattr(rusage.Tree, "__init__", open_late)
    script = "until test -e opened; do sleep 0.1; done; sleep 0.2"
    check(f"--samples samples.csv --export x.json sh -c '{script}'")
    first, *_ = table("samples.csv")
    assert 0.3 <= float(first["elapsed (seconds)"]) <= record("x.json")["tree"]["elapsed"]


@pytest.mark.parametrize(
    ("options", "programs"), [([], 1), (["-n", "2"], 1), (["-n", "2", "--compare"], 2)], ids=str
)
def test_tree_is_in_each_report(options: list[str], programs: int) -> None:
    exports = ["--export", "a.json", "--export", "a.csv", "--export", "a.md"]
    program = [*PROGRAM, "6", "20"]
    command = [shlex.join(program)] * 2 if programs == 2 else program
    check(["--tree", *exports, *options, *command], shown="sampled every 10 ms")
    found, markdown = record("a.json"), Path("a.md").read_text()
    for each in found.get("commands", [found]):
        trees = [made["tree"] for made in each.get("runs", [each])]
        sizes = [tree["rss"] for tree in trees]
        assert not options or each["summary"]["tree_rss"]["mean"] == sum(sizes) / 2
        late = max(tree["missed"] for tree in trees)
        assert min(sizes) >= 120 * MIB or late > 20  # intervals of the half second
        assert {*sizes} <= {int(row["tree_rss (bytes)"]) for row in table("a.csv")}
        largest = max(trees, key=lambda tree: tree["rss"])
        named = largest["largest_members"]
        assert len(named) == 5
        assert named[0]["rss"] == largest["largest_member"]["rss"]
        assert named == sorted(named, key=lambda one: one["rss"], reverse=True)
        assert all(f"{one['pid']} `{one['name']}` " in markdown for one in named)
        rows = "\n".join(rf" +{one['pid']} .* {re.escape(one['name'])}" for one in named)
        assert programs == 2 or re.search(f"(?m)^largest processes{rows}$", text())
    assert "tree memory of the program and its descendants |" in markdown or not options
    assert re.search(r"tree memory +\d\S+ MiB", text())


def peak_of(rss: int, unread: int = 0) -> dict[str, Any]:
    """Return the samples of a tree: one of 8192 bytes, and one that may lack processes."""
    samples = [
        rusage.Sample(0.1, size, 0.0, 2, lacking, None)
        for size, lacking in [(8192, 0), (rss, unread)]
    ]
    return tree_of(*samples, missed=3)


@pytest.mark.parametrize("commands", [1, 2], ids=["series", "comparison"])
@pytest.mark.parametrize(
    ("peaks", "row"),
    [
        ([peak_of(1), None, peak_of(1)], "left out: {1} of {3} runs ended without a sample"),
        (
            [peak_of(1)] * 2,
            "of the program and its descendants; sampled every 10 ms, {6} samples missed",
        ),
        (
            [peak_of(1), peak_of(4096, 1)],
            "{6} samples missed; {1} of {2} runs had processes that could not be read",
        ),
        ([], ""),
    ],
    ids=["no sample", "missed", "unread", "no run"],
)
def test_trees_of_runs(commands: int, peaks: list[dict[str, Any] | None], row: str) -> None:
    runs = [run_record(0, {}, 1.0, None, peak) for peak in (*peaks, peak_of(2**40))]
    runs[-1]["_counted"] = False  # is ignored
    found = [Series(["x"], runs)] * commands
    comparison.compare(found)
    options = Options({"tree": True} if commands == 1 else {"tree": True, "compare": True})
    shown = " ".join(of_runs(found, options, None).split())
    assert row.format(*range(0, 7 * commands, commands)) in shown
    assert ("tree memory" in shown) == bool(peaks)
    assert ("8 KiB" in shown or "tree (KiB)" in shown or "tree memory (KiB)" in shown) == (
        bool(peaks) and None not in peaks
    )
    if None not in peaks:
        assert found[0].largest_tree is (peaks[0] if peaks else None)


def test_samples_that_are_enough() -> None:
    """Two with processes, and the last one."""
    one = peak_of(1)["_samples"][0]
    none = one._replace(processes=0)
    for count in range(5):
        for samples in [one] * count, [none, *[one] * (count - 1), one]:
            recording = Mock(samples=samples)
            is_known = Sampling._is_known(Mock(unsampled=""), recording)  # noqa: SLF001 (the rule)
            assert is_known == (samples[:-1].count(one) > 1)


# --- Limits ---


def test_limit_of_the_tree() -> None:
    check(
        ["--limit-tree-rss", "100MiB", "--json", *PROGRAM, "8", "20"],
        123,
        f"rusage: {sys.executable}: tree memory of the program and its descendants ...",
        {
            "limits.tree_rss": {"limit": 100 * MIB, "exceeded": True},
            "exit_status": 0,
            "tree.killed": False,
        },
    )
    assert "--kill" not in in_words()
    check(["--limit-tree-rss", "10GiB", *PROGRAM, "2", "20"])
    for kill in "", "--interval 10 --kill":  # the first sample is not judged after the end
        check(f"--limit-tree-rss 1 {kill} sh -c 'sleep 0.2; exit 7'", 7, None)


def living(pids: "Iterable[int]") -> list[int]:
    """Return which processes are alive; init may not have waited for a zombie yet."""
    alive = []
    for each in pids:
        with contextlib.suppress(ProcessLookupError), rusage.Tree(each) as found:
            alive += [each] if found.sample().processes else []
    return alive


# --kill does not find a process that the program starts after a sample and just before the signal.
kills_all = pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="processes of PyPy exceed the limit before all of them have been started",
)


@kills_all
@pytest.mark.parametrize(
    ("options", "runs", "line"),
    [
        ([], 0, f"killed by signal {signal.SIGTERM} (SIGTERM); signals of --kill were sent"),
        (["-n", "2"], 1, "failures 1: run 1 (--kill)"),
        (["-n", "2", "--ignore-failure"], 2, "failures 2: run 1 (--kill), run 2 (--kill)"),
    ],
    ids=str,
)
def test_kill_ends_all_members(options: list[str], runs: int, line: str) -> None:
    limit = ["--limit-tree-rss", "100MiB", "--kill", "--export", "x.json", "--export", "x.md"]
    whose = "of the program or a child that it has waited for"
    began = time.monotonic()
    done = check([*options, *limit, *PROGRAM, "8", "20", "stay"], 123, None, shown=line)
    assert time.monotonic() - began < 60
    # The sample has a larger one, for which the program could not wait.
    assert "of its largest process" not in in_words() + Path("x.md").read_text()
    # The peak may not be measured.
    assert (whose in in_words()) == (runs != 1 and "peak memory" in in_words())
    for said in "is over the limit", "its processes got signals":
        assert done.stderr.count(said) == max(runs, 1)
    found = record("x.json")
    ends = [(each["tree"]["killed"], each["signal"]) for each in found.get("runs", [found])]
    assert ends == [(True, signal.SIGTERM)] * max(runs, 1)
    assert living(map(int, done.stdout.split())) == []


# It ends with status 0 after SIGTERM.
OBEDIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
block = bytearray(b"x") * (60 << 20)
while True: time.sleep(0.05)
"""


@kills_all
def test_killed_run_that_succeeds() -> None:
    hold = "block = b'x' * (30 << 20); import time; time.sleep(2)"
    check(["--export", "base.json", "--tree", *python(hold)])
    assert record("base.json")["tree"]["rss"] > 30 * MIB
    words = ["--limit-tree-rss", "+10%", "--kill", "--against", "base.json", "--export", "x.json"]
    kept = {"exit_status": 0, "limits.tree_rss.exceeded": True}
    done = check([*words, *python(OBEDIENT)], 123, None, kept)
    assert "no run has succeeded" not in done.stderr
    end = "the series has ended: run 1 (--kill); see --ignore-failure"
    lines = f"rusage: base.json: ...\nrusage: ...: its processes got signals\nrusage: ...: {end}"
    check(["-n", "3", *words, *python(OBEDIENT)], 123, lines, {"runs.*.counted": [False]})


@kills_all
def test_kill_in_the_warm_up() -> None:
    words = ["--warmup", "1", "-n", "1", "--ignore-failure", "--limit-tree-rss", "100MiB", "--kill"]
    check([*words, *nth(1, "held = bytes([1]) * (150 << 20); time.sleep(60)")], 123, None)
    assert "failures" not in in_words()


@kills_all
def test_kill_of_members_that_ignore_sigterm() -> None:
    began = time.monotonic()
    options = ["--limit-tree-rss", "100MiB", "--kill", "--json", "--samples", "samples.csv"]
    words = [*options, *PROGRAM, "8", "20", "stay", "stubborn"]
    done = check(words, 123, None, {"signal": signal.SIGTERM})
    assert 5 <= time.monotonic() - began < 60
    assert len(done.stdout.split()) >= 4
    last = float(table("samples.csv")[-1]["elapsed (seconds)"])
    assert last > record()["elapsed"] + 2
    assert living(map(int, done.stdout.split())) == []


@forked.needs_fork
@pytest.mark.parametrize("permitted", [True, False])
def test_members_that_cannot_be_killed(permitted: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "KILL_GRACE", 0.1)
    monkeypatch.setattr(sampling, "KILL_PATIENCE", 0.1)
    monkeypatch.setattr(sampling, "may_signal", lambda _: permitted)
    monkeypatch.setattr(rusage.Tree, "send_signal", Mock(side_effect=PermissionError(1, "")))
    script = "sleep 60 >&- 2>&- & echo $!; sleep 0.5"
    done = check(["--limit-tree-rss", "1", "--kill", "sh", "-c", script], 123, None)
    os.kill(int(done.stdout), signal.SIGKILL)
    why = "still running after the kill" if permitted else "no permission to kill"
    assert f"rusage: sh: {why}: process {done.stdout}" in done.stderr
    assert ("got signals" in done.stderr) == ("signals of --kill" in in_words()) == permitted
    assert done.stderr.count("is over the limit") == 1


def test_kill_until_two_readings_find_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that lives, or an orphan that has ended, may have started another process."""
    for name, value in {"KILL_GRACE": 0, "KILL_PATIENCE": 60, "may_signal": bool}.items():
        monkeypatch.setattr(sampling, name, value)
    tree, orphans = Mock(), Mock()
    tree.sample.return_value.processes = 0
    tree.members.side_effect = [[], [1], [], [], [], [], []]
    orphans.reap_until.side_effect = [False, False, False, True, False, False]
    killing = Sampling(Options({}), "x", orphans)
    killing._kill(tree)  # noqa: SLF001 (without a program)
    assert tree.send_signal.call_count == 6


@forked.needs_fork
def test_kill_of_a_tree_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rusage.Tree, "members", Mock(side_effect=OSError(errno.EMFILE, "")))
    words = "--limit-tree-rss 1 --kill --json sleep 60"
    check(words, 123, None, {"signal": signal.SIGTERM})


@root
@alone
def test_permission_to_signal() -> None:
    """A process that has ended is not one that may not be signalled."""
    become_nobody()
    members = [rusage.Member(pid, 0, 0.0) for pid in (os.getpid(), os.getppid(), 2**22 - 1)]
    assert [*map(sampling.may_signal, members)] == [True, False, True]


@adopts
@forked.needs_fork
def test_signal_while_killed_orphans_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "KILL_GRACE", 2)
    hold = HOLD.replace("signal.SIG_IGN", "lambda *_: print('term', flush=True)")
    # A handler runs between two calls.
    hold = hold.replace("time.sleep(20)", "[time.sleep(0.01) for _ in range(2000)]")
    options = ["-n3", "--ignore-failure", "--show-output", "--limit-tree-rss", "40M", "--kill"]
    words = [*RUSAGE, *options, "sh", "-c", f"echo run; {in_background(hold)}; sleep 20"]
    with forked.popen(words, stdout=subprocess.PIPE, text=True) as series:
        assert series.stdout is not None
        assert [series.stdout.readline() for _ in range(2)] == ["run\n", "term\n"]
        time.sleep(0.5)  # the shell has ended
        series.send_signal(signal.SIGTERM)
        assert series.communicate()[0] == ""
    assert series.returncode == 123


@forked.needs_fork
def test_no_thread_can_be_started(on_terminal: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "can't start new thread"
    monkeypatch.setattr("_thread.start_new_thread", Mock(side_effect=RuntimeError(reason)))
    words = ["--json", "--limit-tree-rss", "1KiB", "--kill", *python("print('end')")]
    message = f"rusage: ...: the tree cannot be sampled: {reason}\nrusage: ..."
    done = check(words, {123, 125}, message)
    assert done.stdout == "end\n"
    assert done.returncode == (123 if "ru_maxrss" in record()["usage"] else 125)
    shown = shown_by(on_terminal, *RUSAGE, "-n", "1", "echo", "out")
    assert re.search(f"(?s)the output is not hidden: {reason}.*out\r\n", shown)
    done = plain("--pid", str(os.getpid()), "--interval", "1")
    assert (done.returncode, done.stderr) == (125, f"rusage: --pid: {reason}\n")


# --- Samples and pictures ---


def test_pictures() -> None:
    """Neither a formula nor a tab of the command gives a warning."""
    # Imported once for the forked children.
    pytest.importorskip(
        "matplotlib.backends.backend_agg", reason="no matplotlib: pip install matplotlib"
    )
    for suffix, start in ("PNG", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"):
        check(["--plot", f"tree.{suffix}", "sh", "-c", "sleep 0.2 # $x_{$\t\n"])
        assert Path(f"tree.{suffix}").read_bytes().startswith(start)


def test_parts_of_the_picture() -> None:
    """The CPU time of each part is divided by its length; a long recording has a hundred."""
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install matplotlib")
    many = [(number / 10, number / 5) for number in range(1001)]
    for times, expected in ([(0, 0), (1, 2), (1, 2), (3, 3)], [2, 0.5]), (many, [2] * 100):
        samples = [rusage.Sample(elapsed, 1, spent, 1, 0, None) for elapsed, spent in times]
        _, axes = formats.picture("x", tree_of(*samples)).axes
        steps: Any = axes.patches[0]
        assert [*steps.get_data().values] == pytest.approx(expected)


@forked.needs_fork
def test_matplotlib_that_cannot_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a backend that does not exist, or without LaTeX."""
    failing = Mock(side_effect=ImportError("no freetype\x1b[31m"))
    monkeypatch.setattr("rusage._cli.formats.picture", failing)
    monkeypatch.setattr(importlib.util, "find_spec", Mock())
    message = r"rusage: tree.png: matplotlib cannot draw this: ImportError: no freetype\x1b[31m"
    for command, status in (["sleep", "1"], 125), (["sh", "-c", "sleep 1; exit 3"], 3):
        check(["--plot", "tree.png", *command], status, message)
    Path("old.png").write_text("before")
    check("--limit-tree-rss 1 --plot old.png sleep 1", 123, None)
    assert not Path("tree.png").exists()  # a new file without a report goes
    assert Path("old.png").read_text() == "before"


@forked.needs_fork
def test_picture_needs_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = "rusage: --plot needs matplotlib: pip install 'rusage[plot]', ...\n..."
    assert check("--plot tree.png echo started", 2, message).stdout == ""


# --- A running process ---


@contextlib.contextmanager
def program(code: str) -> "Iterator[subprocess.Popen[str]]":
    """Run a program with a block of 50 MiB until it reads a line, or ends by itself."""
    code = (
        f"import rusage, time; block = b'x' * (50 << 20); print(rusage.rss(), flush=True); {code}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as found:
        yield found
        found.communicate("\n")


def test_running_process() -> None:
    with program("input()") as process:
        assert process.stdout is not None
        own = int(process.stdout.readline())
        shown = plain("--pid", str(process.pid), "--tree").stdout
        found = validated(plain("--pid", str(process.pid), "--tree", "--json").stdout)
    assert abs(found["rss"] - own) < 10 * MIB
    (largest,) = found["tree"].pop("largest_members")
    assert largest["rss"] == found["rss"]
    assert re.search(rf"(?m)^largest processes +{process.pid} .* MiB  {largest['name']}$", shown)
    assert found["tree"] == {"rss": found["rss"], "processes": 1, "unread": 0}
    assert found["usage"]["ru_utime"] >= 0
    assert found["units"].keys() == {"rss", *found["usage"]}
    assert re.search(rf"(?m)^process +{process.pid}$", shown)
    assert re.search(r"(?m)^tree now .* in 1 process$", shown)
    done = plain("--pid", str(process.pid))
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == f"rusage: --pid: No such process: {process.pid}\n"


def recording_of(process: "subprocess.Popen[str]", *words: str) -> "subprocess.Popen[str]":
    """Record a process, with samples in a file, and return when that has begun."""
    words = (*RUSAGE, "--pid", str(process.pid), "--samples", "samples.csv", *words)
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    recording: subprocess.Popen[str]
    with started_in_folder():
        recording = forked.popen(words, text=True, **pipes)
    return recording


def test_recorded_process() -> None:
    with program("time.sleep(1)") as process:
        recording = recording_of(process, "--interval", "0.02", "--json")
        output, errors = recording.communicate()
    found = validated(output)
    rows = table("samples.csv")
    assert (recording.returncode, errors, found["pid"]) == (0, "", process.pid)
    assert max(int(row["rss (bytes)"]) for row in rows) == found["tree"]["rss"] >= 50 * MIB
    assert 0 < found["elapsed"] <= float(rows[-1]["elapsed (seconds)"])
    assert found["units"].keys() == {"elapsed", *found["usage"]}


@pytest.mark.parametrize("is_zombie", [False, True], ids=["waited for", "zombie"])
def test_end_long_before_the_next_sample(*, is_zombie: bool) -> None:
    """The last figures that the system had are in the record."""
    if is_zombie and not (BACKEND.name in {"Linux", "FreeBSD", "macOS"} and hasattr(os, "waitid")):
        pytest.skip(reason="a zombie has no times here, or there is no waitid")
    burn = "import sys, time; sys.stdin.read(); end = time.process_time() + 0.3\n"
    burn += "while time.process_time() < end: pass\n"
    # A zombie has used it since the last reading; another one is read once more.
    code = burn if is_zombie else f"{burn}time.sleep(1)"
    words = python(code)
    with subprocess.Popen(words, stdin=subprocess.PIPE, text=True) as process:
        recording = recording_of(process, "--interval", "1e6", "--json")
        time.sleep(0.5)
        began = time.perf_counter()
        assert process.stdin is not None
        process.stdin.close()
        if is_zombie:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        else:
            process.wait()
        lived = time.perf_counter() - began
        found = validated(recording.communicate()[0])
    assert float(table("samples.csv")[-1]["cputime (seconds)"]) >= 0.3 - 0.03  # ticks of 10 ms
    assert found["elapsed"] >= lived


def test_recording_says_how_it_ends(on_terminal: Start) -> None:
    with program("time.sleep(1)") as process:
        words = [*RUSAGE, "--pid", str(process.pid), "--interval", "0.02"]
        written = shown_by(on_terminal, *words)
    assert f"recording until process {process.pid} ends, or Ctrl-C" in written
    assert not any("Ctrl" in line for line in screen(written.encode()))


def test_samples_stay_without_standard_output() -> None:
    with program("input()") as process:
        words = [*RUSAGE, "--pid", str(process.pid), "--samples", "samples.csv"]
        with started_in_folder():
            recording = subprocess.Popen(words, preexec_fn=lambda: os.close(1))  # noqa: PLW1509 (no other thread)
        time.sleep(0.5)
    assert recording.wait() == 125
    assert len(table("samples.csv")) > 1


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_signal_ends_the_recording(number: signal.Signals) -> None:
    with program("input()") as process:
        recording = recording_of(process)
        time.sleep(0.5)
        recording.send_signal(number)
        shown = recording.communicate()[0]
        assert process.poll() is None
    assert recording.returncode == 0
    assert re.search(r"(?m)^recorded .*; still running$", shown)
    assert re.search(r"(?m)^tree memory .* in 1 process ", shown)
    assert len(table("samples.csv")) > 1
