"""Starts for which the launcher cannot be used: ``python start_failures.py CHECK [ARGUMENT...]``."""

import contextlib
import ctypes
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import checks
from checks import check, nothing_is_left, use_launcher

import rusage
import rusage._children.launcher_availability as availability
import rusage._children.launcher_protocol as protocol

# One that no other process has, nor another run of this program: RLIMIT_NPROC counts all processes of a user.
USER = 20_000 + os.getpid() % 40_000

attempts: list[bool] = []


def count_launchers(event: str, arguments: tuple[Any, ...]) -> None:
    """As an audit hook, note whether the launcher is started."""
    if event == "subprocess.Popen":
        attempts.append(arguments[0] == availability.PATH)


def launcher_starts() -> int:
    """Return how many launchers the start of one child starts."""
    attempts.clear()
    rusage.run(["true"])
    return sum(attempts)


def unusable(launcher: str) -> None:
    """Use a launcher that will never work; it must be tried once."""
    sys.addaudithook(count_launchers)
    real = use_launcher(launcher)
    assert launcher_starts() == 1
    later()
    assert launcher_starts() == 0
    use_launcher(real)
    check(isolated=False)


def unavailable(launcher: str) -> None:
    """Use a launcher that cannot be executed, or is of another version: it must be tried again after a while."""
    sys.addaudithook(count_launchers)
    real = use_launcher(launcher or availability.PATH)
    version = protocol.VERSION
    if not launcher:
        protocol.VERSION += 1
    assert launcher_starts() == 1
    assert launcher_starts() == 0
    later()
    assert launcher_starts() == 1
    use_launcher(real)
    protocol.VERSION = version
    check(isolated=False)
    later()
    check()


def later() -> None:
    """Let two minutes pass on the clock that the launcher's use depends on."""
    now = time.monotonic() + 120
    time.monotonic = lambda: now


def few_descriptors() -> None:
    """Have too few descriptors for the launcher, and enough for a direct start; then enough for both."""
    sys.addaudithook(count_launchers)
    assert launcher_starts() == 1
    fds: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            fds.append(os.dup(0))
    for fd in fds[-4:]:
        os.close(fd)
    check(isolated=False)
    for fd in fds[-20:-4]:
        os.close(fd)
    check()


def failing(launcher: str) -> None:
    """Use once a launcher that fails for want of memory."""
    sys.addaudithook(count_launchers)
    real = use_launcher(launcher)
    assert launcher_starts() == 1
    use_launcher(real)
    assert launcher_starts() == 1
    check()


def ignored_sigchld(launcher: str) -> None:
    """Ignore SIGCHLD, and use a launcher that has too many arguments, or cannot be executed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    many = ["x"] * (least_too_many() - 1)
    assert rusage.run(["true", *many]).returncode == 0
    use_launcher(launcher)
    assert rusage.run(["true"]).returncode == 0
    nothing_is_left()


def least_too_many() -> int:
    """Return the least number of arguments with which a program cannot be started."""
    few, many = 0, 4_000_000
    while many - few > 1:
        number = (few + many) // 2
        try:
            subprocess.run(["true", *["x"] * number], check=False)  # noqa: S607 (found in PATH)
            few = number
        except OSError:
            many = number
    return many


def missing(launcher: str) -> None:
    """Use a launcher that cannot be executed."""
    use_launcher(launcher)
    check(isolated=False)
    nothing_is_left()


def no_execution(folder: str) -> None:
    """Have the launcher on a file system that is mounted noexec, in a mount namespace that was made for it."""
    no_exec = 8
    if ctypes.CDLL(None).mount(b"none", folder.encode(), b"tmpfs", no_exec, None):
        raise SystemExit("skip")
    missing(shutil.copy2(availability.PATH, folder))


def unknown_root(when: str = "") -> None:
    """Have no statx(2) and no /proc, when rusage is imported and later."""
    if not when:
        statx = 332
        checks.refuse(statx, errno.ENOSYS)
        os.execv(sys.executable, [sys.executable, *sys.argv, "later"])  # noqa: S606 (the filter stays)
    rusage.run(["true"])
    check(isolated=False)


def no_file_growth_in_namespace() -> None:
    """Limit the size of files to 0 where the children are in another PID namespace."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    assert rusage.run(["true"]).returncode == 0
    nothing_is_left()


def no_program_in_namespace(name: str) -> None:
    """Start a program that cannot be executed where the children are in another PID namespace, for the first time."""
    try:
        rusage.run([name])
    except OSError as error:
        print(type(error).__name__, error.errno, error.filename)
    nothing_is_left()


def no_file_growth(restore_signals: str) -> None:
    """Limit the size of files to 0: the limit holds for the shared memory too."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    check(isolated=False, restore_signals=restore_signals == "True")
    nothing_is_left()


def no_process() -> None:
    """Become a user that may have two processes: the launcher cannot create a third."""
    run = rusage.run  # imports what it needs
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
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
    checks.install_filter([(load, 0, 0, 0), (equal, 0, 1, getppid), (end, 0, 0, kill), (end, 0, 0, allow)])
    assert subprocess.run(["true"], check=False).returncode == 0  # noqa: S607 (found in PATH)
    done = rusage.run(["true"])
    assert done.returncode == 0, done
    assert "ru_maxrss" not in done.measured
    assert done.rusage.ru_maxrss == 0
    nothing_is_left()


def shared_memory() -> None:
    """Kill a launcher that shares its memory with the child by clone(2): for a child with other IDs, it must not."""
    filter_shared_memory(0x80000000)
    check(group=os.getgid())
    static = availability.is_static  # the form with a C library never shares it
    assert ("ru_maxrss" in rusage.run(["true"]).measured) is not static
    nothing_is_left()


def no_shared_memory() -> None:
    """Refuse clone(2) with memory that both processes use: the child gets a copy."""
    filter_shared_memory(0x00050001)
    check()
    nothing_is_left()


def before_exec(launcher: str, other_ids: str) -> None:
    """Use a launcher that reports the state of its child, perhaps with IDs that count as other ones."""
    use_launcher(launcher)
    done = rusage.run(["true"], group=os.getgid() if other_ids else None)
    assert "ru_maxrss" in done.measured
    nothing_is_left()


def refused_exit(launcher: str) -> None:
    """Use a launcher whose first exit_group(2) fails: the program must run once."""
    use_launcher(launcher)
    done = rusage.run(["sh", "-c", "echo x; kill -KILL $$"], capture_output=True)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"x\n"), done
    nothing_is_left()


def filter_shared_memory(action: int) -> None:
    """Install a filter for clone(2) with CLONE_VM."""
    load, equal, bits_set, end = 0x20, 0x15, 0x45, 0x06
    clone, with_memory, allow = 56, 0x100, 0x7FFF0000
    checks.install_filter(
        [
            *((load, 0, 0, 0), (equal, 0, 3, clone), (load, 0, 0, 16), (bits_set, 0, 1, with_memory)),
            *((end, 0, 0, action), (end, 0, 0, allow)),
        ]
    )


if sys.platform == "linux":
    checks.main(
        unusable,
        unavailable,
        few_descriptors,
        failing,
        ignored_sigchld,
        missing,
        no_execution,
        unknown_root,
        no_file_growth,
        no_file_growth_in_namespace,
        no_program_in_namespace,
        no_process,
        sandbox,
        shared_memory,
        no_shared_memory,
        before_exec,
        refused_exit,
    )
