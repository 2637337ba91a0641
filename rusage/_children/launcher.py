"""Start a program through the launcher and interpret the result (Linux only).

On Linux a process starts with the peak resident set size of the process that it was forked from. The launcher
(``launcher.c``) is a program of a few kilobytes that this process executes instead of the child. It creates the child
with ``clone(CLONE_PARENT)``, which makes it a child of this process, and exits. The peak of such a child is its own.

The launcher reports through two descriptors. The kernel stores the child's process ID in a memfd, which only the
launcher maps. End-of-file on a close-on-exec pipe means that the child has executed its program; a byte means that it
has failed to.

Security: the launcher runs with the IDs of this process, so that no other user may stop, trace or signal it. It closes
every descriptor that the child must not inherit, then creates the child; only the child changes its user and groups.
The child has neither the memfd nor its mapping. The launcher is executed with the environment of the child. With a
dynamic loader it would obey LD_PRELOAD, and is therefore not used for children with other IDs.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import time
from collections import namedtuple
from operator import index

from .._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, NamedTuple

    class Result(NamedTuple):
        """The result of a start."""

        outcome: str
        pid: int = 0
        """The child's process ID; 0 if it was not started."""
        status: int = 0
        """The child's wait status if it was killed before it executed its program; it has been reaped then."""

else:
    Result = namedtuple("Result", ["outcome", "pid", "status"], defaults=[0, 0])  # noqa: PYI024 (typing is slow to import)

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

PATH = os.path.join(os.path.dirname(__file__), "_launcher")

ISOLATED = "started; its peak is its own"
NOT_ISOLATED = "started; its peak may be that of this process"
KILLED = "killed by a signal before it executed its program"
NOT_STARTED = "not started"
RETRY = "not started: close_range(2) is missing; the next attempt does without"

# Exit statuses of the launcher, as in launcher.c.
_CANNOT_CLOSE = 254
_REFUSED = 253

_MAX_GROUPS = 1024  # as in launcher.c
_MAX_ID = 2**32 - 2  # 2**32 - 1 means "unchanged" to the kernel

_MEMORY = struct.Struct("=ii")  # the process IDs of the child and of the launcher

# Signals that the launcher can cause itself: seccomp, RLIMIT_FSIZE, out of memory.
_SELF_INFLICTED = {lib.SIGSYS, lib.SIGXFSZ, lib.SIGBUS, lib.SIGSEGV}

# Errors that every later call would raise too: no such file, a noexec file system, a seccomp filter, an old kernel.
_PERMANENT = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOSYS}

# The launcher closes descriptors faster than subprocess does, where the kernel has close_range(2) (Linux 5.9).
use_close_range = True
_unusable = False
_static: bool | None = None


def usable(*, other_ids: bool) -> bool:
    """Return whether a child may be started through the launcher, with the IDs of this process or with other ones."""
    return not _unusable and bool(lib.rusage_may_launch()) and (not other_ids or is_static())


