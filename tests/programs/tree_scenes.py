"""Scenes for ``Tree``, most of them for root on Linux: ``tree_scenes.py SCENE ARGUMENTS``."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from checks import hide_lists_of_children, limit_time, main, raises, refuse
from other_processes import LAST_PID, become_nobody, in_child, mount, skip

import rusage
from rusage._rusage import lib

PIDFD_OPEN, KCMP = 434, 312
PR_SET_CHILD_SUBREAPER = 36
CLONE_VM = 0x100
libc = ctypes.CDLL(None)
go_on, let_go_on = os.pipe()  # for children that wait


def is_listed() -> bool:
    """Return whether Tree lists all processes."""
    return not os.access("/proc/thread-self/children", os.R_OK)


class Child:
    """A forked child that calls functions of this program for its parent."""

    def __init__(self) -> None:
        self.read, write = os.pipe()
        read, self.write = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(read)
            os.close(write)
            return
        os.close(self.read)
        os.close(self.write)
        self.forked: list[int] = []
        try:
            while line := os.read(read, 100):
                answer = getattr(self, f"do_{line.decode()}")()
                os.write(write, str(answer or 0).encode())
        finally:
            os._exit(0)

    def __call__(self, word: str) -> int:
        """Let it do something; return the answer."""
        os.write(self.write, word.encode())
        return int(os.read(self.read, 100))

    def do_fork(self) -> int:
        """Start a child that does nothing."""
        pid = os.fork()
        if not pid:
            signal.alarm(60)  # a failed scene may leave it
            while True:
                signal.pause()
        self.forked.append(pid)
        return pid

    def do_end(self) -> None:
        """End the last child, and wait for it."""
        pid = self.forked.pop()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def do_become_subreaper(self) -> None:
        """Adopt descendants whose parents have ended, from now on."""
        assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0

    def do_fork_waiting(self) -> int:
        """Start a child that waits, then starts another one and ends."""
        pid = os.fork()
        if not pid:
            os.read(go_on, 1)
            self.do_fork()
            os._exit(0)
        return pid

    def do_become_nobody(self) -> None:
        """Give up root."""
        become_nobody()

    def end(self) -> None:
        """End it and its children."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.read)
        os.close(self.write)


def wait_for_state(pid: int, letter: str) -> None:
    """Wait until a process sleeps (S), or has ended and nobody waits for it, or its first thread has (Z)."""
    while f") {letter} " not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.001)


def clone() -> int:
    """Start a child that uses this process's memory, and does nothing."""
    pid: int = libc.clone(libc.pause, ctypes.c_void_p(STACK_TOP), CLONE_VM | signal.SIGCHLD, None)
    return pid


stack = ctypes.create_string_buffer(1 << 16)
STACK_TOP = (ctypes.addressof(stack) + len(stack)) // 64 * 64


def pids(tree: rusage.Tree) -> set[int]:
    """Return the process IDs of the members."""
    return {member.pid for member in tree.members()}


def next_pid(pid: int) -> None:
    """Let the next process get a number."""
    try:
        LAST_PID.write_text(str(pid - 1))
    except OSError:
        skip()


def reused_number(members: str) -> None:
    """Give the number of a member to other processes. In a PID namespace of its own, as root."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # a quarter of it stays open
    family, stranger = Child(), Child()
    for _ in range(int(members)):
        family("fork")
    last = family("fork")
    with rusage.Tree(family.pid) as tree, rusage.Tree(family.pid) as unread:
        count = tree.sample().processes
        assert last in pids(tree)
        time.sleep(0.05)  # start times are in ticks of 10 ms
        family("end")
        next_pid(last)
        assert stranger("fork") == last
        assert last not in pids(tree)
        assert tree.sample().processes == count - 1
        # Without the reading that precedes a signal: a number may be used again in between.
        assert unread._use(lambda handle: lib.rusage_tree_signal(handle, signal.SIGKILL, 0)) == 0  # noqa: SLF001 (as above)
        os.waitpid(family.pid, 0)
        assert Path(f"/proc/{last}").exists()  # the stranger's child got no signal
        assert "\nState:\tZ" not in Path(f"/proc/{last}/status").read_text()


def start_of(pid: int) -> str:
    """Return the time at which a process was started, in ticks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def same_start(*way: str) -> None:
    """Give the number of a member to a process with the same start. In a PID namespace of its own, as root."""
    family, stranger, last = Child(), Child(), 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # a quarter of it stays open
    for _ in range(20):
        family("fork")
    if way:
        refuse(PIDFD_OPEN, 38)
    for _ in range(100):
        last = family("fork")
        start = start_of(last)
        with rusage.Tree(family.pid) as tree:
            family("end")
            next_pid(last)
            assert stranger("fork") == last
            if start_of(last) == start:
                tree.send_signal(signal.SIGTERM)
                break
        stranger("end")
    else:
        skip()
    os.waitpid(family.pid, 0)
    time.sleep(0.05)
    assert "\nState:\tS" in Path(f"/proc/{last}/status").read_text()


