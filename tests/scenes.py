"""Parts of scenes of processes: children that do what they are told, namespaces, process IDs."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checks import hide_lists_of_children
from conftest import become_nobody, in_child

import rusage

if TYPE_CHECKING:
    from collections.abc import Callable

# While their files can be read.
IMPORTED = [getattr(rusage, name, None) for name in ("Process", "Tree")]
CLONE_VM, CLONE_NEWNS, CLONE_NEWPID = 0x100, 0x20000, 0x20000000
MS_PRIVATE_REC = 0x44000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 4, 15, 36
PIDFD_OPEN, PIDFD_SEND_SIGNAL, KCMP = 434, 424, 312  # of x86_64
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")

filters_x86_64 = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or sys.maxsize < 2**32,
    reason="the filter is for x86_64",
)
# As it is, and as where /proc has no lists of children.
lists = pytest.mark.parametrize(
    "hide_lists",
    [lambda: None, pytest.param(hide_lists_of_children, marks=filters_x86_64)],
    ids=["lists", "no lists"],
)


def mount(kind: str, options: str = "") -> None:
    """Mount a file system on /proc."""
    if ctypes.CDLL(None).mount(b"none", b"/proc", kind.encode(), 0, options.encode()):
        pytest.skip(reason="no permission to mount, or the kernel does not know an option")


def in_namespaces(function: Callable[[], object], *, proc: str | None = None) -> None:
    """Call a function in the first process of a PID namespace.

    With ``proc``, it has a /proc that is mounted with these options.
    """

    def first() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # it ignores the alarm
        if proc is not None:
            mount("proc", proc)
        function()

    def enter() -> None:
        libc = ctypes.CDLL(None)
        failed = libc.unshare(CLONE_NEWNS | CLONE_NEWPID)
        if failed or libc.mount(b"none", b"/", None, MS_PRIVATE_REC, None):
            pytest.skip(
                reason="no permission to make a namespace: run it as root, not in a sandbox"
            )
        in_child(first)

    in_child(enter)


def next_pid(pid: int) -> None:
    """Let the next process get a number."""
    try:
        LAST_PID.write_text(str(pid - 1))
    except OSError:
        pytest.skip(reason="this kernel has no checkpoint and restore")


def wait_for_state(pid: int, letter: str) -> None:
    """Wait until a process sleeps (S), or is a zombie or its first thread has ended (Z)."""
    while f") {letter} " not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.001)


def readers(process: rusage.Process) -> list[Callable[[], object]]:
    """Return the methods that read it; those but the first need permission to read its files."""
    peak = [process.peak] if "ru_maxrss" in process.measured else []
    return [process.cputime, process.getrusage, process.rss, *peak]


def fails(error: type[Exception], *methods: Callable[[], object]) -> None:
    """Fail unless each method raises this exception."""
    for method in methods:
        with pytest.raises(error):
            method()


def without_pidfd(process: rusage.Process) -> rusage.Process:
    """Return it as on a kernel, or in a sandbox, that has no pidfd_open(2)."""
    handle = process._handle  # noqa: SLF001 (the kernel has it)
    if handle.pidfd >= 0:
        os.close(handle.pidfd)
        handle.pidfd = -1
    return process


def clone() -> int:
    """Start a child that uses this process's memory, and does nothing."""
    libc = ctypes.CDLL(None)
    stack = ctypes.create_string_buffer(1 << 16)
    stacks.append(stack)
    top = ctypes.c_void_p((ctypes.addressof(stack) + len(stack)) // 64 * 64)
    pid: int = libc.clone(libc.pause, top, CLONE_VM | signal.SIGCHLD, None)
    return pid


stacks: list[object] = []  # one for each child: a return address is on it


class Child:
    """A forked child that calls its methods for its parent."""

    def __init__(self) -> None:
        self.read, write = os.pipe()
        read, self.write = os.pipe()
        self.go_on, self.let_go_on = os.pipe()
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

    def __enter__(self) -> Child:  # noqa: PYI034 (there is no other Self before Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for fd in self.read, self.write, self.go_on, self.let_go_on:
            os.close(fd)

    def do_burn(self) -> None:
        """Use CPU time."""
        while time.process_time() < 0.2:
            pass

    def do_start_threads(self) -> None:
        """Start many threads that do nothing."""
        for _ in range(800):
            threading.Thread(target=signal.pause).start()

    def do_fork(self) -> int:
        """Start a child that does nothing."""
        pid = os.fork()
        if not pid:
            signal.alarm(60)  # a failed scene may leave it
            while True:
                signal.pause()
        self.forked.append(pid)
        return pid

    def do_fork_and_burn(self) -> int:
        """Start a child that waits for a byte, and then uses CPU time."""
        self.ready, ready = os.pipe()
        pid = os.fork()
        if not pid:
            os.read(self.go_on, 1)
            self.do_burn()
            os.write(ready, b"x")
            signal.pause()
        self.forked.append(pid)
        return pid

    def do_burnt(self) -> None:
        """Wait until it has done so."""
        os.read(self.ready, 1)

    def do_end(self) -> None:
        """End the last child, and wait for it."""
        pid = self.forked.pop()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def do_adopt(self) -> int:
        """Adopt orphans from now on; start a child that waits, then starts another one and ends."""
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        pid = os.fork()
        if not pid:
            os.read(self.go_on, 1)
            self.do_fork()
            os._exit(0)
        return pid

    def do_become_nobody(self) -> None:
        """Give up root."""
        become_nobody()
