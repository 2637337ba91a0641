"""``Tree``: trees that are held at a barrier, against psutil, /proc and the sums of ``Process``."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pickle
import platform
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from conftest import (
    CPYTHON,
    alone,
    at_each_instruction,
    called_after,
    each_instruction,
    forks,
    in_child,
    linux,
    open_files,
    under_wine,
)
from scenes import MIB, PR_SET_NAME, held, playing, wait_until

import rusage
from rusage._backends import BACKEND

if "Tree" in BACKEND.absent:
    pytest.skip(f"no Tree: {BACKEND.absent['Tree']}", allow_module_level=True)

if TYPE_CHECKING:
    from collections.abc import Callable

LINUX = BACKEND.name == "Linux"
needs_pss = pytest.mark.skipif("pss" in BACKEND.absent, reason="this system has no pss")

# A time of another process may be cut to a tick; the clocks of the two sides may differ.
TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1 / 64


def by_process(name: str, pids: set[int]) -> dict[int, Any]:
    """Return what a method of ``Process`` says of each of some processes."""
    found = {}
    for pid in pids:
        with rusage.Process(pid) as process:
            found[pid] = getattr(process, name)()
    return found


def times(pids: set[int]) -> float:
    """Return the CPU time of processes."""
    return float(sum(by_process("cputime", pids).values()))


def check_sizes(tree: rusage.Tree, pids: set[int]) -> rusage.Sample:
    """Return a sample; fail unless a reading has these members with their sizes.

    The sizes do not change meanwhile.
    """
    for _ in range(1000):
        before = by_process("rss", pids)
        members, sample = tree.members(), tree.sample()
        if by_process("rss", pids) == before:
            break
    else:
        raise AssertionError("the sizes change")
    assert {member.pid: member.rss for member in members} == before
    assert sample.rss == sum(before.values())
    assert (sample.processes, sample.unread, sample.pss) == (len(pids), 0, None)
    return sample


FAMILY = {
    "mib": 5,
    "children": [
        {"mib": 20, "children": [{"mib": 10}, {"mib": 1, "children": [{"mib": 3}]}]},
        {"mib": 40},
    ],
}


# --- Figures ---


def test_sizes_of_a_held_tree() -> None:
    with held(**FAMILY) as running, rusage.Tree(running.pid) as tree:
        sample = check_sizes(tree, running.scene.pids)
        assert sample.rss > 79 * MIB
        assert tree.members()[0].pid == tree.pid == running.pid
        psutil = pytest.importorskip("psutil")
        root = psutil.Process(running.pid)
        theirs = {one.pid: one.memory_info().rss for one in [root, *root.children(recursive=True)]}
        assert {member.pid: member.rss for member in tree.members()} == theirs
        assert tree.rss() == sum(theirs.values())


def test_names_and_order_of_a_sample() -> None:
    assert rusage.Sample._fields == ("elapsed", "rss", "cputime", "processes", "unread", "pss")
    assert rusage.Member._fields == ("pid", "rss", "cputime", "name")
    assert rusage.Member(1, 2, 3.0).name == ""
    with rusage.Tree() as tree:
        sample, member = tree.sample(), tree.members()[0]
    assert pickle.loads(pickle.dumps(sample)) == sample == tuple(sample)
    assert repr(sample).startswith("Sample(elapsed=")
    assert type(member) is rusage.Member
    assert member.name.endswith(".exe" if sys.platform == "win32" else member.name[-1])
    kinds = rusage.Sample, rusage.Member
    assert all(getattr(kind, name).__doc__ for kind in kinds for name in kind._fields)


# Parentheses, line ends, controls, bytes that are not UTF-8, and half a character at the end.
ODD_NAMES = [b"", b" ", b")", b"(", b") R 1 1 (", b"a\nb\x1b[2J\t", b"\xff\x80\\", "é".encode() * 9]
ODD_NAMES += [b"a b", b") R 1 2 3 4", b"\n", b"a\n7 (x) Z 1", b"(" * 15]


@pytest.mark.not_emulated
@linux
def test_odd_names() -> None:
    """A name is the bytes that the process has set, cut by the kernel; also right after exec.

    In /proc/PID/stat it ends at the last parenthesis: the figures behind it are right.
    """
    resource = pytest.importorskip(
        "resource", reason="without that module there is nothing to compare with"
    )

    def scene() -> None:
        rng = random.Random(1)
        names = ODD_NAMES + [
            bytes(rng.choices(range(1, 256), k=rng.randrange(20))) for _ in range(200)
        ]
        with rusage.Process(os.getpid()) as process, rusage.Tree() as tree:
            for name in names:
                assert ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0) == 0
                assert os.fsencode(tree.members()[0].name) == name[:15]
                before, read, after = (
                    resource.getrusage(resource.RUSAGE_SELF),
                    process.getrusage(),
                    resource.getrusage(resource.RUSAGE_SELF),
                )
                assert 0 < before.ru_minflt <= read.ru_minflt <= after.ru_minflt
                assert read.cputime < after.ru_utime + after.ru_stime + 0.1

    in_child(scene)
    with held(mib=1) as running, rusage.Tree(running.pid) as tree:
        assert tree.members()[0].name == Path(f"/proc/{running.pid}/comm").read_text()[:-1]


# Other processes that execute Python share pages with these ones; some may start or end meanwhile.
SHARED = 10 * MIB


@needs_pss
def test_pss_counts_shared_pages_once() -> None:
    """Forked members share their parent's pages.

    The sum of ``smaps_rollup`` is about one of them, ``rss`` is all.
    """
    children = [{"fork": True}] * 5
    with held(mib=50, children=children) as running, rusage.Tree(running.pid) as tree:
        kernel = {pid: pss_of(Path(f"/proc/{pid}/smaps_rollup")) for pid in running.scene.pids}
        sample = tree.sample(pss=True)
        assert [tree.pss(), sample.pss] == pytest.approx([sum(kernel.values())] * 2, abs=SHARED)
        assert sample.rss > 6 * 50 * MIB
        assert tree.pss() < sample.rss / 2
        with rusage.Process(running.pid) as process:
            assert process.pss() == pytest.approx(kernel[running.pid], abs=SHARED)
            running.scene.release()
            with pytest.raises(ProcessLookupError):
                process.pss()
    assert rusage.pss() == pytest.approx(pss_of(Path("/proc/self/smaps_rollup")), abs=SHARED)


def pss_of(file: Path) -> int:
    """Return what the kernel says of one process, in bytes."""
    lines = file.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@needs_pss
def test_other_threads_run_while_pss_is_read() -> None:
    """Only a call that releases the GIL lets one run: none may ask for it during the test."""
    count, done, interval = 0, threading.Event(), sys.getswitchinterval()

    def work() -> None:
        nonlocal count
        while not done.is_set():
            count += 1
            time.sleep(0)

    def runs_meanwhile(read: Any) -> bool:
        before = count
        read()
        return count > before

    thread = threading.Thread(target=work)
    with contextlib.ExitStack() as stack:
        tree = stack.enter_context(rusage.Tree())
        process = stack.enter_context(rusage.Process(os.getpid()))
        readers = [rusage.pss, process.pss, tree.pss]
        stack.callback(thread.join)
        stack.callback(done.set)
        stack.callback(sys.setswitchinterval, interval)
        thread.start()
        sys.setswitchinterval(1000)
        time.sleep(0.1)  # it may have asked before
        for read in readers:
            assert any(runs_meanwhile(read) for _ in range(10_000)), read


@pytest.mark.skipif("pss" not in BACKEND.absent, reason="this system has pss")
def test_missing_pss_says_why() -> None:
    with rusage.Tree() as tree, rusage.Process(os.getpid()) as process:
        assert not hasattr(tree, "pss")
        assert not hasattr(process, "pss")
        with pytest.raises(NotImplementedError, match=BACKEND.absent["pss"]):
            tree.sample(pss=True)


# posix_spawn(3) shares memory until exec. OpenBSD's vfork(2) copies it, macOS's posix_spawn(2)
# does not fork, and NetBSD's has no memory of the parent.
vforks = pytest.mark.skipif(
    BACKEND.name not in {"Linux", "FreeBSD", "DragonFly BSD"} or not hasattr(os, "posix_spawn"),
    reason="posix_spawn shares no memory here, or is missing",
)
in_a_thread = pytest.mark.skipif(
    not LINUX or not CPYTHON or platform.machine() not in {"x86_64", "aarch64"},
    reason="pthread_exit by ctypes",
)


@vforks
@pytest.mark.not_emulated
@pytest.mark.parametrize("words", [[], pytest.param(["thread"], marks=in_a_thread)], ids=str)
def test_child_before_exec_has_no_memory(tmp_path: Path, words: list[str]) -> None:
    """It uses its parent's, which counts once, in complete and in quick readings.

    As a root, it has this memory.
    """
    os.mkfifo(tmp_path / "fifo")
    with (
        playing("execute", *words) as parent,
        rusage.Tree(parent.pid) as tree,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(tree.send_signal, signal.SIGKILL)
        parent("touch", 60)
        parent.tell("spawn", str(tmp_path / "fifo"))
        wait_until(lambda: tree.sample().processes == 2, "two processes")
        first, child = tree.members()
        size = pytest.approx(first.rss, abs=MIB)  # it changes until the child is blocked
        assert first.pid == parent.pid
        assert first.rss > 60 * MIB
        assert by_process("rss", {child.pid}) == {child.pid: size}  # what the kernel reports for it
        with rusage.Tree(child.pid) as tree_of_child:
            assert tree_of_child.rss() == size
        for _ in range(20):
            assert [member.rss for member in tree.members()] == [size, 0]
            assert tree.rss() == size
            if "pss" not in BACKEND.absent:
                assert 60 * MIB < (tree.sample(pss=True).pss or 0) < first.rss + MIB
        with open(tmp_path / "fifo", "wb"):
            wait_until(lambda: tree.members()[-1].rss, "memory of its own after exec")
            assert tree.members()[-1].rss < 60 * MIB


@linux
def test_no_file_stays_open() -> None:
    """Between the readings of trees of 81 processes."""
    with held(children=[{"fork": True}] * 80) as running, contextlib.ExitStack() as stack:
        before = open_files()
        for _ in range(4):
            check_sizes(stack.enter_context(rusage.Tree(running.pid)), running.scene.pids)
        assert open_files() == before


# --- Membership ---


def test_orphans_stay_members() -> None:
    with held(children=[{"children": [{"mib": 3}]}]) as running, rusage.Tree(running.pid) as tree:
        check_sizes(tree, running.scene.pids)
        middle = tree.members()[1].pid
        os.kill(middle, signal.SIGTERM)
        wait_until(
            lambda: tree.sample().processes < len(running.scene.pids), "the end of one process"
        )
        check_sizes(tree, running.scene.pids - {middle})
        running.scene.release()
        wait_until(lambda: not tree.sample().processes, "the end of all")
        sample = tree.sample()
        assert (sample.rss, *sample[3:]) == (0, 0, 0, None)
        if not under_wine():  # which reports the times of the asking process
            assert tree.cputime() == sample.cputime


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system has no waitid")
def test_zombies_are_not_counted() -> None:
    """Nothing of an ended child is in a sum; as a root, its tree is empty until it is reaped."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with rusage.Tree() as tree:
        assert child.pid not in {member.pid for member in tree.members()}
    with rusage.Tree(child.pid) as tree:
        assert tree.sample()[1:] == (0, 0.0, 0, 0, None)
        assert tree.members() == []
        child.wait()
        assert tree.sample()[1:] == (0, 0.0, 0, 0, None)
    with pytest.raises(ProcessLookupError):
        rusage.Tree(child.pid)