def adopted() -> None:
    """Let a member that does nothing adopt a process: every eighth reading is complete."""
    reaper = Child()
    reaper("become_subreaper")
    middle = reaper("fork_waiting")
    wait_for_state(reaper.pid, "S")
    time.sleep(0.02)  # it leaves the CPU
    with rusage.Tree(reaper.pid) as tree:
        assert [tree.sample().processes for _ in range(3)] == [2] * 3
        os.write(let_go_on, b"x")
        wait_for_state(middle, "Z")
        for _ in range(7):
            tree.sample()
        (this, orphan) = tree.members()
        assert this.pid == reaper.pid
        assert orphan.pid not in {this.pid, middle}
        tree.send_signal(signal.SIGKILL)


def without_first_thread() -> None:
    """Read a member whose first thread has ended."""
    pid = os.fork()
    if not pid:
        threading.Thread(target=signal.pause).start()
        libc.pthread_exit(None)
    wait_for_state(pid, "Z")
    with rusage.Tree() as tree:
        assert pids(tree) == {os.getpid(), pid}
        assert tree.members()[1].rss > 2**20
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def many_children() -> None:
    """Read a list of children that is longer than a page."""
    children = [clone() for _ in range(1000)]
    with rusage.Tree() as tree:
        assert tree.sample().processes == 1001
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def reused_number_of_a_parent() -> None:
    """Give the number of a member to a process that has children. In a PID namespace of its own, as root."""
    root = Child()
    middle = root("fork")
    with rusage.Tree(root.pid) as tree:
        assert pids(tree) == {root.pid, middle}
        root("end")
        next_pid(middle)
        stranger = Child()
        assert stranger.pid == middle
        child = stranger("fork")
        assert child > middle
        for _ in range(3):
            assert pids(tree) == {root.pid}
        stranger.end()
    root.end()


def other_user() -> None:
    """Read members of another user. As root."""
    rusage.Tree().close()
    child = Child()
    with rusage.Tree() as tree:
        child("become_nobody")
        assert pids(tree) == {os.getpid(), child.pid}
        assert tree.sample(pss=True).unread == 0

    def look() -> None:
        become_nobody()
        with rusage.Tree(os.getppid()) as tree:
            assert pids(tree) >= {os.getppid(), child.pid, os.getpid()}
            sample = tree.sample()
            assert (sample.processes, sample.unread) == (3, 0)
            sample = tree.sample(pss=True)
            assert (sample.processes, sample.unread) == (3, 1)
            assert {member.pid for member in tree.members()} >= {os.getppid(), child.pid}
            with raises(PermissionError):
                tree.send_signal(0)
            with rusage.Process(os.getppid()) as process, raises(PermissionError):
                process.pss()

    in_child(look)
    child.end()


def hidden(hidepid: str) -> None:
    """Read members that /proc hides. In namespaces of its own, as root."""
    mount("proc", f"hidepid={hidepid}")
    rusage.Tree().close()

    def look() -> None:
        nobody, root_child = Child(), Child()
        nobody("become_nobody")
        become_nobody()
        with rusage.Tree() as tree:
            assert pids(tree) == {os.getpid(), nobody.pid}
            sample = tree.sample()
            # A list of all processes does not have such a member.
            assert (sample.processes, sample.unread) == ((2, 0) if is_listed() else (3, 1))
            with raises(PermissionError):
                rusage.Tree(root_child.pid)
            os.close(root_child.write)  # it ends
            os.waitpid(root_child.pid, 0)
            sample = tree.sample()
            assert (sample.processes, sample.unread) == (2, 0)

    assert os.getpid() == 1
    in_child(look)


def members_in_a_namespace() -> None:
    """Read members in a PID namespace of their own. As root."""
    command = ["unshare", "--pid", "--fork", "sh", "-c", "sleep 60 & sleep 60 & echo; wait"]
    with rusage.Tree() as tree, subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert tree.sample().processes == 5  # this one, unshare, sh, and twice sleep
        names: list[str] = []
        while names != ["sh", "sleep", "sleep", "unshare"]:  # once all have executed their programs
            names = sorted(Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids(tree) - {os.getpid()})
        with rusage.Tree(child.pid) as branch:
            branch.send_signal(signal.SIGKILL)
        child.wait()
        while tree.sample().processes > 1:
            time.sleep(0.01)


def without_pidfd(number: str) -> None:
    """Send signals where pidfd_open(2) or pidfd_send_signal(2) is missing, as on old kernels."""
    refuse(int(number), 38)
    child = Child()
    child("fork")
    with rusage.Tree(child.pid) as tree:
        assert tree.sample().processes == 2
        tree.send_signal(signal.SIGKILL)
        assert os.waitpid(child.pid, 0)[1] == signal.SIGKILL
        while tree.sample().processes:
            time.sleep(0.01)


def without_kcmp() -> None:
    """Read a process that shares memory where kcmp(2) is refused: it is not known that it does."""
    refuse(KCMP, 1)
    pid = clone()
    with rusage.Tree() as tree:
        this, other = tree.members()
        assert (this.pid, other.pid) == (os.getpid(), pid)
        assert other.rss > this.rss / 2
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    limit_time()
    if sys.argv[-1] == "listed":
        hide_lists_of_children()
        sys.argv.pop()
    main(
        reused_number,
        same_start,
        reused_number_of_a_parent,
        adopted,
        without_first_thread,
        many_children,
        other_user,
        hidden,
        members_in_a_namespace,
        without_pidfd,
        without_kcmp,
    )
