"""The launcher (Linux): what is said to it, and what came of it.

It is a program of its own (its source is in ``rusage_build.py``) because nothing else can be small enough: whatever is
forked from this process starts out with this process's peak.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from operator import index

from ._rusage import lib

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

PATH = os.path.join(os.path.dirname(__file__), "_launcher")

_MEMORY = struct.Struct("=ii")  # pid, failed


def resolve(args: Any, executable: Any, env: Any, *, shell: bool) -> tuple[list[Any], list[bytes]]:
    """Return what ``subprocess`` would execute: the arguments, and the paths at which the program may be, in order.

    Bad arguments raise something: ``subprocess`` has better words.
    """
    if shell and isinstance(args, os.PathLike):
        raise TypeError
    if isinstance(args, (str, bytes, os.PathLike)):
        args = [args]
    arguments = list(args)
    if shell:
        arguments = [executable or "/bin/sh", "-c", *arguments]
    program = os.fsencode(executable if executable is not None else arguments[0])
    if b"/" in program:
        return arguments, [program]
    if env is None:  # what os.get_exec_path would say, without what takes it long
        path = os.environb.get(b"PATH", os.fsencode(os.defpath))
    else:
        path = b":".join(map(os.fsencode, os.get_exec_path(env)))
    prefixes = [folder if folder[-1:] in {b"", b"/"} else folder + b"/" for folder in path.split(b":")]
    return arguments, [prefix + program for prefix in prefixes]


def _above_2(fd: int) -> int:
    """Move a file descriptor out of the way: where 0, 1 or 2 is free, it must not be what the child gets as such."""
    low = []
    try:
        while fd < 3:
            low.append(fd)
            fd = os.dup(fd)
    finally:
        for fd_below in low:
            os.close(fd_below)
    return fd


# Never to be executed: Linux 6.3 and some after it log a warning where nothing is said about that, those before refuse
# the flag.
_flags = os.MFD_CLOEXEC | 0x8  # MFD_NOEXEC_SEAL, linux/memfd.h


def _memory() -> int:
    global _flags  # noqa: PLW0603 (what the system can do does not change)
    try:
        return os.memfd_create("rusage", _flags)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _flags = os.MFD_CLOEXEC
        return os.memfd_create("rusage", _flags)


# The launcher closes what the child must not have, faster than subprocess would. Until it says that it cannot.
closes = True
_CANNOT_CLOSE = 254

# A sandbox kills it for a system call, no file may be as large as its memory, or there is none left.
_OWN = {lib.SIGSYS, lib.SIGXFSZ, lib.SIGBUS, lib.SIGSEGV}


class Launch:
    """One start by the launcher, and what it has in common with this process: a memory, and a pipe that tells the end.

    As long as anybody else holds the pipe's other end, this process waits. So that end is open here only until the
    launcher has been started, and closed on exec: a thread that forks meanwhile might hold it, as it might the end of
    the pipe that subprocess has.
    """

    def __init__(
        self, arguments: list[Any], paths: list[bytes], *, session: object, group: int, keep: Iterable[int] | None
    ) -> None:
        if not -(2**31) <= index(group) < 2**31:
            raise OverflowError
        kept = None if keep is None else {*map(int, keep)}
        self._fds = [*os.pipe()]
        try:
            self._fds.append(_above_2(self._fds.pop()))
            self._fds.append(_above_2(_memory()))
        except OSError:
            self.__exit__()
            raise
        self._end, done, memory = self._fds
        self.handed_on: tuple[int, int] = done, memory
        open_fds = (-1,) if kept is None else (len(kept) + 1, *sorted([*kept, done]))
        numbers = os.getpid(), memory, done, int(bool(session)), group, *open_fds, len(paths)
        self.command = ["rusage", *map(str, numbers), *paths, *arguments]
        self.status: int | None = None
        # The target's pid: 0 if there is none, -1 if the launcher has become the target.
        self.pid, self.failed = 0, 0

    def __enter__(self) -> Launch:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        return self

    def __exit__(self, *error: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def let_go(self) -> None:
        """Close the pipe's other end here. Unlike a close this can be done again, after an interruption."""
        os.dup2(self._end, self.handed_on[0], inheritable=False)

    def finish(self, launcher: int) -> BaseException | None:
        """Wait until the target has executed its program or has failed to, and for the launcher, if that is another.

        Whatever comes between, it must be known what has been started: what a signal's handler raises is returned.
        """
        interruption, known = None, False
        while not known:
            try:
                self.let_go()
                os.read(self._end, 1)
                memory = os.pread(self.handed_on[1], _MEMORY.size, 0)
                self.pid, self.failed = _MEMORY.unpack(memory or bytes(_MEMORY.size))
                if self.pid >= 0 or self.failed:
                    self.status = os.waitpid(launcher, 0)[1]
                known = True
            except ChildProcessError:  # noqa: PERF203 (somebody waits for all, or nobody can: SIGCHLD is ignored)
                self.status, known = 0, True
            except BaseException as error:
                if isinstance(error, OSError) and error.errno == errno.EBADF:
                    raise  # somebody has closed what is ours: as in subprocess, nobody knows more
                interruption = error
        try:
            return interruption
        finally:
            interruption = None  # its traceback has this frame

    def cannot_close(self) -> bool:
        """Return whether the launcher has found that this system cannot close_range(2)."""
        return self.status is not None and os.waitstatus_to_exitcode(self.status) == _CANNOT_CLOSE

    def child(self, launcher: int) -> int:
        """Return the pid of the child that there is now; 0 if there is none, and all is as it was before.

        It is the launcher's if that has become the target, and if a signal has killed it before there was a target:
        then it has been waited for, and ``status`` is what the child's would have been. A signal that the launcher has
        brought upon itself is none of the child's.
        """
        if self.pid > 0 and self.failed:
            try:  # noqa: SIM105 (contextlib takes long to import)
                os.waitpid(self.pid, 0)
            except ChildProcessError:
                pass
            return 0
        if self.pid > 0:
            return self.pid
        if self.pid < 0 and not self.failed:
            return launcher
        killed = self.status is not None and os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) not in _OWN
        return launcher if killed else 0


def spawn(arguments: list[str], defaults: list[int]) -> tuple[int, Launch] | None:
    """Start a program with all that this process has but the signals named, which get their defaults.

    Return the child's pid and how it was started; None if it was not, for whatever reason.
    """
    try:
        launch = Launch(*resolve(arguments, None, None, shell=False), session=False, group=-1, keep=None)
        with launch:
            # A file descriptor put onto itself loses its close-on-exec flag.
            same = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in launch.handed_on]
            launcher = os.posix_spawn(PATH, launch.command, os.environ, file_actions=same, setsigdef=defaults)
            interruption = launch.finish(launcher)
            child = launch.child(launcher)
    except OSError:
        return None
    if interruption is not None:
        raise interruption
    return (child, launch) if child else None
