"""Processes that a program leaves: limits count them, and reports in JSON that are exported."""

from __future__ import annotations

import json
import os
import random
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
from command import MISSING, check, new_folder, python, record, run, text  # noqa: F401 (a fixture)
from conftest import alone, forks, namespaces
from forked import RUSAGE, needs_peak
from peaks import ERROR
from scenes import wait_until

import rusage
from rusage._cli.run import CAN_ADOPT, Signals

if TYPE_CHECKING:
    from collections.abc import Iterable

if not CAN_ADOPT:
    pytest.skip("this system gives no orphans to the command", allow_module_level=True)

from rusage._cli import formats, orphans

MIB = 2**20
with rusage.Process(os.getpid()) as process:
    HAS_PEAK = "ru_maxrss" in process.measured
LEFT = ", with the processes that it left, "
# Hold 60 MiB and use CPU time, tell the program, and end later, or run on.
WORK = """import os, time
block = bytearray(b"x") * (60 << 20)
while time.process_time() < 0.2: pass
del block
os.close(1), os.close(2)  # no reader of the streams waits for its end
time.sleep({})
"""


def leaving(seconds: float = 0) -> list[str]:
    """Return a program that leaves another one, which does the work and then runs on."""
    return ["sh", "-c", f"( {shlex.join(python(WORK.format(seconds)))} & ) | cat"]


POOL = """
import multiprocessing, time
def hold(size):
    block = b"x" * size
    while time.process_time() < 0.2: pass  # the peak may be sampled
if __name__ == "__main__":
    multiprocessing.set_start_method("forkserver")
    with multiprocessing.Pool(2) as pool:
        pool.map(hold, [60 << 20] * 2)
"""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what a program leaves a minute to end."""
    for name in "PATIENCE", "LONGEST_PATIENCE":
        monkeypatch.setattr(orphans, name, 60.0)


@pytest.mark.usefixtures("patient")  # a busy machine may need more
def test_pool_with_a_fork_server() -> None:
    """Nobody has waited for the server of the pool, which has waited for the workers."""
    Path("pool.py").write_text(POOL)
    line = f"rusage: ...: peak memory of its largest process{LEFT}..."
    members = {"orphans.living": 0, "limits.ru_maxrss.exceeded": True}
    check(f"--json --limit-maxrss 50M {sys.executable} pool.py", 123, line, members)
    found = record()
    assert found["orphans"]["ru_maxrss"] >= 60 * MIB
    assert found["usage"].get("ru_maxrss", 0) < 50 * MIB  # it may not be measured


@pytest.mark.parametrize("seconds", [0, 5], ids=["ended", "living"])
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--limit-maxrss", "50M"], 123),
        (["--limit-maxrss", "50M", "--tree"], 123),
        (["--limit-cputime", "0.15"], 123),
        (["--limit-tree-rss", "900M", "--limit-cputime", "50"], 0),
        (["--against", "base.json"], 0),
    ],
    ids=["peak", "tree", "CPU time", "within", "none"],
)
def test_limits_of_an_orphan(seconds: float, words: list[str], status: int) -> None:
    check("--export base.json true")
    done = run(*words, "--export", "x.json", *leaving(seconds))
    found = record("x.json")
    assert found["orphans"]["living"] == (1 if seconds else 0)
    assert found["orphans"]["ru_maxrss"] >= (60 if HAS_PEAK or not seconds else 5) * MIB
    assert 0.19 < found["orphans"]["cputime"] < 60  # an emulated processor is slow
    assert found["usage"]["ru_utime"] < 0.15
    # Of one that lives, only its present size may be known; an allocator may keep what was freed.
    is_size = words == ["--limit-maxrss", "50M"] and seconds and not HAS_PEAK
    assert done.returncode in ({125, 123} if is_size else {status})
    is_sampled = found.get("tree", {"member_peak": 0})["member_peak"] > 50 * MIB
    # The program alone may exceed the limit where its start is slow.
    own = found["usage"]["ru_utime"] + found["usage"]["ru_stime"]
    is_own = words[0] == "--limit-cputime" and own > 0.15
    assert (LEFT in done.stderr) == (done.returncode == 123 and not is_sampled and not is_own)
    assert ("1 process that it left still ran" in done.stderr) == (
        bool(seconds) and done.returncode == 0 and "--against" not in words
    )


@pytest.mark.skipif(not HAS_PEAK, reason="the peak of a running process is not measured")
@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["--limit-maxrss", "900M"], 125, "they run on, and have waited for others..."),
        (["--limit-maxrss", "50M", "--tree"], 123, "is over the limit..."),
        (["--limit-maxrss", "900M", "--tree"], 0, "earlier use only as it was sampled"),
        (["--limit-tree-rss", "900M"], 0, "earlier use only as it was sampled"),
        (["--limit-cputime", "0.15"], 123, "is over the limit..."),
        (["--limit-cputime", "60"], 0, "later use is not compared"),
    ],
    ids=["unknown", "sampled above", "sampled below", "tree", "CPU time", "CPU time below"],
)
def test_one_that_has_waited_runs_on(words: list[str], status: int, line: str) -> None:
    """The peaks of what it has waited for are known from samples only."""
    server = f"{shlex.join(python(WORK.format(0)))}; touch worked; exec sleep 8 <&- >&- 2>&-"
    wait = "until [ -e worked ]; do sleep 0.05; done; sleep 0.3"
    script = f"( sh -c {shlex.quote(server)} & ); {wait}"
    check([*words, "sh", "-c", script], status, f"rusage: sh: ...{line}")


@pytest.mark.skipif(not HAS_PEAK, reason="the peak of a running process is not measured")
def test_zombie_of_one_that_runs_on() -> None:
    wait = "until [ -e ended ]; do sleep 0.05; done; sleep 0.3"
    script = f"( sh -c '>ended & exec sleep 8 <&- >&- 2>&-' & ); {wait}"
    line = "...they run on, and not all of their peaks are known..."
    check(["--limit-maxrss", "900M", "sh", "-c", script], 125, f"rusage: sh: {line}")


# An orphan tells the program who is its parent.
WHOSE = """
import os, time
if not os.fork():
    parent = os.getpid()
    if not os.fork():
        while os.getppid() == parent: time.sleep(0.01)
        print(os.getppid(), file=open("new", "w"))
        os.rename("new", "parent")
        os._exit(0)
    os._exit(0)
