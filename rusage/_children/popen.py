"""``Popen``: ``subprocess.Popen`` with the resource usage of its child, on Linux with the child's own peak.

It overrides private methods of ``subprocess.Popen``: ``_execute_child`` starts the child and calls ``_close_pipe_fds``;
only ``_try_wait`` and ``_internal_poll`` wait for it, and ``_wait`` decides when. Each start checks that these methods
are the known ones. If another library has replaced them, that library's class runs the child, and nothing is measured.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, Any, AnyStr

from .._backends import BACKEND
from .._backends._base import FLOOR_RULES
from .._fields import RUsage
from .._getrusage import WAITED, error_of, new_call, usage_of
from .._rusage import lib
from .exit_event import WAIT_BY_EVENT, exit_event
from .inherited import child_fields, keep_fields, parent_peak, read_inherited
from .patched import PARAMETERS, PIPES, is_patched, unmeasured

if TYPE_CHECKING:
    from threading import Lock

if sys.platform != "win32":
    from .. import _wait

if sys.platform == "linux":
    from . import launcher

_NOTHING: frozenset[str] = frozenset()

_clock = time.perf_counter

_DAY = 86400.0  # seconds; poll(2) and kevent(2) accept no more than some

if not isinstance(subprocess.Popen, type):  # such as a mock that replaces it during this import
    raise ImportError("rusage cannot start programs: subprocess.Popen is not a class")  # noqa: TRY004 (raised by an import)

if TYPE_CHECKING:

    class _Popen(subprocess.Popen[AnyStr]):
        """The private parts of ``subprocess.Popen`` that are used here."""

        _child_created: bool
        _handle: int
        _waitpid_lock: Lock

        def _close_pipe_fds(self, *fds: int) -> None: ...
        def _execute_child(self, *args: Any, **kwargs: Any) -> None: ...
        def _handle_exitstatus(self, sts: int) -> None: ...
        def _internal_poll(self, _deadstate: int | None = None) -> int | None: ...
        def _wait(self, timeout: float | None) -> int: ...

else:
    _Popen = subprocess.Popen


_pipes = itemgetter(*PIPES)

# Arguments that subprocess must not apply to the launcher: the child that it creates applies them.
_LEFT_TO_CHILD: dict[str, Any] = {
    "shell": False,
    "uid": None,
    "gid": None,
    "gids": None,
    "start_new_session": False,
}
if "process_group" in PARAMETERS:
    _LEFT_TO_CHILD["process_group"] = -1


class Popen(_Popen[AnyStr]):
    """``subprocess.Popen`` with the resource usage of its child.

    ``rusage`` is None until the child's exit has been seen (by ``wait``, ``poll``, ``communicate`` or at the end of a
    ``with`` block), then an ``RUsage``: the usage of the child, including that of its own children that it has waited
    for. ``measured`` names the fields that were measured for this child; the others are 0. ``elapsed`` is None until
    the exit has been seen, then the elapsed seconds since the start.

    On Linux ``ru_maxrss`` is the child's own peak if the child was started through the launcher. That is not possible
    with a ``preexec_fn``, or where the launcher cannot be executed; the peak is then measured only if it is too large
    to be inherited. It includes the peaks of the child's own children that it has waited for, which inherit from the
    child. On other systems it is measured only if it is known to be the child's own.

    Nothing is measured if another caller has waited for the child, if SIGCHLD is ignored, or if another library
    (gevent) has replaced ``subprocess.Popen``.
    """

    elapsed: float | None = None
    """Seconds from the start of the child until its exit was seen; None before."""

    _began: float

    if not TYPE_CHECKING:  # type checkers use the __init__ of subprocess

        def __new__(cls, *args: Any, **kwargs: Any) -> Popen[Any]:
            """Record the start time; if subprocess has been patched, return an instance of the patched class."""
            if is_patched(Popen, _Popen):
                if cls is not Popen:
                    raise RuntimeError(
                        f"subprocess.Popen was replaced after {cls.__name__} was derived from rusage.Popen"
                    )
                return unmeasured(subprocess.Popen)(*args, **kwargs)
            self = super().__new__(cls)
            self._began = _clock()
            return self

    if sys.platform == "win32":
        _usage: RUsage | None = None

        def _saw_exit(self) -> None:
            if self.returncode is not None and self.elapsed is None:
                self.elapsed = _clock() - self._began

        def _internal_poll(self, _deadstate: int | None = None) -> int | None:
            code = super()._internal_poll(_deadstate)
            if _deadstate is None:
                self._saw_exit()
            return code

        def _wait(self, timeout: float | None) -> int:
            code = super()._wait(timeout)
            self._saw_exit()
            return code

        @property
        def rusage(self) -> RUsage | None:
            """The child's usage; None before its exit was seen."""
            if self.returncode is None or self._usage is not None:
                return self._usage
            call = new_call(BACKEND, 0, WAITED)
            error = lib.rusage_get_process(int(self._handle), call)  # open as long as this object exists
            if error:
                raise error_of(error)
            self._usage = usage_of(call)
            return self._usage

        @property
        def measured(self) -> frozenset[str]:
            """The fields that were measured for this child; empty before its exit was seen."""
            usage = self.rusage
            return _NOTHING if usage is None else child_fields(usage)

    else:
        rusage: RUsage | None = None
        measured: frozenset[str] = _NOTHING

        # Arguments for child_fields(), recorded at the start.
        _peak_isolated = False
        _floor: int | None = None
        _inherited: RUsage | None = None

        def _saw_exit(self, usage: RUsage | None) -> None:
            """Store the usage before the caller sets ``returncode``, so that threads never see only the latter."""
            self.elapsed = _clock() - self._began
            if usage is None:
                self.measured, self.rusage = _NOTHING, RUsage.zero
                return
            if self._peak_isolated and usage.ru_maxrss:  # the result of child_fields(), but faster
                self.measured, self.rusage = WAITED, usage
                return
            self.measured = child_fields(
                usage, isolated=self._peak_isolated, floor=self._floor, inherited=self._inherited
            )
            self.rusage = keep_fields(usage, self.measured)

        if "wait4" in BACKEND.absent:

            def _reap(self, flags: int) -> tuple[int, int]:
                pid, status = os.waitpid(self.pid, flags)
                if pid == self.pid:
                    self._saw_exit(None)
                return pid, status

        else:

            def _reap(self, flags: int) -> tuple[int, int]:
                """Wait with the usage. The caller holds ``_waitpid_lock``."""
                pid, status, usage = _wait.reap(self.pid, flags)
                if pid == self.pid:
                    self._saw_exit(usage)
                return pid, status

        def _try_wait(self, wait_flags: int) -> tuple[int, int]:
            try:
                return self._reap(wait_flags)
            except ChildProcessError:
                self._saw_exit(None)
                return self.pid, 0

        def _internal_poll(self, _deadstate: int | None = None) -> int | None:
            if _deadstate is not None:
                # Called by __del__, when globals may have been cleared; the usage can no longer be read.
                return super()._internal_poll(_deadstate)
            # If another thread holds the lock, it is about to set returncode.
            if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
                try:
                    if self.returncode is None:
                        pid, status = self._reap(os.WNOHANG)
                        if pid == self.pid:
                            self._handle_exitstatus(status)
                except OSError as error:
                    if error.errno == errno.ECHILD:
                        self._saw_exit(None)
                        self.returncode = 0
                finally:
                    self._waitpid_lock.release()
            return self.returncode

        def _execute_child(self, *values: Any, **named: Any) -> None:
            call = {**dict(zip(PARAMETERS, values)), **named}  # noqa: B905 (process_group: from Python 3.11 on)
            # Either may be an iterator, and several attempts may need it.
            if not isinstance(call["args"], (str, bytes, os.PathLike)):
                call["args"] = list(call["args"])
            call["pass_fds"] = tuple(call["pass_fds"])
            if sys.platform == "linux" and self._start_by_launcher(call):
                return
            self._start_directly(call)

        def _start_directly(self, call: dict[str, Any]) -> None:
            """Start the child as subprocess does, and record what its usage may inherit."""
            # preexec_fn runs in the child before exec and may raise the inherited peak above that of this process.
            has_floor = BACKEND.child_peak in FLOOR_RULES and call["preexec_fn"] is None
            if has_floor:
                parent_peak()
            super()._execute_child(**call)
            if has_floor:
                self._floor = parent_peak()
            self._inherited = read_inherited(self.pid)

        if WAIT_BY_EVENT:

            def _wait(self, timeout: float | None) -> int:
                if timeout is not None and not self._exits_within(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout)
                return super()._wait(timeout)

            def _exits_within(self, timeout: float) -> bool:
                """Wait until the child has exited; return False if the timeout expires first.

                Return True at once if the system provides no event: the caller then waits in another way.
                """
                end = _clock() + timeout
                # While the lock is held no other thread can reap the child, so its process ID is not reused.
                if self._internal_poll() is not None or not self._waitpid_lock.acquire(blocking=False):
                    return True
                with ExitStack() as stack:
                    try:
                        if self.returncode is not None:
                            return True
                        wait = stack.enter_context(exit_event(self.pid))
                    except OSError:
                        return True
                    finally:
                        self._waitpid_lock.release()
                    while (left := end - _clock()) > 0:
                        if wait(min(_DAY, left)):
                            return True
                    return False

    if sys.platform == "linux":
        # Set during a start through the launcher.
        if TYPE_CHECKING:  # typing.get_type_hints would look for the name in the package
            _launching: launcher.Launch | None
        _launching = None

        def _close_pipe_fds(self, *fds: int) -> None:
            if self._launching is None:
                super()._close_pipe_fds(*fds)
            else:
                # Called before subprocess waits for exec. The child's pipe ends stay open, since a direct start may
                # follow.
                self._launching.close_pipe()

        def _start_by_launcher(self, call: dict[str, Any]) -> bool:
            """Start the child through the launcher; return False, with nothing started, if that is not possible."""
            result = self._try_launcher(call)
            if result.outcome is launcher.RETRY:
                result = self._try_launcher(call)
            if result.outcome in {launcher.NOT_STARTED, launcher.RETRY}:
                self.pid = self.returncode = None  # type: ignore[assignment]  # as in subprocess before a start
                self._child_created = False
                return False
            super()._close_pipe_fds(*_pipes(call))
            self.pid, self._peak_isolated = result.pid, result.outcome is launcher.ISOLATED
            if result.outcome is launcher.KILLED:
                self._saw_exit(None)
                self._handle_exitstatus(result.status)
            return True

        def _try_launcher(self, call: dict[str, Any]) -> launcher.Result:
            """Attempt a start. If an exception other than an argument error is raised, nothing is left running."""
            ids = call["uid"], call["gid"], call["gids"]
            other_ids = ids != (None, None, None)
            if call["preexec_fn"] is not None or not launcher.usable(other_ids=other_ids):
                return launcher.Result(launcher.NOT_STARTED)
            pass_fds: tuple[int, ...] = call["pass_fds"]
            keep = pass_fds if call["close_fds"] and launcher.use_close_range else None
            try:
                arguments, paths = launcher.resolve(call["args"], call["executable"], call["env"], shell=call["shell"])
                for fd in pass_fds:  # the launcher's descriptors could reuse the number of a closed one
                    os.fstat(fd)
                launch: launcher.Launch = launcher.Launch(
                    arguments,
                    paths,
                    session=call["start_new_session"],
                    process_group=call.get("process_group", -1),
                    ids=launcher.id_numbers(*ids) if other_ids else launcher.SAME_IDS,
                    keep=keep,
                )
            except _ARGUMENT_ERRORS:
                return launcher.Result(launcher.NOT_STARTED)
            with launch:
                # subprocess raises an audit event only for the launcher.
                sys.audit("subprocess.Popen", call["executable"] or arguments[0], arguments, call["cwd"], call["env"])
                self._launching = launch
                try:
                    super()._execute_child(
                        **{
                            **call,
                            **_LEFT_TO_CHILD,
                            "args": launch.command,
                            "executable": launcher.PATH,
                            "close_fds": call["close_fds"] and keep is None,
                            "pass_fds": (*pass_fds, *launch.inherited_fds),
                        }
                    )
                except BaseException as error:
                    if self.returncode is None and launch.abort(self.pid):  # raised by a signal handler
                        self._aborted()
                        raise
                    if not isinstance(error, _ARGUMENT_ERRORS):
                        raise
                    launcher.note_failure(error)
                    return launcher.Result(launcher.NOT_STARTED)
                finally:
                    self._launching = None
                try:
                    return launch.wait_for_exec(self.pid)
                except BaseException:
                    self._aborted()
                    raise

        def _aborted(self) -> None:
            """Record that the start was interrupted, and that the child has been killed and reaped."""
            self._saw_exit(None)
            self.returncode = -lib.SIGKILL


