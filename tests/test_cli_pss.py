"""``--pss`` and ``--limit-tree-pss``: pages that processes share count once."""

import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import forked
import pytest
from command import (
    check,
    in_words,
    new_folder,  # noqa: F401 (a fixture)
    plain,
    python,
    record,
    started_in_folder,
    table,
    tree_of,
    validated,
)
from conftest import CPYTHON, alone, become_nobody, root
from forked import RUSAGE
from scenes import playing, wait_until

import rusage
from rusage._backends import BACKEND
from rusage._cli import limits
from rusage._cli.figures import figure_of, quantity, run_record
from rusage._cli.options import Options

if "pss" in BACKEND.absent:
    pytest.skip(f"no pss: {BACKEND.absent['pss']}", allow_module_level=True)

from rusage._cli import report, sampling
from rusage._cli.sampling import Recording
from rusage._tree import _FIGURES as FIGURES

MIB = 2**20

# A block, which no garbage collector moves, and children that share it until the end of some
# seconds.
FORKS = """
import mmap, os, time
block = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, 40 << 20, 4096):
    block[page] = 1
r, w = os.pipe()
children = []
for _ in range(6):
    pid = os.fork()
    if not pid:
        os.close(w)
        os.read(r, 1)
        os._exit(0)
    children.append(pid)
os.close(r)
open("started-%d" % os.getpid(), "w").close()
time.sleep({seconds})
os.close(w)
for pid in children:
    os.waitpid(pid, 0)
"""


# While the children start or end, only bounds are known: no sample is taken then.
SELDOM = ["--interval", "2"]


def forks(seconds: float = 3 if CPYTHON else 4.5) -> list[str]:
    return python(FORKS.format(seconds=seconds))


@pytest.fixture
def sampled_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample such a program when all have started; PyPy's command does not see the patch."""
    start = sampling.Sampling.start

    def start_late(self: sampling.Sampling, pid: int, began: float) -> None:
        wait_until(lambda: os.path.exists(f"started-{pid}"), "seven processes")
        start(self, pid, began)

    monkeypatch.setattr(sampling.Sampling, "start", start_late)


@pytest.mark.usefixtures("sampled_at_rest")
def test_pss_of_forks() -> None:
    words = ["--pss", "--samples", "samples.csv", "--export", "x.json", "--export", "x.csv"]
    check([*SELDOM, *words, *forks()], members={"units.tree_pss": "bytes"})
    tree = record("x.json")["tree"]
    assert tree["rss"] > 7 * 40 * MIB
    assert 40 * MIB < tree["pss"] == tree["pss_at_most"] < tree["rss"] / 2
    sizes = [int(row["pss (bytes)"]) for row in table("samples.csv")]
    assert max(sizes) == tree["pss"]
    assert table("x.csv")[0]["tree_pss (bytes)"] == str(tree["pss"])
    assert f"tree PSS {quantity(tree['pss'], 'bytes')}" in in_words()


@pytest.mark.usefixtures("sampled_at_rest")
def test_series_and_stored_report() -> None:
    check([*SELDOM, "--tree", "--pss", "-n", "2", "--export", "x.json", *forks()])
    median = record("x.json")["summary"]["tree_pss"]["median"]
    assert f"tree PSS {quantity(median, 'bytes')}" in in_words()
    words = ["--export", "y.json", "--against", "x.json", "--limit-tree-pss", "+50%"]
    check([*SELDOM, *words, *forks()])
    found = record("y.json")
    assert found["limits"]["tree_pss"] == {"limit": int(median * 1.5), "exceeded": False}
    assert found["tree"]["pss"] is not None
    check(["--tree", "--export", "x.json", *forks(0.3)])
    check([*words, *forks(0.3)], 125, None)


# --- Limits ---


@pytest.mark.usefixtures("sampled_at_rest")
@pytest.mark.parametrize("kill", [[], ["--kill"]], ids=["", "kill"])
def test_limit_above_pss(kill: list[str]) -> None:
    """A sum of RSS above the limit is read again, and a lower one is not."""
    words = [*SELDOM, "--limit-tree-pss", "200M", *kill, "--json", *forks()]
    check(words, members={"limits.tree_pss.exceeded": False})
    assert record()["tree"]["rss"] > 7 * 40 * MIB
    assert record()["tree"]["pss_at_most"] <= 200 * MIB
    below = "MiB, the sum of RSS, below the limit of PSS"
    check(["--limit-tree-pss", "9G", *kill, *forks(0.3)], shown=below)


@pytest.mark.parametrize("kill", [[], ["--kill"]], ids=["", "kill"])
def test_limit_below_pss(kill: list[str]) -> None:
    check(
        ["--limit-tree-pss", "20M", *kill, "--json", *forks()],
        123,
        f"rusage: {sys.executable}: tree PSS of the program and ... over the limit of 20971520 ...",
        {"limits.tree_pss": {"limit": 20 * MIB, "exceeded": True}, "tree.killed": bool(kill)},
    )
    assert record()["tree"]["pss_at_most"] > 20 * MIB


def test_limit_of_a_short_program() -> None:
    line = "rusage: true: tree PSS of the program and its descendants was not measured..."
    unknown = {"limits.tree_pss.exceeded": None}
    check("--interval 100 --limit-tree-pss 9G --json true", 125, line, unknown)


