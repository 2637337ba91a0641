"""Watch a tree of processes that do random things, and compare: ``watched_tree.py SEED COUNT ROOT WAYS``.

Reads ``moving_tree.py`` by ``Tree`` all the time, and fails if a reading contradicts the log of the processes or the
kernel's account. ROOT is "this" process or the "child". WAYS are as there, and two more: "subreaper" makes this program
wait for orphans, so that the account is complete; on Linux, "listed" makes it list all processes, as where /proc has no
lists of children.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from checks import hide_lists_of_children, limit_time
from moving_tree import OPTIONS

import rusage
from rusage._rusage import lib

INFINITE = float("inf")
PROGRAM = Path(__file__).with_name("moving_tree.py")


class Reading(NamedTuple):
    """One reading, and the times before and after it."""

    before: float
    after: float
    sizes: dict[int, int]


class Life:
    """What a process wrote of itself."""

    def __init__(self) -> None:
        self.born = self.start = self.end = INFINITE
        self.parent, self.used = 0, 0.0
        self.holds: list[tuple[float, int]] = []

    def covers(self, reading: Reading) -> bool:
        """Return whether the process lived during the whole reading."""
        return self.start <= reading.before and reading.after <= self.end

    def held(self, reading: Reading) -> int:
        """Return the least size of the memory that the process held during a reading."""
        earlier = [size for when, size in self.holds if when <= reading.before]
        return min(
            [*earlier[-1:], *(size for when, size in self.holds if reading.before < when <= reading.after)], default=0
        )


def lives(path: str) -> dict[int, Life]:
    """Read the log."""
    found: dict[int, Life] = {}
    for line in Path(path).read_text().splitlines():
        pid, event, when, number = line.split()
        life = found.setdefault(int(pid), Life())
        if event == "start":
            life.start, life.parent = float(when), int(float(number))
            life.born = min(life.born, life.start)
        elif event == "end":
            life.end, life.used = min(life.end, float(when)), float(number)
        elif event == "born":
            life.born = float(number)
        else:
            life.holds.append((float(when), int(float(number))))
    return found


def check_members(readings: list[Reading], found: dict[int, Life], *, complete: bool) -> int:
    """Fail if a member is missing, or none of the tree; return how many members had to be there."""
    known: set[int] = set()
    required = 0
    for reading in readings:
        for pid in reading.sizes:
            assert pid in found, f"{pid} is no process of the tree"
            assert found[pid].born <= reading.after or found[pid].start == INFINITE
        living = {pid for pid, life in found.items() if life.covers(reading)}
        while complete:  # with parents that a reading must have seen, or may not have seen for the list of children
            more = {pid for pid in living - known if found[pid].parent in known & living}
            if not more:
                break
            known |= more
        known = (known | reading.sizes.keys()) & (living | reading.sizes.keys())
        missing = (known & living) - reading.sizes.keys()
        assert not missing, (missing, reading)
        required += len(known & living)
        for pid in living & reading.sizes.keys():
            assert reading.sizes[pid] >= found[pid].held(reading), pid
    return required


def watch(seed: int, count: int, root: str, ways: list[str]) -> None:
    """Start a tree, read it until all have ended, and compare."""
    if "subreaper" in ways:
        assert lib.rusage_become_reaper() == 0
    if "listed" in ways:
        hide_lists_of_children()
    chance = random.Random(seed)
    log, path = tempfile.mkstemp()
    os.set_inheritable(log, True)  # noqa: FBT003 (takes no keyword)
    os.lseek(log, 0, os.SEEK_END)
    with open(path, "ab", buffering=0) as appended:
        os.dup2(appended.fileno(), log)
    used_before = rusage.cputime() + rusage.cputime(rusage.RUSAGE_CHILDREN)
    with contextlib.ExitStack() as stack:
        tree = stack.enter_context(rusage.Tree()) if root == "this" else None
        words = [seed / 1e9, count, log, *ways]
        started = time.monotonic()
        child = subprocess.Popen([sys.executable, *OPTIONS, PROGRAM, *map(str, words)], pass_fds=[log])
        if tree is None:
            tree = stack.enter_context(rusage.Tree(child.pid))
        readings, last = [], 0.0
        while True:
            before = time.monotonic()
            sizes = {member.pid: member.rss for member in tree.members() if member.pid != os.getpid()}
            readings.append(Reading(before, time.monotonic(), sizes))
            sample = tree.sample()
            assert sample.cputime >= last, "the CPU time has fallen"
            last = sample.cputime
            if chance.random() < 0.3:
                time.sleep(chance.choice([0, 0.001, 0.02]))
            if not sizes and reap(chance):
                break
        final = tree.cputime()
    child.returncode = 0
    found = lives(path)
    found[child.pid].born = started
    os.unlink(path)
    complete = "listed" in ways or sys.platform != "linux"  # one list of children may miss some that live
    required = check_members(readings, found, complete=complete)
    own = rusage.cputime() - used_before
    if "subreaper" in ways:  # then this process has waited for all of them
        truth = rusage.cputime(rusage.RUSAGE_CHILDREN) + (own if root == "this" else 0)
        assert final <= truth + 1e-4, (final, truth)
    else:  # without their ends
        truth = sum(life.used for life in found.values()) + (own if root == "this" else 0)
    print(len(found), len(readings), required, f"{final / truth:.3f}")


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


if __name__ == "__main__":
    limit_time()
    watch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
