"""The launcher under unusual conditions, most of them in a process of their own."""

import contextlib
import ctypes
import errno
import functools
import gc
import os
import platform
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from checks import KILL, REFUSE, check, refuse
from conftest import (
    CPYTHON,
    alone,
    called_after,
    namespaces,
    no_child_is_left,
    open_files,
    root,
)
from scenes import wait_until

import rusage
import rusage.asyncio

if sys.platform != "linux":
    pytest.skip("the launcher is Linux's", allow_module_level=True)

import resource

from scenes import CLONE_VM, filters_x86_64
from start_runner import CONDITIONS

from rusage._launcher import start
from rusage._rusage import ffi, lib

SOURCE = Path(__file__).parent.parent / "rusage" / "_launcher" / "launcher.c"
REAL = start.PATH

needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="no C compiler: apt-get install gcc libc6-dev"
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test decide about the launcher for later ones."""
    monkeypatch.setattr(start, "_retry_at", 0.0)


def patch(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., Any]) -> None:
    """Call functions in place of compiled ones."""
    names = {name: getattr(lib, name) for name in dir(lib)}
    monkeypatch.setattr(start, "lib", SimpleNamespace(**{**names, **functions}))


def is_isolated(*command: str, **keywords: Any) -> bool:
    return "ru_maxrss" in rusage.run(command or ["true"], **keywords).measured


# --- File descriptors ---


@filters_x86_64
@alone
def test_without_close_range() -> None:
    read, write, behind = *os.pipe(), os.dup(0)
    os.set_inheritable(behind, True)  # noqa: FBT003 (takes no keyword)
    os.close(read)
    os.close(write)  # the launcher gets this number
    for exists in True, False:
        if not exists:
            refuse(436, errno.ENOSYS)
        check()
        listed = rusage.run(["ls", "/proc/self/fd"], capture_output=True).stdout.split()
        assert listed == [b"0", b"1", b"2", b"3"]
        assert rusage.run(["test", "!", "-e", f"/proc/self/fd/{behind}"]).returncode == 0
    os.close(behind)


@alone
def test_many_passed_descriptors() -> None:
    """The launcher keeps 255; with more, subprocess starts the program."""
    first = 300
    for number, isolated in (255, True), (256, False):
        passed = [os.dup2(0, fd) for fd in range(first, first + number)]
        behind = os.dup2(0, first + number)
        script = f"test -e /proc/self/fd/{passed[-1]} && test ! -e /proc/self/fd/{behind}"
        assert is_isolated("sh", "-c", script, pass_fds=passed, check=True) is isolated
    check()  # it is still used


@filters_x86_64
@alone
def test_without_noexec_seal() -> None:
    """Linux before 6.3 refuses MFD_NOEXEC_SEAL."""
    memfd_create, noexec_seal = 319, 8
    refuse(memfd_create, errno.EINVAL, argument=1, bits=noexec_seal)
    with pytest.raises(OSError):  # noqa: PT011 (PyPy gives another errno)
        os.memfd_create("refused", noexec_seal)
    check()


@alone
def test_standard_stream_that_is_opened_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_stream(*given: Any) -> int:
        error = lib.rusage_launch(*given)
        opened.append(os.open(os.devnull, os.O_RDONLY))
        return error

    patch(monkeypatch, rusage_launch=open_stream)
    os.closerange(3, 100)
    os.close(0)
    assert is_isolated()
    assert opened == [0]


# --- Signals ---


class Stop(ValueError):  # noqa: N818 (not an error)
    """The exception of a handler; a start may raise a ValueError too."""


def stop(*_: object) -> None:
    raise Stop


@alone
def test_ignored_sigchld() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # The first one may end before its start does.
    commands = [["sh", "-c", script] for script in ("exit 5", "sleep 0.1; exit 5")]
    process = rusage.Popen(commands[1])
    while process.poll() is None:
        pass
    ended: list[Any] = [*map(rusage.run, commands), process]
    for done in ended:
        assert (done.returncode, done.measured, done.rusage) == (0, frozenset(), rusage.RUsage.zero)
    with pytest.raises(FileNotFoundError):
        rusage.run(["/no/such/program"])


@alone
def test_children_reaped_by_a_handler() -> None:
    def reap(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    signal.signal(signal.SIGCHLD, reap)
    for _ in range(50):
        done = rusage.run(["sh", "-c", "exit 5"])
        assert done.returncode in (0, 5)
        assert done.measured or not any(done.rusage)


@pytest.mark.parametrize("reaps", [False, True])
@alone
def test_handler_of_the_launchers_exit_raises(*, reaps: bool) -> None:
    unraisable: list[Any] = []

    def handle(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            if reaps:
                os.waitpid(-1, os.WNOHANG)
        raise Stop

    sys.unraisablehook = unraisable.append
    signal.signal(signal.SIGCHLD, handle)
    for _ in range(20):
        with pytest.raises(Stop):
            rusage.Popen(["sleep", "60"])
        no_child_is_left()
    assert not unraisable  # such as a ResourceWarning of the launcher


@pytest.mark.parametrize("command", [["sleep", "60"], [__file__]])  # the second: not executable
@pytest.mark.parametrize("when", ["stopped", "started", "ended"])
@alone
def test_handler_raises_while_a_start_waits(
    when: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(channel: Any) -> int:
        if when == "stopped":
            os.kill(channel.launcher, signal.SIGSTOP)
        elif when == "started":
            wait_until(lambda: os.path.exists(f"/proc/{channel.launcher}"), "the launcher")
        else:
            assert lib.rusage_channel_wait(channel) == 0
            status = channel.status  # the launcher is not waited for twice
            assert (lib.rusage_channel_wait(channel), channel.status) == (0, status)
        signal.setitimer(signal.ITIMER_REAL, 2e-5, 2e-5)  # signals interrupt the wait for them
        raise Stop

    signal.signal(signal.SIGALRM, lambda *_: None)
    patch(monkeypatch, rusage_channel_wait=wait)
    for _ in range(5):
        with pytest.raises(Stop):
            rusage.Popen(command)
        signal.setitimer(signal.ITIMER_REAL, 0)
        no_child_is_left()
    assert not any("memfd:rusage" in path for path in descriptors())


@pytest.mark.skipif(not CPYTHON, reason="traces instructions")
@pytest.mark.parametrize("expected", [Stop, KeyboardInterrupt, FileNotFoundError])
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.thorough)])
@alone
def test_exception_at_each_instruction_of_a_start(expected: type[BaseException], step: int) -> None:
    """It reaches the caller, whichever it is; no child is left, and the streams stay open."""
    streams = [os.fstat(fd) for fd in range(3)]
    unraisable: list[Any] = []
    sys.unraisablehook = unraisable.append

    def handle() -> None:
        raise expected

    number, started = 0, True
    while started:
        try:
            started = called_after(
                number, lambda: rusage.Popen(["true"]).wait(), handle, within="_launcher/start"
            )
            assert not started
        except expected:
            pass
        reap()
        assert all(map(os.path.samestat, streams, [os.fstat(fd) for fd in range(3)]))
        number += step
    assert number > 100
    assert not unraisable


@pytest.mark.skipif(not CPYTHON, reason="PyPy calls finalizers later")
@alone
def test_no_python_runs_at_the_end_of_an_object() -> None:
    """What a signal handler raises in a finalizer or in a weakref's callback is lost."""
    seen: set[tuple[str, str]] = set()

    def trace(frame: Any, *_: object) -> None:
        code = frame.f_code
        seen.add((Path(code.co_filename).name, code.co_name))

    rusage.run(["true"])
    sys.settrace(trace)
    process = rusage.Popen(["true"])
    sys.settrace(None)
    assert process.wait() == 0
    assert ("start.py", "start") in seen
    assert not [name for file, name in seen if name == "__del__" or "weakref" in file]


