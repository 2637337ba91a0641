"""``Process``: the resource usage of another process, by its process ID."""

from __future__ import annotations

import errno
import os
import sys
from _warnings import warn  # what warnings.warn is; that module takes longer to import

from ._backends import BACKEND
from ._calls import FreeList, buffer_of, c_int, error_of, forks, new_call, os_error, usage_in
from ._fields import FIELDS, RUsage
from ._rusage import ffi, lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TypeVar

    from ._rusage import Buffer, Call
    from ._rusage import Process as Handle

    T = TypeVar("T", int, float)

_open, _get, _close = lib.rusage_process_open, lib.rusage_process_get, lib.rusage_process_close
_maxrss: Callable[[Handle, Call], int] | None = getattr(lib, "rusage_process_maxrss", None)
_rss: Callable[[Handle, Call], int] = lib.rusage_process_rss
_cputime: Callable[[Handle, Call], float] | None = getattr(lib, "rusage_process_cputime", None)

# maxrss() and cputime() only read this template. A call that needs a writable buffer takes one from
# the free list.
_units = new_call(BACKEND, 0, BACKEND.process)
_pool: list[tuple[Call, Buffer]] = FreeList()
ALL_BITS = 2**32 - 1


def _take() -> tuple[Call, Buffer]:
    try:
        return _pool.pop()
    except IndexError:
        call = new_call(BACKEND, 0, BACKEND.process)
        return call, buffer_of(call)


def _fields(bits: int) -> frozenset[str]:
    """Return the fields of a process whose bits are set."""
    if bits == ALL_BITS:
        return BACKEND.process
    return BACKEND.process & {name for bit, name in enumerate(FIELDS) if bits >> bit & 1}


def _why_not_found(pid: int) -> str:
    """Return the text for a process ID: it may belong to a zombie, or to a thread."""
    if sys.platform != "win32":  # there os.kill() would end the process
        try:
            os.kill(pid, 0)
        except OSError:
            pass
        else:
            return "the process has ended, or this is the ID of a thread"
    return os.strerror(errno.ESRCH)


def error_of_process(code: int, pid: int, others: str = "") -> Exception:
    """Return the exception for an error of a C function for a process, or for *others* too."""
    if code == lib.RUSAGE_NO_PROCESS:
        return ProcessLookupError(errno.ESRCH, f"{_why_not_found(pid)}: {pid}")
    # On Linux: /proc is not mounted, or it belongs to another PID namespace.
    file = "/proc/self" if code == errno.ENOENT else None
    error = error_of(code) if sys.platform == "win32" else os_error(code, file)
    if isinstance(error, PermissionError):
        return PermissionError(error.errno, f"{error.strerror}: {pid}{others}", None, code)
    return error


class Opened:
    """What ``Process`` and ``Tree`` have in common: they refer to processes until closed."""

    pid: int
    _closed = True  # until it is open

    if TYPE_CHECKING:

        def close(self) -> None:
            """Release what refers to the processes."""

    def __enter__(self) -> Self:
        if self._closed:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed:
            warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __repr__(self) -> str:
        return f"<rusage.{type(self).__name__} pid={self.pid}{' closed' if self._closed else ''}>"

    def __reduce__(self) -> str:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


