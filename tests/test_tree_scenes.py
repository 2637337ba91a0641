"""``Tree``: reused numbers, other users, namespaces, and processes that share memory."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checks import refuse
from commands import FLOAT_FLAGS
from conftest import PROGRAMS, alone, become_nobody, in_child, open_files, root
from scenes import (
    KCMP,
    PIDFD_OPEN,
    clone,
    fails,
    filters_x86_64,
    in_namespaces,
    lists,
    next_pid,
    playing,
    readers,
    wait_for_state,
    wait_until,
    without_pidfd,
)

import rusage
from rusage._backends import BACKEND
from rusage._cli.orphans import Descendants

if "Tree" in BACKEND.absent or sys.platform != "linux":
    pytest.skip("tests Linux", allow_module_level=True)

import resource

from rusage._rusage import lib

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.system


def end(*pids: int) -> None:
    """Kill children, and wait for them."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def pids(tree: rusage.Tree) -> set[int]:
    """Return the process IDs of the members."""
    return {member.pid for member in tree.members()}


def keep_few_open() -> None:
    """Let trees keep few files open: a quarter of the limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def compiled(folder: Path, source: str, *options: str) -> str:
    """Compile a program."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip(reason="no C compiler: apt-get install gcc libc6-dev")
    output = folder / "program"
    flags = [*FLOAT_FLAGS, *options]
    subprocess.run([compiler, PROGRAMS / source, *flags, "-o", output], check=True)
    return str(output)


def has_inodes() -> bool:
    """Return whether each pidfd has an inode of its own."""
    return [*map(int, re.findall(r"\d+", os.uname().release)[:2])] >= [6, 9]


STATE, START = 0, 19