@pytest.mark.parametrize(
    ("function", "raises", "expected"),
    [
        ("rusage_channel_open", False, (3, 2)),  # as with subprocess, both start the program
        ("rusage_channel_open", True, (4, 1)),
        ("rusage_channel_wait", False, (5, 1)),
    ],
)
@alone
def test_handler_that_forks_during_a_start(
    function: str,
    raises: bool,  # noqa: FBT001 (a column)
    expected: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Once the program is started, the forked process has an object whose child is not its own."""
    os.chdir(tmp_path)
    copies: list[int] = []

    def fork(name: str, *given: Any) -> int:
        error: int = getattr(lib, name)(*given) if name == "rusage_channel_open" or copies else 0
        if not copies and name == function:
            copies.append(os.fork())
            signal.alarm(0 if copies[0] else 60)
            return error or errno.EINTR * (name == "rusage_channel_wait")
        if name == "rusage_channel_wait" and raises and not copies[0]:
            raise Stop
        return error

    names = "rusage_channel_open", "rusage_channel_wait"
    patch(monkeypatch, **{name: functools.partial(fork, name) for name in names})
    status, measured = 4, frozenset[str]()
    with contextlib.suppress(Stop):
        done = rusage.run(PROGRAM)
        measured = done.measured
        status = done.returncode or 5 - len(measured)
    if not copies[0]:
        os._exit(status)
    assert (status, "ru_maxrss" in measured) == (3, True)
    forked = os.waitstatus_to_exitcode(os.waitpid(copies[0], 0)[1])
    assert (forked, (tmp_path / "log").read_text()) == (expected[0], "x\n" * expected[1])
    no_child_is_left()


def reap() -> int:
    number = 0
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0)[0]:
            number += 1
    return number


def descriptors() -> list[str]:
    # PyPy frees what an object with a finalizer refers to in the collection after its own.
    for _ in range(3):
        gc.collect()
    return [os.readlink(f"/proc/self/fd/{fd}") for fd in open_files()]


@pytest.mark.parametrize("starts", [150, pytest.param(1000, marks=pytest.mark.thorough)])
@alone
def test_interrupted_starts(starts: int, tmp_path: Path) -> None:
    """At random instants; subprocess leaves the child of almost each such start."""
    delays, log, starting = random.Random(0), tmp_path / "log", False

    def stop_start(*_: object) -> None:
        if starting:
            raise Stop

    def is_interrupted(delay: float) -> bool:
        nonlocal starting
        process = None
        with contextlib.suppress(Stop):
            starting = True
            signal.setitimer(signal.ITIMER_REAL, delay)
            process = rusage.Popen(
                ["/bin/sh", "-c", 'echo >>"$0"', str(log)], stdout=subprocess.PIPE
            )
            starting = False
        starting = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if process is not None:
            process.communicate()
        return process is None

    signal.signal(signal.SIGALRM, stop_start)
    log.touch()
    began = time.perf_counter()
    for _ in range(10):
        is_interrupted(0)
    usual = (time.perf_counter() - began) / 10
    before, times, children = len(descriptors()), 0, 0
    for _ in range(starts):
        size = log.stat().st_size
        times += is_interrupted(max(1e-6, delays.random() * usual))
        children += reap()
        assert log.stat().st_size <= size + 1
    left = descriptors()
    assert not any("memfd:rusage" in path for path in left)
    assert times > 5
    # PyPy can raise between a fork and the line after it, as often as the fork of a large process
    # is slow.
    assert sys.implementation.name == "pypy" or children <= times / 2
    assert len(left) - before <= 2 + times / 4  # subprocess loses some, between two lines


# --- Where the launcher cannot be used ---

REFUSED, FAILED = 252, 255  # the launcher's exit statuses
# The file in the launcher's place, and when peaks are measured again after the launcher has come
# back.
UNUSABLE: list[tuple[str | None, int, str]] = [
    (f"#!/bin/sh\nexit {FAILED}\n", 0o755, "at once"),
    (f"#!/bin/sh\nexit {REFUSED}\n", 0o755, "later"),
    (None, 0, "later"),
    ("#!/bin/sh\n", 0o755, "later"),  # succeeds
    ("\x7fELF", 0o755, "later"),
    ("\x7fELF", 0o644, "later"),
]


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(start, "PATH", str(tmp_path / "launcher"))
    return tmp_path / "launcher"


@pytest.mark.parametrize(("text", "mode", "when"), UNUSABLE)
def test_unusable_launcher(
    text: str | None, mode: int, when: str, launcher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        launcher.write_text(text)
        launcher.chmod(mode)
    for _ in range(2):
        check(isolated=False)
    monkeypatch.setattr(start, "PATH", REAL)
    check(isolated=when == "at once")
    now = time.monotonic() + 120
    monkeypatch.setattr(time, "monotonic", lambda: now)  # which the launcher's use depends on
    check()


def test_launcher_that_is_open_for_writing(launcher: Path) -> None:
    """ETXTBSY passes soon, so the launcher is tried again at once."""
    shutil.copy(REAL, launcher)
    with launcher.open("ab"):
        check(isolated=False)
    check()


def test_arguments_that_are_too_long() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.E2BIG)):
        rusage.run(["true", "x" * 2**18])
    check()


CREATES = "return create_child(&program, memory)"
CREATED = "failed(result) ? status_of(result) : 0"


@needs_compiler
@pytest.mark.parametrize(
    ("code", "name", "status"),
    [
        (CREATES, "KILL", -9),
        (CREATES, "SYS", 0),  # a sandbox's
        (CREATED, "KILL", 0),
        ("program->flags & LAUNCHER_SET_SESSION", "KILL", -9),  # in the child
    ],
)
@alone
def test_launcher_that_a_signal_kills(code: str, name: str, status: int, launcher: Path) -> None:
    """A signal that the launcher cannot cause itself is for the program."""
    killed = f"(call2(kill, call0(getpid), SIG{name}), {code.removeprefix('return ')})"
    change(launcher, code, f"return {killed}" if code == CREATES else killed)
    assert rusage.run(["true"]).returncode == status
    no_child_is_left()


@alone
def test_launcher_dumps_no_core(tmp_path: Path) -> None:
    """The kernel deletes a file of that name first, where core_pattern is "core"."""
    os.chdir(tmp_path)
    core = tmp_path / "core"
    core.write_text("mine")
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for size, isolated in (100, True), (12, True), (11, False), (0, False):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        for restore in True, False:
            check(isolated=isolated, restore_signals=restore)
        assert core.read_text() == "mine"
        assert [*tmp_path.iterdir()] == [core]


# System calls of the launcher on x86_64.
CALLS = {"ftruncate": 77, "clone": 56, "exit_group": 231}
CLONE_PARENT = 0x8000


@filters_x86_64
@pytest.mark.parametrize(
    ("action", "error"),
    [(KILL, 0), (REFUSE, errno.EPERM), (REFUSE, errno.EAGAIN)],  # the last as with RLIMIT_NPROC
    ids=["kill", "refuse", "again"],
)
@pytest.mark.parametrize("name", CALLS)
@alone
def test_sandbox_without_a_system_call(name: str, action: int, error: int) -> None:
    """The program runs once."""
    release = [*map(int, re.findall(r"\d+", os.uname().release)[:2])]
    if name == "exit_group" and release < [5, 16]:
        pytest.skip(
            "a signal that dumps core kills all processes with the same memory, before Linux 5.16"
        )
    rusage.run(["true"])
    refuse(CALLS[name], error, bits=CLONE_PARENT if name == "clone" else 0, action=action)
    done, expected = (
        module.run(["echo", "x"], stdout=subprocess.PIPE) for module in (rusage, subprocess)
    )
    assert done.returncode == expected.returncode, (done, expected)
    assert done.stdout == expected.stdout, (done, expected)
    assert ("ru_maxrss" in done.measured) is (name == "exit_group")
    assert error != errno.EAGAIN or start._retry_at == 0  # noqa: SLF001 (it is tried again at once)
    no_child_is_left()
    if name == "exit_group":
        ctypes.CDLL(None).syscall(60, 0)  # exit(2), which the filter allows


@alone
def test_no_call_that_blocks_is_made_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector of such calls in an event loop would report it: subprocess makes none."""
    for name in "access", "stat", "readlink", "pread", "read", "waitpid":
        monkeypatch.delattr(os, name)
    monkeypatch.delattr(time, "sleep")
    process = rusage.Popen(["sh", "-c", "exit 3"])
    monkeypatch.undo()
    assert process.wait() == 3
    assert "ru_maxrss" in process.measured


@filters_x86_64
@alone
def test_child_gets_a_copy_where_shared_memory_is_refused() -> None:
    """Emulators of a processor refuse it too."""
    refuse(CALLS["clone"], errno.EPERM, bits=CLONE_VM)
    check()


# --- Whose process ID is believed ---

PROGRAM = ["sh", "-c", "echo x >>log; exit 3"]  # appends a line for each start
ANOTHER = 54001  # the ID of a user and of a group


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"])  # noqa: S607 (found in PATH)


def report(patched: pytest.MonkeyPatch, pid: int) -> None:
    """Have the memory of each start name another process as the child."""

    def wait(channel: Any) -> int:
        error = lib.rusage_channel_wait(channel)
        channel.child = pid
        return error

    patch(patched, rusage_channel_wait=wait)


def forge(victims: list[int], older: set[int]) -> None:
    """Name other processes in all files but the ``older`` ones; exit with their number."""
    files = {*open_files()} - older
    try:
        os.setgroups([])
        os.setresgid(ANOTHER, ANOTHER, ANOTHER)
        os.setresuid(ANOTHER, ANOTHER, ANOTHER)
        end = time.monotonic() + 0.3
        while files and time.monotonic() < end:
            for pid in [*victims, os.getpid()]:
                for fd in files:
                    with contextlib.suppress(OSError):
                        os.pwrite(fd, struct.pack("=i", pid), 0)
    finally:
        os._exit(len(files))


@root
@alone
def test_worker_that_names_other_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The victims: one a second old, one of the same tick, and one born during the start."""
    os.chdir(tmp_path)
    older = {*open_files()}
    victims = [sleeper()]
    time.sleep(1.1)
    workers: list[int] = []

    def fork_worker() -> None:
        workers.append(os.fork())
        if not workers[-1]:
            forge([victim.pid for victim in victims], older)

    def fork_meanwhile(*given: Any) -> Any:
        victims.append(sleeper())
        threading.Thread(target=fork_worker).start()
        time.sleep(0.1)  # it has begun to write, and goes on
        return lib.rusage_launch(*given)

    patch(monkeypatch, rusage_launch=fork_meanwhile)
    victims.append(sleeper())
    process = rusage.Popen(PROGRAM)
    assert process.pid not in [*workers, *(victim.pid for victim in victims)]
    assert process.wait() == 3
    assert "ru_maxrss" in process.measured
    assert (tmp_path / "log").read_text() == "x\n"
    for victim in victims:
        assert victim.poll() is None
        victim.kill()
        victim.wait()
    assert os.waitstatus_to_exitcode(os.waitpid(workers[0], 0)[1]) == 0
    no_child_is_left()


@alone
def test_child_of_another_thread_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher's child is the calling thread's; the program runs, and its status is lost."""
    others: list[subprocess.Popen[bytes]] = []
    ended, started = threading.Event(), threading.Event()

    def start_other() -> None:
        others.append(sleeper())
        started.set()
        ended.wait()  # the children of a thread that ends become another thread's

    threading.Thread(target=start_other).start()
    started.wait()
    report(monkeypatch, others[0].pid)
    process = rusage.Popen(["true"])
    assert (process.returncode, process.measured) == (0, frozenset())
    process.kill()
    assert others[0].poll() is None
    others[0].kill()
    others[0].wait()
    ended.set()


@alone
def test_process_id_of_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is signalled, no status is taken from it, and the program runs once."""
    os.chdir(tmp_path)
    log = tmp_path / "log"
    gone = subprocess.Popen(["true"])  # noqa: S607 (found in PATH)
    gone.wait()
    for pid in os.getppid(), os.getpid(), gone.pid, 1, -1, -gone.pid:
        log.write_text("")
        with monkeypatch.context() as patched:
            report(patched, pid)
            process = rusage.Popen(PROGRAM)
        assert process.pid > 0
        assert (process.returncode, process.measured) == (0, frozenset())
        process.kill()
        lost = status = 0
        while not lost:  # the child that has no object
            lost, status = os.waitpid(-1, os.WNOHANG)
        assert os.waitstatus_to_exitcode(status) == 3
        assert log.read_text() == "x\n"


def change(launcher: Path, code: str, new: str) -> None:
    protocol = f'"{SOURCE.parent}/protocol.cdef"'
    before, after = SOURCE.read_text().replace('"protocol.cdef"', protocol).split(code)
    source = launcher.with_suffix(".c")
    source.write_text(before + new + after)
    subprocess.run(["cc", "-O2", "-o", launcher, source], check=True)  # noqa: S607 (found in PATH)


# --- With the rights of the program ---

DIRECT: list[dict[str, Any]] = [{"user": 33}, {"group": 33}, {"extra_groups": []}, {"user": 0}]


@root
@pytest.mark.parametrize("keywords", DIRECT, ids=str)
def test_other_users_are_started_directly(keywords: dict[str, Any]) -> None:
    assert not is_isolated(check=True, **keywords)


LINKS = {
    "folder/up": "../true",
    "second": "folder/up",
    "exe": "/proc/self/exe",
    "process": "/proc/self",
}


@pytest.mark.parametrize(
    ("path", "is_launcher"),  # in the process that follows it
    [
        ("./true", False),
        ("true", False),
        ("folder/up", False),
        ("{}/second", False),
        ("folder/../second", False),
        ("/proc/self/exe", True),
        ("./exe", True),
        ("exe", True),
        ("process/exe", True),
        ("folder/../exe", True),
        ("/proc/self/cwd/true", False),
        (REAL, True),
    ],
)
def test_links_in_proc(
    path: str, *, is_launcher: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that would be the launcher in its child is started directly."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    shutil.copy(shutil.which("true") or "", "true")
    for name, target in LINKS.items():
        os.symlink(target, name)
    program = path.format(tmp_path)
    (tmp_path / "last").mkdir()
    shutil.copy("true", "last/exe")
    call: Any = {"executable": program, "env": {"PATH": f"none:{tmp_path}:{tmp_path}/last"}}
    done = rusage.run([program, "-c", "raise SystemExit(3)"], **call)
    expected = subprocess.run([program, "-c", "raise SystemExit(3)"], check=False, **call)
    assert (done.returncode, "ru_maxrss" in done.measured) == (expected.returncode, not is_launcher)
    assert expected.returncode == (0 if not is_launcher else REFUSED if path == REAL else 3)


SETGID, SETUID, NOROOT, NO_SETUID_FIXUP = 6, 7, 1, 4  # capabilities, securebits
ALL = [*range(64)]
ANOTHER_USER: list[Any] = [("groups", []), ("gids", (5, 5, 5)), ("ids", (5, 5, 5)), ("dumpable", 1)]
# What the process changes first, and whether the launcher would then have exactly its rights.
RIGHTS: list[tuple[list[Any], bool]] = [
    ([], True),
    ([("dumpable", 0)], False),
    ([("ids", (0, 65534, 0))], False),
    ([("ids", (0, 0, 65534))], False),
    ([("gids", (0, 65534, 0))], False),
    ([("gids", (0, 0, 65534))], False),
    ([("securebits", NO_SETUID_FIXUP), ("fsuid", 65534), ("dumpable", 1)], False),
    ([("fsgid", 65534), ("dumpable", 1)], False),
    (ANOTHER_USER, True),
    ([("keepcaps", 1), *ANOTHER_USER], False),
    ([("securebits", NOROOT)], False),  # the launcher would have no capability
    ([("securebits", NOROOT), ("ambient", ALL)], True),
    ([("securebits", NOROOT), ("without_capabilities", ALL)], True),
    ([("without_capabilities", ALL)], False),  # the launcher would have all
    ([("without_capabilities", [SETGID, SETUID])], False),
    ([("bounding", [SETGID, SETUID]), ("without_capabilities", [SETGID, SETUID])], True),
    ([("bounding", [SETUID])], False),  # the launcher would not have it
    ([("not_effective", ALL)], False),
    ([("personality", 0x0400000)], False),  # READ_IMPLIES_EXEC
    ([("limit", ("STACK", 255 * 1024))], False),
]


@root
@pytest.mark.parametrize(("conditions", "usable"), RIGHTS, ids=str)
@alone
def test_launcher_has_the_rights_of_its_parent(conditions: list[Any], *, usable: bool) -> None:
    assert is_isolated()
    for name, value in conditions:
        CONDITIONS[name][0](value)
        if name != "dumpable" and not os.access(rusage.__file__, os.R_OK):
            pytest.skip("another user may not read this installation")
    assert is_isolated() is usable


@filters_x86_64
@alone
def test_only_a_dumpable_parent_uses_the_launcher() -> None:
    """It may also be 2, by a setting of the system, for which an error stands here."""
    refuse(157, errno.EPERM)  # prctl
    assert ffi.string(lib.rusage_why_direct()) == b"this process is not dumpable"


SECOND_START = """
import contextlib, resource
from rusage import run
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
with contextlib.suppress(OSError):
    run(["true"])
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
print("ru_maxrss" in run(["true"]).measured)
"""


@root
@pytest.mark.parametrize(("label", "waits"), [("label\n", True), ("", False)])
def test_security_label_for_the_next_exec(
    label: str,
    waits: bool,  # noqa: FBT001 (a column)
    tmp_path: Path,
    python: Callable[..., str],
) -> None:
    """The launcher would use it up. Files stand for /proc/thread-self/attr."""
    (tmp_path / "current").write_text("label\n")
    (tmp_path / "exec").write_text(label)
    mount = (
        'mount --bind "$0" /proc/$$/attr && mount --bind "$0" /proc/$$/task/$$/attr && exec "$@"'
    )
    before = namespaces("-m", "sh", "-c", mount, tmp_path)
    assert python("-c", SECOND_START, before=before) == f"{not waits}\n"


# --- Another root directory ---

# Programs of interpreters that are started under unusual conditions.
IMPORTS = (
    f"import os, sys; sys.path[:0] = {sys.path}; import rusage; from checks import check, refuse"
)
WITHOUT_STATX = f"""{IMPORTS}
if not sys.argv[1:]:
    refuse(332, 38)  # statx(2): ENOSYS
    os.execv(sys.executable, [*sys.orig_argv, "later"])  # the filter stays
"""
IN_ANOTHER_ROOT = f"""{IMPORTS}
run, started = rusage.run, []
sys.addaudithook(lambda event, given: event == "subprocess.Popen" and started.append(given[0]))
os.chroot(sys.argv[1])
print(run(["/program"]).returncode, rusage._launcher.start._retry_at, *started)
"""
FIRST_OF_NAMESPACE = f"""{IMPORTS}
done = rusage.run(["sh", "-c", "exit 5"])
found = done.returncode, bool(done.measured), "ru_maxrss" in done.measured
assert found == (5, True, False), done
"""
FORKED_INTO_NAMESPACE = f"""{IMPORTS}
import ctypes
check()
assert ctypes.CDLL(None).unshare(0x20000000) == 0  # CLONE_NEWPID
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
check()
"""


@root
@filters_x86_64
def test_root_that_cannot_be_identified(
    python: Callable[..., str], without_proc: list[str]
) -> None:
    python("-c", f"{WITHOUT_STATX}check(isolated=False)", before=without_proc)


@root
@filters_x86_64
def test_namespace_in_place_of_the_mount(python: Callable[..., str]) -> None:
    """Without statx(2), as before Linux 5.8, the namespace tells another root directory."""
    namespaces("-m")
    enter = "import ctypes; assert ctypes.CDLL(None).unshare(0x20000) == 0"  # CLONE_NEWNS
    python("-c", f"{WITHOUT_STATX}check(); {enter}; check(isolated=False)")


@root
@filters_x86_64
def test_launcher_of_another_root(python: Callable[..., str], tmp_path: Path) -> None:
    """On the same mount, only the inode of the directory tells."""
    (tmp_path / "proc").mkdir()
    mount = namespaces("-m", "sh", "-c", 'mount -t proc none "$0/proc" && exec "$@"', tmp_path)
    if b"/ld-" in Path(REAL).read_bytes():
        pytest.skip(reason="the launcher of this build or processor needs a C library")
    shutil.copy(REAL, tmp_path / "program")
    printed = python("-c", IN_ANOTHER_ROOT, str(tmp_path), before=mount)
    assert printed == f"{REFUSED} 0.0 /program\n"  # none was missing


# --- The child ---


@alone
def test_forgotten_children() -> None:
    """Subprocess waits for them at later starts."""
    forgotten = vars(subprocess)["_active"]
    read, write = os.pipe()
    for function in None, os.getpid:
        process: object = rusage.Popen(["cat"], stdin=read, preexec_fn=function)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del process
            gc.collect()
    assert len(forgotten) == 2
    os.close(write)
    wait_until(lambda: rusage.run(["true"]) and not forgotten, "the end of both")
    no_child_is_left()


@alone
def test_audit_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees the program once, which it may refuse, and not the launcher, which may fail."""
    seen: list[Any] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            seen.append(arguments)
            if arguments[0] != "true":
                raise RuntimeError("not allowed")

    sys.addaudithook(hook)
    signal.signal(signal.SIGUSR1, lambda *_: None)  # whose exception it could be
    for path in REAL, "/bin/false":
        monkeypatch.setattr(start, "PATH", path)
        seen.clear()
        assert is_isolated("true", "x", cwd="/", env={"A": "1"}) is (path == REAL)
        assert seen == [("true", ["true", "x"], "/", {"A": "1"})]
        with pytest.raises(RuntimeError):
            rusage.run(["false"])
        assert seen[1:] == [("false", ["false"], None, None)]
        no_child_is_left()


def test_failed_start_of_a_derived_class() -> None:
    """The error is subprocess's also if another class is between ours and subprocess's."""

    class Other(subprocess.Popen[bytes]):
        def _execute_child(self, *values: Any, **named: Any) -> None:
            getattr(super(), "_execute_child")(*values, **named)  # noqa: B009 (untyped)

    class Derived(rusage.Popen[bytes], Other):
        pass

    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        Derived(["/no/such/program"])


@pytest.mark.parametrize("options", [["-pf"], ["-pf", "--mount-proc"], ["-p"]], ids=" ".join)
def test_pid_namespaces(options: list[str], python: Callable[..., str]) -> None:
    before = namespaces(*options)
    # Without -f only the children are in the new one, and it ends with the first of them.
    code = FORKED_INTO_NAMESPACE if "-pf" in options else FIRST_OF_NAMESPACE
    python("-c", code, before=before)


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy counts no references")
@pytest.mark.usefixtures("launcher")
@alone
def test_failed_start_makes_no_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = []

    class Popen(rusage.Popen[bytes]):
        def __del__(self, *rest: Any, **keywords: Any) -> None:
            gone.append(1)
            super().__del__(*rest, **keywords)

    def fail(program: str) -> None:
        monkeypatch.setattr(start, "_retry_at", 0.0)
        with contextlib.suppress(OSError, Stop):
            Popen([program]).wait()

    gc.disable()
    fail("true")
    fail("/no/such/program")
    monkeypatch.setattr(start, "PATH", REAL)
    fail(__file__)  # not executable
    signal.signal(signal.SIGCHLD, stop)
    fail("true")
    assert len(gone) == 4


@pytest.mark.parametrize(
    "keep", ["child", "import os; os.child", "import encodings; encodings.child"]
)
def test_unwaited_child_at_exit(keep: str) -> None:
    """The interpreter prints nothing, as it does for subprocess."""
    for module in "subprocess", "rusage":
        code = f"import {module}; {keep} = {module}.Popen(['sleep', '0.1'])"
        # A debug build shows the ResourceWarning that a child is still running.
        command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""


# --- The program itself ---


# VERSION FLAGS MEMORY DONE PROCESS_GROUP UMASK, one path, two kept descriptors, one limit: a
# resource and two numbers.
GOOD = ["3", "4", "9", "1", "0", "0", "1", "2", "1", "5", "1", "4", "0", "0"]
MASKS = "0 0"


NOT_NUMBERS = ["", "-1", " 1", "1 ", "x", "1.0", "\u0661", "2" * 20, "9" * 40]
BAD = [
    *(
        [*GOOD[:place], number, *GOOD[place + 1 :]]
        for number in NOT_NUMBERS
        for place in range(len(GOOD))
    ),
    *(GOOD[:length] for length in range(len(GOOD))),
    [*GOOD, "1"],
    ["2", *GOOD[1:]],  # another version
    ["3", "32", *GOOD[2:]],  # an unknown flag
    *([*GOOD[:place], "2147483648", *GOOD[place + 1 :]] for place in (2, 3, 4, 5, 6, 8, 9, 11)),
    [*GOOD[:10], "65", *GOOD[11:] * 65],  # too many limits
    [*GOOD[:6], "3", *GOOD[7:]],  # more paths than arguments
    [*GOOD[:7], "257", *GOOD[8:9] * 257, *GOOD[10:]],  # too many kept descriptors
]
SHELL = ["", "/bin/sh"]


def test_launcher_with_bad_numbers() -> None:
    """It starts and prints nothing, whichever number is bad or missing, nor without a program."""
    good = " ".join(GOOD)
    refused = [[], [good], [good, MASKS], [good, MASKS, ""]]
    refused += [[" ".join(numbers), MASKS, *SHELL] for numbers in BAD]
    refused += [
        [good, masks, *SHELL] for masks in ("0", "0 ", "0 0 0", "x 0", "0 x", "0  0", f"{2**64} 0")
    ]
    for words in [good, MASKS, *SHELL], *refused:  # the first has no memory at descriptor 9
        done = subprocess.run(
            [start.PATH, *words], input=b"echo started", capture_output=True, check=False
        )
        expected = REFUSED if words in refused else FAILED
        assert (done.returncode, done.stdout, done.stderr) == (expected, b"", b""), words


@needs_compiler
@pytest.mark.parametrize(
    "options",
    [["-DRUSAGE_NO_LIBC", "-ffreestanding", "-static", "-nostdlib"], []],
    ids=["bare", "libc"],
)
def test_both_forms_compile_and_work(options: list[str], launcher: Path) -> None:
    flags = ["-O2", "-fno-stack-protector", *options]
    command = ["cc", *flags, "-o", str(launcher), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if options and "no system calls without a C library" in done.stderr:
        pytest.skip(reason="this processor has the form with a C library only")
    assert done.returncode == 0, done.stderr
    check()