# --- CPU time ---


def total_time() -> float:
    """Return the CPU time of this process and of the children that it has waited for."""
    return rusage.cputime(rusage.RUSAGE_SELF) + rusage.cputime(rusage.RUSAGE_CHILDREN)


def test_cpu_time_of_held_members() -> None:
    """It counts from the start of younger members, and from the opening for older ones."""
    with rusage.Tree() as tree:
        before = rusage.cputime()
        with held(burn=0.1, children=[{"burn": 0.2}, {"burn": 0.05}]) as running:
            low = times(running.scene.pids) + rusage.cputime() - before
            value = tree.cputime()
            high = times(running.scene.pids) + rusage.cputime()
            assert low - 2 * TICK <= value <= high + 2 * TICK
            assert value >= 0.3
            with rusage.Tree(running.pid) as later:
                assert later.cputime() <= times(running.scene.pids) - 0.35 + 3 * TICK
                assert later.sample().cputime < 0.3


@pytest.mark.skipif(
    "RUSAGE_CHILDREN" in BACKEND.absent, reason="this system keeps no usage of children"
)
def test_cpu_time_of_children_that_were_never_read() -> None:
    """A parent that waits for its children knows their time."""
    before = total_time()
    with rusage.Tree() as tree:
        for _ in range(3):
            subprocess.run(
                [sys.executable, "-c", "for _ in range(60): sum(range(10 ** 5))"], check=True
            )
        used = rusage.cputime(rusage.RUSAGE_CHILDREN)
        value, after = tree.cputime(), total_time()
    assert used > 0.05
    assert 0.03 < value <= after - before + 0.002


