"""``Tree`` of processes that start, execute, work, stop, end and are orphaned, in any order.

After each step it has the living ones as its members. During a step no reading loses a member, and
the CPU time is neither below what they say, nor above what a reaper has waited for.
"""

from __future__ import annotations

import contextlib
import os
import platform
import select
import signal
import sys
import time

import pytest
from checks import hide_lists_of_children
from conftest import alone, forks
from scenes import Actor, Scene

import rusage
from rusage._backends import BACKEND
from rusage._rusage import lib

try:
    from hypothesis import HealthCheck, settings
    from hypothesis import strategies as st
    from hypothesis.stateful import (
        RuleBasedStateMachine,
        invariant,
        precondition,
        rule,
        run_state_machine_as_test,
    )
except ModuleNotFoundError:
    pytest.skip(reason="no hypothesis: pip install --group tests", allow_module_level=True)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif("Tree" in BACKEND.absent, reason="this system has no Tree"),
    forks,
]
TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0
# Of the processes, and of this one: "subreaper" makes it wait for orphans, so that its account is
# complete; "listed" makes it list all processes, as where /proc has no lists of children.
WAYS = ["", "ignore"]
if BACKEND.adopts_orphans:
    WAYS += ["subreaper"]
# PyPy does not find itself under the filter.
system = sys.platform, platform.machine(), sys.implementation.name
if system == ("linux", "x86_64", "cpython") and sys.maxsize > 2**32:
    WAYS += ["subreaper listed"]
one = st.integers(0, 1000)  # of the living actors


def time_of_all() -> float:
    """Return the CPU time of this process and of all that it has waited for."""
    return rusage.cputime() + rusage.cputime(rusage.RUSAGE_CHILDREN)


class Moving(RuleBasedStateMachine):
    """A tree whose root is this process or a child, and its steps."""

    root, ways = "this", ""

    def __init__(self) -> None:
        super().__init__()
        self.before = time_of_all()
        tree = rusage.Tree() if self.root == "this" else None
        self.scene = Scene("fork")
        self.tree = tree or rusage.Tree(self.scene.pid)
        self.living, self.parents = [self.scene.root], {self.scene.pid: os.getpid()}
        self.seen: set[int] = set()
        self.cputime = self.burnt = 0.0
        if "ignore" in self.ways:
            self.scene.root("ignore_children")

    def members(self) -> set[int]:
        """Return the members' process IDs but for this process."""
        return {member.pid for member in self.tree.members()} - {os.getpid()}

    def pids(self) -> set[int]:
        """Return the process IDs of the living actors."""
        return {actor.pid for actor in self.living}

    def take(self, number: int) -> Actor:
        """Return one of the living actors."""
        return self.living[number % len(self.living)]

    def add(self, actor: Actor, parent: Actor) -> None:
        """Note a start."""
        self.living.append(actor)
        self.parents[actor.pid] = parent.pid

    @precondition(lambda self: 0 < len(self.living) < 12)
    @rule(number=one, way=st.sampled_from(["fork", "fork", "fork_in_thread", "execute"]))
    def start(self, number: int, way: str) -> None:
        """Let one start another one."""
        parent = self.take(number)
        self.add(parent.start(way), parent)

    @precondition(lambda self: self.living)
    @rule(number=one)
    def execute(self, number: int) -> None:
        """Let one become another program."""
        before = self.take(number)
        self.living[self.living.index(before)] = before.start("execute_here")

    @precondition(lambda self: self.living)
    @rule(number=one, milliseconds=st.integers(1, 30), mebibytes=st.integers(0, 4))
    def work(self, number: int, milliseconds: int, mebibytes: int) -> None:
        """Let one use CPU time and memory."""
        self.take(number)("touch", mebibytes)
        self.take(number)("burn", milliseconds / 1000)
        self.burnt += milliseconds / 1000

    @precondition(lambda self: self.living)
    @rule(number=one, parent_waits=st.booleans())
    def end(self, number: int, parent_waits: bool) -> None:  # noqa: FBT001 (drawn)
        """Kill one, which becomes a zombie or is waited for; its children are orphans."""
        actor = self.living.pop(number % len(self.living))
        self.seen.remove(actor.pid)
        parents = [each for each in self.living if each.pid == self.parents[actor.pid]]
        if parents and parent_waits:
            parents[0]("end", actor.pid)
        else:
            os.kill(actor.pid, signal.SIGKILL)
        while actor.pid in self.members():
            pass

    @rule()
    def reap(self) -> None:
        """Wait for this process's children that have ended."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    @precondition(lambda self: self.living)
    @rule(number=one)
    def stop(self, number: int) -> None:
        """Stop one while the tree is read."""
        actor = self.take(number)
        os.kill(actor.pid, signal.SIGSTOP)
        self.check()
        os.kill(actor.pid, signal.SIGCONT)

    @precondition(lambda self: 0 < len(self.living) < 12)
    @rule(words=st.dictionaries(one, st.sampled_from(["fork", "execute", "churn", "rest"])))
    def move_at_once(self, words: dict[int, str]) -> None:
        """Let several of them change the tree while it is read."""
        told = {self.take(number): word for number, word in words.items()}
        moving = {actor.connection: actor for actor in told}
        for actor, word in told.items():
            actor.tell(word)
        while moving:
            members = self.members()
            assert self.pids() <= members
            for connection in select.select([*moving], [], [], 0)[0]:
                moving.pop(connection)
        started = {Actor(self.scene) for word in told.values() if word in {"fork", "execute"}}
        for actor in told:
            pid = actor.answer()
            for each in started:
                if each.pid == pid:
                    self.add(each, actor)
        while self.members() - self.pids():
            pass

    @invariant()
    def check(self) -> None:
        """Fail if another process is a member, if one is missing, or if CPU time is lost."""
        members = self.members()
        for _ in range(1000):
            assert self.seen <= members <= self.pids()
            if members == self.pids():
                break
            time.sleep(0.01)  # one list of children may miss a new one, as of a thread that ends
            members = self.members()
        assert members == self.pids()
        self.seen = members
        sample = self.tree.sample()
        assert sample.cputime >= self.cputime
        assert sample.cputime >= self.burnt - TICK * len(self.parents)
        self.cputime = sample.cputime

    def teardown(self) -> None:
        """Fail if CPU time has counted twice: this process has waited for all."""
        self.scene.release()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0):
                pass
        final = self.tree.cputime()
        self.tree.close()
        assert final >= self.cputime
        if "subreaper" in self.ways:
            assert final <= time_of_all() - self.before + 1e-4


LARGE = pytest.param(40, marks=[pytest.mark.thorough, pytest.mark.not_emulated])


@pytest.mark.parametrize("root", ["this", "child"])
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("examples", [2, LARGE])
@alone
def test_random_tree(examples: int, ways: str, root: str) -> None:
    if "subreaper" in ways:
        assert [lib.rusage_become_reaper(), lib.rusage_become_reaper()] == [0, 0]
    if "listed" in ways:
        hide_lists_of_children()
    Moving.root, Moving.ways = root, ways
    run_state_machine_as_test(
        Moving,
        settings=settings(
            max_examples=examples,
            stateful_step_count=15,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
