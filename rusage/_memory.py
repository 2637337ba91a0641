"""The memory of this process: ``peak``, ``rss``, ``pss``, and the peak of a block.

``BlockPeak``, the last, is for ``measure`` and the pytest plugin. Only Linux can reset the
high-water mark, and its getrusage() reports another peak: see rusage/_backends/linux/memory.c.
"""

from __future__ import annotations

import os
import sys

from ._backends import BACKEND
from ._calls import error_of, forks, os_error
from ._getrusage import maxrss
from ._rusage import ffi, lib

HAS_MARK = hasattr(lib, "rusage_peak")


def peak() -> int:
    """Return the maximum resident set size of the program that this process executes, in bytes.

    >>> f"{rusage.peak() / 2**20:.1f} MiB"
    '11.8 MiB'

    Unlike ``maxrss()`` it never includes the peak of the process from which this one was started.
    It does not fall when ``measure(reset_peak=True)`` or the pytest plugin resets the high-water
    mark of the process, and is never below what ``peak()``, ``rss()`` or a ``Process`` of this
    process has read. A higher peak that none of these has read is lost when other code resets the
    mark, or when Linux splits huge pages of a mapped file, for example at a write to
    ``numpy.memmap(file, mode="c")``. In a forked child the peak begins with the resident set size
    at the fork.

    Raises ``OSError`` if the peak cannot be read: on Linux without ``/proc``.
    """
    if not HAS_MARK:  # a system on which processes do not inherit a peak
        return maxrss()
    return _checked(lib.rusage_peak(), BACKEND.peak)


def rss() -> int:
    """Return the resident set size of this process now, in bytes.

    >>> f"{rusage.rss() / 2**20:.1f} MiB"
    '11.7 MiB'

    Raises ``OSError`` if the size cannot be read: on Linux without ``/proc``.
    """
    return _checked(lib.rusage_rss(), BACKEND.rss)


def pss() -> int:
    """Return the proportional set size of this process now, in bytes; only on Linux.

    >>> f"{rusage.pss() / 2**20:.1f} MiB"
    '8.3 MiB'

    A page that n processes share counts as an nth of its size. Reading it takes longer than
    ``rss()``: the kernel visits each page of the process. Raises ``OSError`` if it cannot be read:
    without ``/proc``, and in a kernel without ``/proc/PID/smaps_rollup``.
    """
    return _checked(lib.rusage_pss(), BACKEND.pss)


def _checked(size: int, source: str) -> int:
    """Return a size; raise an exception that names its source if it is a negative error number."""
    if size < 0:
        if sys.platform == "win32":
            raise error_of(-size)
        raise os_error(-size, source=source)
    return size


def read_rss() -> int | None:
    """Return ``rss()``; None where there is none, or if it cannot be read, as without ``/proc``."""
    try:
        return rss() if "rss" not in BACKEND.absent else None
    except OSError:
        return None


def read_peak() -> int | None:
    """Return ``peak()``, or ``maxrss()`` on systems without it.

    The result is None if it cannot be read, or is not sampled yet.
    """
    try:
        return (maxrss() if "peak" in BACKEND.absent else peak()) or None
    except OSError:
        return None


def known_peak() -> int:
    """Return the largest known peak of this process, in bytes. A block does not lower it."""
    return _checked(lib.rusage_known_peak(), "getrusage") if HAS_MARK else maxrss()


# --- The peak of a block ---


class BlockPeak:
    """The peak of a block that begins when the object is created.

    It is 0 if it is not ``measured``.
    """

    __slots__ = ("_block", "_forks", "measured")

    def __init__(self) -> None:
        self._forks, self.measured = forks(), False
        if HAS_MARK:
            self._block = ffi.new("rusage_block *")
            self.measured = not lib.rusage_block_begin(self._block)

    @staticmethod
    def available() -> bool:
        """Guess whether a peak can be measured; only an attempt to reset the mark tells."""
        return HAS_MARK and os.access("/proc/thread-self/clear_refs", os.W_OK)

    def update(self) -> None:
        """Read the peak so far."""
        if self.measured:
            self.measured = not lib.rusage_block_update(self._block)

    @property
    def peak(self) -> int:
        """The maximum resident set size that was read last, in bytes."""
        return self._block.peak if self.measured else 0

    @property
    def growth(self) -> int:
        """The peak minus the resident set size at the start of the block, in bytes."""
        return self._block.peak - self._block.resident if self.measured else 0

    def is_ours(self) -> bool:
        """Return whether this process, and not one that has forked it, has begun the block."""
        return self._forks == forks()
