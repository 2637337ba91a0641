"""Start a program by ``subprocess`` or ``rusage`` as a case says; return what the caller observes.

For ``random_starts.py``, which forks a process for each start: the conditions apply to the whole
process.
"""

import contextlib
import ctypes
import fcntl
import gc
import mmap
import os
import re
import resource
import signal
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from rusage import Popen, run

RESULT = 200
"""The descriptor that the result is written to. All others above 2 and below it are the case's."""
LINUX = sys.platform == "linux"
LIBRARIES: dict[str, tuple[Any, Any]] = {
    "subprocess": (subprocess.run, subprocess.Popen),
    "rusage": (run, Popen),
}
libc = ctypes.CDLL(None, use_errno=True)

# Descriptors that every starting process has, and the owners of a program that only its group may
# execute.
INHERITABLE, NOT_INHERITABLE, PIPE_END, CLOSED, PROGRAM, LOW = 10, 11, 12, 13, 14, 4
OWNER, GROUP = 54321, 54322


class Case(NamedTuple):
    """One start."""

    conditions: list[tuple[str, Any]]
    """Names of functions here that the starting process calls first, each with an argument."""
    way: str
    """How it starts and waits: ``run``, ``check``, ``communicate``, ``wait`` or ``poll``."""
    call: dict[str, Any]
    """The arguments of ``Popen``."""


# --- Unusual arguments ---


class Named(int, Enum):
    """Integers whose repr is a name."""

    WEB = 33
    FD10 = 10


class Misleading(int):
    """An integer whose text is another number."""

    def __str__(self) -> str:
        return "0"


def set_umask() -> None:
    os.umask(0o31)


def fail() -> None:
    """Raise, as a ``preexec_fn``."""
    raise RuntimeError


# --- Conditions ---


class CannotApplyError(Exception):
    """A condition cannot be made, for example because this process is not privileged."""


def system_call(function: str, *arguments: Any) -> None:
    if not LINUX or getattr(libc, function)(*arguments) < 0:
        raise CannotApplyError


def prctl(option: int, value: int) -> None:
    system_call("prctl", option, ctypes.c_ulong(value), 0, 0, 0)


def change_capabilities(change: Callable[[Any], None]) -> None:
    """They are three 32-bit words, and three of higher ones."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    system_call("capget", header, sets)
    change(sets)
    system_call("capset", header, sets)


def without_capabilities(numbers: list[int], places: Iterable[int] = range(3)) -> None:
    def drop(sets: Any) -> None:
        for number in numbers:
            for place in places:
                sets[number // 32 * 3 + place] &= ~(1 << number % 32)

    change_capabilities(drop)


def ambient(numbers: list[int]) -> None:
    """Let programs that are not privileged have capabilities of this process."""

    def inherit(sets: Any) -> None:
        sets[2], sets[5] = sets[1], sets[4]  # all that are permitted

    change_capabilities(inherit)
    for number in numbers:
        libc.prctl(47, 2, number, 0, 0)  # PR_CAP_AMBIENT_RAISE


def without_bounding(numbers: list[int]) -> None:
    """Drop capabilities from the bounding set: programs do not get them either."""
    for number in numbers:
        prctl(24, number)


def limit(value: tuple[str, int]) -> None:
    number = getattr(resource, f"RLIMIT_{value[0]}", None)
    if number is None:
        raise CannotApplyError
    hard = resource.getrlimit(number)[1]
    lowered = value[1] if hard == resource.RLIM_INFINITY else min(value[1], hard)
    resource.setrlimit(number, (lowered, lowered))


def cwd(folder: str) -> None:
    if folder == "deleted":
        os.mkdir("gone")
        os.chmod("gone", 0o700)  # whatever the umask
        os.chdir("gone")
        os.rmdir("../gone")
    else:
        os.chdir(folder)


def environ(form: str) -> None:
    if form in {"dict", "mapping"}:
        values: Any = {**os.environ, "PATH": "/nonexistent", "REPLACED": "1"}
        os.environ = values if form == "dict" else types.MappingProxyType(values)  # type: ignore[assignment]  # noqa: B003
    elif form == "empty":
        os.environ.clear()
    elif form == "no PATH":
        del os.environ["PATH"]
    elif form == "bytes":
        os.environb[b"\xff\xfe"] = b"\xfd"


def bind(source: str, target: str) -> None:
    system_call("mount", os.fsencode(source), os.fsencode(target), None, 0x5000, None)


def change_root(way: str, folder: str) -> None:
    """Change this thread's root directory or mount namespace; the probe replaces the launcher."""
    if not LINUX:
        raise CannotApplyError
    from rusage._launcher.start import PATH

    if way == "empty":
        system_call("unshare", 0x200)
        os.chroot(folder)
        return
    system_call("unshare", 0x20000)
    system_call("mount", b"none", b"/", None, 0x44000, None)
    tree = f"{folder}/tree" if way == "bind" else ""
    if tree:  # the same device and inode
        bind("/", tree)
    bind(f"{folder}/bin/probe", tree + PATH)
    if tree:
        os.chroot(tree)


