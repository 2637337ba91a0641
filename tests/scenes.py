"""Scenes of processes: actors that do what they are told, namespaces, process IDs."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import actor
import pytest
from checks import hide_lists_of_children
from conftest import NO_NAMESPACE, in_child

import rusage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# While their files can be read.
IMPORTED = [getattr(rusage, name, None) for name in ("Process", "Tree")]
MIB = 2**20
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
            pytest.skip(reason=NO_NAMESPACE)
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


class Scene:
    """Actors, the first of which is a child of this process."""

    def __init__(self, way: str, *words: str) -> None:
        self.actors: list[Actor] = []
        if sys.platform == "win32":
            self.server = socket.create_server(("127.0.0.1", 0))
            address = str(self.server.getsockname()[1])
        else:
            self.server = socket.socket(socket.AF_UNIX)
            address = f"scene-{secrets.token_hex(8)}"
            self.server.bind(address)
            self.server.listen(100)
        self.popen = None
        if way == "execute":
            self.popen = subprocess.Popen([*actor.COMMAND, address, *words])
        elif not os.fork():
            os.closerange(3, 4096)
            actor.act(address)
        self.root = Actor(self)
        self.pid = self.root.pid

    @property
    def pids(self) -> set[int]:
        """Return the process IDs of all actors."""
        return {each.pid for each in self.actors}

    def wait(self) -> int:
        """Wait for the end of the first one; return its return code."""
        if self.popen:
            return self.popen.wait()
        return os.waitstatus_to_exitcode(os.waitpid(self.root.pid, 0)[1])

    def release(self) -> None:
        """Let all end, and wait for the first one."""
        if self.server.fileno() < 0:
            return
        for each in self.actors:
            with contextlib.suppress(OSError):  # it has ended
                each.connection.shutdown(socket.SHUT_WR)
        for each in self.actors:
            with contextlib.suppress(OSError):
                each.lines.read()  # until its end
            each.lines.close()
            each.connection.close()
        self.server.close()
        with contextlib.suppress(ChildProcessError):  # somebody has waited
            self.wait()


class Actor:
    """A process that does what it is told; its words are the functions of ``programs/actor.py``."""

    def __init__(self, scene: Scene) -> None:
        """Accept the next one that connects."""
        self.connection, _ = scene.server.accept()
        self.lines = self.connection.makefile("rw")
        self.scene, self.pid = scene, self.answer()
        scene.actors.append(self)

    def tell(self, *words: object) -> None:
        """Tell it to do something."""
        print(json.dumps(words), file=self.lines, flush=True)

    def answer(self) -> Any:
        """Return what it answers when it has done so."""
        return json.loads(self.lines.readline())

    def __call__(self, *words: object) -> Any:
        """Tell it to do something, and return what it answers."""
        self.tell(*words)
        return self.answer()

    def start(self, way: str = "fork") -> Actor:
        """Let it start another one, or become it."""
        self.tell(way)
        started = Actor(self.scene)
        if way != "execute_here":
            self.answer()
        return started

    def grow(self, tree: dict[str, Any]) -> None:
        """Let it do its part, and start its children: see ``held``."""
        self("touch", tree.get("mib", 0))
        self("burn", tree.get("burn", 0))
        for child in tree.get("children", ()):
            self.start("fork" if child.get("fork") else "execute").grow(child)


@contextlib.contextmanager
def playing(way: str = "fork", *words: str) -> Iterator[Actor]:
    """Yield an actor, which is forked or executed; in the end let all of its scene end."""
    scene = Scene(way, *words)
    try:
        yield scene.root
    finally:
        scene.release()


@contextlib.contextmanager
def held(**tree: Any) -> Iterator[Actor]:
    """Yield the first of a tree of actors: {"mib": 20, "burn": 0.1, "fork": true, "children": []}.

    All keys may be missing. A child is forked, or executed.
    """
    with playing("execute") as root:
        root.grow(tree)
        yield root


def wait_until(condition: Callable[[], Any], what: str, *, pause: float = 0.002) -> Any:
    """Wait until a condition is true, and return it; fail after two minutes."""
    end = time.monotonic() + 120
    while not (result := condition()):
        assert time.monotonic() < end, f"after two minutes: not {what}"
        time.sleep(pause)
    return result