while not os.path.exists("parent"): time.sleep(0.01)
print(int(open("parent").read()) == os.getppid())
"""


def test_nothing_changes_without_a_limit() -> None:
    for words, expected in {("--json",): False, ("--limit-maxrss", "1G"): True}.items():
        assert check([*words, *python(WHOSE)], errors=None).stdout == f"{expected}\n"
        Path("parent").unlink()


def test_those_from_before() -> None:
    """Then what the program leaves cannot be told apart."""
    script = f"[ -e before ] || {{ {leaving(5)[2]}; >before; }}"
    line = "may run on, and are not compared: other processes are left from before\n"
    nothing = {"ru_maxrss": 0, "cputime": 0.0, "living": 0}
    for words, members in (
        (["--prepare", shlex.join(leaving(5)), "true"], {"runs.*.orphans": [nothing, MISSING]}),
        (["sh", "-c", script], {"runs.*.orphans.living": [1, MISSING]}),
    ):
        done = check(["--limit-cputime", "50", "-n", "2", *words], 0, None, members)
        assert done.stderr.count(line) == 1


DOUBT = "of processes that it may have left is over the limit ("


@pytest.mark.parametrize(("limit", "status"), [("0.19", 125), ("50", 0)], ids=["above", "below"])
@pytest.mark.parametrize("name", ["process 1", "from before"])
def test_orphans_in_doubt(name: str, limit: str, status: int) -> None:
    """What ended may be another's: above a limit, it is not checked; within it, it is kept."""
    words = ["--json", "-o", "x.json", "--limit-cputime", limit, "sh", "-c"]
    command = [*RUSAGE, *words, leaving(0)[2] + "; sleep 1"]
    if name == "process 1":
        inside = [*namespaces("--fork", "--pid", "--mount-proc", "--kill-child"), *command]
    else:
        inside = ["sh", "-c", f"sleep 60 <&- >&- 2>&- & exec {shlex.join(command)}"]
    done = subprocess.run(inside, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert (DOUBT in done.stderr) == (status == 125)
    assert "orphans" not in record("x.json")


@forked.needs_fork
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
@pytest.mark.usefixtures("patient")
def test_signal_ends_the_wait(number: signal.Signals) -> None:
    options = ["-n", "9", "--show-output", "--limit-cputime", "9", "-o", "report"]
    words = [*RUSAGE, *options, "sh", "-c", "echo $$; ( sleep 20 & ) >/dev/null"]
    began = time.monotonic()
    with forked.popen(words, stdout=subprocess.PIPE) as series:
        assert series.stdout is not None
        pid = int(series.stdout.readline())
        wait_until(lambda: not is_there(pid), "the end of the program")
        time.sleep(0.5)
        series.send_signal(number)
        assert series.stdout.read() == b""
    assert series.returncode == (-number if number == signal.SIGINT else 128 + number)
    assert time.monotonic() - began < 15
    assert f"stopped by signal {number:d}" in " ".join(text().split())


@forks
@pytest.mark.usefixtures("patient")
@alone
def test_signal_before_the_wait() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as left:
        counted = orphans.Orphans()
        signals = Signals()
        signals.early.append(signal.SIGTERM)
        began = time.monotonic()
        left_over = counted.finish(signals.wait_for_child, at_once=bool(signals.early))
        assert left_over["living"] == 1
        assert time.monotonic() - began < 15
        once = Mock(side_effect=[False])  # the signal arrives in the first wait
        assert counted.finish(once, at_once=False)["living"] == 1
        left.kill()


@alone
def test_orphans_that_end_at_each_look() -> None:
    """What they have used is unknown: others may have ended since."""

    def start_another(_: float) -> bool:
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", ":"], {})
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT) is not None

    with subprocess.Popen(["/bin/sleep", "60"]) as left:
        assert orphans.Orphans().finish(start_another, at_once=False)["living"] is None
        left.kill()