def close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


SIGNALS = [
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGCHLD,
    signal.SIGXFSZ,
]
LIMITS = [("CORE", 0), ("CPU", 50), ("FSIZE", 0), ("FSIZE", 11), ("FSIZE", 1000), ("NOFILE", 64)]
LIMITS += [("STACK", 2**20), ("STACK", 2**16), ("STACK", 250 * 1024), ("STACK", 2**18)]
LIMITS += [("AS", 2**32), ("NPROC", 10**4)]
LIMITS += [("NOFILE", number) for number in range(15, 24)]

# What may be changed before a start, in this order, by which function and to which values.
CONDITIONS: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "nice": (os.nice, [1, 3]),
    "umask": (os.umask, [0, 0o77, 0o777]),
    "cwd": (cwd, ["..", "/", "deleted"]),
    "setsid": (lambda _: os.setsid(), [None]),
    "oom_score_adj": (Path("/proc/self/oom_score_adj").write_text, ["500"]),
    "no_new_privs": (lambda value: prctl(38, value), [1]),
    "subreaper": (lambda value: prctl(36, value), [1]),
    "environ": (environ, ["dict", "mapping", "no PATH", "empty", "bytes"]),
    "blocked": (lambda number: signal.pthread_sigmask(signal.SIG_BLOCK, [number]), SIGNALS),
    "ignored": (lambda number: signal.signal(number, signal.SIG_IGN), SIGNALS),
    "default": (lambda number: signal.signal(number, signal.SIG_DFL), SIGNALS),
    "handled": (lambda number: signal.signal(number, lambda *_: None), SIGNALS),
    "low": (lambda fd: os.dup2(INHERITABLE, fd), [LOW]),
    "limit": (limit, LIMITS),
    "groups": (os.setgroups, [[1, 2, 3]]),
    "fsuid": (lambda value: system_call("setfsuid", value), []),
    "fsgid": (lambda value: system_call("setfsgid", value), [GROUP]),
    "bounding": (without_bounding, [[1, 2]]),
    "securebits": (lambda value: prctl(28, value), [1, 3]),
    "keepcaps": (lambda value: prctl(8, value), []),
    "without_capabilities": (without_capabilities, [[6, 7], [7], [*range(38)], [0, 1, 2, 5]]),
    "not_effective": (lambda numbers: without_capabilities(numbers, [0]), []),
    "ambient": (ambient, []),
    "gids": (lambda ids: os.setresgid(*ids), []),
    "ids": (
        lambda ids: os.setresuid(*ids),
        [(0, 65534, 0), (65534,) * 3, (0, 0, 65534), (33, 33, 0)],
    ),
    "pid_namespace": (lambda _: system_call("unshare", 0x20000000), [None]),
    "root": (lambda _: None, ["bind", "empty", "namespace"]),  # of the thread that starts
    "dumpable": (lambda value: prctl(4, value), [0, 1]),
    "personality": (lambda value: system_call("personality", value), [0x0400000]),
    "closed": (close, [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]),
}
OF_ROOT = {
    "groups",
    "fsgid",
    "bounding",
    "securebits",
    "without_capabilities",
    "ids",
    "pid_namespace",
    "root",
}


def prepare(case: Case, folder: str) -> None:
    os.closerange(3, RESULT)
    for fd, name in enumerate(["in", "out", "err"]):
        opened = os.open(f"{folder}/{name}", os.O_RDONLY if fd == 0 else os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, fd)
        os.close(opened)
    opened = os.open(f"{folder}/file", os.O_RDWR)
    os.dup2(opened, INHERITABLE)
    os.dup2(opened, NOT_INHERITABLE, inheritable=False)
    program = os.open(f"{folder}/bin/probe", os.O_RDONLY)
    os.dup2(program, PROGRAM, inheritable=False)
    os.close(program)
    end, other = os.pipe()
    os.dup2(end, PIPE_END)
    for fd in opened, end, other:
        os.close(fd)
    assert not is_open(CLOSED)
    for name, value in case.conditions:
        CONDITIONS[name][0](value)


