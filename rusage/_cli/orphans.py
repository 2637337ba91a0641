"""The processes that a program leaves: this process becomes their parent, and counts them."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from .. import Process, Tree
from .._getrusage import wait4
from .._rusage import lib
from .._tree import have_waited, running, sizes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .. import RUsage
    from .figures import Run

_os: Any = os  # type checkers define only the names of one system

# For how many seconds the processes that are left may go on. A server of multiprocessing ends 5 to
# 45 ms after its program, on a busy machine later: so it is longer while one that the program has
# left is running. What such processes start is not waited for longer: it may start more.
PATIENCE, LONGEST_PATIENCE = 0.5, 5.0
PAUSE = 0.05  # seconds between two looks
LOOKS = 3  # at most, at what is left, while it ends


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

    def __init__(self, doubt: str = "", *, is_counted: bool = True) -> None:
        self.doubt = doubt
        """Why those that end may not be the program's; empty if they are."""
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

    def has_adopted(self) -> bool:
        """Return whether something was left, now that the program has ended."""
        self.program = 0
        return self.reap_until(time.monotonic() + PAUSE) or self._seconds > 0 or has_children()

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

    def finish(self, wait: Callable[[float], bool], *, at_once: bool) -> Run:
        """Give those that are left a while to end, unless *at_once*; return what they have used.

        *wait* waits for the end of a child, at most some seconds, and returns whether to go on.
        """
        self.program = 0
        now = time.monotonic()
        soon, last = now + PATIENCE, now + LONGEST_PATIENCE
        self.reap_until(soon)
        quiet = 0  # looks in a row that have found no end
        while (quiet < 2 or self.doubt) and has_children() and time.monotonic() < soon:
            if at_once or not wait(PAUSE):
                at_once = True
                break
            quiet = 0 if self.reap_until(soon) else quiet + 1
        if not has_children():
            return self._record(0)
        # What ends faster than it is waited for cannot be read: each reading has all of it.
        if self.doubt or time.monotonic() >= soon:
            return self._record(None)
        try:
            with Descendants() as tree:
                if not at_once:
                    self._wait_for(tree, wait, soon, last)
                return self._usage_with(tree)
        except OSError:  # too many files are open, or no /proc is mounted
            return self._record(None)

    def _record(self, living: int | None) -> Run:
        """Return the record; *living*: how many run on, None if they could not be read."""
        found = {"ru_maxrss": self._peak, "cputime": self._seconds, "living": living}
        return found | ({"_doubt": self.doubt} if self.doubt else {})

    def _wait_for(
        self, tree: Tree, wait: Callable[[float], bool], soon: float, last: float
    ) -> None:
        """Wait for those that are left now, until *soon* or, while one is running, *last*."""
        left = {member.pid for member in tree.members()}
        while tree.sample().processes and time.monotonic() < min(soon, last) and wait(PAUSE):
            self.reap_until(time.monotonic() + PATIENCE)
            if left & running(tree._sample_members()[1]):
                soon = time.monotonic() + PATIENCE

    def _usage_with(self, tree: Tree) -> Run:
        """Return what all have used; it is not known of the past of some that run on."""
        end = time.monotonic() + PATIENCE  # of what ends all the time, or reading it takes long
        looks = 0
        while True:
            self.reap_until(end)
            sample, figures = tree._sample_members()
            seconds = self._seconds + tree._total  # noqa: SLF001 (of the same package)
            sizes = sizes_of(figures)
            peaks = [*map(peak_of, sizes)]
            is_measured = None not in peaks and not tree._zombies  # noqa: SLF001 (as above)
            looks += 1
            if is_measured or looks == LOOKS:
                break
        # What has ended since the sample counts in it, but for its peak.
        self.reap_until(time.monotonic() + PAUSE)
        unknown = "they run on, and have waited for others" if have_waited(figures) else ""
        if not is_measured:
            unknown = "they run on, and not all of their peaks are known"
        return {
            "ru_maxrss": max([self._peak, *sizes.values(), *filter(None, peaks)]),
            "cputime": seconds,
            "living": sample.processes,
            "_unread": sample.unread,
            "_unknown": unknown,
        }


def has_children() -> bool:
    """Return whether this process has a child, living or not."""
    try:
        _os.waitid(_os.P_ALL, 0, _os.WEXITED | _os.WNOHANG | _os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def peak_of(pid: int) -> int | None:
    """Return the peak of a process so far, in bytes; None if it cannot be read."""
    try:
        with Process(pid) as process:
            if "ru_maxrss" in process.measured:
                return process.getrusage().ru_maxrss
    except OSError:  # it has ended, or may not be read
        pass
    return None


def become_reaper(*, is_counted: bool) -> Orphans | str:
    """Become the parent of orphans; return a reason if that is not possible.

    If this process has children before, or adopts others' as process 1 does, those that it waits
    for may be others' too.
    """
    doubt = "as process 1, this one adopts others too" if os.getpid() == 1 else ""
    try:
        for pid in ended_children():
            wait4(pid, 0)
    except ChildProcessError:  # there is no child
        pass
    except OSError as error:
        return f"waitid: {error.strerror}"
    else:
        doubt = doubt or "other processes are left from before"
    code = lib.rusage_become_reaper()
    if code:
        return f"this process cannot adopt them: {os.strerror(code)}"
    return Orphans(doubt, is_counted=is_counted)
