"""The processes that a program leaves: this process becomes their parent, and counts them."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from .. import Process, Tree
from .._getrusage import wait4
from .._rusage import lib
from .._tree import have_waited, members_of
from .figures import OrphanUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .. import Member, RUsage

_os: Any = os  # type checkers define only the names of one system

# For how many seconds the processes that are left may go on. A server of multiprocessing ends 5 to
# 45 ms after its program, on a busy machine later: so it is longer while one that the program has
# left uses CPU time. What such processes start is not waited for longer: it may start more.
PATIENCE, LONGEST_PATIENCE = 0.5, 5.0
PAUSE = 0.05  # seconds between two looks


class Descendants(Tree):
    """What this process has started and adopted, without itself: for a process without others."""

    _hides_root = True

    def __init__(self) -> None:
        super().__init__(os.getpid())


def ended_children() -> Iterator[int]:
    """Return the IDs of children that have ended; each must be waited for before the next one."""
    flags = _os.WEXITED | _os.WNOHANG | _os.WNOWAIT
    while (child := _os.waitid(_os.P_ALL, 0, flags)) is not None:
        yield child.si_pid


class Orphans:
    """The peak and the CPU time of the processes that a program has left."""

    def __init__(self, *, is_counted: bool = True) -> None:
        self.is_counted = is_counted
        """Whether they count in the limits or the report of the program."""
        self.program = 0
        """Its process ID while it runs: it is no orphan."""
        self._peak, self._seconds = 0, 0.0  # of those that have been waited for

    def reap(self) -> Iterator[int]:
        """Wait for the orphans that have ended; return their IDs, perhaps without end."""
        with contextlib.suppress(OSError):  # there is no child
            for pid in ended_children():
                if pid == self.program:
                    break
                self.count(wait4(pid, 0)[2])
                yield pid

    def count(self, usage: RUsage) -> None:
        """Count an orphan that has been waited for."""
        self._peak = max(self._peak, usage.ru_maxrss)
        self._seconds += usage.ru_utime + usage.ru_stime

    def reap_until(self, end: float) -> bool:
        """Wait for the orphans that have ended; if more end all the time, only until *end*.

        Return whether there was one.
        """
        found = False
        for _ in self.reap():
            found = True
            if time.monotonic() > end:
                break
        return found

    def finish(self, wait: Callable[[float], bool], *, at_once: bool) -> OrphanUsage:
        """Give those that are left a while to end, unless *at_once*; return what they have used.

        *wait* waits for the end of a child, at most some seconds, and returns whether to go on.
        """
        self.program = 0
        end = time.monotonic() + LONGEST_PATIENCE
        self.reap_until(end)
        if not has_children():
            return OrphanUsage(self._peak, self._seconds, 0)
        try:
            with Descendants() as tree:
                if not at_once:
                    self._wait_for(tree, wait, end)
                return self._usage_with(tree)
        except OSError:  # too many files are open, or no /proc is mounted
            return OrphanUsage(self._peak, self._seconds, None)

    def _wait_for(self, tree: Tree, wait: Callable[[float], bool], end: float) -> None:
        """Wait for those that are left now."""
        left = {one.pid: one.cputime for one in tree.members()}
        soon = time.monotonic() + PATIENCE
        while tree.sample().processes and time.monotonic() < min(soon, end) and wait(PAUSE):
            self.reap_until(end)
            now = {one.pid: one.cputime for one in tree.members() if one.pid in left}
            if any(used > left[pid] for pid, used in now.items()):
                soon = time.monotonic() + PATIENCE
            left = now

    def _usage_with(self, tree: Tree) -> OrphanUsage:
        """Return what all have used; it is not known of the past of some that run on."""
        sample, figures = tree._sample_members()
        peaks = [*map(peak_of, members_of(figures))]
        seconds = self._seconds + tree._total  # noqa: SLF001 (of the same package)
        # What has ended since the sample counts in it, but for its peak.
        self.reap_until(time.monotonic() + PATIENCE)
        return OrphanUsage(
            max([self._peak, *filter(None, peaks)]),
            seconds,
            sample.processes,
            is_read=not sample.unread,
            is_known=None not in peaks and not have_waited(figures),
        )


def has_children() -> bool:
    """Return whether this process has a child, living or not."""
    try:
        _os.waitid(_os.P_ALL, 0, _os.WEXITED | _os.WNOHANG | _os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def peak_of(member: Member) -> int | None:
    """Return the peak of a process so far, in bytes; None if it cannot be read."""
    try:
        with Process(member.pid) as process:
            if "ru_maxrss" in process.measured:
                return max(member.rss, process.getrusage().ru_maxrss)
    except OSError:  # it has ended, or may not be read
        pass
    return None


def become_reaper(*, is_counted: bool) -> Orphans | str:
    """Become the parent of orphans; return a reason if what becomes a child may be another's."""
    if os.getpid() == 1:
        return "as process 1, this one adopts the processes of others too"
    try:
        for pid in ended_children():
            wait4(pid, 0)
    except ChildProcessError:  # there is no child
        pass
    except OSError as error:
        return f"waitid: {error.strerror}"
    else:
        return "other processes are left from before"
    code = lib.rusage_become_reaper()
    if code:
        return f"this process cannot adopt them: {os.strerror(code)}"
    return Orphans(is_counted=is_counted)