# Raised for invalid arguments; a direct start then makes subprocess raise the documented exception.
_ARGUMENT_ERRORS = (OSError, TypeError, ValueError, LookupError, OverflowError, subprocess.SubprocessError)


class CompletedProcess(subprocess.CompletedProcess[AnyStr]):
    """``subprocess.CompletedProcess`` with the resource usage of the process."""

    rusage: RUsage
    """The usage of the process, including that of its own children that it has waited for."""
    measured: frozenset[str]
    """The fields of ``rusage`` that were measured for this process; the others are 0 (see ``Popen``)."""
    elapsed: float
    """Elapsed seconds from the start of the process until its exit was seen."""

    def __init__(self, process: Popen[AnyStr], stdout: Any, stderr: Any) -> None:
        super().__init__(process.args, process.returncode, stdout, stderr)
        add_usage(self, process)


def add_usage(result: Any, process: Popen[Any]) -> None:
    """Copy the usage of a process that has ended to a result or an exception."""
    result.rusage, result.measured, result.elapsed = process.rusage, process.measured, process.elapsed


# Pickles and tracebacks must not expose the private module name.
Popen.__module__ = CompletedProcess.__module__ = "rusage"

if not TYPE_CHECKING and is_patched(Popen, _Popen):
    Popen = unmeasured(subprocess.Popen)
