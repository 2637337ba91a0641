"""``Tree`` of processes that fork, exec, grow, end, are orphaned, stop and become zombies.

A program is read by ``Tree`` all the time: no reading may contradict its log, or the kernel's
account.
"""

from __future__ import annotations

import contextlib
import os
import platform
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from checks import hide_lists_of_children
from conftest import PROGRAMS, alone, forks
from moving_tree import OPTIONS

import rusage
from rusage._backends import BACKEND
from rusage._rusage import lib

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("Tree" in BACKEND.absent, reason="this system has no Tree"),
    forks,
]
INFINITE = float("inf")
# Ways of the program, and two more: "subreaper" makes this process wait for orphans, so that the
# account is complete; "listed" makes it list all processes, as where /proc has no lists of
# children.
WAYS = ["", "ignore"]
if BACKEND.adopts_orphans:
    WAYS += ["subreaper kill"]
# PyPy does not find itself under the filter.
system = sys.platform, platform.machine(), sys.implementation.name
if system == ("linux", "x86_64", "cpython") and sys.maxsize > 2**32:
    WAYS += ["subreaper listed"]


class Reading(NamedTuple):
    """One reading, and the times before and after it."""

    before: float
    after: float
    pids: set[int]


class Life:
    """What a process wrote of itself."""

    def __init__(self) -> None:
        self.born = self.start = self.end = INFINITE
        self.parent = 0

    def covers(self, reading: Reading) -> bool:
        """Return whether the process lived during the whole reading."""
        return self.start <= reading.before and reading.after <= self.end


def lives(path: Path) -> dict[int, Life]:
    """Read the log."""
    found: dict[int, Life] = {}
    for line in path.read_text().splitlines():
        pid, event, when, number = line.split()
        life = found.setdefault(int(pid), Life())
        if event == "start":
            life.start, life.parent = float(when), int(float(number))
            life.born = min(life.born, life.start)
        elif event == "end":
            life.end = min(life.end, float(when))
        else:
            life.born = float(number)
    return found


def check_members(readings: list[Reading], found: dict[int, Life], *, complete: bool) -> None:
    """Fail if a member is missing, or none of the tree."""
    known: set[int] = set()
    for reading in readings:
        for pid in reading.pids:
            assert pid in found, f"{pid} is no process of the tree"
            assert found[pid].born <= reading.after or found[pid].start == INFINITE
        living = {pid for pid, life in found.items() if life.covers(reading)}
        # With parents that a reading must have seen, or may not have seen for the list of children.
        while complete:
            more = {pid for pid in living - known if found[pid].parent in known & living}
            if not more:
                break
            known |= more
        known = (known | reading.pids) & (living | reading.pids)
        missing = (known & living) - reading.pids
        assert not missing, (missing, reading)


def watch(seed: int, count: int, root: str, ways: list[str], path: Path) -> int:
    """Start a tree, read it until all have ended, and compare; return how many processes it had."""
    if "subreaper" in ways:
        assert [lib.rusage_become_reaper(), lib.rusage_become_reaper()] == [0, 0]
    if "listed" in ways:
        hide_lists_of_children()
    chance = random.Random(seed)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    used_before = rusage.cputime() + rusage.cputime(rusage.RUSAGE_CHILDREN)
    with contextlib.ExitStack() as stack:
        tree = stack.enter_context(rusage.Tree()) if root == "this" else None
        words = [seed / 1e9, count, log, *ways]
        started = time.monotonic()
        command = [sys.executable, *OPTIONS, str(PROGRAMS / "moving_tree.py"), *map(str, words)]
        child = subprocess.Popen(command, pass_fds=[log])
        if tree is None:
            tree = stack.enter_context(rusage.Tree(child.pid))
        readings, last = [], 0.0
        while True:
            before = time.monotonic()
            pids = {member.pid for member in tree.members()} - {os.getpid()}
            readings.append(Reading(before, time.monotonic(), pids))
            sample = tree.sample()
            assert sample.cputime >= last, "the CPU time has fallen"
            last = sample.cputime
            # Where it takes long to list all processes, they get their part of the time too.
            time.sleep(chance.choice([0, 1, 3]) * (time.monotonic() - before))
            if not pids and reap(chance):
                break
        final = tree.cputime()
    child.returncode = 0
    found = lives(path)
    found[child.pid].born = started
    # One list of children may miss some that live.
    complete = "listed" in ways or sys.platform != "linux"
    check_members(readings, found, complete=complete)
    assert final > 0
    if "subreaper" in ways:  # then this process has waited for all of them
        own = rusage.cputime() - used_before
        truth = rusage.cputime(rusage.RUSAGE_CHILDREN) + (own if root == "this" else 0)
        assert final <= truth + 1e-4, (final, truth)
    assert len(readings) > 2
    return len(found)


def reap(chance: random.Random) -> bool:
    """Wait for children, at times; return whether there is none left."""
    while chance.random() < 0.8:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if not pid:
            return False
    return False


# The number of processes is not above the count; it depends on the order in which threads run.
LARGE = [
    pytest.param(seed, 200, marks=[pytest.mark.thorough, pytest.mark.not_emulated])
    for seed in (11, 12, 13)
]


@pytest.mark.parametrize("root", ["this", "child"])
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize(("seed", "count"), [(2, 40), *LARGE])
@alone
def test_random_tree(seed: int, count: int, ways: str, root: str, tmp_path: Path) -> None:
    """No member is missing or foreign; the CPU time never falls.

    It is never above what a reaper has waited for.
    """
    assert watch(seed, count, root, ways.split(), tmp_path / "log") > 2