@forked.needs_fork
def test_signal_while_orphans_end(monkeypatch: pytest.MonkeyPatch) -> None:
    count = orphans.Orphans.count

    def count_slowly(self: orphans.Orphans, usage: rusage.RUsage) -> None:
        time.sleep(0.05)
        count(self, usage)

    monkeypatch.setattr(orphans.Orphans, "count", count_slowly)
    Path("on").touch()
    storm = "while [ -e on ] && [ $((i += 1)) -lt 1000 ]; do ( : & ); sleep 0.01; done"
    script = f"( {storm} & ) >&2; echo; sleep 6; exit 3"
    words = ["--json", "-o", "report", "--tree", "--limit-cputime", "99", "sh", "-c", script]
    with forked.popen([*RUSAGE, *words], stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        command.stdout.readline()
        time.sleep(1)
        command.terminate()
        command.wait()
    Path("on").unlink()
    assert record()["signal"] == signal.SIGTERM
    assert record()["orphans"]["living"] != 0  # unknown: they end faster than they are read


@forks
@pytest.mark.parametrize(("peak", "living"), [(None, 0), (1, 1)], ids=["unknown", "known"])
@alone
def test_end_after_the_last_look(peak: int | None, living: int) -> None:
    # The burn is for the systems that sample the peak; the start of Python may take as long.
    code = "import time\nb = bytearray(b'x') * (60 << 20)\nend = time.process_time() + 0.3\n"
    code += "while time.process_time() < end: pass\ndel b\n"
    code += "print(time.process_time(), flush=True)\ntime.sleep(60)"
    left = subprocess.Popen(python(code), stdout=subprocess.PIPE)
    assert left.stdout is not None
    with left.stdout as output:
        spent = float(output.readline())
    counted = orphans.Orphans()
    with orphans.Descendants() as tree:

        def peak_of(pid: int) -> int | None:
            left.kill()
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            return peak

        orphans.peak_of = peak_of
        found = counted._usage_with(tree)  # noqa: SLF001 (after the wait)
    assert 0.9 * spent < found["cputime"] < 1.9 * spent
    assert (found["living"], found["ru_maxrss"] > 40 * MIB) == (living, True)
    left.returncode = 0  # it has been waited for


@forks
@alone
def test_busy_ones_are_waited_for_longer() -> None:
    code = "import time\nwhile time.process_time() < {}: pass\ntime.sleep(60)"
    running = 1 if sys.platform == "linux" else 0
    # The last look that finds it running comes before its CPU time ends: by a pause of 0.05 s,
    # on a busy machine by more.
    for seconds, least, most in (0, 0.5, 1.5), (running, 0.5 + 0.75 * running, 6):
        began = time.monotonic()
        with subprocess.Popen(python(code.format(seconds)), stdin=subprocess.DEVNULL) as left:
            found = orphans.Orphans().finish(Signals().wait_for_child, at_once=False)
            assert found["living"] == 1
            assert least <= time.monotonic() - began < most + 60 * (seconds > 0)
            left.kill()


@forks
@alone
def test_one_that_has_ended_before() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    counted = orphans.become_reaper(is_counted=True)
    assert isinstance(counted, orphans.Orphans)
    assert not [*counted.reap()]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@forked.needs_fork
@pytest.mark.parametrize("method", ["__init__", "members", "sample", "_sample_members"])
def test_processes_that_cannot_be_read(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rusage.Tree, method, Mock(side_effect=OSError(24, "too many")))
    check(["--limit-cputime", "50", "true"])
    message = "rusage: sh: CPU time of processes that it left was not measured..."
    unread = {"ru_maxrss": 0, "cputime": 0.0, "living": None}
    check(["--json", "--limit-cputime", "50", *leaving(5)], 125, message, {"orphans": unread})


@forked.needs_fork
def test_orphans_without_waitid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "waitid", Mock(side_effect=PermissionError(1, "refused")))
    for words in [], ["--tree"], ["-n", "2"]:
        done = run("--json", "--limit-maxrss", "1G", *words, *leaving(0))
        assert "orphans" not in record()
        assert done.stderr.count("that it leaves are not counted: waitid: refused\n") == 1


