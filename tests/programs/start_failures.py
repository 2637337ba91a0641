"""Starts for which the launcher cannot be used: ``python start_failures.py CHECK [ARGUMENT...]``."""

import ctypes
import errno
import os
import resource
import subprocess
import sys
import time

import checks
from checks import check, nothing_is_left, use_launcher

import rusage

# One that no other process has, nor another run of this program: RLIMIT_NPROC counts all processes of a user.
USER = 20_000 + os.getpid() % 40_000


def unusable(launcher: str, when: str) -> None:
    """Use a launcher that does not work and then the real one, which works ``at once``, ``later`` or ``never``."""
    real = use_launcher(launcher)
    for _ in range(2):
        check(isolated=False)
    use_launcher(real)
    check(isolated=when == "at once")
    now = time.monotonic() + 120
    time.monotonic = lambda: now  # which the launcher's use depends on
    check(isolated=when != "never")
    nothing_is_left()


def unknown_root(when: str = "") -> None:
    """Have no statx(2) and no /proc, when rusage is imported and later."""
    if not when:
        statx = 332
        checks.refuse(statx, errno.ENOSYS)
        os.execv(sys.executable, [sys.executable, *sys.argv, "later"])  # noqa: S606 (the filter stays)
    rusage.run(["true"])
    check(isolated=False)


def small_files() -> None:
    """Limit the size of files, with core dumps: no start may touch a file of the user's that has a core's name."""
    with open("core", "w", encoding="ascii") as file:
        file.write("mine")
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for size, isolated in (100, True), (12, True), (11, False), (0, False):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        for restore in True, False:
            check(isolated=isolated, restore_signals=restore)
        with open("core", encoding="ascii") as file:
            assert file.read() == "mine"
        assert os.listdir(".") == ["core"]
    nothing_is_left()


def no_process() -> None:
    """Become a user that may have two processes: the launcher cannot create a third."""
    run = rusage.run  # imports what it needs
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: otherwise the launcher is not used
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


# System calls of the launcher on x86_64.
CALLS = {"ftruncate": 77, "clone": 56, "exit_group": 231}
KILL, REFUSE, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000  # what a seccomp filter returns
LOAD, EQUAL, BITS_SET, END = 0x20, 0x15, 0x45, 0x06  # of a seccomp filter
CLONE_VM, CLONE_PARENT = 0x100, 0x8000


def clone_with(flag: int) -> list[tuple[int, int, int, int]]:
    """Return the first lines of a filter for clone(2) with a flag."""
    return [(LOAD, 0, 0, 0), (EQUAL, 0, 3, CALLS["clone"]), (LOAD, 0, 0, 16), (BITS_SET, 0, 1, flag)]


def sandbox(name: str, action: str) -> None:
    """Kill each process that makes a system call, or refuse the call: the program runs once, as by subprocess."""
    lines = clone_with(CLONE_PARENT) if name == "clone" else [(LOAD, 0, 0, 0), (EQUAL, 0, 1, CALLS[name])]
    rusage.run(["true"])
    checks.install_filter([*lines, (END, 0, 0, {"kill": KILL, "refuse": REFUSE}[action]), (END, 0, 0, ALLOW)])
    done, expected = (module.run(["echo", "x"], stdout=subprocess.PIPE) for module in (rusage, subprocess))
    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout), (done, expected)
    assert ("ru_maxrss" in done.measured) is (name == "exit_group")
    nothing_is_left()
    if name == "exit_group":
        ctypes.CDLL(None).syscall(60, 0)  # exit(2), which the filter allows


def no_shared_memory() -> None:
    """Refuse clone(2) with memory that both processes use: the child gets a copy."""
    checks.install_filter([*clone_with(CLONE_VM), (END, 0, 0, REFUSE), (END, 0, 0, ALLOW)])
    check()
    nothing_is_left()


if sys.platform == "linux":
    checks.main(
        unusable,
        unknown_root,
        small_files,
        no_process,
        sandbox,
        no_shared_memory,
    )