# The bounds; whether that is over a limit of 10 bytes (None: not known), how it is shown, and the
# figure.
CASES: list[tuple[int | None, int, bool | None, str, int | None]] = [
    (11, 11, True, "11 bytes", 11),
    (11, 12, True, "between 11 bytes and 12 bytes", None),
    (10, 10, False, "10 bytes", 10),
    (9, 10, False, "between 9 bytes and 10 bytes", None),
    (10, 11, None, "between 10 bytes and 11 bytes", None),
    (9, 12, None, "between 9 bytes and 12 bytes", None),
    (None, 10, False, "at most 10 bytes, the sum of RSS", None),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdicts(case: Any) -> None:
    at_least, at_most, over, text, figure = case
    sample = rusage.Sample(0.1, 99, 0.0, 2, 0, None)
    ended = run_record(0, {}, 1.0, None, tree_of(sample, bounds=(at_least, at_most)))
    verdict = limits.judge("tree_pss", 10, ended)
    assert (verdict["exceeded"], any(verdict["_notes"])) == (over, False)
    assert (" was between " in verdict["_complaint"]) == (over is None)
    assert report.of_pss(at_least, at_most).startswith(text)
    assert figure_of(ended, "tree_pss") == figure
    kills = sampling.Sampling(Options({"limit-tree-pss": 10}), "x", None)
    recording = Recording(os.getpid(), 1, -1)
    recording.pss_at_least = at_least
    assert kills._exceeds_limit(sample, recording) == (over is True)  # noqa: SLF001 (the rule)


@root
@alone
def test_members_that_may_not_be_read() -> None:
    """Their RSS is the difference of the bounds."""
    with playing() as other:  # of root
        become_nobody()
        with Recording(os.getpid(), 10, -1) as recording:
            pass
        found = sampling.tree_record(recording, os.getpid())
        with rusage.Process(other.pid) as process:
            rss = process.rss()
        at_least, at_most = found["_pss_at_least"], found["pss_at_most"]
        assert at_most - at_least == pytest.approx(rss, rel=0.2)
        assert at_least < rusage.rss()
        assert found["unread"] == 0


# --- Members that start or end during a reading ---


def test_reading_while_members_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated until they are the same before and after it, at most ten times."""

    def bounds(*readings: str) -> tuple[int, int, int]:
        """Return the bounds of PSS, and how many readings are left.

        Each is of processes named by digits, of 7 bytes. A question mark is one that may not be
        read, and a "z" a zombie.
        """
        rest = list(readings)

        def sample_members(tree: rusage.Tree, *, pss: bool = False) -> tuple[rusage.Sample, bytes]:
            pids, _, size = rest.pop(0).partition(":")
            assert bool(size) == pss
            tree._largest_pss = 3  # noqa: SLF001 (a made-up tree)
            tree._zombies = pids.count("z")  # noqa: SLF001 (as above)
            pids, unread = pids.rstrip("z"), pids.count("?")
            sample = rusage.Sample(0.1, 1, 0.0, len(pids), unread, int(size) if pss else None)
            known = [int(pid) for pid in pids if pid != "?"]
            return sample, b"".join(FIGURES.pack(pid, 7, 0, 0, 0.0, b"") for pid in known)

        monkeypatch.setattr(rusage.Tree, "_sample_members", sample_members)
        with rusage.Tree() as tree:
            _, _, at_least, at_most = tree._sample_pss()
            return at_least, at_most, len(rest)

    assert bounds("123", "123:20", "123") == (20, 20, 0)
    assert bounds("123", "123:20", "13", "13:13", "13") == (13, 13, 0)
    assert bounds("123", "12:13", "12", "12:14", "12") == (14, 14, 0)
    assert bounds("12", "123:20", "123", "123:19", "123") == (19, 19, 0)
    assert bounds("12?", "12:13", "12", "12:14", "12") == (14, 14, 0)
    assert bounds("123", "12?:13", "123") == (13, 20, 0)
    assert bounds("12", "123:20", "12", "12:19", "12") == (19, 19, 0)
    assert bounds("12", "12:13", "12z", "12z:14", "12z") == (14, 14, 0)
    changing = ["12:13", "123", "124:13", "124"] * 5
    assert bounds("12", *changing) == (3, 28, 0)
    changing = ["1:6", "2", "2:6", "1"] * 5
    assert bounds("1", *changing) == (3, 14, 0)


# --- A running process ---


def test_running_process() -> None:
    with subprocess.Popen(forks(60), stdin=subprocess.PIPE) as process:
        words = ["--pid", str(process.pid), "--pss", "--json"]
        wait_until(lambda: children_of(process.pid) == 6, "all started")
        found = validated(plain(*words, "--tree").stdout)
        assert found["pss"] < found["tree"]["pss"] / 2
        assert 40 * MIB < found["tree"]["pss"] == found["tree"]["pss_at_most"]
        assert found["tree"]["pss"] < found["tree"]["rss"] / 2
        assert found["units"]["pss"] == "bytes"
        text = plain(*words[:-1], "--tree").stdout
        assert re.search(r"(?m)^PSS now .* MiB$", text)
        assert re.search(r"(?m)^tree PSS now .* MiB$", text)
        words += ["--samples", "samples.csv", "--interval", "0.01"]
        with started_in_folder():
            known = forked.popen([*RUSAGE, *words], stdout=subprocess.PIPE)
        with known:
            time.sleep(0.5)
            known.send_signal(signal.SIGINT)
            recorded = validated(known.communicate()[0])
        assert 40 * MIB < recorded["tree"]["pss"] < recorded["tree"]["rss"] / 2
        process.kill()


def children_of(pid: int) -> int:
    with rusage.Tree(pid) as tree:
        return len(tree.members()) - 1