# --- Stored reports ---


def stored_run(seconds: float, *, has_orphans: bool = False) -> dict[str, Any]:
    usage = {"ru_utime": seconds, "ru_stime": 0.0, "ru_maxrss": MIB}
    left = {"ru_maxrss": 200 * MIB, "cputime": 30.0, "living": 0}
    found: dict[str, Any] = {"exit_status": 0, "elapsed": 1.0, "usage": usage}
    return found | ({"orphans": left} if has_orphans else {})


@needs_peak
@pytest.mark.parametrize(
    "runs", [[True], [False], [True] * 3, [False] * 3, [True, False, True]], ids=str
)
def test_orphans_in_a_stored_report(runs: list[bool]) -> None:
    """The limit is relative to the median with them, or nothing of them counts."""
    stored = [stored_run(5.0, has_orphans=each) for each in runs]
    report = {"version": 2, "command": leaving(), "system": formats.system(), **stored[0]}
    if len(runs) > 1:
        report |= {"runs": [*stored, stored_run(99.0) | {"counted": False}], "summary": {}}
    Path("base.json").write_text(json.dumps(report))
    note = "processes that the program left do not count: one of the two reports lacks them"
    for limit, status in {"maxrss": 123, "cputime": 0}.items():
        words = ["--json", "--against", "base.json", f"--limit-{limit}", "+10%", *leaving()]
        done = check(words, 0 if all(runs) else status, None)
        assert (f"rusage: base.json: {note}\n" in done.stderr) == (not all(runs))
    expected = pytest.approx(38.5 if all(runs) else 5.5)
    assert record()["limits"]["cputime"]["limit"] == expected


