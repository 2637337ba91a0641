"""The launcher (Linux): what is said to it, and what came of it.

It is a program of its own (its source is in ``rusage_build.py``) because nothing else can be small enough: whatever is
forked from this process starts out with this process's peak.
"""

from __future__ import annotations

import os
import struct
import sys
from operator import index
from typing import Any, NamedTuple

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

PATH = os.path.join(os.path.dirname(__file__), "_launcher")

_MEMORY = struct.Struct("=ii")  # pid, failed


class Program(NamedTuple):
    """What is to be executed: the arguments, and the paths at which the program may be, in the order to try."""

    arguments: list[Any]
    paths: list[bytes]


def resolve(args: Any, executable: Any, env: Any, *, shell: bool) -> Program:
    """Return what ``subprocess`` would execute for these arguments. Bad ones raise something: it has better words."""
    if shell and isinstance(args, os.PathLike):
        raise TypeError
    if isinstance(args, (str, bytes, os.PathLike)):
        args = [args]
    arguments = list(args)
    if shell:
        arguments = [executable or "/bin/sh", "-c", *arguments]
    program = os.fsencode(executable if executable is not None else arguments[0])
    if os.path.dirname(program):
        return Program(arguments, [program])
    return Program(arguments, [os.path.join(os.fsencode(folder), program) for folder in os.get_exec_path(env)])


def can_adopt() -> bool:
    """Return whether children share this process's pid namespace: another's pids would mean something else here."""
    try:
        return os.stat("/proc/self/ns/pid_for_children").st_ino == os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return False


def _above_2(fd: int) -> int:
    """Move a file descriptor out of the way: where 0, 1 or 2 is free, it must not be what the child gets as such."""
    low = []
    while fd < 3:
        low.append(fd)
        fd = os.dup(fd)
    for fd_below in low:
        os.close(fd_below)
    return fd


# The launcher closes what the child must not have, faster than subprocess would. Until it says that it cannot.
closes = True
_CANNOT_CLOSE = 254


class Launch:
    """One start by the launcher, and the memory that it has in common with this process."""

    def __init__(self, program: Program, *, session: object, group: int, keep: list[int] | None) -> None:
        if not -(2**31) <= index(group) < 2**31:
            raise OverflowError
        self.memory = _above_2(os.memfd_create("rusage"))
        kept = (-1,) if keep is None else (len(keep), *keep)
        numbers = self.memory, int(bool(session)), group, *kept, len(program.paths)
        self.command = ["rusage", *map(str, numbers), *program.paths, *program.arguments]
        self.status: int | None = None

    def __enter__(self) -> Launch:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        os.truncate(self.memory, _MEMORY.size)
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.memory)

    def finish(self, launcher: int) -> BaseException | None:
        """Wait for the launcher, which ends when the target has executed its program or never will.

        Whatever comes between, it must be known what has been started: what a signal's handler raises is returned.
        """
        interruption = None
        while self.status is None:
            try:
                self.status = os.waitpid(launcher, 0)[1]
            except ChildProcessError:  # noqa: PERF203 (somebody waits for all, or nobody can: SIGCHLD is ignored)
                self.status = 0
            except BaseException as error:  # noqa: BLE001 (the caller raises it; one turn)
                interruption = error
        return interruption

    def cannot_close(self) -> bool:
        """Return whether the launcher has found that this system cannot close_range(2)."""
        return self.status is not None and os.waitstatus_to_exitcode(self.status) == _CANNOT_CLOSE

    def outcome(self) -> tuple[int, bool]:
        """Return the target's pid, 0 if there is none, and whether it has failed to execute its program."""
        pid, failed = _MEMORY.unpack(os.pread(self.memory, _MEMORY.size, 0))
        return pid, bool(failed)