class Process(Opened):
    """Another process, whose resource usage can be read: ``with Process(pid) as process: ...``.

    >>> with rusage.Process(os.getppid()) as process:
    ...     print(process.cputime())
    0.244183

    It can be read again and again. The object refers to the process that had this process ID
    when it was opened, even if another process gets the ID later. A forked child can use its copy.
    Close it by ``close()`` or ``with`` to avoid a ``ResourceWarning``.

    Raises the same exceptions as ``os.kill`` for a bad argument, and ``ValueError`` for a number
    below 1. Raises ``ProcessLookupError`` if there is no such process, if it has ended but has not
    been waited for, and if the number is the ID of a thread; ``PermissionError`` if the system does
    not allow reading the process; ``OSError`` if too many files are open. The methods raise the
    same exceptions, and ``ProcessLookupError`` once the process has ended. The message of a
    ``ProcessLookupError`` and of a ``PermissionError`` contains the process ID.

    On Linux, during exec or exit, readings retry for up to a second. Before one reports an exit, it
    looks a second time: at once, or before Linux 5.3 after a millisecond.
    """

    pid: int
    """The process ID."""

    measured: frozenset[str]
    """The names of the fields that can be read of this process; the others are 0.

    It does not change.
    """

    def __init__(self, pid: int) -> None:
        # Readings that are in progress, and the handle that the last one closes if close() has been
        # called. list.append() and list.pop() are atomic: see _leave().
        self._users: list[None] = []
        self._unreleased: list[Handle] = []
        self.pid = c_int(pid)
        if self.pid < 1:
            raise ValueError(f"not a process ID: {self.pid}")
        # ffi.gc closes the descriptors when the handle is freed, even if an exception is raised at
        # any point, also when a forked child lacks the thread of a user.
        self._handle = ffi.gc(ffi.new("rusage_process *"), _close)
        self._forks = forks()
        self._unreleased.append(self._handle)  # first: a signal handler may raise once it is open
        slot = call, _ = _take()
        error = _open(self._handle, self.pid, call)
        _pool.append(slot)
        if error:
            raise error_of_process(error, self.pid)
        self.measured = _fields(self._handle.measured)
        self._closed = False

    def _read(self, function: Callable[[Handle, Call], T], call: Call) -> T:
        """Call a function that reads, protected from a close() in a thread or a signal handler."""
        self._users.append(None)
        try:
            if self._closed:
                raise ValueError("this Process is closed")
            if self._forks != forks():
                self._handle.forked = 1
            value = function(self._handle, call)
        finally:
            self._leave()
        if value < 0:
            raise error_of_process(-int(value), self.pid)
        return value

    def _leave(self) -> None:
        """Close the handle if close() has been called and no user is left; close() is a user too.

        No lock: a forked child would inherit it locked, and a signal handler would wait for its own
        thread. close() sets the flag, then registers. A reading registers, then checks the flag. So
        at least one sees the other.
        """
        self._users.pop()
        if self._closed and not self._users:
            self._release()

    def _release(self) -> None:
        try:
            handle = self._unreleased.pop()
        except IndexError:  # it was not opened, or another thread closes it
            return
        _close(handle)

    def getrusage(self) -> RUsage:
        """Return the resource usage of the process so far, in the usual units.

        It does not include the children. Fields that ``measured`` does not name are 0. Times
        may be coarser than for the calling process: on Linux they are whole ticks of 10 ms. Raises
        ``ProcessLookupError`` once the process has ended, and ``ValueError`` after ``close()``.
        """
        slot = call, buffer = _take()
        try:
            error = self._read(_get, call)
            if error:
                raise error_of_process(error, self.pid)
            return usage_in(buffer)
        finally:
            _pool.append(slot)

    def peak(self) -> int:
        """Return the maximum resident set size of the program that the process executes, in bytes.

        It is ``getrusage().ru_maxrss``, without building an ``RUsage``. Raises
        ``NotImplementedError`` where ``measured`` does not name ``ru_maxrss``, and otherwise as
        ``getrusage()``. Before Linux 6.2 it is a lower bound: each running thread holds back up to
        64 page faults.
        """
        if "ru_maxrss" not in self.measured:
            raise NotImplementedError(
                f"{BACKEND.name} does not report the maximum resident set size of this process"
            )
        return self._read(_maxrss, _units) if _maxrss else self.getrusage().ru_maxrss

    def rss(self) -> int:
        """Return the resident set size of the process now, in bytes.

        The result is 0 for a process without memory of its own, such as a kernel thread of Linux.
        Raises the same exceptions as ``getrusage()``.
        """
        return self._read(_rss, _units)

    if TYPE_CHECKING or "pss" not in BACKEND.absent:

        def pss(self) -> int:
            """Return the proportional set size of the process now, in bytes; only on Linux.

            A page that n processes share counts as an nth of its size. The result is 0 for a
            process without memory of its own. Raises ``PermissionError`` for a process that this
            one may not trace, such as another user's, and otherwise as ``getrusage()``.
            """
            return self._read(lambda handle, _: lib.rusage_process_pss(handle), _units)

    def cputime(self) -> float:
        """Return user plus system CPU time in seconds, by the finest clock of the system.

        On Linux the clock counts nanoseconds, except in a forked child that is in another PID
        namespace. Raises the same exceptions as ``getrusage()``.
        """
        if _cputime:
            return self._read(_cputime, _units)
        usage = self.getrusage()
        return usage.ru_utime + usage.ru_stime

    def close(self) -> None:
        """Make all methods raise ``ValueError`` from now on.

        A reading in another thread is not interrupted.
        """
        self._closed = True
        self._users.append(None)
        self._leave()


Process.__module__ = "rusage"
