"""Starts for which the launcher cannot be used: ``python start_failures.py CHECK [ARGUMENT...]``."""

import ctypes
import os
import resource
import shutil
import struct
import subprocess
import sys
from typing import Any

import checks
from checks import check, nothing_is_left

import rusage
import rusage._children.launcher as launch

attempts: list[bool] = []


def count_launchers(event: str, arguments: tuple[Any, ...]) -> None:
    """Note whether a start was that of the launcher, as an audit hook."""
    if event == "subprocess.Popen":
        attempts.append(arguments[0] == launch.PATH)


def launcher_starts() -> int:
    """Return how many launchers the start of one child starts."""
    attempts.clear()
    rusage.run(["true"])
    return sum(attempts)


def unusable(launcher: str) -> None:
    """Use a launcher that will never work; it must be tried once."""
    sys.addaudithook(count_launchers)
    real, launch.PATH = launch.PATH, launcher
    assert launcher_starts() == 1
    assert launcher_starts() == 0
    launch.PATH = real
    assert launcher_starts() == 0
    check(isolated=False)


def no_memory() -> None:
    """Fail once to create the shared memory."""
    sys.addaudithook(count_launchers)
    real = os.memfd_create

    def create(name: str, flags: int = 0) -> int:
        raise OSError(12, "Cannot allocate memory", name, flags)

    os.memfd_create = create
    assert launcher_starts() == 0
    os.memfd_create = real
    assert launcher_starts() == 1
    check()


def failing(launcher: str) -> None:
    """Use once a launcher that fails for want of memory."""
    sys.addaudithook(count_launchers)
    real, launch.PATH = launch.PATH, launcher
    assert launcher_starts() == 1
    launch.PATH = real
    assert launcher_starts() == 1
    check()


def missing(launcher: str) -> None:
    """Use a launcher that cannot be executed."""
    launch.PATH = launcher
    check(isolated=False)
    nothing_is_left()


def no_execution(folder: str) -> None:
    """Have the launcher on a file system that is mounted noexec."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private, no_exec = 0x00020000, 1 << 18 | 1 << 14, 8
    if (
        libc.unshare(new_namespace)
        or libc.mount(b"none", b"/", None, private, None)
        or libc.mount(b"none", folder.encode(), b"tmpfs", no_exec, None)
    ):
        raise SystemExit("skip")
    missing(shutil.copy2(launch.PATH, folder))


def no_file_growth(restore_signals: str) -> None:
    """Limit the size of files to 0: the limit holds for the shared memory too."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    check(isolated=False, restore_signals=restore_signals == "True")
    nothing_is_left()


def no_process(user: str) -> None:
    """Become a user that may have two processes: the launcher cannot create a third."""
    run = rusage.run  # imports what it needs
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
    try:
        done = run(["/bin/true"])
    except PermissionError as error:
        if error.filename != "/bin/true":  # this user may not read the interpreter
            raise SystemExit("skip") from None
        raise
    assert done.returncode == 0
    assert done.rusage.ru_maxrss == 0 or "ru_maxrss" in done.measured
    nothing_is_left()


def sandbox() -> None:
    """Kill each process that calls getppid(2), as the launcher does and the child does not."""
    load, equal, end = 0x20, 0x15, 0x06
    getppid, kill, allow = 110, 0x80000000, 0x7FFF0000
    lines = [(load, 0, 0, 0), (equal, 0, 1, getppid), (end, 0, 0, kill), (end, 0, 0, allow)]
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    seccomp_filter = struct.pack("@HP", len(lines), ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, seccomp_filter, 0, 0) == 0  # PR_SET_SECCOMP
    assert subprocess.run(["true"], check=False).returncode == 0  # noqa: S607 (that of PATH)
    done = rusage.run(["true"])
    assert done.returncode == 0, done
    assert "ru_maxrss" not in done.measured
    assert done.rusage.ru_maxrss == 0
    nothing_is_left()


if sys.platform == "linux":
    checks.main(
        unusable,
        no_memory,
        failing,
        missing,
        no_execution,
        no_file_growth,
        no_process,
        sandbox,
    )
