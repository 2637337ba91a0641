"""Children: ``subprocess`` with the usage of each child, and on Linux with the child's own peak.

Linux counts into a program's peak that of the memory it was executed from: after a fork the copy of its parent's, with
vfork the parent's own. So a child is blamed for what its parent has used. Here a launcher of a few pages is started in
the child's place, and creates the child as its own brother: our direct child, with its own pid, signals and status, and
with nothing in its peak that is ours.

The hooks into ``subprocess.Popen``: ``_execute_child`` starts the launcher with everything that was meant for the
child; if that fails in whatever way, it starts the child as if there were no launcher, so that each error is
subprocess's own. ``_close_pipe_fds`` is called when the launcher has been started, before its ``exec`` was seen.
``_try_wait`` and ``_internal_poll`` are all that ever waits for the child.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, AnyStr

from ._backends import BACKEND
from ._calls import WAITED, WAITED_BUT_PEAK, error_of, new_call, usage_of
from ._rusage import lib
from ._usage import RUsage

if TYPE_CHECKING:
    from threading import Lock

if sys.platform != "win32":
    from . import _native

if sys.platform == "linux":
    from . import _launch

_UNKNOWN = RUsage._make([0.0, 0.0, *[0] * 14])

if TYPE_CHECKING:

    class _Popen(subprocess.Popen[AnyStr]):
        """The private parts of ``subprocess.Popen`` that are used here."""

        _child_created: bool
        _handle: int
        _waitpid_lock: Lock

        def _close_pipe_fds(self, *fds: int) -> None: ...
        def _execute_child(
            self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, *rest: Any
        ) -> None: ...
        def _handle_exitstatus(self, sts: int) -> None: ...

else:
    _Popen = subprocess.Popen


class Popen(_Popen[AnyStr]):
    """``subprocess.Popen`` that keeps the usage of its child.

    ``rusage`` is None until the exit was seen (by ``wait``, ``poll``, ``communicate`` or at the end of a ``with``),
    then an ``RUsage``: what the child has used, and the children it has waited for itself. ``measured`` names the
    fields that were really measured for this child; the others are 0, as everywhere.

    On Linux ``ru_maxrss`` is one of them if the child could be kept apart from this process's own peak. It could not
    with a ``preexec_fn``, nor where the program that does it cannot be executed. Nothing at all is measured of a child
    that somebody else has waited for, or that nobody could wait for because SIGCHLD is ignored.
    """

    if sys.platform == "win32":
        _usage: RUsage | None = None

        @property
        def rusage(self) -> RUsage | None:
            """The child's usage, or None before its exit was seen."""
            if self.returncode is None or self._usage is not None:
                return self._usage
            call = new_call(BACKEND, 0, WAITED)
            error = lib.rusage_get_process(int(self._handle), call)  # stays open as long as this object lives
            if error:
                raise error_of(error)
            self._usage = usage_of(call)
            return self._usage

        @property
        def measured(self) -> frozenset[str]:
            """The fields that were measured for this child; none before its exit was seen."""
            return frozenset() if self.returncode is None else WAITED

    else:
        rusage: RUsage | None = None
        measured: frozenset[str] = frozenset()

        # Whether the child's peak is its own: everywhere but on Linux.
        _apart = sys.platform not in ("linux", "android")

        def _saw_exit(self, usage: RUsage | None) -> None:
            """Keep the usage, then the caller sets ``returncode``: who sees that one also finds the usage."""
            if usage is None:
                self.measured, self.rusage = frozenset(), _UNKNOWN
            elif self._apart:
                self.measured, self.rusage = WAITED, usage
            else:
                self.measured, self.rusage = WAITED_BUT_PEAK, usage._replace(ru_maxrss=0)

        if "wait4" in BACKEND.absent:

            def _reap(self, flags: int) -> tuple[int, int]:
                pid, status = os.waitpid(self.pid, flags)
                if pid == self.pid:
                    self._saw_exit(None)
                return pid, status

        else:

            def _reap(self, flags: int) -> tuple[int, int]:
                """Wait with the usage. Whoever calls this holds ``_waitpid_lock``."""
                pid, status, usage = _native.reap(self.pid, flags)
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
            # Who holds the lock is about to set returncode.
            if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
                try:
                    if self.returncode is None:
                        pid, status = self._reap(os.WNOHANG)
                        if pid == self.pid:
                            self._handle_exitstatus(status)
                except OSError as error:
                    if _deadstate is not None or error.errno == errno.ECHILD:
                        self._saw_exit(None)
                        self.returncode = 0 if _deadstate is None else _deadstate
                finally:
                    self._waitpid_lock.release()
            return self.returncode

    if sys.platform == "linux":
        # Under way is the first of two attempts: for the second the child's ends of the pipes would still be needed.
        _attempt: _launch.Launch | None = None

        def _close_pipe_fds(self, *fds: int) -> None:
            if self._attempt is None:
                super()._close_pipe_fds(*fds)
            else:
                self._attempt.let_go()  # now, and not after subprocess has waited, when others run

        def _execute_child(
            self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, *rest: Any
        ) -> None:
            # Either may be an iterator, and there may be two attempts.
            if not isinstance(args, (str, bytes, os.PathLike)):
                args = list(args)
            pass_fds = tuple(pass_fds)
            # A function may call anything.
            if preexec_fn is not None or not self._start_apart(args, executable, close_fds, pass_fds, *rest):
                super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, *rest)

        def _start_apart(  # noqa: PLR0913, PLR0917 (in subprocess's order)
            self,
            args: Any,
            executable: Any,
            close_fds: Any,
            pass_fds: Any,
            cwd: Any,
            env: Any,
            startupinfo: Any,
            creationflags: Any,
            shell: Any,
            *rest: Any,
        ) -> bool:
            """Start the child by the launcher and return whether that went well; if not, all is as it was before."""
            # Pipes and settings that the launcher gets and hands on, and those that only the child may have.
            handed_on, (session, *group) = rest[:11], rest[11:]  # a process group: from Python 3.11 on
            try:
                arguments, paths = _launch.resolve(args, executable, env, shell=shell)
                keep = pass_fds if close_fds and _launch.closes else None
                for fd in pass_fds:  # one that is not open might be the launcher's in a moment
                    os.fstat(fd)
                launch: _launch.Launch = _launch.Launch(
                    arguments, paths, session=session, group=group[0] if group else -1, keep=keep
                )
            except (OSError, TypeError, ValueError, LookupError, OverflowError):
                return False
            with launch:
                # A hook is also told of the launcher, by subprocess.
                sys.audit("subprocess.Popen", executable or arguments[0], arguments, cwd, env)
                interruption: BaseException | None = None
                self._attempt = launch
                try:
                    super()._execute_child(
                        launch.command,
                        _launch.PATH,
                        None,
                        close_fds and keep is None,
                        (*pass_fds, *launch.handed_on),
                        cwd,
                        env,
                        startupinfo,
                        creationflags,
                        False,  # noqa: FBT003 (shell)
                        *handed_on,
                        False,  # noqa: FBT003 (start_new_session)
                        *(-1 for _ in group),
                    )
                except BaseException as error:  # noqa: BLE001 (a signal's handler may raise anything, anywhere)
                    interruption = error
                self._attempt = None
                if self._child_created and self.returncode is None:  # else it has been waited for already
                    interruption = launch.finish(self.pid) or interruption
                launched = self._adopt(launch)
            try:
                if interruption is not None and (launched or not isinstance(interruption, Exception)):
                    raise interruption
            finally:
                interruption = None  # its traceback has this frame: only a collector would free what is here
            if launched:
                super()._close_pipe_fds(*handed_on[:6])
            elif launch.cannot_close():
                _launch.closes = False
                return self._start_apart(
                    args, executable, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell, *rest
                )
            return launched

        def _adopt(self, launch: _launch.Launch) -> bool:
            """Put the child in the place of the launcher, and return whether there is one."""
            child = launch.child(self.pid)
            if not child:
                self.pid = self.returncode = None  # type: ignore[assignment]  # as subprocess has it before a start
                self._child_created = False
                return False
            self.pid, self._apart = child, launch.pid > 0
            if not launch.pid and launch.status is not None:
                # As if the signal had come to the child before it executed anything.
                self._saw_exit(None)
                self._handle_exitstatus(launch.status)
            return True


class CompletedProcess(subprocess.CompletedProcess[AnyStr]):
    """``subprocess.CompletedProcess`` with the usage of the process."""

    rusage: RUsage
    """What the process has used, and the children it has waited for itself."""
    measured: frozenset[str]
    """The fields of ``rusage`` that were really measured for this process; the others are 0 (see ``Popen``)."""
    elapsed: float
    """Seconds by the clock, from before the process was started until its exit was seen."""

    def __init__(self, process: Popen[AnyStr], stdout: Any, stderr: Any, elapsed: float) -> None:
        super().__init__(process.args, process.returncode, stdout, stderr)
        add_usage(self, process, elapsed)


def add_usage(result: Any, process: Popen[Any], elapsed: float) -> None:
    """Give a result, or an exception, what is known of the process that has ended."""
    result.rusage, result.measured, result.elapsed = process.rusage, process.measured, elapsed


# Where tracebacks and pickles find them.
Popen.__module__ = CompletedProcess.__module__ = "rusage"