# --- Random trees ---

# Each process holds memory, uses CPU time, and writes down how much; then it may wait for children,
# and run on. The first one ends when all have written, so that what it left is at rest.
TREE = """
import json, os, sys, time

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

def run(node, below=False):
    pids = []
    for child in node["children"]:
        pid = os.fork()
        if not pid:
            run(child, below or node["stays"] and node is not root)
            os._exit(0)
        if not child["stays"]:
            pids.append(pid)
    block = bytearray(b"x") * node["size"]
    del block
    end = time.process_time() + node["seconds"]
    while time.process_time() < end: pass
    with open(f"new-{os.getpid()}", "w") as file:
        json.dump([time.process_time(), peak(), below and not node["stays"]], file)
    os.rename(f"new-{os.getpid()}", f"done-{os.getpid()}")
    if node is root:
        while sum(name.startswith("done-") for name in os.listdir()) < count: time.sleep(0.02)
    if node["waits"]:
        for pid in pids: os.waitpid(pid, 0)
    if node["stays"] and node is not root: time.sleep(4)

root, count = json.loads(sys.argv[1])
run(root)
os._exit(0)
"""


def random_tree(choose: random.Random, depth: int = 0) -> dict[str, Any]:
    """Return a process and its children; one that runs on is not waited for."""
    count = choose.choice([1, 2, 3] if depth == 0 else [0, 0, 1, 2] if depth < 4 else [0])
    children = [random_tree(choose, depth + 1) for _ in range(count)]
    return {
        "children": children,
        "size": choose.randrange(1, 40) * MIB,
        "seconds": choose.random() * 0.1,
        "waits": choose.random() < 0.5,
        "stays": choose.random() < 0.15,
    }


# Of a process that runs on, the first tree has children that it has not waited for, the second one
# others; there it has also had the largest peak.
SEEDS = [158, 365]


def number_of(node: dict[str, Any]) -> int:
    return 1 + sum(map(number_of, node["children"]))


@pytest.mark.skipif(
    sys.platform != "linux" or not HAS_PEAK, reason="needs /proc and the peak of a running process"
)
@pytest.mark.parametrize(
    "seeds",
    [SEEDS, pytest.param(range(30), marks=pytest.mark.thorough)],
    ids=["few", "many"],
)
def test_random_trees(seeds: Iterable[int], tmp_path: Path) -> None:
    for seed in seeds:
        root = random_tree(random.Random(seed))
        count = number_of(root)
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        os.chdir(folder)
        words = ["--json", "--limit-cputime", "900", *python(TREE), json.dumps([root, count])]
        check(words, errors=None)
        found = record()
        own = [json.loads(path.read_text()) for path in folder.glob("done-*")]
        assert len(own) == count
        usage, left = found["usage"], found["orphans"]
        seconds = usage["ru_utime"] + usage["ru_stime"] + left["cputime"]
        expected = sum(one[0] for one in own)
        # The end of a process takes time too, and the first one looks at a folder until all are
        # done; a child that was forked begins with nothing.
        assert expected - 0.005 * count - 0.02 <= seconds <= expected + 0.1 * count + 1, (
            seed,
            own,
            found,
        )
        # Of what a process has waited for, or not yet, the peak is unknown while it runs on.
        peak = max(usage["ru_maxrss"], left["ru_maxrss"])
        least = max(one for _, one, is_hidden in own if not is_hidden)
        most = max(one for _, one, _ in own)
        assert least - ERROR - 4 * MIB <= peak <= most + ERROR + 4 * MIB, (seed, own, found)
