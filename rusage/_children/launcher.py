"""Start a program through the launcher and interpret the result (Linux only).

On Linux a process starts with the peak resident set size of the process that forked it. The launcher (``launcher.c``)
is a program of a few kilobytes that this process executes instead of the child. The launcher creates the child with
``clone(CLONE_PARENT)``, which makes it a child of this process, and exits. The peak of such a child is its own.

Security: the launcher runs with the IDs and capabilities of this process, so that no other user may stop, trace or
signal it. It closes every descriptor that the child must not inherit, then creates the child; only the child changes
its user and groups. A child with other IDs has neither the memfd nor its mapping; any other child uses the launcher's
memory until it executes its program, while the launcher exits without a store to it. The launcher is executed with the
environment of the child. A launcher with a dynamic loader would obey LD_PRELOAD, and is therefore not used for children
with other IDs. A process that is forked during a start closes the memfd and the pipe; since C code can fork one that
does not, ``_is_child`` checks the process ID that the memfd contains.
"""

from __future__ import annotations

import os
import sys
import time
from enum import Enum

from .._backends.linux import starttime_lag
from .._rusage import ffi, lib
from . import launcher_availability as availability
from . import launcher_protocol as protocol


class Outcome(Enum):
    """How a start ended."""

    ISOLATED = 1
    """The child has started, and its peak is its own."""
    NOT_ISOLATED = 2
    """The child has started, and its peak may be this process's."""
    KILLED = 3
    """A signal killed the child before it executed its program."""
    NOT_EXECUTED = 4
    """The program could not be executed."""
    NOT_STARTED = 5
    """There was no child, and a direct start may succeed."""
    LOST = 6
    """The child has started, but no longer is a child of this process, or its process ID is not known."""
    NOT_FIRST = 7
    """The first path could not be executed, and the launcher did not try the others."""


class Result:
    """The result of a start."""

    def __init__(self, outcome: Outcome, pid: int = 0, *, status: int = 0, step: int = 0, error: int = 0) -> None:
        self.outcome = outcome
        self.pid = pid
        """The child's process ID; 0 if there is no child, or if it has been reaped."""
        self.status = status
        """The child's wait status if it was killed before it executed its program; it has been reaped then."""
        self.step = step
        """The step of the protocol that failed, if the program could not be executed."""
        self.error = error
        """The errno of that step."""


assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

# Signals that the launcher can cause itself: seccomp, RLIMIT_FSIZE, out of memory.
_SELF_INFLICTED = {lib.SIGSYS, lib.SIGXFSZ, lib.SIGBUS, lib.SIGSEGV}


def _end(pid: int, *, exits: bool = False) -> None:
    """Kill a child of this process unless it exits by itself, and reap it, even if signal handlers raise meanwhile."""
    for _ in range(100):
        try:
            # Check first: if the child has been reaped, another process may have its PID.
            if exits or os.waitpid(pid, os.WNOHANG) == (0, 0):
                if not exits:
                    os.kill(pid, lib.SIGKILL)
                os.waitpid(pid, 0)
        except ChildProcessError:
            return
        except BaseException:  # noqa: BLE001, S112 (the exception that is being handled takes precedence)
            continue
        return


def _wait_for_status(pid: int) -> int | None:
    """Wait for a child and return its status; None if another caller has waited for it, or SIGCHLD is ignored."""
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return None


# The process IDs of the children that objects of this package have started, and have not seen exit; and when each start
# ended, by boottime().
children: dict[int, float] = {}
_TICKS = os.sysconf("SC_CLK_TCK")  # per second; a process's start time is a whole number of ticks


