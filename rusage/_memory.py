"""The memory of this process: ``peak``, ``rss``, ``pss``, and a block's peak, for ``measure`` and the pytest plugin.

Only Linux can reset the high-water mark: see rusage/_backends/linux/memory.c.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from itertools import count

from . import _forks
from ._backends import BACKEND
from ._getrusage import error_of, maxrss
from ._rusage import lib

# Only Linux can reset the high-water mark, and its getrusage() reports another peak.
HAS_MARK = hasattr(lib, "rusage_mark")

# The largest mark or size so far. Every reading raises it, also those before and after a reset, so that no result of
# peak() is less than an earlier one, or than the peak of a block. The lock is not held for long, unlike the one below.
_highest = 0
_raising = RLock()


def _raise_highest(size: int) -> int:
    global _highest  # noqa: PLW0603 (of the process)
    with _raising:
        _highest = max(_highest, size)
    return size


def _read_mark() -> int:
    """Return the high-water mark, or a negative error number."""
    return _raise_highest(lib.rusage_mark())


def peak() -> int:
    """Return the maximum resident set size of the program that this process executes, in bytes.

    Unlike ``maxrss()`` it never includes the peak of the process from which this one was started. It does not fall when
    ``measure(reset_peak=True)`` or the pytest plugin resets the high-water mark of the process; a reset by other code
    may lower the result. In a forked child the peak begins with the resident set size at the fork.

    Raises ``OSError`` if the peak cannot be read: on Linux without ``/proc``.
    """
    if not HAS_MARK:  # a system on which processes do not inherit a peak
        return maxrss()
    _checked(_read_mark(), BACKEND.peak)
    return _highest


def rss() -> int:
    """Return the resident set size of this process now, in bytes.

    Raises ``OSError`` if the size cannot be read: on Linux without ``/proc``.
    """
    return _checked(lib.rusage_rss(), BACKEND.rss)


def pss() -> int:
    """Return the proportional set size of this process now, in bytes; only on Linux.

    A page that n processes share counts as an nth of its size. Reading it takes longer than ``rss()``: the kernel
    visits each page of the process. Raises ``OSError`` if it cannot be read: without ``/proc``, and in a kernel without
    ``/proc/PID/smaps_rollup``.
    """
    return _checked(lib.rusage_pss(), BACKEND.pss)


def _checked(size: int, source: str) -> int:
    """Return a size; raise an exception that names its source if it is a negative error number."""
    if size < 0:
        raise error_of(-size) if sys.platform == "win32" else OSError(-size, f"{os.strerror(-size)} ({source})")
    return size


def read_rss() -> int | None:
    """Return ``rss()``; None where there is none, and if it cannot be read, as without ``/proc``."""
    try:
        return rss() if "rss" not in BACKEND.absent else None
    except OSError:
        return None


def read_peak() -> int | None:
    """Return ``peak()``, or ``maxrss()`` on systems without it; None if it cannot be read, or is not sampled yet."""
    try:
        return (maxrss() if "peak" in BACKEND.absent else peak()) or None
    except OSError:
        return None


# The result of the last call of known_peak().
_peak = 0


def known_peak() -> int:
    """Return the largest known peak of this process, in bytes.

    Code that lowers the peak, such as a write to /proc/PID/clear_refs, must call this first.
    """
    global _peak  # noqa: PLW0603 (must outlive a reset of the kernel's value)
    peak = max(_peak, maxrss())
    _peak = peak
    return peak


# --- The peak of a block ----------------------------------------------------------------------------------------------

# The lock is re-entrant because a signal handler or a finalizer may start a block while its thread holds the lock.
lock = RLock()

# The high-water marks before our resets, and the sizes after them, which count for the blocks that began earlier: each
# with the number of its reset, from the largest to the smallest. One that is not larger than a later one cannot be the
# peak of a block.
_marks: list[tuple[int, int]] = []
_numbers = count(1)


def _keep_mark(number: int, size: int) -> None:
    while _marks and _marks[-1][1] <= size:
        _marks.pop()
    _marks.append((number, size))


class BlockPeak:
    """The peak of a block that begins when the object is created. It is 0 if it is not ``measured``."""

    __slots__ = ("_forks", "_is_open", "_number", "_peak", "_resident", "measured")

    def __init__(self) -> None:
        self._forks, self._is_open = _forks.count, True
        self.measured = False
        if HAS_MARK:
            with lock:
                known_peak()
                self._number = next(_numbers)
                mark = _read_mark()
                _keep_mark(self._number, mark)
                # A peak between the reading of the mark and the reset is lost.
                self._resident = self._peak = _raise_highest(lib.rusage_reset_mark())
                _keep_mark(self._number, self._resident)
                self.measured = mark >= 0 and self._resident >= 0

    @staticmethod
    def available() -> bool:
        """Return whether a peak can probably be measured; only an attempt to reset the mark is certain."""
        return HAS_MARK and os.access("/proc/thread-self/clear_refs", os.W_OK)

    def update(self) -> None:
        """Read the peak so far, if the block is open."""
        if self.measured and self._is_open:
            with lock:
                mark = _read_mark()
                later = (size for number, size in _marks if number > self._number)
                self._peak = max(self._peak, mark, *later)
                self.measured = mark >= 0

    def stop(self) -> None:
        """End the block."""
        self.update()
        if self._forks == _forks.count:
            self._is_open = False

    @property
    def peak(self) -> int:
        """The maximum resident set size that was read last, in bytes."""
        return self._peak if self.measured else 0

    @property
    def growth(self) -> int:
        """The peak minus the resident set size at the start of the block, in bytes."""
        return self._peak - self._resident if self.measured else 0

    def check(self) -> None:
        """Raise ``RuntimeError`` in a forked child if the block was open at the fork."""
        if self._is_open and self._forks != _forks.count:
            raise RuntimeError("this block was open across a fork: it is measured in the parent only")


def _after_fork() -> None:
    """In a child: replace the locks, which other threads of the parent may hold, and forget the parent's peaks."""
    global lock, _raising, _highest, _marks, _peak
    lock, _raising, _highest, _marks, _peak = RLock(), RLock(), 0, [], 0
    if HAS_MARK:
        lib.rusage_close_clear_refs()  # of a reset in another thread, which the child does not have


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