# --- Signals ---


@forks
def test_signal_to_each_member() -> None:
    """All members of a tree get it, and no other process; an invalid one is refused."""
    with held(**FAMILY) as running, held() as other, rusage.Tree(running.pid) as tree:
        for number in -1, 10_000:
            with pytest.raises(OSError, match="nvalid") as caught:
                tree.send_signal(number)
            assert caught.value.errno == errno.EINVAL
        with pytest.raises(TypeError):
            tree.send_signal("TERM")  # type: ignore[arg-type]
        tree.send_signal(0)
        unread = mock.patch.object(tree, "_read_into", side_effect=BlockingIOError)
        with unread, pytest.raises(BlockingIOError):
            tree.send_signal(signal.SIGKILL)
        assert running.scene.wait() == -signal.SIGKILL
        wait_until(lambda: not tree.sample().processes, "the end of all")
        assert os.waitpid(other.pid, os.WNOHANG) == (0, 0)
        tree.send_signal(signal.SIGKILL)  # to no process


@forks
def test_signal_to_this_process_last() -> None:
    """It ends after all others, which would keep the pipe open."""
    program = """
import os, signal, time, rusage
for _ in range(3):
    if not os.fork():
        time.sleep(100)
rusage.Tree().send_signal(signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.skipif(BACKEND.name != "Windows", reason="tests TerminateProcess")
def test_signal_on_windows() -> None:
    with held(children=[{}]) as running, rusage.Tree(running.pid) as tree:
        tree.send_signal(7)
        assert running.scene.wait() == 7


# --- The object ---


@pytest.mark.parametrize("calls", [pytest.param(in_child, marks=forks), lambda use: use()])
def test_threads_share_a_tree(calls: Callable[[Callable[[], None]], None]) -> None:
    seen: list[int] = []

    def read() -> None:
        while True:
            seen.append(tree.sample().processes)

    def use() -> None:
        assert tree.sample().processes == 3
        with ThreadPoolExecutor(4) as pool:
            readings = [pool.submit(read) for _ in range(4)]
            wait_until(
                lambda: len(seen) >= 100 or any(reading.done() for reading in readings),
                "100 readings",
            )
            tree.close()
            errors = {str(reading.exception()) for reading in readings}
        assert (set(seen), errors) == ({3}, {"this Tree is closed"})

    with held(children=[{}, {}]) as running, rusage.Tree(running.pid) as tree:
        calls(use)


@forks
@alone
def test_fork_while_another_thread_reads() -> None:
    """The child's copy says so in all threads, or is usable in all; no file of it is open."""
    pipe, seen, goes_on = os.pipe(), set[str](), True
    interrupted = "another thread was reading this Tree when the process was forked\n"

    def path_of(fd: int) -> str:
        return os.readlink(f"/proc/self/fd/{fd}")

    def read() -> None:
        while goes_on:
            tree.sample()

    def use() -> None:
        assert not [path for path in map(path_of, open_files()) if path.startswith("/proc")]
        with ThreadPoolExecutor(4) as pool:
            readings = [pool.submit(tree.sample) for _ in range(4)]
        texts = {str(reading.exception()) for reading in readings}
        tree.close()
        with pytest.raises(ValueError, match="closed"):
            tree.sample()
        assert len(texts) == 1
        os.write(pipe[1], f"{texts.pop()}\n".encode())

    with (
        held(children=[{"fork": True}] * 20) as running,
        os.fdopen(pipe[0]) as lines,
        rusage.Tree(running.pid) as tree,
        ThreadPoolExecutor(1) as reader,
    ):
        reader.submit(read)
        try:
            for _ in range(100):
                in_child(use)
                seen.add(lines.readline())
                if interrupted in seen:
                    break
        finally:
            goes_on = False
        assert tree.sample().processes == 21
    assert interrupted in seen
    assert seen <= {interrupted, "None\n"}


