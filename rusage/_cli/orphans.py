"""The processes that a program leaves: this process becomes their parent, and counts them."""

from __future__ import annotations

import contextlib
import math
import os
import time
from typing import TYPE_CHECKING, Any

from .. import Process, Tree
from .._getrusage import wait4
from .._rusage import lib
from .figures import OrphanUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .. import Member, RUsage

_os: Any = os  # type checkers define only the names of one system

PATIENCE = 0.5  # seconds; a server of multiprocessing ends 5 to 45 ms after its program
MOMENT = 0.05  # seconds


def ended_children() -> Iterator[int]:
    """Return the IDs of children that have ended; each must be waited for before the next one."""
    flags = _os.WEXITED | _os.WNOHANG | _os.WNOWAIT
    while (child := _os.waitid(_os.P_ALL, 0, flags)) is not None:
        yield child.si_pid


def _reap(pid: int) -> RUsage:
    return wait4(pid, 0)[2]


class Orphans:
    """The peak and the CPU time of the processes that a program has left."""

    def __init__(self, others: list[int], *, is_counted: bool) -> None:
        """*others*: descendants of this process that run already, and do not count."""
        self.others, self.is_counted = others, is_counted
        self._reaped: list[RUsage] = []
        self._tree: Tree | None = None
        self.program = 0
        """Its process ID while it runs: it is no orphan."""

    def start(self, pid: int) -> None:
        """Begin, when the program has been started."""
        self.program = pid
        if self.is_counted:
            with contextlib.suppress(OSError):  # too many files are open, or no /proc is mounted
                self._tree = Tree(pid)

    def count(self, pid: int, usage: RUsage) -> None:
        """Count a child that has been waited for."""
        if pid in self.others:
            self.others.remove(pid)  # another process may get it
        else:
            self._reaped.append(usage)

    def reap(self, sampled: Tree | None = None) -> Iterator[int]:
        """Wait for the orphans that have ended; return their IDs, perhaps without end.

        *sampled*: the tree of which samples are taken, if there is one. It counts the orphans, and
        reads its last time if the program has ended.
        """
        tree = sampled or self._tree
        with contextlib.suppress(OSError, ValueError):  # there is no child, or the tree is closed
            for pid in ended_children():
                if pid == self.program:
                    if sampled is not None:
                        sampled.sample()
                    break
                reap = _reap if tree is None else tree._reap  # noqa: SLF001 (of the same package)
                self.count(pid, reap(pid))
                yield pid

    def reap_until(self, end: float, sampled: Tree | None = None) -> bool:
        """Wait for the orphans that have ended; if more end all the time, only until *end*.

        Return whether there was one.
        """
        found = False
        for _ in self.reap(sampled):
            found = True
            if time.monotonic() > end:
                break
        return found

    def finish(self, wait: Callable[[float], bool], *, at_once: bool) -> OrphanUsage:
        """Give those that are left a moment to end, unless *at_once*; return what they have used.

        *wait* waits for the end of a child, at most some seconds, and returns whether there may be
        one.
        """
        self.program = 0
        if self._tree is not None:
            self._tree._own_orphans(self.others)
        end = time.monotonic() + (0 if at_once else PATIENCE)
        while True:
            is_left = self._is_left()
            found = self.reap_until(end if is_left else math.inf)
            seconds = end - time.monotonic()
            if found and seconds > 0:
                continue  # its children may be left
            if not is_left or seconds <= 0 or not wait(seconds):
                break
        living, peak, seconds = self._read() if is_left else (0, 0, 0.0)
        if self._tree is not None:
            self._tree.close()
        peaks = [peak, *(usage.ru_maxrss for usage in self._reaped)]
        return OrphanUsage(max(peaks), seconds + cputime_of(self._reaped), living)

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
        living, peak, seconds, counted = None, 0, 0.0, 0
        for _ in range(10):
            counted = len(self._reaped)
            with contextlib.suppress(OSError):
                if self._tree is not None:
                    living, seconds = self._tree._total()  # noqa: SLF001 (as above)
                    peak = max(map(peak_of, self._tree.members()), default=0)
            # Otherwise one counts twice.
            if not self.reap_until(time.monotonic() + MOMENT):
                return living, peak, seconds
        return living, peak, max(seconds - cputime_of(self._reaped[counted:]), 0)


def cputime_of(usages: list[RUsage]) -> float:
    """Return the sum of user and system time."""
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


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
    others: list[int] = []
    try:
        next(ended_children(), None)  # raises ChildProcessError if there is no child
        with contextlib.suppress(OSError), Tree() as tree:  # too many files may be open
            others = [member.pid for member in tree.members() if member.pid != os.getpid()]
        for pid in ended_children():  # last: what ends meanwhile is no orphan of the program
            wait4(pid, 0)
            others = [other for other in others if other != pid]
    except ChildProcessError:
        pass
    except OSError:  # a sandbox refuses waitid: orphans would stay, and their peaks be unknown
        return None
    return None if lib.rusage_become_reaper() else Orphans(others, is_counted=is_counted)