def is_static() -> bool:
    """Return whether the launcher has no dynamic loader: no PT_INTERP in its program headers, elf(5)."""
    global _static  # noqa: PLW0603 (cached: the file does not change)
    if _static is None:
        try:
            with open(PATH, "rb") as file:
                head = file.read(4096)
            wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
            (start,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
            size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
            types = [struct.unpack_from(order + "I", head, start + number * size)[0] for number in range(count)]
            _static = head[:4] == b"\x7fELF" and 3 not in types
        except (OSError, IndexError, struct.error):  # unreadable, or not an ELF file
            _static = False
    return _static


def note_failure(error: BaseException) -> None:
    """Disable the launcher if this error of executing it would occur in every later attempt."""
    global _unusable  # noqa: PLW0603 (cached: what the system allows does not change)
    if isinstance(error, OSError) and error.errno in _PERMANENT and error.filename in {PATH, os.fsencode(PATH)}:
        _unusable = True


def resolve(args: Any, executable: Any, env: Any, *, shell: bool) -> tuple[list[Any], list[bytes]]:
    """Return what ``subprocess`` would execute: the arguments, and the paths to try in order.

    May raise on invalid arguments; the caller then falls back to subprocess, which raises the documented exception.
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
    if env is None:  # the same as os.get_exec_path(), but faster
        path = os.environb.get(b"PATH", os.fsencode(os.defpath))
    else:
        path = b":".join(map(os.fsencode, os.get_exec_path(env)))
    prefixes = [folder if folder[-1:] in {b"", b"/"} else folder + b"/" for folder in path.split(b":")]
    return arguments, [prefix + program for prefix in prefixes]


def _above_2(fd: int) -> int:
    """Move a descriptor above 2, so that it cannot become a standard stream of the child."""
    low = []
    try:
        while fd < 3:
            low.append(fd)
            fd = os.dup(fd)
    finally:
        for fd_below in low:
            os.close(fd_below)
    return fd


# Some versions since Linux 6.3 log a warning if MFD_NOEXEC_SEAL is missing; earlier ones reject it.
_memfd_flags = os.MFD_CLOEXEC | 0x8  # MFD_NOEXEC_SEAL in linux/memfd.h


def _memory() -> int:
    global _memfd_flags  # noqa: PLW0603 (cached: what the system supports does not change)
    try:
        return os.memfd_create("rusage", _memfd_flags)
    except OSError as error:
        if error.errno != errno.EINVAL or _memfd_flags == os.MFD_CLOEXEC:
            raise
        _memfd_flags = os.MFD_CLOEXEC
        return _memory()


SAME_IDS = (-1, -1, -1)


def id_numbers(user: int | None, group: int | None, groups: Sequence[int] | None) -> tuple[int, ...]:
    """Return the launcher's arguments: user, group, number of groups and the groups; -1 means "unchanged"."""
    given = [index(number) for number in (user, group, *(groups or ())) if number is not None]
    if not all(0 <= number <= _MAX_ID for number in given) or len(groups or ()) > _MAX_GROUPS:
        raise OverflowError
    numbers = (-1 if user is None else user, -1 if group is None else group)
    return (*numbers, -1) if groups is None else (*numbers, len(groups), *groups)


def _kill(pid: int) -> None:
    """Kill and reap a child of this process, even if signal handlers raise exceptions meanwhile."""
    for _ in range(100):
        try:
            if os.waitpid(pid, os.WNOHANG) == (0, 0):  # otherwise another process may have the PID
                os.kill(pid, lib.SIGKILL)
                os.waitpid(pid, 0)
        except ChildProcessError:
            return
        except BaseException:  # noqa: BLE001, S112 (the exception that is being handled takes precedence)
            continue
        return


def _reap(pid: int) -> int:
    """Wait for a child and return its status; 0 if another caller has waited for it, or SIGCHLD is ignored."""
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return 0


class Launch:
    """A command line for the launcher, and the pipe and the memory that it reports through.

    This process waits as long as any process has the pipe's write end open. Therefore the write end is open here only
    until the launcher has been started (``close_pipe``), and is close-on-exec, since another thread might fork.
    """

    def __init__(  # noqa: PLR0913 (the parameters of subprocess)
        self,
        arguments: list[Any],
        paths: list[bytes],
        *,
        session: object = False,
        process_group: int = -1,
        ids: tuple[int, ...] = SAME_IDS,
        keep: Iterable[int] | None = None,
    ) -> None:
        """Prepare a start. ``keep``: the descriptors above 2 that the child inherits; None: all inheritable ones.

        ``ids``: see ``id_numbers``.
        """
        if not -(2**31) <= index(process_group) < 2**31:
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
        self.inherited_fds: tuple[int, int] = done, memory
        fds = (-1,) if kept is None else (len(kept) + 1, *sorted([*kept, done]))
        numbers = os.getpid(), memory, done, int(bool(session)), process_group, *ids, *fds, len(paths)
        self.command = ["rusage", *map(str, numbers), *paths, *arguments]

    def __enter__(self) -> Launch:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        return self

    def __exit__(self, *error: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def close_pipe(self) -> None:
        """Close the write end of the pipe. Unlike close(2) this can be repeated after an interruption."""
        os.dup2(self._end, self.inherited_fds[0], inheritable=False)

    def _pids(self) -> tuple[int, int]:
        """Return the process IDs of the child and the launcher: 0 if unset, -1 if the launcher becomes the child."""
        data = os.pread(self.inherited_fds[1], _MEMORY.size, 0)
        pids: tuple[int, int] = _MEMORY.unpack(data or bytes(_MEMORY.size))
        return pids

    def wait_for_exec(self, launcher: int) -> Result:
        """Wait until the child has executed its program or has failed to, and reap the launcher.

        If an exception is raised, for example by a signal handler, both processes are killed and reaped first.
        """
        try:
            self.close_pipe()
            failed = os.read(self._end, 1) != b""
            pid, _ = self._pids()
            if pid < 0 and not failed:
                return Result(NOT_ISOLATED, launcher)
            status = _reap(launcher)
            if pid > 0 and not failed:
                return Result(ISOLATED, pid)
            if pid > 0:
                _reap(pid)
            return Result(NOT_STARTED) if pid else self._why_none(launcher, status)
        except BaseException:
            self.abort(launcher)
            raise

    def _why_none(self, launcher: int, status: int) -> Result:
        """Return the result if the launcher has ended without creating a child."""
        global use_close_range, _unusable  # noqa: PLW0603 (cached: what the system supports does not change)
        if os.WIFSIGNALED(status):
            if os.WTERMSIG(status) not in _SELF_INFLICTED:
                return Result(KILLED, launcher, status)  # as if the child had received the signal
            _unusable = _unusable or os.WTERMSIG(status) == lib.SIGSYS
        elif os.WEXITSTATUS(status) == _CANNOT_CLOSE and use_close_range:
            use_close_range = False
            return Result(RETRY)
        elif os.WEXITSTATUS(status) == _REFUSED:
            _unusable = True
        return Result(NOT_STARTED)

    def abort(self, launcher: int | None) -> bool:
        """Kill and reap the launcher, then the child that it may have created; return whether a launcher existed.

        ``launcher`` is None if a signal handler raised an exception before its process ID was known. The launcher then
        reports its ID itself; if there is no launcher, the pipe has no write end.
        """
        if launcher is None:
            launcher = self._find_launcher()
        if launcher:
            _kill(launcher)
        pid, _ = self._pids()
        if pid > 0:
            _kill(pid)
        return launcher != 0

    def _find_launcher(self) -> int:
        """Return the process ID that the launcher has stored in the memfd; 0 if there is no launcher."""
        os.set_blocking(self._end, False)
        for _ in range(1000):
            try:
                self.close_pipe()
                if self._pids()[1] or os.read(self._end, 1) == b"":  # no process has the write end
                    return self._pids()[1]
            except BlockingIOError:  # noqa: PERF203 (each attempt may be interrupted)
                time.sleep(0.001)
            except BaseException:  # noqa: BLE001, S112 (the exception that is being handled takes precedence)
                continue
        return 0


def spawn(arguments: list[str], defaults: Iterable[int], mask: Iterable[int]) -> tuple[Result, float]:
    """Start a program with a signal mask and default actions for the signals in *defaults*; all else is inherited.

    Return the result, and the time by ``time.perf_counter`` just before the launcher was executed.
    """
    if not usable(other_ids=False):
        return Result(NOT_STARTED), 0.0
    try:
        launch = Launch(*resolve(arguments, None, None, shell=False))
    except OSError:
        return Result(NOT_STARTED), 0.0
    with launch:
        # Duplicating a descriptor onto itself clears its close-on-exec flag.
        same = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in launch.inherited_fds]
        began = time.perf_counter()
        try:
            # environb: the unmodified bytes of the environment.
            launcher = os.posix_spawn(
                PATH, launch.command, os.environb, file_actions=same, setsigdef=defaults, setsigmask=mask
            )
        except OSError:
            return Result(NOT_STARTED), began
        return launch.wait_for_exec(launcher), began