def stat_of(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@root
@lists
@pytest.mark.parametrize("members", [0, 20])
def test_reused_number(members: int, hide_lists: Callable[[], None]) -> None:
    def scene() -> None:
        hide_lists()
        keep_few_open()
        with playing() as stranger, playing() as family:
            *_, last = family("fork_idle", members + 1)
            with rusage.Tree(family.pid) as tree, rusage.Tree(family.pid) as unread:
                count = tree.sample().processes
                assert last in pids(tree)
                time.sleep(0.05)  # start times are in ticks of 10 ms
                family("end", last)
                next_pid(last)
                assert stranger("fork_idle") == [last]
                assert last not in pids(tree)
                assert tree.sample().processes == count - 1
                # Without the reading that precedes a signal: a number may be used again in between.
                code = unread._run(lib.rusage_tree_signal, signal.SIGKILL, 0)  # noqa: SLF001
                assert code == 0
                os.waitpid(family.pid, 0)
                assert stat_of(last)[STATE] != "Z"

    in_namespaces(scene, proc="")


@pytest.mark.thorough
@root
@pytest.mark.parametrize("way", ["pidfd", pytest.param("no pidfd", marks=filters_x86_64)])
def test_same_start(way: str) -> None:
    def scene() -> None:
        keep_few_open()
        with playing() as stranger, playing() as family:
            family("fork_idle", 20)
            if way == "no pidfd":
                refuse(PIDFD_OPEN, 38)
            for _ in range(100):
                (last,) = family("fork_idle")
                start = stat_of(last)[START]
                with rusage.Tree(family.pid) as tree:
                    family("end", last)
                    next_pid(last)
                    assert stranger("fork_idle") == [last]
                    if stat_of(last)[START] == start:
                        tree.send_signal(signal.SIGTERM)
                        break
                stranger("end", last)
            else:
                pytest.skip(reason="this machine is too slow")
            os.waitpid(family.pid, 0)
            time.sleep(0.05)
            assert stat_of(last)[STATE] == "S"

    in_namespaces(scene, proc="")


@alone
def test_adopted_process() -> None:
    """A grandparent that does nothing adopts a process: a reading after 100 ms is complete."""
    with playing() as reaper, rusage.Tree(reaper.pid) as tree:
        reaper("adopt")
        parent = reaper.start()
        middle = parent.start()
        wait_for_state(parent.pid, "S")
        time.sleep(0.02)  # it leaves the CPU
        assert [tree.sample().processes for _ in range(3)] == [3] * 3
        orphan = middle.start()
        os.kill(middle.pid, signal.SIGKILL)
        wait_for_state(middle.pid, "Z")
        time.sleep(0.1)
        assert pids(tree) == {reaper.pid, parent.pid, orphan.pid}


@alone
def test_long_list_of_children() -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.callback(end, clone())
        with rusage.Tree() as tree:
            assert tree.sample().processes == 1001


@pytest.mark.thorough
@alone
def test_children_of_a_process_with_threads() -> None:
    """However many they are: whether a child shares the parent's memory is one question."""
    used = []
    for threads in 0, 800:
        with playing() as parent, rusage.Tree(parent.pid) as tree:
            parent("start_threads", threads)
            parent("fork_idle", 100)
            before = rusage.cputime()
            assert tree.sample().processes == 101
            used.append(rusage.cputime() - before)
            tree.send_signal(signal.SIGKILL)
    assert used[1] < 5 * used[0]


@root
@lists
@alone
def test_other_user(hide_lists: Callable[[], None]) -> None:
    def look() -> None:
        become_nobody()
        with rusage.Process(os.getppid()) as process:
            assert process.measured == BACKEND.process
            status = Path(f"/proc/{os.getppid()}/status").read_text()
            assert len(status) > 300_000
            if "ru_maxrss" in process.measured:
                lines = status.splitlines()
                mark = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
                assert process.peak() == process.getrusage().ru_maxrss == mark * 1024
            assert process.cputime() > 0
            with pytest.raises(PermissionError, match=f"denied: {os.getppid()}$"):
                process.pss()
        with rusage.Tree(os.getppid()) as tree:
            assert pids(tree) == {os.getppid(), child.pid, os.getpid()}
            assert tree.sample()[3:5] == (3, 0)
            assert tree.sample(pss=True)[3:5] == (3, 1)
            assert pids(tree) == {os.getppid(), child.pid, os.getpid()}
            with pytest.raises(PermissionError, match=f": {os.getppid()} or a descendant$"):
                tree.send_signal(0)

    hide_lists()
    os.setgroups(range(1, 65537))  # the list precedes VmHWM in the status file
    with playing() as child, rusage.Tree() as tree:
        child("become_nobody")
        assert pids(tree) == {os.getpid(), child.pid}
        assert tree.sample(pss=True).unread == 0
        in_child(look)


@pytest.mark.not_emulated
@filters_x86_64
@alone
def test_member_that_ends_before_its_clock_is_read() -> None:
    """The kernel then says EINVAL."""
    with playing() as child, rusage.Tree(child.pid) as tree:
        refuse(228, errno.EINVAL)  # clock_gettime, which reads the system's clocks without a call
        assert tree.sample().processes == 0


@root
@lists
@pytest.mark.parametrize("hidepid", ["1", "2", "4"])
def test_hidden_processes(hidepid: str, hide_lists: Callable[[], None]) -> None:
    """They raise PermissionError, although /proc says that they do not exist.

    As members, they count as unread.
    """

    def look(other: int) -> None:
        with (
            playing() as nobody,
            playing() as hidden,
            rusage.Process(1) as opened,
            without_pidfd(rusage.Process(1)) as by_name,
        ):
            opened.getrusage()
            nobody("become_nobody")
            become_nobody()
            fails(PermissionError, *readers(opened)[1:], *readers(by_name))
            for kind in rusage.Process, rusage.Tree:
                for pid in 1, other, hidden.pid:  # the kernel has cached the first one
                    with pytest.raises(PermissionError, match=f": {pid}$"):
                        kind(pid)
                with pytest.raises(ProcessLookupError):
                    kind(2**22 - 1)
            files = {*open_files()}
            with rusage.Tree() as tree:
                assert pids(tree) == {os.getpid(), nobody.pid}
                # A list of all processes does not have such a member.
                listed = not os.access("/proc/thread-self/children", os.R_OK)
                assert tree.sample()[3:5] == ((2, 0) if listed else (3, 1))
                if not listed:
                    fails(PermissionError, lambda: tree.send_signal(0))
                hidden.scene.release()
                assert tree.sample()[3:5] == (2, 0)
            assert {*open_files()} < files
            # A process that this user has started is visible, though not before its exec is
            # complete.
            with subprocess.Popen("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as own:  # noqa: S607 (any)
                assert own.stdin is not None
                assert own.stdout is not None
                own.stdin.write(b"ready\n")
                own.stdin.flush()
                own.stdout.readline()
                with rusage.Process(own.pid) as process:
                    assert process.getrusage().ru_minflt > 0

    def scene() -> None:
        hide_lists()
        with playing() as other:
            in_child(lambda: look(other.pid))

    in_namespaces(scene, proc=f"hidepid={hidepid}")


@root
@pytest.mark.parametrize("way", ["pidfd", pytest.param("no pidfd", marks=filters_x86_64)])
def test_number_of_a_member_that_was_never_read(way: str) -> None:
    """It has ended, and a process of others has got its number."""

    def scene() -> None:
        def gets_number() -> bool:
            next_pid(hidden.pid)
            return bool(stranger("fork_idle") == [hidden.pid])

        if way == "no pidfd":
            refuse(PIDFD_OPEN, errno.ENOSYS)
        with playing() as stranger, playing() as reader:
            hidden = reader.start()
            reader("ignore_children")
            reader("become_nobody")
            assert [reader("sample") for _ in range(3)] == [[2, 1]] * 3
            os.kill(hidden.pid, signal.SIGKILL)
            wait_until(gets_number, "free: the number of the process that has ended")
            assert [reader("sample") for _ in range(3)] == [[1, 0]] * 3

    in_namespaces(scene, proc="hidepid=1")


@root
@pytest.mark.parametrize("way", ["pidfd", pytest.param("no pidfd", marks=filters_x86_64)])
def test_orphan_that_was_never_read(way: str) -> None:
    """It stays a member where the inode of its pidfd tells it from others."""

    def scene() -> None:
        if way == "no pidfd":
            refuse(PIDFD_OPEN, errno.ENOSYS)
        with playing() as reader:
            middle = reader.start()
            middle.start()
            middle("become_nobody")
            reader("ignore_children")
            reader("become_nobody")
            assert [reader("sample") for _ in range(3)] == [[3, 1]] * 3
            os.kill(middle.pid, signal.SIGKILL)
            wait_until(lambda: not os.path.exists(f"/proc/{middle.pid}"), "its end")
            found = [reader("sample") for _ in range(3)]
            assert found == [[2, 1] if has_inodes() and way == "pidfd" else [1, 0]] * 3

    in_namespaces(scene, proc="hidepid=1")


@root
def test_many_members_that_may_not_be_read() -> None:
    """No more of their files stay open than of others, and none is needed to read the tree."""

    def scene() -> None:
        def look() -> None:
            become_nobody()
            keep_few_open()
            before = len(open_files())
            with rusage.Tree(child.pid) as tree:
                assert [tree.sample()[3:5] for _ in range(3)] == [(81, 80)] * 3
                assert len(open_files()) == before

        with playing() as child:
            child("fork_idle", 80)
            child("become_nobody")
            in_child(look)

    in_namespaces(scene, proc="hidepid=2")


@pytest.mark.not_emulated
@root
@alone
def test_first_reading_without_pss() -> None:
    """What a process had used before the opening does not count if only its pss is refused."""
    with playing() as other, playing() as child:  # this process may not read root's pss then
        other("burn", 0.2)
        child("become_nobody")
        become_nobody()
        with rusage.Tree() as tree:
            assert tree.sample(pss=True)[3:5] == (3, 1)
            assert tree.sample()[3:5] == (3, 0)
            assert tree.cputime() < 0.1
            assert [member.cputime < 0.1 for member in tree.members()] == [True] * 3


@root
def test_orphan_with_the_number_of_a_member() -> None:
    """The member has ended since the last reading: the time of each counts once."""

    def scene() -> None:
        with playing() as child:
            member = child.start()
            with Descendants() as tree:
                member("burn", 0.2)
                used = tree.cputime()
                assert used > 0.15
                child("end", member.pid)
                next_pid(member.pid)
                orphan = os.fork()  # as one that this process has adopted
                if not orphan:
                    os._exit(0)
                assert orphan == member.pid
                os.waitpid(orphan, 0)
                for _ in range(3):
                    assert used <= tree.cputime() < used + 0.1

    in_namespaces(scene, proc="")


@pytest.mark.system
def test_kernel_without_smaps_rollup(tmp_path: Path) -> None:
    """The file is missing for all processes: they are not hidden."""
    program = compiled(tmp_path, "no_smaps_rollup.c", f"-I{PROGRAMS.parent.parent}")
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["EOPNOTSUPP", "EPERM"]


@pytest.mark.thorough
def test_program_that_a_thread_executes(tmp_path: Path) -> None:
    """While a thread replaces the first one, its stat file shows an end, and its pidfd does not."""
    program = compiled(tmp_path, "exec_by_thread.c", "-pthread")
    with subprocess.Popen([program, "1000000"]) as running:
        # The file has no parent then either: with the parent in the tree, that is no other process.
        with rusage.Tree(running.pid) as tree, rusage.Tree() as both:
            end = time.monotonic() + 10
            found = set()
            while time.monotonic() < end:
                found |= {(tree.sample()[3:5], both.sample()[3:5])}
            tree.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        assert found == {((1, 0), (2, 0))}


# A child that has used 0.3 s; the numbers change what the kernel says.
MADE_UP = """import ctypes, subprocess, sys, rusage
made_up = ctypes.CDLL(sys.argv[1])
missing, of, now, larger, another = (
    ctypes.c_int.in_dll(made_up, name) for name in ("missing", "of", "now", "larger", "another")
)
child = "import sys, time\\nwhile time.process_time() < 0.3: pass\\nprint(flush=True)"
child += "\\nsys.stdin.read()"
with rusage.Tree() as tree, subprocess.Popen(
    [sys.executable, "-S", "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE
) as running:
    running.stdout.readline()
    of.value = running.pid
    now.value = int(open(f"/proc/{of.value}/stat").read().rpartition(")")[2].split()[19])
"""
CASES = {
    # The end is seen twice and more, and a pidfd denies it.
    "files missing": """
    now.value, before = 0, tree.cputime()
    missing.value = 8
    samples = [tree.sample(pss=True) for _ in range(3)]
    assert not missing.value
    assert samples[-1].cputime - before < 0.2, (before, samples)
""",
    # It does nothing; another process gets its number when its size is read.
    "another size": """
    now.value, rss = 0, [tree.members()[1].rss for _ in range(2)][1]
    another.value = 1
    assert tree.members()[1].rss == rss
    assert another.value == 2
    samples = [tree.sample() for _ in range(3)]
""",
    # Its parent does nothing, and is read all the same: the child is too new, or its end is false.
    "child of one that does nothing": """
    now.value = 0
    words = ["sh", "-c", "read line; yes >/dev/null; :"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as shell:
        with rusage.Tree(shell.pid) as family, rusage.Tree(shell.pid) as other:
            shell.stdin.close()
            while other.sample(pss=True).processes < 2: pass
            now.value = 1
            found = [family.sample().processes]
            now.value = 0
            found += [family.sample().processes]
            of.value, missing.value = other.members()[1].pid, 1000
            for _ in range(1000):
                found += [family.sample().processes]
                if found[-1] == 1: break
            missing.value = 0
            found += [family.sample().processes for _ in range(2)]
            other.send_signal(9)
    assert (found[:2], found[-3:]) == ([1, 2], [1, 2, 2]), found
    samples = [tree.sample() for _ in range(3)]
""",
    # Another process has started within the tick of the member's start: both count.
    "another in the tick": """
    before = tree.cputime()
    larger.value = 1
    samples = [tree.sample(pss=True) for _ in range(3)]
    assert samples[-1].cputime - before > 0.2, (before, samples)
""",
    # It was read a tick later, so that no other process has its start: its inode is not read.
    "no other in the tick": """
    now.value += 1
    before = tree.cputime()
    larger.value = 1
    samples = [tree.sample(pss=True) for _ in range(3)]
    assert samples[-1].cputime - before < 0.2, (before, samples)
""",
}


@pytest.fixture(scope="module")
def made_up_calls(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("made_up_calls")
    return compiled(folder, "made_up_calls.c", "-shared", "-fPIC")


@pytest.mark.not_sanitized
@pytest.mark.parametrize("case", CASES)
def test_identity_of_a_member(case: str, made_up_calls: str) -> None:
    if case == "another in the tick":
        if not has_inodes():
            pytest.skip(reason="pidfds have no inodes of their own before Linux 6.9")
        if sys.maxsize < 2**32:
            pytest.skip(reason="fstat() of the made-up calls has another struct than the package's")
    code = MADE_UP + CASES[case]
    code += "    assert [sample.processes for sample in samples][1:] == [2] * 2, samples\n"
    code += "    running.stdin.close()\n"
    subprocess.run(
        [sys.executable, "-c", code, made_up_calls],
        env=os.environ | {"LD_PRELOAD": made_up_calls},
        check=True,
    )


@filters_x86_64
@alone
def test_shared_memory_without_kcmp() -> None:
    refuse(KCMP, 1)
    pid = clone()
    with rusage.Tree() as tree:
        this, other = tree.members()
        assert (this.pid, other.pid) == (os.getpid(), pid)
        assert other.rss > this.rss / 2
    end(pid)