@forks
@pytest.mark.skipif(not CPYTHON, reason="traces instructions")
@each_instruction
@alone
def test_fork_in_a_handler(step: int) -> None:
    """At each instruction: the child reads there, ends the interrupted reading, closes its copy."""
    child, before, tree = -1, open_files(), rusage.Tree()

    def fork() -> None:
        nonlocal child
        child = os.fork()
        tree.sample()

    for _ in at_each_instruction(tree.rss, fork, step=step, within="_tree"):
        if not child:
            break
        assert os.waitpid(child, 0)[1] == 0
    tree.close()
    assert open_files() == before


@linux
@alone
def test_too_many_open_files() -> None:
    filling: list[int] = []
    with rusage.Tree() as tree, playing():
        with contextlib.suppress(OSError):
            while True:
                filling.append(os.open("/dev/null", os.O_RDONLY))
        for call in tree.sample, rusage.Tree, lambda: tree.send_signal(0):
            with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
                call()
        for fd in filling:
            os.close(fd)
        assert tree.sample().processes == 2
        tree.send_signal(0)


@linux
@needs_pss
@alone
def test_few_free_descriptors() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    errors: list[int] = []

    def count(*, pss: bool = False) -> int:
        try:
            sample = tree.sample(pss=pss)
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            errors.append(free)
            return 4
        assert not pss or sample.pss == pytest.approx(expected, rel=0.1)
        return sample.processes - sample.unread

    with playing() as child, rusage.Tree() as tree:
        child("fork_idle", 2)
        tree.sample()
        expected = tree.pss()
        filling = [os.open("/dev/null", os.O_RDONLY)]
        for free in range(9):
            for pss in False, True, False:
                with contextlib.suppress(OSError):
                    while True:
                        filling.append(os.dup(filling[0]))
                for _ in range(free):
                    os.close(filling.pop())
                assert count(pss=pss) == 4, free
            while len(filling) > 1:
                os.close(filling.pop())
            assert count() == 4, free
        os.close(filling.pop())
        assert 0 < max(errors) < 4  # a reading needs four at most


@forks
@pytest.mark.skipif(not CPYTHON, reason="traces instructions")
@each_instruction
def test_smaller_tree_at_each_instruction(step: int) -> None:
    """A handler that ends a child and reads the tree changes no figures of a reading.

    It runs at any instruction of the reading.
    """
    stop, went_on = 0, True
    while went_on:
        pid = os.fork()
        if not pid:
            signal.pause()
        with rusage.Tree() as tree:

            def end(pid: int = pid, tree: rusage.Tree = tree) -> None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                tree.sample()

            def use(tree: rusage.Tree = tree) -> None:
                assert all(member.rss > 0 for member in tree.members())

            went_on = called_after(stop, use, end)
            if not went_on:
                end()
        stop += step
    assert stop > 30
