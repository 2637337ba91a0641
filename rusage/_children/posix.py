"""POSIX: start a child as subprocess does, and wait for it with wait4(2).

On Linux it is started through the launcher, if possible.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator

from .. import _getrusage
from .._backends import BACKEND
from .._backends._base import FLOOR_RULES, TOUCHED_RULES
from .._fields import RUsage
from .._memory import known_peak
from .._subprocess import PARAMETERS, SubprocessPopen, clock, pipes_of, without_audit
from .inherited import child_fields, keep_fields, peak_bound, read_inherited, touched_before_exec

if sys.platform != "win32":
    from .rlimits import set_in_child
if sys.platform == "linux":
    from .._launcher.start import start

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, AnyStr
else:
    Any = AnyStr = object

assert sys.platform != "win32"  # noqa: S101 (for the type checkers)

_HAS_WAIT4 = "wait4" not in BACKEND.absent
_DAY = 86400.0  # seconds; poll(2) and kevent(2) do not accept arbitrarily long timeouts

# --- The exit of a child as an event ---

# Before Python 3.15, subprocess polls a child at intervals of up to 50 ms if there is a timeout.
HasExited = Callable[[float], Any]
_os, _select = vars(os), vars(select)  # type checkers define only the names of one system


@contextlib.contextmanager
def by_pidfd(pid: int) -> Iterator[HasExited]:
    """Yield a function that waits for some seconds, and returns whether the child has exited.

    It uses pidfd_open(2). Raises ``OSError`` if that is not possible: on an old kernel, in a
    sandbox, if too many files are open.
    """
    fd = _os["pidfd_open"](pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        yield lambda seconds: poll.poll(math.ceil(seconds * 1000))  # milliseconds
    finally:
        os.close(fd)


@contextlib.contextmanager
def by_kqueue(pid: int) -> Iterator[HasExited]:
    """Do the same by kqueue(2).

    Some systems also raise ``OSError`` (ESRCH) if the child has already exited.
    """
    with contextlib.closing(_select["kqueue"]()) as queue:
        # If asked for events, control() would return an error as an event instead of raising it.
        flags = _select["KQ_FILTER_PROC"], _select["KQ_EV_ADD"], _select["KQ_NOTE_EXIT"]
        queue.control([_select["kevent"](pid, *flags)], 0)
        yield lambda seconds: queue.control(None, 1, seconds)


exit_event = by_pidfd if "pidfd_open" in _os else by_kqueue
# PyPy lacks some of these names, and gevent removes kqueue.
WAIT_BY_EVENT = sys.version_info < (3, 15) and (
    {"kqueue", "KQ_NOTE_EXIT"} <= _select.keys() or ("pidfd_open" in _os and "poll" in _select)
)

# --- Popen ---


class PosixPopen(SubprocessPopen[AnyStr]):
    """Read the usage when the exit is seen."""

    pid: int
    rusage: RUsage | None = None
    measured: frozenset[str] = frozenset()

    _limits: tuple[tuple[int, int, int], ...]
    # The arguments for child_fields() that the start has recorded; none if it was interrupted.
    _known: dict[str, Any] = {}  # noqa: RUF012 (another one is bound)
    _kernel_usage: RUsage | None = None

    @property
    def _peak_bound(self) -> int | None:
        """An upper bound of the child's peak, for the limit of the command; None if unknown."""
        usage = self._kernel_usage
        return None if usage is None else peak_bound(BACKEND.child_peak, usage)

    def _saw_exit(self, usage: RUsage | None) -> None:
        """Store the usage before the caller sets ``returncode``: no thread sees that alone."""
        self.elapsed: float | None = clock() - self._began
        if usage is None:
            self.measured, self.rusage = frozenset(), RUsage.zero
            return
        self.measured = child_fields(usage, **self._known)
        self._kernel_usage = usage
        self.rusage = keep_fields(usage, self.measured)

    def _try_reap(self, flags: int) -> tuple[int, int]:
        """Wait for the child, and read its usage where the system provides it.

        The caller holds ``_waitpid_lock``.
        """
        if _HAS_WAIT4:
            pid, status, usage = _getrusage.wait4(self.pid, flags)
        else:
            (pid, status), usage = os.waitpid(self.pid, flags), None
        if pid == self.pid:
            self._saw_exit(usage)
        return pid, status

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        try:
            return self._try_reap(wait_flags)
        except ChildProcessError:
            self._saw_exit(None)
            return self.pid, 0

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        if _deadstate is not None:
            # Called by __del__, when globals may have been cleared; the usage can no longer be
            # read.
            return super()._internal_poll(_deadstate)
        with contextlib.suppress(OSError):  # as subprocess does
            self._poll()
        return self.returncode

    def _poll(self) -> int | None:
        """Do what ``poll`` does, but raise an error of wait4(2)."""
        # If another thread holds the lock, it is about to set returncode.
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                if self.returncode is None:
                    pid, status = self._try_reap(os.WNOHANG)
                    if pid == self.pid:
                        self._handle_exitstatus(status)
            except ChildProcessError:
                self._saw_exit(None)
                self.returncode = 0
            finally:
                self._waitpid_lock.release()
        return self.returncode

    def _execute_child(self, *values: Any, **named: Any) -> None:
        call = {**dict(zip(PARAMETERS, values, strict=False)), **named}
        # Either may be an iterator, and several attempts may need it.
        if not isinstance(call["args"], (str, bytes, os.PathLike)):
            call["args"] = list(call["args"])
        if call["pass_fds"] is not None:
            call["pass_fds"] = tuple(call["pass_fds"])
        started, is_audited = None, False
        if sys.platform == "linux":
            started, is_audited = start(call, self._limits)
        if started is None:
            self._start_directly(call, is_audited=is_audited)
            return
        self.pid, status, self._began = started
        self._child_created, self._known = True, {"isolated": True}
        self._close_pipe_fds(*pipes_of(call))
        if status is not None:
            self._saw_exit(None)
            self._handle_exitstatus(status)

    def _start_directly(self, call: dict[str, Any], *, is_audited: bool) -> None:
        """Start the child as subprocess does, and record the values that its usage may inherit."""
        execute: Any = super()._execute_child
        if is_audited:
            execute = without_audit(execute)
        # preexec_fn runs in the child before exec and may raise the peak there above every bound.
        is_bounded = call["preexec_fn"] is None and not self._limits
        has_floor = BACKEND.child_peak in FLOOR_RULES and is_bounded
        if has_floor:
            known_peak()  # remember it: another thread may reset the mark during the start
        floor = None
        with set_in_child(self._limits, call["preexec_fn"]) as call["preexec_fn"]:
            self._began = clock()
            execute(**call)
        if has_floor:
            floor = known_peak()
        elif BACKEND.child_peak in TOUCHED_RULES and is_bounded:
            floor = touched_before_exec(call["args"], call["env"])
        self._known = {"floor": floor, "inherited": read_inherited(self.pid)}

    def _exits_within(self, timeout: float) -> bool:
        """Wait until the child has exited; return False if the timeout expires first.

        Return True at once if the system provides no event: the caller then waits in another way.
        """
        end = clock() + timeout
        with contextlib.ExitStack() as stack:
            try:
                has_exited = stack.enter_context(exit_event(self.pid))
            except OSError:
                return True
            # The process ID may have been another process's when it was opened.
            if self._internal_poll() is not None:
                return True
            while not (left := end - clock()) <= 0:  # NaN never expires, as in subprocess
                if has_exited(min(_DAY, left)):
                    return True
            # Another thread may have reaped the child before the event was opened.
            return self.returncode is not None

    if WAIT_BY_EVENT:

        def _wait(self, timeout: float | None) -> int:
            if timeout is not None and self.returncode is None and not self._exits_within(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout)
            return super()._wait(timeout)