def boottime() -> float:
    """Return the time by the clock of the start times of processes, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _after_fork() -> None:
    """Forget, in a forked child, what belongs to its parent."""
    lib.rusage_channels_close()
    children.clear()


os.register_at_fork(after_in_child=_after_fork)


class Launch:
    """One start through the launcher: the pipe and the memory through which the launcher reports, and their readers.

    This process waits as long as any process has the pipe's write end open. Therefore the write end is open here only
    until the launcher has been started (``close_pipe``), and is close-on-exec, since another thread might fork.
    """

    def __init__(self) -> None:
        # ffi.gc closes the descriptors when the channel is freed, even if an exception is raised at any point.
        self._channel = ffi.gc(ffi.new("rusage_channel *"), lib.rusage_channel_close)
        error = lib.rusage_channel_open(self._channel)
        if error:
            raise OSError(error, os.strerror(error))
        self.inherited_fds = self._channel.write_end, self._channel.memory
        self.first_only = False  # whether the launcher's child tries only the first path
        self._exits = False  # whether the launcher is known to exit by itself
        self._began = boottime()
        self._has_others = bool(children or self._channel.has_children)
        self._new = 0  # a process ID that no older child has

    def __enter__(self) -> Launch:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        return self

    def __exit__(self, *error: object) -> None:
        lib.rusage_channel_close(self._channel)

    def close_pipe(self) -> None:
        """Close the write end of the pipe, if it is open."""
        lib.rusage_channel_close_write_end(self._channel)

    def note_launcher(self, launcher: int) -> None:
        """Close the pipe, and note that no child has the next process ID, mostly before the launcher creates one."""
        self.close_pipe()
        if self._has_others and not lib.rusage_is_child(launcher + 1):  # cheaper than start times, mostly sufficient
            self._new = launcher + 1

    def wait_for_exec(self, launcher: int) -> Result:
        """Wait until the child has executed its program or has failed to, and reap the launcher.

        If an exception is raised, for example by a signal handler, the caller must call ``abort``.
        """
        pid, (step, error) = 0, protocol.read_report(self._channel.read_end)
        if (step, error) == (lib.LAUNCHER_IN_PLACE, 0):
            pid, (step, error) = launcher, protocol.read_report(self._channel.read_end)
            if step == 0:
                return Result(Outcome.NOT_ISOLATED, pid)
        if not protocol.is_known_report(step, error):
            self.abort(launcher)
            if protocol.read_pids(self._channel.memory)[0]:
                return Result(Outcome.KILLED, launcher, status=lib.SIGKILL)
            return Result(Outcome.NOT_STARTED)
        self._exits = True
        pid = pid or protocol.read_pids(self._channel.memory)[0]
        status = _wait_for_status(launcher)
        if not pid:
            return self._why_none(launcher, status)
        if step:
            return self._why_not_executed(launcher, pid, step, error)
        return Result(Outcome.ISOLATED, pid) if self._is_child(pid) else _lost(pid, launcher)

    def _why_not_executed(self, launcher: int, pid: int, step: int, error: int) -> Result:
        """Return the result for the report of a child, and reap it."""
        if pid != launcher:
            status = _wait_for_status(pid) if self._is_child(pid) else None
            if status is not None and os.waitstatus_to_exitcode(status) != lib.LAUNCHER_FAILED:
                return Result(Outcome.KILLED, pid, status=status)  # the report was not the child's
            if step == lib.LAUNCHER_BEFORE_EXEC:  # subprocess raises an exception of its own for this
                return Result(Outcome.NOT_STARTED)
            if step == lib.LAUNCHER_EXEC and self.first_only:
                return Result(Outcome.NOT_FIRST)
        return Result(Outcome.NOT_EXECUTED, step=step, error=error)

    def _is_child(self, pid: int) -> bool:
        """Return whether a process ID in the memory can be the ID of the child that the launcher has created.

        A process that C code has forked from this one, and that has other rights by now, may have changed it.
        """
        if pid <= 0 or not lib.rusage_is_child(pid):
            return False
        known_since = children.get(pid)
        if not self._has_others or pid == self._new:
            return known_since is None or known_since < self._began
        start = lib.rusage_start_time(pid)
        if start < 0:
            return known_since is None
        if start < int((self._began - starttime_lag()) * _TICKS):
            return False
        # Another caller has waited for an older child that had this process ID.
        return known_since is None or known_since < self._began - 2 / _TICKS

    def _why_none(self, launcher: int, status: int | None) -> Result:
        """Return the result if the launcher has ended, and there is no process ID of a child."""
        if status is None:
            return Result(Outcome.NOT_STARTED)
        if status == 0:  # it has created one
            return Result(Outcome.LOST, launcher)
        if os.WIFSIGNALED(status):
            if os.WTERMSIG(status) not in _SELF_INFLICTED:
                return Result(Outcome.KILLED, launcher, status=status)  # as if the child had received the signal
            if os.WTERMSIG(status) == lib.SIGSYS:
                availability.pause(availability.NEVER)
        elif os.WEXITSTATUS(status) == lib.LAUNCHER_REFUSED:
            availability.pause(availability.NEVER)
        elif os.WEXITSTATUS(status) == lib.LAUNCHER_NOT_UNDERSTOOD:
            availability.pause(availability.PAUSE)
        return Result(Outcome.NOT_STARTED)

    def abort(self, launcher: int | None) -> bool:
        """Kill and reap the launcher, then the child that it may have created; return whether there was a launcher.

        ``launcher`` is None if a signal handler raised an exception before its process ID was known.
        """
        if launcher is None:
            launcher = self._find_launcher()
            launcher = launcher if self._is_child(launcher) else 0
        if launcher:
            _end(launcher, exits=self._exits)
        # They have been final since the launcher ended.
        pid, executed = protocol.read_pids(self._channel.memory)
        if self._is_child(pid):
            _end(pid)
        return bool(launcher or executed)

    def _find_launcher(self) -> int:
        """Return the process ID that the launcher stores in the memfd; 0 if no process has executed the launcher.

        The pipe has no write end then. While it has one, a process may be about to execute the launcher.
        """
        pause = 0.0
        for _ in range(1000):
            try:
                time.sleep(pause)
                os.set_blocking(self._channel.read_end, False)
                self.close_pipe()
                if protocol.read_pids(self._channel.memory)[1] or os.read(self._channel.read_end, 1) == b"":
                    return protocol.read_pids(self._channel.memory)[1]
            except BlockingIOError:  # noqa: PERF203 (each attempt may be interrupted)
                pause = 0.001
            except BaseException:  # noqa: BLE001, S112 (the exception that is being handled takes precedence)
                continue
        return 0


def _lost(pid: int, launcher: int) -> Result:
    """Return the result for a process ID of the child that no child of this process has.

    An ID that no process has stays, as in ``subprocess``: the child's own is such a one if SIGCHLD is ignored.
    """
    try:
        os.kill(max(pid, 0), 0)
    except ProcessLookupError:
        return Result(Outcome.LOST, pid)  # another caller has waited for it, or SIGCHLD is ignored
    except OSError:
        pass
    return Result(Outcome.LOST, launcher)
