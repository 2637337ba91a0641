"""The processes that a program leaves: this process becomes their parent, and counts them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from .. import Process, Tree
from .._getrusage import wait4
from .._rusage import lib
from .figures import Left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Member, RUsage
    from .run import Signals

_os: Any = os  # type checkers define only the names of one system
_signal: Any = signal

PATIENCE = 0.5  # seconds; a server of multiprocessing ends 5 to 45 ms after its program


def ended_children() -> Iterator[int]:
    """Return the IDs of children that have ended; each must be waited for before the next one."""
    flags = _os.WEXITED | _os.WNOHANG | _os.WNOWAIT
    while (child := _os.waitid(_os.P_ALL, 0, flags)) is not None:
        yield child.si_pid


class Orphans:
    """The peak and the CPU time of the processes that a program has left."""

    def __init__(self, others: list[int], *, is_counted: bool) -> None:
        """*others*: descendants of this process that run already, and do not count."""
        self.others, self.is_counted = others, is_counted
        self._reaped: list[RUsage] = []
        self._tree: Tree | None = None

    def start(self, pid: int) -> None:
        """Begin, when the program has been started."""
        self._pid = pid
        if self.is_counted:
            with contextlib.suppress(OSError):  # too many files are open, or no /proc is mounted
                self._tree = Tree(pid)

    def count(self, pid: int, usage: RUsage) -> None:
        """Count a child that has been waited for."""
        if pid in self.others:
            self.others.remove(pid)  # another process may get it
        else:
            self._reaped.append(usage)

    def reap(self) -> bool:
        """Wait for the orphans that have ended; return whether there was one."""
        found = False
        with contextlib.suppress(OSError):  # there is no child
            for pid in ended_children():
                if pid == self._pid:
                    break
                tree = self._tree
                self.count(pid, wait4(pid, 0)[2] if tree is None else tree._reap(pid))  # noqa: SLF001 (of the same package)
                found = True
        return found

    def finish(self, signals: Signals) -> Left:
        """Give those that are left a moment to end; return what they have used.

        A signal ends the wait. It is not forwarded: another process may have got the program's
        ID.
        """
        self._pid = 0
        if self._tree is not None:
            self._tree._adopt(self.others)
        end = time.monotonic() + PATIENCE
        while True:
            is_left = self._is_left()
            seconds = 0 if signals.early else end - time.monotonic()
            if self.reap() and seconds > 0:
                continue  # its children may be left
            if not is_left or seconds <= 0 or _wait(seconds, signals) != _signal.SIGCHLD:
                break
        living, peak, seconds = self._read() if is_left else (0, 0, 0.0)
        if self._tree is not None:
            self._tree.close()
        peaks = [peak, *(usage.ru_maxrss for usage in self._reaped)]
        times = [seconds, *(usage.ru_utime + usage.ru_stime for usage in self._reaped)]
        return Left(max(peaks), sum(times), living)

    def _is_left(self) -> bool:
        """Return whether there are living orphans, or descendants of them."""
        try:
            _os.waitid(_os.P_ALL, 0, _os.WEXITED | _os.WNOHANG | _os.WNOWAIT)
            return self._tree is None or self._tree.sample().processes > 0
        except ChildProcessError:
            return False
        except OSError:  # too many files are open
            return True

    def _read(self) -> tuple[int | None, int, float]:
        """Return the number of those that run on, their largest peak and their CPU time so far."""
        living, peak, seconds = None, 0, 0.0
        for _ in range(10):
            with contextlib.suppress(OSError):
                if self._tree is not None:
                    living, seconds = self._tree._total()  # noqa: SLF001 (as above)
                    peak = max(map(peak_of, self._tree.members()), default=0)
            if not self.reap():  # otherwise one counts twice
                return living, peak, seconds
        return living, peak, 0.0


def _wait(seconds: float, signals: Signals) -> int | None:
    """Wait for the end of a child or a signal, at most some seconds; return its number."""
    expected = {*signals.keyboard, *signals.forwarded, _signal.SIGCHLD}
    _signal.pthread_sigmask(_signal.SIG_BLOCK, expected)
    found = _signal.sigtimedwait(expected, seconds)
    if found is None:
        return None
    number: int = found.si_signo
    if number != _signal.SIGCHLD:
        signals.received.append(number)
    return number


def peak_of(member: Member) -> int:
    """Return the peak of a process so far, in bytes, or at least its resident set size."""
    try:
        with Process(member.pid) as process:
            return max(member.rss, process.getrusage().ru_maxrss)
    except OSError:  # it has ended, or may not be read
        return member.rss


def become_reaper(*, is_counted: bool) -> Orphans | None:
    """Become the parent of orphans, except of processes that earlier runs and the caller have left.

    Return None where that is not possible.
    """
    if lib.rusage_become_reaper():
        return None
    others = []
    with contextlib.suppress(OSError):  # there is no child, or too many files are open
        for pid in ended_children():
            wait4(pid, 0)
        with Tree() as tree:
            others = [member.pid for member in tree.members() if member.pid != os.getpid()]
    return Orphans(others, is_counted=is_counted)