# --- Observations ---


def is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        return fcntl.fcntl(fd, fcntl.F_GETFD) >= 0
    return False


def own_state() -> dict[str, str]:
    """Return what a start must not change of the process that starts."""
    umask = os.umask(0)
    os.umask(umask)
    numbers = [
        number
        for number in signal.valid_signals()
        if number not in {signal.SIGKILL, signal.SIGSTOP}
    ]
    return {
        "descriptors": repr([fd for fd in range(300) if is_open(fd)]),
        "umask": oct(umask),
        "mask": repr(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "actions": repr([str(signal.getsignal(number)) for number in numbers]),
        "ids": repr(
            [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getgroups(), os.getpgrp()]
        ),
        "environment": repr(sorted(os.environb.items())),
    }


def child_left() -> str:
    try:
        return "running" if os.waitpid(-1, os.WNOHANG) == (0, 0) else "not waited for"
    except ChildProcessError:
        return "none"


def described(error: BaseException) -> dict[str, str]:
    names = ["errno", "filename", "filename2", "strerror", "returncode", "stdout", "stderr"]
    values = {name: getattr(error, name) for name in names if hasattr(error, name)}
    text = re.sub(" at 0x[0-9a-f]+", "", str(error))
    return {"exception": f"{type(error).__name__}({text!r}) {values}"}


def wait(process: Any, way: str, data: Any) -> list[Any]:
    with process:
        if way == "communicate":
            return [*process.communicate(data, timeout=60)]
        if process.stdin is not None:
            process.stdin.close()
        if way == "wait":
            process.wait(timeout=60)
        while process.poll() is None:
            time.sleep(0.001)
        return [stream and stream.read() for stream in (process.stdout, process.stderr)]


def with_preexec_fn(call: dict[str, Any], refused: mmap.mmap) -> dict[str, Any]:
    """Return arguments for subprocess: a ``preexec_fn`` sets limits and reports a refused one."""
    call = dict(call)
    limits, first = call.pop("rlimits"), call.get("preexec_fn")

    def set_limits() -> None:
        if first is not None:
            first()
        for number, pair in limits.items():
            try:
                resource.setrlimit(number, pair)
            except ValueError as error:
                refused.write(str(error).encode())
                raise

    return {**call, "preexec_fn": set_limits} if limits else call


def start(library: str, case: Case) -> dict[str, str]:
    run_it, popen = LIBRARIES[library]
    call, way = case.call, case.way
    refused = mmap.mmap(-1, 100)
    if library == "subprocess" and "rlimits" in call:
        call = with_preexec_fn(call, refused)
    try:
        if way in {"run", "check"}:
            done = run_it(**call, check=way == "check", timeout=60)
            output = [done.stdout, done.stderr]
        else:
            is_text = any(
                call.get(name) for name in ("text", "universal_newlines", "encoding", "errors")
            )
            data = (
                None if call.get("stdin") != subprocess.PIPE else "data\n" if is_text else b"data\n"
            )
            done = popen(**call)
            output = wait(done, way, data)
    except BaseException as error:
        text = refused[:].rstrip(b"\0").decode()
        return described(ValueError(text) if text else error)
    own = "ru_maxrss" in getattr(done, "measured", ())
    return {
        "returncode": repr(done.returncode),
        "peak": str(own),
        "output": repr(output),
        "args": type(done.args).__name__,
    }


def observe(library: str, case: Case, folder: str) -> dict[str, str]:
    audited: list[Any] = []
    sys.addaudithook(lambda event, given: audited.extend([given] * (event == "subprocess.Popen")))
    try:
        prepare(case, folder)
        before = own_state()
        way = dict(case.conditions).get("root")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if way:  # after unshare(CLONE_NEWPID) there are no threads
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(change_root, way, folder).result()
                    outcome = pool.submit(start, library, case).result()
            else:
                outcome = start(library, case)
            outcome["left"] = child_left()
            gc.collect()
    except (CannotApplyError, OSError, RuntimeError) as error:
        return {"skipped": repr(error)}
    outcome["warnings"] = re.sub(
        "[0-9]+", "N", repr([(each.category.__name__, str(each.message)) for each in caught])
    )
    outcome["audited"] = re.sub(" at 0x[0-9a-f]+", "", repr(audited))
    after = own_state()
    return outcome | {
        f"parent.{name}": after[name] for name in after if after[name] != before[name]
    }
